"""Parts of a recipe that few have: a search for settings, a first training, members of an ensemble."""

from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from serkit.data.corpora import corpus_of, label_set_of

_Value = TypeVar("_Value")
MEMBER_KEYS = ("model", "features", "train", "augment", "pretrain")  # of an ensemble's member


class Strict(BaseModel):
    """A part of a recipe: unknown keys are refused, and nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


def each_once(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """Refuse a value that stands twice."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value} stands twice; name it once")
    return values


class Range(Strict):
    """What a setting may be: any number between two, whole where both are."""

    low: int | float
    high: int | float
    log: bool = False  # whether it is drawn evenly in its logarithm

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 where log is set")
        return self


class Tune(Strict):
    """A search for settings within each fold, over its training and validation speakers alone.

    Every trial is fitted on inner folds of these speakers, each part validating once, and the mean of their validation
    UAR is what is searched for, by Optuna's TPE. The fold is then fitted with the settings of the best trial.
    """

    space: dict[str, Range | tuple[bool | int | float | str | None, ...]] = Field(min_length=1)
    trials: int = Field(default=20, ge=1)
    inner_folds: int = Field(default=3, ge=2)

    @field_validator("space")
    @classmethod
    def _can_change(cls, space: dict[str, Any]) -> dict[str, Any]:
        for key, values in space.items():
            part, _, rest = key.partition(".")
            if part not in ("model", "train", "augment") or not rest or key in ("augment.waveform", "augment.speeds"):
                raise ValueError(
                    f"{key!r} cannot be searched: settings of model, train and augment can, but for waveform and "
                    "speeds, which change the features"
                )
            if isinstance(values, tuple) and len(values) < 2:
                raise ValueError(f"{key}: name two values or more, or low and high")
        return space


class Pretrain(Strict):
    """A first training on all speakers of other corpora, with whose weights every fit of a recipe begins.

    It is the recipe's own training, over the same features, but for what stands here. What depends on the classes, the
    last layer as a rule, begins anew, and features are standardized by each fold's own training side again.
    """

    corpora: tuple[str, ...] = Field(min_length=1)
    labels: str | tuple[str, ...]  # of these corpora, which need not be the recipe's
    epochs: int = Field(default=20, ge=1)  # of each stage
    lr: float | None = Field(default=None, gt=0)  # None: the recipe's

    _each_once = field_validator("corpora")(each_once)

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for name in self.corpora:
            corpus_of(name)
        label_set_of(self.labels, self.corpora)
        return self
