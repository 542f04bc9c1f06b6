"""Whether runs on utterances of the same names heard the same audio.

A run stores a digest of the audio of all its utterances. Two digests can be compared if they are of the same
utterances, decoded at the same sampling rate: if such digests differ, the runs are not on the same clips.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from serkit.lab.measure.run_entry import RunEntry

_Key = tuple[str, str, int | None]  # digests of answers and manifest, and the sampling rate


def tell_apart(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Return the runs with different digests of their answers where their audio differs, so they are not compared.

    Where audio differs, a run that stored no digest of it is compared with neither side.

    Args:
        entries: Runs of a table.
    """
    split = {key for key, found in _by_key(entries).items() if len(_known(found)) > 1}
    return [_with_audio(entry) if _key(entry) in split else entry for entry in entries]


def differing(entries: Sequence[RunEntry]) -> list[list[list[RunEntry]]]:
    """Return the runs on utterances of the same names but different audio, in groups of the same audio.

    Args:
        entries: Runs of a table, as they were read.
    """
    found = []
    for some in _by_key(entries).values():
        digests = dict.fromkeys(entry.audio.digest for entry in some)
        if len(_known(some)) > 1:
            found.append([[entry for entry in some if entry.audio.digest == digest] for digest in digests])
    return found


def of_unknown_audio(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Return the runs that stored no digest of their audio, and share their utterances with another run.

    Args:
        entries: Runs of a table.
    """
    digests = [entry.answers.digest if entry.answers else None for entry in entries]
    return [
        entry
        for entry, digest in zip(entries, digests, strict=True)
        if digest is not None and entry.audio.digest is None and digests.count(digest) > 1
    ]


def _by_key(entries: Iterable[RunEntry]) -> dict[_Key, list[RunEntry]]:
    found: dict[_Key, list[RunEntry]] = {}
    for entry in entries:
        if key := _key(entry):
            found.setdefault(key, []).append(entry)
    return found


def _key(entry: RunEntry) -> _Key | None:
    return (entry.answers.digest, entry.audio.manifest, entry.audio.sampling_rate) if entry.answers else None


def _known(entries: Iterable[RunEntry]) -> set[str]:
    return {entry.audio.digest for entry in entries if entry.audio.digest is not None}


def _with_audio(entry: RunEntry) -> RunEntry:
    answers, audio = entry.answers, entry.audio
    if answers is None:
        return entry
    digest = " ".join((answers.digest, audio.manifest, str(audio.sampling_rate), audio.digest or "unknown"))
    return replace(entry, answers=replace(answers, digest=digest))
