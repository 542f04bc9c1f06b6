// The microphone's stream to the service: pieces of sound go out, events come in.

import { Problem, openStream, whyClosed } from "./service.js";

const MOST_WAITING = 2;  // seconds of unsent sound; further sound is skipped and counted in `lost`
const CLOSE_TIMEOUT = 10_000;  // milliseconds for the service to end a stream

const REASONS = {
  NotAllowedError: "The browser may not use the microphone. Allow it for this page and try again.",
  NotFoundError: "No microphone was found.",
  NotReadableError: "The microphone is in use by another program.",
};

async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem("Browsers allow the microphone only on https:// pages and on localhost.");
  }
  try {
    // Processing for calls changes loudness and dynamics, which carry emotion.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Problem(REASONS[error.name] || `The microphone cannot be opened: ${error.message}`);
  }
}

export class Microphone {
  // Callbacks: onEvent(event) for each event of the service, onSound(samples, rms) for each tenth of a second,
  // onEnd(problem or null) once, when the stream has ended.
  constructor({ onEvent, onSound, onEnd }) {
    Object.assign(this, { onEvent, onSound, onEnd });
    this.lost = 0;  // seconds
    this.hasEnded = this.isClosed = this.isOpen = false;
  }

  async start() {
    this.media = await openMicrophone();
    this.context = new AudioContext();
    try {
      await this.context.audioWorklet.addModule("page/recorder.js");
      await this.context.resume();
      this.socket = openStream(this.context.sampleRate);
      await this.created();
    } catch (problem) {
      this.release();
      throw problem;
    }
    this.media.getAudioTracks()[0].addEventListener("ended", () => this.stop());
    this.node = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => this.take(data);
    this.context.createMediaStreamSource(this.media).connect(this.node);
    return this.context.sampleRate;
  }

  created() {
    return new Promise((resolve, reject) => {
      this.socket.addEventListener("message", ({ data }) => {
        const event = JSON.parse(data);
        if (event.type === "session.created") { this.isOpen = true; resolve(); }
        if (event.type === "error") this.problem = new Problem(`The service ended the stream: ${event.message}`, 0, event.code);
        if (event.type === "session.closed") this.isClosed = true;
        this.onEvent(event);
      });
      this.socket.addEventListener("close", async () => {
        const problem = this.problem || (this.isClosed ? null : await whyClosed());
        if (this.isOpen) this.end(problem); else reject(problem);
      });
    });
  }

  take({ samples, rms }) {
    if (this.socket.readyState !== WebSocket.OPEN || this.isStopping) return;
    this.onSound(samples, rms);
    const seconds = samples.length / this.context.sampleRate;
    if (this.socket.bufferedAmount > MOST_WAITING * this.context.sampleRate * 2) this.lost += seconds;
    else this.socket.send(samples);
  }

  // Stops recording; the service still sends its last events.
  stop() {
    if (this.isStopping || this.hasEnded) return;
    this.isStopping = true;
    this.release();
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"type": "session.end"}');
    this.timer = setTimeout(() => { this.socket.close(); this.end(new Problem("The service did not close the stream in time.")); },
      CLOSE_TIMEOUT);
  }

  end(problem) {
    if (this.hasEnded) return;
    this.hasEnded = true;
    clearTimeout(this.timer);
    this.release();
    this.onEnd(problem);
  }

  release() {
    this.media.getTracks().forEach((track) => track.stop());
    if (this.context.state !== "closed") this.context.close();
  }
}
