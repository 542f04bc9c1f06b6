"""The format in which each clip was recorded, and speakers grouped by the formats of their neutral and other clips."""

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import soundfile

Group = Literal["differs", "mixed", "same", "no neutral"]
GROUPS: tuple[Group, ...] = ("differs", "mixed", "same", "no neutral")


class SourceFormat(NamedTuple):
    """Sampling rate in Hz and number of channels of a recording."""

    rate: int
    channels: int


class ClipOfSpeaker(NamedTuple):
    """What grouping needs to know about a clip."""

    speaker: str
    is_neutral: bool
    source: SourceFormat


def read_formats(path: Path) -> dict[str, SourceFormat]:
    """Return the format of each clip of a table with the columns clip, source_sampling_rate and source_channels."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            row["clip"]: SourceFormat(int(row["source_sampling_rate"]), int(row["source_channels"]))
            for row in csv.DictReader(file)
        }


def formats_of_files(paths: Iterable[Path]) -> dict[str, SourceFormat]:
    """Return the format of each sound file by its header, by the name of the file without its ending.

    Raises:
        ValueError: If not all files are WAV files, or all have one format: then they are not the original ones.
    """
    found: dict[str, SourceFormat] = {}
    for path in paths:
        if path.suffix.lower() != ".wav":
            raise ValueError(
                f"{path.name} is not an original WAV file, so its header does not tell the source's format."
            )
        info = soundfile.info(path)
        found[path.stem] = SourceFormat(info.samplerate, info.channels)
    if len(set(found.values())) < 2:
        raise ValueError("all files have one format, so they were converted and do not tell the source's format.")
    return found


def group_of(neutral: Sequence[SourceFormat], others: Sequence[SourceFormat]) -> Group:
    """Return how the formats of a speaker's neutral clips relate to those of the other clips.

    Args:
        neutral: Formats of the neutral clips.
        others: Formats of all other clips.

    Returns:
        ``differs`` if no other clip has the format of a neutral clip, ``same`` if all clips have one format, ``mixed``
        if there are several formats and both kinds of clips share one, ``no neutral`` without neutral clips.
    """
    if not neutral:
        return "no neutral"
    if not set(neutral) & set(others):
        return "differs"
    return "same" if set(neutral) == set(others) and len(set(others)) == 1 else "mixed"


def group_speakers(clips: Iterable[ClipOfSpeaker]) -> dict[str, Group]:
    """Return the group of each speaker, in the order of their names."""
    formats: Mapping[str, tuple[list[SourceFormat], list[SourceFormat]]] = defaultdict(lambda: ([], []))
    for clip in clips:
        formats[clip.speaker][0 if clip.is_neutral else 1].append(clip.source)
    return {speaker: group_of(*formats[speaker]) for speaker in sorted(formats)}
