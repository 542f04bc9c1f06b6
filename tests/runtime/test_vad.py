"""The speech detector of the package, run without torch."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import serkit
from serkit.audio.decode import load_audio
from serkit.types import FloatArray
from speech_detector.scenes import label_frames
from speech_detector.sounds import KINDS, active_level, make_sound

FILE = Path(serkit.__file__).parent / "assets" / "speech.onnx"
RATE = 16_000


class Asset:
    """The model file on one thread, with its metadata."""

    def __init__(self, file: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        self.card = self.session.get_modelmeta().custom_metadata_map
        self.left, self.right, self.hop = (int(self.card[name]) for name in ("left", "right", "hop"))

    def run(self, waveforms: FloatArray) -> FloatArray:
        """Return the probabilities of (B, T) without padding."""
        return self.session.run(["speech"], {"waveform": waveforms})[0]

    def speech(self, samples: FloatArray) -> FloatArray:
        """Return the probabilities of (T,) with silence around it, one for every 20 ms."""
        return self.run(np.pad(samples, (self.left, self.right))[None])[0]


@pytest.fixture(scope="module")
def asset() -> Asset:
    return Asset(FILE)


@pytest.fixture(scope="module")
def mixture() -> FloatArray:
    """A speech clip of the project, between generated sounds of all kinds."""
    rng = np.random.default_rng(0)
    spoken = load_audio(Path(__file__).parents[2] / "examples" / "loud_fast_high.wav", target_rate=RATE)
    return np.concatenate([spoken, *(make_sound(kind, 8_000, rng) for kind in KINDS), spoken]).astype(np.float32)


def test_the_card_says_what_a_caller_must_know(asset: Asset) -> None:
    assert asset.card["sampling_rate"] == "16000"
    assert asset.hop == 320
    assert asset.left <= RATE
    assert asset.right <= 0.16 * RATE
    assert asset.card["license"] == "CC0-1.0"
    assert "EmoDB" in asset.card["trained_on"]
    assert asset.card["about"]


def test_it_is_small() -> None:
    assert FILE.stat().st_size < 250_000


@pytest.mark.parametrize("rest", [0, 1, 319])
def test_there_is_a_frame_for_every_20_ms_between_left_and_right(asset: Asset, rest: int) -> None:
    for frames in (1, 5, 50):
        waveforms = np.zeros((2, asset.left + frames * 320 + rest + asset.right), np.float32)
        assert asset.run(waveforms).shape == (2, frames)


@pytest.mark.parametrize("block", [1, 7, 250])
def test_blocks_with_their_context_give_what_the_whole_gives(asset: Asset, mixture: FloatArray, block: int) -> None:
    padded = np.pad(mixture, (asset.left, asset.right))[None]
    whole = asset.run(padded)[0]
    assert whole.min() < 0.1
    assert whole.max() > 0.9
    for first in range(0, len(whole), max(block, len(whole) // 20 // block * block)):
        last = min(first + block, len(whole))
        piece = asset.run(padded[:, first * 320 : last * 320 + asset.left + asset.right])[0]
        np.testing.assert_allclose(piece, whole[first:last], atol=1e-5)


def test_a_batch_gives_what_each_gives(asset: Asset, mixture: FloatArray) -> None:
    clips = np.stack([mixture[:64_000], mixture[-64_000:]])
    together = asset.run(clips)
    for clip, answer in zip(clips, together, strict=True):
        np.testing.assert_allclose(asset.run(clip[None])[0], answer, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_speech_stays_below_a_half(asset: Asset, kind: str) -> None:
    answers = []
    for seed in range(5):
        sound = make_sound(kind, 5 * RATE, np.random.default_rng([77, seed]))
        answers += [asset.speech(sound * np.float32(2 * 10 ** (level_db / 20))) for level_db in (-40, -15, 0)]
    assert (np.concatenate(answers) < 0.5).mean() >= 0.95


def test_speech_is_heard_at_any_level_and_in_noise(asset: Asset, real_corpora: Path) -> None:
    files = sorted((real_corpora / "EmoDB" / "wav").glob("1[56]*"))[::12]  # speakers that it has not learned from
    if not files:
        pytest.skip(f"needs EmoDB: there are no clips in {real_corpora / 'EmoDB' / 'wav'}")
    rng = np.random.default_rng(0)
    heard: dict[str, list[FloatArray]] = {"loud": [], "soft": [], "noisy": []}
    for file in files:
        clip = load_audio(file, target_rate=RATE)
        spoken = label_frames(clip)
        noise = rng.standard_normal(len(clip)).astype(np.float32) * np.float32(active_level(clip) * 10 ** (-10 / 20))
        for name, samples in {"loud": 2 * clip, "soft": clip / 30, "noisy": clip + noise}.items():
            heard[name].append(asset.speech(np.clip(samples, -1, 1))[: len(spoken)][spoken])
    shares = {name: float((np.concatenate(answers) >= 0.5).mean()) for name, answers in heard.items()}
    assert shares["loud"] > 0.9
    assert shares["soft"] > 0.9
    assert shares["noisy"] > 0.8
