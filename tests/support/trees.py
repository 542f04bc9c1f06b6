"""Folders of tiny files with the names of real corpora; most tests of a corpus need no sound."""

import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

from serkit.data.corpora import get_corpus
from serkit.data.manifest import Manifest
from serkit.types import Utterance

# Releases that several tests of corpora share
SPEAKERS_HERE = {"ravdess": 6, "emodb": 4, "tess": 2, "nemo": 3, "crema-d": 3, "savee": 2, "iemocap": 4}


def touch(root: Path, *names: str) -> Path:
    """Make empty files, since corpora are read by their names. They link to one file, which is fifty times faster."""
    _make_folders(root, names)
    new = [path for name in dict.fromkeys(names) if not (path := root / name).exists()]
    for path in new[:1]:
        path.touch()
    for path in new[1:]:
        path.hardlink_to(new[0])
    return root


def fill(root: Path, files: Mapping[str, bytes]) -> Path:
    """Write files, name to content, replacing existing ones."""
    _make_folders(root, files)
    for name, content in files.items():
        (root / name).unlink(missing_ok=True)
        (root / name).write_bytes(content)
    return root


def _make_folders(root: Path, names: Iterable[str]) -> None:
    for folder in {(root / name).parent for name in names}:
        folder.mkdir(parents=True, exist_ok=True)


def pips(names: Iterable[str], **form: int) -> dict[str, bytes]:
    """Write a different sound for each name, see :func:`pip`."""
    return {name: pip(number, **form) for number, name in enumerate(names)}


def pip(number: int, *, rate: int = 16_000, peak: int = 16_000) -> bytes:
    """Return a WAV of eight samples that differ for every number below 100 million."""
    samples = struct.pack("<8h", peak, *(min(peak, number // 10_000**n % 10_000) for n in range(2)), *[0] * 5)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(samples)) + samples
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def official_names(name: str, suffix: str = ".wav") -> list[str]:
    """Return the files of the official release in one folder."""
    corpus = get_corpus(name)
    assert corpus.official is not None
    return [u.id.partition("/")[2] + suffix for u in corpus.official()]


def only(name: str, root: Path) -> Utterance:
    """Return the only utterance that the corpus finds."""
    (utterance,) = get_corpus(name).manifest(root)
    return utterance


def by_id(manifest: Manifest) -> dict[str, Utterance]:
    return {u.id: u for u in manifest}


def reasons(name: str, root: Path) -> dict[str, list[str]]:
    """Return the reason for files to be left out to these files."""
    found: dict[str, list[str]] = {}
    for item in get_corpus(name).survey(root)[1]:
        found.setdefault(item.reason, []).append(item.path)
    return found
