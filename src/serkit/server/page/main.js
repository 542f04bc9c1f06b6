// The page: microphone, file upload, and results.

import { showCard } from "./card.js";
import { Live } from "./live.js";
import { Microphone } from "./microphone.js";
import { FORMATS, showResult } from "./result.js";
import { Problem, getJson, setToken, upload } from "./service.js";
import { wavOf } from "./wav.js";

const $ = (id) => document.getElementById(id);
const TIMELINE = `v1/timeline?${["drawing", ...Object.keys(FORMATS)].map((name) => `format=${name}`).join("&")}`;
const SHORTEST = .5;  // seconds; shorter recordings get no timeline
let service = null, live = null, microphone = null, sending = null;

function showProblem(id, problem) {
  $(id).hidden = !problem;
  $(id).textContent = problem ? problem.message : "";
  if (problem) $(id).scrollIntoView({ block: "nearest" });
}

function askForToken() {
  $("door").hidden = false;
  $("token").focus();
}

async function load() {
  try {
    service = await getJson("v1/models");
  } catch (problem) {
    $("card").replaceChildren();
    if (problem.status === 401) askForToken(); else showProblem("live-problem", problem);
    return problem;
  }
  $("door").hidden = true;
  setBusy(false);
  showProblem("live-problem", null);
  live = new Live(service.colors);
  const { body_bytes: bytes, recording_seconds: seconds } = service.limits;
  $("formats").textContent = `${service.accepts.join(", ")}; up to ${Math.floor(bytes / 1e6)} MB and `
    + `${seconds >= 120 ? `${Math.floor(seconds / 60)} minutes` : `${seconds} seconds`}.`;
  showCard(service.models[0], $("card"));
  return null;
}

function setBusy(isBusy) {
  $("record").disabled = isBusy;
  $("file").disabled = isBusy;
}

// --- a file

async function analyze(sound, name, problemId) {
  const { body_bytes: most } = service.limits;
  if (sound.size > most) {
    const size = (sound.size / 1e6).toFixed(0), limit = (most / 1e6).toFixed(0);
    return showProblem(problemId, new Problem(`${name} has ${size} MB, but this service accepts at most ${limit} MB.`));
  }
  sending = new AbortController();
  setBusy(true);
  $("sending").hidden = false;
  $("progress").value = 0;
  $("sending-state").textContent = `Uploading ${name}\u2026`;
  try {
    const answer = await upload(TIMELINE, sound, name, {
      signal: sending.signal,
      onProgress: (share) => { $("progress").value = share; },
      onSent: () => {
        $("progress").removeAttribute("value");
        $("sending-state").textContent = `Analyzing ${name}\u2026`;
      },
    });
    showResult(answer, sound, name);
  } catch (problem) {
    if (problem.status === 401) askForToken();
    if (problem.name !== "AbortError") showProblem(problemId, problem);
  } finally {
    $("sending").hidden = true;
    setBusy(false);
    sending = null;
  }
  return undefined;
}

function take(files) {
  showProblem("file-problem", null);
  if (microphone) showProblem("file-problem", new Problem("Stop the microphone first."));
  if (!service || sending || microphone || !files.length) return;
  if (files.length > 1) showProblem("file-problem", new Problem("Choose one file at a time."));
  else analyze(files[0], files[0].name, "file-problem");
}

// --- the microphone

async function start() {
  const pieces = [];
  let kept = 0, rate = 0, isFull = false;
  showProblem("live-problem", null);
  setBusy(true);
  $("live-state").textContent = "Opening the microphone\u2026";
  microphone = new Microphone({
    onEvent: (event) => live.event(event),
    onSound: (samples, rms) => {
      live.sound(samples.length / rate, rms);
      const { body_bytes: most } = service.limits;
      if (!isFull && kept + samples.byteLength >= most) {
        isFull = true;
        $("live-state").textContent = `The recording is full (${most / 1e6} MB). Live results continue, but further sound is not recorded.`;
      }
      if (!isFull) { pieces.push(samples); kept += samples.byteLength; }
      if (microphone?.lost) {
        $("live-state").textContent = `The service is too slow: ${microphone.lost.toFixed(1)} s of sound were skipped.`;
      }
    },
    onEnd: (problem) => finish(problem, pieces, rate),
  });
  try {
    rate = await microphone.start();
  } catch (problem) {
    microphone = null;
    setBusy(false);
    $("live-state").textContent = "";
    showProblem("live-problem", problem);
    if (problem.status === 401) askForToken();
    return;
  }
  live.reset();
  $("live").hidden = $("clock").hidden = false;
  $("record").disabled = false;
  setRecording(true);
  $("live-state").textContent = "Listening. The first result comes after about three seconds of speech.";
}

function setRecording(isOn) {
  document.body.classList.toggle("recording", isOn);
  $("record-label").textContent = isOn ? "Stop" : "Start the microphone";
}

async function finish(problem, pieces, rate) {
  microphone = null;
  live.stop();
  setRecording(false);
  setBusy(false);
  $("live-state").textContent = "Stopped.";
  showProblem("file-problem", null);
  showProblem("live-problem", problem);
  const sound = wavOf(pieces, rate);
  const isUsable = !problem || problem.code === "too_long";  // after any other error, the service cannot make a timeline either
  if (isUsable && sound.size > 2 * SHORTEST * rate) await analyze(sound, "microphone.wav", "live-problem");
}

$("record").addEventListener("click", () => {
  if (microphone) { $("record").disabled = true; microphone.stop(); } else if (service) start();
});
$("file").addEventListener("change", () => { take([...$("file").files]); $("file").value = ""; });
$("cancel").addEventListener("click", () => sending?.abort());
$("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  setToken($("token").value);
  const problem = await load();
  showProblem("door-problem", problem);
  if (!problem) $("record").focus();
});
for (const kind of ["dragenter", "dragover"]) {
  document.addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
}
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  take([...event.dataTransfer.files]);
});
load();
