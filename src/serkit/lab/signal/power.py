"""What is summed or chosen out of a power spectrum, one frame at a time.

A batch of spectra is far larger than a processor's cache, and waiting for memory costs more than the transform: sixteen
clips at once take longer than sixteen clips in turn. So frames go through in blocks, and only what a feature keeps of
each is ever written. A graph and an accelerator get the whole batch at once.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.spectrum import Stft, is_exporting

_BLOCK_POINTS = 1 << 18  # of all frames at once: 1 MB, which a core's own cache about holds
_BANDS_AT_ONCE = 16


def mute_padding(waveform: Tensor, lengths: Tensor) -> Tensor:
    """Set what lies behind each utterance's end to zero.

    Args:
        waveform: Shape (B, T).
        lengths: Valid samples, shape (B,).
    """
    if not is_exporting() and waveform.device.type == "cpu" and int(lengths.min()) == waveform.shape[1]:
        return waveform
    return torch.where(frame_mask(lengths, waveform.shape[1]), waveform, 0.0)


def map_power(stft: Stft, waveform: Tensor, lengths: Tensor, keep: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Apply a function of single frames to the power spectrum of a batch.

    Args:
        stft: The transform.
        waveform: Shape (B, T), zero behind each utterance's end: see :func:`mute_padding`.
        lengths: Valid samples, shape (B,).
        keep: From power (..., N, K), K = n_fft // 2 + 1, to what is kept of each frame, (..., N, F).

    Returns:
        What was kept, shape (B, F, N), not yet masked, and valid frames (B,): 1 + length // hop.
    """
    if is_exporting() or waveform.device.type != "cpu":
        real, imaginary, frames = stft(waveform, lengths)
        return keep(real.square() + imaginary.square()).transpose(1, 2), frames
    cut = stft.frames(waveform)  # (B, N, n_fft), a view
    block = _BLOCK_POINTS // stft.n_fft
    kept = [torch.cat([keep(_power(some, stft.hann)) for some in clip.split(block)]) for clip in cut]
    return torch.stack(kept).transpose(1, 2), lengths // stft.hop + 1


class Bands(nn.Module):
    """Sums a power spectrum under filters that each see but a part of it, such as a mel scale's.

    Neighboring filters are multiplied with the bins that they see and no others, a quarter of the work for 128 mel
    bands.

    Args:
        filters: Shape (F, K), the filters in order of frequency.
    """

    def __init__(self, filters: NDArray[np.float32]) -> None:
        super().__init__()
        self.ranges: list[tuple[int, int]] = []
        edges = [*range(0, len(filters), _BANDS_AT_ONCE), len(filters)]
        for number, (first, last) in enumerate(pairwise(edges)):
            seen = np.flatnonzero(filters[first:last].any(0))
            low, high = (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)
            self.ranges.append((low, high))
            part = np.ascontiguousarray(filters[first:last, low:high].T)
            self.register_buffer(f"part_{number}", torch.from_numpy(part), persistent=False)  # (bins, bands)

    def forward(self, power: Tensor) -> Tensor:
        """Turn (..., N, K) into bands (..., N, F)."""
        parts = [getattr(self, f"part_{number}") for number in range(len(self.ranges))]
        ranges = zip(self.ranges, parts, strict=True)
        return torch.cat([torch.matmul(power[..., low:high], part) for (low, high), part in ranges], dim=-1)


def decibels(power: Tensor, mask: Tensor, *, top_db: float, floor: float = 1e-10) -> Tensor:
    """Return 10 log10 of a power, as ``librosa.power_to_db(ref=1.0, amin=floor, top_db=top_db)`` of each clip alone.

    Args:
        power: Shape (B, F, N).
        mask: Shape (B, 1, N), True where a frame is valid.
        top_db: All that is further below the utterance's loudest value is raised to that.
        floor: The power that counts as silence.
    """
    level = 10 * power.clamp(min=floor).log10()
    return torch.maximum(level, loudest(level, mask) - top_db)


def loudest(level: Tensor, mask: Tensor) -> Tensor:
    """Return the largest of an utterance's valid values, shape (B, 1, 1), of (B, F, N) and a mask (B, 1, N)."""
    return level.masked_fill(~mask, -torch.inf).amax((1, 2), keepdim=True)


def _power(frames: Tensor, hann: Tensor) -> Tensor:
    # squares of a plain array take half the time of squares of its real and its imaginary part
    squares = torch.view_as_real(torch.fft.rfft(frames * hann)).square()
    return squares[..., 0] + squares[..., 1]
