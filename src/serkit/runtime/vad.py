"""SpeechDetector: a small network that gives the probability of speech in each frame.

A frame's probability depends on about a second of audio around it and nothing else, so a stream, a whole recording and
its pieces get the same numbers. An offset changes nothing: the spectra that the network reads are blind to it, and the
first and the last sample stand for the silence around the audio. ``tools/speech_detector`` makes the model file, whose
metadata states the training corpora.
"""

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import onnxruntime

from serkit.audio.resampling import resample
from serkit.errors import InferenceError
from serkit.runtime.windows import Begin, Placer, SpeechRule
from serkit.types import FloatArray

RATE = 16_000  # sampling rate of the network in Hz
LOWEST_RATE = 8_000  # Hz; of RAVDESS's clips none is missed at 8,000 Hz, 1 in 160 at 6,000 Hz, and half at 4,000 Hz
FRAME = 0.02  # length of a frame in seconds
_BATCH_FRAMES = 3_000  # frames in one call: one minute, to limit memory
_FEWEST_FRAMES = 4  # frames that a stream waits for: each call has a cost that is worth a second of audio
_SILENT = 2e-5  # from the lowest to the highest sample, 100 dB below full scale: digital silence has no speech


class SpeechDetector:
    """Gives the probability of speech in each frame of audio.

    Args:
        session: ONNX Runtime session of the network.

    Attributes:
        left: Number of samples before a frame that its probability depends on.
        right: Number of samples after a frame that its probability depends on.
        hop: Number of samples in a frame.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        about = session.get_modelmeta().custom_metadata_map
        self.left, self.right, self.hop = (int(about[name]) for name in ("left", "right", "hop"))

    @classmethod
    def load(cls, *, threads: int | None = None) -> "SpeechDetector":
        """Open the network that is part of the package.

        Args:
            threads: Number of threads for one call. None leaves the number to ONNX Runtime.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        content = (resources.files("serkit") / "assets" / "speech.onnx").read_bytes()
        return cls(onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"]))

    def probabilities(self, samples: FloatArray) -> FloatArray:
        """Return the probability of speech in each frame between the left and the right context.

        Args:
            samples: Samples at 16,000 Hz, shape (left + N * hop + right,). An incomplete last frame is ignored.

        Returns:
            Probabilities, shape (N,).

        Raises:
            InferenceError: If ONNX Runtime fails.
        """
        count = max(0, (len(samples) - self.left - self.right) // self.hop)
        found = [np.empty(0, np.float32)]
        for first in range(0, count, _BATCH_FRAMES):
            frames = min(_BATCH_FRAMES, count - first)
            start = first * self.hop
            piece = samples[start : start + self.left + frames * self.hop + self.right]
            if np.ptp(piece) < _SILENT:
                found.append(np.zeros(frames, np.float32))
                continue
            try:
                found.append(self._session.run(["speech"], {"waveform": piece[None]})[0][0])
            except Exception as error:  # ONNX Runtime's exceptions have no other common base
                raise InferenceError(f"the speech detector failed on {len(piece)} samples: {error}") from error
        return np.concatenate(found)

    def of_clip(self, samples: FloatArray) -> FloatArray:
        """Return the probabilities (N,) of a clip (T,), as if silence surrounded it; N = T // hop."""
        if not len(samples):
            return np.empty(0, np.float32)
        return self.probabilities(np.pad(samples, (self.left, self.right), mode="edge"))


@cache
def detector() -> SpeechDetector:
    """Return the detector of this process. Threads may share it."""
    return SpeechDetector.load(threads=1)  # one thread is enough: an hour of audio takes one second


def has_speech(samples: FloatArray, rate: int) -> bool:
    """Return whether a clip (T,) of a few seconds contains speech, by the default rule of timelines.

    Args:
        samples: Samples, shape (T,).
        rate: Sampling rate in Hz.
    """
    placer = Placer(rate=RATE, window=1.0, hop=1.0, frame=FRAME, rule=SpeechRule())
    heard = detector().of_clip(resample(samples, rate, RATE))
    return any(isinstance(step, Begin) for step in placer.push(heard.tolist()))


class SpeechListener:
    """Gives speech probabilities of audio at 16,000 Hz that is pushed piece by piece.

    Args:
        network: Speech detector.
    """

    def __init__(self, network: SpeechDetector) -> None:
        self._network = network
        self._kept = np.empty(0, np.float32)

    def push(self, samples: FloatArray) -> FloatArray:
        """Add samples (T,) and return the probabilities (N,) of the frames that they complete."""
        if not len(self._kept):
            self._kept = np.repeat(samples[:1], self._network.left)  # silence before the first sample
        self._kept = np.concatenate([self._kept, samples])
        return self._judge(at_least=_FEWEST_FRAMES)

    def flush(self) -> FloatArray:
        """Return the probabilities (N,) of the last whole frames, as if silence followed."""
        self._kept = np.concatenate([self._kept, np.repeat(self._kept[-1:], self._network.right)])
        return self._judge(at_least=1)

    def _judge(self, *, at_least: int) -> FloatArray:
        network = self._network
        if len(self._kept) < network.left + at_least * network.hop + network.right:
            return np.empty(0, np.float32)
        found = network.probabilities(self._kept)
        self._kept = self._kept[len(found) * network.hop :]
        return found
