"""Track: one channel of audio, pushed piece by piece, resampled, searched for speech and cut into windows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from serkit.audio.resampling import Resampler
from serkit.errors import SamplingRateError
from serkit.runtime.vad import FRAME, LOWEST_RATE, RATE, SpeechListener, detector
from serkit.runtime.windows import Begin, End, Place, Placer, SpeechRule, Step
from serkit.types import FloatArray


@dataclass(frozen=True, slots=True)
class WindowAudio:
    """A window with its audio.

    Attributes:
        start: First sample, counted at the model's sampling rate.
        end: Sample after the last one, counted at the model's sampling rate.
        waveform: Samples, shape (end - start,).
    """

    start: int
    end: int
    waveform: FloatArray


Item = Begin | WindowAudio | End


class Track:
    """Cuts one channel of audio into windows of speech.

    Args:
        rate: Sampling rate of the pushed samples in Hz.
        model_rate: Sampling rate of the model in Hz.
        window: Length of a window in seconds.
        hop: Seconds from the start of one window to the start of the next.
        rule: Rule for speech detection. None treats all audio as speech.
        least: Shortest window that the model takes, in seconds.

    Raises:
        SamplingRateError: If speech is to be detected and the rate is too low for it.
    """

    def __init__(
        self, *, rate: int, model_rate: int, window: float, hop: float, rule: SpeechRule | None, least: float
    ) -> None:
        if rule and rate < LOWEST_RATE:
            raise SamplingRateError(
                f"speech cannot be detected at a sampling rate of {rate} Hz; expected at least {LOWEST_RATE} Hz, or "
                "turn speech detection off (vad=False, --no-vad)."
            )
        self._placer = Placer(rate=model_rate, window=window, hop=hop, frame=FRAME, rule=rule, least=least)
        self._sound = Resampler(rate, model_rate)
        self._speech = Resampler(rate, RATE) if rule and model_rate != RATE else None
        self._listener = SpeechListener(detector()) if rule else None
        self._buffer = _Buffer()
        self._frame = FRAME * model_rate
        self._framed = 0  # frames so far, where speech detection is off

    @property
    def length(self) -> int:
        """Number of samples so far, at the model's sampling rate."""
        return self._buffer.end

    def push(self, samples: FloatArray) -> Iterator[Item]:
        """Add samples (T,) and yield the items that they complete. Read the iterator to its end."""
        sound = self._sound.push(samples)
        self._buffer.append(sound)
        heard = sound if self._speech is None else self._speech.push(samples)
        yield from self._cut(self._placer.push(self._judge(heard).tolist()))
        self._buffer.drop(self._placer.needed)

    def flush(self) -> Iterator[Item]:
        """End the audio and yield the last items."""
        sound = self._sound.flush()
        self._buffer.append(sound)
        heard = sound if self._speech is None else self._speech.flush()
        judged = self._judge(heard)
        last = np.empty(0, np.float32) if self._listener is None else self._listener.flush()
        frames = [*judged.tolist(), *last.tolist()]
        yield from self._cut(chain(self._placer.push(frames), self._placer.finish(self._buffer.end)))

    def _judge(self, heard: FloatArray) -> FloatArray:
        """Return the speech probabilities of the frames that are complete."""
        if self._listener is not None:
            return self._listener.push(heard)
        before, self._framed = self._framed, int(self._buffer.end / self._frame + 1e-9)
        return np.ones(self._framed - before, np.float32)

    def _cut(self, steps: Iterator[Step]) -> Iterator[Item]:
        for step in steps:
            if isinstance(step, Place):
                yield WindowAudio(step.start, step.end, self._buffer.cut(step.start, step.end))
            else:
                yield step


class _Buffer:
    """The last samples of a channel, addressed by their position in the whole."""

    def __init__(self) -> None:
        self._samples = np.empty(0, np.float32)
        self._start = 0

    @property
    def end(self) -> int:
        return self._start + len(self._samples)

    def append(self, samples: FloatArray) -> None:
        self._samples = np.concatenate([self._samples, samples])

    def drop(self, before: int) -> None:
        """Drop the samples before a position. The rest is copied, so that memory is freed."""
        gone = min(max(0, before - self._start), len(self._samples))
        self._samples, self._start = self._samples[gone:].copy(), self._start + gone

    def cut(self, start: int, end: int) -> FloatArray:
        assert self._start <= start < end <= self.end, (self._start, start, end, self.end)
        return self._samples[start - self._start : end - self._start].copy()
