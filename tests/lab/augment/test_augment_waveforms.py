"""What each augmentation of a waveform claims, on tones and synthetic voices.

The phase vocoder is held against librosa's in float64, the same formula by another road: the root mean square of the
difference stays below 0.2 % of the sound's. It is float32 that differs: the phase of a bin 100 dB below the loudest is
mostly rounding, and turns add up.
"""

import random
import shutil
import warnings
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serkit.audio.decode import load_audio, resample
from serkit.data.corpora import find_corpus, get_corpus
from serkit.data.curation.f0 import track_pitch
from serkit.errors import RecipeError, UnknownNameError
from serkit.lab.augment import Augmentation, augmentation_names, build_augmentation, build_chain, random_of
from serkit.lab.augment.additive_noise import Background, Noise, mix_at_snr
from serkit.lab.augment.filters import through_mu_law
from serkit.lab.augment.reverberation import Reverberation, room_response
from serkit.lab.augment.time_and_pitch import Shift
from serkit.lab.augment.vocoder import shift_pitch, time_stretch
from serkit.types import FloatArray
from support.synthetic import tone, voice

RATE = 16_000
VOCODER_TOLERANCE = 2e-3  # of the sound's root mean square
PITCH_TOLERANCE = 0.02
SNR_TOLERANCE_DB = 0.01
DECAY_TOLERANCE = 0.1  # of RT60: the room is drawn, and so is its decay
PLAIN = tuple(name for name in augmentation_names() if name not in ("background", "audiomentations"))


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a long file at another rate, and a short one in a folder of its own."""
    folder = tmp_path_factory.mktemp("music")
    (folder / "short").mkdir()
    soundfile.write(folder / "long.wav", tone(700, seconds=3, rate=22_050), 22_050)
    soundfile.write(folder / "short" / "drum.flac", tone(90, seconds=0.1), RATE)
    return folder


def speech(seconds: float = 1.0) -> FloatArray:
    return voice("anger", "emodb/03", seconds=seconds)


def hum(frequency: float, *, seconds: float = 1.0, rate: int = RATE) -> FloatArray:
    """Return a sound with harmonics, which has a pitch to track."""
    return sum((tone(frequency * k, seconds=seconds, rate=rate, peak=0.3 / k) for k in range(1, 6)), np.float32(0))


def changed(name: str, samples: FloatArray, *, sampling_rate: int = RATE, seed: int = 0, **settings: Any) -> FloatArray:
    """Return what one augmentation makes of samples, for certain."""
    part = build_augmentation({"name": name, "p": 1, **settings})
    return part.apply(samples, sampling_rate, random_of(seed, 0, "toy/1"))


def level_db(samples: FloatArray) -> float:
    middle = samples[len(samples) // 4 : -len(samples) // 4].astype(np.float64)  # without what rings at the ends
    return 10 * float(np.log10(np.mean(middle**2) + 1e-30))


def pitch_of(samples: FloatArray, rate: int = RATE) -> float:
    return float(np.nanmedian(track_pitch(samples, sampling_rate=rate)))


def frequency_of(samples: FloatArray, rate: int = RATE) -> float:
    """Return the frequency of a tone, by the peak of a long spectrum."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 20))
    return float(np.argmax(spectrum)) * rate / (1 << 20)


# Time stretch and pitch shift


def of_librosa(samples: FloatArray, rate: float, n_fft: int) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")  # of clips shorter than a frame
        return librosa.effects.time_stretch(samples.astype(np.float64), rate=rate, n_fft=n_fft)


def difference(found: FloatArray, expected: NDArray[np.float64]) -> float:
    """Return the root mean square of the difference as a share of the sound's."""
    assert found.shape == expected.shape
    return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))


@pytest.mark.long
@pytest.mark.parametrize("rate", [0.8, 0.93, 1.0, 1.25, 2.0])
@pytest.mark.parametrize("n_fft", [512, 2048])
@pytest.mark.parametrize("seconds", [0.02, 0.3, 2.5])
def test_stretch_equals_librosas(rate: float, n_fft: int, seconds: float) -> None:
    found = changed("stretch", speech(seconds), rate=rate, n_fft=n_fft)
    assert difference(found, of_librosa(speech(seconds), rate, n_fft)) < VOCODER_TOLERANCE


