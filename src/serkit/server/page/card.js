// The model card in plain words.

import { element, percent } from "./wording.js";

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" });
const list = (names) => new Intl.ListFormat("en").format(names);
const whole = (number) => number.toLocaleString("en");

function result(evidence, card) {
  const titles = evidence.corpora.map((name) => card.corpora.find((one) => one.name === name)?.title || name.toUpperCase());
  const isUnseen = evidence.protocol === "unseen_corpus";
  const whom = isUnseen ? `${list(titles)}, a corpus that it has never heard` : `new speakers of ${list(titles)}`;
  const kind = evidence.is_speaker_independent ? "" : " (speakers shared between training and test: too good)";
  return `On ${whom}: ${percent(evidence.uar / 100)} right, as the mean over the emotions `
    + `(${Math.round(evidence.uar_low)} to ${percent(evidence.uar_high / 100)} with 95\u00a0% confidence; `
    + `${evidence.speakers} speakers, ${whole(evidence.utterances)} utterances)${kind}.`;
}

export function showCard(card, into) {
  const speakers = card.corpora.reduce((sum, corpus) => sum + corpus.speakers, 0);
  const threshold = card.calibration.threshold;
  const facts = {
    "It answers": `${list(card.classes)}; "uncertain" where none is probable enough${threshold
      ? ` (below ${percent(threshold)})` : ""}, "no speech" where nobody is heard`,
    "Trained on": `acted speech: ${list(card.corpora.map((corpus) => corpus.title))}, ${speakers} speakers`,
    Languages: list(card.languages.map((code) => LANGUAGES.of(code))),
    License: `${card.license}${card.is_commercial_use_allowed ? "" : ", so not for commercial use"}`,
    Model: `${card.name}, ${whole(card.parameters)} weights`,
  };
  const chance = Math.round(100 / card.classes.length);
  into.replaceChildren(
    element("p", { text: "It was trained on people who acted emotions. It says which acted emotion a voice sounds like, "
      + "not what somebody feels; other languages, microphones and ways of speaking confuse it." }),
    element("h3", { text: "Do not use it for" }),
    element("ul", { children: card.not_for.map((text) => element("li", { text })) }),
    element("h3", { text: `How often it is right (guessing would be ${chance} %)` }),
    card.evidence.length
      ? element("ul", { children: card.evidence.map((one) => element("li", { text: result(one, card) })) })
      : element("p", { class: "note", text: "Its card has no measured results: treat its answers as a toy's." }),
    element("dl", { children: Object.entries(facts).flatMap(([name, text]) => [
      element("dt", { text: name }), element("dd", { text })]) }),
  );
}
