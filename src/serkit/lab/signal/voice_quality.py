"""How steady a voice is from one period to the next, measured on three periods around the middle of each frame.

The sound is read at as many points per period whatever its length, so that all frames take the same work and the
comparison of neighboring periods is a handful of products.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from serkit.lab.signal.spectral_shape import decibels_of

_POINTS = 48  # per period
_SEARCH = 5  # points, a tenth of a period, by which a period may differ from the frame's
_LONGEST_HZ = 50.0  # f0 of the longest period that is read
_ALIKE = 0.5  # correlation of two periods under which the frame says nothing about its steadiness
_TINY = 1e-12


class Steadiness(NamedTuple):
    """Each (B, N), zero where unvoiced.

    Attributes:
        jitter: Difference of neighboring periods as a share of their length.
        shimmer: Difference of neighboring periods' amplitudes in dB.
    """

    jitter: Tensor
    shimmer: Tensor


def measure_steadiness(waveform: Tensor, f0: Tensor, *, sampling_rate: int, hop: int) -> Steadiness:
    """Compare each frame's three middle periods.

    Args:
        waveform: Shape (B, T), zero behind an utterance's end.
        f0: In Hz, 0 where unvoiced, of frames centered at multiples of the hop, shape (B, N).
        sampling_rate: In Hz.
        hop: Samples from frame to frame.
    """
    voiced = f0 > 0
    period = sampling_rate / torch.where(voiced, f0, 200.0)  # (B, N) samples
    sound = _read(waveform, period, hop, margin=int(2 * sampling_rate / _LONGEST_HZ))  # (B, N, 3 periods and search)
    first = sound[..., _SEARCH : _SEARCH + _POINTS]
    middle = sound[..., _SEARCH + _POINTS : _SEARCH + 2 * _POINTS]
    last = sound[..., _SEARCH + 2 * _POINTS : _SEARCH + 3 * _POINTS]
    before, alike = _best_shift(sound, middle, 0)
    after, alike_too = _best_shift(sound, middle, 2 * _POINTS)
    kept = voiced & (alike > _ALIKE) & (alike_too > _ALIKE)
    # `before` later means a shorter period before, `after` later a longer one after
    jitter = (after + before).abs() / (_POINTS + (after - before) / 2)
    amplitude = [(part.amax(-1) - part.amin(-1)).clamp(min=_TINY).log10() for part in (first, middle, last)]
    shimmer = 10 * ((amplitude[0] - amplitude[1]).abs() + (amplitude[1] - amplitude[2]).abs())
    return Steadiness(torch.where(kept, jitter, 0.0), torch.where(kept, shimmer, 0.0))


def _read(waveform: Tensor, period: Tensor, hop: int, *, margin: int) -> Tensor:
    """Read three periods and the search around each frame's middle by cubic interpolation (Catmull and Rom)."""
    padded = functional.pad(waveform, (margin, margin + hop))
    offset = (torch.arange(3 * _POINTS + 2 * _SEARCH, device=period.device) - _SEARCH) / _POINTS - 1.5
    center = torch.arange(period.shape[1], device=period.device)[:, None] * hop + margin
    place = period[..., None] * offset  # (B, N, points), from the middle
    whole = place.floor()
    t = place - whole
    index = (whole.to(torch.int64) + center).flatten(1)
    a, b, c, d = (padded.gather(1, index + step).view_as(t) for step in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _best_shift(sound: Tensor, middle: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """Return by how many points (a fraction) a neighbor of the middle period lies off its place, and how alike."""
    end = start + 2 * _SEARCH + 1
    product = torch.stack([(sound[..., i : i + _POINTS] * middle).sum(-1) for i in range(start, end)], -1)
    points = torch.arange(sound.shape[-1], device=sound.device)
    point = points[:, None] - torch.arange(start, end, device=sound.device)[None, :]  # of the shifted period
    inside = ((point >= 0) & (point < _POINTS)).to(sound.dtype)  # (points, shifts)
    curve = product / (torch.matmul(sound.square(), inside) + _TINY).sqrt()  # (B, N, shifts)
    best = curve[..., 1:-1].argmax(-1, keepdim=True)
    left, at, right = (curve.gather(-1, best + side)[..., 0] for side in (0, 1, 2))
    bend = (2 * at - left - right).clamp(min=_TINY)
    shift = best[..., 0] + 1 - _SEARCH + ((right - left) / (2 * bend)).clamp(-0.5, 0.5)
    return shift, at / (middle.square().sum(-1) + _TINY).sqrt()


def harmonics_to_noise(strength: Tensor, f0: Tensor, *, sampling_rate: int, window: int) -> Tensor:
    """Return the ratio in dB of what repeats itself in a sound to what doesn't, by its autocorrelation at the period.

    As openSMILE does, the decay of the windowed autocorrelation with the lag is left in: of two voices as steady, the
    higher one scores more, by up to 6 dB.

    Args:
        strength: Autocorrelation at the period, free of the window's, (B, N).
        f0: In Hz, (B, N), 0 where unvoiced.
        sampling_rate: In Hz.
        window: Samples of the Hann window.

    Source: P. Boersma, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
        sampled sound, IFA Proceedings 17, 1993, equations 4 and 8.
    """
    lag = (sampling_rate / f0.clamp(min=1.0) / window).clamp(max=1.0)
    turn = 2 * torch.pi * lag
    of_window = (1 - lag) * (2 + turn.cos()) / 3 + turn.sin() / (2 * torch.pi)
    ratio = (strength * of_window).clamp(1e-3, 1 - 1e-4)  # -30 to 40 dB
    return 10 * (ratio / (1 - ratio)).log10()


def harmonic_levels(power: Tensor, f0: Tensor, formants: Tensor, *, bin_hz: float) -> Tensor:
    """Read the levels of the first three harmonics and of those nearest to formants.

    Args:
        power: Power spectra (B, N, bins).
        f0: In Hz, (B, N); where it is 0 the result means nothing, but is finite.
        formants: In Hz, (B, N, count).
        bin_hz: From bin to bin.

    Returns:
        Shape (B, N, 3 + count), in dB.
    """
    f0 = f0[..., None]
    nearest = (formants / f0.clamp(min=1.0)).round().clamp(min=1.0) * f0
    hz = torch.cat([f0, 2 * f0, 3 * f0, nearest], -1)
    place = (hz / bin_hz).clamp(1, power.shape[-1] - 2)
    nearest_bin = place.round()
    # the logarithm of a window's peak is a parabola
    below, at, above = (decibels_of(power.gather(-1, nearest_bin.to(torch.int64) + side)) for side in (-1, 0, 1))
    off = place - nearest_bin
    return at + off * (above - below) / 2 + off.square() * (below - 2 * at + above) / 2
