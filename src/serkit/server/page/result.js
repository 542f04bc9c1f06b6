// A recording's timeline: player, picture, table, downloads.

import { showTimeline } from "./timeline.js";
import { element } from "./wording.js";

const $ = (id) => document.getElementById(id);
export const FORMATS = {  // as the service names them, with a title, an ending and a media type
  json: ["JSON", ".json", "application/json"],
  csv: ["CSV", ".csv", "text/csv"],
  textgrid: ["TextGrid (Praat)", ".TextGrid", "text/plain"],
  srt: ["SRT (subtitles)", ".srt", "application/x-subrip"],
};
let shown = new AbortController();
const addresses = [];  // of blobs, which live until they are revoked

function addressOf(blob) {
  const address = URL.createObjectURL(blob);
  addresses.push(address);
  return address;
}

function player(sound) {
  const audio = element("audio", { id: "audio", controls: "", preload: "metadata", "aria-label": "The recording" });
  audio.addEventListener("error", () => {
    $("player").append(element("p", { class: "note", text: "This browser does not play that kind of file; all else works." }));
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
  $("drawing").innerHTML = html;  // of the service, which escapes what comes from a file
  $("result").hidden = false;
  showTimeline(data, shown.signal);
  $("canvas").addEventListener("click", () => $("audio").play().catch(() => {}));  // the script has gone there already
  $("result").focus({ preventScroll: true });
  $("result").scrollIntoView({ block: "start" });
}
