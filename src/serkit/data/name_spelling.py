"""Decides whether two names of speakers, sentences or files are one name in two spellings."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC).

    macOS writes the é of a folder as two characters, an e and an accent; NFC has one.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def spelling_key(name: str) -> str:
    """Return a key that is equal for names which differ only by case, surrounding spaces or the coding of accents.

    Example:
        >>> spelling_key("mine/Anna ") == spelling_key("mine/anna")
        True
    """
    return "/".join(part.strip() for part in composed(composed(name).lower()).split("/"))


def names_spelled_alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return each group of different names with one :func:`spelling_key`, sorted."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[spelling_key(name)].add(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)
