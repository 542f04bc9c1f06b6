"""A recipe resolved once: every default filled in, its ensemble's members as recipes of their own, its classes."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from serkit.data.corpora import label_set_of
from serkit.lab.features import resolve_features
from serkit.lab.models import resolve_model
from serkit.lab.models.ensemble import EnsembleConfig
from serkit.lab.recipes.parts import MEMBER_KEYS
from serkit.lab.recipes.registry import ENSEMBLE
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.labels import LabelSet


@dataclass(frozen=True)
class ResolvedRecipe:
    """A recipe with every default of its features and models filled in.

    Attributes:
        recipe: The complete recipe, as ``recipe.yaml`` of a run holds it.
        members: One complete recipe for each member of an ensemble; for a single model, the recipe itself.
        ensemble: Settings of the ensemble, None for a single model.
        labels: Label set of the recipe's classes.
    """

    recipe: Recipe
    members: tuple[Recipe, ...]
    ensemble: EnsembleConfig | None
    labels: LabelSet


def resolve_recipe(recipe: Recipe) -> ResolvedRecipe:
    """Fill in the defaults of a recipe's features and models, which stand beside their code.

    Raises:
        UnknownNameError: If a feature or a model is unknown.
        RecipeError: If one of their settings is unknown or impossible.
    """
    labels = label_set_of(recipe.labels, recipe.corpora)
    if recipe.model.name != ENSEMBLE:
        complete = _resolve_single(recipe)
        return ResolvedRecipe(complete, (complete,), None, labels)
    config = _ensemble_config(recipe)
    members = [_resolve_single(_member_recipe(recipe, member)).as_mapping() for member in config.members]
    kept = [{key: member[key] for key in MEMBER_KEYS if key in member} for member in members]
    settings = asdict(config) | {"members": kept}
    complete = parse_recipe(recipe.as_mapping() | {"model": {"name": ENSEMBLE, **_as_json(settings)}})
    config = _ensemble_config(complete)
    return ResolvedRecipe(
        complete, tuple(_member_recipe(complete, member) for member in config.members), config, labels
    )


def _resolve_single(recipe: Recipe) -> Recipe:
    """Return the complete recipe of a single model."""
    named = {
        "features": resolve_features(recipe.named_features),
        "model": {"name": recipe.model.name, **asdict(resolve_model(recipe.model.name, recipe.model.settings))},
    }
    return parse_recipe(recipe.as_mapping() | _as_json(named))


def _ensemble_config(recipe: Recipe) -> EnsembleConfig:
    config = resolve_model(recipe.model.name, recipe.model.settings)
    assert isinstance(config, EnsembleConfig)
    return config


def _member_recipe(recipe: Recipe, member: dict[str, Any]) -> Recipe:
    """Return the recipe of one member: its own settings on the ensemble's corpora, labels and protocol."""
    common = ("name", "corpora", "labels", "targets", "keep_faulty", "protocol")
    return parse_recipe({name: getattr(recipe, name) for name in common} | member)


def _as_json(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content as a JSON file would hold it: with lists in place of tuples."""
    found: dict[str, Any] = json.loads(json.dumps(content))
    return found
