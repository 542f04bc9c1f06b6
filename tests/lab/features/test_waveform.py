"""The waveform, whole and without the silence around it."""

from pathlib import Path

import numpy as np
import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.features import Front, LogMel, LogMelConfig, build_feature
from serkit.lab.features.waveform import Waveform, WaveformConfig
from support.front_claims import RATE, SIGNALS, Samples, batch, check_export

VARIANTS = {
    "whole": WaveformConfig(),
    "trimmed": WaveformConfig(trim_db=50),
    "22,050 Hz": WaveformConfig(sampling_rate=22_050, trim_db=30),
    "8 kHz": WaveformConfig(sampling_rate=8000, trim_db=50),
}
every_variant = pytest.mark.parametrize("config", VARIANTS.values(), ids=list(VARIANTS))
TRIMMED = Waveform(VARIANTS["trimmed"])


def kept_of(front: Front, samples: Samples) -> Samples:
    """Return the valid features of one clip, shape (F, N)."""
    features, lengths = front(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    assert not features[0, :, int(lengths[0]) :].any()
    return features[0, :, : int(lengths[0])].numpy()


def with_silence(samples: Samples, before: int, after: int) -> Samples:
    return np.concatenate([np.zeros(before), samples, np.zeros(after)]).astype(np.float32)


@pytest.mark.parametrize("samples", SIGNALS.values(), ids=list(SIGNALS))
def test_the_whole_waveform_is_every_sample_as_it_is(samples: Samples) -> None:
    front = build_feature("waveform", {})
    assert (front.kind, front.size) == ("frames", 1)
    assert np.array_equal(kept_of(front, samples)[0], samples)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (8000, 0), (0, 8000), (4321, 12_345)])
def test_silence_around_speech_is_cut_and_nothing_else(before: int, after: int) -> None:
    speech = 0.5 * SIGNALS["tone"]
    found = kept_of(TRIMMED, with_silence(speech, before, after))[0]
    around = TRIMMED.spectrogram.window
    start = int(np.flatnonzero(found)[0])
    assert start <= around
    sound = speech[np.flatnonzero(speech)[0] :]
    assert np.array_equal(found[start : start + len(sound)], sound)
    assert len(found) <= len(speech) + 2 * around


def test_what_is_kept_are_the_samples_of_the_frames_that_logmel_keeps() -> None:
    samples = with_silence(SIGNALS["speech"], 5000, 7000)
    kept = kept_of(TRIMMED, samples)[0]
    frames = kept_of(LogMel(LogMelConfig(trim_db=50)), samples)
    window, hop = TRIMMED.spectrogram.window, TRIMMED.spectrogram.hop
    assert len(kept) == (frames.shape[1] - 1) * hop + window
    (start,) = (i for i in range(6000) if np.array_equal(samples[i : i + len(kept)], kept))
    first = (start + window // 2) // hop
    everything = kept_of(LogMel(LogMelConfig()), samples)
    np.testing.assert_allclose(everything[:, first : first + frames.shape[1]], frames, atol=1e-5)


def test_silence_alone_is_kept() -> None:
    assert kept_of(TRIMMED, SIGNALS["silence"]).shape == (1, RATE)


@every_variant
@pytest.mark.parametrize(("extra", "garbage"), [(0, 1.0), (1, 0.0), (5000, 100.0)])
def test_padding_changes_nothing(config: WaveformConfig, extra: int, garbage: float) -> None:
    front, clips = Waveform(config), [*SIGNALS.values(), with_silence(SIGNALS["speech"], 5000, 7000)]
    features, lengths = front(*batch(clips, extra=extra, garbage=garbage))
    for row, count, clip in zip(features, lengths.tolist(), clips, strict=True):
        assert np.array_equal(row[:, :count].numpy(), kept_of(front, clip))
        assert not row[:, count:].any()
        assert count >= 1


@every_variant
def test_the_exported_graph_gives_the_same_samples(config: WaveformConfig, tmp_path: Path) -> None:
    check_export(Waveform(config), tmp_path / "waveform.onnx", rtol=0, atol=0)


def test_a_gradient_reaches_what_is_kept_and_nothing_else() -> None:
    samples = torch.from_numpy(with_silence(SIGNALS["tone"], 3000, 3000))[None].requires_grad_()
    features, lengths = TRIMMED(samples, torch.tensor([samples.shape[1]]))
    features.sum().backward()
    assert samples.grad is not None
    assert int(samples.grad.sum()) == int(lengths[0])
    assert not samples.grad[:, :2000].any()


@pytest.mark.parametrize("settings", [{"sampling_rate": 0}, {"trim_db": 0}, {"trim_db": -3}])
def test_a_setting_out_of_range_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        build_feature("waveform", settings)
