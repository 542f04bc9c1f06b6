"""A first training on other corpora, with whose weights the fits of a recipe begin."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from serkit.corpora import label_set_of
from serkit.errors import LeakageError
from serkit.lab.folds import Split
from serkit.lab.leakage import check_leakage
from serkit.lab.models import Body
from serkit.lab.recipe import Pretrain, Recipe, parse_recipe
from serkit.labels import LabelSet
from serkit.manifest import Manifest, merge


def first_recipe(recipe: Recipe, seeds: Sequence[int]) -> Recipe:
    """Return the recipe of the first training: the same model and features, all speakers of the other corpora.

    Args:
        recipe: Of a single model, with ``pretrain``.
        seeds: Of the fits that will begin with it, each with the weights of its own seed.
    """
    pretrain = _pretrain_of(recipe)
    content = {key: value for key, value in recipe.as_mapping().items() if key not in ("pretrain", "about")}
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


def with_first(
    split: Split,
    manifest: Manifest,
    digests: Mapping[str, str],
    first: Manifest,
    first_digests: Mapping[str, str],
) -> tuple[Split, Manifest, Mapping[str, str]]:
    """Return what the leakage guard shall look at: each fold with the first training on its training side.

    Args:
        split: The folds of a recipe.
        manifest: Their utterances.
        digests: Utterance id to the digest of its decoded audio.
        first: What first trainings are on; nothing changes where that is nothing.
        first_digests: As ``digests``.

    Raises:
        LeakageError: If the first training knows a test or validation speaker, or audio of one.
    """
    if not len(first):
        return split, manifest, digests
    own = {u.id for u in manifest}
    both = sorted(own & {u.id for u in first})
    if both:
        raise LeakageError(f"pretrain: {len(both)} utterances are the recipe's own, the first is {both[0]!r}.")
    names = tuple(u.id for u in first)
    wider = replace(split, folds=tuple(replace(fold, train=(*fold.train, *names)) for fold in split.folds))
    everything, heard = merge([manifest, first]), {**digests, **first_digests}
    check_leakage(wider, everything, heard)
    return wider, everything, heard


def begin_with(body: Body, folder: Path, classes: int, build: Callable[[int], Body]) -> None:
    """Give a body the weights of a first training, but for those whose shape depends on how many classes there are.

    Args:
        body: To be fitted; changed in place.
        folder: Of the fit of the first training.
        classes: How many that had.
        build: From a number of classes to a body like it.
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
