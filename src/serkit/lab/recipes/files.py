"""Recipes as YAML: those that come with serkit, one's own, changes from the command line, a schema for editors.

A file whose name ends in ``-MODEL`` is a family: it stands for one recipe per registered model, with that model's own
features and training. A file with the full name of such a recipe takes precedence.
"""

import os
import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from serkit.data.corpora import corpus_names
from serkit.errors import RecipeError, unknown_name
from serkit.lab.recipes.registry import ENSEMBLE, model_names
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.labels import COMMON, LABEL_SETS

_PLACE = "MODEL"  # what stands for a model's name in a family's file
_FAMILY = f"-{_PLACE}"


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that have a file of their own, without those that families make."""
    return tuple(name for name in _files() if not name.endswith(_FAMILY))


def family_names() -> tuple[str, ...]:
    """Return the names of the families, which end in ``-MODEL``."""
    return tuple(name for name in _files() if name.endswith(_FAMILY))


def family_models() -> tuple[str, ...]:
    """Return the models that a family has a recipe for."""
    return tuple(name for name in model_names() if name != ENSEMBLE)


def load_recipe(name_or_path: str | os.PathLike[str], changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its name, or from a YAML file.

    Args:
        name_or_path: A name of :func:`recipe_names`, one of a family with a model's name in place of ``MODEL``, or a
            file that ends in ``.yaml``.
        changes: Each ``key=value``, with dots between keys and the value in YAML, such as ``train.epochs=5``. The
            recipe's name then says so too, unless it is given itself; of ``seeds`` it does not.

    Raises:
        UnknownNameError: If it is neither.
        RecipeError: If the file is not a valid recipe, or a change is not possible.
    """
    text = _text(name_or_path)
    try:
        settings = yaml.safe_load(text.decode("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{str(name_or_path)!r} is not YAML: {' '.join(str(error).split())}") from error
    if changes and isinstance(settings, dict):
        settings = changed(settings, changes)
    return parse_recipe(settings)


def dump_recipe(recipe: Recipe) -> str:
    """Return a recipe as YAML."""
    return yaml.safe_dump(recipe.as_mapping(), sort_keys=False, allow_unicode=True)


def changed(settings: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return a recipe's settings with changes from the command line, see :func:`load_recipe`.

    Raises:
        RecipeError: If a change is not ``key=value``, or its key leads through something that has no keys.

    Example:
        >>> changed({"name": "a", "model": "crnn"}, ["model.recurrent=0"])
        {'name': 'a+model.recurrent-0', 'model': {'name': 'crnn', 'recurrent': 0}}
    """
    marks, is_named = [], False
    for change in changes:
        key, equals, text = change.partition("=")
        keys = key.strip().split(".")
        if not equals or not all(keys):
            raise RecipeError(f"--set {change!r}: a change is key=value, such as train.epochs=5.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise RecipeError(f"--set {change!r}: the value is not YAML.") from error
        settings = with_setting(settings, keys, value, f"--set {change!r}")
        if keys != ["seeds"]:  # the same experiment, more or less often
            marks.append(f"{key.strip()}-{text}")
        is_named = is_named or keys == ["name"]
    name = settings.get("name")
    if isinstance(name, str) and marks and not is_named:
        slug = "+".join(re.sub(r"[^a-z0-9._]+", "-", mark.lower()).strip("-") for mark in marks)
        settings = {**settings, "name": f"{name}+{slug}"}
    return settings


def with_setting(settings: object, keys: Sequence[str], value: object, change: str) -> Any:
    """Return nested settings with one of them changed; a name stands for a mapping that has nothing else.

    Args:
        settings: Mappings within mappings.
        keys: The way to the setting.
        value: What it becomes.
        change: What messages call it.

    Raises:
        RecipeError: If the way leads through something that has no keys.
    """
    if not keys:
        return value
    if isinstance(settings, str):
        settings = {"name": settings}
    if settings is not None and not isinstance(settings, dict):
        raise RecipeError(f"{change}: {keys[0]!r} would be a key of a list or a number; set the whole of it.")
    below = dict(settings or {})
    return {**below, keys[0]: with_setting(below.get(keys[0]), keys[1:], value, change)}


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of a recipe file, for editors: with the names that there are, and every short form."""
    schema = Recipe.model_json_schema()
    models = {"enum": list(model_names()), "description": "see 'serkit models list'"}
    named = {"type": "object", "required": ["name"], "additionalProperties": True}
    one = {"anyOf": [{"type": "string"}, named | {"properties": {"name": {"type": "string"}}}]}
    several = {"anyOf": [one, {"type": "array", "items": one}]}
    own = schema["properties"]
    own["model"] = {"anyOf": [models, named | {"properties": {"name": models}}]}
    own["features"] = several | {"description": "see 'serkit features list'"}
    own["augment"] = {"anyOf": [{"$ref": "#/$defs/Augment"}, {"type": "array", "items": one}]}
    for part in (own, schema["$defs"]["Pretrain"]["properties"]):
        part["corpora"]["items"] = {"anyOf": [{"enum": list(corpus_names())}, {"type": "string"}]}
        part["labels"] = {
            "anyOf": [{"enum": [*LABEL_SETS, COMMON]}, {"type": "array", "items": {"type": "string"}, "minItems": 2}]
        }
    schema["$defs"]["Augment"]["properties"]["waveform"]["items"] = one
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "serkit recipe", **schema}


@cache
def _files() -> dict[str, Traversable]:
    folder = resources.files("serkit.lab.recipes") / "library"
    files = {e.name.removesuffix(".yaml"): e for e in folder.iterdir() if e.name.endswith(".yaml")}
    return dict(sorted(files.items()))


def _text(name_or_path: str | os.PathLike[str]) -> bytes:
    path = Path(name_or_path)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise RecipeError(f"no recipe file {str(path)!r}.")
        return path.read_bytes()
    name, files = os.fspath(name_or_path), _files()
    if name in files and not name.endswith(_FAMILY):
        return files[name].read_bytes()
    for family in family_names():
        model = name.removeprefix(family.removesuffix(_PLACE))
        if model != name and model in family_models():
            return files[family].read_bytes().replace(_PLACE.encode(), model.encode())
    if name in files:
        raise RecipeError(f"{name} is a family: put a model's name in place of {_PLACE}, as in {name[:-5]}crnn.")
    known = (*recipe_names(), *(f.removesuffix(_PLACE) + m for f in family_names() for m in family_models()))
    raise unknown_name("recipe", name, known, "serkit recipes list")
