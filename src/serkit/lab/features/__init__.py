"""Front ends: exportable modules that compute features from a waveform, looked up by name.

Each front end takes ``waveform (B, T)`` and ``lengths (B,)`` and returns ``features (B, F, N)``, zero after each
utterance's end, and ``feature_lengths (B,)``; see :class:`serkit.lab.features.front.Front`.

A front end is built from :mod:`serkit.lab.signal` and :mod:`serkit.lab.encoders`; it never imports another front end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Any

from serkit.errors import RecipeError, unknown_name
from serkit.lab.features.centered import Centered
from serkit.lab.features.composite import SEX, Composite, CompositeConfig
from serkit.lab.features.front import Front, FrontConfig, Layout
from serkit.lab.features.logmel import LogMel, LogMelConfig
from serkit.lab.recipes.config import build_settings

__all__ = [
    "Centered", "Front", "Layout", "LogMel", "LogMelConfig", "build_feature", "build_front", "feature_names",
    "resolve_feature", "resolve_features",
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
}  # name to module and class; the class of the settings has the same name with Config appended

_PROGRAMS = {"egemaps": "eGeMAPSv02", "compare2016": "ComParE_2016"}  # openSMILE's sets, which cannot be exported

_PRETRAINED = {"ssl": ("frozen_encoder", "FrozenEncoder")}  # front ends without defaults: the recipe names an encoder

Named = Mapping[str, Any]  # a front end's name and the settings that differ from its defaults


def feature_names() -> tuple[str, ...]:
    """Return the names of all features that can be exported with a model and need no pretrained encoder."""
    return tuple(_FEATURES)


def resolve_feature(name: str, settings: dict[str, Any]) -> FrontConfig:
    """Return a front end's settings with every default filled in.

    Args:
        name: Name of the feature.
        settings: Settings that differ from the defaults.

    Raises:
        UnknownNameError: If no feature has this name.
        RecipeError: If a setting is unknown or out of range.
    """
    known = (*_FEATURES, *_PROGRAMS, *_PRETRAINED)
    if name not in known:
        raise unknown_name("feature", name, (*known, SEX), "serkit features list")
    given = {"functionals": _PROGRAMS[name], **settings} if name in _PROGRAMS else settings
    config: type[FrontConfig] = getattr(_module(name), f"{_class_of(name)}Config")
    return build_settings(config, given, where=f"features: {name}")


def build_feature(name: str, settings: dict[str, Any]) -> Front:
    """Build a front end; arguments and errors are those of :func:`resolve_feature`."""
    config = resolve_feature(name, settings)
    front = getattr(_module(name), _class_of(name))(config)
    assert isinstance(front, Front)
    front.name = name
    return front


def resolve_features(features: Sequence[Named]) -> tuple[dict[str, Any], ...]:
    """Return a recipe's features with every default filled in.

    Features that set no sampling rate get that of the first feature.

    Raises:
        UnknownNameError: If no feature has one of the names.
        RecipeError: If a setting is unknown or out of range, if ``sex`` is the only feature, or if a feature is listed
            twice.
    """
    names = [str(feature["name"]) for feature in features]
    if set(names) <= {SEX}:
        raise RecipeError("features: list at least one feature besides sex, which alone cannot predict an emotion.")
    if len(set(names)) < len(names):
        raise RecipeError(f"features: list each feature only once, got {', '.join(names)}.")
    resolved: list[dict[str, Any]] = []
    rate: dict[str, Any] = {}
    for feature in features:
        name, settings = str(feature["name"]), {key: value for key, value in feature.items() if key != "name"}
        if name == SEX:
            if settings:
                raise RecipeError(f"features: sex takes no settings, got {next(iter(settings))!r}.")
            continue
        config = resolve_feature(name, rate | settings)
        rate = rate or {"sampling_rate": config.sampling_rate}
        resolved.append({"name": name, **asdict(config)})  # type: ignore[call-overload]
    return (*resolved, *({"name": SEX} for name in names if name == SEX))


def build_front(features: Sequence[Named]) -> Centered:
    """Build the front end of a recipe, which takes the offset off the waveform first.

    Several features become a :class:`Composite`.

    Raises:
        UnknownNameError: As :func:`resolve_features` does.
        RecipeError: As :func:`resolve_features` does, or if the features cannot be joined.
    """
    resolved = resolve_features(features)
    named = tuple(feature for feature in resolved if feature["name"] != SEX)
    parts = [build_feature(f["name"], {key: value for key, value in f.items() if key != "name"}) for f in named]
    if len(resolved) == 1:
        return Centered(parts[0])
    return Centered(Composite(parts, CompositeConfig(parts[0].config.sampling_rate, named, len(named) < len(resolved))))


def _module(name: str) -> Any:
    return import_module(f"serkit.lab.features.{_module_and_class(name)[0]}")


def _class_of(name: str) -> str:
    return _module_and_class(name)[1]


def _module_and_class(name: str) -> tuple[str, str]:
    return (_FEATURES | _PRETRAINED).get(name, ("opensmile_features", "OpenSmile"))
