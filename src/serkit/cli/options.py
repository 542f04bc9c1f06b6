"""What several commands share: options, listings, and where data lies."""

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from serkit.data.corpora import Data

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
DataOption = Annotated[
    list[str] | None,
    typer.Option("--data", help="A folder of corpora, or CORPUS=DIR, repeated; by default SERKIT_CORPORA."),
]
_PIPE_WIDTH = 200  # characters: what reads a pipe does not wrap


def data_of(values: list[str] | None) -> "Data":
    """Turn ``--data`` into one folder, or corpora to folders."""
    from serkit.errors import CorpusError

    if not values and (folder := os.environ.get("SERKIT_CORPORA")):
        values = [folder]  # typer's own envvar would take a path with a space for two
    if not values:
        raise CorpusError("say where the corpora lie: --data DIR, or the variable SERKIT_CORPORA.")
    if len(values) == 1 and "=" not in values[0]:
        return values[0]
    return {name: Path(folder) for name, folder in pairs(values, "--data", "CORPUS=DIR").items()}


def pairs(values: Sequence[str] | None, option: str, form: str) -> dict[str, str]:
    """Turn repeated ``A=B`` into a mapping.

    Raises:
        CorpusError: If one has no equals sign.
    """
    from serkit.errors import CorpusError

    found: dict[str, str] = {}
    for value in values or ():
        name, equals, rest = value.partition("=")
        if not equals or not name or not rest:
            raise CorpusError(f"{option} {value!r}: each is {form}.")
        if name in found:
            raise CorpusError(f"{option} {value!r}: {name} is there already, as {found[name]}.")
        found[name] = rest
    return found


def show_rows(rows: list[dict[str, Any]], as_json: bool, columns: tuple[str, ...]) -> None:
    """Print a listing as a table of some columns, or as JSON with all."""
    if as_json:
        typer.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    show_table(columns, [[_cell(row[column]) for column in columns] for row in rows])


def show_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], *, names: int | None = None, title: str = ""
) -> None:
    """Print a table of texts; the columns from ``names`` on stand to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text  # where a string would be read as markup: "[b].wav" is a file

    console = Console()
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    table = Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        is_name = names is None or number < names
        table.add_column(column, justify="left" if is_name else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)
