"""Every error that serkit raises on purpose.

A message is one or two sentences: what was wrong, what was expected, what to do. Each class also derives from the
built-in exception that a caller would expect, so ``except FileNotFoundError`` works.

    SerkitError
    ├── AudioError (ValueError)
    │   ├── AudioNotFoundError (FileNotFoundError)   no file at the path
    │   ├── AudioIsDirectoryError (IsADirectoryError) a folder where a file was expected
    │   ├── AudioUnreadableError (PermissionError)   a file or device that cannot be opened or read
    │   ├── EmptyAudioFileError                      a file of zero bytes
    │   ├── UnknownAudioFormatError                  not audio, or a format that cannot be decoded
    │   ├── TruncatedAudioError                      a file that is damaged or shorter than its header says
    │   ├── NoSamplesError                           valid audio without samples, or a video without sound
    │   ├── NonFiniteAudioError                      NaN or infinite samples
    │   ├── AudioShapeError                          an array that is not (T,) or (channels, T)
    │   ├── SamplingRateError                        a sampling rate that is missing or out of range
    │   ├── AudioTooShortError                       audio shorter than the model's minimum
    │   └── AudioTooLongError                        audio longer than one clip may be
    ├── UnknownNameError (LookupError)               no corpus, model, recipe, feature or label set of that name
    ├── CorpusError (ValueError)                     a folder that does not hold the corpus
    ├── ManifestError (ValueError)                   a manifest with missing, duplicate or wrong rows
    ├── LabelError (ValueError)                      an emotion that is not canonical
    ├── ProtocolError (ValueError)                   folds that cannot be made
    │   └── LeakageError                             a speaker or audio on both sides of a split
    ├── RecipeError (ValueError)                     an unknown or impossible setting in a recipe
    ├── SettingsError (ValueError)                   a setting outside recipes that is out of range
    ├── TrainingError (RuntimeError)                 training that cannot continue (NaN loss, other checkpoint)
    ├── RunError (ValueError)                        a folder that is not a run, or belongs to another recipe
    ├── ExportError (RuntimeError)                   a model that cannot be written as one ONNX file
    ├── ModelFileError (ValueError)                  a damaged model file, or one without a serkit card
    ├── DrawingError (ValueError)                    a figure that cannot be drawn as asked
    ├── InferenceError (RuntimeError)                a model that fails on valid audio
    ├── StreamClosedError (RuntimeError)             a stream that has been flushed or closed
    └── MissingExtraError (ImportError)              an optional package that is not installed
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
    """The file or device cannot be opened or read."""


class EmptyAudioFileError(AudioError):
    """The file has zero bytes."""


class UnknownAudioFormatError(AudioError):
    """The content is not audio, or has a format that cannot be decoded."""


class TruncatedAudioError(AudioError):
    """The file is damaged, or shorter than its header says."""


class NoSamplesError(AudioError):
    """The audio is valid but has no samples."""


class NonFiniteAudioError(AudioError):
    """The audio has NaN, infinite or absurdly large samples."""


class AudioShapeError(AudioError):
    """The array is not (T,) or (channels, T), or has too many channels."""


class SamplingRateError(AudioError):
    """The sampling rate is missing or out of range."""


class AudioTooShortError(AudioError):
    """The audio is shorter than the model's minimum."""


class AudioTooLongError(AudioError):
    """The audio is longer than one clip may be; use a timeline."""


class UnknownNameError(SerkitError, LookupError):
    """A registry has no entry of that name; see :func:`unknown_name`."""


class CorpusError(SerkitError, ValueError):
    """The folder does not hold the corpus."""


class ManifestError(SerkitError, ValueError):
    """The manifest has missing, duplicate or wrong rows."""


class LabelError(SerkitError, ValueError):
    """The emotion is not canonical, or the label set has no class for it."""


class ProtocolError(SerkitError, ValueError):
    """The folds cannot be made from these utterances."""


class LeakageError(ProtocolError):
    """A speaker, or identical audio, is on both sides of a split."""


class RecipeError(SerkitError, ValueError):
    """The recipe has an unknown or impossible setting."""


class SettingsError(SerkitError, ValueError):
    """A setting that is not part of a recipe is out of range, such as a window, a threshold or an address."""


class TrainingError(SerkitError, RuntimeError):
    """Training cannot continue."""


class RunError(SerkitError, ValueError):
    """The folder is not a run folder, or belongs to another recipe."""


class ExportError(SerkitError, RuntimeError):
    """The model cannot be written as one ONNX file."""


class ModelFileError(SerkitError, ValueError):
    """The file is not a serkit model, or cannot be read."""


class DrawingError(SerkitError, ValueError):
    """The figure has nothing to show, or cannot be written where asked."""


class InferenceError(SerkitError, RuntimeError):
    """The model fails on valid audio, for example because memory runs out."""


class StreamClosedError(SerkitError, RuntimeError):
    """The stream has been flushed or closed."""


class MissingExtraError(SerkitError, ImportError):
    """An optional package is not installed. The message has the pip command.

    Args:
        purpose: Feature that needs the package, as the start of a sentence.
        extra: Name of the extra that brings it.
    """

    def __init__(self, purpose: str, extra: str) -> None:
        super().__init__(f"{purpose} needs an optional part: pip install 'serkit[{extra}]'")
        self.purpose = purpose
        self.extra = extra

    def __reduce__(self) -> tuple[type["MissingExtraError"], tuple[str, str]]:
        """Pickle the arguments, so that a worker process can hand its error to the main process."""
        return type(self), (self.purpose, self.extra)


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.5) -> str:
    """Return ``"; did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = get_close_matches(name.lower(), list(known), n=1, cutoff=cutoff)
    return f"; did you mean {close[0]!r}?" if close else ""


def unknown_name(kind: str, name: str, known: Iterable[str], see: str) -> UnknownNameError:
    """Build the error for a name that a registry does not hold.

    Args:
        kind: Kind of entry, such as ``"corpus"``.
        name: Name that was asked for.
        known: Names that exist.
        see: Command that lists the names.
    """
    hint = nearest(name, known) or "."
    return UnknownNameError(f"no {kind} {name!r}{hint} See '{see}'.")
