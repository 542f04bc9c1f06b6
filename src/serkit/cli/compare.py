"""``serkit compare`` compares runs with each other."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serkit.cli.options import UnsealedOption
from serkit.cli.terminal import echo, echo_document

if TYPE_CHECKING:
    from serkit.lab.leaderboard import Board, RunEntry


class BoardFormat(StrEnum):
    """Output formats of ``serkit compare``."""

    markdown = "markdown"
    csv = "csv"
    html = "html"
    page = "page"
    json = "json"


_BY_SUFFIX = {
    ".csv": BoardFormat.csv,
    ".html": BoardFormat.html,
    ".htm": BoardFormat.html,
    ".json": BoardFormat.json,
}


def compare(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders.")],
    *,
    format: Annotated[  # noqa: A002
        BoardFormat | None,
        typer.Option(
            metavar="FORMAT",
            help="Output format: markdown, csv, html, page or json.",
            show_default="by the suffix of --out, or markdown",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write instead of printing.")] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Name or folder of the reference run.", show_default="the best run by validation UAR"),
    ] = None,
    unsealed: UnsealedOption = False,
) -> None:
    """Compare runs in a table, recomputed from their predictions, with significance tests on shared clips."""
    from serkit.errors import RunError
    from serkit.lab import leaderboard
    from serkit.writing import write_whole

    runs = list({run.resolve(): run for run in runs}.values())
    entries = _read(runs, unsealed=unsealed)
    board = leaderboard.compare(entries, against=against, unsealed=unsealed)
    if format is None:
        format = _BY_SUFFIX.get(out.suffix.lower(), BoardFormat.markdown) if out else BoardFormat.markdown  # noqa: A001
    text = _render(board, entries, format).rstrip("\n")
    if out is None:
        echo_document(text)
    elif out.is_dir():
        raise RunError(f"{str(out)!r} is a folder; name the file to write.")
    else:
        write_whole(out, text + "\n")
        echo(out)
    if len(entries) < len(runs):
        raise typer.Exit(1)


def _read(runs: list[Path], *, unsealed: bool) -> "list[RunEntry]":
    """Read the runs. If there are several, skip those that cannot be read, with a message on stderr."""
    from serkit.errors import RunError
    from serkit.lab.leaderboard import read_entry

    found = []
    for run in runs:
        try:
            found.append(read_entry(run, unsealed=unsealed))
        except RunError as error:
            if len(runs) == 1:
                raise
            echo(f"serkit: skipped: {error}", err=True)
    if not found:
        raise RunError("none of the runs has predictions to compare.")
    return found


def _render(board: "Board", entries: "list[RunEntry]", format: BoardFormat) -> str:  # noqa: A002
    from serkit.lab import leaderboard

    if format is BoardFormat.csv:
        return leaderboard.as_csv(board)
    if format is BoardFormat.json:
        return leaderboard.as_json(board)
    if format is BoardFormat.markdown:
        return leaderboard.as_sections(board)
    unmeasured = leaderboard.not_measured(entries)
    if format is BoardFormat.html:
        return leaderboard.as_html(board, unmeasured)
    return leaderboard.as_page(board, unmeasured)
