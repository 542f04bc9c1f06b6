"""Many clips behind each other as one sound, so that a few large operations do the work of all.

What is done to one clip takes as long to call as to do, and calls hold the interpreter, so that threads wait for each
other. In one long sound blocks of frames go across the clips: large enough to make calls cheap, small enough for a
core's cache. Nothing is padded to the longest clip, and every utterance's frames lie as the store keeps them, (N, F).

This is the way of a processor, without gradients; NumPy's absolute values and logarithms take a third of torch's time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from serkit.lab.signal.spectrum import Stft
from serkit.types import FloatArray

_BLOCK_POINTS = 3 << 17  # of all frames at once, 1.5 MB


@dataclass(frozen=True)
class Joined:
    """Clips in one sound, each beginning at a whole number of hops, with silence between: no frame of one sees another.

    Before the first clip there is half a frame of silence.

    Attributes:
        waveforms: Each of shape (T,).
        starts: Where each one's samples begin.
        spans: Each one's frames among all.
        frames: N, of all.
        size: Samples of the whole.
    """

    waveforms: Sequence[FloatArray]
    starts: tuple[int, ...]
    spans: tuple[slice, ...]
    frames: int
    size: int

    def write(self, at: int, out: FloatArray) -> FloatArray:
        """Fill an array (T,) with the samples from ``at`` on, and return it."""
        filled = 0
        for samples, start in zip(self.waveforms, self.starts, strict=True):
            first, end = max(start - at, 0), min(start + len(samples) - at, len(out))
            if first < end:
                out[filled:first] = 0
                out[first:end] = samples[first + at - start : end + at - start]
                filled = end
        out[filled:] = 0
        return out


def join(waveforms: Sequence[FloatArray], *, n_fft: int, hop: int) -> Joined:
    """Put clips behind each other.

    Args:
        waveforms: Each of shape (T,), T at least 1.
        n_fft: Samples of a frame, even.
        hop: Samples between frames.
    """
    starts, spans, slot = [], [], 0
    for samples in waveforms:
        starts.append(slot * hop + n_fft // 2)
        spans.append(slice(slot, slot + 1 + len(samples) // hop))
        slot += -(-(len(samples) + n_fft // 2) // hop)  # the next clip's first frame must not see this one's end
    return Joined(waveforms, tuple(starts), tuple(spans), slot, max((slot - 1) * hop + n_fft, slot * hop + 1))


def map_magnitudes(stft: Stft, joined: Joined, keep: Callable[[FloatArray], Tensor]) -> FloatArray:
    """Apply a function of single frames to the magnitudes of the spectrum of joined clips.

    Args:
        stft: The transform.
        joined: Of its ``n_fft`` and ``hop``.
        keep: From magnitudes (n, K), which it may overwrite, to what is kept of each frame, (n, F).

    Returns:
        Shape (N, F), in memory of its own.
    """
    size = min(_BLOCK_POINTS // stft.n_fft, joined.frames)
    samples = np.empty((size - 1) * stft.hop + stft.n_fft, np.float32)
    frames = torch.from_numpy(samples).unfold(0, stft.n_fft, stft.hop)  # (size, n_fft), a view
    windowed = torch.empty(size, stft.n_fft)
    magnitudes = np.empty((size, stft.n_fft // 2 + 1), np.float32)
    kept = []
    for at in range(0, joined.frames, size):
        count = min(size, joined.frames - at)
        joined.write(at * stft.hop, samples)
        torch.mul(frames[:count], stft.hann, out=windowed[:count])
        np.abs(torch.fft.rfft(windowed[:count]).numpy(), out=magnitudes[:count])
        kept.append(keep(magnitudes[:count]))
    return torch.cat(kept).numpy()


def mean_over_frames(frames: FloatArray) -> FloatArray:
    """Average (N, F) to (F,); NumPy adds rows up one by one, which costs float32 two digits where there are many."""
    mean: FloatArray = torch.from_numpy(frames).mean(0).numpy()
    return mean
