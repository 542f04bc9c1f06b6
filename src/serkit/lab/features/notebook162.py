"""The vector of 162 values that many notebooks on emotional speech use: means of five librosa features."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serkit.lab.features.front import Front, Kind
from serkit.lab.recipes.config import require
from serkit.lab.signal.cepstrum import cosine_transform
from serkit.lab.signal.functionals import masked_mean
from serkit.lab.signal.joined_clips import Joined, join, map_magnitudes, mean_over_frames
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.pitch_classes import PITCH_CLASSES, chroma_filters, normalize_peaks
from serkit.lab.signal.power import Bands, decibels, map_power
from serkit.lab.signal.spectrum import FrameConfig, Stft
from serkit.lab.signal.time_domain import CROSSING_FLOOR, frame_rms, zero_crossing_rate
from serkit.types import FloatArray

_BANDS = 128
_COEFFICIENTS = 20
_TOP_DB, _FLOOR = 80.0, 1e-10  # range and floor of the mel levels from which MFCC are computed


@dataclass(frozen=True)
class Notebook162Config(FrameConfig):
    """Settings of :class:`Notebook162`; the defaults are librosa's.

    Attributes:
        chroma_of: Spectrum from which chroma is computed: ``power``, as ``chroma_stft(y=...)``, or ``magnitude``, as
            ``chroma_stft(S=np.abs(stft))``.
    """

    sampling_rate: int = 22_050
    chroma_of: Literal["power", "magnitude"] = "power"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, chroma_of=self.chroma_of in ("power", "magnitude"))


class Notebook162(Front):
    """Vector of 162 values of the fusionnet report, means over the utterance's frames: waveform (B, T) to (B, 162, 1).

    The values are, in this order, zero-crossing rate (1), chroma (12), MFCC (20), RMS (1) and mel power (128). They
    equal librosa's ``zero_crossing_rate``, ``chroma_stft``, ``mfcc``, ``rms`` and ``melspectrogram`` with its defaults.

    Deviation: before chroma, librosa estimates the tuning of each recording; here A4 is 440 Hz, see
    :class:`~serkit.lab.features.chroma.Chroma`. Many notebooks pass magnitudes to ``chroma_stft``, which expects power;
    ``chroma_of="magnitude"`` does the same.

    Attributes:
        names: Name of each value.
    """

    kind: Kind = "vector"
    names: ClassVar[tuple[str, ...]] = (
        "zero_crossing_rate",
        *(f"chroma_{name}" for name in PITCH_CLASSES),
        *(f"mfcc_{n}" for n in range(_COEFFICIENTS)),
        "rms",
        *(f"mel_{n}" for n in range(_BANDS)),
    )
    chroma: Tensor
    dct: Tensor

    def __init__(self, config: Notebook162Config) -> None:
        super().__init__()
        self.config = config
        self.size = len(self.names)
        self.stft = Stft(n_fft=config.n_fft, hop=config.hop)
        self.mel = Bands(mel_filters(config.sampling_rate, config.n_fft, _BANDS))
        chroma = torch.from_numpy(chroma_filters(config.sampling_rate, config.n_fft))
        self.register_buffer("chroma", chroma, persistent=False)  # (12, K)
        dct = torch.from_numpy(cosine_transform(_COEFFICIENTS, _BANDS))
        self.register_buffer("dct", dct, persistent=False)  # (20, 128)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        valid = frame_mask(lengths, waveform.shape[1])
        waveform = torch.where(valid, waveform, 0.0)
        bands, frames = map_power(self.stft, waveform, lengths, self._bands)
        mask = frame_mask(frames, bands.shape[2])[:, None, :]
        mel, chroma = bands[:, :_BANDS], bands[:, _BANDS:]
        rate = zero_crossing_rate(waveform, valid, n_fft=self.config.n_fft, hop=self.config.hop)
        rms = frame_rms(waveform, n_fft=self.config.n_fft, hop=self.config.hop)
        level = decibels(mel, mask, top_db=_TOP_DB, floor=_FLOOR)
        means = masked_mean(torch.cat([rate, normalize_peaks(chroma), level, rms, mel], dim=1), mask)  # (B, 270)
        before, level, behind = torch.split(means, [1 + len(PITCH_CLASSES), _BANDS, 1 + _BANDS], dim=1)
        mfcc = torch.matmul(level, self.dct.T)  # the mean of transformed levels is the transform of the mean level
        return torch.cat([before, mfcc, behind], dim=1)[:, :, None], torch.ones_like(lengths)

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms; see :class:`Front`."""
        joined = join(waveforms, n_fft=self.config.n_fft, hop=self.config.hop)
        bands = map_magnitudes(self.stft, joined, self._bands_of_magnitudes)  # (N, 140) of all clips
        mel, chroma = bands[:, :_BANDS], normalize_peaks(torch.from_numpy(bands[:, _BANDS:])).numpy()
        level = np.log(np.maximum(mel, np.float32(_FLOOR)))
        level *= np.float32(10 / np.log(10))
        means = []
        for span in joined.spans:
            loud = np.maximum(level[span], level[span].max() - np.float32(_TOP_DB))
            parts = [mean_over_frames(part) for part in (chroma[span], loud, mel[span])]
            parts[1] = parts[1] @ self.dct.numpy().T  # as in forward
            means.append(np.concatenate(parts))
        rate, rms = (part[:, None] for part in self._sample_means(joined))
        chroma, mfcc, mel = np.split(np.stack(means), [len(PITCH_CLASSES), len(PITCH_CLASSES) + _COEFFICIENTS], axis=1)
        return list(np.concatenate([rate, chroma, mfcc, rms, mel], axis=1)[:, None])

    def _bands_of_magnitudes(self, magnitudes: FloatArray) -> Tensor:
        """Sum magnitudes (n, K) to mel and chroma bands (n, 140)."""
        if self.config.chroma_of == "magnitude":
            tonal = (
                self.chroma @ torch.from_numpy(magnitudes).T
            )  # computed first, because the next line squares the magnitudes in place
        power = torch.from_numpy(np.square(magnitudes, out=magnitudes))
        if self.config.chroma_of == "power":
            tonal = self.chroma @ power.T
        return torch.cat([self.mel(power), tonal.T], dim=1)

    def _sample_means(self, joined: Joined) -> tuple[FloatArray, FloatArray]:
        """Return the mean zero-crossing rate and the mean RMS of each clip, both (B,)."""
        n_fft, hop = self.config.n_fft, self.config.hop
        samples = joined.write(0, np.empty(joined.size, np.float32))
        negative = samples < -CROSSING_FLOOR
        crosses = np.zeros(len(samples), np.bool_)
        np.not_equal(negative[1:], negative[:-1], out=crosses[1:])
        ends = [start + len(clip) for start, clip in zip(joined.starts, joined.waveforms, strict=True)]
        crosses[[*joined.starts, *ends]] = False  # the steps to and from the silence between clips do not count
        shared = gcd(n_fft, hop)
        pieces = (joined.frames - 1) * hop // shared + n_fft // shared
        of_samples, of_crosses = (x[: pieces * shared].reshape(pieces, shared) for x in (samples, crosses))
        power = _sums(np.einsum("ps,ps->p", of_samples, of_samples), n_fft // shared, hop // shared)
        number = _sums(of_crosses.view(np.uint8).sum(1, dtype=np.int32), n_fft // shared, hop // shared)
        number = number - of_crosses[:: hop // shared, 0][: joined.frames]  # a frame's first sample does not count
        rate, rms = number / np.float32(n_fft), np.sqrt(power / np.float32(n_fft))
        both = [np.array([x[span].mean() for span in joined.spans], np.float32) for x in (rate, rms)]
        return both[0], both[1]

    def _bands(self, power: Tensor) -> Tensor:
        """Sum power (..., N, K) to mel and chroma bands (..., N, 140)."""
        tonal = power if self.config.chroma_of == "power" else power.sqrt()
        return torch.cat([self.mel(power), torch.matmul(tonal, self.chroma.T)], dim=-1)


def _sums(values: NDArray[Any], size: int, step: int) -> NDArray[Any]:
    """Return the sums of ``size`` neighbors of (P,), one sum every ``step`` values."""
    total: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(values, size)[::step].sum(1)
    return total
