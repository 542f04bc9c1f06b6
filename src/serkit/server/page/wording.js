// Formatting of times and predictions, and a helper that creates elements.

export function clock(seconds, decimals = 1) {
  const ticks = Math.round(seconds * 10 ** decimals), whole = Math.floor(ticks / 10 ** decimals);
  const rest = decimals ? `.${String(ticks % 10 ** decimals).padStart(decimals, "0")}` : "";
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}${rest}`;
}

export const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

// Returns a prediction's emotion and its probability; for 'uncertain', the most probable emotion.
export function wording({ emotion, probabilities }) {
  if (!emotion) return ["too short to recognize", ""];
  const [first] = Object.keys(probabilities);
  if (emotion in probabilities) return [emotion, percent(probabilities[emotion])];
  return [emotion, first ? `most like ${first}, ${percent(probabilities[first])}` : ""];
}

export function element(tag, { text, children = [], ...attributes } = {}) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children);
  return made;
}
