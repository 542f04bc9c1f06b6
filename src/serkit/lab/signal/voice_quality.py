"""Voice quality of each frame: jitter, shimmer, harmonics-to-noise ratio, and levels of harmonics.

Jitter and shimmer are measured on three periods around the middle of each frame. Every period is resampled to the same
number of points, whatever its length. So all frames take the same work, and a few products compare neighboring periods.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from serkit.lab.signal.spectral_shape import decibels_of

_POINTS = 48  # points per period
_SEARCH = 5  # points, a tenth of a period, by which a period may differ from the frame's period
_LONGEST_HZ = 50.0  # f0 of the longest period that is measured
_ALIKE = 0.5  # lowest correlation of two periods; below it, jitter and shimmer of the frame are 0
_TINY = 1e-12


class Steadiness(NamedTuple):
    """Steadiness of the voice in each frame, each (B, N), zero where unvoiced.

    Attributes:
        jitter: Difference between neighboring periods as a share of their length.
        shimmer: Difference between the amplitudes of neighboring periods in dB.
    """

    jitter: Tensor
    shimmer: Tensor


def measure_steadiness(waveform: Tensor, f0: Tensor, *, sampling_rate: int, hop: int) -> Steadiness:
    """Measure jitter and shimmer on the three periods around the middle of each frame.

    Args:
        waveform: Waveforms (B, T), zero after each utterance's end.
        f0: Fundamental frequency (B, N) in Hz, 0 where unvoiced, of frames centered at multiples of the hop.
        sampling_rate: Sampling rate in Hz.
        hop: Samples between frames.
    """
    voiced = f0 > 0
    period = sampling_rate / torch.where(voiced, f0, 200.0)  # (B, N), in samples
    sound = _read_periods(waveform, period, hop, margin=int(2 * sampling_rate / _LONGEST_HZ))  # (B, N, points)
    first = sound[..., _SEARCH : _SEARCH + _POINTS]
    middle = sound[..., _SEARCH + _POINTS : _SEARCH + 2 * _POINTS]
    last = sound[..., _SEARCH + 2 * _POINTS : _SEARCH + 3 * _POINTS]
    before, alike = _best_shift(sound, middle, 0)
    after, alike_too = _best_shift(sound, middle, 2 * _POINTS)
    kept = voiced & (alike > _ALIKE) & (alike_too > _ALIKE)
    # a positive `before` means a shorter period before the middle, a positive `after` a longer one after it
    jitter = (after + before).abs() / (_POINTS + (after - before) / 2)
    amplitude = [(part.amax(-1) - part.amin(-1)).clamp(min=_TINY).log10() for part in (first, middle, last)]
    shimmer = 10 * ((amplitude[0] - amplitude[1]).abs() + (amplitude[1] - amplitude[2]).abs())
    return Steadiness(torch.where(kept, jitter, 0.0), torch.where(kept, shimmer, 0.0))


def _read_periods(waveform: Tensor, period: Tensor, hop: int, *, margin: int) -> Tensor:
    """Read three periods and the search range around the middle of each frame, (B, N, 3 * 48 + 2 * 5).

    The samples are interpolated by cubic splines of Catmull and Rom.
    """
    padded = functional.pad(waveform, (margin, margin + hop))
    offset = (torch.arange(3 * _POINTS + 2 * _SEARCH, device=period.device) - _SEARCH) / _POINTS - 1.5
    center = torch.arange(period.shape[1], device=period.device)[:, None] * hop + margin
    place = period[..., None] * offset  # (B, N, points), relative to the middle of the frame
    whole = place.floor()
    t = place - whole
    index = (whole.to(torch.int64) + center).flatten(1)
    a, b, c, d = (padded.gather(1, index + step).view_as(t) for step in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _best_shift(sound: Tensor, middle: Tensor, start: int) -> tuple[Tensor, Tensor]:
    """Return the shift in points at which a neighbor best matches the middle period, and their correlation.

    Args:
        sound: Three periods and the search range (B, N, points).
        middle: Middle period (B, N, 48).
        start: First point of the search for the neighboring period.
    """
    end = start + 2 * _SEARCH + 1
    product = torch.stack([(sound[..., i : i + _POINTS] * middle).sum(-1) for i in range(start, end)], -1)
    points = torch.arange(sound.shape[-1], device=sound.device)
    point = points[:, None] - torch.arange(start, end, device=sound.device)[None, :]  # index in the shifted period
    inside = ((point >= 0) & (point < _POINTS)).to(sound.dtype)  # (points, shifts)
    curve = product / (torch.matmul(sound.square(), inside) + _TINY).sqrt()  # (B, N, shifts)
    best = curve[..., 1:-1].argmax(-1, keepdim=True)
    left, at, right = (curve.gather(-1, best + side)[..., 0] for side in (0, 1, 2))
    bend = (2 * at - left - right).clamp(min=_TINY)
    shift = best[..., 0] + 1 - _SEARCH + ((right - left) / (2 * bend)).clamp(-0.5, 0.5)
    return shift, at / (middle.square().sum(-1) + _TINY).sqrt()


def harmonics_to_noise(strength: Tensor, f0: Tensor, *, sampling_rate: int, window: int) -> Tensor:
    """Return the harmonics-to-noise ratio in dB, (B, N), from the autocorrelation at the period.

    As in openSMILE, the decay of the windowed autocorrelation with the lag is not compensated. Of two equally steady
    voices, the higher one has a ratio up to 6 dB larger.

    Args:
        strength: Autocorrelation of the sound at the period (B, N), divided by that of the window.
        f0: Fundamental frequency (B, N) in Hz, 0 where unvoiced.
        sampling_rate: Sampling rate in Hz.
        window: Samples of the Hann window.

    Source: P. Boersma, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of a
        sampled sound, IFA Proceedings 17, 1993, equations 4 and 8.
    """
    lag = (sampling_rate / f0.clamp(min=1.0) / window).clamp(max=1.0)
    turn = 2 * torch.pi * lag
    window_decay = (1 - lag) * (2 + turn.cos()) / 3 + turn.sin() / (2 * torch.pi)
    ratio = (strength * window_decay).clamp(1e-3, 1 - 1e-4)  # -30 to 40 dB
    return 10 * (ratio / (1 - ratio)).log10()


def harmonic_levels(power: Tensor, f0: Tensor, formants: Tensor, *, bin_hz: float) -> Tensor:
    """Return the levels of the first three harmonics and of the harmonics nearest to the formants.

    Args:
        power: Power spectra (B, N, bins).
        f0: Fundamental frequency (B, N) in Hz; where it is 0, the levels are finite but meaningless.
        formants: Formant frequencies (B, N, count) in Hz.
        bin_hz: Distance between bins in Hz.

    Returns:
        Levels (B, N, 3 + count) in dB.
    """
    f0 = f0[..., None]
    nearest = (formants / f0.clamp(min=1.0)).round().clamp(min=1.0) * f0
    hz = torch.cat([f0, 2 * f0, 3 * f0, nearest], -1)
    place = (hz / bin_hz).clamp(1, power.shape[-1] - 2)
    nearest_bin = place.round()
    # on a logarithmic scale, the peak of a window's spectrum is close to a parabola
    below, at, above = (decibels_of(power.gather(-1, nearest_bin.to(torch.int64) + side)) for side in (-1, 0, 1))
    offset = place - nearest_bin
    return at + offset * (above - below) / 2 + offset.square() * (below - 2 * at + above) / 2
