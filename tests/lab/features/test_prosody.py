"""Prosody: its parts against SciPy and known voices, the whole against openSMILE and its own claims.

Tolerances. Correlations with openSMILE are held over a few real clips where `benchmarks/_egemaps.py` found them high
over 220. A pure tone or a constant has no formants but what rounding makes of them: an exported graph is held to 1e-3
on what is neither.
"""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from serkit.audio.decode import load_audio
from serkit.data.corpora import find_corpus, get_corpus
from serkit.errors import RecipeError
from serkit.lab.features.prosody import PROSODY, Prosody, ProsodyConfig
from support.front_claims import (
    RATE,
    SIGNALS,
    Samples,
    alone,
    batch,
    check_everything_is_finite,
    check_export,
    check_padding,
)

PADDING_FLOOR = 1e-5  # deviations of what does not vary, and levels of silence
EXPORT_TOLERANCE = 1e-3


def numbers(samples: Samples, **settings: float) -> dict[str, float]:
    vector = alone(Prosody(ProsodyConfig(**settings)), samples)  # type: ignore[arg-type]
    assert vector.shape == (len(PROSODY), 1)
    return dict(zip(PROSODY, vector[:, 0].tolist(), strict=True))


def voiced(hz: np.ndarray | float, *, seconds: float = 1.0, slope: float = 1.0, seed: int = 0) -> Samples:
    """Return harmonics of a pitch whose levels fall by 6 dB an octave times the slope."""
    size = round(seconds * RATE)
    phase = 2 * np.pi * np.cumsum(np.broadcast_to(hz, size)) / RATE
    highest = int(7000 / np.max(hz))
    shifts = np.random.default_rng(seed).uniform(0, 2 * np.pi, highest + 1)
    sound = sum(np.sin(k * phase + shifts[k]) / k**slope for k in range(1, highest + 1))
    return (0.1 * sound).astype(np.float32)


def test_there_are_90_numbers_each_with_its_own_name() -> None:
    front = Prosody(ProsodyConfig())
    assert front.size == len(PROSODY) == len(set(PROSODY)) == 90
    assert front.kind == "vector"
    features, lengths = front(*batch([SIGNALS["speech"], SIGNALS["one sample"]]))
    assert features.shape == (2, 90, 1)
    assert lengths.tolist() == [1, 1]
    assert not list(front.parameters())
    assert not front.state_dict()


@pytest.mark.parametrize("hz", [80.0, 110.0, 220.0, 440.0])
def test_a_steady_voice_has_its_semitones_and_nothing_that_moves(hz: float) -> None:
    found = numbers(voiced(hz))
    semitones = 12 * np.log2(hz / 27.5)
    for name in ("mean", "median", "percentile_20", "percentile_80"):
        assert found[f"f0_semitones_{name}"] == pytest.approx(semitones, abs=0.1)
    assert found["f0_semitones_range_20_80"] < 0.05
    assert found["jitter_mean"] < 0.005
    assert found["shimmer_db_mean"] < 0.3
    assert found["voiced_segments_per_second"] == pytest.approx(1, abs=0.02)
    assert found["voiced_length_mean"] == pytest.approx(1, abs=0.05)


def test_slopes_are_semitones_per_second() -> None:
    octaves = np.abs((np.arange(2 * RATE) / RATE) % 1 - 0.5) * 2  # down and up an octave each second
    found = numbers(voiced(120 * 2**octaves, seconds=2))
    assert found["f0_semitones_rising_slope"] == pytest.approx(24, rel=0.15)
    assert found["f0_semitones_falling_slope"] == pytest.approx(24, rel=0.15)


def pulses(*, jitter: float, shimmer_db: float) -> Samples:
    """Return a pulse train through a resonance, whose periods are alternately long and short, loud and faint."""
    t, sound = 0.02, np.zeros(2 * RATE)
    grid = np.arange(len(sound)) / RATE
    number = 0
    while t < 1.95:
        sign = 1 if number % 2 else -1
        near = slice(round((t - 0.001) * RATE), round((t + 0.012) * RATE))
        since = grid[near] - t
        sound[near] += (
            10 ** (sign * shimmer_db / 40)
            * np.where(since > 0, 1, 0)
            * np.sin(3500 * since)
            * np.exp(-500 * np.maximum(since, 0))
        )
        t += 0.008 * (1 + sign * jitter / 2)
        number += 1
    return (0.5 * sound).astype(np.float32)


