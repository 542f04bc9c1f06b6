"""Power spectra, reduced frame by frame to the values that a feature keeps, and levels in dB.

A batch of spectra is far larger than a CPU's cache, and waiting for memory costs more than the transform: on a CPU,
sixteen clips at once take longer than one after the other. So on a CPU, frames are processed in blocks, and only the
values that a feature keeps are written to memory. Exported graphs and accelerators process the whole batch at once.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.spectrum import Stft, is_exporting

_BLOCK_POINTS = 1 << 18  # samples of all frames in a block: 1 MB, about the size of a core's own cache
_BANDS_AT_ONCE = 16


def mute_padding(waveform: Tensor, lengths: Tensor) -> Tensor:
    """Set the samples after each utterance's end to zero.

    Args:
        waveform: Waveforms (B, T).
        lengths: Number of valid samples (B,).
    """
    if not is_exporting() and waveform.device.type == "cpu" and int(lengths.min()) == waveform.shape[1]:
        return waveform
    return torch.where(frame_mask(lengths, waveform.shape[1]), waveform, 0.0)


def map_power(stft: Stft, waveform: Tensor, lengths: Tensor, keep: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Apply a function of single frames to the power spectrum of a batch.

    Args:
        stft: Short-time Fourier transform.
        waveform: Waveforms (B, T), zero after each utterance's end; see :func:`mute_padding`.
        lengths: Number of valid samples (B,).
        keep: Function from power (..., N, K), K = n_fft // 2 + 1, to the values (..., N, F) to keep of each frame.

    Returns:
        Kept values (B, F, N), not yet masked, and the number of valid frames (B,), 1 + length // hop.
    """
    if is_exporting() or waveform.device.type != "cpu":
        real, imaginary, frames = stft(waveform, lengths)
        return keep(real.square() + imaginary.square()).transpose(1, 2), frames
    clips = stft.frames(waveform)  # (B, N, n_fft), a view
    size = _BLOCK_POINTS // stft.n_fft
    kept = [torch.cat([keep(_power(block, stft.hann)) for block in clip.split(size)]) for clip in clips]
    return torch.stack(kept).transpose(1, 2), lengths // stft.hop + 1


class Bands(nn.Module):
    """Sums of a power spectrum under filters that each cover a part of it, such as mel filters.

    Groups of neighboring filters are multiplied only with the bins that they cover. For 128 mel bands this is a quarter
    of the work.

    Args:
        filters: Filters (F, K) in order of frequency.
    """

    def __init__(self, filters: NDArray[np.float32]) -> None:
        super().__init__()
        self.ranges: list[tuple[int, int]] = []
        edges = [*range(0, len(filters), _BANDS_AT_ONCE), len(filters)]
        for number, (first, last) in enumerate(pairwise(edges)):
            covered = np.flatnonzero(filters[first:last].any(0))
            low, high = (int(covered[0]), int(covered[-1]) + 1) if len(covered) else (0, 1)
            self.ranges.append((low, high))
            part = np.ascontiguousarray(filters[first:last, low:high].T)
            self.register_buffer(f"part_{number}", torch.from_numpy(part), persistent=False)  # (bins, bands)

    def forward(self, power: Tensor) -> Tensor:
        """Sum power (..., N, K) to bands (..., N, F)."""
        parts = [getattr(self, f"part_{number}") for number in range(len(self.ranges))]
        ranges = zip(self.ranges, parts, strict=True)
        return torch.cat([torch.matmul(power[..., low:high], part) for (low, high), part in ranges], dim=-1)


def decibels(power: Tensor, mask: Tensor, *, top_db: float, floor: float = 1e-10) -> Tensor:
    """Return 10 log10 of a power, as ``librosa.power_to_db(ref=1.0, amin=floor, top_db=top_db)`` for each clip alone.

    Args:
        power: Power (B, F, N).
        mask: Mask (B, 1, N), True where a frame is valid.
        top_db: Range below the utterance's loudest value; smaller values are raised to its lower end.
        floor: Smallest power; smaller values are raised to it.
    """
    level = 10 * power.clamp(min=floor).log10()
    return torch.maximum(level, loudest(level, mask) - top_db)


def loudest(level: Tensor, mask: Tensor) -> Tensor:
    """Return each utterance's largest valid value (B, 1, 1), given levels (B, F, N) and a mask (B, 1, N)."""
    return level.masked_fill(~mask, -torch.inf).amax((1, 2), keepdim=True)


def _power(frames: Tensor, hann: Tensor) -> Tensor:
    # squaring the spectrum as one real array takes half the time of squaring its real and imaginary parts
    squares = torch.view_as_real(torch.fft.rfft(frames * hann)).square()
    return squares[..., 0] + squares[..., 1]
