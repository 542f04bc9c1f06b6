"""Refuses data whose speakers are named in some rows only.

Rows without a name count together as one speaker, which no split separates. Where other rows have names, this speaker
may be among the named ones, so a split by speaker would put one voice on both sides. pandas writes an empty cell as
``nan``, which would be one more speaker.
"""

from collections import Counter

from serkit.data.name_spelling import says_nothing
from serkit.errors import ManifestError

UNKNOWN = "unknown"  # speaker of all utterances without one; as one speaker, they stay on one side of every split


class SpeakerColumn:
    """Speakers of the rows of a table, or of several tables of one data set, in the order they are read."""

    def __init__(self) -> None:
        self._named: Counter[str] = Counter()
        self._nameless: Counter[str] = Counter()
        self._first: dict[str, tuple[str, str]] = {}

    def add(self, name: str, *, corpus: str, where: str) -> str:
        """Add a row.

        Args:
            name: Speaker, with or without the corpus before it; empty for an empty cell.
            corpus: Corpus of the row.
            where: File and row named in error messages.

        Returns:
            The name; ``unknown`` for one that says nothing, such as ``nan``.
        """
        if not says_nothing(name.removeprefix(f"{corpus}/")):
            self._named[corpus] += 1
            return name
        self._nameless[corpus] += 1
        self._first.setdefault(corpus, (where, name))
        return UNKNOWN

    def check(self) -> None:
        """Check that all rows of a corpus have a speaker, or none.

        Raises:
            ManifestError: If some rows have one and others do not.
        """
        for corpus, (where, name) in self._first.items():
            if self._named[corpus]:
                count, total = self._nameless[corpus], self._nameless[corpus] + self._named[corpus]
                shown = f" ({name!r})" if name.strip() else ""
                raise ManifestError(
                    f"{where}: no speaker{shown}, as in {count} of {total} rows, while "
                    "the others have one: fill in who speaks, leave these rows out, or leave the whole column out, so "
                    "that all rows count as one speaker."
                )
