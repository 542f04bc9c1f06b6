"""Six statistics of a whole signal: four moments of its samples and two of its spectrum."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from serkit.lab.features.front import Front, Kind
from serkit.lab.signal.functionals import masked_mean, moments
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.power import map_power, mute_padding
from serkit.lab.signal.spectrum import FrameConfig, Stft

_ROUNDING = 1e-7  # a mean below this is what rounding left of an offset, 140 dB below full scale
_TINY = torch.finfo(torch.float32).tiny  # librosa treats a frame as silent if its magnitudes sum to less


@dataclass(frozen=True)
class StatisticsConfig(FrameConfig):
    """Settings of :class:`Statistics`."""


class Statistics(Front):
    """Six statistics of the fusionnet report: waveform (B, T) to a vector (B, 6, 1).

    They are mean, variance, skewness and kurtosis of the samples, and mean spectral centroid and bandwidth. In recipes
    the mean is always 0, see :class:`serkit.lab.features.centered.Centered`; below a ten-millionth it counts as 0.

    The moments are the biased estimates, and kurtosis is Fisher's (0 for a Gaussian), as the defaults of ``numpy.var``,
    ``scipy.stats.skew`` and ``scipy.stats.kurtosis``. For a constant, skewness and kurtosis are 0, where SciPy returns
    NaN. Centroid and bandwidth, in Hz, are means over frames of ``librosa.feature.spectral_centroid`` and
    ``spectral_bandwidth``: the mean and the deviation of frequency, weighted by magnitude. They are 0 in silence.

    Attributes:
        names: Name of each value.
    """

    kind: Kind = "vector"
    names: ClassVar[tuple[str, ...]] = (
        "mean", "variance", "skewness", "kurtosis", "spectral_centroid", "spectral_bandwidth",
    )  # fmt: skip
    hz: Tensor

    def __init__(self, config: StatisticsConfig) -> None:
        super().__init__()
        self.config = config
        self.size = len(self.names)
        self.stft = Stft(n_fft=config.n_fft, hop=config.hop)
        hz = torch.linspace(0, config.sampling_rate / 2, config.n_fft // 2 + 1)
        self.register_buffer("hz", hz, persistent=False)  # (K,)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        mask = frame_mask(lengths, waveform.shape[1])[:, None, :]
        mean, deviation, skewness, kurtosis = moments(waveform[:, None, :], mask)
        mean = torch.where(mean.abs() < _ROUNDING, 0.0, mean)  # otherwise standardization would blow it up
        spectral, frames = map_power(self.stft, waveform, lengths, self._centroid_and_bandwidth)  # (B, 2, N)
        spectral = masked_mean(spectral, frame_mask(frames, spectral.shape[2])[:, None, :])
        features = torch.cat([mean, deviation.square(), skewness, kurtosis, spectral], dim=1)
        return features[:, :, None], torch.ones_like(lengths)

    def _centroid_and_bandwidth(self, power: Tensor) -> Tensor:
        """Return mean and deviation of frequency (..., N, 2), in Hz, weighted by the magnitude of power (..., N, K)."""
        magnitude = power.sqrt()
        total = magnitude.sum(-1, keepdim=True)
        share = magnitude / torch.where(total < _TINY, 1.0, total)
        centroid = torch.matmul(share, self.hz)[..., None]
        # the mean square minus the squared mean would lose float32 precision for a pure tone
        bandwidth = (share * (self.hz - centroid).square()).sum(-1, keepdim=True).sqrt()
        return torch.cat([centroid, bandwidth], dim=-1)
