"""Random sounds that are not speech: noises, tones, signals, music.

The speech detector is trained on these sounds, and tested on them with other seeds. The kinds in ``HELD_OUT`` are only
for testing, so that they show how the detector responds to unfamiliar sounds.
"""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np

from serkit.errors import unknown_name
from serkit.types import FloatArray
from speech_detector.spectra import Wave, colored_noise, filtered, frame_powers

SAMPLING_RATE: Final = 16_000
_PEAK = 0.5
_TABLE = 2048  # points of one period of an instrument's waveform
_DTMF_HZ = ((697.0, 770.0, 852.0, 941.0), (1209.0, 1336.0, 1477.0, 1633.0))  # ITU-T Q.23
_RINGS = (  # frequencies in Hz, seconds on and off: ITU-T E.180 supplement 2
    ((425.0,), 1.0, 4.0),
    ((425.0,), 0.48, 0.48),
    ((440.0, 480.0), 2.0, 4.0),
    ((480.0, 620.0), 0.5, 0.5),
    ((400.0, 450.0), 0.4, 0.2),
)
_SCALE = np.array([0, 2, 4, 5, 7, 9, 11])  # semitones of a major key

Maker = Callable[[int, np.random.Generator], Wave]


def make_sound(kind: str, samples: int, rng: np.random.Generator) -> FloatArray:
    """Make a random sound that is not speech.

    Args:
        kind: Name of the sound, one of ``KINDS`` or ``HELD_OUT``.
        samples: Length T in samples.
        rng: Random generator, the only source of randomness.

    Returns:
        Sound (T,) at 16,000 Hz with a peak of 0.5; silence stays silent.

    Raises:
        UnknownNameError: If ``kind`` is unknown.

    Example:
        >>> make_sound("dtmf", 16_000, np.random.default_rng(0)).shape
        (16000,)
    """
    if kind not in _MAKERS:
        raise unknown_name("sound", kind, _MAKERS, "speech_detector.sounds.KINDS")
    sound = _MAKERS[kind](samples, rng)
    peak = float(np.abs(sound).max(initial=0.0))
    return (sound * (_PEAK / peak if peak else 0.0)).astype(np.float32)


def active_level(samples: Wave) -> float:
    """Return the root mean square over the frames of a sound (T,) within 20 dB of its loudest frame; 0 for silence."""
    powers = frame_powers(samples)
    loudest = float(powers.max(initial=0.0))
    return float(np.sqrt(powers[powers >= loudest / 100].mean())) if loudest else 0.0


def _silence(samples: int, rng: np.random.Generator) -> Wave:
    return np.zeros(samples, np.float32)


def _white(samples: int, rng: np.random.Generator) -> Wave:
    return colored_noise(samples, 0.0, rng)


def _pink(samples: int, rng: np.random.Generator) -> Wave:
    return colored_noise(samples, 1.0, rng)


def _brown(samples: int, rng: np.random.Generator) -> Wave:
    return colored_noise(samples, 2.0, rng)


def _ventilation(samples: int, rng: np.random.Generator) -> Wave:
    """Make noise with a spectral slope and resonances that swells a little, as in rooms, from fans and on streets."""
    noise = filtered(colored_noise(samples, rng.uniform(0, 2), rng), _bumps(rng))
    return noise * _gain(_drift(samples, rng, every_s=rng.uniform(0.3, 2)) * rng.uniform(0, 6))


def _gusts(samples: int, rng: np.random.Generator) -> Wave:
    """Make noise whose level changes at the rate of syllables or slower: wind, waves, sawing."""
    noise = filtered(colored_noise(samples, rng.uniform(0, 2), rng), _bumps(rng))
    if rng.random() < 0.5:
        swell = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.5, 8) * _time(samples) + rng.uniform(0, 6))
        swollen: Wave = noise * (0.02 + swell ** rng.uniform(0.5, 3))
        return swollen
    return noise * _gain(_drift(samples, rng, every_s=rng.uniform(0.08, 0.5)) * rng.uniform(6, 15))


def _hum(samples: int, rng: np.random.Generator) -> Wave:
    base = rng.choice([50.0, 60.0]) * rng.choice([1, 2])
    orders = np.arange(1, rng.integers(2, 20))
    sound = sum(
        _sine(samples, base * order, rng) * (rng.uniform(0.2, 1) / order ** rng.uniform(0.3, 2)) for order in orders
    )
    return np.asarray(sound + 10 ** rng.uniform(-4, -1.5) * colored_noise(samples, 1.0, rng))


