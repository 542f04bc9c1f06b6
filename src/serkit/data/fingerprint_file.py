"""Writes and reads the acoustic fingerprints of a run's utterances as one file."""

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
BySpeaker = Mapping[str, Mapping[str, bytes]]  # speaker to utterance id to fingerprint


def write_fingerprints(folder: Path, utterances: Iterable[Utterance], codes: Codes) -> None:
    """Write the fingerprints of utterances into a run folder, by speaker."""
    content: dict[str, dict[str, str]] = defaultdict(dict)
    for u in sorted(utterances, key=lambda u: u.id):
        content[u.speaker][u.id] = as_text(codes[u.id])
    write_whole(folder / FINGERPRINTS, json.dumps(content, ensure_ascii=False))


def read_fingerprints(folder: Path) -> BySpeaker:
    """Return the fingerprints in a run folder by speaker and utterance; empty if it has none.

    Raises:
        RunError: If the file is damaged.
    """
    path = folder / FINGERPRINTS
    if not path.is_file():
        return {}
    try:
        content = parse_json(path.read_bytes())
        return {speaker: {name: from_text(text) for name, text in codes.items()} for speaker, codes in content.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error
