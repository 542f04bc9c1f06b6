"""Augmentations of the channel: gain, low-pass filter, telephone."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import soxr

from serkit.lab.augment.augmentation import Augmentation, Bounds, Drawn, draw_ratio, is_range
from serkit.lab.recipes.config import require
from serkit.types import FloatArray

_MARGIN_S = 0.1  # silence after the waveform, so that a filter's ringing does not wrap around to the start
_TELEPHONE_RATE = 8_000
_EDGE_ORDERS = (6, 20)  # orders that attenuate 100 Hz and 4 kHz by at least 25 dB
_MU = 255.0


@dataclass(frozen=True, kw_only=True)
class Gain(Augmentation):
    """Make the utterance louder or softer; nothing is clipped, so peaks may leave [-1, 1].

    Attributes:
        gain_db: Range of the gain in dB.
    """

    name: ClassVar[str] = "gain"
    gain_db: Bounds = (-12.0, 6.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, gain_db=is_range(self.gain_db, -120, 60))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``gain_db``."""
        return {"gain_db": rng.uniform(*self.gain_db)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Scale samples (T,)."""
        return samples * np.float32(10 ** (drawn["gain_db"] / 20))

    def caption(self, drawn: Drawn) -> str:
        """Describe the gain."""
        return f"{drawn['gain_db']:+.1f} dB"


@dataclass(frozen=True, kw_only=True)
class LowPass(Augmentation):
    """Attenuate high frequencies, as distance, cheap microphones and cloth do.

    Attributes:
        cutoff_hz: Range of the cutoff frequency in Hz, at which the attenuation is 3 dB.
        order: Order of the filter; each order adds 6 dB per octave above the cutoff.
    """

    name: ClassVar[str] = "lowpass"
    cutoff_hz: Bounds = (2_000.0, 6_000.0)
    order: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, cutoff_hz=is_range(self.cutoff_hz, 100, 400_000), order=1 <= self.order <= 100)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``cutoff_hz``."""
        return {"cutoff_hz": draw_ratio(rng, self.cutoff_hz)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Filter samples (T,)."""
        return band_pass(samples, sampling_rate, high=(drawn["cutoff_hz"], self.order))

    def caption(self, drawn: Drawn) -> str:
        """Describe the cutoff frequency."""
        return f"below {drawn['cutoff_hz']:,.0f} Hz"


@dataclass(frozen=True, kw_only=True)
class Telephone(Augmentation):
    """Simulate a telephone: a narrow band, 8 kHz, 8 bits.

    Attributes:
        band_hz: Edges of the band in Hz, at which the attenuation is 3 dB.
        codec: ``mu-law`` for 8 bits by the curve of ITU-T G.711; ``none`` for the band alone.
    """

    name: ClassVar[str] = "telephone"
    band_hz: Bounds = (300.0, 3_400.0)
    codec: Literal["mu-law", "none"] = "mu-law"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            band_hz=is_range(self.band_hz, 20, _TELEPHONE_RATE / 2) and self.band_hz[0] < self.band_hz[1],
            codec=self.codec in ("mu-law", "none"),
        )

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw nothing: the settings fix the telephone."""
        return {}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Simulate the telephone; the output (T,) is aligned with the input."""
        low, high = self.band_hz
        rate = min(_TELEPHONE_RATE, sampling_rate)
        narrow = soxr.resample(samples, sampling_rate, rate, quality="HQ")
        if not len(narrow):  # one or two samples are too few to filter
            return samples
        narrow = band_pass(narrow, rate, low=(low, _EDGE_ORDERS[0]), high=(high, _EDGE_ORDERS[1]))
        if self.codec == "mu-law":
            narrow = through_mu_law(narrow)
        sent = soxr.resample(narrow, rate, sampling_rate, quality="HQ")[: len(samples)]
        return np.pad(sent, (0, len(samples) - len(sent)))

    def caption(self, drawn: Drawn) -> str:
        """Describe the band and the codec."""
        band = f"{self.band_hz[0]:,.0f} to {self.band_hz[1]:,.0f} Hz"
        return band if self.codec == "none" else f"{band}, {self.codec}"


def band_pass(
    samples: FloatArray,
    sampling_rate: int,
    *,
    low: tuple[float, int] | None = None,
    high: tuple[float, int] | None = None,
) -> FloatArray:
    """Filter with the magnitude response of a Butterworth filter and zero phase, so that nothing moves in time.

    Args:
        samples: Waveform of shape (T,).
        sampling_rate: Sampling rate in Hz.
        low: Lower cutoff frequency in Hz, at which the attenuation is 3 dB, and order; None for no lower cutoff.
        high: Upper cutoff frequency in Hz and order; None for no upper cutoff.

    Returns:
        Filtered waveform of shape (T,).

    Source:
        Butterworth, On the theory of filter amplifiers, Wireless Engineer 7, 1930.
    """
    size = fast_size(len(samples) + round(_MARGIN_S * sampling_rate))
    frequencies = np.fft.rfftfreq(size, 1 / sampling_rate)
    gain = np.ones_like(frequencies)
    if low is not None:
        share = (frequencies / low[0]) ** low[1]
        gain *= share / np.hypot(1, share)
    if high is not None:
        gain /= np.hypot(1, (frequencies / high[0]) ** high[1])
    spectrum = np.fft.rfft(samples, size) * gain.astype(np.float32)
    return np.fft.irfft(spectrum, size)[: len(samples)].astype(np.float32)


def through_mu_law(samples: FloatArray) -> FloatArray:
    """Round samples (T,) to the 255 levels of 8-bit mu-law, of which one is silence; clip them at full scale.

    Source: ITU-T G.711; this is the smooth curve that its segments approximate.
    """
    pressed = np.log1p(_MU * np.minimum(np.abs(samples), 1)) / math.log1p(_MU)
    coded = np.round(127 * pressed) / 127
    return (np.sign(samples) * np.expm1(coded * math.log1p(_MU)) / _MU).astype(np.float32)


def fast_size(size: int) -> int:
    """Return a size, at least the given one, whose small prime factors make the Fourier transform fast."""
    return min(odd << max(0, math.ceil(math.log2(size / odd))) for odd in (1, 3, 5, 9, 15))
