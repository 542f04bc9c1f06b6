"""Speech-like sound that is different in every clip: syllables of moving pitch and formants, with pauses between.

Unlike :mod:`support.synthetic`, whose clips are patterns for a classifier to learn, no two clips of babble are alike,
as no two takes of a sentence are.

"""

import zlib

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 16_000
Samples = NDArray[np.float32]


def babble(name: str, *, seconds: float = 2.5, pitch: float = 140.0) -> Samples:
    """Return a clip of babble, shape (T,), at 16 kHz.

    Args:
        name: Seed of everything that is drawn.
        seconds: Duration.
        pitch: Mean pitch of the voice in Hz.
    """
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    samples = np.zeros(round(seconds * RATE))
    place = round(rng.uniform(0.05, 0.2) * RATE)
    while place < len(samples):
        length = round(rng.uniform(0.12, 0.3) * RATE)
        part = _syllable(rng, length, pitch)[: len(samples) - place]
        samples[place : place + len(part)] += part
        place += length + round(rng.choice([0.0, 0.02, 0.12], p=[0.5, 0.3, 0.2]) * RATE)
    samples += rng.normal(0, 1e-4, len(samples))
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def _syllable(rng: np.random.Generator, length: int, pitch: float) -> NDArray[np.float64]:
    """Return a voiced syllable: pulses of gliding pitch, through three formants that move halfway."""
    ends = pitch * 2 ** rng.uniform(-0.35, 0.35, 2)
    phase = np.cumsum(np.linspace(*ends, length)) / RATE
    source = np.diff(np.floor(phase), prepend=0.0) + rng.normal(0, 0.01, length)
    halves = []
    for half in np.array_split(source, 2):
        sound = half
        for low, high in ((250, 850), (900, 2300), (2300, 3300)):
            sound = _resonance(sound, rng.uniform(low, high), rng.uniform(60, 140))
        halves.append(sound)
    return np.concatenate(halves) * np.hanning(length) ** 0.5 * rng.uniform(0.3, 1.0)


def _resonance(sound: NDArray[np.float64], frequency: float, width: float) -> NDArray[np.float64]:
    radius = np.exp(-np.pi * width / RATE)
    poles = [1, -2 * radius * np.cos(2 * np.pi * frequency / RATE), radius**2]
    found: NDArray[np.float64] = lfilter([sum(poles)], poles, sound)
    return found
