"""Settings of models and features: dataclasses that are filled from a recipe. Unknown keys are refused."""

import re
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from serkit.errors import RecipeError, nearest

T = TypeVar("T")
_WORDS = {  # pydantic's words, and YAML's
    "a valid tuple": "a list",
    r"a valid dictionary( or instance of \w+)?": "a mapping",
    "String should match pattern .*": "only lowercase letters, digits and . _ + -, starting with a letter or digit",
}


def build_settings(config: type[T], settings: dict[str, Any], *, where: str) -> T:
    """Fill a dataclass from a mapping.

    Args:
        config: Dataclass with a default for each field.
        settings: Field name to value.
        where: Place for messages, such as ``model: crnn``.

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
    """Check the settings of a dataclass, from its ``__post_init__``.

    Args:
        settings: The dataclass.
        claims: Name of a setting to whether its value is allowed.

    Raises:
        RecipeError: For the first setting with a value that is not allowed.
    """
    for name, holds in claims.items():
        if not holds:
            value = getattr(settings, name)
            raise RecipeError(f"{name} is out of range: {value!r}; see 'serkit recipes show' for the defaults.")


def describe(error: ValidationError) -> str:
    """Return the first of pydantic's errors as one sentence."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ").removesuffix(".").removesuffix(".")
    for pattern, word in _WORDS.items():
        message = re.sub(pattern, word, message)
    return f"{place}: {message}." if place else f"{message}."
