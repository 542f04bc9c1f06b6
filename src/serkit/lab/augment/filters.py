"""Augmentations of the channel: level, low-pass filter, telephone."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import soxr

from serkit.lab.augment.augmentation import Augmentation, Drawn, Range, draw_ratio, is_range
from serkit.lab.recipes.config import require
from serkit.types import FloatArray

_MARGIN_S = 0.1  # of silence, so that what a filter rings does not come in at the other end
_TELEPHONE_RATE = 8_000
_EDGE_ORDERS = (6, 20)  # steep enough that 100 Hz and 4 kHz are 25 dB down and more
_MU = 255.0


@dataclass(frozen=True, kw_only=True)
class Gain(Augmentation):
    """Make it louder or softer; nothing is clipped, so peaks may leave [-1, 1].

    Attributes:
        gain_db: How much louder.
    """

    name: ClassVar[str] = "gain"
    gain_db: Range = (-12.0, 6.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, gain_db=is_range(self.gain_db, -120, 60))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``gain_db``."""
        return {"gain_db": rng.uniform(*self.gain_db)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Scale (T,)."""
        return samples * np.float32(10 ** (drawn["gain_db"] / 20))

    def caption(self, drawn: Drawn) -> str:
        """Say how much louder."""
        return f"{drawn['gain_db']:+.1f} dB"


@dataclass(frozen=True, kw_only=True)
class LowPass(Augmentation):
    """Take high frequencies away, as distance, cheap microphones and cloth do.

    Attributes:
        cutoff_hz: Where 3 dB are lost.
        order: 6 dB per octave beyond that for each.
    """

    name: ClassVar[str] = "lowpass"
    cutoff_hz: Range = (2_000.0, 6_000.0)
    order: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, cutoff_hz=is_range(self.cutoff_hz, 100, 400_000), order=1 <= self.order <= 100)

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``cutoff_hz``."""
        return {"cutoff_hz": draw_ratio(rng, self.cutoff_hz)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Filter (T,)."""
        return band_pass(samples, sampling_rate, high=(drawn["cutoff_hz"], self.order))

    def caption(self, drawn: Drawn) -> str:
        """Say where."""
        return f"below {drawn['cutoff_hz']:,.0f} Hz"


@dataclass(frozen=True, kw_only=True)
class Telephone(Augmentation):
    """Send it through a telephone: a narrow band, 8 kHz, 8 bits.

    Attributes:
        band_hz: Where 3 dB are lost at either end.
        codec: ``mu-law``: 8 bits by the curve of ITU-T G.711; ``none``: the band alone.
    """

    name: ClassVar[str] = "telephone"
    band_hz: Range = (300.0, 3_400.0)
    codec: Literal["mu-law", "none"] = "mu-law"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self,
            band_hz=is_range(self.band_hz, 20, _TELEPHONE_RATE / 2) and self.band_hz[0] < self.band_hz[1],
            codec=self.codec in ("mu-law", "none"),
        )

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw nothing: all telephones are alike."""
        return {}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Send (T,) through, aligned with what went in."""
        low, high = self.band_hz
        rate = min(_TELEPHONE_RATE, sampling_rate)
        narrow = soxr.resample(samples, sampling_rate, rate, quality="HQ")
        if not len(narrow):  # a sample or two, too few to have a band
            return samples
        narrow = band_pass(narrow, rate, low=(low, _EDGE_ORDERS[0]), high=(high, _EDGE_ORDERS[1]))
        if self.codec == "mu-law":
            narrow = through_mu_law(narrow)
        sent = soxr.resample(narrow, rate, sampling_rate, quality="HQ")[: len(samples)]
        return np.pad(sent, (0, len(samples) - len(sent)))

    def caption(self, drawn: Drawn) -> str:
        """Say which band and codec."""
        band = f"{self.band_hz[0]:,.0f} to {self.band_hz[1]:,.0f} Hz"
        return band if self.codec == "none" else f"{band}, {self.codec}"


def band_pass(
    samples: FloatArray,
    sampling_rate: int,
    *,
    low: tuple[float, int] | None = None,
    high: tuple[float, int] | None = None,
) -> FloatArray:
    """Filter with Butterworth's magnitudes and no phase, so that nothing moves in time.

    Args:
        samples: Shape (T,).
        sampling_rate: In Hz.
        low: Frequency in Hz below which is cut, where 3 dB are lost, and order; None cuts nothing.
        high: The same for above.

    Returns:
        Shape (T,).

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
    """Round (T,) to the 255 levels of 8-bit mu-law, silence among them; what exceeds full scale is clipped.

    Source: ITU-T G.711, the curve that its segments approximate.
    """
    pressed = np.log1p(_MU * np.minimum(np.abs(samples), 1)) / math.log1p(_MU)
    coded = np.round(127 * pressed) / 127
    return (np.sign(samples) * np.expm1(coded * math.log1p(_MU)) / _MU).astype(np.float32)


def fast_size(size: int) -> int:
    """Return a size that is no smaller and for which the Fourier transform is fast: few and small prime factors."""
    return min(odd << max(0, math.ceil(math.log2(size / odd))) for odd in (1, 3, 5, 9, 15))