@pytest.mark.parametrize("semitones", [-2.0, 0.7, 5.0])
def test_pitch_equals_librosas(semitones: float) -> None:
    clip = resample(speech(), RATE, 22_050)
    expected = librosa.effects.pitch_shift(clip.astype(np.float64), sr=22_050, n_steps=semitones)
    found = changed("pitch", clip, sampling_rate=22_050, semitones=semitones, n_fft=2048)
    assert difference(found, expected) < VOCODER_TOLERANCE


@pytest.mark.parametrize("rate", [0.8, 1.25])
@pytest.mark.parametrize("frequency", [110, 220, 440, 1000, 3000])
def test_stretch_changes_the_duration_of_a_tone_and_not_its_frequency(rate: float, frequency: float) -> None:
    found = changed("stretch", tone(frequency, seconds=1), rate=rate)
    assert len(found) == round(RATE / rate)
    assert frequency_of(found) == pytest.approx(frequency, rel=PITCH_TOLERANCE)


@pytest.mark.parametrize("semitones", [-2, -1, 1, 2])
@pytest.mark.parametrize("frequency", [110, 220, 440, 1000, 3000])
def test_pitch_changes_the_frequency_of_a_tone_and_not_its_duration(semitones: float, frequency: float) -> None:
    found = changed("pitch", tone(frequency, seconds=1), semitones=semitones)
    assert len(found) == RATE
    assert frequency_of(found) == pytest.approx(frequency * 2 ** (semitones / 12), rel=PITCH_TOLERANCE)


@pytest.mark.parametrize("sampling_rate", [8_000, 16_000, 22_050, 44_100])
@pytest.mark.parametrize("frequency", [75, 180, 300])
def test_the_pitch_of_a_voice_stays_or_moves_as_asked(frequency: float, sampling_rate: int) -> None:
    clip = hum(frequency, rate=sampling_rate)
    slow = time_stretch(clip, 0.8, sampling_rate=sampling_rate)
    high = shift_pitch(clip, 2, sampling_rate=sampling_rate)
    assert pitch_of(slow, sampling_rate) == pytest.approx(frequency, rel=PITCH_TOLERANCE)
    assert pitch_of(high, sampling_rate) == pytest.approx(frequency * 2 ** (2 / 12), rel=PITCH_TOLERANCE)


def test_stretching_a_batch_stretches_each_clip() -> None:
    clips = np.stack([speech(), tone(200, seconds=1), np.zeros(RATE, np.float32)])
    together = time_stretch(clips, 0.9, sampling_rate=RATE)
    for clip, found in zip(clips, together, strict=True):
        np.testing.assert_allclose(found, time_stretch(clip, 0.9, sampling_rate=RATE), atol=1e-6)


@pytest.mark.parametrize("order", [["stretch", "pitch"], ["pitch", "stretch"]])
def test_stretch_and_pitch_side_by_side_share_a_pass(order: list[str]) -> None:
    chain = build_chain([{"name": name, "p": 1} for name in order])
    numbers: dict[str, float] = {}
    for part, child in zip(chain.parts, random_of(3, 0, "toy/1").spawn(2), strict=True):
        numbers |= part.draw(child) if child.random() < 1 else {}
    found = chain.apply(hum(150), RATE, random_of(3, 0, "toy/1"))
    expected = shift_pitch(hum(150), numbers["semitones"], sampling_rate=RATE, rate=numbers["rate"])
    np.testing.assert_array_equal(found, expected)
    assert len(found) == round(RATE / numbers["rate"])
    assert pitch_of(found) == pytest.approx(150 * 2 ** (numbers["semitones"] / 12), rel=PITCH_TOLERANCE)


