"""The script of the page: ``showTimeline`` draws a timeline, plays the recording, and handles seeking and zoom."""

SCRIPT = r"""
"use strict";
function showTimeline(data, signal) {  // signal: aborted when another timeline replaces this one
const $ = (id) => document.getElementById(id);
const audio = $("audio"), view = $("view"), spacer = $("spacer"), canvas = $("canvas"), cursor = $("cursor");
const pen = canvas.getContext("2d");
const classes = data.classes.length, several = data.channels.length > 1;
const TITLE = several ? 32 : 6, WAVE = 56, SPEECH = 5, BANDS = 96, BLOCKS = 28, SPACE = 6, AXIS = 24;
const CHANNEL = TITLE + WAVE + SPEECH + BANDS + BLOCKS + 3 * SPACE;
const STEPS = [.1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];
const MOST = Math.max(Math.min(400, 1.2e7 / data.duration), 1);  // pixels a second; browsers limit an element's width
const PAGE_OF_ROWS = 200;
for (const channel of data.channels) {
  channel.peaks = Uint8Array.from(atob(channel.peaks), (letter) => letter.charCodeAt(0));
}
data.segments.forEach((segment, place) => data.channels[segment[2]].segments.push(place));
let now = 0, scale = 1, zoom = 1, isDragging = false, isWaiting = false, current = "";

function clock(seconds, decimals) {
  const ticks = Math.round(seconds * 10 ** decimals), whole = Math.floor(ticks / 10 ** decimals);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  const face = hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  return decimals ? `${face}.${String(ticks % 10 ** decimals).padStart(decimals, "0")}` : face;
}

// Returns the first place, in sorted order, whose end(place) is after a time.
function search(count, end, time) {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (end(middle) > time) high = middle; else low = middle + 1;
  }
  return low;
}
function segmentAt(channel, time) {
  const own = channel.segments, place = search(own.length, (i) => data.segments[own[i]][1], time);
  return place < own.length && data.segments[own[place]][0] <= time ? own[place] : -1;
}
function windowAt(channel, time) {
  const place = search(channel.ends.length, (i) => channel.ends[i] / 100, time);
  return place < channel.ends.length && channel.starts[place] / 100 <= time ? place : -1;
}
function wording(segment) {
  const [, , , emotion, first, percent] = segment, name = data.emotions[emotion].name;
  if (percent < 0) return name;
  return emotion === first ? `${name} ${percent}\u00a0%` : `${name} (${data.emotions[first].name} ${percent}\u00a0%)`;
}

function span([start, end]) { return ` from ${clock(start, 1)} to ${clock(end, 1)}; at the cursor:`; }

function draw() {
  isWaiting = false;
  const style = getComputedStyle(document.documentElement), color = (name) => style.getPropertyValue(`--${name}`);
  const width = view.clientWidth, height = data.channels.length * CHANNEL + AXIS, ratio = window.devicePixelRatio || 1;
  canvas.style.width = `${width}px`; canvas.style.height = spacer.style.height = `${height}px`;
  canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  const left = view.scrollLeft, from = left / scale, to = (left + width) / scale, x = (time) => time * scale - left;
  const hatch = pattern(color("plain"), color("hatch"));
  drawAxis(data.channels.length * CHANNEL, height, from, to, x, color);
  data.channels.forEach((channel, number) => {
    let top = number * CHANNEL;
    if (several) {
      pen.fillStyle = color("ink"); pen.font = "600 13px system-ui, sans-serif";
      pen.textAlign = "left"; pen.textBaseline = "middle";
      pen.fillText(`channel ${number + 1}`, 6, top + TITLE - 13);
    }
    top += TITLE;
    drawWave(channel, top, width, left, color("wave"));
    top += WAVE + SPACE;
    drawSpeech(channel, top, from, to, x, color("speech"));
    top += SPEECH + SPACE;
    drawBands(channel, top, from, to, x);
    if (!channel.segments.length) {
      pen.fillStyle = color("muted"); pen.font = "14px system-ui, sans-serif";
      pen.textAlign = "center"; pen.textBaseline = "middle";
      pen.fillText("no speech", width / 2, top + BANDS / 2);
    }
    top += BANDS + SPACE;
    drawBlocks(channel, top, from, to, x, width, hatch, color);
  });
}
function pattern(plain, line) {
  const tile = document.createElement("canvas"), brush = tile.getContext("2d");
  tile.width = tile.height = 6;
  brush.fillStyle = plain; brush.fillRect(0, 0, 6, 6);
  brush.strokeStyle = line; brush.lineWidth = 1;
  brush.beginPath();
  for (const shift of [-6, 0, 6]) { brush.moveTo(shift, 6); brush.lineTo(shift + 6, 0); }
  brush.stroke();
  return pen.createPattern(tile, "repeat");
}
function drawAxis(top, height, from, to, x, color) {
  const step = STEPS.find((one) => one * scale >= 76) || STEPS[STEPS.length - 1];
  pen.font = "11px system-ui, sans-serif"; pen.textBaseline = "middle";
  for (let number = Math.max(0, Math.ceil(from / step)); number * step <= Math.min(to, data.duration); number++) {
    const place = Math.round(x(number * step)) + .5, text = clock(number * step, step < 1 ? 1 : 0);
    pen.fillStyle = color("grid"); pen.fillRect(place - .5, 0, 1, top + 4);
    const half = pen.measureText(text).width / 2 + 3;
    pen.fillStyle = color("muted"); pen.textAlign = "center";
    pen.fillText(text, Math.min(Math.max(place, half), view.clientWidth - half), top + AXIS / 2 + 2);
  }
}
function drawWave(channel, top, width, left, color) {
  const middle = top + WAVE / 2, per = data.peak * scale;  // pixels for one peak
  pen.fillStyle = color;
  const last = Math.min(width, data.duration * scale - left);
  for (let place = 0; place < last; place++) {
    const begin = Math.floor((left + place) / per), end = Math.max(begin + 1, Math.floor((left + place + 1) / per));
    let peak = 0;
    for (let i = begin; i < end && i < channel.peaks.length; i++) peak = Math.max(peak, channel.peaks[i]);
    const half = Math.max(.5, peak / 255 * WAVE / 2);
    pen.fillRect(place, middle - half, 1, 2 * half);
  }
}
function drawSpeech(channel, top, from, to, x, color) {
  pen.fillStyle = color;
  for (const [start, end] of channel.speech) {
    if (end > from && start < to) pen.fillRect(x(start), top, Math.max(1, x(end) - x(start)), SPEECH);
  }
}
function windowFrom(channel, time) { return search(channel.ends.length, (i) => channel.ends[i] / 100, time); }

// Merges items narrower than a pixel into the next ones; show(start, end, weights) draws a group.
function grouped(size, show) {
  const weights = new Float64Array(size);
  let start = 0, end = 0, isEmpty = true;
  const flush = () => { if (!isEmpty) { show(start, end, weights); weights.fill(0); isEmpty = true; } };
  const add = (begin, stop, weigh) => {
    if (!isEmpty && begin - end > 1) flush();
    if (isEmpty) start = begin;
    weigh(weights, Math.max(stop - begin, 1e-6));
    end = stop; isEmpty = false;
    if (end - start >= 1) flush();
  };
  return [add, flush];
}
function drawBands(channel, top, from, to, x) {
  const ratio = window.devicePixelRatio || 1, whole = (place) => Math.round(place * ratio) / ratio;  // no seams
  const [add, flush] = grouped(classes, (start, end, weights) => {
    const begin = whole(start), width = Math.max(whole(end) - begin, 1), sum = weights.reduce((a, b) => a + b, 0);
    let low = top + BANDS;
    for (let c = 0; c < classes && sum; c++) {
      const height = weights[c] / sum * BANDS;
      pen.fillStyle = data.emotions[c].color;
      pen.fillRect(begin, low - height, width, height);
      low -= height;
    }
  });
  for (let i = windowFrom(channel, from); i < channel.starts.length && channel.starts[i] / 100 < to; i++) {
    add(x(channel.starts[i] / 100), x(channel.ends[i] / 100), (weights, width) => {
      for (let c = 0; c < classes; c++) weights[c] += width * channel.shares[i * classes + c];
    });
  }
  flush();
}
function drawBlocks(channel, top, from, to, x, width, hatch, color) {
  const own = channel.segments;
  pen.font = "12px system-ui, sans-serif"; pen.textAlign = "center"; pen.textBaseline = "middle";
  const [add, flush] = grouped(data.emotions.length, (start, end, weights) => {
    const emotion = data.emotions[weights.indexOf(Math.max(...weights))], room = end - start;
    pen.fillStyle = emotion.color || hatch;
    pen.fillRect(start, top, Math.max(1, room - (room > 4 ? 1 : 0)), BLOCKS);
    const first = Math.max(start, 0), last = Math.min(end, width), long = pen.measureText(emotion.name).width;
    if (last - first < long + 10) return;
    const middle = (first + last) / 2;
    if (!emotion.color) {
      pen.fillStyle = color("plain"); pen.fillRect(middle - long / 2 - 4, top + 5, long + 8, BLOCKS - 10);
    }
    pen.fillStyle = emotion.ink || color("ink");
    pen.fillText(emotion.name, middle, top + BLOCKS / 2 + 1);
  });
  for (let i = search(own.length, (k) => data.segments[own[k]][1], from); i < own.length; i++) {
    const [start, stop, , emotion] = data.segments[own[i]];
    if (start >= to) break;
    add(x(start), x(stop), (weights, width) => { weights[emotion] += width; });
  }
  flush();
}
function wait() { if (!isWaiting) { isWaiting = true; requestAnimationFrame(draw); } }

function setZoom(wanted) {
  const width = view.clientWidth, least = width / data.duration, was = scale;
  const x = now * was - view.scrollLeft, anchor = x >= 0 && x <= width ? x : width / 2;
  const time = (view.scrollLeft + anchor) / was;
  zoom = Math.min(Math.max(wanted, 1), Math.max(MOST / least, 1));
  scale = least * zoom;
  view.classList.toggle("fitted", zoom === 1);
  spacer.style.width = zoom === 1 ? "100%" : `${data.duration * scale}px`;
  view.scrollLeft = time * scale - anchor;
  $("out").disabled = $("fit").disabled = zoom === 1;
  $("in").disabled = scale >= MOST;
  draw(); tell();
}
function seek(time) {
  now = Math.min(Math.max(time, 0), data.duration);
  if (audio) audio.currentTime = now;
  tell(); reveal();
}
function reveal() {
  const x = now * scale - view.scrollLeft;
  if (x < 0 || x > view.clientWidth) view.scrollLeft = now * scale - .15 * view.clientWidth;
}
function toggle() { if (audio) { if (audio.paused) audio.play().catch(() => {}); else audio.pause(); } }

function tell() {
  cursor.style.transform = `translateX(${Math.min(Math.max(now * scale, 1), data.duration * scale - 1)}px)`;
  $("time").textContent = `${clock(now, 1)} / ${clock(data.duration, 0)}`;
  const said = [], places = [], time = Math.min(now, data.duration - .01);  // a segment ends before its end
  data.channels.forEach((channel, number) => {
    const place = segmentAt(channel, time), shares = windowAt(channel, time), box = $("now").children[number];
    const words = place < 0 ? "no speech" : wording(data.segments[place]);
    const line = several ? `channel ${number + 1}: ${words}` : words;
    said.push(line);
    places.push(place);
    box.firstElementChild.firstElementChild.textContent = line;
    box.firstElementChild.lastElementChild.textContent = place < 0 ? "" : span(data.segments[place]);
    [...box.lastElementChild.children].forEach((row, c) => {
      const share = shares < 0 ? 0 : channel.shares[shares * classes + c] / 10;
      row.children[1].firstElementChild.style.width = `${share}%`;
      row.lastElementChild.textContent = shares < 0 ? "\u2013" : `${Math.round(share)} %`;
    });
  });
  view.setAttribute("aria-valuenow", now.toFixed(1));
  view.setAttribute("aria-valuetext", `${clock(now, 1)}, ${said.join(", ")}`);
  if (places.join() !== current) {
    current = places.join();
    for (const row of $("rows").children) {
      if (places.includes(Number(row.dataset.place))) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }
}
function follow() {
  now = Math.min(audio.currentTime, data.duration);
  tell();
  if (!audio.paused) { reveal(); requestAnimationFrame(follow); }
}

function addRows() {
  const shown = $("rows").children.length, end = Math.min(shown + PAGE_OF_ROWS, data.segments.length);
  for (let place = shown; place < end; place++) {
    const [start, stop, channel, emotion] = data.segments[place], row = $("rows").insertRow();
    const button = document.createElement("button"), swatch = document.createElement("span");
    row.dataset.place = place;
    button.type = "button"; button.textContent = clock(start, 1);
    button.setAttribute("aria-label", `${audio ? "Play from" : "Go to"} ${clock(start, 1)}`);
    row.insertCell().append(button);
    row.insertCell().textContent = clock(stop, 1);
    if (several) row.insertCell().textContent = channel + 1;
    paint(swatch, emotion);
    row.insertCell().append(swatch, data.emotions[emotion].name);
    const words = wording(data.segments[place]).slice(data.emotions[emotion].name.length).trim();
    row.insertCell().textContent = words.replace(/^\((.*)\)$/, "$1");
  }
  $("more").hidden = end === data.segments.length;
  $("more").textContent = `Show more (${data.segments.length - end} left)`;
  current = "";
  tell();
}
function paint(swatch, emotion) {
  const { color } = data.emotions[emotion];
  swatch.className = color ? "swatch" : "swatch hatched";
  if (color) swatch.style.background = color;
}
function build() {
  data.emotions.forEach(({ name }, emotion) => {
    const item = document.createElement("li"), swatch = document.createElement("span");
    paint(swatch, emotion);
    item.append(swatch, name);
    $("legend").append(item);
  });
  for (const channel of data.channels) {
    const box = document.createElement("div"), head = document.createElement("h3"), list = document.createElement("ul");
    head.append(document.createElement("span"), document.createElement("small"));
    list.className = "meters";
    for (let c = 0; c < classes; c++) {
      const row = document.createElement("li"), name = document.createElement("span");
      const bar = document.createElement("i");
      name.textContent = name.title = data.emotions[c].name;
      bar.append(document.createElement("b"));
      bar.firstElementChild.style.background = data.emotions[c].color;
      row.append(name, bar, document.createElement("span"));
      list.append(row);
    }
    box.append(head, list);
    $("now").append(box);
  }
}

const KEYS = {
  ArrowLeft: (far) => seek(now - (far ? 10 : 1)), ArrowRight: (far) => seek(now + (far ? 10 : 1)),
  ArrowDown: (far) => seek(now - (far ? 10 : 1)), ArrowUp: (far) => seek(now + (far ? 10 : 1)),
  PageDown: () => seek(now - 10), PageUp: () => seek(now + 10), Home: () => seek(0), End: () => seek(data.duration),
  " ": toggle, "+": () => setZoom(2 * zoom), "=": () => setZoom(2 * zoom), "-": () => setZoom(zoom / 2),
  0: () => setZoom(1),
};
const timeOf = (event) => (event.clientX - view.getBoundingClientRect().left + view.scrollLeft) / scale;
const canDrag = (event) => event.button === 0 && (event.pointerType === "mouse" || zoom === 1);
view.addEventListener("keydown", (event) => {
  if (!KEYS[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  KEYS[event.key](event.shiftKey);
});
canvas.addEventListener("pointerdown", (event) => {
  if (!canDrag(event)) return;
  isDragging = true;
  canvas.setPointerCapture(event.pointerId);
  seek(timeOf(event));
});
canvas.addEventListener("pointermove", (event) => { if (isDragging) seek(timeOf(event)); });
for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { isDragging = false; });
canvas.addEventListener("click", (event) => seek(timeOf(event)));  // for touch screens, where dragging scrolls
view.addEventListener("scroll", wait);
$("in").addEventListener("click", () => setZoom(2 * zoom));
$("out").addEventListener("click", () => setZoom(zoom / 2));
$("fit").addEventListener("click", () => setZoom(1));
$("more").addEventListener("click", addRows);
$("rows").addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  if (!row) return;
  seek(data.segments[row.dataset.place][0]);
  if (audio) audio.play().catch(() => {});
});
if (audio) {
  audio.addEventListener("play", follow);
  const settle = () => { if (audio.paused) follow(); };
  for (const change of ["seeked", "pause", "timeupdate"]) audio.addEventListener(change, settle);
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", wait, { signal });
build();
addRows();
new ResizeObserver(() => setZoom(zoom)).observe(view);
setZoom(1);
}
"""
