"""Computes the metrics of a run from its predictions: folds are pooled, seeds averaged."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from serkit.lab.measure.intervals import bootstrap_interval
from serkit.lab.measure.metrics import (
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    uar,
    weighted_accuracy,
)
from serkit.lab.measure.run_folder import Fit, Row, is_epoch_chosen
from serkit.lab.measure.seeds import whole_seeds


def metrics_of(
    rows: Sequence[Row],
    classes: Sequence[str],
    fits: Sequence[Fit],
    facts: Mapping[str, Any],
    *,
    validated: Sequence[Row] = (),
) -> dict[str, Any]:
    """Return the content of ``metrics.json``, computed from predictions.

    Args:
        rows: Test predictions so far.
        classes: Class names, in the order of the probabilities.
        fits: Records of the finished fits, one per fold and seed.
        facts: Entries that are not computed: name, protocol, whether the run is complete, and the like.
        validated: Validation predictions so far.
    """
    content = {**facts, **(measure(rows, classes) if rows else {}), **measure_validation(validated, classes, fits)}
    content["fits"] = [_record_of(fit) for fit in sorted(fits, key=lambda f: (f.seed, f.fold))]
    return content


def measure(rows: Sequence[Row], classes: Sequence[str]) -> dict[str, Any]:
    """Compute all metrics of a run, in percent, from its test predictions.

    Folds are pooled. With several complete seeds (see :func:`whole_seeds`) each metric is the mean over seeds.
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

    scores = _scores(true, predicted, speakers, len(classes))
    matrices = [confusion_matrix(true, row, len(classes)) for row in predicted]
    total = np.sum(matrices, axis=0)
    per_fold = [
        np.mean([uar(confusion_matrix(true[folds == k], row[folds == k], len(classes))) for row in predicted])
        for k in sorted(set(folds.tolist()))
    ]
    support = np.maximum(total.sum(1), 1)
    parts = {str(name): corpora == name for name in sorted(set(corpora.tolist()))}
    return scores | {
        "ece": _percent(np.mean([expected_calibration_error(p, true) for p in probabilities])),
        "uar_deviation_over_seeds": _percent(np.std([uar(m) for m in matrices])),
        "uar_per_fold": [_percent(value) for value in per_fold],
        "uar_fold_mean": _percent(np.mean(per_fold)),
        "uar_fold_deviation": _percent(np.std(per_fold)),
        "recall": {name: _percent(total[i, i] / support[i]) for name, i in index.items() if total[i].sum()},
        "per_corpus": {
            name: _scores(true[part], predicted[:, part], speakers[part], len(classes)) if len(parts) > 1 else scores
            for name, part in parts.items()
        },
        "seeds": list(whole),
        "classes": list(classes),
        "confusion": total.tolist(),
    }


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


def _record_of(fit: Fit) -> dict[str, Any]:
    """Return the record of a fit without empty ``members`` and ``settings``."""
    return {name: value for name, value in asdict(fit).items() if name not in ("members", "settings") or value}


def measure_validation(validated: Sequence[Row], classes: Sequence[str], fits: Sequence[Fit]) -> dict[str, Any]:
    """Compute the validation UAR that recipes are chosen by, in percent.

    Folds are pooled like those of the test, because one fold often validates on one or two speakers that lack a class.
    With several seeds it is the mean over seeds. If a fit has not stored its validation predictions, it is the mean of
    the fits' own validation UARs, and ``is_validation_pooled`` is false.

    Args:
        validated: Validation predictions. An utterance that several folds validate on counts once per fold.
        classes: Class names, in the order of the probabilities.
        fits: Records of the fits, one per fold and seed.
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
