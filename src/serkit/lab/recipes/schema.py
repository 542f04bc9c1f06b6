"""The schema of a recipe, which describes one experiment, and its defaults.

A recipe holds only what differs from the defaults. Those of features and models are beside their code. An unknown key
is refused, and the message names the nearest known one.
"""

from collections.abc import Iterable
from typing import Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError, field_validator, model_validator

from serkit.data.corpora import corpus_of, label_set_of
from serkit.errors import RecipeError, nearest
from serkit.lab.recipes.config import describe
from serkit.lab.recipes.parts import MEMBER_KEYS, Pretrain, Strict, Tune, each_once
from serkit.lab.recipes.registry import ENSEMBLE, find_model


class NamedSettings(BaseModel):
    """A registered part and the settings that differ from its own defaults."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """The settings without the name."""
        return dict(self.__pydantic_extra__ or {})


class Protocol(Strict):
    """How utterances are split into training, validation and test sides; see :mod:`serkit.lab.splits.protocols`.

    A setting that the protocol would ignore is refused.
    """

    name: Literal[
        "speaker_kfold", "leave_one_speaker_out", "leave_one_session_out", "leave_one_corpus_out", "cross_corpus",
        "fixed_test_speakers", "published_folds", "random",
    ] = "speaker_kfold"  # fmt: skip
    folds: int = Field(default=5, ge=2)  # for speaker_kfold, and for random without test_share
    order: Literal["consecutive", "balanced"] = "balanced"  # for speaker_kfold
    test_speakers: tuple[str, ...] = ()  # for fixed_test_speakers
    train_corpora: tuple[str, ...] = ()  # for cross_corpus
    test_corpora: tuple[str, ...] = ()
    intersect: Literal["both", "test"] = "both"  # test: the training side may have classes that the test side lacks
    table: str = ""  # for published_folds: name of a table that comes with serkit, or a CSV file
    test_share: float | None = Field(
        default=None, gt=0, lt=1
    )  # for random: one fold with this share, in place of several
    speaker_dependent: bool = False
    train_speakers: int | None = Field(default=None, ge=1)  # number of training speakers to draw; None: all
    draws: int = Field(default=1, ge=1)  # draws of training and validation speakers, which seeds take in turn
    validation: Literal["speakers", "sentences", "random", "none"] = "speakers"  # for all protocols but random
    validation_speakers: int | None = Field(default=None, ge=1)  # per corpus; None: one in eight
    validation_share: float = Field(default=0.1, gt=0, lt=1)  # share of the training side, for random validation
    seed: NonNegativeInt = 0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.name == "random" and not self.speaker_dependent:
            raise ValueError(
                "a random split has the same speakers on both sides: set speaker_dependent: true, which tables show"
            )
        if self.speaker_dependent and self.name not in ("random", "published_folds"):
            raise ValueError(
                f"speaker_dependent: true is for random and published_folds; {self.name} keeps speakers apart"
            )
        for name, protocols in _BELONGS_TO.items():
            if self._is_changed(name) and self.name not in protocols:
                raise ValueError(f"{name} is for {' and '.join(protocols)}; {self.name} would ignore it")
        for name in ("test_speakers", "train_corpora", "test_corpora", "table"):
            if not getattr(self, name) and self.name in _BELONGS_TO[name]:
                raise ValueError(f"{self.name} needs {name}")
        both = sorted({*self.train_corpora} & {*self.test_corpora})
        if both:
            raise ValueError(f"{both[0]} is in both train_corpora and test_corpora: name it in one of them")
        if self.name == "random" and (self.train_speakers is not None or self.draws > 1):
            raise ValueError(
                "train_speakers and draws are for protocols that keep speakers apart; a random split would ignore them"
            )
        if self.test_share is not None and self._is_changed("folds"):
            raise ValueError("folds: test_share makes a single fold; remove one of the two settings")
        return self

    @model_validator(mode="after")
    def _validation_is_followed(self) -> Self:
        is_random = self.name == "random"
        if is_random and self.validation in ("sentences", "none"):
            raise ValueError(
                f"a random split is validated on a random share and would ignore validation: {self.validation}; "
                "remove that setting"
            )
        if self._is_changed("validation_speakers") and (is_random or self.validation != "speakers"):
            what = "a random split" if is_random else f"validation: {self.validation}"
            raise ValueError(f"validation_speakers is for validation: speakers; {what} would ignore it")
        if self._is_changed("validation_share") and not is_random and self.validation != "random":
            raise ValueError(
                f"validation_share is for validation: random; validation: {self.validation} would ignore it"
            )
        return self

    def _is_changed(self, name: str) -> bool:
        """Whether a setting differs from its default."""
        return bool(getattr(self, name) != type(self).model_fields[name].default)


_BELONGS_TO = {
    "folds": ("speaker_kfold", "random"),
    "order": ("speaker_kfold",),
    "test_speakers": ("fixed_test_speakers",),
    "train_corpora": ("cross_corpus",),
    "test_corpora": ("cross_corpus",),
    "intersect": ("cross_corpus",),
    "table": ("published_folds",),
    "test_share": ("random",),
}


class Augment(Strict):
    """Augmentation of training utterances.

    ``speeds`` are resampling factors; one is drawn per utterance and epoch (Ko et al., Interspeech 2015).
    SpecAugment replaces bands and frames by the utterance's mean (Park et al., Interspeech 2019).
    ``waveform`` is a chain of augmentations of the waveform, see :mod:`serkit.lab.augment`. They are drawn anew in
    every epoch, or once for ``copies`` copies. If ``augment`` is a list in a recipe, it is this chain, and all other
    augmentation is off.
    """

    waveform: tuple[NamedSettings, ...] = ()
    copies: int | None = Field(default=None, ge=1)  # augmented copies of each utterance; an epoch takes one of them
    workers: NonNegativeInt = 0  # processes that augment waveforms; the result does not depend on it
    speeds: tuple[float, ...] = (0.9, 1.0, 1.1)
    band_masks: int = Field(default=2, ge=0)
    band_mask_size: int = Field(default=8, ge=1)
    frame_masks: int = Field(default=2, ge=0)
    frame_mask_share: float = Field(default=0.1, ge=0, le=1)
    mixup: float = Field(default=0.2, ge=0)  # alpha of the Beta distribution; 0 turns it off

    @model_validator(mode="before")
    @classmethod
    def _a_list_is_a_chain(cls, value: object) -> object:
        if not isinstance(value, list | tuple):
            return value
        return {"waveform": value, "speeds": (1.0,), "band_masks": 0, "frame_masks": 0, "mixup": 0}

    @field_validator("waveform", mode="before")
    @classmethod
    def _names_are_enough(cls, value: object) -> object:
        return [{"name": one} if isinstance(one, str) else one for one in value] if isinstance(value, list) else value

    @model_validator(mode="after")
    def _one_way_to_change_speed(self) -> Self:
        if self.waveform and self.speeds != (1.0,):
            raise ValueError("set speeds to [1.0] together with waveform; for other speeds, name speed in waveform")
        return self

    @model_validator(mode="after")
    def _copies_are_of_changed_waveforms(self) -> Self:
        if self.copies and not self.waveform:
            raise ValueError("copies are copies with augmented waveforms, and waveform is empty")
        return self

    @field_validator("speeds")
    @classmethod
    def _sane(cls, speeds: tuple[float, ...]) -> tuple[float, ...]:
        if not speeds or not all(0.5 <= speed <= 2 for speed in speeds):
            raise ValueError("speeds must be at least one factor, each between 0.5 and 2")
        return speeds


class Train(Strict):
    """Optimization settings; a model's defaults in :mod:`serkit.lab.recipes.registry` take precedence over these."""

    optimizer: Literal["adamw", "adam", "sgd", "rmsprop"] = "adamw"
    lr: float = Field(default=2e-3, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)  # for sgd
    weight_decay: float = Field(default=1e-2, ge=0)
    batch_size: int = Field(default=32, ge=2)
    accumulate: int = Field(default=1, ge=1)  # batches for one optimizer step
    epochs: int = Field(default=40, ge=1)  # for each stage of a model that is trained in several
    scheduler: Literal["one_cycle", "cosine", "linear", "cosine_restarts", "plateau", "constant"] = "one_cycle"
    warmup: float = Field(default=0.3, ge=0, lt=1)  # share of steps over which the rate rises; for the first three
    restarts: int = Field(default=3, ge=1)  # for cosine_restarts, after the first cycle
    plateau_factor: float = Field(default=0.1, gt=0, lt=1)
    plateau_patience: int = Field(default=10, ge=0)  # epochs without a lower validation loss
    min_lr: float = Field(default=0.0, ge=0)  # lowest rate of plateau
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: float = Field(default=2.0, ge=0)
    class_weights: bool = True
    sampling: Literal["natural", "balanced"] = "natural"  # balanced: classes are drawn equally often
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    l1: float = Field(default=0.0, ge=0)  # factor of the sum of magnitudes of all kernels, in the loss
    l2: float = Field(default=0.0, ge=0)  # factor of the sum of their squares
    clip_norm: float = Field(default=5.0, gt=0)
    keep: Literal["best", "last"] = "best"  # the later epoch of equally good ones
    best: Literal["validation_uar", "validation_loss"] = "validation_uar"
    patience: int | None = Field(default=None, ge=1)  # epochs without improvement before training stops
    precision: Literal["fp32", "bf16"] = "fp32"
    trackers: tuple[Literal["tensorboard", "mlflow", "wandb"], ...] = ()  # in addition to history.csv

    @model_validator(mode="after")
    def _rare_classes_weigh_once(self) -> Self:
        if self.class_weights and self.sampling == "balanced":
            raise ValueError("class_weights and balanced sampling both balance the classes: set class_weights to false")
        return self

    @field_validator("trackers", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        return [value] if isinstance(value, str) else value


_WORDS = ("about", "published")  # descriptions, which change nothing
_RARE = ("tune", "pretrain", "keep_faulty", "targets")  # left out of recipe files where they are not set


class Recipe(Strict):
    """One experiment."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._+-]*$")
    about: str = ""  # one line for listings
    published: str = ""  # source of the experiment, and the number reported there
    corpora: tuple[str, ...] = Field(min_length=1)
    labels: str | tuple[str, ...]  # name of a label set, common, or the classes themselves
    targets: Literal["labels", "votes"] = "labels"  # what training learns; votes: the shares of the listeners' votes
    keep_faulty: bool = False  # keep the utterances that a corpus lists as faulty
    protocol: Protocol = Protocol()
    features: tuple[NamedSettings, ...] = ()  # by default those of its model; none for an ensemble
    augment: Augment = Augment()
    model: NamedSettings = NamedSettings(name="crnn")
    train: Train = Train()
    tune: Tune | None = None
    pretrain: Pretrain | None = None
    seeds: tuple[NonNegativeInt, ...] = Field(default=(0,), min_length=1)

    def as_mapping(self) -> dict[str, Any]:
        """Return the content of a recipe file, as JSON-ready values; a single feature is not in a list."""
        rare = {name: type(self).model_fields[name].default for name in (*_WORDS, *_RARE)}
        content = {k: v for k, v in self.model_dump(mode="json").items() if k not in rare or v != rare[k]}
        if self.model.name == ENSEMBLE:  # its members have their own
            return {key: value for key, value in content.items() if key not in ("features", "augment", "train")}
        if len(self.features) == 1:
            content["features"] = content["features"][0]
        return content

    def is_same_experiment(self, other: "Recipe") -> bool:
        """Whether another recipe differs in its descriptions at most."""
        words = dict.fromkeys(_WORDS, "")
        return self.model_copy(update=words) == other.model_copy(update=words)

    @property
    def named_features(self) -> list[dict[str, Any]]:
        """The features as mappings with their name and settings."""
        return [feature.model_dump() for feature in self.features]

    @field_validator("model", mode="before")
    @classmethod
    def _a_name_alone_is_enough(cls, value: object) -> object:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("features", mode="before")
    @classmethod
    def _one_or_several(cls, value: object) -> object:
        several = value if isinstance(value, list | tuple) else [value]
        return [{"name": one} if isinstance(one, str) else one for one in several]

    _each_once = field_validator("corpora", "seeds")(each_once)

    @model_validator(mode="before")
    @classmethod
    def _as_the_model_has_it(cls, value: object) -> object:
        return with_defaults(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        if bool(self.features) == (self.model.name == ENSEMBLE):
            raise ValueError("features: name at least one, and none for an ensemble, whose members have their own")
        if self.tune and self.model.name == ENSEMBLE:
            raise ValueError(
                "tune: an ensemble cannot be tuned; tune the recipe of a member, and set the values that it finds"
            )
        if (self.augment.band_masks or self.augment.frame_masks) and "waveform" in [f.name for f in self.features]:
            raise ValueError(
                "augment: a mask would silence the single row of a waveform: set band_masks and frame_masks to 0"
            )
        for name in self.corpora:  # an unknown name may be that of the user's own data
            corpus_of(name)
        label_set_of(self.labels, self.corpora)
        return self

    @model_validator(mode="after")
    def _soft_targets_need_a_network(self) -> Self:
        if self.targets == "votes" and self.model.name != ENSEMBLE:  # whose members are recipes of their own
            if not find_model(self.model.name).is_network:
                raise ValueError(f"targets: votes is for networks; {self.model.name} learns from labels only")
            if self.train.loss == "focal":
                raise ValueError("targets: votes needs train.loss: cross_entropy; focal loss is defined for one label")
        return self

    @model_validator(mode="after")
    def _can_begin_with_a_first_training(self) -> Self:
        if self.pretrain is None:
            return self
        if not find_model(self.model.name).is_network:
            raise ValueError(f"pretrain: {self.model.name} is not trained in epochs and has no weights to begin with")
        if self.tune:
            raise ValueError("pretrain: the weights of a first training fit one model size only; remove tune")
        both = sorted({*parts_of(self.corpora)} & {*parts_of(self.pretrain.corpora)})
        if both:
            raise ValueError(
                f"pretrain: {both[0]} is one of the recipe's own corpora, so test speakers would be trained on"
            )
        return self


def parts_of(corpora: Iterable[str]) -> list[str]:
    """Return the corpora of the utterances in some corpora, a few of which contain others."""
    return [part for name in corpora for part in (corpus_of(name).parts or (name,))]


def with_defaults(recipe: dict[str, Any]) -> dict[str, Any]:
    """Fill in the default features, training and augmentation of a recipe's model, or of each member of its ensemble.

    Features, training and augmentation in the recipe of an ensemble are the defaults of its members.
    """
    model = recipe.get("model", "crnn")
    model = {"name": model} if isinstance(model, str) else model
    if not isinstance(model, dict) or not isinstance(model.get("name"), str):
        return recipe  # pydantic will say what is wrong
    entry = find_model(model["name"])
    if model["name"] == ENSEMBLE:
        given = {key: recipe[key] for key in MEMBER_KEYS if key != "model" and recipe.get(key)}
        if isinstance(model.get("members"), list | tuple):
            model = {**model, "members": [_member(given, member) for member in model["members"]]}
            if "pretrain" in given and not any(isinstance(m, dict) and m.get("pretrain") for m in model["members"]):
                raise RecipeError("pretrain: no member of the ensemble has weights to begin with.")
        return {**{key: value for key, value in recipe.items() if key not in given}, "model": model}
    own = {"features": list(entry.features), "train": dict(entry.train), "augment": dict(entry.augment)}
    return _merged(own, {**recipe, "model": model})


def _member(given: dict[str, Any], member: object) -> object:
    """Fill in a member of an ensemble, which may be a model's name alone; anything else is returned unchanged."""
    if isinstance(member, str) or (isinstance(member, dict) and "name" in member):
        member = {"model": member}
    if not isinstance(member, dict) or "model" not in member:
        return member
    named = member["model"].get("name") if isinstance(member["model"], dict) else member["model"]
    if named == ENSEMBLE:
        raise RecipeError("an ensemble cannot be a member of another one.")
    if isinstance(named, str) and not find_model(named).is_network:
        given = {key: value for key, value in given.items() if key != "pretrain"}
        if isinstance(given.get("train"), dict):
            given["train"] = {k: v for k, v in given["train"].items() if k == "class_weights"}
    return with_defaults(_merged(given, member))


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Return two mappings merged, where ``above`` has precedence; train, augment and pretrain are merged key by key."""
    both = {**{key: value for key, value in below.items() if value}, **above}
    for name in ("train", "augment", "pretrain"):
        parts = below.get(name), above.get(name)
        if all(isinstance(part, dict) for part in parts):
            both[name] = {**parts[0], **parts[1]}  # type: ignore[dict-item]
    return both


def parse_recipe(settings: object) -> Recipe:
    """Validate a mapping as a recipe.

    Raises:
        RecipeError: If a key is unknown or a value impossible; the message names the field.
        UnknownNameError: If a corpus or label set is unknown.
    """
    if not isinstance(settings, dict):
        raise RecipeError("a recipe is a mapping with at least name, corpora and labels.")
    try:
        return Recipe.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "extra_forbidden":
            *place, key = [str(part) for part in first["loc"]]
            known = _fields_at(place)
            if not known:
                raise RecipeError(describe(error)) from error
            where = ".".join(place) or "the recipe"
            hint = nearest(key, known) or "."
            raise RecipeError(f"{where} has no key {key!r}{hint} It has {', '.join(known)}.") from error
        raise RecipeError(describe(error)) from error


def _fields_at(place: list[str]) -> list[str]:
    """Return the known keys at a place of a recipe; none where several types are possible."""
    model: type[BaseModel] = Recipe
    for part in place:
        annotation = model.model_fields[part].annotation if part in model.model_fields else None
        kinds = [kind for kind in (get_args(annotation) or (annotation,)) if kind is not type(None)]
        if len(kinds) != 1 or not isinstance(kinds[0], type) or not issubclass(kinds[0], BaseModel):
            return []
        model = kinds[0]
    return list(model.model_fields)
