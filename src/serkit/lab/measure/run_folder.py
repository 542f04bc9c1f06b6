"""Reads and writes the files of a run folder, which holds one experiment.

    recipe.yaml       resolved recipe
    env.json          versions, threads, digests of the data, utterances that the label set dropped, and the seal
                      (see :mod:`serkit.lab.measure.seal`)
    folds.json        utterance ids and speakers of each fold's training, validation and test part
    pretrained/M/     run folder of the first training of the model, or of ensemble member M, if the recipe has one
    fold_K/seed_S/    weights.safetensors or model.onnx, history.csv, fit.json; for an ensemble one folder per member
    predictions.csv   one row per test utterance, fold and seed; every reported number is computed from it
    validation.csv    the same for validation utterances, if there are any; recipes are chosen by it
    metrics.json      the metrics in percent, and the record of each fit

A published run in ``results/`` has no weights and is compressed: ``predictions.csv.gz`` and ``validation.csv.gz``
replace the two tables, and ``folds/DIGEST.json.gz`` in a folder above the run replaces ``folds.json``. DIGEST is the
``split_digest`` of ``env.json``, so runs on one split share the file. The functions here read both forms;
:mod:`serkit.lab.measure.publish` writes the second.
"""

import csv
import gzip
import io
import json
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from serkit.errors import RunError
from serkit.parsing import parse_json
from serkit.spreadsheet_cells import guarded, unguarded
from serkit.writing import write_whole

ALL_SPEAKERS = "all_speakers"  # protocol of a final model, which is trained on everybody and not tested
UNSEEN_CORPUS = "unseen_corpus"  # protocol of a finished model that is tested on a corpus it was not trained on
TESTED, VALIDATED = "predictions.csv", "validation.csv"
FOLDS = "folds.json"
PACKED = ".gz"  # suffix of a compressed file of a published run
_MOST_UNPACKED = 2 * 10**9  # bytes; a few kilobytes can be packed that grow to fill the memory
COLUMNS = ("utterance", "corpus", "speaker", "fold", "seed", "true", "predicted")  # before those of the classes


@dataclass(frozen=True)
class Row:
    """One line of ``predictions.csv`` or ``validation.csv``; probabilities in the order of the classes."""

    utterance: str
    corpus: str
    speaker: str
    fold: int
    seed: int
    true: str
    predicted: str
    probabilities: tuple[float, ...]


@dataclass(frozen=True)
class Fit:
    """The record of one fit.

    Attributes:
        fold: Number of the fold.
        seed: Random seed.
        kept: Epoch whose weights were kept.
        epochs: Number of epochs trained.
        validation_uar: Validation UAR in percent, for an ensemble that of its combined probabilities; None without
            validation.
        temperature: Temperature fitted on the validation part.
        seconds: Duration of the fit.
        members: Records of the members of an ensemble.
        settings: Settings that were tuned within the fold.
        weights: SHA-256 of the weights file; empty for an ensemble, whose members have their own, and in older runs.
    """

    fold: int
    seed: int
    kept: int
    epochs: int
    validation_uar: float | None
    temperature: float
    seconds: float
    members: Sequence[Mapping[str, Any]] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    weights: str = ""


def write_predictions(folder: Path, rows: Sequence[Row], classes: Sequence[str], name: str = TESTED) -> None:
    """Write ``predictions.csv``, or the table called ``name``, sorted by seed, fold and utterance."""
    write_whole(folder / name, predictions_as_csv(rows, classes))


