"""Six numbers about a whole signal: four moments of its samples, two of its spectrum."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from serkit.lab.features.front import Front, Kind
from serkit.lab.signal.functionals import masked_mean, moments
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.power import map_power, mute_padding
from serkit.lab.signal.spectrum import FrameConfig, Stft

_TINY = torch.finfo(torch.float32).tiny  # below this librosa takes a frame for silent


@dataclass(frozen=True)
class StatisticsConfig(FrameConfig):
    """Settings of :class:`Statistics`."""


class Statistics(Front):
    """Document B's six: mean, variance, skewness and kurtosis of the samples, mean spectral centroid and bandwidth.

    Moments are the biased ones, kurtosis by Fisher (0 for a Gaussian): ``numpy.var``, ``scipy.stats.skew`` and
    ``scipy.stats.kurtosis`` by default, but 0 of a constant, where SciPy has no number. Centroid and bandwidth, in
    Hz, are means over frames of ``librosa.feature.spectral_centroid`` and ``spectral_bandwidth``: the magnitude's
    mean frequency and its deviation, 0 in silence.

    Attributes:
        names: What each number is.
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
        spectral, frames = map_power(self.stft, waveform, lengths, self._centroid_and_bandwidth)  # (B, 2, N)
        spectral = masked_mean(spectral, frame_mask(frames, spectral.shape[2])[:, None, :])
        features = torch.cat([mean, deviation.square(), skewness, kurtosis, spectral], dim=1)
        return features[:, :, None], torch.ones_like(lengths)

    def _centroid_and_bandwidth(self, power: Tensor) -> Tensor:
        """Turn (..., N, K) into mean frequency and deviation (..., N, 2), in Hz."""
        magnitude = power.sqrt()
        total = magnitude.sum(-1, keepdim=True)
        share = magnitude / torch.where(total < _TINY, 1.0, total)
        centroid = torch.matmul(share, self.hz)[..., None]
        # not from the mean square: for a pure tone little would be left of a difference in float32
        bandwidth = (share * (self.hz - centroid).square()).sum(-1, keepdim=True).sqrt()
        return torch.cat([centroid, bandwidth], dim=-1)
