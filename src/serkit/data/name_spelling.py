"""Decides whether two names of speakers, sentences or files are one name to a reader, and which names say nothing.

Source of the look-alike letters: Unicode Technical Standard #39, Unicode Security Mechanisms, ``confusables.txt``, of
which this is the part between Latin and the Cyrillic and Greek letters.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from serkit.visible_text import is_invisible, script_of

# Within a script no two letters become one, so that different names in it stay different.
_CYRILLIC = dict(zip("авеѕіјкмнорстухԁԛԝӏѵ", "abesijkmhopctyxdqwlv", strict=True))
_GREEK = dict(zip("αβεζηικμνορτυχ", "abezhikmnoptyx", strict=True))
_LIKE_LATIN = str.maketrans(_CYRILLIC | _GREEK | {"\u0131": "i", "\u0251": "a", "\u0261": "g"})
_BESIDE_LATIN = str.maketrans(dict(zip("һҺүьгпνυηγσω", "hhybrnvunyow", strict=True)))  # only in names of two scripts
_PUNCTUATION = frozenset("`|~\u02bc\u2044\u2212\u2215")
_SEPARATORS = frozenset(("Zs", "Zl", "Zp", "Pd", "Pc", "Pi", "Pf", "Po", "Ps", "Pe"))  # spaces and punctuation
_APART = "-"  # stands for the separators between two digits
_BESIDE_LETTERS = re.compile(rf"(?<!\d){_APART}+|{_APART}+(?!\d)")
_LEADING_ZEROS = re.compile(r"(?<!\d)0+(?=\d)")
_WHOLE_NUMBER = re.compile(r"^(\d+)-0+$")  # 1.0, as pandas writes a column of numbers with a gap
_NOTHING = frozenset(("nan", "<na>", "n/a", "#n/a", "none", "null", "unknown"))


def composed(name: str) -> str:
    """Return a name in Unicode's composed form (NFC).

    macOS writes the é of a folder as two characters, an e and an accent; NFC has one.
    """
    return name if name.isascii() else unicodedata.normalize("NFC", name)


@lru_cache(maxsize=50_000)
def spelling_key(name: str) -> str:
    """Return a key that is equal for names which are one name to a reader.

    Case, spaces, dashes, dots and other punctuation, invisible characters, the encoding of accents, full-width letters,
    Cyrillic and Greek letters that look like Latin ones, and leading zeros do not count. Between two digits a separator
    counts, but not which one: ``1-1`` and ``1_1`` are one name, ``11`` is another. The corpus, before the first slash,
    counts as it is, but for case and surrounding spaces.

    Example:
        >>> spelling_key("mine/An-na ") == spelling_key("mine/anna")
        True
        >>> spelling_key("mine/Müller") == spelling_key("mine/Muller")
        False
    """
    written = unicodedata.normalize("NFKC", name.replace("\u00b4", "'"))  # NFKC makes it a space and an accent
    corpus, slash, rest = written.partition("/")
    return "/".join((corpus.strip().lower(), *map(_key, rest.split("/")))) if slash else _key(written)


def names_spelled_alike(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Return each group of different names with one :func:`spelling_key`, sorted."""
    groups: dict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[spelling_key(name)].add(name)
    return sorted(tuple(sorted(group)) for group in groups.values() if len(group) > 1)


@lru_cache(maxsize=50_000)
def says_nothing(name: str) -> bool:
    """Whether a name stands for a missing one: empty, a word such as ``nan`` or ``n/a``, or a sign such as ``?``.

    Example:
        >>> [says_nothing(name) for name in ("NaN", " - ", "N/A", "Nana", "0")]
        [True, True, True, False, False]
    """
    text = "".join(char for char in unicodedata.normalize("NFKC", name) if not is_invisible(char)).strip()
    return text == "NA" or text.lower() in _NOTHING or all(unicodedata.category(char).startswith("P") for char in text)


def _key(part: str) -> str:
    """Return the key of a name without slashes."""
    text = "".join(map(_plain, unicodedata.normalize("NFKD", part)))
    if len({script_of(char) for char in text if char.isalpha()}) > 1:
        text = text.translate(_BESIDE_LATIN)
    text = unicodedata.normalize("NFKD", text.casefold()).translate(_LIKE_LATIN).replace("i\u0307", "i")
    text = _BESIDE_LETTERS.sub("", re.sub(f"{_APART}+", _APART, text))
    return _LEADING_ZEROS.sub("", _WHOLE_NUMBER.sub(r"\1", text) if "." in part else text)


def _plain(char: str) -> str:
    """Return a digit as 0 to 9, a dash for any separator, nothing for what cannot be seen, else the character."""
    if char.isascii() and char.isalnum():
        return char
    if char.isspace() or char in _PUNCTUATION or unicodedata.category(char) in _SEPARATORS:
        return _APART
    if is_invisible(char):
        return ""
    return str(unicodedata.decimal(char)) if char.isdecimal() else char
