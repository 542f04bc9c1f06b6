"""The synthetic corpora themselves: other tests stand on these claims."""

from pathlib import Path

import numpy as np

from serkit.audio.decode import load_audio
from serkit.data.audio_files import sound_files
from serkit.data.corpora import get_corpus
from serkit.labels import EMOTIONS
from serkit.types import Utterance
from support.synthetic import voice, write_corpus


def test_synthetic_clips_are_the_same_in_every_run(tmp_path: Path) -> None:
    one = write_corpus("emodb", tmp_path / "one", speakers=["08"], per_class=1)
    two = write_corpus("emodb", tmp_path / "two", speakers=2, per_class=2)
    for path in sound_files(one):
        assert (one / path).read_bytes() == (two / path).read_bytes()


def test_synthetic_emotions_of_unheard_speakers_can_be_told_apart(ravdess_dir: Path) -> None:
    manifest = get_corpus("ravdess").manifest(ravdess_dir)

    def color(u: Utterance) -> np.ndarray:
        samples = load_audio(manifest.audio_path(u), target_rate=16_000)
        power = np.abs(np.fft.rfft(samples[:6400].reshape(-1, 400), axis=1)) ** 2  # (frames, 40 Hz bins)
        bands = np.log(power.mean(axis=0)[:200].reshape(25, 8).sum(axis=1) + 1e-6)
        return bands - bands.mean()

    heard = [(u.emotion, color(u)) for u in manifest if u.speaker != "ravdess/06"]
    centers = {e: np.mean([c for emotion, c in heard if emotion == e], axis=0) for e in {e for e, _ in heard}}
    unheard = [u for u in manifest if u.speaker == "ravdess/06"]
    right = sum(u.emotion == min(centers, key=lambda e: np.linalg.norm(centers[e] - color(u))) for u in unheard)
    assert right >= 0.9 * len(unheard)


def test_synthetic_clips_are_short_and_within_full_scale() -> None:
    for emotion in EMOTIONS:
        samples = voice(emotion, "ravdess/01", name="a")
        assert 0.4 * 16_000 <= len(samples) <= 0.8 * 16_000
        assert 0.1 < np.abs(samples).max() < 1
