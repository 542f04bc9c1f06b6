"""LogMel against librosa, which computes the same thing by another road.

Tolerances. A band's log differs by less than 1e-4 on anything recorded (6e-5 is the worst of some hundred clips of
the four corpora). A synthetic tone of full scale differs by up to 3e-4 in the bands that it leaves empty, more than
60 dB below it, down to the floor at about 80 dB. That is the float32 of our convolution, kernels and sums: librosa in
float32 agrees with librosa in float64 within 1e-6 there. What holds for every signal is that a band's amplitude, the
root of its power, is right to 1e-6 of the loudest one.

A convolution rounds in another order where the shape of its batch is another, hence 5e-5 between a batch and single
clips. Normalizing silence divides what rounding leaves of a deviation by 0.01, the root of the variance's floor.
"""

import warnings
from pathlib import Path

import librosa
import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serkit.audio.decode import load_audio, resample
from serkit.data.corpora import find_corpus, get_corpus
from serkit.errors import RecipeError, UnknownNameError
from serkit.lab.features import LogMel, LogMelConfig, build_feature, feature_names
from support.synthetic import tone, voice

RATE = 16_000
LOG_TOLERANCE = 1e-4
LOG_TOLERANCE_OF_PURE_TONES = 5e-4
AMPLITUDE_TOLERANCE = 1e-6  # of the loudest band's amplitude
BATCH_TOLERANCE = 5e-5
SILENCE_TOLERANCE = 1e-3

CONFIGS = {
    "default": LogMelConfig(),
    "40 bands": LogMelConfig(bands=40),
    "80 bands of 50 to 7,600 Hz": LogMelConfig(bands=80, fmin=50, fmax=7600),
    "long transform": LogMelConfig(bands=128, n_fft=1024),
    "window as long as the transform": LogMelConfig(n_fft=400),
    "short window and hop": LogMelConfig(window_ms=20, hop_ms=5),
    "hop as long as the window": LogMelConfig(window_ms=16, hop_ms=16),
    "8 kHz": LogMelConfig(sampling_rate=8000, n_fft=256, bands=32),
    "22,050 Hz": LogMelConfig(sampling_rate=22_050, n_fft=2048, window_ms=92.87, hop_ms=23.22, bands=128),
    "44,100 Hz": LogMelConfig(sampling_rate=44_100, n_fft=2048, bands=100),
}
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=list(CONFIGS))


def synthetic_signals() -> dict[str, NDArray[np.float32]]:
    """Return a second or less of everything that may go wrong."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(RATE).astype(np.float32)
    speech = voice("anger", "emodb/03", seconds=1.0)
    return {
        "noise": 0.1 * noise,
        "loud noise": np.clip(noise, -1, 1),
        "faint noise": 1e-4 * noise,
        "speech": speech,
        "clipped speech": np.clip(20 * speech, -0.9, 0.9),
        "impulse": np.eye(1, RATE, 801, dtype=np.float32)[0],
        "impulses": (np.arange(RATE) % 100 == 0).astype(np.float32),
        "one sample": np.array([0.5], np.float32),
        "100 samples": 0.1 * noise[:100],
        "one sample less than a hop": 0.1 * noise[:159],
        "a hop": 0.1 * noise[:160],
        "a window": 0.1 * noise[:400],
        "silence": np.zeros(RATE, np.float32),
    }


SIGNALS = synthetic_signals()
PURE = {
    "constant": np.full(RATE, 0.5, np.float32),
    "full-scale constant": np.ones(RATE, np.float32),
    "clipped tone": np.clip(2 * tone(200, seconds=1, peak=1), -1, 1),
    **{f"tone of {hz} Hz": tone(hz, seconds=1, peak=1) for hz in (50, 440, 1000, 3333, 7000)},
}


def logmel(samples: NDArray[np.float32], config: LogMelConfig) -> NDArray[np.float64]:
    """Return the features of one clip, shape (F, N), all of them valid."""
    with torch.inference_mode():
        features, frames = LogMel(config)(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    assert features.shape[2] == int(frames[0])
    return features[0].double().numpy()


def of_librosa(
    samples: NDArray[np.float32], config: LogMelConfig, dtype: type[np.floating] = np.float64
) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft=.* is too large for input signal")  # of clips shorter than a frame
        power = librosa.feature.melspectrogram(
            y=samples.astype(dtype), sr=config.sampling_rate, n_fft=config.n_fft, n_mels=config.bands,
            win_length=round(config.sampling_rate * config.window_ms / 1000),
            hop_length=round(config.sampling_rate * config.hop_ms / 1000),
            center=True, pad_mode="constant", fmin=config.fmin, fmax=config.fmax,
        )  # fmt: skip
    return np.log(power.astype(np.float64) + config.floor)


def difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    assert a.shape == b.shape
    return float(np.abs(a - b).max())


def amplitude_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the largest difference of amplitudes as a share of the loudest one."""
    return difference(np.exp(a / 2), np.exp(b / 2)) / float(np.exp(b / 2).max())


