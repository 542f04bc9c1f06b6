"""The first screen of a report: the verdict, warnings about leaks and validation, the main metrics and confusions."""

from collections.abc import Collection, Sequence

from serkit.data.corpora import corpus_of
from serkit.lab.leaderboard.human_row import human_score_of
from serkit.lab.measure.one_class import one_class_remark
from serkit.lab.measure.run_folder import UNSEEN_CORPUS
from serkit.lab.pages.drawing import Maker
from serkit.lab.pages.markup import Html, Tone, figure, join, marks, tag
from serkit.lab.pages.shared_text import count_of, interval, protocol_name
from serkit.lab.report.audio_players import EmbeddedAudio
from serkit.lab.report.breakdown import brier_of
from serkit.lab.report.run_contents import RunContents
from serkit.lab.report.sections import license_remarks, words

_BIASED = "validation UAR is optimistically biased."


def first_screen(run: RunContents, figures: dict[str, Maker], audio: EmbeddedAudio | None) -> Html:
    """Return everything above the links to the sections.

    Args:
        run: Contents of the run.
        figures: Figures by name, see :func:`serkit.lab.report.figures.figures_of`.
        audio: Audio on the page, whose licenses are stated.
    """
    licenses = license_remarks(audio) if audio else []
    unit = "clips" if len(run.answers.seeds) == 1 else "clips, averaged over seeds"
    pair = (
        figure(figures["confusion_shares"], "confusion_shares",
               "In percent of each true class; the diagonal is recall.", "Confusion matrix in percent of each row"),
        figure(figures["confusion_counts"], "confusion_counts", f"The same in {unit}.", "Confusion matrix in clips"),
    )  # fmt: skip
    return join(
        tag("h1", run.numbers["name"]),
        tag("p", verdict(run), class_="verdict"),
        marks(sorted([*remarks(run), *licenses], key=lambda mark: mark[0] != "bad")),
        _tiles(run),
        tag("p", words(run)),
        tag("div", *pair, class_="pair"),
    )


def verdict(run: RunContents) -> Html:
    """Return the result in one sentence."""
    n = run.numbers
    is_unseen = n["is_speaker_independent"] and not run.shared_speakers
    speakers = count_of(n["speakers"], "unseen speaker" if is_unseen else "speaker")
    known = "" if is_unseen else " who are also in training"
    parts = [
        count_of(n["utterances"], "utterance"),
        f"{len(n['recall'])} classes",
        " + ".join(corpus_of(name).title for name in n["per_corpus"]),
        protocol_name(n["protocol"]),
        _seeds(run),
    ]
    score = tag("b", f"UAR {n['uar']:.1f} %")
    chance = f"(chance {100 / len(n['recall']):.1f} %)"
    return join(score, f" {interval(n['uar_low'], n['uar_high'])} {chance} on {speakers}{known}, {', '.join(parts)}.")


def remarks(run: RunContents) -> list[tuple[Tone, object]]:
    """Return the warnings about a run, worst first; a run without a leak gets a confirmation."""
    found = [*_unsealed(run), *_leaks(run)]
    is_clean = not found
    if remark := one_class_remark(run.tested, model=str(run.numbers["model"])):
        found.append(("bad", f"{remark[0].upper()}{remark[1:]}"))
    found += _validation(run)
    if not run.numbers["complete"]:
        found.append(("warn", f"Unfinished: {_progress(run)}. The numbers will change."))
    if run.numbers["interval_over"] != "speakers":
        text = "Fewer than six speakers: the interval is resampled over clips and does not cover new speakers."
        found.append(("warn", text))
    if is_clean:
        found.append(("good", f"No leak found: {_what_was_checked(run)}."))
    return found


def _tiles(run: RunContents) -> Html:
    n = run.numbers
    tiles = [
        ("WA (accuracy)", f"{n['wa']:.1f} %", _interval(run, "wa")),
        ("macro-F1", f"{n['macro_f1']:.1f} %", _interval(run, "macro_f1")),
        ("chance level of UAR", f"{100 / len(n['recall']):.1f} %", f"{len(n['recall'])} classes"),
        ("calibration error", f"{n['ece']:.1f} %", f"Brier score {brier_of(run.answers):.3f}"),
    ]
    if score := human_score_of(n):
        tiles.insert(3, ("UAR of one listener", f"{score.uar:.1f} %", f"{score.answers} answers about {score.heard}"))
    boxes = (tag("div", tag("dt", name), tag("dd", value, tag("small", more))) for name, value, more in tiles)
    return tag("dl", *boxes, class_="tiles")


def _interval(run: RunContents, metric: str) -> str:
    found = run.intervals[metric]
    return interval(100 * found.low, 100 * found.high)


def _seeds(run: RunContents) -> str:
    names = ", ".join(map(str, run.answers.seeds))
    return f"seed {names}" if len(run.answers.seeds) == 1 else f"mean over seeds {names}"


def _unsealed(run: RunContents) -> list[tuple[Tone, object]]:
    why = run.numbers.get("unsealed")
    return [("bad", join(tag("strong", "Unsealed: not taken as measured. "), f"Reason: {why}."))] if why else []


def _leaks(run: RunContents) -> list[tuple[Tone, object]]:
    guard = run.facts.get("guard") or {}
    found: list[tuple[Tone, object]] = []
    if not run.numbers["is_speaker_independent"]:
        text = "Test speakers are also in training, so this result does not hold for new speakers."
        found.append(("bad", join(tag("strong", "Not speaker-independent. "), text)))
    elif run.shared_speakers:
        found.append(_leak(run.shared_speakers, "test speaker"))
    if run.shared_utterances:
        found.append(_leak(run.shared_utterances, "test utterance"))
    if guard.get("identical_recordings"):
        text = f"The audio of {count_of(guard['identical_recordings'], 'test utterance')} is in training or validation."
        found.append(("bad", join(tag("strong", "Leak. "), text)))
    return found


def _leak(names: Collection[str], what: str) -> tuple[Tone, object]:
    verb = "is" if len(names) == 1 else "are"
    text = f"{count_of(len(names), what)} {verb} also in training or validation: {_first_of(sorted(names))}."
    return "bad", join(tag("strong", "Leak. "), text)


def _what_was_checked(run: RunContents) -> str:
    guard = run.facts.get("guard") or {}
    by_sound = guard.get("are_fingerprints_compared")
    if run.facts.get("protocol") == UNSEEN_CORPUS:
        who = "the model was not trained or validated on a test speaker"
        return f"{who} or, by acoustic fingerprint, recording" if by_sound else f"{who}; recordings were not compared"
    if by_sound:
        return "no test speaker, utterance or recording (by acoustic fingerprint) is in training or validation"
    if "identical_recordings" in guard:
        return (
            "no test speaker, utterance or identical recording is in training or validation; fingerprints were not "
            "compared"
        )
    return "no test speaker or utterance is in training or validation"


def _validation(run: RunContents) -> list[tuple[Tone, object]]:
    match run.numbers["validation"]:
        case "random":
            text = f"Validated on random clips of training speakers: {_BIASED}"
        case "sentences":
            text = f"Validated on held-out sentences of training speakers: {_BIASED}"
        case "none":
            text = "No validation: the number of epochs was fixed, and the probabilities are not calibrated."
        case _:
            return []
    return [("warn", text)]


def _progress(run: RunContents) -> str:
    done = len(set(run.answers.each("fold").tolist()))
    folds = max(len({division.fold for division in run.divisions}), done)
    left_out = f", and seed {', '.join(map(str, run.left_out))} is left out" if run.left_out else ""
    return f"{done} of {folds} folds are finished{left_out}"


def _first_of(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
