"""A run as tables show it: its facts, its numbers computed again from predictions, and its answers to compare."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.errors import RunError
from serkit.lab.measure.metrics import IntArray
from serkit.lab.measure.pooled_metrics import measure, measure_validation, seeds_together, whole_seeds
from serkit.lab.measure.run_folder import (
    ALL_SPEAKERS,
    TESTED,
    UNSEEN_CORPUS,
    VALIDATED,
    Fit,
    Row,
    read_fits,
    read_json,
    read_predictions,
)

_FACTS = (
    "name", "protocol", "is_speaker_independent", "validation", "labels", "corpora", "model", "complete",
)  # fmt: skip
_SIDES = ("train_corpora", "test_corpora")  # facts of a run across corpora alone
_PRETRAINING = "pretraining"  # fact of a run whose fits begin with a first training
_NOT_FITTED = ("name", "about", "published", "protocol", "seeds")
_SAYS_NOTHING = re.compile(
    r"^ *(?:workers: \d+|trackers: \[\]|trackers:\n(?: *- \w+\n)*(?: *- \w+)"  # what is done all the same
    r"|accumulate: 1|sampling: natural|copies: null)\n",  # defaults that came later
    flags=re.MULTILINE,
)


@dataclass(frozen=True)
class RunAnswers:
    """What a run answered, in the order of its utterances, which it tested once for each seed."""

    digest: str  # of utterances, true classes and the classes to choose among: equal where runs can be compared
    classes: tuple[str, ...]
    true: IntArray  # (n,)
    predicted: IntArray  # (seeds, n)
    speakers: NDArray[np.str_]  # (n,)


@dataclass(frozen=True)
class RunEntry:
    """A run beside others; ``answers`` is None where it did not test each utterance once for each seed."""

    folder: Path
    row: dict[str, Any] = field(repr=False)
    answers: RunAnswers | None = field(repr=False)

    @property
    def name(self) -> str:
        """The recipe's, or that of what was scored."""
        return str(self.row["name"])

    @property
    def is_fair(self) -> bool:
        """Whether no tested speaker was trained on."""
        return bool(self.row["is_speaker_independent"])

    @property
    def may_lead(self) -> bool:
        """Whether its validation UAR may choose it: complete, speaker-independent, pooled, and on new speakers."""
        row = self.row
        return bool(
            self.is_fair and row["complete"] and row["validation"] == "speakers" and row["is_validation_pooled"]
        )


