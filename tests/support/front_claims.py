"""Claims that every front end must satisfy, and the test signals for them."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from serkit.audio.decode import load_audio
from serkit.lab.features.front import Front
from support.synthetic import tone, voice

RATE = 16_000
Samples = NDArray[np.float32]
Array = NDArray[np.float64]


def _signals() -> dict[str, Samples]:
    noise = np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    speech = voice("anger", "emodb/03", seconds=1.0)
    pause = np.concatenate([speech[:5000], np.zeros(4000, np.float32), speech[5000:9000]])
    return {
        "noise": 0.1 * noise,
        "loud noise": np.clip(noise, -1, 1),
        "faint noise": 1e-4 * noise,
        "speech": speech,
        "clipped speech": np.clip(20 * speech, -0.9, 0.9),
        "speech with a pause": pause,
        "impulse": np.eye(1, RATE, 801, dtype=np.float32)[0],
        "one sample": np.array([0.5], np.float32),
        "two samples": np.array([0.5, -0.25], np.float32),
        "100 samples": 0.1 * noise[:100],
        "511 samples": 0.1 * noise[:511],
        "1025 samples": 0.1 * noise[:1025],
        "silence": np.zeros(RATE, np.float32),
        "one silent sample": np.zeros(1, np.float32),
        "constant": np.full(RATE, 0.5, np.float32),
        "tone": tone(440, seconds=1, peak=1),
        "clipped tone": np.clip(2 * tone(200, seconds=1, peak=1), -1, 1),
    }


SIGNALS = _signals()


@cache
def real_clips(folder: Path, rate: int, corpora: tuple[str, ...] = ()) -> tuple[Samples, ...]:
    """Return two clips of each of the named corpora, or of each corpus in the folder."""
    clips: list[Samples] = []
    for corpus in sorted(path for path in folder.iterdir() if path.is_dir()):
        if corpora and corpus.name.lower() not in corpora:
            continue
        files = sorted(path for path in corpus.rglob("*") if path.suffix in (".flac", ".opus", ".wav"))
        clips += [load_audio(path, target_rate=rate) for path in (files[len(files) // 3], files[2 * len(files) // 3])]
    assert len(clips) >= 2
    return tuple(clips)


def alone(front: Front, samples: Samples) -> Array:
    """Return the features of one clip, shape (F, N), all of them valid."""
    with torch.inference_mode():
        features, lengths = front(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    assert features.shape == (1, front.size, int(lengths[0]))
    return features[0].double().numpy()


def batch(clips: Sequence[Samples], *, extra: int = 0, garbage: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad clips to the longest one and ``extra`` samples more, with silence or with noise of a given level."""
    sizes = [len(clip) for clip in clips]
    padded = garbage * np.random.default_rng(1).standard_normal((len(clips), max(sizes) + extra)).astype(np.float32)
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip)] = clip
    return torch.from_numpy(padded), torch.tensor(sizes)


def check_padding(front: Front, *, floor: float = 1e-9) -> None:
    """Compare a batch with its single clips, within 1e-5 of a row's largest number in that clip, or ``floor``."""
    names = list(SIGNALS)
    clips = [SIGNALS[name] for name in names]
    clean, lengths = front(*batch(clips))
    for extra, garbage in ((0, 1.0), (1, 0.0), (5000, 100.0)):
        features, same = front(*batch(clips, extra=extra, garbage=garbage))
        assert torch.equal(lengths, same)
        for name, samples, row, count in zip(names, clips, features, lengths.tolist(), strict=True):
            expected, found = alone(front, samples), row[:, :count].double().numpy()
            allowed = 1e-5 * np.abs(expected).max(1, keepdims=True) + floor
            assert (np.abs(found - expected) <= allowed).all(), (name, np.abs(found - expected).max())
            assert not row[:, count:].any(), name
    assert torch.isfinite(clean).all()


def check_everything_is_finite(front: Front) -> None:
    """Check that all features are finite, for every signal and for a level near the limit of float32."""
    for name, samples in SIGNALS.items():
        for level in (1.0, 1e-20, 1e-38):
            assert np.isfinite(alone(front, (level * samples).astype(np.float32))).all(), (name, level)


def check_gradient(front: Front) -> None:
    """Check that gradients exist and are finite wherever there is sound, so nothing is done in place."""
    waveform = (0.1 * torch.randn(2, 4000, generator=torch.Generator().manual_seed(0))).requires_grad_()
    features, _ = front(waveform, torch.tensor([4000, 3000]))
    features.sum().backward()
    assert waveform.grad is not None
    assert waveform.grad.isfinite().all()
    assert not waveform.grad[1, 3000:].any()


def check_export(front: Front, file: Path, *, rtol: float = 1e-4, atol: float = 1e-4) -> None:
    """Compare ONNX Runtime with torch for batches and durations other than the traced ones."""
    run = _export(front, file)
    speech, noise, short = SIGNALS["speech"], SIGNALS["noise"], SIGNALS["100 samples"]
    long = np.tile(speech, 3)[:40_001]
    for clips in ([speech], [long, noise, short, SIGNALS["silence"]], [short], [SIGNALS["one sample"]], [long, long]):
        waveform, lengths = batch(clips, garbage=1.0)
        expected, counts = front(waveform, lengths)
        found, same = run({"waveform": waveform.numpy(), "lengths": lengths.numpy()})
        assert same.tolist() == counts.tolist()
        scale = expected.abs().amax(2, keepdim=True).numpy()
        assert (np.abs(found - expected.numpy()) <= rtol * scale + atol).all(), np.abs(found - expected.numpy()).max()


def _export(front: Front, file: Path) -> Callable[[Mapping[str, NDArray[np.generic]]], list[NDArray[np.float32]]]:
    axes = {"waveform": {0: "B", 1: "T"}, "lengths": {0: "B"}}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)  # the tracer's own
        warnings.filterwarnings("ignore", "Constant folding")  # of the steps of a slice
        warnings.filterwarnings("error", category=torch.jit.TracerWarning)  # something was baked in
        torch.onnx.export(
            front, batch([SIGNALS["speech"], SIGNALS["1025 samples"]]), file, dynamo=False, opset_version=18,
            input_names=list(axes), output_names=["features", "feature_lengths"], dynamic_axes=axes,
        )  # fmt: skip
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)
