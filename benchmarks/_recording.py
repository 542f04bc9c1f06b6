"""Makes the long recording that benchmarks share; it is the same in every run."""

import os
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

_EXAMPLES = Path(__file__).parent.parent / "examples"
_SOUND = {".wav", ".flac"}
_CLIPS = 400
_NOISE = 3e-4  # level of the added noise, relative to full scale


def voices(rate: int, *, clips: int = _CLIPS, seed: int = 0) -> list[NDArray[np.float32]]:
    """Return clips of speech at a rate: from RAVDESS and EmoDB in SERKIT_CORPORA, or else from ``examples/``."""
    root = os.environ.get("SERKIT_CORPORA")
    folders = [Path(root) / name for name in ("RAVDESS", "EmoDB")] if root else []
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.suffix in _SOUND]
    rng = np.random.default_rng(seed)
    chosen = [files[i] for i in rng.permutation(len(files))[:clips]] if files else sorted(_EXAMPLES.glob("*.wav"))
    return [_trimmed(soxr.resample(*_mono(file), rate).astype(np.float32)) for file in chosen]


def _trimmed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Trim both ends to within 40 dB of the loudest sample: RAVDESS clips have a second of silence there."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1]


def _mono(file: Path) -> tuple[NDArray[np.float32], int]:
    samples, rate = soundfile.read(file, dtype="float32", always_2d=True)
    return samples.mean(axis=1), rate


def write_talk(path: Path, seconds: float, rate: int, *, channels: int = 1, seed: int = 0) -> Path:
    """Write a recording of clips with pauses of 0.2 to 1.5 s and quiet noise, of the given length in seconds."""
    clips, rng, left = voices(rate), np.random.default_rng(seed), round(seconds * rate)
    with soundfile.SoundFile(path, "w", rate, channels, format=path.suffix[1:].upper()) as file:
        while left > 0:
            clip = clips[int(rng.integers(len(clips)))]
            piece = np.concatenate([clip, np.zeros(int(rng.uniform(0.2, 1.5) * rate), np.float32)])[:left]
            piece = piece + rng.normal(0, _NOISE, len(piece)).astype(np.float32)
            file.write(np.stack([piece] * channels, axis=1))
            left -= len(piece)
    return path
