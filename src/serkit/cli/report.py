"""``serkit report`` writes the report of a run."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from serkit.cli.options import DataOption, UnsealedOption, data_of
from serkit.cli.terminal import echo


class FigureFormat(StrEnum):
    """File formats of ``serkit report --figures``."""

    png = "png"
    svg = "svg"


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN", help="Run folders.")],
    *,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="HTML file to write.", show_default="report.html in the run folder"),
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder in which to write the figures as files too.")] = None,
    format: Annotated[FigureFormat, typer.Option(help="Format of the figures in --figures.")] = FigureFormat.png,  # noqa: A002
    audio: Annotated[
        bool,
        typer.Option(
            "--audio",
            help="Embed recordings of the most confident errors; mind the corpora's licenses when you share it.",
        ),
    ] = False,
    data: DataOption = None,
    unsealed: UnsealedOption = False,
) -> None:
    """Write the report of a run as one HTML file, recomputed from its predictions."""
    from serkit.errors import RunError
    from serkit.lab.report import read_run, write_figures, write_report

    if out and len(runs) > 1:
        raise RunError(f"--out names one file, but there are {len(runs)} runs; leave out --out, or give one run.")
    if out and out.is_dir():
        raise RunError(f"{str(out)!r} is a folder; name the file to write.")
    if data and not audio:
        raise RunError("--data needs --audio, which adds audio players to the page.")
    place = data_of(data) if audio else None
    failed = 0
    for run in runs:
        try:
            contents = read_run(run, unsealed=unsealed)
            echo(write_report(contents, out=out, data=place))
            if figures:
                folder = figures if len(runs) == 1 else figures / run.resolve().name
                for path in write_figures(contents, folder, format=format.value):
                    echo(path)
        except RunError as error:
            if len(runs) == 1:
                raise
            echo(f"serkit: skipped: {error}", err=True)
            failed += 1
    if failed:
        raise typer.Exit(2 if failed == len(runs) else 1)
