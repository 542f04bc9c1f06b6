r"""Makes the characters visible that a text from a stranger could hide or a terminal would obey.

File names, labels, speakers and model cards are written by others. A terminal obeys escape sequences, a bidirectional
override shows a name backwards, and a zero-width character makes two names look like one. None of them is shown as it
is: on pages and terminals they appear as ``\u001b``, the form that JSON has too.
"""

import re
import unicodedata
from html import escape

_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))  # Unicode categories: controls, formats, surrogates, separators
_JOINERS = "\u200c\u200d"  # Persian and Indic spelling and emojis need them; between other letters they only hide
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


def _is_hidden(text: str, place: int, char: str) -> bool:
    if unicodedata.category(char) not in _HIDDEN:
        return False
    if char not in _JOINERS:
        return True
    return text[place - 1 : place].isascii() or text[place + 1 : place + 2].isascii()  # true at either end too


def _written(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
