"""The command line: one command per function, heavy imports inside the function.

Exit codes: 0 all went well, 1 some inputs failed and the rest is there, 2 nothing could be done; then
stderr has one sentence. Results go to stdout, everything else to stderr.
"""

import json
import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer

from serkit.cli import compare, corpora, experiments, listening, report, serving, sounds
from serkit.cli.options import JsonOption, show_rows
from serkit.errors import MissingExtraError, SerkitError

app = typer.Typer(
    help="Speech emotion recognition: honest experiments, one-file models, a runtime without torch.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="Networks and model files.", no_args_is_help=True)
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
app.add_typer(models_app, name="models")
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
        from serkit import __version__

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
    """Recognise the emotion of each file."""
    from serkit.output import answers_as_csv, answers_as_json, print_answers
    from serkit.runtime.deciding import classes_within
    from serkit.runtime.recognizer import Recognizer

    recognizer = Recognizer.load(model)
    set_of = partial(recognizer.classes_within, coverage=coverage) if coverage is not None else None
    if coverage is not None:
        classes_within(
            recognizer.card, dict.fromkeys(recognizer.card.classes, 1.0), coverage
        )  # refused before the work
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


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="A run folder that 'serkit train' made.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file.")],
    seed: Annotated[int | None, typer.Option(help="Which of the recipe's seeds; the first by default.")] = None,
    fold: Annotated[
        int | None, typer.Option(help="Of a run of 'serkit evaluate': the model that has not seen its test speakers.")
    ] = None,
    evidence: Annotated[list[Path] | None, typer.Option(help="A run folder whose numbers go on the card.")] = None,
    error_rate: Annotated[
        float, typer.Option(min=1, max=99, help="Wrong answers, in percent, above the threshold for 'uncertain'.")
    ] = 25,
) -> None:
    """Write a trained model as one ONNX file with its card."""
    from serkit.lab.calibration import words_of
    from serkit.lab.export import export as write
    from serkit.runtime.recognizer import Recognizer

    difference = write(run, output, seed=seed, fold=fold, evidence=tuple(evidence or ()), error_rate=error_rate / 100)
    size = output.stat().st_size / 1e6
    typer.echo(f"{output}: {size:.1f} MB, torch and ONNX Runtime differ by {difference:.1e} at most")
    if words := words_of(Recognizer.load(output).card.calibration):
        typer.echo(words)


@models_app.command("list")
def list_models(
    classes: Annotated[int, typer.Option(min=2, help="Classes that the weights are counted for.")] = 6,
    as_json: JsonOption = False,
) -> None:
    """List the models: trained weights, what each reads, the document it is from, and the licence of its code."""
    from serkit.lab.models import model_names
    from serkit.lab.summary import about

    rows = [about(name, classes=classes) for name in model_names()]
    show_rows(rows, as_json, ("model", "weights", "features", "document", "licence", "about"))


@models_app.command("show")
def show_model(
    model: Annotated[str | None, typer.Argument(help="A name, a file, or an embedded model: default, emodb.")] = None,
    classes: Annotated[int, typer.Option(min=2, help="Of a named model.")] = 6,
    as_json: JsonOption = False,
) -> None:
    """Print the layers of a named model, or the card of a model file as JSON."""
    from serkit.runtime.recognizer import Recognizer, embedded_models

    if model is None or model in embedded_models() or Path(model).suffix == ".onnx" or Path(model).is_file():
        typer.echo(json.dumps(Recognizer.load(model).card.to_json(), indent=1, ensure_ascii=False))
        return
    from serkit.lab.summary import as_json as as_content
    from serkit.lab.summary import render, summarise_model

    parts = summarise_model(model, classes=classes)
    typer.echo(json.dumps(as_content(parts), indent=1) if as_json else render(parts))


def _with_bar(answers: Any, files: Sequence[Path]) -> Any:
    """Show a bar on stderr while many files are read at a terminal."""
    if len(files) < 2 or not sys.stderr.isatty():
        return answers
    from rich.console import Console
    from rich.progress import track

    return track(answers, "recognising", total=len(files), console=Console(stderr=True), transient=True)