def _tone(samples: int, rng: np.random.Generator) -> Wave:
    return _sine(samples, _ratio(rng, 60, 7_500), rng)


def _chord(samples: int, rng: np.random.Generator) -> Wave:
    base, table = _ratio(rng, 80, 800), _timbre(rng)
    steps = rng.choice(16, size=rng.integers(2, 6), replace=False)
    pure = rng.random() < 0.5
    parts = [base * 2 ** (step / 12) for step in steps]
    return _mix(_sine(samples, hz, rng) if pure else _play(table, np.full(samples, hz), rng) for hz in parts)


def _sweep(samples: int, rng: np.random.Generator) -> Wave:
    """Make a tone that glides up or down, once or repeatedly."""
    low, high = _ratio(rng, 60, 500), _ratio(rng, 1_000, 7_500)
    turns = _time(samples) * rng.uniform(0.1, 2) + rng.random()
    place = turns % 1 if rng.random() < 0.5 else np.abs(2 * (turns % 1) - 1)
    return _varying_sine(low * (high / low) ** (1 - place if rng.random() < 0.5 else place), rng)


def _siren(samples: int, rng: np.random.Generator) -> Wave:
    """Make a tone whose pitch swings, or jumps between two pitches."""
    swing = np.sin(2 * np.pi * rng.uniform(0.2, 8) * _time(samples) + rng.uniform(0, 6))
    if rng.random() < 0.4:
        swing = np.sign(swing)
    hz = _ratio(rng, 250, 2_000) * 2 ** (swing * rng.uniform(0.02, 0.8))
    return _play(_timbre(rng), hz, rng) if rng.random() < 0.5 else _varying_sine(hz, rng)


def _dtmf(samples: int, rng: np.random.Generator) -> Wave:
    on, off = rng.uniform(0.05, 0.3), rng.uniform(0.05, 0.4)
    sound = np.zeros(samples, np.float32)
    for start, end in _spans(samples, on, off):
        for frequencies in _DTMF_HZ:
            sound[start:end] += _sine(end - start, rng.choice(frequencies), rng)
    return sound


def _ring(samples: int, rng: np.random.Generator) -> Wave:
    """Make the tones of a telephone exchange: dial tone, ringing, busy."""
    frequencies, on, off = _RINGS[rng.integers(len(_RINGS))]
    sound = _mix(_sine(samples, hz, rng) for hz in frequencies)
    if rng.random() < 0.2:
        return sound
    heard = np.zeros(samples, np.float32)
    shift = int(rng.uniform(0, on) * SAMPLING_RATE)
    for start, end in _spans(samples + shift, on, off):
        heard[max(start - shift, 0) : max(end - shift, 0)] = 1
    return sound * heard


def _beeps(samples: int, rng: np.random.Generator) -> Wave:
    """Make short notes of one pitch, or of two pitches in turn, as alarms and clocks do."""
    pitches, table = [_ratio(rng, 300, 4_000) for _ in range(rng.integers(1, 3))], _timbre(rng)
    sound = np.zeros(samples, np.float32)
    for number, (start, end) in enumerate(_spans(samples, rng.uniform(0.03, 0.5), rng.uniform(0.03, 0.8))):
        hz = np.full(end - start, pitches[number % len(pitches)])
        sound[start:end] = _play(table, hz, rng) * _envelope(end - start, rng.uniform(0.002, 0.02), rng.uniform(1, 20))
    return sound


def _clicks(samples: int, rng: np.random.Generator) -> Wave:
    """Make impulses that ring for a moment: keys, knocks, crackle."""
    sound = np.zeros(samples, np.float32)
    density = _ratio(rng, 0.7, 40)
    resonances, decay = rng.uniform(200, 6_000, rng.integers(1, 4)), _ratio(rng, 0.0005, 0.04)
    for place in rng.integers(samples, size=max(1, int(density * samples / SAMPLING_RATE))):
        length = min(int(8 * decay * SAMPLING_RATE) + 1, samples - place)
        time = _time(length)
        bodies = [np.sin(2 * np.pi * hz * rng.uniform(0.9, 1.1) * time + rng.uniform(0, 6)) for hz in resonances]
        burst = np.sum(bodies, 0) + rng.standard_normal(length)
        sound[place : place + length] += rng.uniform(0.1, 1) * burst * np.exp(-time / decay)
    return sound


