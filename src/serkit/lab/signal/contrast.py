"""Spectral contrast: the level difference between the peaks and the valleys of each octave."""

import numpy as np
import torch
from torch import Tensor, nn

from serkit.lab.signal.power import decibels


class SpectralContrast(nn.Module):
    """Level difference in dB between the strongest and the weakest bins of each octave band.

    The result equals ``librosa.feature.spectral_contrast`` of the same transform. The first band lies below ``fmin``,
    and the last one holds everything above the other bands. A band shares its lowest bin with the band below.

    Args:
        sampling_rate: Sampling rate in Hz.
        n_fft: Points of the Fourier transform.
        octaves: Number of bands above the first.
        fmin: Upper edge of the first band in Hz.
        quantile: Share of a band's bins that is averaged for its peak and for its valley, at least one bin.

    Source: D.-N. Jiang et al., Music type classification by spectral contrast feature, ICME 2002.
    """

    def __init__(
        self, *, sampling_rate: int, n_fft: int, octaves: int = 6, fmin: float = 200.0, quantile: float = 0.02
    ) -> None:
        super().__init__()
        self.size = octaves + 1
        hz = np.arange(n_fft // 2 + 1) * sampling_rate / n_fft
        self.bands: list[tuple[int, int, int]] = []  # first bin, end, number of averaged bins
        for band in range(self.size):
            low, high = (0.0 if band == 0 else fmin * 2 ** (band - 1)), fmin * 2**band
            inside = np.flatnonzero((hz >= low) & (hz <= high))
            first = int(inside[0]) - (band > 0)
            end = len(hz) if band == octaves else int(inside[-1]) + 1
            averaged = max(1, int(np.rint(quantile * (end - first))))
            self.bands.append((first, end if band == octaves else end - 1, averaged))

    def extremes(self, magnitude: Tensor) -> Tensor:
        """Return the peaks and then the valleys of all bands, (..., N, 2 * bands), from magnitudes (..., N, K)."""
        peaks, valleys = [], []
        for first, end, averaged in self.bands:
            band = magnitude[..., first:end]
            peaks.append(band.topk(averaged).values.mean(-1, keepdim=True))
            valleys.append(band.topk(averaged, largest=False).values.mean(-1, keepdim=True))
        return torch.cat(peaks + valleys, -1)

    def forward(self, extremes: Tensor, mask: Tensor) -> Tensor:
        """Subtract the valleys from the peaks, in dB.

        Args:
            extremes: Output of :meth:`extremes`, transposed to (B, 2 * bands, N).
            mask: Valid frames (B, 1, N).

        Returns:
            Contrast of each band in dB, (B, bands, N).
        """
        peaks, valleys = (decibels(part, mask, top_db=80.0) for part in extremes.chunk(2, dim=1))
        return peaks - valleys
