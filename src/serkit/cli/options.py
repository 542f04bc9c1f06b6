"""Shared parts of commands: options, tables, and the location of corpora."""

import json
import os
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serkit.cli.terminal import cell, echo, echo_document

if TYPE_CHECKING:
    from serkit.data.corpora import Data
    from serkit.lab.experiments import Run


class DamagedAudio(StrEnum):
    """What to do with damaged files."""

    refuse = "refuse"
    skip = "skip"


ModelOption = Annotated[
    Path | None, typer.Option(metavar="MODEL", help="Model file, or the name of an embedded model: default, emodb.")
]
WindowOption = Annotated[float, typer.Option(metavar="SECONDS", help="Window length in seconds.")]
HopOption = Annotated[float, typer.Option(metavar="SECONDS", help="Hop between windows in seconds.")]
VadOption = Annotated[bool, typer.Option("--vad/--no-vad", help="Detect speech first, or treat all sound as speech.")]
SmoothOption = Annotated[
    float, typer.Option(metavar="SECONDS", help="Time constant of causal smoothing in seconds; 0 disables it.")
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Probability below which the emotion is 'uncertain'.",
        show_default="the model card's threshold",
    ),
]  # fmt: skip
DamagedOption = Annotated[
    DamagedAudio, typer.Option(help="Refuse a file of which more than 0.1 s is missing, or skip what is missing.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of corpora, or CORPUS=DIR; can be repeated.",
        show_default="SERKIT_CORPORA",
    ),
]  # fmt: skip
UnsealedOption = Annotated[
    bool,
    typer.Option(
        "--unsealed", help="Show runs that were edited, contradict themselves or have no seal too, each with a mark."
    ),
]
RecipeArgument = Annotated[str, typer.Argument(metavar="RECIPE", help="Name or YAML file of a recipe.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change to the recipe, such as train.epochs=5; can be repeated."),
]
RunOption = Annotated[Path, typer.Option("--out", "-o", help="Run folder to write.")]
JobsOption = Annotated[
    int, typer.Option(metavar="N", min=1, help="Number of processes that fit folds, seeds and members in parallel.")
]
FingerprintsOption = Annotated[
    bool,
    typer.Option(
        "--fingerprints/--no-fingerprints",
        help="Compare recordings by acoustic fingerprints and keep these, or compare identical audio only.",
    ),
]
_PIPE_WIDTH = 200  # characters; a pipe has no width, and lines should not wrap


def data_of(values: list[str] | None) -> "Data":
    """Return the folder of corpora, or the folder of each corpus, that ``--data`` names.

    Raises:
        CorpusError: If neither ``--data`` nor SERKIT_CORPORA is given.
    """
    from serkit.errors import CorpusError

    if not values and (folder := os.environ.get("SERKIT_CORPORA")):
        values = [folder]  # typer's envvar= would split a path at its spaces
    if not values:
        raise CorpusError("no data folder given; use --data DIR or set SERKIT_CORPORA.")
    if len(values) == 1 and "=" not in values[0]:
        return values[0]
    return {name: Path(folder) for name, folder in pairs(values, "--data", "CORPUS=DIR").items()}


def pairs(values: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    """Return the values of a repeated ``KEY=VALUE`` option as a mapping.

    Args:
        values: Values of the option.
        option: Name of the option, for error messages.
        form: Expected form of a value, for error messages.

    Raises:
        CorpusError: If a value is not of the form KEY=VALUE, or a key is repeated.
    """
    from serkit.errors import CorpusError

    found: dict[str, str] = {}
    for value in values or ():
        name, equals, rest = value.partition("=")
        if not equals or not name or not rest:
            raise CorpusError(f"{option} {value!r}: expected {form}.")
        if name in found:
            raise CorpusError(f"{option} {value!r}: {name} was already given, as {found[name]}.")
        found[name] = rest
    return found


def is_main_process() -> bool:
    """Return whether this is the main process among those that accelerate or torchrun started."""
    from serkit.lab.training import distributed as processes

    return processes.is_main()


def tell_one_class(run: "Run", *, fold: int | None = None, seed: int | None = None) -> None:
    """Print a line on stderr about a run, or the model of one fold, that answers one class for nearly everything."""
    from serkit.lab.measure.one_class import remark_on_run

    facts = run.metrics
    if fold is not None and seed is None:
        seed = min(fit["seed"] for fit in facts["fits"])
    if remark := remark_on_run(run.folder, model=str(facts.get("model", "")), fold=fold, seed=seed):
        echo(f"serkit: {remark}", err=True)


def print_model_file(output: Path, difference: float) -> None:
    """Print what was written: a model file, its size, and the difference between torch and ONNX Runtime."""
    size = output.stat().st_size / 1e6
    echo(f"{output}: {size:.1f} MB, torch and ONNX Runtime differ by {difference:.1e} at most")


def show_rows(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Print a listing: as a table of the given columns, or as JSON with all fields."""
    if as_json:
        echo_document(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    show_table(columns, [[_text(row[column]) for column in columns] for row in rows])


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, names: int | None = None, title: str = ""
) -> None:
    """Print a table.

    Args:
        columns: Headings of the columns.
        rows: Cells of each row.
        names: Number of left-aligned columns at the start, the others being right-aligned; None for all.
        title: Title above the table.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    table = Table(title=cell(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        is_name = names is None or number < names
        table.add_column(cell(column), justify="left" if is_name else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(cell, row))
    console.print(table)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)
