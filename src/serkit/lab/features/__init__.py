"""Front ends: export-safe modules from waveform to frames, looked up by name.

Each takes ``waveform (B, T)`` and ``lengths (B,)`` and returns ``features (B, F, N)``, zero behind each
utterance's end, with ``feature_lengths (B,)``; it has ``size`` (F) and its settings in ``config``.
"""

from typing import Any

from serkit.errors import unknown_name
from serkit.lab.features.logmel import LogMel, LogMelConfig
from serkit.lab.settings import build_settings

__all__ = ["LogMel", "LogMelConfig", "build_feature", "feature_names", "resolve_feature"]

_FEATURES = {"logmel": (LogMel, LogMelConfig)}


def feature_names() -> tuple[str, ...]:
    """Return the names of all features."""
    return tuple(_FEATURES)


def resolve_feature(name: str, settings: dict[str, Any]) -> LogMelConfig:
    """Return a front end's settings, every default filled in.

    Raises:
        UnknownNameError: If there is none of that name.
        RecipeError: If a setting is unknown or impossible.
    """
    if name not in _FEATURES:
        raise unknown_name("feature", name, _FEATURES, "serkit features list")
    return build_settings(_FEATURES[name][1], settings, where=f"features: {name}")


def build_feature(name: str, settings: dict[str, Any]) -> LogMel:
    """Build a front end; errors are those of :func:`resolve_feature`."""
    config = resolve_feature(name, settings)
    return _FEATURES[name][0](config)
