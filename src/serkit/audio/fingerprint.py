"""Acoustic fingerprints: short codes by which the same recording of speech is found again after changes.

A code has one word of 16 bits every 32 ms. Each bit is the sign of one filter over a patch of the spectrogram: 0.3 s of
log energies in 64 bands from 200 to 3,400 Hz. A filter compares the first half of the patch with the second, and is a
cosine along frequency, with 6 to 21 periods. Level, timbre and hum cancel out. Pitch harmonics count, since their
movement tells two takes of one sentence apart, as formants cannot. Words of quiet or steady patches are zero. Signs
of so few filters say little about a patch, so sound cannot be rebuilt from a code.

Source: J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002, whose bits are signs of
differences between neighboring bands and frames. These filters are wider, so that fewer bits a second are enough.
"""

import zlib
from functools import cache

import numpy as np
from numpy.typing import NDArray

from serkit.audio.resampling import check_rate, resample
from serkit.types import FloatArray

WordArray = NDArray[np.uint16]

BYTES_PER_SECOND = 63  # two bytes every 32 ms
SECONDS_PER_WORD = 0.032
SECONDS_OF_PATCH = 0.304  # sound that one word describes

_VERSION = 1
_HEADER = 4  # bytes: the version, and 24 bits of a checksum
_EXCERPT_WORDS = 91  # with the header 186 bytes; 1 s was too little to tell two takes of monotonous speech apart
_RATE = 8_000  # Hz
_WINDOW = 1_024  # samples: long enough for harmonics of a low voice
_HOP = 128  # samples
_PATCH = 12  # frames
_FRAMES_PER_WORD = 2
_BANDS = 64
_LOWEST, _HIGHEST = 200.0, 3_400.0  # Hz; a telephone passes them
_HALF_PERIODS = range(12, 44, 2)  # along frequency, of each filter
_FLOOR = 10**-1.0  # of the patch's mean energy: what is weaker is noise after lossy compression
_GATE = 10**-2.5  # of the mean energy of the loudest fifth: weaker patches are taken for silence
_SILENT = 1e-12  # mean power of a band in all patches taken for silence
_STEADY = 0.1  # answer of the filters, root mean square, in patches that nothing moves in
_BLOCK = 1_024  # words computed at once, so that an hour of sound needs little memory


def fingerprint(samples: FloatArray, sampling_rate: int) -> bytes:
    """Return the code of mono sound, shape (T,).

    Args:
        samples: Waveform, shape (T,).
        sampling_rate: Sampling rate in Hz. The sound is resampled to 8 kHz.

    Returns:
        Code of at most 63 bytes a second. It has no words if the sound is silent, or shorter than 0.304 s.

    Raises:
        SamplingRateError: If the sampling rate is out of range.
    """
    rate = check_rate(sampling_rate, "the sound to fingerprint")
    narrow = resample(np.asarray(samples, np.float32), rate, _RATE) if len(samples) else samples
    return pack(_words(narrow.astype(np.float64)))


def excerpt(code: bytes) -> bytes:
    """Return the part of a code to keep where space is short: about 3 s with much sound, near the middle.

    Args:
        code: Code from :func:`fingerprint`.

    Returns:
        Code of at most 186 bytes, which can be compared with whole codes.

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
        raise ValueError(f"The fingerprint has version {code[0]}; this release reads {_VERSION}. Compute it again.")
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
    energies = _band_energies(samples)  # (F, 64)
    levels = energies.mean(axis=1)
    loud = np.sort(levels)[-max(1, len(levels) // 5) :].mean()
    patches = np.lib.stride_tricks.sliding_window_view(energies, _PATCH, axis=0)[::_FRAMES_PER_WORD]  # (N, 64, 12)
    means = np.lib.stride_tricks.sliding_window_view(levels, _PATCH)[::_FRAMES_PER_WORD].mean(axis=1)  # (N,)
    words = np.zeros(len(means), np.uint16)
    heard = np.flatnonzero((means > _GATE * loud) & (means > _SILENT))
    for start in range(0, len(heard), _BLOCK):
        some = heard[start : start + _BLOCK]
        logs = np.log(patches[some] + _FLOOR * means[some, None, None])
        answers = logs.reshape(len(some), -1) @ _filters()  # (n, 16)
        values = np.maximum((answers > 0) @ (1 << np.arange(16)), 1)  # 0 stands for silence
        words[some] = np.where(np.square(answers).mean(axis=1) > _STEADY**2, values, 0)
    return words


def _band_energies(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean power of each band, shape (F, 64)."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW) / (_WINDOW / 2)
    blocks = []
    for start in range(0, len(frames), _BLOCK):
        spectra = np.fft.rfft(frames[start : start + _BLOCK] * window)
        blocks.append((np.square(spectra.real) + np.square(spectra.imag)) @ _bank())
    return np.concatenate(blocks)


@cache
def _bank() -> NDArray[np.float64]:
    """Return triangular bands on a logarithmic scale, each with a sum of 1, shape (513, 64)."""
    frequencies = np.arange(_WINDOW // 2 + 1)[:, None] * _RATE / _WINDOW
    edges = _LOWEST * (_HIGHEST / _LOWEST) ** (np.arange(_BANDS + 2) / (_BANDS + 1))
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    bands = np.maximum(0, np.minimum((frequencies - low) / (middle - low), (high - frequencies) / (high - middle)))
    weights: NDArray[np.float64] = bands / bands.sum(axis=0)
    return weights


@cache
def _filters() -> NDArray[np.float64]:
    """Return the 16 filters over patches, each with a norm of 1, shape (64 * 12, 16)."""
    times, bands = (np.arange(_PATCH) + 0.5) / _PATCH, (np.arange(_BANDS) + 0.5) / _BANDS
    along_time = np.sin(np.pi * times) * np.cos(np.pi * times)  # one half against the other; a patch has no edges
    filters = [np.outer(np.cos(np.pi * number * bands), along_time).ravel() for number in _HALF_PERIODS]
    return np.stack([one / np.linalg.norm(one) for one in filters], axis=1)
