// The live display: sound level, probabilities of the last 30 seconds, and the emotion of each utterance.

import { clock, element, percent, wording } from "./wording.js";

const $ = (id) => document.getElementById(id);
const SHOWN = 30;  // seconds shown in the bands
const LOUDNESS = 4;  // scale of the waveform's height; speech rarely exceeds a quarter of full scale
const QUIETEST = -60;  // dB of full scale
const QUIET_WORDS = [[-50, "silent"], [-35, "quiet"], [-12, "good"], [1, "loud"]];

export class Live {
  constructor(colors) {
    this.colors = colors;
    this.classes = Object.keys(colors);
    this.rows = new Map(this.classes.map((name) => [name, this.row(name)]));
    $("live-meters").replaceChildren(...this.classes.map((name) => this.rows.get(name).item));
    new ResizeObserver(() => this.draw()).observe($("bands"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.reset();
  }

  row(name) {
    const bar = element("b"), share = element("span");
    bar.style.background = this.colors[name];
    const item = element("li", { children: [element("span", { text: name }), element("i", { children: [bar] }), share] });
    return { item, bar, share };
  }

  reset() {
    this.windows = [];
    this.levels = [];
    this.heard = 0;
    this.say("listening", "");
    this.show({});
    $("utterances").replaceChildren();
    $("no-utterances").hidden = false;
    this.draw();
  }

  stop() {
    $("level-bar").style.transform = "scaleX(0)";
    $("level").setAttribute("aria-valuenow", QUIETEST);
    $("level").setAttribute("aria-valuetext", "silent");
  }

  say(emotion, more) {
    $("now-emotion").textContent = emotion;
    $("now-share").textContent = more;
  }

  // Shows the loudness of a tenth of a second of sound.
  sound(seconds, rms) {
    this.heard += seconds;
    const level = Math.max(QUIETEST, 20 * Math.log10(rms + 1e-9));
    this.levels.push([this.heard, Math.min(1, LOUDNESS * rms)]);
    this.levels = this.levels.filter(([time]) => time > this.heard - SHOWN);
    $("level-bar").style.transform = `scaleX(${1 - level / QUIETEST})`;
    $("level").setAttribute("aria-valuenow", level.toFixed(0));
    $("level").setAttribute("aria-valuetext", QUIET_WORDS.find(([most]) => level < most)[1]);
    $("clock").textContent = clock(this.heard, 0);
    this.draw();
  }

  event(event) {
    if (event.type === "speech.start") {
      this.since = event.start;
      this.say("speech", "Listening\u2026 the first result comes after 3 s of speech or a pause");
    } else if (event.type === "emotion") {
      const start = Math.max(this.since ?? event.start, this.told ?? 0);
      this.windows.push({ start, end: event.end, shares: this.classes.map((name) => event.probabilities[name] || 0) });
      this.windows = this.windows.filter(({ end }) => end > this.heard - SHOWN - 1);
      this.told = event.end;
      this.say(...wording(event));
      this.show(event.probabilities);
      this.draw();
    } else if (event.type === "utterance.end") {
      this.utterance(event);
      this.say(...wording(event));
      this.show(event.probabilities);
    }
  }

  show(probabilities) {
    for (const [name, { bar, share }] of this.rows) {
      const value = probabilities[name];
      bar.style.width = `${100 * (value || 0)}%`;
      share.textContent = value === undefined ? "\u2013" : percent(value);
    }
  }

  utterance(event) {
    const [name, more] = wording(event), color = this.colors[event.emotion];
    const swatch = element("span", { class: color ? "swatch" : "swatch hatched" });
    if (color) swatch.style.background = color;
    $("utterances").prepend(element("li", { children: [
      element("time", { text: `${clock(event.start)} \u2013 ${clock(event.end)}` }),
      element("b", { children: [swatch, name] }), element("span", { text: more }),
    ] }));
    $("no-utterances").hidden = true;
  }

  draw() {
    const canvas = $("bands"), pen = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(document.documentElement), ink = (name) => style.getPropertyValue(`--${name}`);
    const end = Math.max(SHOWN, this.heard), x = (time) => width * (1 - (end - time) / SHOWN);
    const wave = height * .28, low = height - 18, step = x(.1) - x(0);
    pen.fillStyle = ink("wave");
    for (const [time, level] of this.levels) {
      const tall = Math.max(1, level * wave);
      pen.fillRect(x(time) - step, (wave - tall) / 2, Math.max(1, step - 1), tall);
    }
    for (const { start, end: stop, shares } of this.windows) this.band(pen, x(start), x(stop), wave + 6, low, shares);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.fillStyle = ink("muted");
    const tick = width < 400 ? 10 : 5;
    for (let time = Math.ceil((end - SHOWN) / tick) * tick; time <= end; time += tick) {
      const text = clock(time, 0), half = pen.measureText(text).width / 2 + 4;
      pen.fillRect(Math.round(x(time)), low, 1, 4);
      pen.textAlign = "center";
      pen.fillText(text, Math.min(Math.max(x(time), half), width - half), height - 7);
    }
  }

  band(pen, left, right, top, low, shares) {
    let base = low;
    shares.forEach((share, place) => {
      const height = share * (low - top);
      pen.fillStyle = this.colors[this.classes[place]];
      pen.fillRect(left, base - height, right - left + .5, height);
      base -= height;
    });
  }
}
