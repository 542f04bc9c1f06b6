"""What a report says of how a number came about: the verdict, the marks, the protocol's card."""

from collections.abc import Collection, Sequence

from serkit.data.corpora import corpus_of
from serkit.lab.measure.run_folder import UNSEEN_CORPUS
from serkit.lab.pages.markup import Html, Tone, facts, join, tag
from serkit.lab.report.reading import Run

NOT_RECORDED = "not recorded"
_NAMES = {"speaker_kfold": "k\N{NON-BREAKING HYPHEN}fold by speakers", "random": "random split"}
_PROTOCOLS = {
    "leave_one_speaker_out": "each speaker is tested once, by a model fitted on the others",
    "speaker_kfold": "each group of speakers is tested once, by a model fitted on the others",
    "fixed_test_speakers": "the same speakers are tested in every run",
    "random": "a random part of each class is tested, by a model fitted on other clips of the same speakers",
    UNSEEN_CORPUS: "a finished model, tested on a corpus that it was not fitted on",
}
_VALIDATIONS = {
    "speakers": "on held-out speakers of the training side",
    "sentences": "on held-out sentences of speakers that are trained on",
    "random": "on random clips of the training side, whose speakers are trained on",
    "none": "not at all: the epochs were fixed beforehand, and nothing was calibrated",
}


def verdict(run: Run) -> Html:
    """Return the result in one sentence."""
    n = run.numbers
    is_unseen = n["is_speaker_independent"] and not run.shared_speakers
    speakers = _count(n["speakers"], "unseen speaker" if is_unseen else "speaker")
    known = "" if is_unseen else " who were trained on too"
    parts = [
        _count(n["utterances"], "utterance"),
        f"{len(n['recall'])} classes",
        " + ".join(corpus_of(name).title for name in n["per_corpus"]),
        _name(n["protocol"]),
        seeds(run),
    ]
    score = tag("b", f"UAR {n['uar']:.1f} %")
    return join(score, f" [{n['uar_low']:.1f}, {n['uar_high']:.1f}] on {speakers}{known}, {', '.join(parts)}.")


def seeds(run: Run) -> str:
    """Return which seeds the numbers are of."""
    names = ", ".join(map(str, run.answers.seeds))
    return f"seed {names}" if len(run.answers.seeds) == 1 else f"mean over seeds {names}"


def remarks(run: Run) -> list[tuple[Tone, object]]:
    """Return what must not be overlooked, the worst first."""
    found = _leaks(run)
    is_clean = not found
    found += _validation(run)
    if not run.numbers["complete"]:
        found.append(("warn", f"Unfinished: {_progress(run)}. The numbers will change."))
    if run.numbers["interval_over"] != "speakers":
        found.append(
            ("warn", "Fewer than six speakers: the interval is over clips and tells nothing about new speakers.")
        )
    if is_clean:
        found.append(("good", f"No leak found: {_what_was_checked(run)}."))
    return found


def protocol_card(run: Run) -> Html:
    """Return the table of how the result came about."""
    n, environment = run.numbers, run.environment
    about = ": ".join(filter(None, (_name(n["protocol"]), _PROTOCOLS.get(n["protocol"]))))
    rows: list[tuple[str, object]] = [
        ("protocol", about),
        ("speaker-independent", "yes" if n["is_speaker_independent"] else "no: test speakers are trained on"),
        ("validated", _VALIDATIONS.get(n["validation"], n["validation"])),
        ("model", n["model"]),
        ("labels", f"{n['labels']}: {', '.join(n['classes'])}"),
        ("corpora", _corpora(run)),
        ("tested", f"{_count(n['speakers'], 'speaker')}, {_count(n['utterances'], 'utterance')}"),
        ("seeds", _seeds(run)),
        ("folds", _folds(run)),
        *_shared(run),
        ("split digest", tag("code", environment.get("split_digest", NOT_RECORDED))),
        ("manifest digest", tag("code", environment.get("manifest_digest", NOT_RECORDED))),
        ("made with", _versions(run)),
    ]
    return facts(rows)


def _leaks(run: Run) -> list[tuple[Tone, object]]:
    guard = run.facts.get("guard") or {}
    found: list[tuple[Tone, object]] = []
    if not run.numbers["is_speaker_independent"]:
        text = "Test speakers are trained on: this number says nothing about new speakers."
        found.append(("bad", join(tag("strong", "Not speaker-independent. "), text)))
    elif run.shared_speakers:
        found.append(_leak(run.shared_speakers, "test speaker"))
    if run.shared_utterances:
        found.append(_leak(run.shared_utterances, "test utterance"))
    if guard.get("identical_recordings"):
        text = f"The audio of {_count(guard['identical_recordings'], 'test utterance')} is in training or validation."
        found.append(("bad", join(tag("strong", "Leak. "), text)))
    return found


