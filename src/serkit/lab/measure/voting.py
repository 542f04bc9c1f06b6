"""How several models answer as one: by their mean, by weights, or by majority."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serkit.errors import RecipeError

Rule = Literal["majority", "mean", "weighted"]

FLOOR = 1e-7  # of a probability, before its logarithm is taken
TOWARDS_MEAN = 1e-4  # how far vote shares are moved towards the mean probability, so that it decides between equals


def combine(
    probabilities: NDArray[np.floating], rule: Rule, weights: Sequence[float] = (), *, temperature: float = 1.0
) -> NDArray[np.float64]:
    """Combine what the members of an ensemble say.

    Args:
        probabilities: Shape (M, n, C).
        rule: ``mean``: of the probabilities; ``weighted``: by ``weights``; ``majority``: the share of the members whose
            most probable class it is, moved by 1e-4 towards the mean, which so decides between classes with as many
            votes. (In a model file, whose numbers are float32, means closer than a thousandth are alike there.)
        weights: One for each member, for ``weighted``; not negative, and not all zero.
        temperature: Of the common answer, which is too unsure where members that are sure of themselves disagree; its
            logarithm is divided by it. It never changes which class is first.

    Returns:
        Shape (n, C); rows sum to 1.

    Raises:
        RecipeError: If the weights are none.
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
    """Divide the logarithm of probabilities (n, C) by a temperature; rows sum to 1."""
    if temperature == 1:
        return probabilities
    raised = np.clip(probabilities, FLOOR, 1) ** (1 / temperature)
    found: NDArray[np.float64] = raised / raised.sum(-1, keepdims=True)
    return found


def normalize(weights: Sequence[float], members: int) -> NDArray[np.float64]:
    """Return weights that sum to 1.

    Raises:
        RecipeError: If they are not one for each member, or negative, not finite, or all zero.
    """
    given = np.array(weights, np.float64)
    if given.shape != (members,) or not np.isfinite(given).all() or (given < 0).any() or not given.any():
        raise RecipeError(
            f"{members} members need {members} weights of which none is negative and not all are 0: {list(weights)}."
        )
    shares: NDArray[np.float64] = given / given.sum()
    return shares
