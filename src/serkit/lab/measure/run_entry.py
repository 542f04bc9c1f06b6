"""A run folder read as one row of a table: its facts, and its metrics recomputed from the stored predictions.

Nothing here needs torch.
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.errors import RunError
from serkit.lab.measure.metrics import IntArray
from serkit.lab.measure.one_class import one_class_remark
from serkit.lab.measure.pooled_metrics import measure, measure_validation
from serkit.lab.measure.run_folder import (
    ALL_SPEAKERS,
    TESTED,
    VALIDATED,
    Fit,
    Row,
    read_fits,
    read_json,
    read_predictions,
)
from serkit.lab.measure.seeds import seeds_together, whole_seeds

_FACTS = (
    "name", "protocol", "is_speaker_independent", "validation", "labels", "corpora", "model", "complete",
)  # fmt: skip
_OPTIONAL_FACTS = ("train_corpora", "test_corpora", "pretraining")
_NOT_FITTED = ("name", "about", "published", "protocol", "seeds")  # top-level recipe keys that change no fit
_WITHOUT_EFFECT = re.compile(
    r"^ *(?:workers: \d+|trackers: \[\]|trackers:\n(?: *- \w+\n)*(?: *- \w+)"  # settings that change no fit
    r"|accumulate: 1|sampling: natural|copies: null)\n",  # defaults that older recipes do not write
    flags=re.MULTILINE,
)
_OLD_SPELLING = re.compile(r"\bnormalise:")


@dataclass(frozen=True)
class RunRecords:
    """The files of a run folder that its metrics are computed from.

    Attributes:
        folder: Run folder.
        facts: Content of ``metrics.json``.
        classes: Class names, in the order of the model's outputs.
        tested: Rows of ``predictions.csv``, at least one.
        validated: Rows of ``validation.csv``; empty if the run stored none.
        fits: Record of each fit in ``metrics.json``.
    """

    folder: Path
    facts: Mapping[str, Any]
    classes: tuple[str, ...]
    tested: Sequence[Row]
    validated: Sequence[Row]
    fits: Sequence[Fit]


@dataclass(frozen=True)
class RunAnswers:
    """The predicted classes of a run that tested each utterance once per seed.

    Attributes:
        digest: Hash of the utterances, true classes and class names. Two runs with equal digests can be compared.
        classes: Class names, sorted.
        true: Class indices, shape (n,).
        predicted: Class indices, shape (seeds, n).
        speakers: Speaker of each utterance, shape (n,).
    """

    digest: str
    classes: tuple[str, ...]
    true: IntArray
    predicted: IntArray
    speakers: NDArray[np.str_]


@dataclass(frozen=True)
class RunEntry:
    """One run of a table.

    Attributes:
        folder: Run folder.
        row: Facts and metrics by name.
        answers: Predicted classes; None if the run did not test each utterance exactly once per seed.
    """

    folder: Path
    row: dict[str, Any] = field(repr=False)
    answers: RunAnswers | None = field(repr=False)

    @property
    def name(self) -> str:
        """Name of the recipe, or of the model's run on an unseen corpus."""
        return str(self.row["name"])

    @property
    def is_fair(self) -> bool:
        """Whether the run is speaker-independent."""
        return bool(self.row["is_speaker_independent"])

    @property
    def may_lead(self) -> bool:
        """Whether the run may become a headline.

        It must be complete and speaker-independent, and its validation UAR pooled over folds and measured on new
        speakers.
        """
        row = self.row
        return bool(
            self.is_fair and row["complete"] and row["validation"] == "speakers" and row["is_validation_pooled"]
        )


def read_records(run: str | os.PathLike[str]) -> RunRecords:
    """Read the files of a run folder that its metrics are computed from.

    Raises:
        RunError: If the folder is not a run folder, holds no predictions, or one of its files is damaged.
    """
    folder = Path(run)
    if not folder.is_dir():
        why = "it is a file" if folder.exists() else "there is no such folder"
        raise RunError(f"{str(run)!r} is not a run folder: {why}.")
    facts = read_json(folder, "metrics.json")
    if not isinstance(facts, dict):
        raise RunError(f"{str(folder / 'metrics.json')!r} is damaged: expected a JSON object.")
    tested, classes = read_predictions(folder)
    if not tested:
        why = "it was trained, not evaluated" if facts.get("protocol") == ALL_SPEAKERS else "no fold is finished yet"
        raise RunError(f"{str(run)!r} holds no predictions: {why}.")
    missing = [name for name in _FACTS if name not in facts]
    if missing:
        raise RunError(f"{str(folder / 'metrics.json')!r} is damaged: it lacks {', '.join(missing)}.")
    wrong = [name for name, value in facts.items() if not _is_fact(name, value)]
    if wrong:
        raise RunError(f"{str(folder / 'metrics.json')!r} is damaged: its {wrong[0]} is {facts[wrong[0]]!r}.")
    validated, validation_classes = read_predictions(folder, VALIDATED)
    if validated and validation_classes != classes:
        raise RunError(f"{str(folder / VALIDATED)!r} is damaged: its classes differ from those of {TESTED}.")
    return RunRecords(folder, facts, classes, tested, validated, read_fits(folder))


