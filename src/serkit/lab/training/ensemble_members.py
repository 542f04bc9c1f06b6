"""The members of an ensemble: which are fitted for a fold, with which seeds, and how their answers are combined.

A single model is no ensemble: it has no jobs here, and is fitted once for each fold and seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serkit.data.manifest import Manifest
from serkit.lab.measure.run_folder import Fit
from serkit.lab.measure.voting import Rule, combine
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.validation import rotate_validation
from serkit.lab.training.resolve import ResolvedRecipe


@dataclass(frozen=True)
class MemberJob:
    """One model of an ensemble that is to be fitted for a fold.

    Attributes:
        number: Place among the fold's jobs, from 0.
        member: Place of its recipe among the ensemble's members.
        seed: Seed of the fit.
        fold: Training, validation and test utterances of this member.
    """

    number: int
    member: int
    seed: int
    fold: Fold

    @property
    def folder(self) -> str:
        """Name of its folder within the folder of fold and seed."""
        return member_folder(self.number)


def member_folder(number: int) -> str:
    """Return the folder name of an ensemble's member."""
    return f"member_{number:02d}"


def fit_seeds(resolved: ResolvedRecipe, seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds of the models that are fitted for some seeds of a run.

    An ensemble's members have seeds of their own: 1000 times the run's seed plus each of the ensemble's ``seeds``.
    """
    if resolved.ensemble:
        seeds = [_member_seed(seed, own) for seed in seeds for own in resolved.ensemble.seeds]
    return tuple(dict.fromkeys(seeds))


def ensemble_jobs(resolved: ResolvedRecipe, manifest: Manifest, split: Split, fold: Fold, seed: int) -> list[MemberJob]:
    """Return all models that an ensemble fits for one fold: by member, then by seed, then by inner fold.

    Where the protocol draws training speakers several times, the members' seeds take the draws in turn.

    Args:
        resolved: The recipe; a single model has no jobs.
        manifest: All utterances of the experiment.
        split: All folds of the experiment.
        fold: The fold to fit.
        seed: One of the run's seeds; the members' seeds follow from it, see :func:`fit_seeds`.
    """
    config = resolved.ensemble
    if config is None:
        return []
    parts = [
        (member, _member_seed(seed, own), part)
        for member in range(len(config.members))
        for own in config.seeds
        for part in _divisions(resolved, manifest, split, fold, own)
    ]
    return [MemberJob(number, *part) for number, part in enumerate(parts)]


def member_weights(fits: Sequence[Fit]) -> list[float]:
    """Return the weight of each member: its validation UAR, or 1 for all where one of them has no validation."""
    values = [fit.validation_uar for fit in fits]
    return [1.0] * len(fits) if None in values else [float(value or 0.0) for value in values]


def combine_validation(
    jobs: Sequence[MemberJob], answers: Sequence[NDArray[np.float64]], rule: Rule, weights: Sequence[float]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Combine the answers of members on their validation utterances.

    Under inner folds each utterance is answered by those members alone that were not trained on it. Fewer members are
    less confident than all of them, and so is a temperature that is fitted on these answers.

    Args:
        jobs: The members.
        answers: Probabilities (m, C) of each member, in the order of its fold's validation utterances.
        rule: Rule that combines the answers.
        weights: Weight of each member.

    Returns:
        The utterances, and their common probabilities (n, C).
    """
    rows_of: dict[str, dict[int, NDArray[np.float64]]] = {}
    for place, (job, rows) in enumerate(zip(jobs, answers, strict=True)):
        for name, row in zip(job.fold.validation, rows, strict=True):
            rows_of.setdefault(name, {})[place] = row
    found: dict[str, NDArray[np.float64]] = {}
    for places in sorted({tuple(rows) for rows in rows_of.values()}):
        names = [name for name, rows in rows_of.items() if tuple(rows) == places]
        common = combine(
            np.array([[rows_of[name][i] for name in names] for i in places]), rule, [weights[i] for i in places]
        )
        found |= dict(zip(names, common, strict=True))
    return tuple(found), np.array([*found.values()]).reshape(len(found), answers[0].shape[1])


def _member_seed(seed: int, own: int) -> int:
    return 1000 * seed + own


def _divisions(resolved: ResolvedRecipe, manifest: Manifest, split: Split, fold: Fold, own: int) -> list[Fold]:
    """Return the folds that one of the ensemble's own seeds is fitted on: one, or all inner folds."""
    assert resolved.ensemble
    if split.draws > 1:
        (fold,) = (one for one in split.of_seed(own) if one.fold == fold.fold)
    inner_folds = resolved.ensemble.inner_folds
    return [fold] if inner_folds is None else rotate_validation(manifest, resolved.recipe.protocol, fold, inner_folds)
