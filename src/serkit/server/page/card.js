// The model card as text.

import { element, percent } from "./wording.js";

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });
const list = (names) => new Intl.ListFormat("en").format(names);
const whole = (number) => number.toLocaleString("en");

function result(evidence, card) {
  const titles = evidence.corpora.map((name) => card.corpora.find((one) => one.name === name)?.title || name.toUpperCase());
  const isUnseen = evidence.protocol === "unseen_corpus";
  const whom = isUnseen ? `${list(titles)}, a corpus that it was not trained on` : `new speakers of ${list(titles)}`;
  const kind = evidence.is_speaker_independent ? "" : " (training and test share speakers, so this is too optimistic)";
  return `On ${whom}: ${percent(evidence.uar / 100)} correct on average over the emotions `
    + `(${Math.round(evidence.uar_low)} to ${percent(evidence.uar_high / 100)} with 95\u00a0% confidence; `
    + `${evidence.speakers} speakers, ${whole(evidence.utterances)} utterances)${kind}.`;
}

export function showCard(card, into) {
  const speakers = card.corpora.reduce((sum, corpus) => sum + corpus.speakers, 0);
  const facts = {
    Answers: `${list(card.classes)}; "no speech" if there is none`,
    Threshold: card.promise,
    "Trained on": `acted speech: ${list(card.corpora.map((corpus) => corpus.title))}, ${speakers} speakers`,
    Languages: list(card.languages.map((code) => LANGUAGES.of(code))),
    License: `${card.license}${card.is_commercial_use_allowed ? "" : ", not for commercial use"}`,
    Model: `${card.name}, ${whole(card.parameters)} weights`,
  };
  const chance = Math.round(100 / card.classes.length);
  into.replaceChildren(
    element("p", { text: "The model was trained on people who acted emotions. It tells which acted emotion a voice resembles, "
      + "not what a person feels. Other languages, microphones and speaking styles make it less accurate." }),
    element("h3", { text: "Do not use it for" }),
    element("ul", { children: [...card.limits, ...card.not_for].map((text) => element("li", { text })) }),
    element("h3", { text: `Accuracy (guessing would be ${chance}\u00a0%)` }),
    card.evidence.length
      ? element("ul", { children: card.evidence.map((one) => element("li", { text: result(one, card) })) })
      : element("p", { class: "note", text: "This model has no measured results. Do not rely on its answers." }),
    element("dl", { children: Object.entries(facts).flatMap(([name, text]) => [
      element("dt", { text: name }), element("dd", { text })]) }),
  );
}
