"""Fundamental frequency (f0) of a voice, frame by frame, with the pitch tracker that comes with serkit.

The tracker is the lab's ``pitch`` feature. ``make pitch-model`` exports it to ``assets/pitch.onnx``, and ONNX Runtime
runs it here, so that corpora can be measured without torch.
"""

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serkit.audio.decode import load_audio
from serkit.types import FloatArray

SAMPLING_RATE = 16_000
HOP = 160  # samples between frames, 10 ms
_BLOCK = 20 * SAMPLING_RATE  # samples that are tracked at once, which keeps memory small


def track_pitch(samples: NDArray[Any], *, sampling_rate: int) -> FloatArray:
    """Find the fundamental frequency of each frame.

    Frame k is centered at k * 10 ms. A recording longer than 20 s is tracked in blocks of 20 s.

    Args:
        samples: Recording of one voice, (T,) or (channels, T).
        sampling_rate: Sampling rate of the samples in Hz; they are resampled to 16 kHz.

    Returns:
        Fundamental frequency in Hz from 65 to 500, shape (frames,), NaN where a frame is unvoiced.

    Raises:
        AudioError: If the samples are not audio.
    """
    voice = load_audio(samples, sampling_rate=sampling_rate, target_rate=SAMPLING_RATE)
    blocks = [voice[start : start + _BLOCK] for start in range(0, len(voice), _BLOCK)]
    found = [_tracker().run(["f0"], {"waveform": block[None]})[0][0] for block in blocks]
    # the last frame of a whole block is the first one of the next block
    f0 = np.concatenate([*(part[: _BLOCK // HOP] for part in found[:-1]), found[-1]])
    return np.where(f0 > 0, f0, np.nan).astype(np.float32)


@cache
def _tracker() -> Any:
    """Open the pitch tracker once per process; threads may share it."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1  # several clips are measured in parallel
    content = (resources.files("serkit") / "assets" / "pitch.onnx").read_bytes()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