def _leak(names: Collection[str], what: str) -> tuple[Tone, object]:
    verb = "is" if len(names) == 1 else "are"
    text = f"{_count(len(names), what)} {verb} in training or validation too: {_some(sorted(names))}."
    return "bad", join(tag("strong", "Leak. "), text)


def _what_was_checked(run: Run) -> str:
    guard = run.facts.get("guard") or {}
    if run.facts.get("protocol") == UNSEEN_CORPUS:
        return "no test speaker has the name of one that the model was fitted on; recordings were not compared"
    if "identical_recordings" in guard:
        return "no test speaker, utterance or identical recording is in training or validation"
    return "no test speaker or utterance is in training or validation"


def _validation(run: Run) -> list[tuple[Tone, object]]:
    match run.numbers["validation"]:
        case "random":
            text = "Validated on random clips of training speakers: validation numbers are too good."
        case "sentences":
            text = "Validated on held-out sentences of training speakers: validation numbers are too good."
        case "none":
            text = "No validation: the epochs were fixed beforehand, and the probabilities are not calibrated."
        case _:
            return []
    return [("warn", text)]


def _progress(run: Run) -> str:
    done = len(set(run.answers.each("fold").tolist()))
    folds = max(len({division.fold for division in run.divisions}), done)
    left_out = f", and seed {', '.join(map(str, run.left_out))} is left out" if run.left_out else ""
    return f"{done} of {folds} folds are predicted{left_out}"


def _seeds(run: Run) -> str:
    if len(run.answers.seeds) == 1:
        return str(run.answers.seeds[0])
    deviation = run.numbers["uar_deviation_over_seeds"]
    return (
        f"{', '.join(map(str, run.answers.seeds))}; every number is the mean over seeds of the number pooled over "
        f"folds (UAR deviates by {deviation:.1f})"
    )


def _corpora(run: Run) -> str:
    stored, found = run.facts, ", ".join(run.numbers["corpora"])
    if stored.get("train_corpora"):
        found = f"trained on {', '.join(stored['train_corpora'])}, tested on {', '.join(stored['test_corpora'])}"
    elif run.numbers["protocol"] == UNSEEN_CORPUS:
        found = f"tested on {found}"
    if first := stored.get("pretraining"):
        count = f"{_count(first['speakers'], 'speaker')}, {_count(first['utterances'], 'utterance')}"
        found += f"; first trained on {', '.join(first['corpora'])} ({count})"
    return found


def _folds(run: Run) -> str:
    folds = len({division.fold for division in run.divisions})
    draws = 1 + max((division.draw for division in run.divisions), default=0)
    parts = [
        f"{side} {_range([division.speakers[i] for division in run.divisions])}"
        for i, side in enumerate(("training", "validation", "test"))
    ]
    drawn = f", training side drawn {draws} times" if draws > 1 else ""
    return f"{folds}{drawn}; speakers in each: {', '.join(parts)}"


def _shared(run: Run) -> list[tuple[str, object]]:
    guard = run.facts.get("guard") or {}
    total = guard.get("test_utterances")

    def tell(name: str) -> str:
        return f"{guard[name]} of {total}" if name in guard else NOT_RECORDED

    both = f"{len(run.shared_speakers)} speakers, {len(run.shared_utterances)} utterances"
    return [
        ("in test and in training or validation", both),
        ("test clips whose speaker is there too", tell("shared_speakers")),
        ("test clips whose audio is there too", tell("identical_recordings")),
        ("test clips whose sentence is there too", f"{tell('shared_sentences')} (no leak, but the words may be known)"),
    ]


def _versions(run: Run) -> str:
    names = ("serkit", "python", "torch", "numpy")
    known = [f"{name} {run.environment[name]}" for name in names if name in run.environment]
    return ", ".join(known) or NOT_RECORDED


def _name(protocol: str) -> str:
    return _NAMES.get(protocol, protocol.replace("_", " "))


def _range(values: Sequence[int]) -> str:
    if not values:
        return NOT_RECORDED
    return str(min(values)) if min(values) == max(values) else f"{min(values)} to {max(values)}"


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"
