"""Recipe files: the YAML files that come with serkit and your own, changes to them, and a JSON schema for editors.

A file whose name ends in ``-MODEL`` is a family: it stands for one recipe per registered model, with that model's
default features and training. A file with the full name of such a recipe takes precedence.
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

from serkit.card import with_american_keys
from serkit.data.corpora import corpus_names
from serkit.data.yaml_documents import parse_yaml
from serkit.errors import RecipeError, unknown_name
from serkit.lab.recipes.registry import ENSEMBLE, model_names
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.labels import COMMON, LABEL_SETS

_PLACE = "MODEL"  # placeholder for a model's name in the file of a family
_FAMILY = f"-{_PLACE}"


def recipe_names() -> tuple[str, ...]:
    """Return the names of the recipes that have a file of their own."""
    return tuple(name for name in _files() if not name.endswith(_FAMILY))


def family_names() -> tuple[str, ...]:
    """Return the names of the families, which end in ``-MODEL``."""
    return tuple(name for name in _files() if name.endswith(_FAMILY))


def family_models() -> tuple[str, ...]:
    """Return the names of the models that a family has a recipe for."""
    return tuple(name for name in model_names() if name != ENSEMBLE)


def load_recipe(name_or_path: str | os.PathLike[str], changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe by its name, or from a YAML file.

    Args:
        name_or_path: Name of a recipe that comes with serkit, such as ``emodb-loso-crnn``, or a file that ends in
            ``.yaml``. In the name of a family, such as ``emodb-loso-MODEL``, put a model's name for ``MODEL``.
        changes: Settings to change, each as ``key=value`` with dots between keys and a YAML value, such as
            ``train.epochs=5``. They become a part of the recipe's name, except ``seeds``, and unless ``name`` is one.

    Returns:
        The recipe.

    Raises:
        UnknownNameError: If there is no recipe of that name.
        RecipeError: If the file is not a valid recipe, or a change is not possible.

    Example:
        >>> load_recipe("emodb-loso-crnn", ["train.epochs=5"]).name
        'emodb-loso-crnn+train.epochs-5'
    """
    text = _text(name_or_path)
    try:
        settings = parse_yaml(text)
    except ValueError as error:
        raise RecipeError(f"{str(name_or_path)!r} is not YAML: {str(error).rstrip('.')}.") from error
    if changes and isinstance(settings, dict):
        settings = changed(settings, changes)
    return parse_recipe(with_american_keys(settings))  # older run folders have British ones


def dump_recipe(recipe: Recipe) -> str:
    """Return a recipe as YAML."""
    return yaml.safe_dump(recipe.as_mapping(), sort_keys=False, allow_unicode=True)


def changed(settings: dict[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return a recipe's settings with some changed, see :func:`load_recipe`.

    Raises:
        RecipeError: If a change is not ``key=value``, or its key goes through a value that is not a mapping.

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
            value = parse_yaml(text)
        except ValueError as error:
            why = "." if isinstance(error.__cause__, yaml.YAMLError) else f": {error}."
            raise RecipeError(f"--set {change!r}: the value is not YAML{why}") from error
        settings = with_setting(settings, keys, value, f"--set {change!r}")
        if keys != ["seeds"]:  # other seeds are the same experiment
            marks.append(f"{key.strip()}-{text}")
        is_named = is_named or keys == ["name"]
    name = settings.get("name")
    if isinstance(name, str) and marks and not is_named:
        slug = "+".join(re.sub(r"[^a-z0-9._]+", "-", mark.lower()).strip("-") for mark in marks)
        settings = {**settings, "name": f"{name}+{slug}"}
    return settings


def with_setting(settings: object, keys: Sequence[str], value: object, change: str) -> Any:
    """Return nested settings with one of them changed; a text on the way counts as a mapping with that ``name``.

    Args:
        settings: Nested mappings.
        keys: Keys from the outermost mapping to the setting.
        value: New value.
        change: Name of the change in messages.

    Raises:
        RecipeError: If one of the keys goes through a value that is not a mapping.
    """
    if not keys:
        return value
    if isinstance(settings, str):
        settings = {"name": settings}
    if settings is not None and not isinstance(settings, dict):
        raise RecipeError(f"{change}: {keys[0]!r} would be a key of a list or a number; set the whole value instead.")
    below = dict(settings or {})
    return {**below, keys[0]: with_setting(below.get(keys[0]), keys[1:], value, change)}


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of recipe files, for editors, with all known names and every short form."""
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
            "anyOf": [
                {"enum": [*sorted({*LABEL_SETS, *corpus_names()}), COMMON]},
                {"type": "array", "items": {"type": "string"}, "minItems": 2},
            ]
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
        raise RecipeError(
            f"{name!r} is a family of recipes: put a model's name in place of {_PLACE}, as in {name[:-5]}crnn."
        )
    known = (*recipe_names(), *(f.removesuffix(_PLACE) + m for f in family_names() for m in family_models()))
    raise unknown_name("recipe", name, known, "serkit recipes list")
