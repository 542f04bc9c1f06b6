"""The clips of corpora with speaker and sentence, and whether two clips hold one recording, by their waveforms."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serkit.data.corpora import read_corpora
from serkit.types import FloatArray

CORPORA = ("ravdess", "crema-d", "tess", "emodb", "savee", "nemo")
_HELD_OUT = {"tess": ("YAF",), "savee": ("JE", "KL"), "nemo": ("EB0", "KD0", "MK0", "SM0", "WR0")}
_SAVEE_COMMON = 3  # sentences that SAVEE's actors say in each emotion


class Take(NamedTuple):
    """A clip of a corpus."""

    name: str
    corpus: str
    speaker: str
    sentence: str
    path: Path

    @property
    def is_held_out(self) -> bool:
        """Whether no parameter was chosen on the speaker: even numbers, and half of those without numbers."""
        code = self.speaker.rpartition("/")[2]
        return code in _HELD_OUT[self.corpus] if self.corpus in _HELD_OUT else int(code) % 2 == 0


def takes(data: str) -> Iterator[Take]:
    """Yield the clips of all corpora."""
    for corpus in CORPORA:
        manifest = read_corpora([corpus], data)
        for utterance in manifest:
            sentence = utterance.sentence
            if corpus == "savee" and int(sentence[-2:]) <= _SAVEE_COMMON:
                sentence = f"savee/{sentence[-2:]}"
            yield Take(utterance.id, corpus, utterance.speaker, sentence, manifest.audio_path(utterance))
    for path in sorted((Path(data) / "BanglaSER").iterdir()):
        numbers = path.stem.split("-")
        if len(numbers) == 7:
            name = f"banglaser/{path.stem}"
            yield Take(name, "banglaser", f"banglaser/{numbers[6]}", f"banglaser/{numbers[4]}", path)


def agree_in_waveform(first: FloatArray, second: FloatArray, rate: int) -> bool:
    """Return whether the loud pieces of one clip are found in the other, nearly all at one offset.

    Pieces of 0.2 s of two takes do not correlate so well, and least of all at one offset.
    """
    size = rate // 5
    x, y = (clip.astype(np.float64) - clip.mean() for clip in (first, second))
    length = 1 << (len(x) + len(y)).bit_length()
    spectrum = np.fft.rfft(y, length)
    sums = np.concatenate([[0.0], np.cumsum(np.square(y))])
    energies = np.maximum(sums[size:] - sums[:-size], 1e-4 * np.square(y).sum() * size / len(y))
    starts = np.arange(0, len(x) - size + 1, size // 2)
    own = np.array([np.square(x[start : start + size]).sum() for start in starts])
    found = []
    for start, energy in zip(starts, own, strict=True):
        if energy > 0.05 * own.max():
            products = np.fft.irfft(spectrum * np.conj(np.fft.rfft(x[start : start + size], length)), length)
            correlations = np.abs(products[: len(energies)]) / np.sqrt(energy * energies)
            best = int(correlations.argmax())
            found.append((correlations[best], start - best))
    if not found:
        return False
    values, offsets = np.array(found).T
    middle = np.median(offsets[values >= np.median(values)])
    return bool(np.median(values) > 0.5 and np.mean(np.abs(offsets - middle) <= rate / 200) >= 0.75)
