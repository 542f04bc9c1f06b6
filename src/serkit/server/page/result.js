// The timeline of a recording: player, plot, table and downloads.

import { showTimeline } from "./timeline.js";
import { element } from "./wording.js";

const $ = (id) => document.getElementById(id);
export const FORMATS = {  // format name to title, file suffix and media type
  json: ["JSON", ".json", "application/json"],
  csv: ["CSV", ".csv", "text/csv"],
  textgrid: ["TextGrid (Praat)", ".TextGrid", "text/plain"],
  srt: ["SRT (subtitles)", ".srt", "application/x-subrip"],
};
let shown = new AbortController();
const addresses = [];  // URLs of blobs, to be revoked

function addressOf(blob) {
  const address = URL.createObjectURL(blob);
  addresses.push(address);
  return address;
}

function player(sound) {
  const audio = element("audio", { id: "audio", controls: "", preload: "metadata", "aria-label": "The recording" });
  audio.addEventListener("error", () => {
    $("player").append(element("p", { class: "note", text: "This browser cannot play this file format; everything else works." }));
  }, { once: true });
  audio.src = addressOf(sound);
  return audio;
}

export function showResult(answer, sound, name) {
  addresses.splice(0).forEach((address) => URL.revokeObjectURL(address));
  shown.abort();
  shown = new AbortController();
  const { facts, html, data } = JSON.parse(answer.drawing);
  const stem = name.replace(/\.[^.]*$/, "") || "recording";
  $("result-title").textContent = name;
  $("facts").textContent = facts;
  $("player").replaceChildren(player(sound));
  $("downloads").replaceChildren(...Object.entries(FORMATS).map(([format, [title, ending, type]]) => {
    const address = addressOf(new Blob([answer[format]], { type }));
    return element("a", { href: address, download: stem + ending, text: title });
  }));
  $("drawing").innerHTML = html;  // from the service, which escapes all text that comes from a file
  $("result").hidden = false;
  showTimeline(data, shown.signal);
  $("canvas").addEventListener("click", () => $("audio").play().catch(() => {}));  // the timeline script has already moved the player
  $("result").focus({ preventScroll: true });
  $("result").scrollIntoView({ block: "start" });
}
