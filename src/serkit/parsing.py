"""Parses JSON that others wrote: whatever is wrong with a text is a ``ValueError`` of one sentence.

Python's parser leaves some faults to crash later: nesting deeper than its stack, and numbers with thousands of digits.
:mod:`serkit.data.yaml_documents` does the same for YAML.
"""

import base64
import json
from typing import Any

MOST_LEVELS = 100  # nesting of lists and mappings; a recipe has five
MOST_BITS = 64  # of a whole number
_MOST_SHOWN = 20  # digits of a number in a message


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON document.

    Args:
        text: The document, in UTF-8 if bytes.

    Raises:
        ValueError: If it is not JSON, not text, nested more than 100 levels deep, or holds a whole number of more
            than 64 bits.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        content = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(too_deep()) from None
    if text.count("[") + text.count("{") > MOST_LEVELS:
        _check_levels(content)
    return content


def _check_levels(content: object) -> None:
    """Check the depth of a parsed document without recursion."""
    level: list[object] = [content]
    for _ in range(MOST_LEVELS + 1):
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError(too_deep())


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_BITS:
        raise ValueError(too_large(digits))
    return checked_number(int(digits), digits)


def checked_number(number: int, written: str) -> int:
    """Return a whole number of at most 64 bits.

    Args:
        number: The number.
        written: The number as the document has it.

    Raises:
        ValueError: If it is larger.
    """
    if number.bit_length() > MOST_BITS:
        raise ValueError(too_large(written))
    return number


def too_large(written: str) -> str:
    """Return the clause on a whole number that is too large."""
    shown = written if len(written) <= _MOST_SHOWN else f"{written[:_MOST_SHOWN]}..."
    return f"the number {shown} is too large"


def too_deep() -> str:
    """Return the clause on a document that is nested too deeply."""
    return f"it is nested more than {MOST_LEVELS} levels deep"


_DECODER = json.JSONDecoder(parse_int=_whole_number)  # json.loads would build one for each document


def is_base64(text: str) -> bool:
    """Whether a text is base64, without spaces or line breaks."""
    try:
        base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return True
