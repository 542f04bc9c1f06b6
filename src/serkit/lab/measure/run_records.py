"""Reads a run folder and checks it: its seal, and whether its files agree with each other."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from serkit.errors import RunError
from serkit.lab.measure.run_checks import RunRecords, contradiction
from serkit.lab.measure.run_folder import (
    ALL_SPEAKERS,
    FOLDS,
    TESTED,
    VALIDATED,
    read_fits,
    read_folds,
    read_json,
    read_predictions,
    read_text,
)
from serkit.lab.measure.seal import NOT_SEALED, broken_seal, is_interrupted
from serkit.lab.splits.folds import PARTS

FACTS = (
    "name", "protocol", "is_speaker_independent", "validation", "labels", "corpora", "model", "complete",
)  # fmt: skip
_INTERRUPTED = "a job was stopped while it wrote the files: run the same command again to finish it"
_INSTEAD = "'serkit compare --unsealed' and 'serkit report --unsealed' show such a run with a mark."


def read_records(run: str | os.PathLike[str], *, unsealed: bool = False) -> RunRecords:
    """Read the files of a run folder that its metrics are computed from, and check them.

    Args:
        run: Run folder.
        unsealed: Whether to read a run that was edited, contradicts itself, or has no seal. Its ``unsealed`` says why.

    Raises:
        RunError: If the folder is not a run folder, holds no predictions, one of its files is damaged, or it does not
            agree with its seal or with itself.
    """
    folder = Path(run)
    if not folder.is_dir():
        why = "it is a file" if folder.exists() else "there is no such folder"
        raise RunError(f"{str(run)!r} is not a run folder: {why}.")
    facts = _read_mapping(folder, "metrics.json")
    tested, classes = read_predictions(folder)
    if not tested:
        why = "it was trained, not evaluated" if facts.get("protocol") == ALL_SPEAKERS else "no fold is finished yet"
        raise RunError(f"{str(run)!r} holds no predictions: {why}.")
    missing = [name for name in FACTS if name not in facts]
    if missing:
        raise RunError(f"{str(folder / 'metrics.json')!r} is damaged: it lacks {', '.join(missing)}.")
    wrong = [name for name, value in facts.items() if not _is_fact(name, value)]
    if wrong:
        raise RunError(f"{str(folder / 'metrics.json')!r} is damaged: its {wrong[0]} is {facts[wrong[0]]!r}.")
    return _checked(_read_rest(folder, facts, tested, classes), unsealed=unsealed)


def check_run(run: str | os.PathLike[str], *, unsealed: bool = False) -> RunRecords:
    """Read and check any run folder, also one without test predictions; see :func:`read_records`.

    Raises:
        RunError: If the folder is not a run folder, a file is damaged, or it does not agree with its seal or itself.
    """
    folder = Path(run)
    facts = _read_mapping(folder, "metrics.json")
    return _checked(_read_rest(folder, facts, *read_predictions(folder)), unsealed=unsealed)


def refusal(folder: Path, why: str) -> RunError:
    """Return the error for a run that does not agree with its seal or with itself.

    Args:
        folder: Run folder.
        why: Clause that says what is wrong.
    """
    instead = "Run the recipe again" if why.startswith(NOT_SEALED) else "Restore the file"
    return RunError(f"{str(folder)!r} is not taken as measured: {why}. {instead}; {_INSTEAD}")


def _read_rest(folder: Path, facts: Mapping[str, Any], tested: Any, classes: tuple[str, ...]) -> RunRecords:
    validated, validation_classes = read_predictions(folder, VALIDATED)
    if validated and tested and validation_classes != classes:
        raise RunError(f"{str(folder / VALIDATED)!r} is damaged: its classes differ from those of {TESTED}.")
    recipe = read_text(folder, "recipe.yaml")
    if recipe is None:
        raise RunError(f"{str(folder)!r} is not a run folder: it has no recipe.yaml.")
    folds = read_folds(folder)
    if not _are_folds(folds):
        raise RunError(f"{str(folder / FOLDS)!r} is damaged: expected a list of folds with their parts.")
    return RunRecords(
        folder, facts, classes or validation_classes, tested, validated, read_fits(folder),
        _read_mapping(folder, "env.json"), folds, recipe,
    )  # fmt: skip


def _checked(run: RunRecords, *, unsealed: bool) -> RunRecords:
    """Return the records with what is wrong with them, or refuse them."""
    edited, wrong = broken_seal(run.folder, run.environment, run.folds), contradiction(run)
    if wrong and not edited and is_interrupted(run.environment):
        wrong = _INTERRUPTED
    why = "; ".join(filter(None, (edited, wrong)))
    if why and not unsealed:
        raise refusal(run.folder, why)
    return replace(run, unsealed=why, is_strict=not unsealed)


def _are_folds(folds: Any) -> bool:
    try:
        return isinstance(folds, list) and all(
            type(fold["fold"]) is int
            and type(fold.get("draw", 0)) is int
            and all(isinstance(name, str) for part in PARTS for kind in ("speakers", "utterances")
                    for name in fold[part][kind])
            for fold in folds
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError):
        return False


def _read_mapping(folder: Path, name: str) -> dict[str, Any]:
    content = read_json(folder, name)
    if not isinstance(content, dict):
        raise RunError(f"{str(folder / name)!r} is damaged: expected a JSON object.")
    return content


def _is_fact(name: str, value: object) -> bool:
    """Return whether a fact in ``metrics.json`` has the type that tables expect."""
    if name in ("complete", "is_speaker_independent"):
        return isinstance(value, bool)
    if name in ("corpora", "train_corpora", "test_corpora"):
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if name == "pretraining":
        return isinstance(value, dict) and _is_fact("corpora", value.get("corpora"))
    return name not in FACTS or isinstance(value, str)
