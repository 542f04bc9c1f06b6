"""Live sound: from the microphone, or from a file at the speed at which it was spoken."""

import queue
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from serkit.audio.decode import mix_down
from serkit.audio.recordings import open_recording
from serkit.errors import AudioUnreadableError, MissingExtraError
from serkit.types import FloatArray

PIECE_SECONDS = 0.1
_WAITING = 300  # pieces that may wait to be heard: half a minute
_PATIENCE = 5.0  # seconds without a single sample, after which a microphone is taken for dead


@dataclass(frozen=True, slots=True)
class Source:
    """Live sound.

    Attributes:
        name: Of the device or the file.
        sampling_rate: In Hz.
        pieces: Mono samples (T,), a tenth of a second each, as they come; a microphone's never end.
        lost: Pieces that were dropped so far, because whoever listens is too slow.
    """

    name: str
    sampling_rate: int
    pieces: Iterator[FloatArray]
    lost: list[int] = field(default_factory=lambda: [0])


@contextmanager
def from_microphone(device: str | None = None) -> Iterator[Source]:
    """Open a microphone at its own rate.

    Args:
        device: A number or a part of a name, as ``python -m sounddevice`` lists them; None for the system's default.

    Raises:
        MissingExtraError: If sounddevice, or the PortAudio library that it needs, is not installed.
        AudioUnreadableError: If there is no such device, or it stops.
    """
    sounddevice = _sounddevice()
    chosen: Any = int(device) if device and device.isdecimal() else device
    waiting: queue.Queue[FloatArray] = queue.Queue(_WAITING)
    lost = [0]

    def note(samples: Any, count: int, moment: Any, status: Any) -> None:
        try:
            waiting.put_nowait(np.array(samples).mean(axis=1, dtype=np.float32))
        except queue.Full:  # better a gap than a picture that lags ever more behind
            lost[0] += 1

    opened = ExitStack()
    try:
        about = sounddevice.query_devices(chosen, "input")
        rate = int(about["default_samplerate"])
        stream = sounddevice.InputStream(
            samplerate=rate, device=chosen, dtype="float32", blocksize=round(PIECE_SECONDS * rate), callback=note,
            channels=min(2, about["max_input_channels"]),
        )  # fmt: skip
        opened.enter_context(stream)  # starts it
    except (sounddevice.PortAudioError, ValueError) as error:
        name = f"the microphone {device!r}" if device else "a microphone"
        raise AudioUnreadableError(f"cannot open {name}: {error} (python -m sounddevice lists all).") from error
    with opened:
        yield Source(str(about["name"]), rate, _taken(waiting, str(about["name"])), lost)


@contextmanager
def from_file(file: Path, *, speed: float = 1.0) -> Iterator[Source]:
    """Play a file to a listener, as if it were spoken now.

    Args:
        file: Any that can be read.
        speed: Times real time.

    Raises:
        AudioError: As :func:`serkit.audio.recordings.open_recording` does.
    """
    with open_recording(file) as recording:
        yield Source(file.name, recording.sampling_rate, _played(recording, speed))


def _sounddevice() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio is not there
        raise MissingExtraError("listening to a microphone", "mic") from error
    return sounddevice


def _taken(waiting: "queue.Queue[FloatArray]", name: str) -> Iterator[FloatArray]:
    while True:
        try:
            yield waiting.get(timeout=_PATIENCE)
        except queue.Empty:
            raise AudioUnreadableError(f"the microphone {name!r} has sent nothing for {_PATIENCE:g} s.") from None


def _played(recording: Any, speed: float) -> Iterator[FloatArray]:
    step = max(1, round(PIECE_SECONDS * recording.sampling_rate))
    began, heard = time.monotonic(), 0
    for piece in recording.pieces:
        mono = mix_down(piece)
        for start in range(0, len(mono), step):
            some = mono[start : start + step]
            heard += len(some)
            due = began + heard / recording.sampling_rate / speed
            time.sleep(max(0.0, due - time.monotonic()))
            yield some
