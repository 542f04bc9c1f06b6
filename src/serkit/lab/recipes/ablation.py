"""Ablations: variants of a recipe, each with one thing left out or added, run on the same folds.

=========== ===========================================================================================
axis        variants
=========== ===========================================================================================
features    each feature left out; of three and more also the first alone
augment     each augmentation left out, and all; without any, each of the fusionnet report's added
balance     no balancing, class weights, and balanced sampling
corpora     the corpus of the test speakers alone, for ``fixed_test_speakers`` of a single corpus and labels
            that do not depend on the corpora
pretrain    no first training
=========== ===========================================================================================

Every variant has the classes and the test utterances of the recipe itself, so it can be compared with it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from serkit.errors import RecipeError, unknown_name
from serkit.lab.recipes.registry import ENSEMBLE
from serkit.lab.recipes.schema import Augment, Recipe, parse_recipe
from serkit.labels import COMMON

BASE = "base"  # the variant that is the recipe itself
_OF_FUSIONNET = ("stretch", "pitch", "lowpass", "noise")
_OFF: Mapping[str, dict[str, Any]] = {
    "speeds": {"speeds": [1.0]},
    "masks": {"band_masks": 0, "frame_masks": 0},
    "mixup": {"mixup": 0.0},
}


def variants(recipe: Recipe, axes: Sequence[str]) -> dict[str, Recipe]:
    """Return the variants of a recipe by name: first the recipe itself, as ``base``.

    Args:
        recipe: Recipe of a single model.
        axes: Names of the axes to vary, from the table above.

    Raises:
        UnknownNameError: If an axis is unknown.
        RecipeError: If the model is an ensemble, or the recipe has no variants along an axis.
    """
    if recipe.model.name == ENSEMBLE:
        raise RecipeError("an ensemble has no ablation: ablate the recipe of one of its members.")
    found = {BASE: recipe}
    for axis in axes:
        if axis not in _AXES:
            raise unknown_name("axis", axis, _AXES, "serkit evaluate --help")
        of_axis = {}
        for name, changes in _AXES[axis](recipe):
            changed = parse_recipe(recipe.as_mapping() | changes | {"name": f"{recipe.name}+{name}"})
            if not _is_same(changed, recipe):
                of_axis[name] = changed
        if not of_axis:
            raise RecipeError(f"{recipe.name} has nothing to vary along {axis!r}{_WHY.get(axis, '.')}")
        found |= of_axis
    return found


def _is_same(one: Recipe, other: Recipe) -> bool:
    return one.model_copy(update={"name": other.name}).is_same_experiment(other)


def _features(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any]]]:
    named = recipe.named_features
    if len(named) < 2:
        return
    for left_out in named:
        kept = [feature for feature in named if feature is not left_out]
        yield f"without-{left_out['name']}", {"features": kept}
    if len(named) > 2:
        yield f"{named[0]['name']}-alone", {"features": named[:1]}


def _augment(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any]]]:
    own = recipe.augment.model_dump(mode="json")
    chain = own["waveform"]
    on = [name for name, off in _OFF.items() if Augment(**own | off) != recipe.augment]
    names = [one["name"] for one in chain]
    for i, name in enumerate(names):
        which = name if names.count(name) == 1 else f"{name}-{names[: i + 1].count(name)}"
        rest = chain[:i] + chain[i + 1 :]
        yield f"without-{which}", {"augment": own | {"waveform": rest, "copies": own["copies"] if rest else None}}
    for name in on:
        yield f"without-{name}", {"augment": own | _OFF[name]}
    if len(chain) + len(on) > 1:
        yield "without-augmentation", {"augment": {key: value for off in _OFF.values() for key, value in off.items()}}
    if not chain and not on:
        for name in _OF_FUSIONNET:
            yield f"with-{name}", {"augment": own | {"waveform": [{"name": name}]}}


def _balance(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any]]]:
    own = recipe.train.model_dump(mode="json")
    yield "imbalanced", {"train": own | {"class_weights": False, "sampling": "natural"}}
    yield "class-weights", {"train": own | {"class_weights": True, "sampling": "natural"}}
    yield "balanced-sampling", {"train": own | {"class_weights": False, "sampling": "balanced"}}


def _corpora(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any]]]:
    """Leave out the other corpora, where the test speakers and the classes stay the same without them."""
    tested = {speaker.split("/", maxsplit=1)[0] for speaker in recipe.protocol.test_speakers}
    for corpus in recipe.corpora:
        if tested == {corpus} and recipe.labels != COMMON:
            yield f"{corpus}-alone", {"corpora": [corpus]}


def _pretrain(recipe: Recipe) -> Iterator[tuple[str, dict[str, Any]]]:
    if recipe.pretrain:
        yield "without-pretraining", {"pretrain": None}


_AXES: Mapping[str, Callable[[Recipe], Iterator[tuple[str, dict[str, Any]]]]] = {
    "features": _features,
    "augment": _augment,
    "balance": _balance,
    "corpora": _corpora,
    "pretrain": _pretrain,
}
AXES = tuple(_AXES)
_WHY = {
    "corpora": ": it needs several corpora, fixed_test_speakers of one of them, and labels that do not depend on the "
    f"corpora ({COMMON!r} does)."
}
