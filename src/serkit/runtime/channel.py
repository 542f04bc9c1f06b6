"""One channel of sound, heard as it comes: resampled, searched for speech, and cut into the windows in it."""

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
class Heard:
    """The sound of a window.

    Attributes:
        start: In samples at the model's rate.
        end: Likewise.
        waveform: Shape (end - start,).
    """

    start: int
    end: int
    waveform: FloatArray


Item = Begin | Heard | End


class Track:
    """A channel from samples to windows.

    Args:
        rate: Hz of what comes in.
        model_rate: Hz of what the model hears.
        window: Seconds.
        hop: Seconds.
        rule: When there is speech; None where nobody is to look.
        least: Seconds that the model needs.

    Raises:
        SamplingRateError: If speech is to be found where the rate leaves too little of it.
    """

    def __init__(
        self, *, rate: int, model_rate: int, window: float, hop: float, rule: SpeechRule | None, least: float
    ) -> None:
        if rule and rate < LOWEST_RATE:
            raise SamplingRateError(
                f"speech is not found in sound of {rate} Hz, which has lost too much of it; take all of it for speech "
                "(vad=False, --no-vad)."
            )
        self._placer = Placer(rate=model_rate, window=window, hop=hop, frame=FRAME, rule=rule, least=least)
        self._sound = Resampler(rate, model_rate)
        self._speech = Resampler(rate, RATE) if rule and model_rate != RATE else None
        self._listener = SpeechListener(detector()) if rule else None
        self._buffer = _Buffer()
        self._frame = FRAME * model_rate
        self._framed = 0  # frames counted where nobody looks for speech

    @property
    def length(self) -> int:
        """Samples heard so far, at the model's rate."""
        return self._buffer.end

    def push(self, samples: FloatArray) -> Iterator[Item]:
        """Take samples (T,) at the incoming rate; whoever reads what this yields must read it to its end."""
        sound = self._sound.push(samples)
        self._buffer.append(sound)
        heard = sound if self._speech is None else self._speech.push(samples)
        yield from self._cut(self._placer.push(self._judge(heard).tolist()))
        self._buffer.drop(self._placer.needed)

    def flush(self) -> Iterator[Item]:
        """End the sound."""
        sound = self._sound.flush()
        self._buffer.append(sound)
        heard = sound if self._speech is None else self._speech.flush()
        judged = self._judge(heard)
        last = np.empty(0, np.float32) if self._listener is None else self._listener.flush()
        frames = [*judged.tolist(), *last.tolist()]
        yield from self._cut(chain(self._placer.push(frames), self._placer.finish(self._buffer.end)))

    def _judge(self, heard: FloatArray) -> FloatArray:
        """Return the probabilities of the frames that have come to their end."""
        if self._listener is not None:
            return self._listener.push(heard)
        before, self._framed = self._framed, int(self._buffer.end / self._frame + 1e-9)
        return np.ones(self._framed - before, np.float32)

    def _cut(self, steps: Iterator[Step]) -> Iterator[Item]:
        for step in steps:
            if isinstance(step, Place):
                yield Heard(step.start, step.end, self._buffer.cut(step.start, step.end))
            else:
                yield step


class _Buffer:
    """The samples that may still be wanted, found by their place in the whole."""

    def __init__(self) -> None:
        self._samples = np.empty(0, np.float32)
        self._start = 0

    @property
    def end(self) -> int:
        return self._start + len(self._samples)

    def append(self, samples: FloatArray) -> None:
        self._samples = np.concatenate([self._samples, samples])

    def drop(self, before: int) -> None:
        """Forget what stands before a place; copied, so that memory is given back."""
        gone = min(max(0, before - self._start), len(self._samples))
        self._samples, self._start = self._samples[gone:].copy(), self._start + gone

    def cut(self, start: int, end: int) -> FloatArray:
        assert self._start <= start < end <= self.end, (self._start, start, end, self.end)
        return self._samples[start - self._start : end - self._start].copy()
