"""The registry of models: one family per file, built by name from a recipe."""

from collections.abc import Sequence
from typing import Any

from serkit.errors import unknown_name
from serkit.lab.features import Named, build_front
from serkit.lab.models.crnn import Crnn, CrnnConfig
from serkit.lab.models.model import Model, Output
from serkit.lab.settings import build_settings

__all__ = ["Model", "Output", "build_body", "build_model", "get_config", "model_names", "resolve_model"]

_MODELS = {"crnn": (Crnn, CrnnConfig)}


def model_names() -> tuple[str, ...]:
    """Return the names of all models."""
    return tuple(_MODELS)


def get_config(name: str) -> type[CrnnConfig]:
    """Return the settings class of a model; it has a ``tiny()`` for tests.

    Raises:
        UnknownNameError: If there is none of that name.
    """
    if name not in _MODELS:
        raise unknown_name("model", name, _MODELS, "serkit models list")
    return _MODELS[name][1]


def resolve_model(name: str, settings: dict[str, Any]) -> CrnnConfig:
    """Return a model's settings, every default filled in.

    Raises:
        UnknownNameError: If there is none of that name.
        RecipeError: If a setting is unknown or impossible.
    """
    return build_settings(get_config(name), settings, where=f"model: {name}")


def build_body(name: str, settings: dict[str, Any], *, size: int, classes: int) -> Crnn:
    """Build the trainable half of a model.

    Args:
        name: In the registry.
        settings: That differ from its defaults.
        size: F of the features it reads.
        classes: C.

    Errors are those of :func:`resolve_model`.
    """
    config = resolve_model(name, settings)
    return _MODELS[name][0](size, classes, config)


def build_model(features: Sequence[Named], name: str, settings: dict[str, Any], *, classes: int) -> Model:
    """Build both halves of a model; see :func:`build_body` and :func:`serkit.lab.features.build_front`."""
    front = build_front(features)
    return Model(front, build_body(name, settings, size=front.size, classes=classes))
