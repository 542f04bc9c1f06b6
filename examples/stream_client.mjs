// Stream a 16-bit WAV file to a service and print its events: node stream_client.mjs FILE [ws://HOST:PORT [TOKEN]]
// The WebSocket is that of browsers; Node has it from version 22 on, and with --experimental-websocket from 20.10.
import { readFileSync } from "node:fs";

const [, , path, address = "ws://127.0.0.1:8000", token = ""] = process.argv;
const fail = (sentence) => { console.error(sentence); process.exit(1); };
const wav = readFileSync(path);
const [channels, rate, bits] = [wav.readUInt16LE(22), wav.readUInt32LE(24), wav.readUInt16LE(34)];
if (bits !== 16) fail(`${path} has ${bits} bits a sample; this example sends 16.`);
const query = `sampling_rate=${rate}&channels=${channels}&encoding=pcm_s16le`;
const protocols = token ? ["serkit.v1", `serkit.token.${Buffer.from(token).toString("base64url")}`] : [];
const socket = new WebSocket(`${address}/v1/stream?${query}`, protocols);

socket.onopen = () => {
  const step = Math.round(rate / 10) * channels * 2;  // a tenth of a second
  for (let place = wav.indexOf("data") + 8; place < wav.length; place += step) {
    socket.send(wav.subarray(place, place + step));
  }
  socket.send('{"type": "session.end"}');
};
socket.onmessage = ({ data }) => {
  const event = JSON.parse(data);
  if (event.type === "error") {
    console.log("error", event.code, event.message);
    process.exitCode = 1;
  } else console.log(event.type, event.start ?? "", event.emotion ?? "");
};
socket.onerror = async () => {  // a refusal is not shown to scripts; the same address over HTTP says why
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`${address.replace("ws", "http")}/v1/stream`, { headers }).catch(() => null);
  fail(answer ? `the service refused: ${(await answer.json()).detail}` : `no service answers at ${address}.`);
};
