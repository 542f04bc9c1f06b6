"""Refuses one set of sound files under two corpus names, which would make each of its speakers two."""

import os
from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path

from serkit.data.manifest import Manifest
from serkit.errors import ManifestError


def check_no_shared_files(manifests: Mapping[str, Manifest]) -> None:
    """Check that no two corpora have a sound file in common, whether by its path, a symbolic or a hard link.

    The parts of a corpus that is made of others count as these others: their utterances have the same ids, which
    :func:`serkit.data.manifest.merge` refuses already.

    Args:
        manifests: Utterances of each corpus, by the name it is read under.

    Raises:
        ManifestError: If a file is in two of them; the message has both names and both paths.
    """
    if len(manifests) < 2:
        return
    seen: dict[Hashable, tuple[str, str, Path]] = {}
    for name, manifest in manifests.items():
        for corpus, path, file in _files(manifest):
            other, its_corpus, its_path = seen.setdefault(file, (name, corpus, path))
            if its_corpus != corpus and other != name:
                raise ManifestError(
                    f"{other} and {name} are the same data under two names: {str(its_path)!r} and {str(path)!r} are "
                    "one file, whose speaker would count as two people; leave out one of the two names."
                )


def _files(manifest: Manifest) -> Iterator[tuple[str, Path, Hashable]]:
    """Yield corpus, path and identity of each file that has content, once."""
    for corpus, path in dict.fromkeys((u.corpus, u.path) for u in manifest):
        place = manifest.roots[corpus] / path
        try:
            status = os.stat(place)  # noqa: PTH116  (Path is slow)
        except (OSError, ValueError):  # a missing file is found when it is read
            yield corpus, place, os.path.realpath(place)
            continue
        if status.st_size:
            yield corpus, place, (status.st_dev, status.st_ino) if status.st_ino else os.path.realpath(place)
