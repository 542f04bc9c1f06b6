// Stream a 16-bit WAV file to a service and print its events: node stream_client.mjs FILE [ws://HOST:PORT]
// The WebSocket is that of browsers; Node has it from version 22 on, and with --experimental-websocket from 20.10.
import { readFileSync } from "node:fs";

const [, , path, address = "ws://127.0.0.1:8000"] = process.argv;
const wav = readFileSync(path);
const [channels, rate] = [wav.readUInt16LE(22), wav.readUInt32LE(24)];
const query = `sampling_rate=${rate}&channels=${channels}&encoding=pcm_s16le`;
const socket = new WebSocket(`${address}/v1/stream?${query}`);

socket.onopen = () => {
  const step = Math.round(rate / 10) * channels * 2;  // a tenth of a second
  for (let place = wav.indexOf("data") + 8; place < wav.length; place += step) {
    socket.send(wav.subarray(place, place + step));
  }
  socket.send('{"type": "session.end"}');
};
socket.onmessage = ({ data }) => {
  const event = JSON.parse(data);
  console.log(event.type, event.start ?? "", event.emotion ?? "");
};
