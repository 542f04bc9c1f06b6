"""The 162 numbers of many a notebook on emotional speech: five features of librosa, averaged over the utterance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from serkit.lab.features.chroma import PITCH_CLASSES, chroma_filters, normalize_peaks
from serkit.lab.features.front import Front, Kind
from serkit.lab.features.logmel import mel_filters
from serkit.lab.features.mfcc import cosine_transform
from serkit.lab.recipes.config import require
from serkit.lab.signal.functionals import masked_mean
from serkit.lab.signal.joined import Joined, join, map_magnitudes, mean_over_frames
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.power import Bands, decibels, map_power
from serkit.lab.signal.spectrum import FrameConfig, Stft
from serkit.types import FloatArray

_BANDS = 128
_COEFFICIENTS = 20
_TOP_DB, _FLOOR = 80.0, 1e-10  # of MFCC
_SILENT = 1e-10  # librosa takes what is no larger for zero, and zero for positive


@dataclass(frozen=True)
class Notebook162Config(FrameConfig):
    """Settings of :class:`Notebook162`; the defaults are librosa's.

    Attributes:
        chroma_of: ``power``: as ``chroma_stft(y=...)``; ``magnitude``: as ``chroma_stft(S=np.abs(stft))``.
    """

    sampling_rate: int = 22_050
    chroma_of: Literal["power", "magnitude"] = "power"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, chroma_of=self.chroma_of in ("power", "magnitude"))


class Notebook162(Front):
    """Document B's vector of 162 numbers, means over the utterance's frames.

    In this order: zero-crossing rate (1), chroma (12), MFCC (20), RMS (1), mel power (128), each as librosa's
    ``zero_crossing_rate``, ``chroma_stft``, ``mfcc``, ``rms`` and ``melspectrogram`` give it by default.

    Deviation: librosa estimates the tuning of each recording before its chroma; here it is 440 Hz, see
    :class:`~serkit.lab.features.chroma.Chroma`. Many notebooks hand magnitudes to ``chroma_stft``, which expects power:
    ``chroma_of="magnitude"`` does so too.

    Attributes:
        names: What each number is.
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
        mfcc = torch.matmul(level, self.dct.T)  # the mean of a linear transform is that of the mean
        return torch.cat([before, mfcc, behind], dim=1)[:, :, None], torch.ones_like(lengths)

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms; see :class:`Front`."""
        joined = join(waveforms, n_fft=self.config.n_fft, hop=self.config.hop)
        bands = map_magnitudes(self.stft, joined, self._bands_of_magnitudes)  # (N, 140) of all
        mel, chroma = bands[:, :_BANDS], normalize_peaks(torch.from_numpy(bands[:, _BANDS:])).numpy()
        level = np.log(np.maximum(mel, np.float32(_FLOOR)))
        level *= np.float32(10 / np.log(10))
        means = []
        for span in joined.spans:
            loud = np.maximum(level[span], level[span].max() - np.float32(_TOP_DB))
            parts = [mean_over_frames(part) for part in (chroma[span], loud, mel[span])]
            parts[1] = parts[1] @ self.dct.numpy().T  # the mean of a linear transform is that of the mean
            means.append(np.concatenate(parts))
        rate, rms = (part[:, None] for part in self._of_waveforms(joined))
        chroma, mfcc, mel = np.split(np.stack(means), [len(PITCH_CLASSES), len(PITCH_CLASSES) + _COEFFICIENTS], axis=1)
        return list(np.concatenate([rate, chroma, mfcc, rms, mel], axis=1)[:, None])

    def _bands_of_magnitudes(self, magnitudes: FloatArray) -> Tensor:
        """Turn (n, K) into mel and chroma bands (n, 140)."""
        if self.config.chroma_of == "magnitude":
            tonal = self.chroma @ torch.from_numpy(magnitudes).T  # before they are squared where they are
        power = torch.from_numpy(np.square(magnitudes, out=magnitudes))
        if self.config.chroma_of == "power":
            tonal = self.chroma @ power.T
        return torch.cat([self.mel(power), tonal.T], dim=1)

    def _of_waveforms(self, joined: Joined) -> tuple[FloatArray, FloatArray]:
        """Return the mean rate of zero crossings and root mean square of each clip, both (B,)."""
        n_fft, hop = self.config.n_fft, self.config.hop
        samples = joined.write(0, np.empty(joined.size, np.float32))
        negative = samples < -_SILENT
        crosses = np.zeros(len(samples), np.bool_)
        np.not_equal(negative[1:], negative[:-1], out=crosses[1:])
        ends = [start + len(clip) for start, clip in zip(joined.starts, joined.waveforms, strict=True)]
        crosses[[*joined.starts, *ends]] = False  # to silence and from it is none
        shared = gcd(n_fft, hop)
        pieces = (joined.frames - 1) * hop // shared + n_fft // shared
        of_samples, of_crosses = (x[: pieces * shared].reshape(pieces, shared) for x in (samples, crosses))
        power = _sums(np.einsum("ps,ps->p", of_samples, of_samples), n_fft // shared, hop // shared)
        number = _sums(of_crosses.view(np.uint8).sum(1, dtype=np.int32), n_fft // shared, hop // shared)
        number = number - of_crosses[:: hop // shared, 0][: joined.frames]  # a frame's first sample crosses nothing
        rate, rms = number / np.float32(n_fft), np.sqrt(power / np.float32(n_fft))
        both = [np.array([x[span].mean() for span in joined.spans], np.float32) for x in (rate, rms)]
        return both[0], both[1]

    def _bands(self, power: Tensor) -> Tensor:
        """Turn (..., N, K) into mel and chroma bands (..., N, 140)."""
        tonal = power if self.config.chroma_of == "power" else power.sqrt()
        return torch.cat([self.mel(power), torch.matmul(tonal, self.chroma.T)], dim=-1)


def zero_crossing_rate(waveform: Tensor, valid: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Return the share of a centered frame's samples that cross zero, as librosa's, shape (B, 1, N).

    Args:
        waveform: Shape (B, T).
        valid: Shape (B, T), True before each utterance's end.
        n_fft: Samples of a frame, even.
        hop: Samples between frames.
    """
    negative = waveform < -_SILENT
    # what librosa repeats of the first and last sample crosses nothing
    crosses = functional.pad((negative[:, 1:] ^ negative[:, :-1]) & valid[:, 1:], (1, 0))  # (B, T), bool
    # a frame's own first sample crosses nothing either; it stands half a frame before the center
    first = functional.pad(crosses, (n_fft // 2, 0))[:, : waveform.shape[1] + 1 : hop]
    return frame_mean(crosses, n_fft=n_fft, hop=hop) - first[:, None, :].to(waveform.dtype) / n_fft


def frame_rms(waveform: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Return the root mean square of centered frames, as ``librosa.feature.rms``, shape (B, 1, N).

    Args:
        waveform: Shape (B, T), zero behind each utterance's end.
        n_fft: Samples of a frame, even.
        hop: Samples between frames.
    """
    return frame_mean(waveform.square(), n_fft=n_fft, hop=hop).sqrt()


def frame_mean(values: Tensor, *, n_fft: int, hop: int) -> Tensor:
    """Average (B, T) over centered frames, zeros around it, to (B, 1, N)."""
    shared = gcd(n_fft, hop)  # frames overlap: what they share is summed once
    padded = functional.pad(values, (n_fft // 2, n_fft // 2))
    count = padded.shape[1] // shared
    blocks = padded[:, : count * shared].reshape(-1, count, shared).sum(2) / shared  # (B, count)
    return functional.avg_pool1d(blocks[:, None, :], n_fft // shared, hop // shared)


def _sums(values: NDArray[Any], size: int, step: int) -> NDArray[Any]:
    """Add up ``size`` neighbors, at every ``step``, of (P,)."""
    total: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(values, size)[::step].sum(1)
    return total
