"""When two names of people or things are one name, whatever way they were typed."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC): macOS writes the é of a folder as an e and an accent."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def written_alike(name: str) -> str:
    """Return what names have in common that differ by case, surrounding spaces or the coding of accents alone.

    Example:
        >>> written_alike("mine/Anna ") == written_alike("mine/anna")
        True
    """
    return "/".join(part.strip() for part in composed(composed(name).lower()).split("/"))


def doubtful_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return each group of different names that are written alike, sorted."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[written_alike(name)].add(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)
