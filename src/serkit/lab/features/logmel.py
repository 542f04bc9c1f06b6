"""Log-mel spectrogram, optionally trimmed and normalized."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.joined_clips import join, map_magnitudes, mean_over_frames
from serkit.lab.signal.masking import frame_mask, masked_mean_and_deviation, trim_silence
from serkit.lab.signal.mel import LogMelSpectrogram, decibels_to_log_power, frame_log_power
from serkit.lab.signal.spectrum import check_window
from serkit.types import FloatArray

_VARIANCE_FLOOR = 1e-4  # added to a variance before its root divides, so that silence stays finite


@dataclass(frozen=True)
class LogMelConfig:
    """Settings of :class:`LogMel`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        bands: Number of mel bands, F.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window in ms.
        hop_ms: Step between frames in ms.
        fmin: Lowest frequency in Hz.
        fmax: Highest frequency in Hz; None for half the sampling rate.
        floor: Power that is added before the logarithm.
        trim_db: Level below the loudest frame, in dB, beyond which leading and trailing frames are cut; None keeps all.
        normalize: ``band``: each band to mean 0, and one deviation of 1 over all bands; ``utterance``: one mean of 0
            and one deviation of 1 over all bands; ``none``. Both are computed over the utterance's own valid frames.
    """

    sampling_rate: int = 16_000
    bands: int = 64
    n_fft: int = 512
    window_ms: float = 25.0
    hop_ms: float = 10.0
    fmin: float = 0.0
    fmax: float | None = None
    floor: float = 1e-6
    trim_db: float | None = None
    normalize: Literal["none", "band", "utterance"] = "none"

    def __post_init__(self) -> None:
        check_window(self.window_ms, self.sampling_rate, self.n_fft)
        fmax = self.sampling_rate / 2 if self.fmax is None else self.fmax
        require(
            self,
            sampling_rate=self.sampling_rate > 0,
            bands=self.bands >= 1,
            window_ms=self.window_ms * self.sampling_rate >= 1000,
            hop_ms=self.hop_ms * self.sampling_rate >= 1000,
            fmin=0 <= self.fmin < fmax,
            fmax=fmax <= self.sampling_rate / 2,
            floor=self.floor > 0,
            trim_db=self.trim_db is None or self.trim_db > 0,
            normalize=self.normalize in ("none", "band", "utterance"),
        )


class LogMel(Front):
    """Log-mel spectrogram, optionally trimmed and normalized: waveform (B, T) to frames (B, F, N), N = 1 + T // hop.

    Neither trimmed nor normalized, it equals librosa's; see :class:`serkit.lab.signal.mel.LogMelSpectrogram`. On CPUs,
    :meth:`compute_many` joins the clips, which is faster; a test compares it to :meth:`forward`.
    """

    def __init__(self, config: LogMelConfig) -> None:
        super().__init__()
        self.config = config
        self.size = config.bands
        self.spectrogram = LogMelSpectrogram(
            sampling_rate=config.sampling_rate, bands=config.bands, n_fft=config.n_fft, window_ms=config.window_ms,
            hop_ms=config.hop_ms, fmin=config.fmin, fmax=config.fmax, floor=config.floor,
        )  # fmt: skip
        self.hop, self.window = self.spectrogram.hop, self.spectrogram.window

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        logmel, frames = self.spectrogram(waveform, lengths)
        if self.config.trim_db is not None:
            threshold = decibels_to_log_power(self.config.trim_db)
            logmel, frames = trim_silence(logmel, frames, frame_log_power(logmel), threshold)
        mask = frame_mask(frames, logmel.shape[-1])[:, None, :].to(logmel.dtype)
        if self.config.normalize != "none":
            if self.config.normalize == "band":
                logmel = logmel - masked_mean_and_deviation(logmel, mask, (2,), _VARIANCE_FLOOR)[0]
                deviation = masked_mean_and_deviation(logmel, mask, (1, 2), _VARIANCE_FLOOR)[1]
            else:
                mean, deviation = masked_mean_and_deviation(logmel, mask, (1, 2), _VARIANCE_FLOOR)
                logmel = logmel - mean
            logmel = logmel / deviation
        return logmel * mask, frames

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms; see :class:`Front`."""
        joined = join(waveforms, n_fft=self.config.n_fft, hop=self.hop)
        logmel = map_magnitudes(self.spectrogram.stft, joined, self._logmel_of_magnitudes)  # (N, F) of all clips
        rows = [logmel[span] for span in joined.spans]
        if self.config.trim_db is not None:
            rows = [self._trim(row) for row in rows]
        return rows if self.config.normalize == "none" else [self._normalize(row) for row in rows]

    def _logmel_of_magnitudes(self, magnitudes: FloatArray) -> Tensor:
        bands = self.spectrogram.bands(torch.from_numpy(np.square(magnitudes, out=magnitudes)))
        logmel = bands.numpy()
        logmel += np.float32(self.config.floor)
        np.log(logmel, out=logmel)
        return bands  # type: ignore[no-any-return]

    def _trim(self, logmel: FloatArray) -> FloatArray:
        """Trim frames (N, F) as :func:`trim_silence` does."""
        assert self.config.trim_db is not None
        power = np.exp(logmel).sum(1)
        active = np.flatnonzero(power >= power.max() * np.float32(10 ** (-self.config.trim_db / 10)))
        return logmel[active[0] : active[-1] + 1]

    def _normalize(self, logmel: FloatArray) -> FloatArray:
        """Normalize frames (N, F) as :meth:`forward` does."""
        centered = logmel - (mean_over_frames(logmel) if self.config.normalize == "band" else logmel.mean())
        variance = np.square(centered).mean()
        return centered / np.sqrt(variance + np.float32(_VARIANCE_FLOOR))  # type: ignore[no-any-return]
