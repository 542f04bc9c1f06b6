"""Parses JSON that others wrote, and checks each value against the type hint of its field.

A message names the field and both types. Unknown fields are left aside, since a later version may have added them.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

from serkit.parsing import parse_json

_LONGEST_SHOWN = 40  # characters of a wrong value in a message
_LARGEST_INT = 2**53  # JSON readers other than Python's keep no larger integer exactly
# Control characters, those that reverse the direction of text, line separators and lone surrogates. A terminal obeys
# some of them, and others make a line look like another one.
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_REPLACEMENT = "\ufffd"


class WrongTypeError(ValueError):
    """A value of another type than its field."""


def is_clean(text: str) -> bool:
    """Return whether a parsed text is one line, and had no control characters before."""
    return not {"\n", "\t", _REPLACEMENT} & {*text}


def parse(text: str) -> Any:
    """Parse JSON. Control characters in its strings become the replacement character.

    Args:
        text: JSON document.

    Raises:
        ValueError: If the document is not JSON, is nested too deeply, or holds NaN or an infinite number.
    """
    return _cleaned(parse_json(text))


def typed(value: Any, hint: Any, name: str = "") -> Any:
    """Return a value of parsed JSON as the type of its hint.

    Args:
        value: Value of parsed JSON.
        hint: ``bool``, ``int``, ``float``, ``str``, ``Any``, ``None``, a literal, a union of these, a tuple or mapping
            of these, a typed dictionary, or a dataclass.
        name: Name of the field for the message.

    Returns:
        The value; a list as a tuple, an object as an instance of the dataclass.

    Raises:
        WrongTypeError: If the value has another type, or a field is missing.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin is UnionType:
        (plain,) = (option for option in inner if option is not NoneType)
        return None if value is None else typed(value, plain, name)
    if not _has_type(value, hint):
        shown = json.dumps(value)
        shown = shown if len(shown) <= _LONGEST_SHOWN else f"{shown[:_LONGEST_SHOWN]}..."
        raise WrongTypeError(f"{name or 'the card'} is {shown}; expected {_in_words(hint)}")
    if is_dataclass(hint):
        value = hint(**_members(value, hint, name))  # type: ignore[operator]
    elif is_typeddict(hint):
        value = _members(value, hint, name)
    elif origin is tuple:
        value = tuple(typed(item, inner[0], f"{name}[{i}]") for i, item in enumerate(value))
    elif origin is Mapping:
        value = {key: typed(item, inner[1], f"{name}.{key}") for key, item in value.items()}
    return float(value) if hint is float else value


def _has_type(value: Any, hint: Any) -> bool:
    """Return whether a value has the type of a hint, without looking into lists and objects."""
    if hint is Any or get_origin(hint) is Literal:
        return hint is Any or value in get_args(hint)
    kinds = {bool: (bool,), int: (int,), float: (int, float), str: (str,), tuple: (list,)}
    kind = kinds.get(get_origin(hint) or hint, (dict,))
    return type(value) in kind and (not isinstance(value, int | float) or abs(value) < _LARGEST_INT)


def _members(value: dict[str, Any], hint: Any, name: str) -> dict[str, Any]:
    """Return the known members of an object, checked; those without a default must be there."""
    hints = get_type_hints(hint, include_extras=True)
    if is_dataclass(hint):
        needed = {f.name for f in fields(hint) if f.default is MISSING and f.default_factory is MISSING}
    else:
        needed = set(hint.__required_keys__)
    before = f"{name}." if name else ""
    for missing in sorted(needed - value.keys()):
        raise WrongTypeError(f"{before}{missing} is missing")
    plain = {key: get_args(one)[0] if get_origin(one) is NotRequired else one for key, one in hints.items()}
    return {key: typed(value[key], one, f"{before}{key}") for key, one in plain.items() if key in value}


def _in_words(hint: Any) -> str:
    """Return a type as a JSON author calls it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple:
        return "a list"
    words = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
    return words.get(hint, "an object")


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return _HARMFUL.sub(_REPLACEMENT, value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_HARMFUL.sub(_REPLACEMENT, key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a number")
    return value
