"""What a corpus file must provide, and how a corpus's files are found on disk."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from serkit.errors import CorpusError
from serkit.manifest import Manifest
from serkit.types import Utterance

AUDIO_SUFFIXES = frozenset({".wav", ".flac", ".mp3", ".ogg", ".opus"})


@dataclass(frozen=True)
class Corpus:
    """A corpus that serkit knows.

    Attributes:
        name: Registry name, lower case; the prefix of its speakers and utterances.
        title: As its authors write it.
        languages: ISO 639-1 codes.
        emotions: The corpus's own code or word to the canonical emotion.
        utterances: How many the official release has.
        speakers: How many the official release has.
        licence: SPDX identifier where there is one.
        commercial: Whether the licence lets a model trained on it be used commercially.
        derivatives: Whether the licence lets a model trained on it be passed on.
        citation: One line.
        url: Where to get it.
        read: From the corpus root to its utterances, in any order.
        folders: Other names that releases unpack to, for ``--data``.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    emotions: Mapping[str, str]
    utterances: int
    speakers: int
    licence: str
    commercial: bool
    derivatives: bool
    citation: str
    url: str
    read: Callable[[Path], list[Utterance]]
    folders: tuple[str, ...] = ()

    def manifest(self, root: str | os.PathLike[str]) -> Manifest:
        """Read the corpus below a folder.

        Returns:
            Its utterances sorted by id.

        Raises:
            CorpusError: If the folder is missing, unreadable, or holds no utterance of this corpus.
        """
        root = Path(root)
        if not root.is_dir():
            raise CorpusError(f"no folder {str(root)!r} to read {self.title} from; get it from {self.url}.")
        utterances = sorted(self.read(root), key=lambda u: u.id)
        if not utterances:
            raise CorpusError(f"no {self.title} file in {str(root)!r}: no name there has this corpus's form.")
        return Manifest(tuple(utterances), {self.name: root})


def audio_files(root: Path) -> Iterable[Path]:
    """Yield audio files below a folder, at any depth and in sorted order, through links but no folder twice.

    Raises:
        CorpusError: If a folder cannot be listed.
    """

    def refuse(error: OSError) -> None:
        raise CorpusError(f"cannot list {error.filename!r}: {error.strerror}.") from error

    seen = set()
    for folder, subfolders, names in os.walk(root, onerror=refuse, followlinks=True):
        status = Path(folder).stat()
        if (status.st_dev, status.st_ino) in seen:
            subfolders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        subfolders.sort()
        for name in sorted(names):
            if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith("."):
                yield Path(folder, name)
