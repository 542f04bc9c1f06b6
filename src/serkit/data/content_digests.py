"""Digests of files and of source code, by which stored results are known to be of today's files and code."""

import hashlib
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

import soundfile
import soxr

import serkit.audio.decode  # noqa: F401  (the modules below must be loaded, so that their files are known)
from serkit.data.manifest import Manifest

_DECODERS = tuple(  # modules whose code decides about the samples
    f"serkit.audio.{name}"
    for name in (
        "arrays", "containers", "damage", "decode", "joined_parts", "libsndfile", "media", "mixing", "mpeg_frames",
        "ogg_pages", "resampling", "sectioned_file", "sources", "tags", "wav_header",
    )
)  # fmt: skip


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digests(manifest: Manifest) -> dict[str, str]:
    """Return the SHA-256 of each utterance's file, by utterance id. A file is read once."""
    files = {manifest.audio_path(u): None for u in manifest}
    with ThreadPoolExecutor() as pool:
        digest_of = dict(zip(files, pool.map(file_digest, files), strict=True))
    return {u.id: digest_of[manifest.audio_path(u)] for u in manifest}


def short_digest(text: str) -> str:
    """Return 32 hex digits of the SHA-256 of a text, as a name of a file or folder."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def code_digest(modules: Iterable[str]) -> str:
    """Return a digest of the source code of modules that are loaded."""
    return short_digest("".join(file_digest(Path(str(sys.modules[name].__file__))) for name in modules))


@cache
def decoder_digest() -> str:
    """Return a digest of all that decides about decoded samples: serkit's code, and the versions of the libraries."""
    versions = [soundfile.__libsndfile_version__, soxr.__version__, *(d.version for d in distributions(name="av"))]
    return short_digest(" ".join([code_digest(_DECODERS), *versions]))
