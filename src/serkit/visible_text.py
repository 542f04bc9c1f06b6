r"""Makes the characters visible that a text from a stranger could hide or a terminal would obey.

File names, labels, speakers and model cards are written by others. A terminal obeys escape sequences, a bidirectional
override shows a name backwards, and a zero-width character makes two names look like one. None of them is shown as it
is: on pages and terminals they appear as ``\u001b``, the form that JSON has too.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from html import escape

_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # Unicode categories: controls, formats, surrogates, separators
_JOINERS = "\u200c\u200d"  # Persian and Indic spelling and emojis need them; between other letters they only hide
_BLANK = re.compile(  # characters of other categories that nothing is drawn for, Unicode's Default_Ignorable_Code_Point
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_MARKUP = "\\`*|[]~"  # characters of GitHub's Markdown that a backslash makes plain
_EMPHASIS = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")  # one within a word is no markup
_LINKS = {"://": ":&#47;/", "www.": "www&#46;", "@": "&#64;"}  # what GitHub makes a link of without any markup


def visible(text: str, *, keep: str = "") -> str:
    r"""Return text with its control, formatting and other invisible characters written as ``\uXXXX``.

    Args:
        text: Any text.
        keep: Characters to keep, such as a line feed for texts of several lines.

    Example:
        >>> print(visible("a\x1b[31mb\u202ec.wav"))
        a\u001b[31mb\u202ec.wav
    """
    if text.isprintable():
        return text
    return "".join(
        _written(char) if char not in keep and _is_hidden(text, place, char) else char
        for place, char in enumerate(text)
    )


def in_markdown(text: str) -> str:
    r"""Return text for a cell or sentence of GitHub's Markdown, where none of it is markup, HTML or a link.

    Example:
        >>> print(in_markdown("a|b <b>`c`"))
        a\|b &lt;b&gt;\`c\`
    """
    plain = "".join(f"\\{char}" if char in _MARKUP else char for char in visible(text))
    plain = _EMPHASIS.sub(r"\\_", escape(plain, quote=False))
    for sign, written in _LINKS.items():
        plain = plain.replace(sign, written)
    return plain


def side_by_side(names: Sequence[str]) -> tuple[str, ...]:
    r"""Return names that look alike in quotation marks, with what a reader cannot see of their difference written out.

    Written as ``\uXXXX`` are invisible characters, spaces that are not plain ones, accents and full-width letters that
    not all names have, and letters of a script that not all names have; those scripts are named too.

    Args:
        names: Different names that are one to a reader.

    Example:
        >>> print(*side_by_side(("Anna", "An\u200bna", "\u0410nna")))
        'Anna' 'An\u200bna' '\u0410nna' (Cyrillic)
    """
    scripts = {name: {script_of(char) for char in name if char.isalpha()} for name in names}
    shared = set.intersection(*scripts.values()) if scripts else set()
    common = set.intersection(*map(set, names)) if scripts else set()
    shown = []
    for name in names:
        told = [_written(char) if _is_odd(char, shared, common) else char for char in name]
        strange = " and ".join(sorted(scripts[name] - shared - {"Latin"}))
        shown.append(f"'{''.join(told)}'" + (f" ({strange})" if strange else ""))
    return tuple(shown)


def is_invisible(char: str) -> bool:
    """Whether a character leaves no mark on a page; spaces and undecodable bytes do not count."""
    return unicodedata.category(char) in ("Cc", "Cf") or _BLANK.fullmatch(char) is not None


def script_of(char: str) -> str:
    """Return the script of a letter by the first word of its Unicode name, such as ``Cyrillic``."""
    if char.isascii():
        return "Latin"
    return unicodedata.name(unicodedata.normalize("NFKC", char)[0], "unknown").partition(" ")[0].capitalize()


def _is_odd(char: str, shared: Collection[str], common: Collection[str]) -> bool:
    if char.isascii():
        return char < " " or char == "\x7f"
    if is_invisible(char) or not char.isprintable():
        return True
    if char in common:
        return False
    if char.isalpha() and script_of(char) not in shared:
        return True
    return unicodedata.combining(char) > 0 or unicodedata.normalize("NFKC", char) != char


def _is_hidden(text: str, place: int, char: str) -> bool:
    if unicodedata.category(char) not in _HIDDEN:
        return False
    if char not in _JOINERS:
        return True
    return text[place - 1 : place].isascii() or text[place + 1 : place + 2].isascii()  # true at either end too


def _written(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
