"""Speech-like sound: a voice with moving pitch and formants, syllables and pauses, in takes of one sentence."""

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
_SYLLABLE = 0.2  # seconds
_FORMANTS = ((300.0, 800.0), (900.0, 2_200.0), (2_300.0, 3_000.0))  # Hz, the range of each
_BANDWIDTH = 120.0  # Hz


def talk(sentence: int, take: int = 0, *, seconds: float = 3.0, pitch: float = 130.0) -> NDArray[np.float32]:
    """Return a take of a sentence at 16,000 Hz, shape (T,).

    Args:
        sentence: Seed of formants, syllables and pauses.
        take: Seed of pitch and timing, which differ by a few percent between takes.
        seconds: Duration.
        pitch: Mean pitch in Hz.
    """
    words, voice = np.random.default_rng([sentence, 1]), np.random.default_rng([sentence, take, 2])
    time = np.arange(int(seconds * RATE)) / RATE
    nodes = np.arange(0, seconds + 1, _SYLLABLE)
    halves = np.arange(0, seconds + 1, _SYLLABLE / 2)
    warped = time + np.interp(time, nodes, voice.uniform(-0.03, 0.03, len(nodes)))
    level = np.interp(warped, halves, _loudness(words, len(halves)))
    contour = pitch * np.interp(time, nodes, voice.uniform(0.85, 1.2, len(nodes)))
    phase = 2 * np.pi * np.cumsum(contour) / RATE
    tracks = [np.interp(warped, nodes, words.uniform(low, high, len(nodes))) for low, high in _FORMANTS]
    sound = 0.002 * voice.standard_normal(len(time))
    for number in range(1, int(3_500 / pitch)):
        gain = sum(1 / (1 + ((number * contour - track) / _BANDWIDTH) ** 2) for track in tracks)
        sound += level * gain * np.cos(number * phase) / number**0.5
    return (0.3 * sound / np.abs(sound).max()).astype(np.float32)


def _loudness(rng: np.random.Generator, number: int) -> NDArray[np.float64]:
    """Return levels at half syllables; every fifth syllable or so is a pause."""
    spoken = np.repeat(rng.random(number // 2 + 1) > 0.2, 2)[:number]
    levels = np.where(np.arange(number) % 2, 1.0, 0.25) * spoken
    levels[:3] = 0.0
    return levels
