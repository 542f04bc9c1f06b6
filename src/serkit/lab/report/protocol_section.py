"""The protocol section of a report: how the data were split and validated, seeds, folds, digests and versions."""

from collections.abc import Mapping, Sequence
from typing import Any

from serkit.lab.measure.run_folder import UNSEEN_CORPUS
from serkit.lab.pages.markup import Html, facts, tag
from serkit.lab.pages.shared_text import count_of, protocol_name
from serkit.lab.report.run_contents import RunContents
from serkit.labels import LABEL_SETS

NOT_RECORDED = "not recorded"
_PROTOCOLS = {
    "leave_one_speaker_out": "each speaker is tested once, by a model trained on the others",
    "speaker_kfold": "each group of speakers is tested once, by a model trained on the others",
    "fixed_test_speakers": "the test speakers are fixed",
    "random": "random clips of each class are tested, by a model trained on other clips of the same speakers",
    UNSEEN_CORPUS: "a finished model is tested on a corpus that it was not trained on",
}
_VALIDATIONS = {
    "speakers": "on held-out speakers of the training side",
    "sentences": "on held-out sentences of training speakers",
    "random": "on random clips of training speakers",
    "none": "not at all: the number of epochs was fixed, and the probabilities are not calibrated",
}


def protocol_section(run: RunContents) -> Html:
    """Return the table of a run's protocol."""
    n, environment = run.numbers, run.environment
    about = ": ".join(filter(None, (protocol_name(n["protocol"]), _PROTOCOLS.get(n["protocol"]))))
    rows: list[tuple[str, object]] = [
        ("protocol", about),
        ("speaker-independent", "yes" if n["is_speaker_independent"] else "no: test speakers are also in training"),
        ("validated", _VALIDATIONS.get(n["validation"], n["validation"])),
        ("model", n["model"]),
        ("labels", _labels(run)),
        *_left_out(environment),
        ("corpora", _corpora(run)),
        ("tested", f"{count_of(n['speakers'], 'speaker')}, {count_of(n['utterances'], 'utterance')}"),
        ("seeds", _seeds(run)),
        ("folds", _folds(run)),
        *_shared(run),
        ("split digest", tag("code", environment.get("split_digest", NOT_RECORDED))),
        ("manifest digest", tag("code", environment.get("manifest_digest", NOT_RECORDED))),
        ("versions", _versions(run)),
    ]
    return facts(rows)


def _labels(run: RunContents) -> str:
    """Return the label set, why it has these classes, and what training learned in place of labels."""
    n = run.numbers
    known = LABEL_SETS.get(n["labels"]) if isinstance(n["labels"], str) else None
    votes = run.environment.get("targets")
    learned = f"; trained on the shares of listeners' votes for {votes} utterances" if votes else ""
    return f"{n['labels']}: {', '.join(n['classes'])}{f' ({known.why})' if known else ''}{learned}"


def _left_out(environment: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return what training and test left out, by reason; nothing for a run that did not record it."""
    reasons = [f"{count} for {reason}" for reason, count in (environment.get("left_out") or {}).items()]
    return [("left out", "; ".join(reasons))] if reasons else []


def _seeds(run: RunContents) -> str:
    if len(run.answers.seeds) == 1:
        return str(run.answers.seeds[0])
    deviation = run.numbers["uar_deviation_over_seeds"]
    return (
        f"{', '.join(map(str, run.answers.seeds))}; every metric is pooled over folds and averaged over seeds "
        f"(standard deviation of UAR {deviation:.1f})"
    )


def _corpora(run: RunContents) -> str:
    stored, found = run.facts, ", ".join(run.numbers["corpora"])
    if stored.get("train_corpora"):
        found = f"trained on {', '.join(stored['train_corpora'])}, tested on {', '.join(stored['test_corpora'])}"
    elif run.numbers["protocol"] == UNSEEN_CORPUS:
        found = f"tested on {found}"
    if first := stored.get("pretraining"):
        count = f"{count_of(first['speakers'], 'speaker')}, {count_of(first['utterances'], 'utterance')}"
        found += f"; pretrained on {', '.join(first['corpora'])} ({count})"
    return found


def _folds(run: RunContents) -> str:
    folds = len({division.fold for division in run.divisions})
    draws = 1 + max((division.draw for division in run.divisions), default=0)
    parts = [
        f"{side} {_range([division.speakers[i] for division in run.divisions])}"
        for i, side in enumerate(("training", "validation", "test"))
    ]
    drawn = f", training speakers drawn {draws} times" if draws > 1 else ""
    return f"{folds}{drawn}; speakers per fold: {', '.join(parts)}"


def _shared(run: RunContents) -> list[tuple[str, object]]:
    guard = run.facts.get("guard") or {}
    total = guard.get("test_utterances")

    def counted(name: str) -> str:
        return f"{guard[name]} of {total}" if name in guard else NOT_RECORDED

    how = " (by acoustic fingerprints)" if guard.get("are_fingerprints_compared") else ""
    both = f"{len(run.shared_speakers)} speakers, {len(run.shared_utterances)} utterances"
    return [
        ("in test and in training or validation", both),
        ("test clips whose speaker is also there", counted("shared_speakers")),
        ("test clips whose audio is also there", counted("identical_recordings") + how),
        (
            "test clips whose sentence is also there",
            f"{counted('shared_sentences')} (not a leak, but the words are known)",
        ),
    ]


def _versions(run: RunContents) -> str:
    names = ("serkit", "python", "torch", "numpy")
    known = [f"{name} {run.environment[name]}" for name in names if name in run.environment]
    return ", ".join(known) or NOT_RECORDED


def _range(values: Sequence[int]) -> str:
    if not values:
        return NOT_RECORDED
    return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"
