"""Measures of centered frames that need no spectrum: zero-crossing rate and root mean square."""

from math import gcd

from torch import Tensor
from torch.nn import functional

CROSSING_FLOOR = 1e-10  # librosa treats samples up to this size as zero, and zero as positive


def zero_crossing_rate(waveform: Tensor, valid: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Return the share of each centered frame's samples that cross zero, as librosa's, shape (B, 1, N).

    Args:
        waveform: Waveforms (B, T).
        valid: Mask (B, T), True before each utterance's end.
        n_fft: Samples of a frame, an even number.
        hop: Samples between frames.
    """
    negative = waveform < -CROSSING_FLOOR
    # librosa pads a clip by repeating its first and last sample, which adds no crossings
    crosses = functional.pad((negative[:, 1:] ^ negative[:, :-1]) & valid[:, 1:], (1, 0))  # (B, T), bool
    # the first sample of a frame, half a frame before its center, does not count as a crossing either
    first = functional.pad(crosses, (n_fft // 2, 0))[:, : waveform.shape[1] + 1 : hop]
    return frame_mean(crosses, n_fft=n_fft, hop=hop) - first[:, None, :].to(waveform.dtype) / n_fft


def frame_rms(waveform: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Return the root mean square of centered frames, as ``librosa.feature.rms``, shape (B, 1, N).

    Args:
        waveform: Waveforms (B, T), zero after each utterance's end.
        n_fft: Samples of a frame, an even number.
        hop: Samples between frames.
    """
    return frame_mean(waveform.square(), n_fft=n_fft, hop=hop).sqrt()


def frame_mean(values: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Average values (B, T) over centered frames, with zeros around them, to (B, 1, N)."""
    shared = gcd(n_fft, hop)  # overlapping frames share blocks of this size, which are summed once
    padded = functional.pad(values, (n_fft // 2, n_fft // 2))
    count = padded.shape[1] // shared
    blocks = padded[:, : count * shared].reshape(-1, count, shared).sum(2) / shared  # (B, count)
    return functional.avg_pool1d(blocks[:, None, :], n_fft // shared, hop // shared)
