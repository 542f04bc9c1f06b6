"""Settings of models and features: plain dataclasses, filled from a recipe with unknown keys refused."""

import re
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from serkit.errors import RecipeError, nearest

T = TypeVar("T")
_WORDS = {  # what pydantic says, and what somebody who writes YAML would
    "a valid tuple": "a list",
    r"a valid dictionary( or instance of \w+)?": "a mapping",
    "String should match pattern .*": "small letters, digits and . _ + - alone, a letter or digit first",
}


def build_settings(config: type[T], settings: dict[str, Any], *, where: str) -> T:
    """Fill a dataclass from a mapping.

    Args:
        config: A dataclass with a default for each field.
        settings: Field to value.
        where: How a message names the place, such as ``model: crnn``.

    Raises:
        RecipeError: If a key is unknown, or a value has the wrong type or is impossible.
    """
    known = [f.name for f in fields(config)]  # type: ignore[arg-type]
    for key in settings:
        if key not in known:
            hint = nearest(key, known) or "."
            raise RecipeError(f"{where} has no setting {key!r}{hint} It has {', '.join(known)}.")
    try:
        return TypeAdapter(config).validate_python(settings)
    except ValidationError as error:
        raise RecipeError(f"{where}: {describe(error)}") from error


def require(settings: object, **claims: bool) -> None:
    """Check settings against each other, from a dataclass's ``__post_init__``.

    Args:
        settings: The dataclass.
        claims: The setting that is at fault where its claim is false.

    Raises:
        RecipeError: For the first claim that is false.
    """
    for name, holds in claims.items():
        if not holds:
            value = getattr(settings, name)
            raise RecipeError(f"{name} is out of range: {value!r}; see 'serkit recipes show' for the defaults.")


def describe(error: ValidationError) -> str:
    """Say in one sentence what pydantic found wrong first."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ").removesuffix(".").removesuffix(".")
    for pattern, word in _WORDS.items():
        message = re.sub(pattern, word, message)
    return f"{place}: {message}." if place else f"{message}."
