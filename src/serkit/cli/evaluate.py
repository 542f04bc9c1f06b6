"""Recipes, and the commands that run them."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serkit.cli.options import DataOption, JsonOption, data_of, show_rows

if TYPE_CHECKING:
    from serkit.data.corpora import Data
    from serkit.lab.leaderboard import RunEntry
    from serkit.lab.recipes.schema import Recipe

recipes_app = typer.Typer(help="The experiments that come with serkit.", no_args_is_help=True)

RecipeArgument = Annotated[str, typer.Argument(help="A recipe's name or YAML file.")]
RunOption = Annotated[Path, typer.Option("--out", "-o", help="The run folder.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="A change of the recipe, such as train.epochs=5; repeated.")
]

JobsOption = Annotated[int, typer.Option(min=1, help="Processes that fit folds, seeds and members side by side.")]


def train(
    recipe: RecipeArgument,
    *,
    out: RunOption,
    data: DataOption = None,
    change: SetOption = None,
    jobs: JobsOption = 1,
) -> None:
    """Fit a recipe's final model on everything but the validation speakers."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.lab import experiments
    from serkit.lab.recipes.files import load_recipe

    experiment = load_recipe(recipe, change or ())
    with shown_progress(is_quiet=not _is_main_process()) as on_progress:
        run = experiments.train(experiment, data=data_of(data), out=out, jobs=jobs, on_progress=on_progress)
    if _is_main_process():
        typer.echo(f"{out}: validation UAR {run.validation_uar}; next: serkit export {out} -o {run.name}.onnx")


def evaluate(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or YAML file, or a model file (.onnx).")],
    *,
    out: RunOption,
    data: DataOption = None,
    change: SetOption = None,
    corpora: Annotated[str | None, typer.Option(help="For a model file: the corpora to test on, with commas.")] = None,
    jobs: JobsOption = 1,
    ablate: Annotated[
        str | None,
        typer.Option(help="Run the recipe's variants too: features, augment, balance, corpora, pretrain, with commas."),
    ] = None,
) -> None:
    """Run a recipe through its protocol, or score a model file on corpora that it has not seen.

    The run folder gets the predictions, the numbers that follow from them, and a report to read: report.html.
    """
    from serkit.cli.progress_bar import shown_progress
    from serkit.errors import RecipeError
    from serkit.lab import experiments
    from serkit.lab.leaderboard import as_markdown
    from serkit.lab.recipes.ablation import AXES

    if Path(recipe).suffix == ".onnx":
        from serkit.lab.audit.unseen_corpora import evaluate_model
        from serkit.runtime.recognizer import Recognizer

        if not corpora:
            raise RecipeError("say what to test the model file on: --corpora tess, for example.")
        if change or ablate is not None:
            raise RecipeError("--set and --ablate are for recipes: a model file is what it is.")
        model = Recognizer.load(recipe)
        names = tuple(dict.fromkeys(name.strip() for name in corpora.split(",")))
        place = data_of(data)
        with shown_progress(is_quiet=not _is_main_process()) as on_progress:
            evaluate_model(model.card, partial(model.predict, reject=False), names, place, out, on_progress=on_progress)
        run = experiments.Run(out)
    else:
        from serkit.lab.recipes.files import load_recipe

        if corpora is not None:
            raise RecipeError("--corpora is for model files: a recipe names its own.")
        experiment = load_recipe(recipe, change or ())
        if ablate is not None:
            axes = [axis.strip() for axis in ablate.split(",")]
            if not all(axes):
                raise RecipeError(f"--ablate {ablate!r}: name one of {', '.join(AXES)}, or several with commas.")
            _show_ablation(_ablated(experiment, axes, data_of(data), out, jobs), out)
            return
        place = data_of(data)
        with shown_progress(is_quiet=not _is_main_process()) as on_progress:
            run = experiments.evaluate(experiment, data=place, out=out, jobs=jobs, on_progress=on_progress)
    if _is_main_process():
        run.report()
        typer.echo(as_markdown([dict(run.metrics)]))


def _ablated(recipe: "Recipe", axes: Sequence[str], data: "Data", out: Path, jobs: int) -> dict[str, Path]:
    """Run a recipe and its variants, and show their progress."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.lab.train import run as running

    with shown_progress(is_quiet=not _is_main_process()) as on_progress:
        return running.ablate(recipe, axes, data, out, jobs=jobs, on_progress=on_progress)


def _show_ablation(runs: Mapping[str, Path], out: Path) -> None:
    """Print the table of an ablation, every variant against the recipe itself, and write it as a page and CSV.

    A variant that cannot be read, or not be compared, is named on stderr; all the others are shown.
    """
    from serkit.lab.leaderboard import as_csv, as_html, as_sections, compare
    from serkit.lab.recipes.ablation import BASE
    from serkit.writing import write_whole

    if not _is_main_process():
        return
    entries = _read_variants(runs)
    base = entries.get(BASE)
    apart = [name for name, entry in entries.items() if name != BASE and not _is_tested_alike(entry, base)]
    for name in apart:
        typer.echo(
            f"serkit: {name} is left out of the comparison: it was not tested on the utterances of the recipe itself "
            "with the same classes.",
            err=True,
        )
    board = compare(list(entries.values()), against=runs[BASE] if len(entries) - len(apart) > 1 else None)
    write_whole(out / "ablation.html", as_html(board))
    write_whole(out / "ablation.csv", as_csv(board))
    typer.echo(as_sections(board))
    typer.echo(f"{out / 'ablation.html'}")


def _read_variants(runs: Mapping[str, Path]) -> "dict[str, RunEntry]":
    from serkit.errors import RunError
    from serkit.lab.leaderboard import read_entry

    entries = {}
    for name, run in runs.items():
        try:
            entries[name] = read_entry(run)
        except RunError as error:
            typer.echo(f"serkit: {name} is left out: {error}", err=True)
    if not entries:
        raise RunError("none of these variants has predictions to show.")
    return entries


def _is_tested_alike(entry: "RunEntry", base: "RunEntry | None") -> bool:
    """Whether a variant can be compared with the recipe itself."""
    if entry.answers is None or base is None or base.answers is None:
        return False
    return entry.answers.digest == base.answers.digest and entry.is_fair == base.is_fair


@recipes_app.command("list")
def list_recipes(as_json: JsonOption = False) -> None:
    """List the recipes that come with serkit; one whose name ends in MODEL is there for every model."""
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
        typer.echo(f"MODEL is one of {', '.join(family_models())}.")


@recipes_app.command("show")
def show_recipe(name: RecipeArgument, change: SetOption = None) -> None:
    """Print a recipe with every default written out."""
    from serkit.lab.recipes.files import dump_recipe, load_recipe
    from serkit.lab.train.resolve import resolve_recipe

    typer.echo(dump_recipe(resolve_recipe(load_recipe(name, change or ())).recipe), nl=False)


@recipes_app.command("schema")
def show_schema() -> None:
    """Print the JSON schema of recipe files, which editors complete and check by."""
    from serkit.lab.recipes.files import recipe_schema

    typer.echo(json.dumps(recipe_schema(), indent=1, ensure_ascii=False))


def _is_main_process() -> bool:
    """Whether this one answers, where accelerate or torchrun started several."""
    from serkit.lab.train import distributed as processes

    return processes.is_main()
