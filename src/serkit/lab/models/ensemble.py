"""Ensembles: several models, seeds or inner folds whose predictions are combined.

An ensemble has no weights of its own. Its members are trained one by one, each a whole model with its own features,
training and calibration; see :mod:`serkit.lab.training.run`.
"""

from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from serkit.errors import RecipeError
from serkit.lab.models.body import BodyConfig
from serkit.lab.recipes.config import require
from serkit.lab.recipes.parts import MEMBER_KEYS


@dataclass(frozen=True)
class EnsembleConfig(BodyConfig):
    """Settings of an ensemble.

    Attributes:
        members: Members, each with its ``model``, and with ``features``, ``train``, ``augment`` and ``pretrain`` where
            they differ from that model's defaults.
        rule: Combination rule. ``majority``, as in the iemocap-coattention report: shares of the votes, with ties
            broken by mean probability; ``mean``: mean of the members' probabilities; ``weighted``: mean weighted by
            the members' validation UAR.
        seeds: Seeds; each member is trained once with each.
        inner_folds: Number of inner folds; each member is trained once per inner fold, with other training speakers
            held out for validation. None keeps the protocol's validation.
    """

    members: tuple[dict[str, Any], ...] = ()
    rule: Literal["majority", "mean", "weighted"] = "mean"
    seeds: tuple[int, ...] = (0,)
    inner_folds: int | None = None

    def __post_init__(self) -> None:
        if not self.members:
            raise RecipeError(
                "an ensemble needs members, each with its model, such as members: [{model: crnn}, {model: svm}]."
            )
        for member in self.members:
            unknown = [key for key in member if key not in MEMBER_KEYS]
            if unknown or "model" not in member:
                found = repr(unknown[0]) if unknown else "no model"
                raise RecipeError(f"a member of an ensemble takes {', '.join(MEMBER_KEYS)}; this one has {found}.")
        if len(set(self.seeds)) < len(self.seeds):
            raise RecipeError("an ensemble's seeds must differ: a repeated seed would count its members twice.")
        require(
            self,
            rule=self.rule in ("majority", "mean", "weighted"),
            seeds=bool(self.seeds) and min(self.seeds) >= 0,
            inner_folds=self.inner_folds is None or self.inner_folds >= 2,
        )

    @classmethod
    def tiny(cls) -> "EnsembleConfig":
        """Return the settings of two members that vote."""
        return cls(members=({"model": "crnn"}, {"model": "mlp"}), rule="majority")


class Ensemble:
    """Majority vote, mean probability, or mean weighted by validation UAR, over models, seeds or inner folds."""

    def __init__(self, layout: object, classes: int, config: EnsembleConfig) -> NoReturn:
        raise RecipeError("an ensemble cannot be a member of another ensemble: list its members instead.")
