"""Sentences on stderr about audio that was answered, but not without reserve."""

from collections.abc import Sequence

from serkit.annotations.wording import gaps_in_words
from serkit.cli.terminal import echo
from serkit.types import REMARKS, Gap


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
            echo(f"serkit: {name}: {gaps_in_words(gaps)}.", err=True)
