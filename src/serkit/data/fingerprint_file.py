"""Writes and reads the acoustic fingerprints of a run's utterances as one file."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from serkit.data.fingerprint_cache import Codes, as_text, from_text
from serkit.errors import RunError
from serkit.parsing import parse_json
from serkit.types import Utterance
from serkit.writing import write_whole

FINGERPRINTS = "fingerprints.json"
FINGERPRINTS_SHA = "fingerprints_sha256"  # key of ``env.json``: SHA-256 of the file
BySpeaker = Mapping[str, Mapping[str, bytes]]  # speaker to utterance id to fingerprint


def write_fingerprints(folder: Path, utterances: Iterable[Utterance], codes: Codes) -> str:
    """Write the fingerprints of utterances into a run folder, by speaker, and return the SHA-256 of the file."""
    content: dict[str, dict[str, str]] = defaultdict(dict)
    for u in sorted(utterances, key=lambda u: u.id):
        content[u.speaker][u.id] = as_text(codes[u.id])
    text = json.dumps(content, ensure_ascii=False)
    write_whole(folder / FINGERPRINTS, text)
    return hashlib.sha256(text.encode()).hexdigest()


def read_fingerprints(folder: Path) -> BySpeaker:
    """Return the fingerprints in a run folder by speaker and utterance; empty if it has none.

    Raises:
        RunError: If the file is damaged, was edited, or is missing although ``env.json`` has its digest.
    """
    path = folder / FINGERPRINTS
    expected = _expected_digest(folder)
    if not path.is_file() and not expected:
        return {}
    try:
        text = path.read_bytes()
        if hashlib.sha256(text).hexdigest() != expected:
            raise RunError(f"{str(path)!r} is not the file of this run: its digest differs from that in env.json.")
        content = parse_json(text)
        return {speaker: {name: from_text(text) for name, text in codes.items()} for speaker, codes in content.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(
            f"{str(path)!r} is missing or damaged: restore it, or train the model again ({error})."
        ) from error


def _expected_digest(folder: Path) -> str:
    try:
        return str(parse_json((folder / "env.json").read_bytes()).get(FINGERPRINTS_SHA, ""))
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(f"{str(folder / 'env.json')!r} is missing or damaged ({error}).") from error
