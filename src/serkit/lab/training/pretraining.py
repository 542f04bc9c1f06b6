"""The first training of ``pretrain``, on other corpora: the fits of a recipe begin with its weights."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from serkit.data.corpora import label_set_of
from serkit.data.manifest import Manifest
from serkit.data.name_spelling import spelling_key
from serkit.data.near_duplicates import NearDuplicate
from serkit.errors import LeakageError
from serkit.lab.models import Body
from serkit.lab.recipes.parts import Pretrain
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.splits.recording_groups import Sounds
from serkit.labels import LabelSet
from serkit.visible_text import side_by_side


def first_recipe(recipe: Recipe, seeds: Sequence[int]) -> Recipe:
    """Return the recipe of the first training: the same model and features, all speakers of the other corpora.

    Args:
        recipe: Recipe of a single model, with ``pretrain``.
        seeds: Seeds of the fits that will begin with it, each with the weights of its own seed.
    """
    pretrain = _pretrain_of(recipe)
    own = ("pretrain", "about", "published", "targets")  # votes are those of the recipe's own corpora
    content = {key: value for key, value in recipe.as_mapping().items() if key not in own}
    train = {**content["train"], "epochs": pretrain.epochs, "keep": "last", "patience": None}
    if pretrain.lr is not None:
        train["lr"] = pretrain.lr
    return parse_recipe(
        content
        | {
            "name": f"{recipe.model.name}-on-{'-'.join(pretrain.corpora)}",
            "corpora": pretrain.corpora,
            "labels": pretrain.labels,
        }
        | {"protocol": {"validation": "none"}, "train": train, "seeds": tuple(seeds)}
    )


def first_labels(recipe: Recipe) -> LabelSet:
    """Return the label set of the first training."""
    pretrain = _pretrain_of(recipe)
    return label_set_of(pretrain.labels, pretrain.corpora)


def check_apart(manifest: Manifest, first: Manifest) -> None:
    """Prove that no speaker of the first training is among the recipe's own speakers.

    Args:
        manifest: Utterances of the recipe.
        first: Utterances of its first training.

    Raises:
        LeakageError: If they share a speaker; spellings that differ in form only count as one.
    """
    own = {spelling_key(name): name for name in manifest.speakers}
    shared = [name for name in first.speakers if spelling_key(name) in own]
    pairs = [tuple(dict.fromkeys((name, own[spelling_key(name)]))) for name in shared[:1]]
    _refuse("speakers", shared, *(" as ".join(side_by_side(pair)) for pair in pairs))


def check_heard_apart(sounds: Sounds, first: Sounds, near: Sequence[NearDuplicate]) -> None:
    """Prove that no recording of the first training is among the recipe's own, whatever their names are.

    Args:
        sounds: What is known about the sound of the recipe's utterances.
        first: The same for the utterances of its first training, at the same sampling rate.
        near: Near-duplicates between the two, the recipe's own utterance first.

    Raises:
        LeakageError: If they share a recording.
    """
    for own, others in ((sounds.digests, first.digests), (sounds.files, first.files)):
        known = set(own.values())
        _refuse("recordings", sorted(name for name, digest in others.items() if digest in known))
    _refuse("recordings", sorted({pair.second for pair in near}))


def _refuse(what: str, shared: Sequence[str], first: str = "") -> None:
    if shared:
        raise LeakageError(
            f"pretrain: {len(shared)} {what} of the first training are also the recipe's own, the first is "
            f"{first or repr(shared[0])}: the first training must not contain what is tested or validated on."
        )


def begin_with(body: Body, folder: Path, classes: int, build: Callable[[int], Body]) -> None:
    """Load the weights of a first training into a body, except those whose shape depends on the number of classes.

    Args:
        body: Body to be fitted; changed in place.
        folder: Folder of the fit of the first training.
        classes: Number of classes of the first training.
        build: Function that builds the same body for a number of classes.
    """
    first = build(classes)
    first.load(folder)
    with torch.device("meta"):  # shapes without numbers
        shapes = [{name: w.shape for name, w in build(some).state_dict().items()} for some in (2, 3)]
    kept = {name: w for name, w in first.state_dict().items() if shapes[0][name] == shapes[1][name]}
    body.load_state_dict({**body.state_dict(), **kept})


def _pretrain_of(recipe: Recipe) -> Pretrain:
    assert recipe.pretrain is not None
    return recipe.pretrain
