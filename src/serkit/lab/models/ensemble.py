"""Several models that answer together: over seeds, inner folds, or different models.

An ensemble has no weights of its own. Its members are trained one by one, each a whole model with its own features,
training and calibration; see :mod:`serkit.lab.train.run`.
"""

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from serkit.errors import RecipeError
from serkit.lab.models.contract import BodyConfig
from serkit.lab.recipes.config import require
from serkit.lab.recipes.parts import MEMBER_KEYS


@dataclass(frozen=True)
class EnsembleConfig(BodyConfig):
    """Settings of an ensemble.

    Attributes:
        members: Each with its ``model``, and ``features``, ``train``, ``augment``, ``pretrain`` where they differ from
            that model's defaults.
        rule: ``majority``: as document E, shares of the votes, ties by mean probability; ``mean``: of the members'
            probabilities; ``weighted``: by the members' validation UAR.
        seeds: Each member is trained once with each of them.
        inner_folds: Each member is trained so often, every time with other training speakers held out for
            validation; None leaves the protocol's validation.
    """

    members: tuple[dict[str, Any], ...] = ()
    rule: Literal["majority", "mean", "weighted"] = "mean"
    seeds: tuple[int, ...] = (0,)
    inner_folds: int | None = None

    def __post_init__(self) -> None:
        if not self.members:
            raise RecipeError("an ensemble needs members, each with its model: members: [{model: crnn}, {model: svm}].")
        for member in self.members:
            unknown = [key for key in member if key not in MEMBER_KEYS]
            if unknown or "model" not in member:
                found = repr(unknown[0]) if unknown else "no model"
                raise RecipeError(f"a member has {', '.join(MEMBER_KEYS)}; this one has {found}.")
        if len(set(self.seeds)) < len(self.seeds):
            raise RecipeError("an ensemble's seeds: one stands twice, and its members would vote twice.")
        require(
            self,
            rule=self.rule in ("majority", "mean", "weighted"),
            seeds=bool(self.seeds) and min(self.seeds) >= 0,
            inner_folds=self.inner_folds is None or self.inner_folds >= 2,
        )

    @classmethod
    def tiny(cls) -> "EnsembleConfig":
        """Two networks that vote."""
        return cls(members=({"model": "crnn"}, {"model": "mlp"}), rule="majority")


class Ensemble:
    """Majority vote, mean probability, or mean weighted by validation UAR, over models, seeds or inner folds."""

    def __init__(self, layout: object, classes: int, config: EnsembleConfig) -> NoReturn:
        raise RecipeError("an ensemble is no network of its own: it cannot be a member of another one.")
