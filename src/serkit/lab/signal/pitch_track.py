"""Pitch tracking: the fundamental frequency of a voice in each frame, from the power spectrum.

The autocorrelation of a windowed frame is the inverse transform of its power spectrum. Divided by the autocorrelation
of the window, it is the autocorrelation of the sound (Boersma, 1993). For a low-passed sound and the few hundred lags
that a voice can have, this is one small matrix product, which is fast in batches and gives the same numbers in an
exported graph. A search for the best path through all frames (Viterbi) cannot be exported. Instead, each frame's
candidates are scored a second time by their distance to the median pitch of the frames around, which corrects most
octave errors.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask

_PASSED_HZ = 2500.0  # cutoff of the low-pass filter, because breath noise above it blurs the period
_CANDIDATES = 6
_WEAKEST = 0.1  # smallest strength of a candidate
_OCTAVE_COST = 0.02  # strength subtracted per octave of longer period, since multiples of a period are as strong
_LEAP_COST = 0.15  # strength subtracted per octave of distance to the median pitch around
_AROUND = 7  # frames on either side over which the median pitch is taken
_LEAP_OCTAVES = 0.5  # larger distances to the median pitch around are octave errors
_SHORTEST = 3  # frames; a shorter voiced run is a chance peak in noise
_SILENT = 1e-10  # mean square, -100 dBFS: only the dither of a converter
_TINY = 1e-20  # added to a power before a division


@dataclass(frozen=True)
class PitchTrackConfig:
    """Settings of :class:`PitchTrack`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window in ms; it should hold three periods of the lowest pitch.
        hop_ms: Step between frames in ms.
        lowest: Lowest pitch in Hz.
        highest: Highest pitch in Hz.
        threshold: Smallest strength of a voiced frame, 0 to 1. The default was chosen by agreement with openSMILE on
            clips of EmoDB and RAVDESS, without their labels.
        quiet_db: Level below the loudest frame, in dB, beyond which a frame is unvoiced. Such frames hold room noise
            and breath, whose hum may be periodic.
    """

    sampling_rate: int = 16_000
    n_fft: int = 1024
    window_ms: float = 50.0
    hop_ms: float = 10.0
    lowest: float = 65.0
    highest: float = 500.0
    threshold: float = 0.55
    quiet_db: float = 40.0

    def __post_init__(self) -> None:
        require(
            self,
            sampling_rate=self.sampling_rate >= 2000,
            lowest=20 <= self.lowest < self.highest,
            highest=self.highest <= self.sampling_rate / 4,
            window_ms=2000 / self.lowest <= self.window_ms and self.window_ms * self.sampling_rate <= 1000 * self.n_fft,
            n_fft=self.n_fft >= 2 * (self.sampling_rate / self.lowest + 2),
            hop_ms=self.hop_ms * self.sampling_rate >= 1000,
            threshold=0 < self.threshold < 1,
            quiet_db=self.quiet_db > 0,
        )


class Voice(NamedTuple):
    """Pitch and voicing of each frame, each (B, N), zero after an utterance's end.

    Attributes:
        f0: Fundamental frequency in Hz, 0 where unvoiced.
        strength: Similarity of neighboring periods, from 0 (noise) to 1, of voiced and unvoiced frames.
        voiced: True where a frame is voiced, bool.
    """

    f0: Tensor
    strength: Tensor
    voiced: Tensor


class PitchTrack(nn.Module):
    """Pitch tracker on power spectra: it finds candidates in each frame and then chooses among them.

    Args:
        config: Settings; ``window_ms`` and ``hop_ms`` are not used here.
        window: Samples of the Hann window of the power spectra.

    Source: P. Boersma, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
        sampled sound, IFA Proceedings 17, 1993. Deviation: the second scoring replaces the search for the best path.
    """

    correlate: Tensor
    octaves: Tensor

    def __init__(self, config: PitchTrackConfig, *, window: int) -> None:
        super().__init__()
        self.config = config
        self.first = max(2, int(config.sampling_rate / config.highest) - 1)  # lag
        lags = np.arange(self.first, int(np.ceil(config.sampling_rate / config.lowest)) + 2)
        matrix = _correlation_matrix(config, window, lags)
        self.bins = matrix.shape[0]
        self.width = 1 + 2 * _CANDIDATES
        self.register_buffer("correlate", torch.from_numpy(matrix), persistent=False)  # (bins, 1 + lags)
        octaves = np.log2(lags / self.first).astype(np.float32)
        self.register_buffer("octaves", torch.from_numpy(octaves), persistent=False)  # (lags,)
        # the energy of a Hann window is 3/8 of its length; the energy of a spectrum is n_fft times that of the sound
        self.silent = _SILENT * 0.375 * window

    def candidates(self, power: Tensor) -> Tensor:
        """Find the six strongest periods of each frame.

        Args:
            power: Power spectra (..., N, K).

        Returns:
            Candidates (..., N, 13): the energy of the frame, then six frequencies in Hz, then their six strengths.
            Where a frame has fewer candidates, the remaining frequencies are 0.
        """
        correlation = torch.matmul(power[..., : self.bins], self.correlate)  # (..., N, 1 + lags)
        energy = correlation[..., :1]
        ratio = correlation[..., 1:] / (energy + _TINY)  # (..., N, lags)
        inner = ratio[..., 1:-1]
        is_peak = (inner > ratio[..., :-2]) & (inner >= ratio[..., 2:]) & (inner > _WEAKEST)
        score = torch.where(is_peak, inner - _OCTAVE_COST * self.octaves[1:-1], -2.0)
        score, place = score.topk(_CANDIDATES)  # (..., N, candidates), place 0 is the second lag
        before, at, after = (ratio.gather(-1, place + side) for side in (0, 1, 2))
        shift = ((after - before) / (2 * (2 * at - before - after).clamp(min=1e-9))).clamp(-0.5, 0.5)
        strength = (at + (after - before) * shift / 4).clamp(0.0, 1.0)
        hz = self.config.sampling_rate / ((place + self.first + 1).to(ratio.dtype) + shift)
        valid = (score > -1.0).to(ratio.dtype)
        return torch.cat([energy, hz * valid, strength * valid], -1)

    def choose(self, candidates: Tensor, frames: Tensor) -> Voice:
        """Choose one candidate per frame, or none where the frame is unvoiced.

        Args:
            candidates: Output of :meth:`candidates`, (B, N, 13).
            frames: Number of valid frames (B,).
        """
        mask = frame_mask(frames, candidates.shape[1])  # (B, N)
        energy, hz, strength = torch.split(candidates, [1, _CANDIDATES, _CANDIDATES], dim=-1)
        energy = energy[..., 0]
        audible = mask & (energy > self._quiet(energy, mask))
        octave = (hz.clamp(min=1.0) / self.config.highest).log2()  # 0 at the highest pitch, negative below it
        score = torch.where(hz > 0, strength + _OCTAVE_COST * octave, -2.0)
        best = score.argmax(-1, keepdim=True)
        is_clear = audible & (strength.gather(-1, best)[..., 0] > self.config.threshold)
        around, _ = _median_around(octave.gather(-1, best)[..., 0], is_clear)
        best = (score - _LEAP_COST * (octave - around[..., None]).abs()).argmax(-1, keepdim=True)
        chosen_hz, chosen, octave = (part.gather(-1, best)[..., 0] for part in (hz, strength, octave))
        voiced = audible & (chosen > self.config.threshold)
        voiced = voiced & (chosen_hz >= self.config.lowest) & (chosen_hz <= self.config.highest)
        around, count = _median_around(octave, voiced)
        voiced = voiced & (((octave - around).abs() < _LEAP_OCTAVES) | (count < _SHORTEST))
        voiced = _without_short_runs(voiced.to(hz.dtype)) > 0
        return Voice(chosen_hz * voiced, chosen * (mask & (energy > self.silent)), voiced)

    def _quiet(self, energy: Tensor, mask: Tensor) -> Tensor:
        loudest = (energy * mask).amax(1, keepdim=True)  # (B, 1)
        return (loudest * 10 ** (-self.config.quiet_db / 10)).clamp(min=self.silent)


def _correlation_matrix(config: PitchTrackConfig, window: int, lags: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the matrix (bins, 1 + lags) from a power spectrum to its energy and its autocorrelation at each lag."""
    n_fft = config.n_fft
    bins = np.arange(n_fft // 2 + 1)
    hz = bins * config.sampling_rate / n_fft
    # a band-pass filter: it rises over the octave below the lowest pitch, where there is only hum, and falls over
    # the octave around the cutoff
    weight = np.clip(np.log2(np.maximum(hz, 1e-9) / config.lowest) + 1, 0, 1)
    weight = weight * np.clip(0.5 - np.log2(np.maximum(hz, 1e-9) / _PASSED_HZ), 0, 1)
    weight = np.where((bins == 0) | (bins == n_fft // 2), 1, 2) * weight / n_fft
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    decay = np.fft.irfft(np.abs(np.fft.rfft(hann, n_fft)) ** 2)  # autocorrelation of the window
    lags = np.concatenate([[0], lags])
    matrix = weight[:, None] * np.cos(2 * np.pi * bins[:, None] * lags / n_fft) * decay[0] / decay[lags]
    passed: NDArray[np.float32] = matrix[: 1 + np.flatnonzero(weight)[-1]].astype(np.float32)
    return passed


def _median_around(x: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Return the lower median of x (B, N) over the valid frames around each frame and itself, and their number."""
    size = x.shape[1]
    x = functional.pad(torch.where(valid, x, 1e4), (_AROUND, _AROUND), value=1e4)
    near = torch.stack([x[:, i : i + size] for i in range(2 * _AROUND + 1)], -1)  # (B, N, around)
    count = (near < 1e4).sum(-1)
    middle = (count - 1).clamp(min=0) // 2
    return near.sort(-1).values.gather(-1, middle[..., None])[..., 0], count


def _without_short_runs(voiced: Tensor) -> Tensor:
    """Set voiced runs (B, N) shorter than three frames to 0, by a morphological opening."""
    side = _SHORTEST - 1
    padded = functional.pad(voiced, (side, side))[:, None]
    eroded = 1 - functional.max_pool1d(1 - padded, _SHORTEST, 1)  # 1 where a run of three voiced frames begins
    return functional.max_pool1d(eroded, _SHORTEST, 1)[:, 0]