def _drums(samples: int, rng: np.random.Generator) -> Wave:
    """Make a beat of a bass drum, a snare and a hi-hat."""
    sound = np.zeros(samples, np.float32)
    step = int(rng.uniform(0.1, 0.25) * SAMPLING_RATE)
    pattern = rng.integers(0, 4, 8)
    for number, start in enumerate(range(int(rng.integers(step)), samples, step)):
        drum = pattern[number % len(pattern)]
        time = _time(min(int(0.35 * SAMPLING_RATE), samples - start))
        hit = rng.uniform(0.6, 1) * np.exp(-time / (0.08, 0.05, 0.015, 1e-4)[drum])
        noise = rng.standard_normal(len(time))
        if drum == 0:
            hit *= np.sin(2 * np.pi * (50 * time + 6 * (1 - np.exp(-time / 0.03))))
        elif drum == 1:
            hit *= 0.4 * noise + 0.5 * np.sin(2 * np.pi * 190 * time)
        elif drum == 2:
            hit *= 0.4 * np.diff(noise, prepend=0)
        sound[start : start + len(time)] += hit.astype(np.float32)
    return sound


def _music(samples: int, rng: np.random.Generator) -> Wave:
    """Make melodies in one key, played by one to four instruments, often over drums."""
    key, sound = _ratio(rng, 55, 110), np.zeros(samples, np.float32)
    for _ in range(rng.integers(1, 5)):
        sound += rng.uniform(0.3, 1) * _melody(samples, key * 2 ** rng.integers(0, 4), rng)
    if rng.random() < 0.4:
        sound += rng.uniform(0.5, 2) * _drums(samples, rng)
    return sound


def _engine(samples: int, rng: np.random.Generator) -> Wave:
    """Make a low buzz of wandering pitch, filtered by resonances: motors, drills, saws."""
    hz = _ratio(rng, 25, 300) * 2 ** (_drift(samples, rng, every_s=rng.uniform(0.3, 3)) * rng.uniform(0, 0.5))
    buzz = _play(_timbre(rng, harmonics=40), hz, rng)
    return filtered(buzz + 10 ** rng.uniform(-3, -0.5) * colored_noise(samples, 1.0, rng), _bumps(rng))


def _plucked(samples: int, rng: np.random.Generator) -> Wave:
    """Make plucked strings by the noise loop of Karplus and Strong, 1983."""
    sound, start, key = np.zeros(samples, np.float32), 0, _ratio(rng, 80, 160)
    while start < samples:
        period = int(SAMPLING_RATE / (key * 2 ** (rng.choice(_SCALE) / 12 + rng.integers(0, 3))))
        loop, rounds = rng.uniform(-1, 1, period), []
        for _ in range(int(SAMPLING_RATE / period)):  # one second
            rounds.append(loop)
            loop = 0.498 * (loop + np.roll(loop, 1))
        note = np.concatenate(rounds)[: samples - start]
        sound[start : start + len(note)] += note.astype(np.float32)
        start += int(rng.uniform(0.1, 0.5) * SAMPLING_RATE)
    return sound


def _birds(samples: int, rng: np.random.Generator) -> Wave:
    """Make chirps: short glides between 2 and 7 kHz in quick groups."""
    sound = np.zeros(samples, np.float32)
    low, on, off = rng.uniform(2_000, 3_500), rng.uniform(0.03, 0.15), rng.uniform(0.02, 0.3)
    for start, end in _spans(samples, on, off):
        if rng.random() < 0.7:
            glide = low + rng.uniform(0, 3_500) * np.sin(np.linspace(0, rng.uniform(1, 6), end - start)) ** 2
            sound[start:end] = _varying_sine(glide, rng) * np.hanning(end - start)
    return sound


def _melody(samples: int, base: float, rng: np.random.Generator) -> Wave:
    """Play the notes of one instrument, one after the other."""
    sound, start = np.zeros(samples, np.float32), int(rng.uniform(0, 0.5) * SAMPLING_RATE)
    table, beat, decay = _timbre(rng), _ratio(rng, 0.08, 0.6), _ratio(rng, 0.3, 15)
    vibrato, attack, rest = rng.uniform(0, 0.03) * (rng.random() < 0.4), rng.uniform(0.003, 0.06), rng.uniform(0, 0.4)
    while start < samples:
        length = min(int(beat * rng.choice([1, 1, 2, 3]) * SAMPLING_RATE), samples - start)
        if rng.random() > rest:
            wave = 1 + vibrato * np.sin(2 * np.pi * 5.5 * _time(length))
            hz = base * 2 ** (rng.choice(_SCALE) / 12) * wave
            sound[start : start + length] = _play(table, hz, rng) * _envelope(length, attack, decay)
        start += length
    return sound


