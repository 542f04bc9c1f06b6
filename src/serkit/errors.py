"""Every error that serkit raises on purpose.

Each message is one sentence or two: what was wrong, what was expected, what to do. Each class also
derives from the built-in exception that a caller would expect, so ``except FileNotFoundError`` works.

    SerkitError
    ├── AudioError (ValueError)
    │   ├── AudioNotFoundError (FileNotFoundError)   no such file
    │   ├── AudioIsDirectoryError (IsADirectoryError) a folder where a file was expected
    │   ├── AudioUnreadableError (PermissionError)   the system refuses to open it
    │   ├── EmptyAudioFileError                      a file of zero bytes
    │   ├── UnknownAudioFormatError                  not audio, or a format we cannot decode
    │   ├── TruncatedAudioError                      the file ends before its header says
    │   ├── NoSamplesError                           valid, but holds no samples, or is a film without sound
    │   ├── NonFiniteAudioError                      NaN or infinite samples
    │   ├── AudioShapeError                          an array that is not (T,) or (channels, T)
    │   ├── SamplingRateError                        missing, zero, negative or absurd
    │   └── AudioTooShortError                       shorter than the model's minimum
    ├── UnknownNameError (LookupError)               no such corpus, model, recipe, feature, label set
    ├── CorpusError (ValueError)                     a folder that does not hold the corpus
    ├── ManifestError (ValueError)                   a table with missing, doubled or wrong rows
    ├── LabelError (ValueError)                      an emotion outside the known ones
    ├── ProtocolError (ValueError)                   folds that cannot be made
    │   └── LeakageError                             a speaker or audio on both sides of a split
    ├── RecipeError (ValueError)                     an unknown or impossible setting
    ├── TrainingError (RuntimeError)                 training went wrong (NaN loss, other checkpoint)
    ├── RunError (ValueError)                        a folder that is not a run, or of another recipe
    ├── ExportError (RuntimeError)                   a model that cannot become one ONNX file
    ├── ModelFileError (ValueError)                  an ONNX file without a serkit card, or broken
    ├── DrawingError (ValueError)                    a figure that cannot be drawn as asked
    ├── InferenceError (RuntimeError)                a model that fails on valid audio
    ├── StreamClosedError (RuntimeError)             a stream that has been flushed
    └── MissingExtraError (ImportError)              an optional package is not installed
"""

from collections.abc import Iterable
from difflib import get_close_matches


class SerkitError(Exception):
    """Base of every error that serkit raises on purpose."""


class AudioError(SerkitError, ValueError):
    """Audio that cannot be used."""


class AudioNotFoundError(AudioError, FileNotFoundError):
    """There is no file at the path."""


class AudioIsDirectoryError(AudioError, IsADirectoryError):
    """The path is a folder."""


class AudioUnreadableError(AudioError, PermissionError):
    """The operating system refuses to open the file."""


class EmptyAudioFileError(AudioError):
    """The file has zero bytes."""


class UnknownAudioFormatError(AudioError):
    """The content is not audio, or is in a format that cannot be decoded."""


class TruncatedAudioError(AudioError):
    """The file ends before its header says it does."""


class NoSamplesError(AudioError):
    """The audio is valid but holds no samples."""


class NonFiniteAudioError(AudioError):
    """The audio holds NaN or infinite samples."""


class AudioShapeError(AudioError):
    """The array is neither (T,) nor (channels, T)."""


class SamplingRateError(AudioError):
    """The sampling rate is missing, zero, negative or beyond any recording."""


class AudioTooShortError(AudioError):
    """The audio is shorter than the model's minimum."""


class UnknownNameError(SerkitError, LookupError):
    """No entry of that name; see :func:`unknown_name`."""


class CorpusError(SerkitError, ValueError):
    """A folder that does not hold the corpus it should."""


class ManifestError(SerkitError, ValueError):
    """A manifest with missing, doubled or wrong rows."""


class LabelError(SerkitError, ValueError):
    """An emotion outside the known ones."""


class ProtocolError(SerkitError, ValueError):
    """Folds that cannot be made from these utterances."""


class LeakageError(ProtocolError):
    """A speaker, or identical audio, stands on both sides of a split."""


class RecipeError(SerkitError, ValueError):
    """An unknown or impossible setting in a recipe."""


class TrainingError(SerkitError, RuntimeError):
    """Training cannot go on."""


class RunError(SerkitError, ValueError):
    """A folder that is not a run folder, or belongs to another recipe."""


class ExportError(SerkitError, RuntimeError):
    """A model that cannot be written as one ONNX file."""


class ModelFileError(SerkitError, ValueError):
    """A file that is not a serkit model."""


class DrawingError(SerkitError, ValueError):
    """A figure of nothing, or in a format that is not known."""


class InferenceError(SerkitError, RuntimeError):
    """A model that fails on valid audio, for want of memory, say."""


class StreamClosedError(SerkitError, RuntimeError):
    """A stream that has been flushed and takes no more sound."""


class MissingExtraError(SerkitError, ImportError):
    """An optional package is needed; the message holds the exact pip command."""

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional part: pip install 'serkit[{extra}]'")
        self.purpose = purpose
        self.extra = extra

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str]]:
        """Pickle by the arguments: a worker process hands its error over by that."""
        return type(self), (self.purpose, self.extra)


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = get_close_matches(name.lower(), list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown_name(kind: str, name: str, known: Iterable[str], see: str) -> UnknownNameError:
    """Build the error for a name that a registry does not hold.

    Args:
        kind: What was looked up, such as ``"corpus"``.
        name: The name that was asked for.
        known: The names that exist.
        see: The command that lists them.
    """
    hint = nearest(name, known) or "."
    return UnknownNameError(f"no {kind} {name!r}{hint} See '{see}'.")
