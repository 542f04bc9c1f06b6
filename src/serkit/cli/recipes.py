"""``serkit recipes``: list and show the recipes that come with serkit."""

import json
from typing import Any

import typer

from serkit.cli.options import JsonOption, RecipeArgument, SetOption, show_rows
from serkit.cli.terminal import echo, echo_document

app = typer.Typer(help="Recipes: the experiments that come with serkit.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("list")
def list_recipes(as_json: JsonOption = False) -> None:
    """List the recipes that come with serkit. In a name that ends in MODEL, MODEL stands for any model."""
    from serkit.lab.recipes.files import family_models, family_names, load_recipe, recipe_names

    rows: list[dict[str, Any]] = []
    for name in sorted((*recipe_names(), *family_names())):
        is_family = name in family_names()
        recipe = load_recipe(name.replace("MODEL", family_models()[0]) if is_family else name)
        rows.append(
            {
                "recipe": name, "corpora": list(recipe.corpora), "labels": recipe.labels,
                "protocol": recipe.protocol.name, "speaker_dependent": recipe.protocol.speaker_dependent,
                "model": None if is_family else recipe.model.name, "published": recipe.published, "about": recipe.about,
            }
        )  # fmt: skip
    show_rows(rows, as_json, ("recipe", "corpora", "protocol", "speaker_dependent", "published"))
    if not as_json:
        echo(f"MODEL is one of {', '.join(family_models())}.")


@app.command("show")
def show_recipe(name: RecipeArgument, change: SetOption = None) -> None:
    """Print a recipe with all its defaults."""
    from serkit.lab.recipes.files import dump_recipe, load_recipe
    from serkit.lab.training.resolve import resolve_recipe

    echo_document(dump_recipe(resolve_recipe(load_recipe(name, change or ())).recipe), nl=False)


@app.command("schema")
def show_schema() -> None:
    """Print the JSON schema of recipe files, for completion and checks in editors."""
    from serkit.lab.recipes.files import recipe_schema

    echo_document(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))
