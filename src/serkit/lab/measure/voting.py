"""Combines the probabilities of several models: by their mean, by a weighted mean, or by majority vote."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serkit.errors import RecipeError

Rule = Literal["majority", "mean", "weighted"]

FLOOR = 1e-7  # smallest probability whose logarithm is taken
TOWARDS_MEAN = 1e-4  # weight of the mean probability beside the vote shares: it decides between equal shares


def combine(
    probabilities: NDArray[np.floating], rule: Rule, weights: Sequence[float] = (), *, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Combine the probabilities of the members of an ensemble.

    Args:
        probabilities: Probabilities of the members, shape (M, n, C).
        rule: ``mean``: mean of the probabilities. ``weighted``: mean weighted by ``weights``. ``majority``: for each
            class, the share of the members for which it is the most probable one, moved by 1e-4 toward the mean so
            that the mean decides between classes with equal shares. (A model file computes in float32: there, means
            that differ by less than a thousandth count as equal.)
        weights: One weight per member for ``weighted``; not negative, and not all zero.
        temperature: Temperature of the combined probabilities: their logarithm is divided by it. Confident members
            that disagree give combined probabilities that are not confident enough. It never changes the most
            probable class.

    Returns:
        Combined probabilities, shape (n, C); rows sum to 1.

    Raises:
        RecipeError: If the weights do not fit, see :func:`normalize`.
    """
    members, _, classes = probabilities.shape
    shares = normalize(weights, members) if rule == "weighted" else np.full(members, 1 / members)
    mean: NDArray[np.float64] = np.einsum("m,mnc->nc", shares, probabilities.astype(np.float64))
    if rule != "majority":
        return tempered(mean, temperature)
    votes = np.eye(classes)[probabilities.argmax(-1)].mean(0)  # (n, C)
    moved: NDArray[np.float64] = (1 - TOWARDS_MEAN) * votes + TOWARDS_MEAN * mean
    return tempered(moved, temperature)


def tempered(probabilities: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Return probabilities, shape (n, C), whose logarithm is divided by a temperature; rows sum to 1."""
    if temperature == 1:
        return probabilities
    raised = np.clip(probabilities, FLOOR, 1) ** (1 / temperature)
    found: NDArray[np.float64] = raised / raised.sum(-1, keepdims=True)
    return found


def normalize(weights: Sequence[float], members: int) -> NDArray[np.float64]:
    """Return the weights of ``members`` ensemble members, scaled to sum to 1.

    Raises:
        RecipeError: If there is not one weight per member, or a weight is negative or not finite, or all are zero.
    """
    given = np.array(weights, np.float64)
    if given.shape != (members,) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise RecipeError(
            f"weights {list(weights)} do not fit {members} members: expected one per member, none negative, not all 0."
        )
    shares: NDArray[np.float64] = given / given.sum()
    return shares