@pytest.mark.parametrize("jitter", [0.0, 0.01, 0.02, 0.04])
def test_jitter_is_the_share_by_which_neighboring_periods_differ(jitter: float) -> None:
    assert numbers(pulses(jitter=jitter, shimmer_db=0))["jitter_mean"] == pytest.approx(jitter, abs=0.004)


@pytest.mark.parametrize("shimmer_db", [0.0, 0.5, 1.0, 2.0])
def test_shimmer_is_the_difference_of_neighboring_amplitudes(shimmer_db: float) -> None:
    found = numbers(pulses(jitter=0, shimmer_db=shimmer_db))["shimmer_db_mean"]
    assert found == pytest.approx(shimmer_db, abs=0.15)


def test_a_breathy_voice_has_fewer_harmonics_above_its_noise() -> None:
    noise = np.random.default_rng(0).standard_normal(RATE)
    ratios = [numbers((voiced(150.0) + level * noise).astype(np.float32))["hnr_db_mean"] for level in (0, 0.02, 0.05)]
    assert ratios[0] > ratios[1] > ratios[2]


@pytest.mark.parametrize("slope", [0.5, 1.0, 2.0])
def test_the_first_harmonic_stands_above_the_second_by_the_slope_of_the_source(slope: float) -> None:
    found = numbers(voiced(200.0, slope=slope))
    assert found["h1_h2_db_mean"] == pytest.approx(20 * slope * np.log10(2), abs=0.6)
    assert found["h2_h3_db_mean"] == pytest.approx(20 * slope * np.log10(1.5), abs=0.6)


def test_a_steeper_voice_has_less_above_1_khz() -> None:
    soft, pressed = numbers(voiced(150.0, slope=2.0)), numbers(voiced(150.0, slope=0.5))
    assert soft["alpha_ratio_voiced_mean"] < pressed["alpha_ratio_voiced_mean"] - 10
    assert soft["hammarberg_index_voiced_mean"] > pressed["hammarberg_index_voiced_mean"] + 10