def batch(*clips: NDArray[np.float32], extra: int = 0, garbage: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad clips to the longest one and ``extra`` samples more, with noise of a level where one is given."""
    lengths = [len(clip) for clip in clips]
    rng = np.random.default_rng(1)
    padded = garbage * rng.standard_normal((len(clips), max(lengths) + extra)).astype(np.float32)
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip)] = clip
    return torch.from_numpy(padded), torch.tensor(lengths)


@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_logmel_equals_librosa_on_synthetic_signals(samples: NDArray[np.float32]) -> None:
    expected = of_librosa(samples, LogMelConfig())
    found = logmel(samples, LogMelConfig())
    assert difference(found, expected) < LOG_TOLERANCE
    assert amplitude_difference(found, expected) < AMPLITUDE_TOLERANCE


@every_config
def test_logmel_equals_librosa_with_other_settings(config: LogMelConfig) -> None:
    speech = resample(SIGNALS["speech"], RATE, config.sampling_rate)
    for samples in (speech, SIGNALS["noise"], SIGNALS["100 samples"]):
        assert difference(logmel(samples, config), of_librosa(samples, config)) < LOG_TOLERANCE


@pytest.mark.parametrize("corpus", ["emodb", "nemo", "ravdess", "tess"])
def test_logmel_equals_librosa_on_real_clips(corpus: str, real_corpora: object) -> None:
    folder = find_corpus(corpus, str(real_corpora))
    utterances = tuple(get_corpus(corpus).manifest(folder))
    for utterance in utterances[:: len(utterances) // 8]:
        samples = load_audio(folder / utterance.path, target_rate=RATE)
        assert difference(logmel(samples, LogMelConfig()), of_librosa(samples, LogMelConfig())) < LOG_TOLERANCE


@pytest.mark.parametrize("samples", PURE.values(), ids=list(PURE))
def test_logmel_of_a_pure_tone_equals_librosa_but_for_float32_far_below_it(samples: NDArray[np.float32]) -> None:
    expected, found = of_librosa(samples, LogMelConfig()), logmel(samples, LogMelConfig())
    assert difference(found, expected) < LOG_TOLERANCE_OF_PURE_TONES
    assert amplitude_difference(found, expected) < AMPLITUDE_TOLERANCE
    near = expected > expected.max() - 60 / 10 * np.log(10)  # within 60 dB
    assert np.abs(found - expected)[near].max() < LOG_TOLERANCE


def test_that_difference_is_of_our_float32_and_not_of_librosas() -> None:
    samples = PURE["tone of 440 Hz"]
    expected = of_librosa(samples, LogMelConfig())
    assert difference(of_librosa(samples, LogMelConfig(), np.float32), expected) < 1e-6
    ours = difference(logmel(samples, LogMelConfig()), expected)
    in_float64 = LogMel(LogMelConfig()).double()  # its sums; its kernels were rounded to float32
    found, _ = in_float64(torch.from_numpy(samples).double()[None], torch.tensor([len(samples)]))
    assert difference(found[0].numpy(), expected) < ours / 3
    assert difference(found[0].numpy(), expected) < LOG_TOLERANCE


@given(st.integers(1, 3000), st.floats(-6, 0), st.integers(0, 2**32 - 1))
def test_logmel_equals_librosa_for_any_length_and_level_of_noise(size: int, exponent: float, seed: int) -> None:
    samples = (10**exponent * np.random.default_rng(seed).standard_normal(size)).astype(np.float32)
    found, expected = logmel(samples, LogMelConfig()), of_librosa(samples, LogMelConfig())
    assert difference(found, expected) < LOG_TOLERANCE
    assert amplitude_difference(found, expected) < AMPLITUDE_TOLERANCE


@every_config
@pytest.mark.parametrize("size", [1, 79, 80, 159, 160, 161, 400, 12_345])
def test_there_are_one_plus_length_over_hop_frames(config: LogMelConfig, size: int) -> None:
    front = LogMel(config)
    features, frames = front(torch.zeros(1, size), torch.tensor([size]))
    assert features.shape == (1, config.bands, 1 + size // front.hop)
    assert frames.tolist() == [1 + size // front.hop]


def test_the_names_of_features_build() -> None:
    for name in feature_names():
        front = build_feature(name, {})
        assert front.size == front(torch.zeros(1, 1600), torch.tensor([1600]))[0].shape[1]


FULL = LogMelConfig(trim_db=30, normalize="band")
VARIANTS = {
    f"trim {trim}, normalize {normalize}": LogMelConfig(trim_db=trim, normalize=normalize)
    for trim in (None, 30)
    for normalize in ("none", "band", "utterance")
}
every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=list(VARIANTS))


def with_silence(samples: NDArray[np.float32], before: int, after: int, *, level: float = 0.0) -> NDArray[np.float32]:
    around = np.concatenate([np.zeros(before), samples, np.zeros(after)])
    return (around + level * np.random.default_rng(2).standard_normal(len(around))).astype(np.float32)


SPEECH = (
    with_silence(voice("anger", "emodb/03", seconds=0.5), 4000, 2000, level=1e-4),
    voice("sadness", "emodb/08", seconds=0.7),
    voice("fear", "emodb/09", seconds=0.2),
    voice("boredom", "emodb/10", seconds=0.03),
    np.array([0.3], np.float32),
)
SILENCE = np.zeros(3000, np.float32)
CLIPS = (*SPEECH, SILENCE)


@every_variant
def test_what_lies_behind_the_length_has_no_influence(config: LogMelConfig) -> None:
    front = LogMel(config)
    clean, frames = front(*batch(*CLIPS))
    for garbage in (0.1, 1e3):
        dirty, same = front(*batch(*CLIPS, garbage=garbage))
        assert torch.equal(frames, same)
        assert torch.equal(clean, dirty)


@every_variant
@pytest.mark.parametrize("extra", [1, 160, 5000])
def test_padding_changes_nothing(config: LogMelConfig, extra: int) -> None:
    front = LogMel(config)
    plain, frames = front(*batch(*CLIPS))
    padded, same = front(*batch(*CLIPS, extra=extra))
    assert torch.equal(frames, same)
    size = plain.shape[2]
    torch.testing.assert_close(padded[:-1, :, :size], plain[:-1], atol=BATCH_TOLERANCE, rtol=0)
    torch.testing.assert_close(padded[-1, :, :size], plain[-1], atol=SILENCE_TOLERANCE, rtol=0)
    assert not padded[..., size:].any()


@every_variant
def test_a_batch_gives_each_clip_what_it_gets_alone(config: LogMelConfig) -> None:
    front = LogMel(config)
    features, frames = front(*batch(*CLIPS, extra=77))
    for clip, row, count in zip(CLIPS, features, frames.tolist(), strict=True):
        alone, same = front(*batch(clip))
        assert same.tolist() == [count]
        tolerance = SILENCE_TOLERANCE if clip is SILENCE else BATCH_TOLERANCE
        torch.testing.assert_close(row[:, :count], alone[0, :, :count], atol=tolerance, rtol=0)


@every_variant
def test_features_are_zero_behind_each_utterances_end(config: LogMelConfig) -> None:
    features, frames = LogMel(config)(*batch(*CLIPS, extra=1000))
    for row, count in zip(features, frames.tolist(), strict=True):
        assert not row[:, count:].any()


@pytest.mark.parametrize("trim_db", [10, 20, 30])
def test_trimming_cuts_the_silence_at_both_ends_and_nothing_between(trim_db: float) -> None:
    parts = [np.zeros(1600), voice("anger", "a", seconds=0.4), np.zeros(8000), voice("fear", "a", seconds=0.3)]
    samples = with_silence(np.concatenate(parts), 4000, 3200, level=1e-3)
    plain = logmel(samples, LogMelConfig())  # (F, N)
    level = 10 * np.log10(np.exp(plain).sum(0))
    active = np.flatnonzero(level >= level.max() - trim_db)
    first, last = active[0], active[-1]
    assert 0 < first < last < len(level) - 1
    features, frames = LogMel(LogMelConfig(trim_db=trim_db))(*batch(samples))
    assert frames.tolist() == [last - first + 1]
    assert features.shape[2] == len(level)
    np.testing.assert_allclose(features[0, :, : int(frames[0])], plain[:, first : last + 1], atol=1e-6)


@every_variant
@pytest.mark.parametrize("level", [0.0, 1e-30, 1e-5])
def test_silence_stays_finite_and_keeps_all_its_frames(config: LogMelConfig, level: float) -> None:
    samples = np.full(4000, level, np.float32)
    features, frames = LogMel(config)(*batch(samples))
    assert frames.tolist() == [26]
    assert torch.isfinite(features).all()


@every_variant
def test_no_shape_depends_on_what_the_samples_are(config: LogMelConfig) -> None:
    signals = (np.zeros(8000), np.eye(1, 8000, 4000)[0], np.random.default_rng(0).uniform(-1, 1, 8000))
    shapes = {LogMel(config)(*batch(samples.astype(np.float32)))[0].shape for samples in signals}
    assert shapes == {(1, 64, 51)}


def valid_frames(config: LogMelConfig) -> list[NDArray[np.float64]]:
    """Return the features of each clip of a padded batch that is long enough, shape (F, N)."""
    features, frames = LogMel(config)(*batch(*CLIPS[:3], extra=4000))
    return [row[:, :n].double().numpy() for row, n in zip(features, frames.tolist(), strict=True)]


@pytest.mark.parametrize("trim_db", [None, 30])
def test_normalized_by_band_each_band_has_mean_0_and_all_have_deviation_1(trim_db: float | None) -> None:
    for features in valid_frames(LogMelConfig(trim_db=trim_db, normalize="band")):
        np.testing.assert_allclose(features.mean(1), 0, atol=1e-5)
        assert features.std() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("trim_db", [None, 30])
def test_normalized_by_utterance_all_bands_together_have_mean_0_and_deviation_1(trim_db: float | None) -> None:
    for features in valid_frames(LogMelConfig(trim_db=trim_db, normalize="utterance")):
        assert features.mean() == pytest.approx(0, abs=1e-5)
        assert features.std() == pytest.approx(1, abs=1e-3)
        assert np.abs(features.mean(1)).max() > 0.1  # bands keep their differences


@pytest.mark.parametrize("gain", [0.5, 2.0, 10.0])
def test_a_gain_changes_next_to_nothing_of_what_is_trimmed_and_normalized(gain: float) -> None:
    speech = with_silence(voice("anger", "emodb/03", seconds=0.6), 1600, 1600, level=0.02)  # well above the floor
    plain, frames = LogMel(FULL)(*batch(speech))
    louder, same = LogMel(FULL)(*batch((gain * speech).astype(np.float32)))
    assert torch.equal(frames, same)
    assert (plain - louder).abs().mean() < 2e-3


def test_by_default_there_are_64_bands_in_windows_of_25_ms_every_10_ms() -> None:
    front = LogMel(LogMelConfig())
    assert (front.size, front.window, front.hop) == (64, 400, 160)


def test_kernels_and_filters_are_no_weights() -> None:
    front = LogMel(LogMelConfig())
    assert not list(front.parameters())
    assert not front.state_dict()


def test_an_unknown_feature_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^no feature 'logmell'; did you mean 'logmel'\? See 'serkit feat"):
        build_feature("logmell", {})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"band": 64}, r"^features: logmel has no setting 'band'; did you mean 'bands'\? It has sampling_rate, bands,"),
        ({"xyz": 64}, r"^features: logmel has no setting 'xyz'\. It has sampling_rate, bands,"),
        ({"normalize": "bands"}, r"^features: logmel: normalize: Input should be 'none', 'band' or 'utterance'\.$"),
        ({"bands": "many"}, r"^features: logmel: bands: Input should be a valid integer"),
        (
            {"window_ms": 50},
            r"a window of 50.0 ms is longer than n_fft of 512 points at 16000 Hz: set n_fft to 1024\.$",
        ),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(settings: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_feature("logmel", settings)


def test_a_config_made_in_python_is_checked_too() -> None:
    with pytest.raises(RecipeError, match="longer than n_fft"):
        LogMelConfig(window_ms=50)
    with pytest.raises(RecipeError, match="normalize is out of range"):
        LogMelConfig(normalize="all")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [
        {"floor": 0}, {"bands": 0}, {"trim_db": -5}, {"fmin": 5000, "fmax": 4000}, {"fmax": 9000}, {"hop_ms": 0},
        {"window_ms": 0}, {"sampling_rate": 0},
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        build_feature("logmel", settings)


@pytest.mark.parametrize(("rate", "n_fft"), [(22_050, 1024), (16_040, 512), (16_000, 512)])
def test_a_file_hears_what_training_heard_where_a_window_is_odd_too(rate: int, n_fft: int, tmp_path: Path) -> None:
    front = LogMel(LogMelConfig(sampling_rate=rate, n_fft=n_fft))
    waveform, lengths = torch.from_numpy(voice("anger", "emodb/03", seconds=0.7))[None], torch.tensor([11_200])
    names = {"input_names": ["waveform", "lengths"], "output_names": ["features", "frames"]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(front, (waveform, lengths), tmp_path / "front.onnx", dynamo=False, opset_version=18, **names)
    session = onnxruntime.InferenceSession(tmp_path / "front.onnx")
    found = session.run(["features"], {"waveform": waveform.numpy(), "lengths": lengths.numpy()})[0]
    expected, stored = front(waveform, lengths)[0], front.compute_many([waveform[0].numpy()])[0]
    np.testing.assert_allclose(found, expected, atol=1e-3)  # at the floor of the logarithm
    np.testing.assert_allclose(stored.T, expected[0], atol=1e-3)