def test_stretch_and_pitch_of_other_frames_are_passes_of_their_own() -> None:
    chain = build_chain(
        [{"name": "stretch", "p": 1, "rate": 0.8, "n_fft": 2048}, {"name": "pitch", "p": 1, "semitones": 1}]
    )
    clip = hum(150)
    expected = shift_pitch(time_stretch(clip, 0.8, sampling_rate=RATE, n_fft=2048), 1, sampling_rate=RATE)
    np.testing.assert_array_equal(chain.apply(clip, RATE, random_of(0, 0, "toy/1")), expected)


def test_speed_changes_duration_and_pitch_together() -> None:
    found = changed("speed", hum(150), factor=[1.25, 1.25])
    assert len(found) == RATE / 1.25
    assert pitch_of(found) == pytest.approx(150 * 1.25, rel=PITCH_TOLERANCE)


# Shift, gain, filters


@pytest.mark.parametrize("seconds", [-0.1, 0.0, 0.1])
@pytest.mark.parametrize("wrap", [True, False])
def test_shift_moves_the_sound_and_keeps_the_length(seconds: float, wrap: bool) -> None:
    clip = speech()
    found = changed("shift", clip, seconds=seconds, wrap=wrap)
    steps = round(seconds * RATE)
    expected = np.roll(clip, steps)
    kept = slice(max(steps, 0), len(clip) + min(steps, 0))
    np.testing.assert_array_equal(found[kept], expected[kept])
    gone = np.delete(found, np.arange(len(clip))[kept])
    np.testing.assert_array_equal(gone, np.delete(expected, np.arange(len(clip))[kept]) if wrap else 0 * gone)


@given(length=st.integers(1, 50), seconds=st.floats(-60, 60))
def test_shift_keeps_half_of_an_utterance_at_least(length: int, seconds: float) -> None:
    found = Shift(seconds=(seconds, seconds), p=1).apply(np.ones(length, np.float32), RATE, random_of(0, 0, "a"))
    assert len(found) == length
    assert found.sum() >= length / 2


@pytest.mark.parametrize("gain_db", [-20.0, 6.0])
def test_gain_is_in_decibels(gain_db: float) -> None:
    clip = speech()
    found = changed("gain", clip, gain_db=gain_db)
    assert level_db(found) - level_db(clip) == pytest.approx(gain_db, abs=1e-4)


@pytest.mark.parametrize(("frequency", "expected"), [(100, 0), (500, 0), (1000, -3.01), (2000, -24.10), (4000, -48.16)])
def test_lowpass_attenuates_as_butterworth_of_fourth_order(frequency: float, expected: float) -> None:
    clip = tone(frequency, seconds=1)
    found = changed("lowpass", clip, cutoff_hz=1000)
    assert level_db(found) - level_db(clip) == pytest.approx(expected, abs=0.05)


def test_lowpass_moves_nothing_in_time() -> None:
    clip = np.eye(1, RATE, 5000, dtype=np.float32)[0]
    assert np.argmax(changed("lowpass", clip)) == 5000


@pytest.mark.parametrize("sampling_rate", [8_000, 16_000, 22_050, 44_100])
def test_telephone_passes_its_band_alone(sampling_rate: int) -> None:
    def attenuation(frequency: float) -> float:
        clip = tone(frequency, seconds=1, rate=sampling_rate)
        return level_db(changed("telephone", clip, sampling_rate=sampling_rate, codec="none")) - level_db(clip)

    for inside in (400, 1000, 2000, 3100):
        assert abs(attenuation(inside)) < 0.8
    for edge in (300, 3400):
        assert attenuation(edge) == pytest.approx(-3.01, abs=0.1)
    for outside in (50, 100, 150):
        assert attenuation(outside) < -25
    if sampling_rate > 8_000:
        for outside in (4_000, 5_000, 7_000):
            assert attenuation(outside) < -25


def test_mu_law_adds_noise_forty_decibels_below_at_any_level() -> None:
    """8 bits of mu-law keep about 38 dB over 40 dB of level, which is what the law is for."""
    for peak in (1.0, 0.1, 0.01):
        clip = tone(441, seconds=1, peak=peak)
        error = through_mu_law(clip) - clip
        assert -42 < level_db(error) - level_db(clip) < -30
    assert not through_mu_law(np.zeros(10, np.float32)).any()
    assert np.abs(through_mu_law(np.array([2.0, -2.0], np.float32))).max() == pytest.approx(1)


