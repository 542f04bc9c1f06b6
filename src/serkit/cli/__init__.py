"""The command line: one command per function, heavy imports inside the function.

Exit codes: 0 all went well, 1 some inputs failed and the rest is there, 2 nothing could be done; then
stderr has one sentence. Results go to stdout, everything else to stderr.
"""

import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from serkit.cli import compare, corpora, models, report
from serkit.cli import evaluate as experiments
from serkit.cli import features as sounds
from serkit.cli import serve as serving
from serkit.cli import timeline as listening
from serkit.errors import MissingExtraError, SerkitError

app = typer.Typer(
    help="Speech emotion recognition: honest experiments, one-file models, a runtime without torch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(corpora.app, name="corpora")
app.add_typer(sounds.features_app, name="features")
app.command()(sounds.augment)
app.command()(listening.timeline)
app.command()(listening.listen)
app.command()(serving.serve)
app.command()(report.report)
app.command()(compare.compare)
app.command()(experiments.train)
app.command()(experiments.evaluate)
app.command()(models.export)
app.add_typer(models.models_app, name="models")
app.add_typer(experiments.recipes_app, name="recipes")

_GOING_ON = {"train", "evaluate", "corpora", "features"}  # commands that take up what was begun
_STOPPED = 130  # what typer makes of Ctrl-C
_LAB = {"torch", "accelerate", "safetensors", "onnx", "onnxscript", "pydantic", "yaml", "sklearn", "skl2onnx"}


class TableFormat(StrEnum):
    """How ``serkit predict`` prints."""

    table = "table"
    json = "json"
    csv = "csv"


def main() -> None:
    """Run the command line; a serkit error becomes one sentence and exit code 2."""
    if isinstance(sys.stdout, TextIOWrapper):  # a file's name may hold what a terminal or pipe cannot take
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SerkitError as error:
        typer.echo(f"serkit: {error}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _LAB:
            raise
        typer.echo(f"serkit: {MissingExtraError('this command', 'lab')}", err=True)
        sys.exit(2)
    except OSError as error:  # a full disk, a folder that must not be written to
        place = f"{str(error.filename)!r}: " if error.filename else ""
        typer.echo(f"serkit: {place}{error.strerror or error}.", err=True)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == _STOPPED:
            goes_on = set(sys.argv[1:2]) & _GOING_ON
            typer.echo(f"serkit: stopped{'; the same command goes on.' if goes_on else '.'}", err=True)
        raise


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        from serkit.version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.command()
def predict(
    files: Annotated[
        list[Path], typer.Argument(help="Sound files: WAV, FLAC, OGG, Opus, MP3; with serkit[media] AAC and video.")
    ],
    *,
    model: listening.ModelOption = None,
    format: Annotated[TableFormat, typer.Option(help="How to print.")] = TableFormat.table,  # noqa: A002
    top: Annotated[int | None, typer.Option(min=1, help="Show only the K most probable emotions.")] = None,
    threshold: listening.ThresholdOption = None,
    forced: Annotated[
        bool, typer.Option("--forced", help="Always name a class: never 'uncertain' or 'no speech'.")
    ] = False,
    coverage: Annotated[
        float | None, typer.Option(help="Also the classes among which the right one is that often: 0.8, 0.9 or 0.95.")
    ] = None,
) -> None:
    """Recognize the emotion of each file."""
    from serkit.annotations.predictions import answers_as_csv, answers_as_json, print_answers
    from serkit.runtime.decision import check_coverage
    from serkit.runtime.recognizer import Recognizer

    recognizer = Recognizer.load(model)
    set_of = partial(recognizer.classes_within, coverage=coverage) if coverage is not None else None
    if coverage is not None:
        check_coverage(recognizer.card, coverage)  # before the work begins
    found = recognizer.predict_many(files, reject=not forced, threshold=threshold, on_error="return")
    answers = list(zip(files, _with_bar(found, files), strict=True))
    failed = [answer for _, answer in answers if isinstance(answer, SerkitError)]
    if format is TableFormat.json:
        typer.echo(answers_as_json(answers, top, set_of))
    elif format is TableFormat.csv:
        typer.echo(answers_as_csv(answers, recognizer.card.classes, top, set_of), nl=False)
    else:
        print_answers(answers, top, set_of)
    for error in failed:
        typer.echo(f"serkit: {error}", err=True)
    if failed:
        raise typer.Exit(2 if len(failed) == len(files) else 1)


def _with_bar(answers: Any, files: Sequence[Path]) -> Any:
    """Show a bar on stderr while many files are read at a terminal."""
    if len(files) < 2 or not sys.stderr.isatty():
        return answers
    from rich.console import Console
    from rich.progress import track

    return track(answers, "recognizing", total=len(files), console=Console(stderr=True), transient=True)
