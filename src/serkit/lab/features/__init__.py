"""Front ends: export-safe modules from waveform to what a network reads, looked up by name.

Each takes ``waveform (B, T)`` and ``lengths (B,)`` and returns ``features (B, F, N)``, zero behind each
utterance's end, with ``feature_lengths (B,)``; see :class:`serkit.lab.features.front.Front`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any

from serkit.errors import RecipeError, unknown_name
from serkit.lab.features.composite import SEX, Composite, CompositeConfig
from serkit.lab.features.front import Front, FrontConfig, Layout
from serkit.lab.features.logmel import LogMel, LogMelConfig
from serkit.lab.recipes.config import build_settings

__all__ = [
    "Front", "Layout", "LogMel", "LogMelConfig", "build_feature", "build_front", "feature_names", "resolve_feature",
    "resolve_features",
]  # fmt: skip

_FEATURES = {
    "chroma": ("chroma", "Chroma"),
    "frames": ("frames", "Frames"),
    "logmel": ("logmel", "LogMel"),
    "mfcc": ("mfcc", "Mfcc"),
    "notebook162": ("notebook162", "Notebook162"),
    "pitch": ("pitch", "Pitch"),
    "prosody": ("prosody", "Prosody"),
    "spectrogram": ("spectrogram", "Spectrogram"),
    "spectrogram_image": ("spectrogram_image", "SpectrogramImage"),
    "statistics": ("statistics", "Statistics"),
    "vector848": ("vector848", "Vector848"),
    "waveform": ("waveform", "Waveform"),
}  # name to module and class; its settings are the class's name and Config

_PROGRAMS = {"egemaps": "eGeMAPSv02", "compare2016": "ComParE_2016"}  # openSMILE's, which no model file can hold

_PRETRAINED = {"ssl": ("frozen_encoder", "FrozenEncoder")}  # what cannot be built without saying which encoder

Named = Mapping[str, Any]  # a front end's name and those settings that differ from its defaults


def feature_names() -> tuple[str, ...]:
    """Return the names of all features that a model file can hold."""
    return tuple(_FEATURES)


def resolve_feature(name: str, settings: dict[str, Any]) -> FrontConfig:
    """Return a front end's settings, every default filled in.

    Raises:
        UnknownNameError: If there is none of that name.
        RecipeError: If a setting is unknown or impossible.
    """
    known = (*_FEATURES, *_PROGRAMS, *_PRETRAINED)
    if name not in known:
        raise unknown_name("feature", name, (*known, SEX), "serkit features list")
    given = {"functionals": _PROGRAMS[name], **settings} if name in _PROGRAMS else settings
    config: type[FrontConfig] = getattr(_module(name), f"{_class_of(name)}Config")
    return build_settings(config, given, where=f"features: {name}")


def build_feature(name: str, settings: dict[str, Any]) -> Front:
    """Build a front end; errors are those of :func:`resolve_feature`."""
    config = resolve_feature(name, settings)
    front = getattr(_module(name), _class_of(name))(config)
    assert isinstance(front, Front)
    front.name = name
    return front


def resolve_features(features: Sequence[Named]) -> tuple[dict[str, Any], ...]:
    """Return a recipe's features with every default filled in; those that set no sampling rate take the first one's.

    Raises:
        UnknownNameError: If one has an unknown name.
        RecipeError: If a setting is unknown or impossible, ``sex`` stands alone, or one stands twice.
    """
    names = [str(feature["name"]) for feature in features]
    if set(names) <= {SEX}:
        raise RecipeError("features: name one at least; the sex alone says nothing of an emotion.")
    if len(set(names)) < len(names):
        raise RecipeError(f"features: each may stand once, got {', '.join(names)}.")
    resolved: list[dict[str, Any]] = []
    rate: dict[str, Any] = {}
    for feature in features:
        name, settings = str(feature["name"]), {key: value for key, value in feature.items() if key != "name"}
        if name == SEX:
            if settings:
                raise RecipeError(f"features: sex has no setting {next(iter(settings))!r}.")
            continue
        config = resolve_feature(name, rate | settings)
        rate = rate or {"sampling_rate": config.sampling_rate}
        resolved.append({"name": name, **asdict(config)})  # type: ignore[call-overload]
    return (*resolved, *({"name": SEX} for name in names if name == SEX))


def build_front(features: Sequence[Named]) -> Front:
    """Build the front end of a recipe: one, or several side by side; errors are those of :func:`resolve_features`."""
    resolved = resolve_features(features)
    named = tuple(feature for feature in resolved if feature["name"] != SEX)
    parts = [build_feature(f["name"], {key: value for key, value in f.items() if key != "name"}) for f in named]
    if len(resolved) == 1:
        return parts[0]
    return Composite(parts, CompositeConfig(parts[0].config.sampling_rate, named, len(named) < len(resolved)))


def _module(name: str) -> Any:
    return import_module(f"serkit.lab.features.{_place_of(name)[0]}")


def _class_of(name: str) -> str:
    return _place_of(name)[1]


def _place_of(name: str) -> tuple[str, str]:
    return (_FEATURES | _PRETRAINED).get(name, ("opensmile_features", "OpenSmile"))
