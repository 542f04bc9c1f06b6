"""Acoustic fingerprints and runs of samples of the utterances of a manifest, computed once and stored on disk.

A fingerprint depends on the decoded sound alone, not on the sampling rate of an experiment, so training, checks of
corpora and tests of model files share what is stored. It is stored in blocks of utterances, each named by a digest of
the files and of the code that decides about it: an interrupted computation resumes, and a changed file is heard again.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from functools import cache, partial
from pathlib import Path

import numpy as np

from serkit.audio.decode import load_audio, read_file
from serkit.audio.fingerprint import fingerprint, unpack
from serkit.data import near_duplicates as matching
from serkit.data.cache_folder import cache_dir
from serkit.data.content_digests import code_digest, decoder_digest, file_digests, short_digest
from serkit.data.manifest import Manifest
from serkit.data.near_duplicates import NearDuplicate
from serkit.data.shared_runs import NotedRuns, runs_of
from serkit.errors import AudioError, ManifestError, MissingExtraError
from serkit.parsing import parse_json
from serkit.types import FloatArray, Utterance
from serkit.writing import write_whole

_RATE = 8_000  # Hz; fingerprints need nothing above 4 kHz
_BLOCK = 256  # utterances in a stored block
_CODE = ("serkit.audio.fingerprint", "serkit.data.near_duplicates", "serkit.data.shared_runs")
Codes = Mapping[str, bytes]


def fingerprints_of(
    manifest: Manifest,
    *,
    files: Mapping[str, str] | None = None,
    skip_undecodable: bool = False,
    on_done: Callable[[int], None] = lambda done: None,
) -> dict[str, bytes]:
    """Return the acoustic fingerprint of each utterance: computed by the first call, read from disk by later ones.

    Args:
        manifest: Manifest with the roots of its corpora.
        files: Utterance id to the SHA-256 of its file, where it is known already.
        skip_undecodable: Whether an utterance whose file cannot be decoded is left out of the result.
        on_done: Callback for the number of utterances done.

    Returns:
        Utterance id to fingerprint, see :func:`serkit.audio.fingerprint.fingerprint`.

    Raises:
        AudioError: If a file cannot be decoded, unless ``skip_undecodable`` is set.
    """
    compute = partial(_code_of, manifest)
    texts = _computed("fingerprints", manifest, files, compute, skip=skip_undecodable, on_done=on_done)
    return {name: from_text(text) for name, text in texts.items()}


def runs_in(
    manifest: Manifest,
    *,
    files: Mapping[str, str] | None = None,
    skip_undecodable: bool = False,
    on_done: Callable[[int], None] = lambda done: None,
) -> dict[str, NotedRuns]:
    """Return the noted runs of samples of each utterance, see :mod:`serkit.data.shared_runs`.

    They stay in the cache folder, beside the decoded audio. Arguments and errors are those of :func:`fingerprints_of`.
    """
    compute = partial(_runs_of, manifest)
    texts = _computed("runs", manifest, files, compute, skip=skip_undecodable, on_done=on_done)
    found = {}
    for name, text in texts.items():
        rate, _, hashes = text.partition(" ")
        found[name] = NotedRuns(int(rate), np.frombuffer(from_text(hashes), "<u8").astype(np.uint64))
    return found


def as_text(code: bytes) -> str:
    """Return a fingerprint as base64, for tables and cards."""
    return base64.b64encode(code).decode()


def from_text(text: str) -> bytes:
    """Return the fingerprint of :func:`as_text`.

    Raises:
        ValueError: If the text is not base64.
    """
    return base64.b64decode(text, validate=True)


def stored_near_duplicates(codes: Codes, others: Codes | None = None) -> tuple[NearDuplicate, ...]:
    """Find near-duplicates within one collection of fingerprints, or between two; stored for the next call.

    Args:
        codes: Utterance id to fingerprint.
        others: A second collection. If given, only pairs with one utterance in each are found.
    """
    path = _place("near-duplicates", [_listed(codes), None if others is None else _listed(others)])
    try:
        return tuple(NearDuplicate(*row) for row in parse_json(path.read_bytes()))
    except (OSError, ValueError, TypeError):  # not there, or damaged
        pass
    found = matching.near_duplicates(codes) if others is None else matching.near_duplicates_between(codes, others)
    write_whole(path, json.dumps([astuple(pair) for pair in found]))
    return tuple(found)


def check_carried(manifest: Manifest, codes: Codes) -> None:
    """Check that the audio of utterances is what their manifest was made from, where it carries fingerprints.

    Args:
        manifest: Manifest, perhaps with fingerprints.
        codes: Utterance id to the fingerprint of the audio as it is now.

    Raises:
        ManifestError: If an utterance sounds otherwise, or a fingerprint is damaged or of another version.
    """
    carried = {u.id: from_text(u.fingerprint) for u in manifest if u.fingerprint}
    doubtful = [name for name, code in carried.items() if code != codes[name]]
    try:
        changed = [name for name in doubtful if not _is_same_sound(carried[name], codes[name])]
    except ValueError as error:
        raise ManifestError(
            f"a fingerprint of the manifest cannot be compared ({error}); write the manifest again."
        ) from error
    if changed:
        raise ManifestError(
            f"the audio of {len(changed)} utterances is not what the manifest was made from, the first is "
            f"{changed[0]!r}: put the files back, or write the manifest again."
        )


def _is_same_sound(one: bytes, other: bytes) -> bool:
    pair = matching.near_duplicates_between({"": one}, {"": other})
    return bool(pair) or not (unpack(one).any() or unpack(other).any())


def _code_of(manifest: Manifest, u: Utterance) -> str:
    samples = load_audio(manifest.audio_path(u), target_rate=_RATE)
    return as_text(fingerprint(_cut(samples, u, _RATE), _RATE))


def _runs_of(manifest: Manifest, u: Utterance) -> str:
    samples, rate = read_file(manifest.audio_path(u))  # (channels, T)
    return f"{rate} {as_text(runs_of(_cut(samples.sum(axis=0), u, rate), rate).hashes.astype('<u8').tobytes())}"


def _cut(samples: FloatArray, u: Utterance, rate: int) -> FloatArray:
    end = len(samples) if u.end is None else round(u.end * rate)
    return np.ascontiguousarray(samples[round(u.start * rate) : end])


def _computed(
    kind: str,
    manifest: Manifest,
    files: Mapping[str, str] | None,
    compute: Callable[[Utterance], str],
    *,
    skip: bool,
    on_done: Callable[[int], None],
) -> dict[str, str]:
    """Return a text for each utterance: computed by the first call, read from disk by later ones."""
    digests = files if files is not None else file_digests(manifest)
    in_order = sorted(manifest, key=lambda u: u.id)
    found: dict[str, str | None] = {}
    with ThreadPoolExecutor() as pool:
        for first in range(0, len(in_order), _BLOCK):
            block = in_order[first : first + _BLOCK]
            path = _place(kind, [(digests[u.id], u.start, u.end) for u in block])
            texts = _stored(path, len(block))
            if texts is None or (None in texts and not skip):
                texts = []
                for done, text in enumerate(pool.map(partial(_or_nothing, compute, skip=skip), block), first + 1):
                    texts.append(text)
                    on_done(done)
                write_whole(path, json.dumps(texts))
            found |= {u.id: text for u, text in zip(block, texts, strict=True)}
            on_done(len(found))
    return {name: text for name, text in found.items() if text is not None}


def _or_nothing(compute: Callable[[Utterance], str], u: Utterance, *, skip: bool) -> str | None:
    try:
        return compute(u)
    except MissingExtraError:
        raise
    except AudioError:
        if skip:
            return None
        raise


def _stored(path: Path, count: int) -> list[str | None] | None:
    """Return the texts of a stored block; None if it is not there or damaged, and then is computed again."""
    try:
        texts = parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    is_whole = isinstance(texts, list) and len(texts) == count
    return texts if is_whole and all(isinstance(text, str | None) for text in texts) else None


def _listed(codes: Codes) -> list[tuple[str, str]]:
    return [(name, hashlib.sha256(code).hexdigest()) for name, code in sorted(codes.items())]


def _place(kind: str, content: Sequence[object]) -> Path:
    """Return the file of what is computed from this content by today's code."""
    return cache_dir() / kind / f"{short_digest(json.dumps([_code_version(), content]))}.json"


@cache
def _code_version() -> str:
    """Return a digest of the source code that decides about fingerprints and their matches."""
    return f"{decoder_digest()} {code_digest(_CODE)}"
