"""serkit recognizes emotions in speech, and trains and compares the models that do.

    >>> import serkit
    >>> recognizer = serkit.load()
    >>> recognizer.card.sampling_rate
    16000

Importing serkit is cheap: each public name is loaded when you first use it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime, from 1.29 on, reports each model run to Microsoft unless this is set when it is first imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from serkit.version import __version__ as __version__

if TYPE_CHECKING:
    from serkit.annotations.timeline import Timeline
    from serkit.audio.decode import load_audio
    from serkit.audio.sources import AudioSource
    from serkit.card import Card
    from serkit.data.manifest import Manifest
    from serkit.errors import AudioError, ModelFileError, SerkitError
    from serkit.runtime.recognizer import Recognizer
    from serkit.runtime.session import embedded_models
    from serkit.runtime.stream import Stream
    from serkit.runtime.windows import SpeechRule
    from serkit.types import Prediction, Segment, Speech, StreamEvent, Utterance, Window

__all__ = [
    "AudioError",
    "AudioSource",
    "Card",
    "Manifest",
    "ModelFileError",
    "Prediction",
    "Recognizer",
    "Segment",
    "SerkitError",
    "Speech",
    "SpeechRule",
    "Stream",
    "StreamEvent",
    "Timeline",
    "Utterance",
    "Window",
    "embedded_models",
    "load",
    "load_audio",
]

_HOMES = {
    "AudioError": "serkit.errors",
    "AudioSource": "serkit.audio.sources",
    "Card": "serkit.card",
    "Manifest": "serkit.data.manifest",
    "ModelFileError": "serkit.errors",
    "Prediction": "serkit.types",
    "Recognizer": "serkit.runtime.recognizer",
    "Segment": "serkit.types",
    "SerkitError": "serkit.errors",
    "Speech": "serkit.types",
    "SpeechRule": "serkit.runtime.windows",
    "Stream": "serkit.runtime.stream",
    "StreamEvent": "serkit.types",
    "Timeline": "serkit.annotations.timeline",
    "Utterance": "serkit.types",
    "Window": "serkit.types",
    "embedded_models": "serkit.runtime.session",
    "load_audio": "serkit.audio.decode",
}


def load(path: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> "Recognizer":
    """Open a model file or an embedded model; see :meth:`serkit.Recognizer.load`."""
    from serkit.runtime.recognizer import Recognizer

    return Recognizer.load(path, threads=threads)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'serkit' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