def _time(samples: int) -> Wave:
    return np.arange(samples, dtype=np.float32) / SAMPLING_RATE


def _mix(parts: Iterable[Wave]) -> Wave:
    total: Wave = np.sum(list(parts), axis=0)
    return total


def _ratio(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _sine(samples: int, hz: float, rng: np.random.Generator) -> Wave:
    sine: Wave = np.sin(2 * np.pi * (hz / SAMPLING_RATE) * np.arange(samples) + rng.uniform(0, 6))
    return sine.astype(np.float32)


def _varying_sine(hz: Wave, rng: np.random.Generator) -> Wave:
    """Return a sine of a changing frequency (T,) in Hz."""
    sine: Wave = np.sin(2 * np.pi * np.cumsum(hz, dtype=np.float64) / SAMPLING_RATE + rng.uniform(0, 6))
    return sine.astype(np.float32)


def _timbre(rng: np.random.Generator, harmonics: int = 12) -> Wave:
    """Draw one period of an instrument's waveform, shape (2048,)."""
    orders = np.arange(1, rng.integers(2, harmonics + 1) + 1)
    amplitudes = rng.uniform(0.1, 1, len(orders)) / orders ** rng.uniform(0.3, 2)
    angles = 2 * np.pi * np.arange(_TABLE)[:, None] * orders / _TABLE + rng.uniform(0, 6, len(orders))
    return (np.sin(angles) @ amplitudes).astype(np.float32)


def _play(table: Wave, hz: Wave, rng: np.random.Generator) -> Wave:
    """Repeat a waveform's period at a changing frequency (T,) in Hz."""
    phase = np.cumsum(hz, dtype=np.float64) * (_TABLE / SAMPLING_RATE) + rng.integers(_TABLE)
    return table[phase.astype(np.int64) % _TABLE]


def _envelope(samples: int, attack_s: float, decay: float) -> Wave:
    """Return an envelope (T,) that rises, decays by ``decay`` nepers per second, and fades out."""
    time = _time(samples)
    envelope: Wave = np.minimum(1, time / attack_s) * np.exp(-decay * time) * np.minimum(1, (time[::-1] + 1e-4) / 0.01)
    return envelope


def _spans(samples: int, on_s: float, off_s: float) -> list[tuple[int, int]]:
    on, period = max(1, int(on_s * SAMPLING_RATE)), max(2, int((on_s + off_s) * SAMPLING_RATE))
    return [(start, min(start + on, samples)) for start in range(0, samples, period)]


def _gain(level_db: Wave) -> Wave:
    gain: Wave = 10 ** (level_db / 20)
    return gain


def _drift(samples: int, rng: np.random.Generator, *, every_s: float) -> Wave:
    """Return a slow random curve (T,) with a standard deviation of about 1."""
    knots = rng.standard_normal(int(samples / SAMPLING_RATE / every_s) + 3)
    curve: Wave = np.interp(_time(samples) / every_s, np.arange(len(knots)), knots)
    return curve.astype(np.float32)


def _bumps(rng: np.random.Generator) -> Wave:
    """Draw the gains (257,) of a filter with one to four resonances, evenly spaced from 0 to 8 kHz."""
    hz, gain_db = np.linspace(0, SAMPLING_RATE / 2, 257), np.zeros(257)
    for _ in range(rng.integers(1, 5)):
        center, width = _ratio(rng, 100, 6_000), _ratio(rng, 80, 1_500)
        gain_db += rng.uniform(-10, 20) * np.exp(-(((hz - center) / width) ** 2))
    return (10 ** (gain_db / 20)).astype(np.float32)


_LEARNED: Final[dict[str, Maker]] = {
    "silence": _silence,
    "white": _white,
    "pink": _pink,
    "brown": _brown,
    "ventilation": _ventilation,
    "gusts": _gusts,
    "hum": _hum,
    "tone": _tone,
    "chord": _chord,
    "sweep": _sweep,
    "siren": _siren,
    "dtmf": _dtmf,
    "ring": _ring,
    "beeps": _beeps,
    "clicks": _clicks,
    "drums": _drums,
    "music": _music,
    "engine": _engine,
}
_UNSEEN: Final[dict[str, Maker]] = {"plucked": _plucked, "birds": _birds}
_MAKERS: Final = _LEARNED | _UNSEEN
KINDS: Final = tuple(_LEARNED)
HELD_OUT: Final = tuple(_UNSEEN)
