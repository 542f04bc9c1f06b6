"""The run folder: what an experiment leaves behind, and the numbers recomputed from it.

    recipe.yaml       the resolved recipe
    env.json          versions, threads, digests, what the label set dropped
    folds.json        utterance ids and speakers of each fold's parts
    pretrained/M/     where the recipe, or member M of its ensemble, has a first training: that one's run folder
    fold_K/seed_S/    weights.safetensors or model.onnx, history.csv, fit.json; of an ensemble a folder of them each
    predictions.csv   one row per test utterance, fold and seed: every number comes from here
    validation.csv    the same for validation utterances, where there are any: recipes are chosen by these
    metrics.json      those numbers, in percent, and what each fit said of its validation

Nothing here needs torch.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from serkit.errors import RunError
from serkit.lab.measure.metrics import (
    bootstrap_interval,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    uar,
    weighted_accuracy,
)
from serkit.writing import write_whole

ALL_SPEAKERS = "all_speakers"  # the protocol of a final model: nobody is tested
UNSEEN_CORPUS = "unseen_corpus"  # the protocol of a finished model on corpora that it has not seen
TESTED, VALIDATED = "predictions.csv", "validation.csv"
_COLUMNS = ("utterance", "corpus", "speaker", "fold", "seed", "true", "predicted")


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
    """What one fit said of itself; ``validation_uar`` in percent, None without validation.

    Of an ensemble it is that of the common answer, and ``members`` has what each said. ``settings`` are those that
    were searched for within the fold.
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


def write_predictions(folder: Path, rows: Sequence[Row], classes: Sequence[str], name: str = TESTED) -> None:
    """Write ``predictions.csv``, or the file of that name, whole, sorted by seed, fold and utterance."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*_COLUMNS, *classes])
    for row in sorted(rows, key=lambda r: (r.seed, r.fold, r.utterance)):
        values = [getattr(row, name) for name in _COLUMNS]
        writer.writerow([*values, *(f"{p:.4f}" for p in row.probabilities)])
    write_whole(folder / name, buffer.getvalue())


def read_predictions(folder: Path, name: str = TESTED) -> tuple[list[Row], tuple[str, ...]]:
    """Read ``predictions.csv``, or the file of that name.

    Returns:
        The rows, and the classes in order; nothing where there is no such file yet.

    Raises:
        RunError: If the file is no text, does not have the columns of a run, a row does not fit them or stands twice.
    """
    path = folder / name
    if not path.is_file():
        return [], ()
    try:
        with path.open(encoding="utf-8", newline="") as file:
            head, *table = [tuple(cells) for cells in csv.reader(file)] or [()]
    except (UnicodeDecodeError, csv.Error) as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error
    if head[: len(_COLUMNS)] != _COLUMNS:
        raise RunError(f"{path} is not a table of predictions: its columns must begin {','.join(_COLUMNS)}.")
    classes = head[len(_COLUMNS) :]
    rows = [_read_row(cells, classes, f"{path}, row {number}") for number, cells in enumerate(table, 1)]
    twice = [place for place, n in Counter((row.seed, row.fold, row.utterance) for row in rows).items() if n > 1]
    if twice:
        seed, fold, utterance = twice[0]
        raise RunError(f"{str(path)!r} is damaged ({utterance} stands twice in fold {fold} of seed {seed}).")
    return rows, classes


def _read_row(cells: Sequence[str], classes: tuple[str, ...], where: str) -> Row:
    try:
        utterance, corpus, speaker, fold, seed, true, predicted, *probabilities = cells
        row = Row(utterance, corpus, speaker, int(fold), int(seed), true, predicted, tuple(map(float, probabilities)))
    except ValueError as error:
        raise RunError(f"{where}: not a prediction ({error}).") from error
    if len(row.probabilities) != len(classes) or true not in classes or predicted not in classes:
        raise RunError(f"{where}: not a prediction of one of {', '.join(classes)}, with the probability of each.")
    if not all(0 <= value <= 1 for value in row.probabilities):  # false for NaN too
        raise RunError(f"{where}: a probability is not between 0 and 1.")
    return row


def whole_seeds(rows: Sequence[Row]) -> dict[int, list[Row]]:
    """Return the rows of each seed that has tested all there is, by utterance and fold.

    What is tested is what the seed with the most answers has tested, of several the first; a seed that has not
    predicted all of it yet is left out.
    """
    by_seed: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.seed, row.utterance, row.fold)):
        by_seed.setdefault(row.seed, []).append(row)
    tested = {seed: [(row.utterance, row.fold) for row in some] for seed, some in by_seed.items()}
    longest = max(tested.values(), key=len, default=[])
    return {seed: some for seed, some in by_seed.items() if tested[seed] == longest}


def seeds_together(rows: Sequence[Row], classes: Sequence[str]) -> list[Row]:
    """Return the mean of what a run's seeds answer, as an ensemble of them would: rows of the first seed alone.

    The seeds are those of :func:`whole_seeds`.
    """
    found = []
    for same in zip(*whole_seeds(rows).values(), strict=True):
        mean = np.mean([row.probabilities for row in same], axis=0)
        answer = classes[int(mean.argmax())]
        found.append(replace(same[0], predicted=answer, probabilities=tuple(mean.tolist())))
    return found


def fit_folder(fold: int, seed: int) -> str:
    """Return the folder of a fit within its run's."""
    return f"fold_{fold}/seed_{seed}"