def test_formants_are_those_of_the_resonances() -> None:
    poles = [(600, 60), (1400, 90), (2600, 120)]
    sound = np.zeros(RATE)
    sound[:: RATE // 100] = 1
    for hz, width in poles:
        radius = np.exp(-np.pi * width / RATE)
        sound = filtered(sound, [1, -2 * radius * np.cos(2 * np.pi * hz / RATE), radius**2])
    found = numbers((0.2 * sound / np.abs(sound).max()).astype(np.float32))
    for i, (hz, _) in enumerate(poles, start=1):
        assert found[f"f{i}_hz_mean"] == pytest.approx(hz, rel=0.06)


def filtered(sound: np.ndarray, denominator: list[float]) -> np.ndarray:
    from scipy.signal import lfilter

    return lfilter([1.0], denominator, sound)


def test_loud_bursts_are_counted() -> None:
    t = np.arange(3 * RATE) / RATE
    found = numbers((voiced(150.0, seconds=3) * (0.1 + np.sin(np.pi * 2 * t) ** 2)).astype(np.float32))
    assert found["loudness_peaks_per_second"] == pytest.approx(2, abs=0.35)


def test_lengths_of_voice_and_pause_are_seconds() -> None:
    part, pause = voiced(150.0, seconds=0.3), np.zeros(round(0.2 * RATE), np.float32)
    found = numbers(np.concatenate([part, pause, part, pause, part, pause]))
    assert found["voiced_segments_per_second"] == pytest.approx(2, abs=0.05)
    assert found["voiced_length_mean"] == pytest.approx(0.3, abs=0.04)
    assert found["unvoiced_length_mean"] == pytest.approx(0.2, abs=0.04)
    assert found["voiced_length_deviation"] < 0.03


@pytest.mark.parametrize("gain", [0.1, 3.0])
def test_a_gain_changes_loudness_alone(gain: float) -> None:
    samples = SIGNALS["speech"]
    plain, louder = numbers(samples), numbers((gain * samples).astype(np.float32))
    for name in ("f0_semitones_mean", "jitter_mean", "hnr_db_mean", "h1_h2_db_mean", "f1_hz_mean"):
        assert louder[name] == pytest.approx(plain[name], rel=1e-2, abs=1e-3), name
    assert louder["level_db"] - plain["level_db"] == pytest.approx(20 * np.log10(gain), abs=1e-3)
    assert (louder["loudness_mean"] - plain["loudness_mean"]) * (gain - 1) > 0


@pytest.mark.parametrize("name", ["silence", "one silent sample", "constant", "noise"])
def test_without_a_voice_what_is_said_of_it_is_zero(name: str) -> None:
    found = numbers(SIGNALS[name], threshold=0.9)
    for number in PROSODY:
        if number.startswith(("f0", "jitter", "shimmer", "hnr", "h1", "f1", "f2", "f3")) or "_voiced_" in number:
            assert found[number] == 0, number
    assert found["voiced_segments_per_second"] == 0


def test_padding_changes_nothing() -> None:
    check_padding(Prosody(ProsodyConfig()), floor=PADDING_FLOOR)


def test_everything_is_finite() -> None:
    check_everything_is_finite(Prosody(ProsodyConfig()))


def test_exported_prosody_is_the_same(tmp_path: Path) -> None:
    check_export(Prosody(ProsodyConfig()), tmp_path / "prosody.onnx", rtol=EXPORT_TOLERANCE, atol=EXPORT_TOLERANCE)


def test_another_sampling_rate_gives_much_the_same() -> None:
    from serkit.audio.decode import resample

    plain = numbers(voiced(150.0))
    other = numbers(resample(voiced(150.0), RATE, 22_050), sampling_rate=22_050, n_fft=2048)
    for name in ("f0_semitones_mean", "alpha_ratio_voiced_mean", "h1_h2_db_mean"):
        assert other[name] == pytest.approx(plain[name], rel=0.02, abs=0.3), name


CLOSE = {
    "f0_semitones_mean": "F0semitoneFrom27.5Hz_sma3nz_amean",
    "f0_semitones_median": "F0semitoneFrom27.5Hz_sma3nz_percentile50.0",
    "loudness_mean": "loudness_sma3_amean",
    "loudness_percentile_80": "loudness_sma3_percentile80.0",
    "flux_mean": "spectralFlux_sma3_amean",
    "mfcc_1_mean": "mfcc1_sma3_amean",
    "mfcc_4_mean": "mfcc4_sma3_amean",
    "alpha_ratio_voiced_mean": "alphaRatioV_sma3nz_amean",
    "hammarberg_index_voiced_mean": "hammarbergIndexV_sma3nz_amean",
    "slope_0_500_voiced_mean": "slopeV0-500_sma3nz_amean",
    "level_db": "equivalentSoundLevel_dBp",
}


@pytest.mark.long
def test_prosody_goes_with_opensmiles_on_real_clips(real_corpora: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opensmile = pytest.importorskip("opensmile", reason="needs the opensmile package")
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    ours, theirs = [], []
    for corpus in ("emodb", "ravdess"):
        folder = find_corpus(corpus, str(real_corpora))
        utterances = tuple(get_corpus(corpus).manifest(folder))
        for utterance in utterances[:: len(utterances) // 12]:
            samples = load_audio(folder / utterance.path, target_rate=RATE)
            ours.append(numbers(samples))
            theirs.append(smile.process_signal(samples, RATE).iloc[0])
    for name, counterpart in CLOSE.items():
        a, b = [row[name] for row in ours], [row[counterpart] for row in theirs]
        assert np.corrcoef(a, b)[0, 1] > 0.93, name


def test_no_grad_is_not_needed() -> None:
    waveform = torch.from_numpy(SIGNALS["speech"])[None].requires_grad_()
    features, _ = Prosody(ProsodyConfig())(waveform, torch.tensor([RATE]))
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("settings", [{"sampling_rate": 8000}, {"lowest": 40}, {"threshold": 2}, {"window_ms": 5}])
def test_a_setting_out_of_range_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        ProsodyConfig(**settings)  # type: ignore[arg-type]
