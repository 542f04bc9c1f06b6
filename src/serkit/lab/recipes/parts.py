"""Optional parts of a recipe: the search of ``tune``, the first training of ``pretrain``, members of ensembles."""

from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from serkit.data.corpora import corpus_of, label_set_of

_Value = TypeVar("_Value")
MEMBER_KEYS = ("model", "features", "train", "augment", "pretrain")  # keys of an ensemble's member


class Strict(BaseModel):
    """A part of a recipe: immutable, and unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


def each_once(values: tuple[_Value, ...]) -> tuple[_Value, ...]:
    """Refuse a repeated value."""
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{value} is repeated; name it once")
    return values


class Range(Strict):
    """The range of a searched setting: all numbers between two; only integers if both are integers."""

    low: int | float
    high: int | float
    log: bool = False  # whether it is drawn uniformly in its logarithm

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.low >= self.high or (self.log and self.low <= 0):
            raise ValueError("low must be below high, and above 0 with log: true")
        return self


class Tune(Strict):
    """A search for settings within each fold, on its training and validation speakers alone.

    Optuna's TPE draws the trials. Each trial is fitted on inner folds of these speakers, each of which is the
    validation set once; its score is the mean validation UAR. The fold is then fitted with the best trial's settings.
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
                    f"{key!r} cannot be searched: choose settings of model, train or augment, except waveform and "
                    "speeds, which change the features"
                )
            if isinstance(values, tuple) and len(values) < 2:
                raise ValueError(f"{key}: name at least two values, or low and high")
        return space


class Pretrain(Strict):
    """A first training on all speakers of other corpora; every fit of the recipe begins with its weights.

    It has the recipe's own features and training settings, except for what is set here. Weights whose shape depends on
    the number of classes, usually those of the last layer, are initialized anew for the fit, and features are
    standardized again on each fold's training side.
    """

    corpora: tuple[str, ...] = Field(min_length=1)
    labels: str | tuple[str, ...]  # label set of these corpora, which may differ from the recipe's
    epochs: int = Field(default=20, ge=1)  # for each stage of the model
    lr: float | None = Field(default=None, gt=0)  # None: the recipe's

    _each_once = field_validator("corpora")(each_once)

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        for name in self.corpora:
            corpus_of(name)
        label_set_of(self.labels, self.corpora)
        return self
