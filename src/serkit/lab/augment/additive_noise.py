"""Augmentations that add sound at a signal-to-noise ratio: white noise, babble or music."""

import functools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from serkit.audio.decode import load_audio
from serkit.data.audio_files import sound_files
from serkit.errors import CorpusError, RecipeError
from serkit.lab.augment.augmentation import Augmentation, Bounds, Drawn, draw_seed, is_range
from serkit.lab.recipes.config import require
from serkit.types import FloatArray

_SILENT = 1e-20  # mean square, -200 dBFS; anything below counts as silence
_KEPT_FILES = 8  # decoded files kept in memory; with a minute of music each, 40 MB


@dataclass(frozen=True, kw_only=True)
class Noise(Augmentation):
    """Add white noise.

    Attributes:
        snr_db: Range of the signal-to-noise ratio in dB, over the whole utterance with its pauses.
    """

    name: ClassVar[str] = "noise"
    snr_db: Bounds = (10.0, 30.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self, snr_db=is_range(self.snr_db, -60, 120))

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``snr_db``."""
        return {"snr_db": rng.uniform(*self.snr_db), "seed": draw_seed(rng)}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Add noise to samples (T,)."""
        noise = np.random.default_rng(drawn["seed"]).standard_normal(len(samples), np.float32)
        return mix_at_snr(samples, noise, drawn["snr_db"])

    def caption(self, drawn: Drawn) -> str:
        """Describe the signal-to-noise ratio."""
        return f"SNR {drawn['snr_db']:.1f} dB"


@dataclass(frozen=True, kw_only=True)
class Background(Augmentation):
    """Add babble or music from a folder of yours. The folder should not contain speakers of the test set.

    Attributes:
        folder: Folder that is searched for audio files at any depth.
        snr_db: Range of the signal-to-noise ratio in dB, over the whole utterance with its pauses.
        together: Number of files that are mixed: 1 for music or recorded babble, 3 to 7 to make babble from single
            voices.
    """

    name: ClassVar[str] = "background"
    folder: str = ""
    snr_db: Bounds = (5.0, 20.0)
    together: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.folder:
            raise RecipeError("background needs a folder: set folder to the one with your babble or music.")
        require(self, snr_db=is_range(self.snr_db, -60, 120), together=1 <= self.together <= 64)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Paths of the audio files relative to the folder, sorted; the folder is listed only once.

        Raises:
            RecipeError: If the folder contains no audio file.
        """
        folder = Path(self.folder)
        try:
            found = tuple(path.as_posix() for path in sound_files(folder))
        except CorpusError as error:
            raise RecipeError(f"background: {error}") from error
        if not found:
            raise RecipeError(
                f"background: the folder {self.folder!r} contains no audio file; put babble or music there."
            )
        return found

    def check(self) -> None:
        """List the files.

        Raises:
            RecipeError: If the folder contains no audio file.
        """
        self.files  # noqa: B018 - listing is what raises

    def draw(self, rng: np.random.Generator) -> Drawn:
        """Draw ``snr_db``, the ``files``, and ``at``, the start in each file as a share of its length."""
        chosen = tuple(self.files[int(i)] for i in rng.integers(len(self.files), size=self.together))
        places = tuple(float(share) for share in rng.random(self.together))
        return {"snr_db": rng.uniform(*self.snr_db), "files": chosen, "at": places}

    def change(self, samples: FloatArray, sampling_rate: int, drawn: Drawn) -> FloatArray:
        """Add excerpts of the files to samples (T,), all at the same level; a short file is repeated.

        Raises:
            AudioError: If a file cannot be read.
        """
        total = np.zeros(len(samples), np.float32)
        for file, share in zip(drawn["files"], drawn["at"], strict=True):
            part = _excerpt(_decoded(str(Path(self.folder) / file), sampling_rate), len(samples), share)
            total += part / np.float32(np.sqrt(max(_power(part), _SILENT)))
        return mix_at_snr(samples, total, drawn["snr_db"])

    def caption(self, drawn: Drawn) -> str:
        """Describe the files and the signal-to-noise ratio."""
        files = drawn["files"]
        what = Path(files[0]).stem[:16] if len(files) == 1 else f"{len(files)} files"
        return f"{what}, SNR {drawn['snr_db']:.1f} dB"


def mix_at_snr(samples: FloatArray, added: FloatArray, snr_db: float) -> FloatArray:
    """Add noise to a waveform at a signal-to-noise ratio.

    Args:
        samples: Waveform of shape (T,).
        added: Noise of shape (T,), at any level.
        snr_db: Signal-to-noise ratio in dB.

    Returns:
        Mixture of shape (T,). If either input is silent, no level gives the ratio, and ``samples`` is returned.
    """
    signal, noise = _power(samples), _power(added)
    if min(signal, noise) < _SILENT:
        return samples
    return samples + added * np.float32(np.sqrt(signal / noise) * 10 ** (-snr_db / 20))


def _power(samples: FloatArray) -> float:
    return float(np.mean(np.square(samples)))  # numpy sums pairwise, so float32 is accurate to 1e-6


def _excerpt(sound: FloatArray, length: int, share: float) -> FloatArray:
    """Return an excerpt (length,) that starts at a share of the possible starts; a shorter sound is repeated."""
    if len(sound) >= length:
        start = int(share * (len(sound) - length + 1))
        return sound[start : start + length]
    return np.resize(np.roll(sound, -int(share * len(sound))), length)


@functools.lru_cache(maxsize=_KEPT_FILES)
def _decoded(path: str, sampling_rate: int) -> FloatArray:
    sound = load_audio(path, target_rate=sampling_rate)
    sound.setflags(write=False)
    return sound
