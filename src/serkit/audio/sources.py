"""What can be given as audio: paths, files, bytes, arrays, tensors, and the pairs that other libraries use."""

import io
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from serkit.errors import (
    AudioError,
    AudioIsDirectoryError,
    AudioNotFoundError,
    AudioShapeError,
    AudioUnreadableError,
    EmptyAudioFileError,
    SamplingRateError,
    UnknownAudioFormatError,
)


@runtime_checkable
class ArrayLike(Protocol):
    """An object that NumPy can read, such as a torch tensor on the CPU."""

    def __array__(self, dtype: Any = None) -> NDArray[Any]: ...


AudioSource = (
    str | os.PathLike[str] | BinaryIO | bytes | NDArray[Any] | ArrayLike | tuple[int, NDArray[Any]] | Mapping[str, Any]
)
FileSource = str | os.PathLike[str] | BinaryIO

_EXPECTED = (
    "audio must be a path, bytes, a binary file object, an array, or an array with its sampling rate as "
    "(rate, array) or {'array': ..., 'sampling_rate': ...}"
)
_URL = re.compile(r"[a-z][a-z0-9+.-]+:/{1,2}[^/]", re.IGNORECASE)


def plain_source(
    audio: AudioSource, sampling_rate: int | None = None
) -> tuple[FileSource, None] | tuple[NDArray[Any], int]:
    """Return audio as a path or file object without a sampling rate, or as an array with one.

    Args:
        audio: Path, bytes, binary file object, array or tensor, or a sampling rate with an array: ``(rate, array)`` as
            Gradio has it, with the array (T,) or (T, channels), or ``{"array", "sampling_rate"}`` as datasets has it.
        sampling_rate: Sampling rate of an array or tensor in Hz.

    Raises:
        TypeError: If it is something else.
        SamplingRateError: If an array has no sampling rate, or anything else is given one.
        AudioShapeError: If a tensor cannot be read as an array.
    """
    given = None
    if isinstance(audio, tuple) and len(audio) == 2 and isinstance(audio[0], int | np.integer):
        given, array = int(audio[0]), _as_array(audio[1])
        audio = array.T if array is not None and array.ndim == 2 else array  # type: ignore[assignment]
    elif isinstance(audio, Mapping):
        if audio.get("array") is None:
            audio = audio.get("bytes") or audio.get("path")  # type: ignore[assignment]
        else:
            given, audio = audio.get("sampling_rate"), audio["array"]
    if isinstance(audio, bytes | bytearray | memoryview):
        audio = io.BytesIO(audio)
    if isinstance(audio, str | os.PathLike) or hasattr(audio, "read"):
        if sampling_rate is not None:
            raise SamplingRateError("sampling_rate= is for arrays only; leave it out for files, which have their own.")
        return audio, None  # type: ignore[return-value]
    array = _as_array(audio)
    if array is None:
        raise TypeError(f"{_EXPECTED}, not {type(audio).__name__}.")
    if given is not None and sampling_rate is not None and given != sampling_rate:
        raise SamplingRateError(f"the array comes with {given} Hz, but sampling_rate is {sampling_rate} Hz; pass one.")
    rate = sampling_rate if given is None else given
    if rate is None:
        raise SamplingRateError("an array has no sampling rate of its own; pass sampling_rate= in Hz.")
    return array, rate


def _as_array(audio: object) -> NDArray[Any] | None:
    """Return an array or a tensor as an array, or None for anything else."""
    if isinstance(audio, np.ndarray):
        return audio
    if not isinstance(audio, ArrayLike) or isinstance(audio, np.generic):
        return None
    try:
        return np.asarray(audio)
    except (RuntimeError, TypeError, ValueError) as error:  # a tensor on a GPU, or one that requires a gradient
        raise AudioShapeError(f"cannot read a {type(audio).__name__} as an array: {error}") from error


def source_name(source: object) -> str:
    """Return the name of an audio source for messages."""
    if isinstance(source, str | os.PathLike):
        return repr(os.fspath(source))
    if isinstance(source, np.ndarray):
        return "the array"
    name = getattr(source, "name", None)  # an int where the file was opened by its descriptor
    return repr(name) if name and isinstance(name, str) else "the file object"


def open_stream(source: FileSource, name: str) -> BinaryIO:
    """Open a path, or read the rest of a file object into memory. The caller closes the result."""
    if isinstance(source, str | os.PathLike):
        return _opened_path(source, name)
    if hasattr(source, "read"):
        return _bytes_of(source, name)
    raise TypeError(f"{_EXPECTED}, not {type(source).__name__}.")


def _opened_path(source: str | os.PathLike[str], name: str) -> BinaryIO:
    path = Path(source)
    try:
        mode = path.stat().st_mode
        file = path.open("rb") if stat.S_ISREG(mode) else None  # opening a pipe would block until somebody writes
    except FileNotFoundError:
        if _URL.match(os.fspath(source)):
            raise AudioNotFoundError(f"{name} is a URL; download the file first, serkit reads local files.") from None
        raise AudioNotFoundError(f"no file {name}.") from None
    except (OSError, ValueError) as error:  # ValueError: the path contains a zero byte
        raise AudioUnreadableError(f"cannot open {name}: {getattr(error, 'strerror', None) or error}.") from error
    if file is not None:
        return file
    if stat.S_ISDIR(mode):
        raise AudioIsDirectoryError(f"{name} is a folder; name the files in it.")
    raise AudioUnreadableError(f"{name} is a pipe or a device, not a file; open it and pass the file object.")


def _bytes_of(source: BinaryIO, name: str) -> io.BytesIO:
    """Read a file object from its current position to its end. This works for pipes and archives too."""
    try:
        data: object = source.read()
    except AudioError:
        raise
    except UnicodeDecodeError:
        data = ""
    except (OSError, ValueError) as error:  # ValueError: the file object is closed
        raise AudioUnreadableError(f"cannot read {name}: {error}.") from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise UnknownAudioFormatError(f"{name} yields {type(data).__name__}, not bytes; open it in binary mode.")
    if not data:
        raise EmptyAudioFileError(
            f"{name} has no bytes after its current position; call seek(0) if it was read before."
        )
    return io.BytesIO(data)