def recompute(run: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a table shows of a run: its facts, and its numbers computed again from predictions.

    Raises:
        RunError: If the folder is not a run, or holds no predictions.
    """
    return read_entry(run).row


def read_entry(run: str | os.PathLike[str]) -> RunEntry:
    """Read a run to put it beside others.

    Raises:
        RunError: If the folder is not a run, or holds no predictions.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise RunError(f"{str(run)!r} is not a run folder: there is no such folder.")
    stored = read_json(folder, "metrics.json")
    if not isinstance(stored, dict):
        raise RunError(f"{str(folder / 'metrics.json')!r} is damaged (it holds no JSON object).")
    rows, classes = read_predictions(folder)
    if not rows:
        why = "it was trained, not evaluated" if stored.get("protocol") == ALL_SPEAKERS else "no fold is done yet"
        raise RunError(f"{str(run)!r} holds no predictions: {why}.")
    missing = [name for name in _FACTS if name not in stored]
    if missing:
        raise RunError(f"{str(run)!r} has a metrics.json without {', '.join(missing)}.")
    row = {name: stored[name] for name in (*_FACTS, *_SIDES, _PRETRAINING) if name in stored} | measure(rows, classes)
    validated, of_validation = read_predictions(folder, VALIDATED)
    if validated and of_validation != classes:
        raise RunError(f"{str(folder / VALIDATED)!r} is damaged (its classes are not those of {TESTED}).")
    fits = read_fits(folder)
    row |= measure_validation(validated, classes, fits)
    if len(row["seeds"]) > 1:
        row["together"] = _together(rows, validated, classes, fits)
    row |= {"fitted": what_is_fitted(folder)} | _shortened(folder)
    return RunEntry(folder.resolve(), row, _answers(rows, classes))


def _together(
    rows: Sequence[Row], validated: Sequence[Row], classes: tuple[str, ...], fits: Sequence[Fit]
) -> dict[str, Any]:
    """Return the numbers of an ensemble of a run's seeds; no validation UAR where not each has left its answers."""
    tested, seen = (seeds_together(some, classes) for some in (rows, validated))
    found = measure_validation(seen, classes, [fit for fit in fits if fit.seed == tested[0].seed])
    is_known = found["is_validation_pooled"] and whole_seeds(validated).keys() == whole_seeds(rows).keys()
    return measure(tested, classes) | {"validation_uar": found["validation_uar"] if is_known else None}


def what_is_fitted(folder: Path) -> str:
    """Return the resolved recipe without name, words about it, protocol, seeds, and settings that change no fit.

    It is text, since a plain install reads no YAML. What recipes could not say at first is left out where it is said to
    be as it was, so that an older run equals a newer one.
    """
    blocks = re.split(r"^(?=\w)", _SAYS_NOTHING.sub("", _recipe(folder)), flags=re.MULTILINE)
    return "".join(block for block in blocks if block.split(":")[0] not in _NOT_FITTED)


def group_of(row: dict[str, Any]) -> tuple[str, str, str, str]:
    """Return what the rows of one table have in common: corpora, label set, protocol, and what is tested on what."""
    labels = row["labels"] if isinstance(row["labels"], str) else "+".join(row["labels"])
    return "+".join(row["corpora"]), labels, row["protocol"], across(row)


def across(row: dict[str, Any]) -> str:
    """Return ``emodb to ravdess`` of a run that is trained on some corpora and tested on others, else nothing."""
    sides = ["+".join(row[side]) for side in _SIDES if row.get(side)]
    return " to ".join(sides) if len(sides) == len(_SIDES) else ""


def is_across(row: dict[str, Any]) -> bool:
    """Whether the corpora tested are not those trained and validated on, so that validation says little of them."""
    return bool(across(row)) or row["protocol"] in ("leave_one_corpus_out", UNSEEN_CORPUS)


def in_order(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Return runs group by group, those that share speakers behind; within a group by validation UAR."""

    def key(entry: RunEntry) -> tuple[Any, ...]:
        corpora, labels, protocol, sides = group_of(entry.row)
        seen = entry.row["validation_uar"]
        return corpora, labels, protocol == "random", protocol, sides, seen is None, -(seen or 0.0), entry.name

    return sorted(entries, key=key)


def _recipe(folder: Path) -> str:
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise RunError(f"{str(folder)!r} is not a run folder: it has no recipe.yaml.")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error


def _shortened(folder: Path) -> dict[str, int]:
    """Return how many speakers the protocol left to train on, where it left out some."""
    found = re.search(r"^  train_speakers: (\d+)$", _recipe(folder), flags=re.MULTILINE)
    return {"train_speakers": int(found[1])} if found else {}


def _answers(rows: Sequence[Row], classes: tuple[str, ...]) -> RunAnswers | None:
    """Put the predictions of the seeds that :func:`serkit.lab.measure.pooled_metrics.measure` takes into arrays."""
    by_seed = list(whole_seeds(rows).values())
    tested = [(r.utterance, r.speaker, r.true) for r in by_seed[0]]
    is_once = len({utterance for utterance, _, _ in tested}) == len(tested)
    if not is_once or any([(r.utterance, r.speaker, r.true) for r in one] != tested for one in by_seed[1:]):
        return None
    names = tuple(sorted(classes))
    index = {name: i for i, name in enumerate(names)}
    lines = ["\t".join(names), *("\t".join(one) for one in tested)]
    return RunAnswers(
        hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        names,
        np.array([index[true] for _, _, true in tested]),
        np.array([[index[r.predicted] for r in one] for one in by_seed]),
        np.array([speaker for _, speaker, _ in tested]),
    )