def test_telephone_is_aligned_with_what_went_in() -> None:
    clip = speech()
    found = changed("telephone", clip)
    lags = np.arange(-40, 41)
    likeness = [float(np.dot(np.roll(found, -lag)[50:-50], clip[50:-50])) for lag in lags]
    assert lags[int(np.argmax(likeness))] == 0


# Noise and background


@pytest.mark.parametrize("snr_db", [-5.0, 10.0, 40.0])
def test_noise_has_the_ratio_asked_for(snr_db: float) -> None:
    clip = speech()
    noise = changed("noise", clip, snr_db=snr_db).astype(np.float64) - clip
    found = 10 * np.log10(np.mean(clip.astype(np.float64) ** 2) / np.mean(noise**2))
    assert found == pytest.approx(snr_db, abs=SNR_TOLERANCE_DB)
    spectrum = np.square(np.abs(np.fft.rfft(noise))).reshape(-1)[1:].reshape(8, -1).mean(1)
    assert spectrum.max() / spectrum.min() < 1.5  # white


@pytest.mark.parametrize("together", [1, 3])
def test_background_has_the_ratio_asked_for(music: Path, together: int) -> None:
    clip = speech()
    for seed in range(4):
        found = changed("background", clip, folder=str(music), snr_db=7, together=together, seed=seed)
        added = found.astype(np.float64) - clip
        ratio = 10 * np.log10(np.mean(clip.astype(np.float64) ** 2) / np.mean(added**2))
        assert ratio == pytest.approx(7, abs=SNR_TOLERANCE_DB)


def test_background_is_an_excerpt_of_a_file_in_the_folder(music: Path) -> None:
    part = Background(folder=str(music))
    assert part.files == ("long.wav", "short/drum.flac")
    clip = speech()
    numbers = {"snr_db": 0.0, "at": (0.5,)}
    for file, frequency in (("long.wav", 700), ("short/drum.flac", 90)):
        added = part.change(clip, RATE, {**numbers, "files": (file,)}) - clip
        assert frequency_of(added) == pytest.approx(frequency, rel=0.02)


def test_background_draws_every_file(music: Path) -> None:
    part = Background(folder=str(music))
    drawn = {part.draw(random_of(0, 0, str(i)))["files"][0] for i in range(30)}
    assert drawn == set(part.files)


def test_a_folder_without_sound_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"contains no audio file; put babble or music there"):
        build_chain([{"name": "background", "folder": str(tmp_path)}])
    with pytest.raises(RecipeError, match="background: cannot list"):
        build_chain([{"name": "background", "folder": str(tmp_path / "none")}])
    with pytest.raises(RecipeError, match="background needs a folder"):
        build_chain(["background"])


def test_a_silent_background_adds_nothing() -> None:
    clip, silence = speech(), np.zeros(RATE, np.float32)
    np.testing.assert_array_equal(mix_at_snr(clip, silence, 0), clip)
    np.testing.assert_array_equal(mix_at_snr(silence, clip, 0), silence)


# Rooms