def predictions_as_csv(rows: Sequence[Row], classes: Sequence[str]) -> str:
    """Return the text of a table of predictions, sorted by seed, fold and utterance; probabilities have 4 decimals.

    A text that a spreadsheet would run as a formula has an apostrophe before it, which
    :func:`read_predictions` removes.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*COLUMNS, *map(guarded, classes)])
    for row in sorted(rows, key=lambda r: (r.seed, r.fold, r.utterance)):
        values = [guarded(str(getattr(row, name))) for name in COLUMNS]
        writer.writerow([*values, *(f"{p:.4f}" for p in row.probabilities)])
    return buffer.getvalue()


def read_predictions(folder: Path, name: str = TESTED) -> tuple[list[Row], tuple[str, ...]]:
    """Read ``predictions.csv``, or the table called ``name``, compressed or not.

    Returns:
        The rows, and the classes in the order of the columns; both empty if the file does not exist.

    Raises:
        RunError: If the file is damaged, lacks a column, or has a row twice or a row that does not fit the columns.
    """
    path = _stored(folder / name)
    if not path.is_file():
        return [], ()
    try:
        head, *table = [tuple(map(unguarded, cells)) for cells in _cells_of(path)] or [()]
    except csv.Error as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error
    if head[: len(COLUMNS)] != COLUMNS:
        raise RunError(f"{path} is not a table of predictions: its columns must begin {','.join(COLUMNS)}.")
    classes = head[len(COLUMNS) :]
    rows = [_parse_row(cells, classes, f"{path}, row {number}") for number, cells in enumerate(table, 1)]
    twice = [place for place, n in Counter((row.seed, row.fold, row.utterance) for row in rows).items() if n > 1]
    if twice:
        seed, fold, utterance = twice[0]
        raise RunError(f"{str(path)!r} is damaged: it has two rows for {utterance} in fold {fold} of seed {seed}.")
    return rows, classes


def _cells_of(path: Path) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(_read_text(path), newline=""))


def _parse_row(cells: Sequence[str], classes: tuple[str, ...], where: str) -> Row:
    try:
        utterance, corpus, speaker, fold, seed, true, predicted, *probabilities = cells
        row = Row(utterance, corpus, speaker, int(fold), int(seed), true, predicted, tuple(map(float, probabilities)))
    except ValueError as error:
        raise RunError(f"{where}: not a prediction ({error}).") from error
    if len(row.probabilities) != len(classes) or true not in classes or predicted not in classes:
        raise RunError(
            f"{where}: not a prediction. Expected true and predicted to be classes of {', '.join(classes)}, and one "
            "probability for each class."
        )
    if not all(0 <= value <= 1 for value in row.probabilities):  # false for NaN too
        raise RunError(f"{where}: a probability is not between 0 and 1.")
    return row


def fit_folder(fold: int, seed: int) -> str:
    """Return the folder of a fit, relative to the run folder."""
    return f"fold_{fold}/seed_{seed}"


def first_folder(number: int) -> str:
    """Return the folder of the first training of ensemble member ``number``, relative to the run folder.

    A single model has number 0.
    """
    return f"pretrained/{number}"


def read_fits(folder: Path) -> list[Fit]:
    """Return the records of all fits in ``metrics.json``; empty if the file does not exist.

    Raises:
        RunError: If the records cannot be read; another version of serkit may have written them.
    """
    if not (folder / "metrics.json").is_file():
        return []
    try:
        return [_fit_of(fit) for fit in read_json(folder, "metrics.json").get("fits", ())]
    except (TypeError, AttributeError, ValueError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(
            f"{str(folder / 'metrics.json')!r} is damaged, or written by another version of serkit (its fits: {error})."
        ) from error


def read_fit(path: Path) -> Fit:
    """Read the record of one fit, which a training leaves in the fit's folder.

    Raises:
        RunError: If the file is damaged.
    """
    try:
        return _fit_of(parse_json(path.read_bytes()))
    except (TypeError, ValueError) as error:
        raise RunError(f"{str(path)!r} is damaged ({error}): remove it to fit the model again.") from error


def _fit_of(record: Mapping[str, Any]) -> Fit:
    """Return a fit's record, and check its numbers."""
    fit = Fit(**record)
    for name in ("fold", "seed", "kept", "epochs"):
        if type(value := getattr(fit, name)) is not int:
            raise ValueError(f"{name} is {value!r}, not a whole number")
    for name in ("validation_uar", "temperature", "seconds"):
        value = getattr(fit, name)
        is_number = type(value) in (int, float) and math.isfinite(value)
        if not is_number and not (name == "validation_uar" and value is None):
            raise ValueError(f"{name} is {value!r}, not a number")
    for name in ("members", "settings"):
        if not isinstance(value := getattr(fit, name), dict if name == "settings" else list | tuple):
            raise ValueError(f"{name} is {value!r}")
    return fit