def first_folder(number: int) -> str:
    """Return the folder of the first training of a run's model, or of one of its ensemble's members."""
    return f"pretrained/{number}"


def read_fits(folder: Path) -> list[Fit]:
    """Return what ``metrics.json`` says of each fit; nothing where there is no such file yet.

    Raises:
        RunError: If that cannot be read; it may be of another version of serkit.
    """
    if not (folder / "metrics.json").is_file():
        return []
    try:
        return [Fit(**fit) for fit in read_json(folder, "metrics.json").get("fits", ())]
    except (TypeError, AttributeError) as error:
        raise RunError(
            f"{str(folder / 'metrics.json')!r} is damaged, or of another version of serkit (its fits: {error})."
        ) from error


def read_json(folder: Path, name: str) -> Any:
    """Read a JSON file of a run.

    Raises:
        RunError: If it is not there, or damaged.
    """
    path = folder / name
    if not path.is_file():
        raise RunError(f"{str(folder)!r} is not a run folder: it has no {name}.")
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error


def write_json(folder: Path, name: str, content: object) -> None:
    """Write a JSON file of a run whole."""
    write_whole(folder / name, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def epochs_of(fits: Sequence[Fit]) -> list[tuple[int, int]]:
    """Return the kept epoch of each fit, or of each member of an ensemble, and how many it had."""
    parts = [part for fit in fits for part in (fit.members or (asdict(fit),))]
    return [(part.get("kept") or 0, part.get("epochs") or 0) for part in parts]


def is_epoch_chosen(fits: Sequence[Fit]) -> bool:
    """Whether some fit kept another epoch than its last: the one that did best on what it is validated on."""
    return any(kept < epochs - 1 for kept, epochs in epochs_of(fits))


def write_metrics(
    folder: Path,
    rows: Sequence[Row],
    classes: Sequence[str],
    fits: Sequence[Fit],
    facts: Mapping[str, Any],
    *,
    validated: Sequence[Row] = (),
) -> dict[str, Any]:
    """Compute ``metrics.json`` from predictions and write it.

    Args:
        folder: The run.
        rows: All predictions so far.
        classes: In order.
        fits: One per fold and seed that is done.
        facts: What is known beforehand: name, protocol, whether all is done.
        validated: All answers on validation utterances so far.
    """
    content = {**facts, **(measure(rows, classes) if rows else {}), **measure_validation(validated, classes, fits)}
    content["fits"] = [_as_row(fit) for fit in sorted(fits, key=lambda f: (f.seed, f.fold))]
    write_json(folder, "metrics.json", content)
    return content


def measure(rows: Sequence[Row], classes: Sequence[str]) -> dict[str, Any]:
    """Compute every number that a table shows, in percent, from predictions alone.

    Folds are pooled; with several seeds each number is the mean over seeds of the pooled one, see :func:`whole_seeds`.
    """
    whole = whole_seeds(rows)
    by_seed = list(whole.values())
    first = by_seed[0]
    index = {name: i for i, name in enumerate(classes)}
    true = np.array([index[r.true] for r in first])
    predicted = np.array([[index[r.predicted] for r in seed_rows] for seed_rows in by_seed])
    speakers = np.array([r.speaker for r in first])
    corpora = np.array([r.corpus for r in first])
    folds = np.array([r.fold for r in first])
    probabilities = [np.array([r.probabilities for r in seed_rows]) for seed_rows in by_seed]

    result = _scores(true, predicted, speakers, len(classes))
    matrices = [confusion_matrix(true, row, len(classes)) for row in predicted]
    total = np.sum(matrices, axis=0)
    per_fold = [
        np.mean([uar(confusion_matrix(true[folds == k], row[folds == k], len(classes))) for row in predicted])
        for k in sorted(set(folds.tolist()))
    ]
    support = np.maximum(total.sum(1), 1)
    result |= {
        "ece": _percent(np.mean([expected_calibration_error(p, true) for p in probabilities])),
        "uar_deviation_over_seeds": _percent(np.std([uar(m) for m in matrices])),
        "uar_per_fold": [_percent(value) for value in per_fold],
        "uar_fold_mean": _percent(np.mean(per_fold)),
        "uar_fold_deviation": _percent(np.std(per_fold)),
        "recall": {name: _percent(total[i, i] / support[i]) for name, i in index.items() if total[i].sum()},
        "per_corpus": {
            str(name): _scores(
                true[corpora == name], predicted[:, corpora == name], speakers[corpora == name], len(classes)
            )
            for name in sorted(set(corpora.tolist()))
        },
        "seeds": list(whole),
        "classes": list(classes),
        "confusion": total.tolist(),
    }
    return result


def _scores(true: Any, predicted: Any, speakers: Any, classes: int) -> dict[str, Any]:
    matrices = [confusion_matrix(true, row, classes) for row in predicted]
    interval = bootstrap_interval(true, predicted, speakers, classes)
    return {
        "uar": _percent(np.mean([uar(m) for m in matrices])),
        "uar_low": _percent(interval.low),
        "uar_high": _percent(interval.high),
        "interval_over": interval.over,
        "wa": _percent(np.mean([weighted_accuracy(m) for m in matrices])),
        "macro_f1": _percent(np.mean([macro_f1(m) for m in matrices])),
        "utterances": len(true),
        "speakers": len(set(speakers.tolist())),
    }


def _as_row(fit: Fit) -> dict[str, Any]:
    """Leave out the members of what is no ensemble, and the settings of what is not tuned."""
    return {name: value for name, value in asdict(fit).items() if name not in ("members", "settings") or value}


def measure_validation(validated: Sequence[Row], classes: Sequence[str], fits: Sequence[Fit]) -> dict[str, Any]:
    """Compute the validation UAR that recipes are chosen by, in percent.

    Folds are pooled, as those of the test are: what one fold validates on is often a speaker or two, and not every
    class. With several seeds it is the mean over seeds. Where not every fit has left its answers, it is the mean of
    what the fits said, and ``is_validation_pooled`` is false.

    Args:
        validated: Answers on validation utterances; what several folds validate on counts in each.
        classes: In order.
        fits: One per fold and seed.
    """
    values = [fit.validation_uar for fit in fits if fit.validation_uar is not None]
    is_pooled = bool(values) and {(r.fold, r.seed) for r in validated} == {(fit.fold, fit.seed) for fit in fits}
    if is_pooled:
        index, seeds = {name: i for i, name in enumerate(classes)}, sorted({row.seed for row in validated})
        pooled = [
            uar(confusion_matrix(
                np.array([index[row.true] for row in validated if row.seed == seed]),
                np.array([index[row.predicted] for row in validated if row.seed == seed]),
                len(classes),
            ))
            for seed in seeds
        ]  # fmt: skip
        values = [_percent(np.mean(pooled))]
    return {
        "validation_uar": round(float(np.mean(values)), 2) if values else None,
        "is_validation_pooled": is_pooled,
        "is_epoch_chosen": is_epoch_chosen(fits),
    }


def _percent(value: float | np.floating[Any]) -> float:
    return round(100 * float(value), 2)
