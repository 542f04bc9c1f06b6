// From the microphone to the service and back: pieces of sound go out, events come in.

import { Problem, openStream, whyClosed } from "./service.js";

const MOST_WAITING = 2;  // seconds of sound that may wait to be sent; more is lost, and said to be
const LAST_WORDS = 10_000;  // milliseconds that the service has to end a stream

const REASONS = {
  NotAllowedError: "The browser was not allowed to use the microphone. Allow it for this page and try again.",
  NotFoundError: "No microphone was found.",
  NotReadableError: "The microphone is in use by another program.",
};

async function openMicrophone() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Problem("Browsers open the microphone on https:// pages and on this computer's own (localhost) only.");
  }
  try {
    // What cleans a voice up for calls also changes how loud and how lively it is.
    const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false };
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new Problem(REASONS[error.name] || `The microphone cannot be opened: ${error.message}`);
  }
}

export class Microphone {
  // onEvent(event) for the service's events, onSound(samples, rms) for each tenth of a second,
  // onEnd(problem or null) once, when nothing more will come.
  constructor({ onEvent, onSound, onEnd }) {
    Object.assign(this, { onEvent, onSound, onEnd });
    this.lost = 0;  // seconds
    this.hasEnded = this.isClosed = this.isOpen = false;
  }

  async start() {
    this.media = await openMicrophone();
    this.context = new AudioContext();
    try {
      await this.context.audioWorklet.addModule("/page/recorder.js");
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

  // Nothing more is recorded; the service still has its last words.
  stop() {
    if (this.isStopping || this.hasEnded) return;
    this.isStopping = true;
    this.release();
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"type": "session.end"}');
    this.timer = setTimeout(() => { this.socket.close(); this.end(new Problem("The service did not end the stream.")); },
      LAST_WORDS);
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
