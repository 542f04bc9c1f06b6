"""Models by name: one family per file, listed in :mod:`serkit.lab.recipes.registry`."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from serkit.lab.features import Layout, Named, build_front
from serkit.lab.models.body import Body, BodyConfig, Model, Output
from serkit.lab.recipes.config import build_settings
from serkit.lab.recipes.registry import find_model, model_names

__all__ = [
    "Body", "BodyConfig", "Model", "Output", "build_body", "build_model", "get_class", "get_config", "model_names",
    "resolve_model",
]  # fmt: skip


def get_config(name: str) -> type[BodyConfig]:
    """Return the settings class of a model; its ``tiny()`` gives settings for tests.

    Raises:
        UnknownNameError: If no model has this name.
    """
    entry = find_model(name)
    config: type[BodyConfig] = getattr(_module(entry.module), f"{entry.kind}Config")
    return config


def get_class(name: str) -> type[Any]:
    """Return the class of a model.

    Raises:
        UnknownNameError: If no model has this name.
    """
    entry = find_model(name)
    found: type[Any] = getattr(_module(entry.module), entry.kind)
    return found


def resolve_model(name: str, settings: dict[str, Any]) -> BodyConfig:
    """Return a model's settings with every default filled in.

    Raises:
        UnknownNameError: If no model has this name.
        RecipeError: If a setting is unknown or has an invalid value.
    """
    return build_settings(get_config(name), {**find_model(name).settings, **settings}, where=f"model: {name}")


def build_body(
    name: str, settings: dict[str, Any], *, layout: Layout, classes: int, is_for_weights: bool = False
) -> Body:
    """Build the trainable half of a model.

    Args:
        name: Name of the model in the registry.
        settings: Settings that differ from the defaults.
        layout: Layout of the features that the model reads.
        classes: Number of classes C.
        is_for_weights: Whether a run's weights will be loaded next. Files with pretrained weights are then not read.

    Raises:
        UnknownNameError: If no model has this name.
        RecipeError: If a setting is unknown or has an invalid value, or the model cannot read these features.
    """
    config = resolve_model(name, settings)
    body = get_class(name)(layout, classes, config.without_files() if is_for_weights else config)
    assert isinstance(body, Body)
    return body


def build_model(features: Sequence[Named], name: str, settings: dict[str, Any], *, classes: int) -> Model:
    """Build a front end and a body; see :func:`serkit.lab.features.build_front` and :func:`build_body`."""
    front = build_front(features)
    return Model(front, build_body(name, settings, layout=front.layout, classes=classes))


def _module(name: str) -> Any:
    return import_module(f"serkit.lab.models.{name}")
