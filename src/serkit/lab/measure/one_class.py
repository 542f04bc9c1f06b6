"""Finds models that answer one class for nearly everything: they have learned nothing, whatever their UAR says."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serkit.lab.measure.run_folder import TESTED, VALIDATED, Row, read_predictions
from serkit.lab.recipes.registry import find_model, model_names

MARK = "one class for nearly every clip"  # in tables
_SHARE = 0.9  # of the answers that are one class
_FEWEST = 6  # clips from which on a single fit is judged
_FOR_NETWORKS = (
    "try more epochs (train.epochs), another learning rate (train.lr), class weights (train.class_weights) or "
    "normalized features"
)
_FOR_OTHERS = "try other features, or class weights (train.class_weights)"


@dataclass(frozen=True)
class _Answers:
    """The answers of one or several fits: their most frequent class, and how they compare with chance."""

    first: str
    count: int
    total: int
    present: int
    uar: float

    @property
    def chance(self) -> float:
        return 100 / self.present

    @property
    def is_one_class(self) -> bool:
        """Whether one class has nine in ten answers, and recall says that this is not what the clips are."""
        is_wrong = self.present > 1 and self.uar <= (self.chance + 100) / 2
        return is_wrong and self.count >= _SHARE * self.total


def chance_of(true: Sequence[str]) -> float:
    """Return the UAR of guessing in percent, from the true class of each clip."""
    return 100 / max(1, len(set(true)))


def one_class_remark(rows: Sequence[Row], *, model: str = "") -> str:
    """Return a sentence on predictions that are one class for nine in ten clips; empty if they are not.

    It judges all predictions together, then those of each fold and seed.

    Args:
        rows: Predictions of a run.
        model: Name of the model in the registry, for the advice.
    """
    if not rows:
        return ""
    advice = _FOR_OTHERS if model in model_names() and not find_model(model).is_network else _FOR_NETWORKS
    every = _answers(rows)
    if every.is_one_class:
        is_all = every.count == every.total
        which = "every answer is" if is_all else f"{every.count} of {every.total} answers are"
        much = "nothing" if is_all else "next to nothing"
        return f"{which} {every.first!r}: the model has learned {much} (chance is {every.chance:.1f}); {advice}."
    by_fit: dict[tuple[int, int], list[Row]] = defaultdict(list)
    for row in rows:
        by_fit[row.fold, row.seed].append(row)
    found = {place: _answers(some) for place, some in sorted(by_fit.items()) if len(some) >= _FEWEST}
    bad = [(place, one) for place, one in found.items() if one.is_one_class and one.total >= 2 * one.present]
    if not bad:
        return ""
    (fold, seed), first = bad[0]
    return (
        f"{len(bad)} of {len(by_fit)} models answer one class for nine in ten clips or more, such as {first.first!r} "
        f"in fold {fold} of seed {seed}: they have learned nothing (chance is {first.chance:.1f}); {advice}."
    )


def remark_on_run(folder: Path, *, model: str = "", fold: int | None = None, seed: int | None = None) -> str:
    """Return :func:`one_class_remark` on the test predictions of a run, or its validation predictions without a test.

    Args:
        folder: Run folder.
        model: Name of the model, for the advice.
        fold: Fold whose validation predictions are judged instead.
        seed: Seed of that fold.

    Raises:
        RunError: If the predictions are damaged.
    """
    if fold is None:
        return one_class_remark(read_predictions(folder)[0] or read_predictions(folder, VALIDATED)[0], model=model)
    rows = [row for name in (VALIDATED, TESTED) for row in read_predictions(folder, name)[0]]
    return one_class_remark([row for row in rows if (row.fold, row.seed) == (fold, seed)], model=model)


def _answers(rows: Sequence[Row]) -> _Answers:
    ((first, count),) = Counter(row.predicted for row in rows).most_common(1)
    right, support = Counter(row.true for row in rows if row.true == row.predicted), Counter(row.true for row in rows)
    uar = 100 * sum(right[name] / support[name] for name in support) / len(support)
    return _Answers(first, count, len(rows), len(support), uar)
