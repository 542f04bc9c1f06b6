"""Live audio: from a microphone, or from a file played in real time."""

import queue
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from serkit.audio.mixing import Mixer
from serkit.audio.recordings import open_recording
from serkit.errors import AudioUnreadableError, MissingExtraError
from serkit.types import FloatArray

PIECE_SECONDS = 0.1
_WAITING = 300  # limit of pieces in the queue: half a minute
_PATIENCE = 5.0  # seconds without a sample after which the microphone counts as broken


@dataclass(frozen=True, slots=True)
class Source:
    """A source of live audio.

    Attributes:
        name: Name of the device or the file.
        sampling_rate: Sampling rate in Hz.
        pieces: Mono samples (T,), a tenth of a second each, as they arrive. Those of a microphone never end.
        lost: One number: the pieces dropped so far because the reader is too slow.
    """

    name: str
    sampling_rate: int
    pieces: Iterator[FloatArray]
    lost: list[int] = field(default_factory=lambda: [0])


@contextmanager
def from_microphone(device: str | None = None) -> Iterator[Source]:
    """Open a microphone at its own rate.

    Args:
        device: Number or part of the name of a device in the output of ``python -m sounddevice``. None opens the
            system's default.

    Raises:
        MissingExtraError: If sounddevice or the PortAudio library is not installed.
        AudioUnreadableError: If the device does not exist, or stops sending.
    """
    sounddevice = _sounddevice()
    chosen: Any = int(device) if device and device.isdecimal() else device
    waiting: queue.Queue[FloatArray] = queue.Queue(_WAITING)
    lost = [0]

    def note(samples: Any, count: int, moment: Any, status: Any) -> None:
        try:
            waiting.put_nowait(np.array(samples).mean(axis=1, dtype=np.float32))
        except queue.Full:  # a gap is better than a delay that grows
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
        raise AudioUnreadableError(f"cannot open {name}: {error} ('python -m sounddevice' lists all).") from error
    with opened:
        yield Source(str(about["name"]), rate, _taken(waiting, str(about["name"])), lost)


@contextmanager
def from_file(file: Path, *, speed: float = 1.0) -> Iterator[Source]:
    """Play a file in real time, as if it were live.

    Args:
        file: Audio file.
        speed: Factor on real time: 2 plays twice as fast.

    Raises:
        AudioError: If the file cannot be used; see :func:`serkit.audio.recordings.open_recording`.
    """
    with open_recording(file) as recording:
        yield Source(file.name, recording.sampling_rate, _played(recording, speed))


def _sounddevice() -> Any:
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: PortAudio is missing
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
    began, heard, mixer = time.monotonic(), 0, Mixer(recording.sampling_rate)
    for piece in recording.blocks:
        mono = mixer.push(piece)
        for start in range(0, len(mono), step):
            some = mono[start : start + step]
            heard += len(some)
            due = began + heard / recording.sampling_rate / speed
            time.sleep(max(0.0, due - time.monotonic()))
            yield some
    if (rest := mixer.flush()).size:
        yield rest