@pytest.mark.parametrize("rt60", [0.2, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_energy_of_a_room_decays_as_asked(rt60: float, seed: int) -> None:
    """By Schroeder's backward integration, from -5 to -25 dB of what follows the early reflections."""
    response = room_response(rt60, 0.0, sampling_rate=RATE, rng=np.random.default_rng(seed))
    left = np.cumsum(np.square(response.astype(np.float64))[::-1])[::-1][round(0.03 * RATE) :]
    decay = 10 * np.log10(left / left[0])
    span = np.flatnonzero((decay <= -5) & (decay >= -25))
    slope = np.polyfit(span / RATE, decay[span], 1)[0]
    assert -60 / slope == pytest.approx(rt60, rel=DECAY_TOLERANCE)


@pytest.mark.parametrize("drr_db", [-3.0, 0.0, 12.0])
def test_the_direct_sound_stands_out_as_asked(drr_db: float) -> None:
    response = room_response(0.4, drr_db, sampling_rate=RATE, rng=np.random.default_rng(0)).astype(np.float64)
    assert response[0] == 1
    assert 10 * np.log10(1 / np.sum(response[1:] ** 2)) == pytest.approx(drr_db, abs=1e-3)
    assert not response[1 : round(0.002 * RATE)].any()


def test_a_room_moves_no_onset_and_changes_no_power() -> None:
    clip = np.concatenate([np.zeros(3000, np.float32), speech(0.5)])
    found = changed("reverberation", clip)
    assert len(found) == len(clip)
    assert np.abs(found[:3000]).max() < 1e-6
    assert np.mean(found**2) == pytest.approx(np.mean(clip**2), rel=1e-4)
    impulse = np.eye(1, RATE, 5000, dtype=np.float32)[0]
    assert np.argmax(np.abs(changed("reverberation", impulse))) == 5000


def test_a_room_without_reflections_changes_nothing() -> None:
    clip = speech()
    found = Reverberation().change(clip, RATE, {"rt60_s": 0.3, "drr_db": 300.0, "seed": 0})
    np.testing.assert_allclose(found, clip, atol=1e-6)


# All of them

ODD = {
    "silence": np.zeros(4000, np.float32),
    "one sample": np.array([0.5], np.float32),
    "two samples": np.array([0.5, -0.5], np.float32),
    "100 samples": speech(0.1)[:100],
    "constant": np.full(4000, 0.5, np.float32),
    "clipped": np.clip(50 * speech(0.3), -1, 1),
    "faint": np.float32(1e-30) * speech(0.3),
}


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("samples", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("name", [name for name in augmentation_names() if name != "audiomentations"])
def test_odd_sound_gives_finite_samples_of_the_stated_length(name: str, samples: FloatArray, music: Path) -> None:
    part = of_name(name, music)
    for rate in (RATE, 44_100):
        for seed in range(3):
            before = samples.copy()
            found = part.apply(samples, rate, random_of(seed, 0, "toy/1"))
            np.testing.assert_array_equal(samples, before)
            assert found.dtype == np.float32
            assert np.isfinite(found).all()
            drawn = part.draw_or_pass(random_of(seed, 0, "toy/1")) or {}
            factor = drawn.get("rate", drawn.get("factor", 1.0))
            assert len(found) == pytest.approx(max(1, len(samples) / factor), abs=1)
            if not samples.any():
                assert not found.any()


def of_name(name: str, music: Path) -> Augmentation:
    folder = {"folder": str(music)} if name == "background" else {}
    return build_augmentation({"name": name, "p": 1, **folder})


@pytest.mark.parametrize("name", augmentation_names())
def test_an_augmentation_depends_on_seed_epoch_and_name_alone(name: str, music: Path) -> None:
    part, clip = of_name(name, music), speech(0.3)
    found = part.apply(clip, RATE, random_of(1, 2, "toy/1"))
    np.testing.assert_array_equal(part.apply(clip, RATE, random_of(1, 2, "toy/1")), found)
    if name == "telephone":
        return  # it draws nothing
    for other in ((2, 2, "toy/1"), (1, 3, "toy/1"), (1, 2, "toy/2")):
        assert not np.array_equal(part.apply(clip, RATE, random_of(*other)), found)


@pytest.mark.parametrize("name", augmentation_names())
def test_what_is_drawn_stays_in_its_range_and_says_so(name: str, music: Path) -> None:
    part = of_name(name, music)
    draws = [part.draw(random_of(0, 0, str(i))) for i in range(50)]
    for key in set(draws[0]) - {"seed", "files", "at"}:
        low, high = getattr(part, key)
        values = [drawn[key] for drawn in draws]
        assert low <= min(values) < low + 0.3 * (high - low)
        assert high >= max(values) > high - 0.3 * (high - low)
    assert 0 < len(part.caption(draws[0])) < 40


@pytest.mark.parametrize("name", PLAIN)
def test_an_augmentation_is_applied_with_its_probability(name: str) -> None:
    clip = speech(0.05)
    for p, low, high in ((0.0, 0, 0), (0.3, 20, 40), (1.0, 100, 100)):
        part = build_augmentation({"name": name, "p": p})
        applied = sum(part.draw_or_pass(random_of(0, 0, str(i))) is not None for i in range(100))
        assert low <= applied <= high
        if p == 0:
            np.testing.assert_array_equal(part.apply(clip, RATE, random_of(0, 0, "a")), clip)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"name": "noise", "snr": [0, 10]}, "augment: noise has no setting 'snr'; did you mean 'snr_db'"),
        ({"name": "noise", "snr_db": [20, 10]}, "snr_db is out of range"),
        ({"name": "noise", "p": 1.5}, "p is out of range"),
        ({"name": "stretch", "rate": [0, 1]}, "rate is out of range"),
        ({"name": "stretch", "rate": "fast"}, "augment: stretch: rate"),
        ({"name": "telephone", "band_hz": [300, 5000]}, "band_hz is out of range"),
        ({"name": "pitch", "n_fft": 1022}, "n_fft is out of range"),
        ({"snr_db": [0, 10]}, "an augmentation must be a name or a mapping with a name"),
        ({"name": "audiomentations", "transform": "PitchShft"}, "no transform 'PitchShft'"),
        (
            {"name": "audiomentations", "transform": "LowPassFilter", "settings": {"cutoff": 3}},
            "audiomentations does not accept the settings of LowPassFilter",
        ),
    ],
)
def test_an_impossible_setting_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_chain([entry])