def _is_fact(name: str, value: object) -> bool:
    """Return whether a fact in ``metrics.json`` has the type that tables expect."""
    if name in ("complete", "is_speaker_independent"):
        return isinstance(value, bool)
    if name in ("corpora", "train_corpora", "test_corpora"):
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if name == "pretraining":
        return isinstance(value, dict) and _is_fact("corpora", value.get("corpora"))
    return name not in _FACTS or isinstance(value, str)


def measure_records(records: RunRecords) -> dict[str, Any]:
    """Return the facts of a run, and its metrics recomputed from the predictions, in percent."""
    facts = {name: records.facts[name] for name in (*_FACTS, *_OPTIONAL_FACTS) if name in records.facts}
    return (
        facts
        | measure(records.tested, records.classes)
        | measure_validation(records.validated, records.classes, records.fits)
    )


def recompute(run: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the facts and metrics of a run folder; see :func:`measure_records`.

    Raises:
        RunError: If the folder is not a run folder, holds no predictions, or one of its files is damaged.
    """
    return measure_records(read_records(run))


def read_entry(run: str | os.PathLike[str]) -> RunEntry:
    """Read a run folder as one row of a table.

    Raises:
        RunError: If the folder is not a run folder, holds no predictions, or one of its files is damaged.
    """
    records = read_records(run)
    row = measure_records(records)
    if len(row["seeds"]) > 1:
        row["together"] = _measure_seeds_together(records)
    row |= {"fitted": what_is_fitted(records.folder)} | _train_speakers(records.folder)
    if one_class_remark(records.tested):
        row["is_one_class"] = True
    return RunEntry(records.folder.resolve(), row, _answers(records.tested, records.classes))


def what_is_fitted(folder: Path) -> str:
    """Return the text of a run's resolved recipe without the settings that change no fit.

    Two runs with equal text fit the same model in the same way. The recipe is compared as text because a plain
    installation has no YAML parser. Defaults that older recipes do not write are removed too, and a key that they spell
    otherwise is respelled, so that an older run equals a newer one.

    Raises:
        RunError: If the folder has no readable ``recipe.yaml``.
    """
    text = _WITHOUT_EFFECT.sub("", _OLD_SPELLING.sub("normalize:", _recipe_text(folder)))
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)
    return "".join(block for block in blocks if block.split(":")[0] not in _NOT_FITTED)


def _measure_seeds_together(records: RunRecords) -> dict[str, Any]:
    """Return the metrics of the ensemble of a run's seeds.

    Its validation UAR is None unless every seed stored its validation predictions.
    """
    tested, validated = (seeds_together(rows, records.classes) for rows in (records.tested, records.validated))
    first_seed = [fit for fit in records.fits if fit.seed == tested[0].seed]
    validation = measure_validation(validated, records.classes, first_seed)
    is_known = (
        validation["is_validation_pooled"]
        and whole_seeds(records.validated).keys() == whole_seeds(records.tested).keys()
    )
    return measure(tested, records.classes) | {"validation_uar": validation["validation_uar"] if is_known else None}


def _recipe_text(folder: Path) -> str:
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise RunError(f"{str(folder)!r} is not a run folder: it has no recipe.yaml.")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error


def _train_speakers(folder: Path) -> dict[str, int]:
    """Return the number of training speakers, if the recipe limits it."""
    found = re.search(r"^  train_speakers: (\d+)$", _recipe_text(folder), flags=re.MULTILINE)
    return {"train_speakers": int(found[1])} if found else {}


def _answers(rows: Sequence[Row], classes: tuple[str, ...]) -> RunAnswers | None:
    """Return the predicted classes of all complete seeds as arrays."""
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
