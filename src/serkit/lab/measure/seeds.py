"""The seeds of a run: which are complete, and what they answer together as an ensemble."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from serkit.lab.measure.run_folder import Row


def whole_seeds(rows: Sequence[Row]) -> dict[int, list[Row]]:
    """Return the rows of each complete seed, sorted by utterance and fold.

    A seed is complete if it has predictions for the same utterances and folds as the seed with the most predictions
    (the first such seed, if there are several).
    """
    by_seed: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.seed, row.utterance, row.fold)):
        by_seed.setdefault(row.seed, []).append(row)
    tested = {seed: [(row.utterance, row.fold) for row in some] for seed, some in by_seed.items()}
    longest = max(tested.values(), key=len, default=[])
    return {seed: some for seed, some in by_seed.items() if tested[seed] == longest}


def seeds_together(rows: Sequence[Row], classes: Sequence[str]) -> list[Row]:
    """Return the predictions of an ensemble of the complete seeds: the mean of their probabilities.

    The rows carry the number of the first seed. See :func:`whole_seeds`.
    """
    found = []
    for same in zip(*whole_seeds(rows).values(), strict=True):
        mean = np.mean([row.probabilities for row in same], axis=0)
        answer = classes[int(mean.argmax())]
        found.append(replace(same[0], predicted=answer, probabilities=tuple(mean.tolist())))
    return found