def test_an_unknown_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UnknownNameError, match="no augmentation 'strech'; did you mean 'stretch'"):
        build_chain(["noise", "strech"])


def test_audiomentations_leaves_the_global_random_state_alone() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - that is what is tested
    changed("audiomentations", speech(0.2), transform="AddGaussianSNR")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


@pytest.mark.parametrize("corpus", ["emodb", "ravdess"])
@pytest.mark.parametrize("sampling_rate", [16_000, 22_050])
def test_a_real_voice_keeps_its_pitch_or_moves_it_as_asked(corpus: str, sampling_rate: int, real_corpora: Path) -> None:
    """Frame by frame, where both have a pitch; the median over each clip."""
    folder = find_corpus(corpus, str(real_corpora))
    utterances = tuple(get_corpus(corpus).manifest(folder))
    for utterance in utterances[:: len(utterances) // 6]:
        clip = load_audio(folder / utterance.path, target_rate=sampling_rate)
        for rate in (0.8, 1.25):
            found = time_stretch(clip, rate, sampling_rate=sampling_rate)
            assert pitch_ratio(clip, found, sampling_rate, rate=rate) == pytest.approx(1, rel=PITCH_TOLERANCE)
        for semitones in (-2, 2):
            found = shift_pitch(clip, semitones, sampling_rate=sampling_rate)
            expected = 2 ** (semitones / 12)
            assert pitch_ratio(clip, found, sampling_rate) == pytest.approx(expected, rel=PITCH_TOLERANCE)


def pitch_ratio(before: FloatArray, after: FloatArray, sampling_rate: int, *, rate: float = 1.0) -> float:
    """Return how much higher the second is, which was stretched by a rate."""
    old, new = (track_pitch(samples, sampling_rate=sampling_rate) for samples in (before, after))
    at = np.round(np.arange(len(new)) * rate).astype(int)  # frames of both are centered at multiples of the hop
    is_inside = (at >= 0) & (at < len(old))
    return float(np.nanmedian(new[is_inside] / old[at[is_inside]]))


def test_the_files_of_a_folder_are_listed_once(music: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(music, folder)
    part = Background(folder=str(folder))
    first = part.draw(random_of(0, 0, "a"))
    soundfile.write(folder / "another.wav", tone(50), RATE)
    assert part.draw(random_of(0, 0, "a")) == first


def test_noise_is_the_same_for_the_same_numbers() -> None:
    numbers = {"snr_db": 3.0, "seed": 9}
    np.testing.assert_array_equal(Noise().change(speech(), RATE, numbers), Noise().change(speech(), RATE, numbers))
