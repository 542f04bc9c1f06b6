"""Many clips joined into one long sound, so that a few large operations process all of them.

For a single short clip, calling an operation costs as much as running it, and the calls hold the interpreter lock, so
threads wait for each other. In one long sound, blocks of frames span several clips. A block is large enough to make
calls cheap and small enough for a core's cache. Clips are not padded to the longest one, and each utterance's frames
already have the feature store's layout, (N, F).

This path runs on CPUs, without gradients. NumPy computes absolute values and logarithms in a third of torch's time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from serkit.lab.signal.spectrum import Stft
from serkit.types import FloatArray

_BLOCK_POINTS = 3 << 17  # samples of all frames in a block, 1.5 MB


@dataclass(frozen=True)
class Joined:
    """Clips joined into one sound, separated by silence so that no frame contains samples of two clips.

    The frames of each clip begin at a whole number of hops. Half a frame of silence precedes the first clip.

    Attributes:
        waveforms: Clips, each of shape (T,).
        starts: Index of each clip's first sample in the joined sound.
        spans: Slice of each clip's frames among all frames.
        frames: Number of all frames, N.
        size: Number of samples of the joined sound.
    """

    waveforms: Sequence[FloatArray]
    starts: tuple[int, ...]
    spans: tuple[slice, ...]
    frames: int
    size: int

    def write(self, at: int, out: FloatArray) -> FloatArray:
        """Fill an array (T,) with the samples that start at index ``at``, and return the array."""
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
    """Join clips into one sound.

    Args:
        waveforms: Clips, each of shape (T,), T at least 1.
        n_fft: Samples of a frame, an even number.
        hop: Samples between frames.
    """
    starts, spans, slot = [], [], 0
    for samples in waveforms:
        starts.append(slot * hop + n_fft // 2)
        spans.append(slice(slot, slot + 1 + len(samples) // hop))
        slot += -(-(len(samples) + n_fft // 2) // hop)  # keeps this clip's end out of the next clip's first frame
    return Joined(waveforms, tuple(starts), tuple(spans), slot, max((slot - 1) * hop + n_fft, slot * hop + 1))


def map_magnitudes(stft: Stft, joined: Joined, keep: Callable[[FloatArray], Tensor]) -> FloatArray:
    """Apply a function of single frames to the magnitude spectrum of joined clips.

    Args:
        stft: Short-time Fourier transform.
        joined: Clips, joined with the ``n_fft`` and ``hop`` of ``stft``.
        keep: Function from magnitudes (n, K), which it may overwrite, to the values (n, F) to keep of each frame.

    Returns:
        Kept values (N, F) in newly allocated memory.
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
    """Average (N, F) over frames to (F,) with torch; NumPy adds row by row, and float32 loses two digits over many."""
    mean: FloatArray = torch.from_numpy(frames).mean(0).numpy()
    return mean
