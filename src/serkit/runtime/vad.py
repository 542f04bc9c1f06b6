"""Who speaks when: a small network of our own, whose answers depend on a second of sound around each frame and no more.

So a stream, a whole recording and its pieces get the same numbers. ``python -m serkit.lab.speech`` made the file; its
metadata says what it was trained on.
"""

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import onnxruntime

from serkit.audio.decode import resample
from serkit.errors import InferenceError
from serkit.runtime.windows import Begin, Placer, SpeechRule
from serkit.types import FloatArray

RATE = 16_000  # Hz, of what the network hears
LOWEST_RATE = 8_000  # Hz; of RAVDESS's clips none is missed at 8,000, 1 in 160 at 6,000, and half at 4,000
FRAME = 0.02  # seconds, of one probability
_AT_ONCE = 3_000  # frames in one call: a minute, so that memory stays small
_AT_LEAST = 4  # frames that a stream waits for: a call costs as much as a second of sound
_SILENT = 1e-5  # 100 dB below full scale: nobody is heard there


class SpeechDetector:
    """Speech probabilities of a recording, frame by frame.

    Attributes:
        left: Samples before a frame that its answer depends on.
        right: Samples behind it.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        about = session.get_modelmeta().custom_metadata_map
        self.left, self.right, self.hop = (int(about[name]) for name in ("left", "right", "hop"))

    @classmethod
    def load(cls, *, threads: int | None = None) -> "SpeechDetector":
        """Open the network that comes with serkit."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        content = (resources.files("serkit") / "assets" / "speech.onnx").read_bytes()
        return cls(onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]))

    def probabilities(self, samples: FloatArray) -> FloatArray:
        """Return the probability of speech (N,) in each whole frame between a left and a right context.

        Args:
            samples: Shape (left + N * hop + right,) at 16,000 Hz; what is more at the end is ignored.
        """
        count = max(0, (len(samples) - self.left - self.right) // self.hop)
        found = [np.empty(0, np.float32)]
        for first in range(0, count, _AT_ONCE):
            frames = min(_AT_ONCE, count - first)
            start = first * self.hop
            piece = samples[start : start + self.left + frames * self.hop + self.right]
            if np.abs(piece).max() < _SILENT:
                found.append(np.zeros(frames, np.float32))
                continue
            try:
                found.append(self._session.run(["speech"], {"waveform": piece[None]})[0][0])
            except Exception as error:  # ONNX Runtime's own exceptions share no base but this
                raise InferenceError(f"the speech detector failed on {len(piece)} samples: {error}") from error
        return np.concatenate(found)

    def of_clip(self, samples: FloatArray) -> FloatArray:
        """Return the probabilities (N,) of a clip (T,) that begins and ends in silence; N = T // hop."""
        padded = np.pad(samples, (self.left, self.right))
        return self.probabilities(padded)


@cache
def detector() -> SpeechDetector:
    """Return the one detector of this process; it may be shared between threads."""
    return SpeechDetector.load(threads=1)  # a second thread gains nothing: an hour takes one second


def has_speech(samples: FloatArray, rate: int) -> bool:
    """Say whether somebody speaks in a clip (T,) of some seconds, by the rule that timelines go by."""
    placer = Placer(rate=RATE, window=1.0, hop=1.0, frame=FRAME, rule=SpeechRule())
    heard = detector().of_clip(resample(samples, rate, RATE))
    return any(isinstance(step, Begin) for step in placer.push(heard.tolist()))


class SpeechListener:
    """Speech probabilities of sound that comes in pieces, at 16,000 Hz."""

    def __init__(self, network: SpeechDetector) -> None:
        self._network = network
        self._kept = np.zeros(network.left, np.float32)  # before the first sample there is silence

    def push(self, samples: FloatArray) -> FloatArray:
        """Take samples (T,) and return the probabilities (N,) of the frames that can be judged now."""
        self._kept = np.concatenate([self._kept, samples])
        return self._judge(at_least=_AT_LEAST)

    def flush(self) -> FloatArray:
        """Return the last whole frames, as if silence followed."""
        self._kept = np.pad(self._kept, (0, self._network.right))
        return self._judge(at_least=1)

    def _judge(self, *, at_least: int) -> FloatArray:
        network = self._network
        if len(self._kept) < network.left + at_least * network.hop + network.right:
            return np.empty(0, np.float32)
        found = network.probabilities(self._kept)
        self._kept = self._kept[len(found) * network.hop :]
        return found
