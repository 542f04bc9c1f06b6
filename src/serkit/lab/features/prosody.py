"""Prosody in 90 values: pitch, loudness, voice quality, spectrum and rhythm of an utterance.

The values follow the extended Geneva set (eGeMAPS), but serkit computes them itself. So they need no other license, can
be exported, and take a fraction of openSMILE's time. docs/FEATURES.md compares each value to openSMILE's.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.contour import Slopes, compact, mean_and_deviation, runs, slopes, smooth
from serkit.lab.signal.formants import Formants
from serkit.lab.signal.functionals import percentiles
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.pitch_track import PitchTrack, PitchTrackConfig, Voice
from serkit.lab.signal.power import map_power, mute_padding
from serkit.lab.signal.spectral_shape import SHAPES, SpectralShape, spectral_flux
from serkit.lab.signal.spectrum import Stft
from serkit.lab.signal.voice_quality import harmonic_levels, harmonics_to_noise, measure_steadiness

_SEMITONES_FROM_HZ = 27.5
_SHARES = (0.2, 0.5, 0.8)
_FORMANTS = 3
_CONTOUR = (
    "mean", "deviation", "percentile_20", "median", "percentile_80", "range_20_80", "rising_slope",
    "rising_slope_deviation", "falling_slope", "falling_slope_deviation",
)  # fmt: skip
_CEPSTRUM = ("mfcc_1", "mfcc_2", "mfcc_3", "mfcc_4")
_VOICED = (
    "jitter", "shimmer_db", "hnr_db", "h1_h2_db", "h2_h3_db", "h1_a3_db",
    *(f"f{i}_{measure}" for i in (1, 2, 3) for measure in ("hz", "bandwidth_hz", "level_db")),
    *(f"{name}_voiced" for name in (*SHAPES, "flux", *_CEPSTRUM)),
)  # fmt: skip
PROSODY = (
    *(f"f0_semitones_{name}" for name in _CONTOUR),
    *(f"loudness_{name}" for name in _CONTOUR),
    *(f"{name}_{measure}" for name in ("flux", *_CEPSTRUM) for measure in ("mean", "deviation")),
    *(f"{name}_{measure}" for name in _VOICED for measure in ("mean", "deviation")),
    *(f"{name}_unvoiced_mean" for name in (*SHAPES, "flux")),
    "loudness_peaks_per_second", "voiced_segments_per_second", "voiced_length_mean", "voiced_length_deviation",
    "unvoiced_length_mean", "unvoiced_length_deviation", "level_db",
)  # fmt: skip


@dataclass(frozen=True)
class ProsodyConfig:
    """Settings of :class:`Prosody`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window in ms.
        hop_ms: Step between frames in ms.
        lowest: Lowest pitch in Hz.
        highest: Highest pitch in Hz.
        threshold: Smallest voicing strength of a voiced frame, 0 to 1.
    """

    sampling_rate: int = 16_000
    n_fft: int = 1024
    window_ms: float = 50.0
    hop_ms: float = 10.0
    lowest: float = 65.0
    highest: float = 500.0
    threshold: float = 0.55

    def __post_init__(self) -> None:
        require(self, sampling_rate=self.sampling_rate >= 11_025, lowest=self.lowest >= 50)
        self.pitch  # noqa: B018 - PitchTrackConfig checks the other settings

    @property
    def pitch(self) -> PitchTrackConfig:
        """Settings of the pitch tracker."""
        return PitchTrackConfig(
            sampling_rate=self.sampling_rate, n_fft=self.n_fft, window_ms=self.window_ms, hop_ms=self.hop_ms,
            lowest=self.lowest, highest=self.highest, threshold=self.threshold,
        )  # fmt: skip


class Prosody(Front):
    """The 90 values of :data:`PROSODY`: waveform (B, T) to a vector (B, 90, 1).

    Values over voiced frames are 0 if no frame is voiced, and values over unvoiced frames are 0 if no frame is
    unvoiced. Slopes are per second, lengths in seconds, levels in dB, and F0 in semitones above 27.5 Hz. Slopes are
    measured from a valley to the next peak, or from a peak to the next valley.

    Deviations from openSMILE: standard deviations are not divided by means, because the quotient is meaningless for
    values around 0. Falling slopes are positive. Formants come from peaks of the predictor's spectrum, jitter and
    shimmer from three periods around the middle of each frame.

    Source: F. Eyben et al., The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research and affective
        computing, IEEE Transactions on Affective Computing 7(2), 2016.
    """

    kind = "vector"

    def __init__(self, config: ProsodyConfig) -> None:
        super().__init__()
        self.config = config
        self.size = len(PROSODY)
        rate = config.sampling_rate
        self.window = round(rate * config.window_ms / 1000)
        self.hop = round(rate * config.hop_ms / 1000)
        self.stft = Stft(n_fft=config.n_fft, hop=self.hop, window=self.window)
        self.track = PitchTrack(config.pitch, window=self.window)
        self.shape = SpectralShape(sampling_rate=rate, n_fft=config.n_fft)
        self.formants = Formants(sampling_rate=rate, n_fft=config.n_fft, count=_FORMANTS)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        kept, frames = map_power(self.stft, waveform, lengths, self._keep)
        candidates, shape, correlation, power = torch.split(kept.transpose(1, 2), self._widths, dim=-1)
        voice = self.track.choose(candidates, frames)
        mask = frame_mask(frames, power.shape[1])
        everywhere = torch.cat([shape, spectral_flux(power, self.shape.high)[..., None]], -1)  # (B, N, 10)
        quality = self._quality(waveform, voice, correlation, power)
        numbers = self._summarize(everywhere.transpose(1, 2), quality, voice, mask)
        level = 10 * (waveform.square().sum(1) / lengths + 1e-12).log10()
        return torch.cat([*numbers, level[:, None]], 1)[..., None], torch.ones_like(lengths)

    @property
    def _widths(self) -> list[int]:
        return [self.track.width, 9, self.formants.orders.shape[0], self.shape.kept]

    def _keep(self, power: Tensor) -> Tensor:
        parts = [self.track.candidates(power), self.shape(power), self.formants.autocorrelation(power)]
        return torch.cat([*parts, power[..., : self.shape.kept]], -1)

    def _quality(self, waveform: Tensor, voice: Voice, correlation: Tensor, power: Tensor) -> Tensor:
        """Return the descriptors that only voiced frames have, (B, 15, N), in the order of the names."""
        steadiness = measure_steadiness(waveform, voice.f0, sampling_rate=self.config.sampling_rate, hop=self.hop)
        resonances = self.formants(correlation)
        bin_hz = self.config.sampling_rate / self.config.n_fft
        first, second, third, *at = harmonic_levels(power, voice.f0, resonances.hz, bin_hz=bin_hz).unbind(-1)
        formants = []
        for i in range(_FORMANTS):
            formants += [resonances.hz[..., i], resonances.bandwidth[..., i], at[i] - first]
        hnr = harmonics_to_noise(voice.strength, voice.f0, sampling_rate=self.config.sampling_rate, window=self.window)
        return torch.stack([*steadiness, hnr, first - second, second - third, first - at[2], *formants], 1)

    def _summarize(self, everywhere: Tensor, quality: Tensor, voice: Voice, mask: Tensor) -> list[Tensor]:
        """Return all values except the level, in the order of the names, as tensors (B, count)."""
        unvoiced = mask & ~voice.voiced
        semitones = 12 * (voice.f0.clamp(min=_SEMITONES_FROM_HZ) / _SEMITONES_FROM_HZ).log2()
        smoothed = smooth(everywhere, mask)
        shapes, loudness, spectrum = everywhere[:, :4], smoothed[:, 4], [9, 5, 6, 7, 8]  # flux, then the cepstrum
        voiced = torch.cat([semitones[:, None], quality, shapes, everywhere[:, spectrum]], 1)
        voiced = smooth(voiced, voice.voiced)
        pitch, pitch_mask = compact(voiced[:, 0], voice.voiced)
        pitch_numbers, _ = self._contour(pitch, pitch_mask)
        loudness_numbers, loudness_slopes = self._contour(loudness, mask)
        silences = smooth(torch.cat([shapes, everywhere[:, 9:]], 1), unvoiced)
        seconds = mask.sum(1) * (self.config.hop_ms / 1000)
        speech, pauses, hop_s = runs(voice.voiced), runs(unvoiced), self.config.hop_ms / 1000
        rhythm = [
            loudness_slopes.peaks / seconds, speech.number / seconds, speech.length * hop_s, speech.deviation * hop_s,
            pauses.length * hop_s, pauses.deviation * hop_s,
        ]  # fmt: skip
        return [
            pitch_numbers, loudness_numbers, _pairs(smoothed[:, spectrum], mask), _pairs(voiced[:, 1:], voice.voiced),
            mean_and_deviation(silences, unvoiced)[0], torch.stack(rhythm, 1),
        ]  # fmt: skip

    def _contour(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Slopes]:
        """Return the ten statistics (B, 10) of a contour (B, N) whose mask has no gap, and its slopes."""
        count = mask.sum(1)
        mean, deviation = mean_and_deviation(x[:, None], mask)
        shares = [part[:, 0] * (count > 0) for part in percentiles(x[:, None], count.clamp(min=1), _SHARES)]
        found = slopes(x, mask)
        rate = 1000 / self.config.hop_ms
        steep = [found.rising, found.rising_deviation, found.falling, found.falling_deviation]
        columns = [mean[:, 0], deviation[:, 0], *shares, shares[2] - shares[0], *(rate * slope for slope in steep)]
        return torch.stack(columns, 1), found


def _pairs(x: Tensor, mask: Tensor) -> Tensor:
    """Return mean and deviation of each contour of (B, C, N) in turn, (B, 2 C)."""
    return torch.stack(mean_and_deviation(x, mask), -1).flatten(1)
