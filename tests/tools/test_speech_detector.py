"""The detector's network, its training and its file."""

import logging
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.signal.mel import dft_kernels
from speech_detector.__main__ import main
from speech_detector.network import Detector, DetectorConfig
from speech_detector.training import DetectorTraining, export_detector, fit, make_detector, make_scenes, measure

TINY = DetectorConfig(bands=8, channels=4, looks=((1, 1), (2, 0)))
QUICK = DetectorTraining(scenes=4, validation_scenes=2, epochs=1, batch_size=2, network=TINY)


def waveform(samples: int, seed: int = 0) -> torch.Tensor:
    """Noise of changing level (1, T)."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(10 ** rng.uniform(-3, -0.5, samples // 800 + 1), 800)[:samples]
    return torch.from_numpy((rng.standard_normal(samples) * levels).astype(np.float32))[None]


@pytest.fixture(scope="module", params=[TINY, DetectorConfig()], ids=["tiny", "default"])
def detector(request: pytest.FixtureRequest) -> Detector:
    """Untrained, but with normalizers that have seen something."""
    torch.manual_seed(0)
    network = Detector(request.param).train()
    with torch.no_grad():
        network(waveform(80_000))
    return network.eval()


@pytest.mark.parametrize("rest", [0, 1, 159, 160, 319])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_there_is_a_frame_for_every_320_samples_between_left_and_right(
    detector: Detector, frames: int, rest: int
) -> None:
    with torch.inference_mode():
        assert detector(waveform(detector.left + 320 * frames + rest + detector.right)).shape == (1, frames)


def test_a_frame_depends_on_left_and_right_samples_and_no_others(detector: Detector) -> None:
    frames, unused = 30, []
    for frame in range(frames):
        samples = waveform(detector.left + frames * 320 + detector.right).requires_grad_()
        detector.logits(detector.bands(samples))[0, frame].backward()
        assert samples.grad is not None
        seen = samples.grad[0].nonzero().flatten()
        first, last = frame * 320, frame * 320 + detector.left + 320 + detector.right
        unused.append((int(seen[0]) - first, last - 1 - int(seen[-1])))
    for side in zip(*unused, strict=True):
        assert 0 <= min(side) <= 160  # where rectifiers are shut, a frame sees less


def test_pieces_give_what_the_whole_gives(detector: Detector) -> None:
    samples = waveform(detector.left + 40 * 320 + detector.right)
    with torch.inference_mode():
        whole = detector(samples)
        for first, last in ((0, 1), (3, 17), (17, 40)):
            piece = detector(samples[:, first * 320 : last * 320 + detector.left + detector.right])
            torch.testing.assert_close(piece, whole[:, first:last], atol=1e-5, rtol=0)


def test_the_default_looks_ahead_150_ms_and_back_940_ms() -> None:
    network = Detector()
    assert (network.left, network.right) == (15_040, 2_400)
    assert sum(p.numel() for p in network.parameters()) < 40_000


def test_an_offset_changes_nothing() -> None:
    bands, samples = Detector().bands, waveform(16_000)
    with torch.inference_mode():
        torch.testing.assert_close(bands(samples + 0.2), bands(samples), atol=1e-2, rtol=0)


def test_the_looked_up_kernels_are_those_of_the_transform() -> None:
    bands = Detector().bands
    cosines, sines = np.split(dft_kernels(320, 320), 2)
    orders = bands.orders.numpy()
    expected = np.concatenate([cosines[orders], sines[orders]])
    np.testing.assert_allclose(bands.kernels().numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    "wrong", [{"fmax": 9_000.0}, {"fmin": 8_000.0}, {"looks": ((3, 1),)}, {"looks": ((3, 0),)}, {"channels": 0}]
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RecipeError):
        DetectorConfig(**wrong)  # type: ignore[arg-type]


def test_the_file_equals_torch_and_says_what_a_caller_must_know(detector: Detector, tmp_path: Path) -> None:
    file = tmp_path / "speech.onnx"
    assert export_detector(detector, file) < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["speech.onnx"]
    card = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert (card["left"], card["right"]) == (str(detector.left), str(detector.right))
    assert (card["hop"], card["sampling_rate"], card["license"]) == ("320", "16000", "CC0-1.0")
    samples = waveform(30_000, seed=1)
    session = onnxruntime.InferenceSession(str(file))
    with torch.inference_mode():
        expected = detector(samples).numpy()
    np.testing.assert_allclose(session.run(None, {"waveform": samples.numpy()})[0], expected, atol=1e-5)


def test_a_network_learns_to_tell_tones_from_noise(one_thread: None, caplog: pytest.LogCaptureFixture) -> None:
    torch.manual_seed(0)
    network = Detector(TINY)
    time = np.arange(24_000) / 16_000
    clips = [(0.2 * np.sin(2 * np.pi * hz * time)).astype(np.float32) for hz in (200, 400)]
    scenes = make_scenes(network, clips, 8, seed=0)
    before, _, _ = measure(network, scenes)
    with caplog.at_level(logging.INFO):
        after = fit(network, scenes, scenes, DetectorTraining(scenes=8, epochs=5, batch_size=4, network=TINY))
    assert after < before
    assert len(caplog.messages) == 5
    assert measure(network, scenes)[0] == pytest.approx(after)


def test_the_same_seed_makes_the_same_file(emodb_dir: Path, tmp_path: Path, one_thread: None) -> None:
    files = [tmp_path / name for name in ("first.onnx", "second.onnx")]
    losses = [make_detector({"emodb": emodb_dir}, file, training=QUICK) for file in files]
    assert losses[0] == losses[1] > 0
    assert files[0].read_bytes() == files[1].read_bytes()


def test_without_emodb_the_command_says_so_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(tmp_path / "no.onnx", str(tmp_path))
    assert ended.value.code == 2
    assert "emodb" in capsys.readouterr().err.lower()
    assert list(tmp_path.iterdir()) == []
