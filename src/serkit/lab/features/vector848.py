"""A vector of 848 values: 16 functionals of 53 descriptors."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from serkit.lab.features.front import Front, Kind
from serkit.lab.signal.cepstrum import cepstrum, cosine_transform
from serkit.lab.signal.functionals import FUNCTIONALS, functionals
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.pitch_classes import PITCH_CLASSES, chroma_filters, normalize_peaks
from serkit.lab.signal.power import Bands, decibels, map_power, mute_padding
from serkit.lab.signal.spectrum import FrameConfig, Stft
from serkit.lab.signal.time_domain import frame_rms

_BANDS = 128
_COEFFICIENTS = 40
_DESCRIPTORS = (*(f"mfcc_{n}" for n in range(_COEFFICIENTS)), *(f"chroma_{name}" for name in PITCH_CLASSES), "rms")


@dataclass(frozen=True)
class Vector848Config(FrameConfig):
    """Settings of :class:`Vector848`."""


class Vector848(Front):
    """The 16 :data:`FUNCTIONALS` of 40 MFCC, 12 chroma and the RMS: waveform (B, T) to a vector (B, 848, 1).

    The vector of the hong-zhao report has 848 values, which the report does not list. These are our choice: common
    descriptors whose number gives 53 * 16 = 848. So scores need not be comparable to the report's. The descriptors
    equal librosa's with its defaults, except that the tuning of chroma is not estimated (see
    :class:`~serkit.lab.features.chroma.Chroma`).

    Attributes:
        names: Name of each value.
    """

    kind: Kind = "vector"
    names: ClassVar[tuple[str, ...]] = tuple(
        f"{name}_{functional}" for name in _DESCRIPTORS for functional in FUNCTIONALS
    )
    chroma: Tensor
    dct: Tensor

    def __init__(self, config: Vector848Config) -> None:
        super().__init__()
        self.config = config
        self.size = len(self.names)
        self.stft = Stft(n_fft=config.n_fft, hop=config.hop)
        self.mel = Bands(mel_filters(config.sampling_rate, config.n_fft, _BANDS))
        chroma = torch.from_numpy(chroma_filters(config.sampling_rate, config.n_fft))
        self.register_buffer("chroma", chroma, persistent=False)  # (12, K)
        dct = torch.from_numpy(cosine_transform(_COEFFICIENTS, _BANDS))
        self.register_buffer("dct", dct, persistent=False)  # (40, 128)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        descriptors, frames = self.descriptors(waveform, lengths)
        summed = functionals(descriptors, frames, frame_rate=self.config.sampling_rate / self.config.hop)
        return summed.reshape(-1, self.size, 1), torch.ones_like(lengths)

    def descriptors(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the descriptors of each frame (B, 53, N), not masked, and the number of valid frames (B,)."""
        waveform = mute_padding(waveform, lengths)
        bands, frames = map_power(self.stft, waveform, lengths, self._bands)
        mel, chroma = bands[:, :_BANDS], bands[:, _BANDS:]
        mask = frame_mask(frames, bands.shape[2])[:, None, :]
        mfcc = cepstrum(decibels(mel, mask, top_db=80.0), mask, self.dct)
        rms = frame_rms(waveform, n_fft=self.config.n_fft, hop=self.config.hop)
        return torch.cat([mfcc, normalize_peaks(chroma), rms], dim=1), frames

    def _bands(self, power: Tensor) -> Tensor:
        """Sum power (..., N, K) to mel and chroma bands (..., N, 140)."""
        return torch.cat([self.mel(power), torch.matmul(power, self.chroma.T)], dim=-1)
