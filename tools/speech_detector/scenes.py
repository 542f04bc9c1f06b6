"""Training scenes: utterances with pauses, in rooms, over telephones, among other sounds, and such sounds alone.

Labels come from the energy of the clean utterances, before anything is added to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import soxr
from numpy.typing import NDArray

from serkit.lab.augment.augmentation import Augmentation
from serkit.lab.augment.filters import LowPass, Telephone, band_pass
from serkit.lab.augment.reverberation import Reverberation
from serkit.lab.augment.vocoder import time_stretch
from serkit.types import FloatArray
from speech_detector.sounds import KINDS, SAMPLING_RATE, active_level, make_sound
from speech_detector.spectra import HOP, filtered, frame_powers

_THRESHOLD_DB = 35.0  # level below the 95th percentile of an utterance's frames beyond which a frame is silent
_HANGOVER = 5  # frames, 100 ms, that count as speech after a loud frame, because plosives begin with silence
_LEVEL = 0.1  # active level of speech before the gain of the scene
_QUIETEST = 1e-5  # active level below which a sound is replaced by silence
_ROOM: Final = Reverberation(p=0.35, rt60_s=(0.15, 0.9), drr_db=(-3.0, 12.0))
_DEVICES: Final[tuple[Augmentation, ...]] = (LowPass(p=0.1), Telephone(p=0.2))
_HARD: Final = ("gusts", "siren", "music", "chord", "engine", "ventilation", "clicks", "drums")
_KINDS: Final = (*KINDS, *_HARD, *_HARD[:3])  # kinds that are easily mistaken for speech are drawn more often
_STEADY: Final = ("white", "pink", "brown", "ventilation", "hum", "gusts", "engine", "music", "clicks", "drums")
_STEADY_SHARES = np.array([2, 3, 2, 6, 1, 2, 1, 2, 1, 1]) / 21


@dataclass(frozen=True)
class Scene:
    """A training scene.

    Attributes:
        samples: Sound (T,) at 16,000 Hz.
        is_speech: Label of each frame of 20 ms, (T // 320,).
    """

    samples: FloatArray
    is_speech: NDArray[np.bool_]


def label_frames(samples: FloatArray, *, threshold_db: float = _THRESHOLD_DB) -> NDArray[np.bool_]:
    """Label the speech frames of a clean recording by their energy.

    Args:
        samples: Recording (T,) at 16,000 Hz, without noise.
        threshold_db: Level below the 95th percentile of all frames, in dB, beyond which a frame is silent.

    Returns:
        Labels (T // 320,), True for frames above the threshold and for the five frames after each of them.
    """
    powers = frame_powers(band_pass(samples, SAMPLING_RATE, low=(80.0, 4)))
    active = powers > max(np.percentile(powers, 95) * 10 ** (-threshold_db / 10), 1e-12)
    last = np.maximum.accumulate(np.where(active, np.arange(len(active)), -_HANGOVER - 1))
    return np.arange(len(active)) - last <= _HANGOVER


def make_scene(clips: Sequence[FloatArray], rng: np.random.Generator, *, seconds: float = 8.0) -> Scene:
    """Make a random scene. Two of three scenes hold speech.

    Args:
        clips: Clean utterances at 16,000 Hz to draw from.
        rng: Random generator, the only source of randomness.
        seconds: Duration of the scene.
    """
    samples = round(seconds * SAMPLING_RATE / HOP) * HOP
    if rng.random() < 1 / 3:
        return Scene(_without_speech(samples, rng), np.zeros(samples // HOP, np.bool_))
    speech, is_speech = _speech_with_pauses(clips, samples, rng)
    sound = speech
    if rng.random() < 0.4:
        sound = sound + _sounds_in_pauses(is_speech, rng)
    sound = _ROOM.apply(sound, SAMPLING_RATE, rng)
    if rng.random() < 0.85:
        kind = str(rng.choice(_STEADY, p=_STEADY_SHARES))
        lowest = 8.0 if kind in ("music", "drums", "engine", "gusts") else 2.0
        sound = sound + _at_level(make_sound(kind, samples, rng), _LEVEL * 10 ** (-rng.uniform(lowest, 45) / 20))
    for device in _DEVICES:
        sound = device.apply(sound, SAMPLING_RATE, rng)
    sound = sound * np.float32(10 ** (rng.uniform(-35, 10) / 20))
    return _recorded(sound, is_speech, rng)


def _recorded(sound: FloatArray, is_speech: NDArray[np.bool_], rng: np.random.Generator) -> Scene:
    """Add an offset, clipping, digital silence at the start, and 16-bit rounding, as recorders do, at random."""
    if rng.random() < 0.1:
        sound = sound + np.float32(rng.uniform(-0.05, 0.05))
    limit = 1.0 if rng.random() < 0.9 else float(np.abs(sound).max()) * rng.uniform(0.2, 0.8) + 1e-4
    sound = np.clip(sound, -limit, limit).astype(np.float32)
    is_speech = is_speech.copy()
    if rng.random() < 0.25:  # digital silence at the start
        first = int(rng.uniform(0.2, 1.5) * SAMPLING_RATE / HOP)
        sound[: first * HOP] = 0
        is_speech[:first] = False
    if rng.random() < 0.5:
        sound = (np.round(sound * 32767) / 32768).astype(np.float32)
    return Scene(sound, is_speech)


def _without_speech(samples: int, rng: np.random.Generator) -> FloatArray:
    """Make one to three kinds of sound one after the other, at random levels, often over a quiet noise."""
    sound = np.zeros(samples, np.float32)
    edges = [0, *sorted(rng.integers(samples, size=rng.integers(0, 3)).tolist()), samples]
    for start, end in pairwise(edges):
        if end - start >= HOP:
            part = make_sound(str(rng.choice(_KINDS)), end - start, rng)
            sound[start:end] = part * np.float32(10 ** (rng.uniform(-45, 6) / 20))
    if rng.random() < 0.6:
        noise = make_sound(str(rng.choice(_STEADY[:5])), samples, rng)
        sound += _at_level(noise, 10 ** rng.uniform(-4.5, -1.5))
    for channel in (_ROOM, *_DEVICES):
        sound = channel.apply(sound, SAMPLING_RATE, rng)
    return _recorded(sound, np.zeros(samples // HOP, np.bool_), rng).samples


def _speech_with_pauses(
    clips: Sequence[FloatArray], samples: int, rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.bool_]]:
    sound, is_speech = np.zeros(samples, np.float32), np.zeros(samples // HOP, np.bool_)
    start = int(rng.uniform(0, 2.0) * SAMPLING_RATE / HOP) * HOP
    while start < samples:
        clip = clips[int(rng.integers(len(clips)))]
        clip, labels = _as_another_voice(clip, label_frames(clip), rng)
        clip = _at_level(clip, _LEVEL * 10 ** (rng.uniform(-8, 4) / 20))[: samples - start]
        sound[start : start + len(clip)] = clip
        labels = labels[: samples // HOP - start // HOP]
        is_speech[start // HOP : start // HOP + len(labels)] = labels
        start += -(-len(clip) // HOP) * HOP + int(rng.exponential(0.8) * SAMPLING_RATE / HOP) * HOP
    return sound, is_speech


def _as_another_voice(
    clip: FloatArray, labels: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Change speed, pitch and spectral tilt of an utterance at random, and sometimes cut out a part of it."""
    if rng.random() < 0.3:
        first, last = sorted(rng.integers(len(labels), size=2))
        last = min(max(last, first + 20), len(labels))
        clip, labels = clip[first * HOP : last * HOP], labels[first:last]
    rate = float(np.exp(rng.uniform(-0.8, 0.15))) if rng.random() < 0.5 else 1.0
    voice = clip if rate == 1 else time_stretch(clip, rate, sampling_rate=SAMPLING_RATE)
    factor = float(np.exp(rng.uniform(-0.25, 0.35)))
    voice = soxr.resample(voice, SAMPLING_RATE * factor, SAMPLING_RATE, quality="MQ")
    tilt_db = rng.uniform(-8, 8)  # from 80 Hz to 8 kHz
    voice = filtered(voice, 10 ** (tilt_db / 40 * np.log10(np.linspace(0.01, 1, 65))))
    places = (np.arange(len(voice) // HOP) + 0.5) / max(1, len(voice) // HOP) * len(labels)
    return voice, labels[np.minimum(places.astype(int), len(labels) - 1)]


def _sounds_in_pauses(is_speech: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """Put a sound into about half of the longer pauses, from 25 dB below to 6 dB above the level of speech."""
    sound = np.zeros(len(is_speech) * HOP, np.float32)
    edges = np.flatnonzero(np.diff(is_speech.astype(np.int8), prepend=1, append=1))
    for start, end in zip(edges[::2], edges[1::2], strict=False):
        if end - start >= 10 and rng.random() < 0.6:
            level = _LEVEL * 10 ** (rng.uniform(-25, 6) / 20)
            sound[start * HOP : end * HOP] = _at_level(
                make_sound(str(rng.choice(_KINDS)), (end - start) * HOP, rng), level
            )
    return sound


def _at_level(samples: FloatArray, level: float) -> FloatArray:
    """Scale a sound (T,) to an active level."""
    before = active_level(samples)
    return samples * np.float32(level / before if before > _QUIETEST else 0.0)
