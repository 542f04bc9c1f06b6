// Requests to the service: they carry the token, and turn problem documents into errors.
// Paths are relative to the page, which may lie below a proxy's path.

const KEY = "serkit-token";
let token = sessionStorage.getItem(KEY) || "";

export class Problem extends Error {
  constructor(detail, status = 0, code = "") {
    super(detail);
    this.status = status;
    this.code = code;
  }
}

export function setToken(text) {
  token = text.trim();
  if (token) sessionStorage.setItem(KEY, token); else sessionStorage.removeItem(KEY);
}

const headers = () => (token ? { Authorization: `Bearer ${token}` } : {});
const LOST = "The service does not respond. Is it still running?";

// Returns the Problem for an error response: the detail of its problem document (RFC 9457) as a sentence.
export function problemOf(status, text) {
  try {
    const { detail, code } = JSON.parse(text);
    if (detail) return new Problem(detail.charAt(0).toUpperCase() + detail.slice(1), status, code);
  } catch { /* not a problem document, for example a proxy's error page */ }
  return new Problem(status ? `The service responded with status ${status}.` : LOST, status);
}

export async function getJson(path) {
  let response;
  try {
    response = await fetch(path, { headers: headers() });
  } catch {
    throw new Problem(LOST);
  }
  if (!response.ok) throw problemOf(response.status, await response.text());
  return response.json();
}

// Uses XMLHttpRequest, because fetch does not report upload progress.
export function upload(path, file, name, { signal, onProgress, onSent }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(), form = new FormData();
    form.append("file", file, name);
    request.open("POST", path);
    for (const [key, value] of Object.entries(headers())) request.setRequestHeader(key, value);
    request.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) onProgress(event.loaded / event.total);
    });
    request.upload.addEventListener("load", onSent);
    request.addEventListener("load", () => {
      if (request.status === 200) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.responseText));
    });
    request.addEventListener("error", () => reject(new Problem(LOST)));
    request.addEventListener("abort", () => reject(new DOMException("Canceled", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

export function openStream(samplingRate) {
  const address = new URL(`v1/stream?sampling_rate=${samplingRate}&encoding=pcm_s16le`, document.baseURI);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const protocols = ["serkit.v1"];
  if (token) {
    const bytes = String.fromCharCode(...new TextEncoder().encode(token));
    protocols.push(`serkit.token.${btoa(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}`);
  }
  return new WebSocket(address, protocols);
}

// Returns the reason why a WebSocket was refused: browsers hide it, but a GET request to the same address gets it.
export async function whyClosed() {
  try {
    await getJson("v1/stream");
  } catch (problem) {
    if (problem.status !== 426) return problem;
  }
  return new Problem("The connection to the service was lost.");
}
