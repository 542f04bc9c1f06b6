"""Sentences on stderr about audio that was answered, but not without reserve."""

from collections.abc import Sequence

from serkit.cli.terminal import echo
from serkit.types import REMARKS, Gap

_MOST_LISTED = 3  # gaps


def print_remarks(files: Sequence[tuple[str, tuple[str, ...]]]) -> None:
    """Print each remark once, with the files that it is about.

    Args:
        files: Names of files with the names of their remarks; see :data:`serkit.types.REMARKS`.
    """
    for remark, sentence in REMARKS.items():
        concerned = [name for name, remarks in files if remark in remarks]
        if concerned:
            others = f" and {len(concerned) - 1} more" if len(concerned) > 1 else ""
            echo(f"serkit: {concerned[0]}{others}: {sentence}.", err=True)


def print_gaps(files: Sequence[tuple[str, tuple[Gap, ...]]]) -> None:
    """Print how much audio is missing from each file.

    Args:
        files: Names of files with their gaps.
    """
    for name, gaps in files:
        if gaps:
            echo(f"serkit: {name}: {_gaps_in_words(gaps)}.", err=True)


def _gaps_in_words(gaps: Sequence[Gap]) -> str:
    ends = [(gap.start, gap.end) for gap in gaps if gap.end is not None]
    parts = []
    if ends:
        first = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in ends[:_MOST_LISTED])
        more = f" and {len(ends) - _MOST_LISTED} more" if len(ends) > _MOST_LISTED else ""
        parts.append(f"no audio for {sum(end - start for start, end in ends):.2f} s ({first}{more})")
    if gaps[-1].end is None:
        parts.append(f"nothing is heard from {gaps[-1].start:.2f} s on")
    return ", and ".join(parts)
