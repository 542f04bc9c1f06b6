"""Acoustic fingerprints: short codes by which the same recording of speech is found again after changes.

A code has one word of 16 bits every 32 ms. Each bit is the sign of one filter over a patch of the spectrogram, 192 ms
of log energies in 32 bands from 200 to 3,400 Hz. A filter is a product of two cosines, along time and along frequency,
so a change of level or of timbre cancels out, and pitch harmonics count, which differ between two takes of a sentence.
Words of quiet patches are zero. A filter's sign says little about a patch, so sound cannot be rebuilt from a code.

Source: J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002, whose bits are signs of
differences between neighboring bands and frames. These filters are wider, since speech must be told from other takes
of the same words, and 500 bits a second must be enough.
"""

import zlib
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from serkit.audio.resampling import resample
from serkit.types import FloatArray

WordArray = NDArray[np.uint16]

RATE = 8_000  # Hz, of the sound that is looked at
SECONDS_PER_WORD = 0.032
BYTES_PER_SECOND = 63  # two bytes every 32 ms

_VERSION = 1
_HEADER = 4  # bytes: the version, and 24 bits of a checksum
_EXCERPT_WORDS = 30  # with the header 64 bytes
_WINDOW = 512  # samples
_HOP = 128  # samples
_FFT = 1024
_PATCH = 12  # frames
_FRAMES_PER_WORD = 2
_BANDS = 32
_LOWEST, _HIGHEST = 200.0, 3_400.0  # Hz; a telephone passes them
_ORDERS = (*product((0,), range(6, 11)), *product((1,), range(2, 8)), *product((2,), range(1, 6)))  # time, frequency
_FLOOR = 10**-1.5  # of the patch's mean energy: weaker bands are noise after lossy compression
_GATE = 10**-1.5  # of the clip's loud part: weaker patches are taken for silence
_SILENT = 1e-9  # mean power of a band; all of a clip below it is silence


def fingerprint(samples: FloatArray, sampling_rate: int) -> bytes:
    """Return the code of mono sound, shape (T,).

    Args:
        samples: Waveform, shape (T,).
        sampling_rate: Sampling rate in Hz. The sound is resampled to 8 kHz.

    Returns:
        Code of at most 63 bytes a second. It has no words if the sound is silent, or shorter than 0.24 s.

    Raises:
        SamplingRateError: If the sampling rate is out of range.
    """
    narrow = resample(np.asarray(samples, np.float32), sampling_rate, RATE) if len(samples) else samples
    return pack(_words(narrow.astype(np.float64)))


def excerpt(code: bytes) -> bytes:
    """Return the part of a code to keep where space is short: about 1 s with much sound, near the middle.

    Args:
        code: Code from :func:`fingerprint`.

    Returns:
        Code of at most 64 bytes, which can be compared with whole codes.

    Raises:
        ValueError: If the code is damaged.
    """
    words = unpack(code)
    if len(words) <= _EXCERPT_WORDS:
        return code
    filled = np.concatenate([[0], np.cumsum(words != 0)])
    sums = filled[_EXCERPT_WORDS:] - filled[:-_EXCERPT_WORDS]
    middle = (np.arange(len(words)) * (words != 0)).sum() / max(filled[-1], 1) - (_EXCERPT_WORDS - 1) / 2
    best = np.flatnonzero(sums == sums.max())
    start = best[np.argmin(np.abs(best - middle))]
    return pack(words[start : start + _EXCERPT_WORDS])


def pack(words: WordArray) -> bytes:
    """Return a code made of words, shape (N,)."""
    content = words.astype("<u2").tobytes()
    checksum = zlib.crc32(bytes([_VERSION]) + content) & 0xFFFFFF
    return bytes([_VERSION]) + checksum.to_bytes(3, "little") + content


def unpack(code: bytes) -> WordArray:
    """Return the words of a code, shape (N,); zero stands for silence.

    Raises:
        ValueError: If the code is damaged, or of another version.
    """
    if not code:
        return np.empty(0, np.uint16)
    if code[0] != _VERSION:
        raise ValueError(f"The fingerprint has version {code[0]}; expected {_VERSION}. Compute it again.")
    content = code[_HEADER:]
    checksum = zlib.crc32(bytes([_VERSION]) + content) & 0xFFFFFF
    if len(code) < _HEADER or len(content) % 2 or int.from_bytes(code[1:_HEADER], "little") != checksum:
        raise ValueError("The fingerprint is damaged: its checksum does not fit. Compute it again.")
    words: WordArray = np.frombuffer(content, "<u2").astype(np.uint16)
    return words


def _words(samples: NDArray[np.float64]) -> WordArray:
    """Return the words of sound at 8 kHz, shape (N,)."""
    if len(samples) < _WINDOW + (_PATCH - 1) * _HOP:
        return np.empty(0, np.uint16)
    energies = _band_energies(samples)  # (F, 32)
    levels = energies.mean(axis=1)
    patches = np.lib.stride_tricks.sliding_window_view(energies, _PATCH, axis=0)[::_FRAMES_PER_WORD]  # (N, 32, 12)
    means = np.lib.stride_tricks.sliding_window_view(levels, _PATCH)[::_FRAMES_PER_WORD].mean(axis=1)  # (N,)
    loud = np.sort(levels)[-max(1, len(levels) // 5) :].mean()
    logs = np.log(patches + _FLOOR * means[:, None, None] + 1e-20)
    answers = logs.reshape(len(logs), -1) @ _filters()  # (N, 16)
    words = ((answers > 0) @ (1 << np.arange(16))).astype(np.uint16)
    words[words == 0] = 1  # 0 stands for silence
    words[(means < _GATE * loud) | (means < _SILENT)] = 0
    return words


def _band_energies(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean power of each band, shape (F, 32)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    spectra = np.fft.rfft(frames * np.hanning(_WINDOW), _FFT)
    power = np.square(spectra.real) + np.square(spectra.imag)
    bands: NDArray[np.float64] = power @ _bank() / np.square(_WINDOW / 2)
    return bands


@cache
def _bank() -> NDArray[np.float64]:
    """Return triangular bands on a logarithmic scale, each with a sum of 1, shape (513, 32)."""
    frequencies = np.arange(_FFT // 2 + 1)[:, None] * RATE / _FFT
    edges = _LOWEST * (_HIGHEST / _LOWEST) ** (np.arange(_BANDS + 2) / (_BANDS + 1))
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    bands = np.maximum(0, np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle)))
    weights: NDArray[np.float64] = bands / bands.sum(axis=0)
    return weights


@cache
def _filters() -> NDArray[np.float64]:
    """Return the 16 filters over patches, shape (32 * 12, 16), each with a sum of 0."""
    times, bands = (np.arange(_PATCH) + 0.5) / _PATCH, (np.arange(_BANDS) + 0.5) / _BANDS
    fade = np.sin(np.pi * times)  # a patch has no edges
    filters = []
    for along_time, along_frequency in _ORDERS:
        one = np.outer(np.cos(np.pi * along_frequency * bands), fade * np.cos(np.pi * along_time * times)).ravel()
        filters.append(one - one.mean())
    return np.stack(filters, axis=1)