def epochs_of(fits: Sequence[Fit]) -> list[tuple[int, int]]:
    """Return the kept epoch and the number of epochs of each fit, or of each member of an ensemble."""
    parts = [part for fit in fits for part in (fit.members or (asdict(fit),))]
    return [(part.get("kept") or 0, part.get("epochs") or 0) for part in parts]


def is_epoch_chosen(fits: Sequence[Fit]) -> bool:
    """Whether a fit kept an epoch other than its last, which then was the best on its validation part."""
    return any(kept < epochs - 1 for kept, epochs in epochs_of(fits))


def read_folds(folder: Path) -> Any:
    """Read the folds of a run, as :func:`serkit.lab.splits.folds.folds_as_json` returns them.

    Raises:
        RunError: If the run has neither ``folds.json`` nor a shared file of its split, or the file is damaged.
    """
    path = folder / FOLDS
    if not path.is_file():
        path = _shared_folds(folder) or path
    return _read_json_file(path, folder)


def _shared_folds(folder: Path) -> Path | None:
    """Return the file of the run's split in a folder above; None if there is none."""
    if not (folder / "env.json").is_file():
        return None
    environment = read_json(folder, "env.json")
    digest = environment.get("split_digest") if isinstance(environment, dict) else None
    candidates = (above / folds_file(str(digest)) for above in folder.resolve().parents)
    return next((path for path in candidates if path.is_file()), None)


def folds_file(split_digest: str) -> str:
    """Return the file of a split, relative to the folder that holds the published runs."""
    return f"folds/{split_digest}.json{PACKED}"


def read_json(folder: Path, name: str) -> Any:
    """Read a JSON file of a run.

    Raises:
        RunError: If the file does not exist, or is damaged.
    """
    return _read_json_file(folder / name, folder)


def _read_json_file(path: Path, folder: Path) -> Any:
    if not path.is_file():
        raise RunError(f"{str(folder)!r} is not a run folder: it has no {path.name}.")
    try:
        return parse_json(_read_text(path))
    except ValueError as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error


def write_json(folder: Path, name: str, content: object) -> None:
    """Write a JSON file of a run."""
    write_whole(folder / name, json_text(content))


def json_text(content: object) -> str:
    """Return the text of a JSON file of a run."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_text(folder: Path, name: str) -> str | None:
    """Read a text file of a run, compressed or not; None if it does not exist.

    Raises:
        RunError: If the file is damaged.
    """
    path = _stored(folder / name)
    return _read_text(path) if path.is_file() else None


def has_folds(folder: Path) -> bool:
    """Return whether a run has ``folds.json``, or a shared file of its split."""
    return (folder / FOLDS).is_file() or _shared_folds(folder) is not None


def _stored(path: Path) -> Path:
    """Return the path of a file, or of its compressed form if only that exists."""
    packed = path.with_name(path.name + PACKED)
    return packed if packed.is_file() and not path.is_file() else path


def _read_text(path: Path) -> str:
    """Read a text file, compressed if its name says so."""
    try:
        if path.suffix != PACKED:
            return path.read_bytes().decode("utf-8")
        with gzip.open(path) as file:
            content = file.read(_MOST_UNPACKED + 1)
        if len(content) > _MOST_UNPACKED:
            raise RunError(f"{str(path)!r} grows to more than {_MOST_UNPACKED // 10**9} GB, which no run needs.")
        return content.decode("utf-8")
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error
