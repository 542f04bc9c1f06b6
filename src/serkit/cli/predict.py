"""``serkit predict``: the emotion of audio files."""

import sys
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serkit.cli.options import DamagedAudio, DamagedOption, ModelOption, ThresholdOption
from serkit.cli.remarks import print_gaps, print_remarks
from serkit.cli.terminal import cell, echo, echo_document
from serkit.errors import SerkitError

if TYPE_CHECKING:
    from serkit.annotations.predictions import Answers, SetOf
    from serkit.types import Prediction

_BAR = 30  # characters of a probability bar at 100 %


class TableFormat(StrEnum):
    """Output formats of ``serkit predict``."""

    table = "table"
    json = "json"
    csv = "csv"


def predict(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Audio files, folders, or - for standard input. WAV, FLAC, OGG, Opus, MP3; with "
            r"serkit\[media] also AAC and video.",
        ),
    ],
    *,
    model: ModelOption = None,
    format: Annotated[TableFormat, typer.Option(help="Output format.")] = TableFormat.table,  # noqa: A002
    top: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Number of most probable emotions to show.", show_default="all"),
    ] = None,
    threshold: ThresholdOption = None,
    forced: Annotated[
        bool, typer.Option("--forced", help="Always name a class, never 'uncertain' or 'no speech'.")
    ] = False,
    damaged: DamagedOption = DamagedAudio.refuse,
    coverage: Annotated[
        float | None, typer.Option(help="Also print the prediction set for this coverage: 0.8, 0.9 or 0.95.")
    ] = None,
) -> None:
    """Recognize the emotion of audio files."""
    from serkit.annotations.predictions import answers_as_csv, answers_as_json
    from serkit.cli.inputs import audio_of, named_files
    from serkit.runtime.decision import check_coverage
    from serkit.runtime.recognizer import Recognizer

    recognizer = Recognizer.load(model)
    set_of = partial(recognizer.classes_within, coverage=coverage) if coverage is not None else None
    if coverage is not None:
        check_coverage(recognizer.card, coverage)  # fails before the work
    sources = named_files(files)
    found = recognizer.predict_many(
        audio_of(sources), reject=not forced, threshold=threshold, damaged=damaged.value, on_error="return"
    )
    names = [name for name, _ in sources]
    answers = list(zip(names, _with_bar(found, names), strict=True))
    failed = [answer for _, answer in answers if isinstance(answer, SerkitError)]
    if format is TableFormat.json:
        echo_document(answers_as_json(answers, top, set_of))
    elif format is TableFormat.csv:
        echo_document(answers_as_csv(answers, recognizer.card.classes, top, set_of), nl=False)
    else:
        print_answers(answers, top, set_of)
    if format is TableFormat.table:
        print_remarks([(name, answer.remarks) for name, answer in answers if not isinstance(answer, SerkitError)])
        print_gaps([(name, answer.gaps) for name, answer in answers if not isinstance(answer, SerkitError)])
    for error in failed:
        echo(f"serkit: {error}", err=True)
    if failed:
        raise typer.Exit(2 if len(failed) == len(answers) else 1)


def _with_bar(answers: Any, files: Sequence[str]) -> Any:
    """Show a progress bar on a terminal while several files are processed."""
    if len(files) < 2 or not sys.stderr.isatty():
        return answers
    from rich.console import Console
    from rich.progress import track

    return track(answers, "recognizing", total=len(files), console=Console(stderr=True), transient=True)


def print_answers(answers: "Answers", top: int | None, set_of: "SetOf" = None) -> None:
    """Print a table: one emotion per row for a single file, one file per row for several.

    Files that failed are left out; if all failed, nothing is printed.

    Args:
        answers: Files and their predictions or errors.
        top: Number of most probable emotions to show; None for all of a single file, and 3 for several files.
        set_of: Function that returns the prediction set of a prediction; None to print no sets.
    """
    from serkit.types import Prediction

    good = [(str(file), answer) for file, answer in answers if isinstance(answer, Prediction)]
    if not good:
        return
    if len(answers) == 1:
        _print_one(*good[0], top, set_of)
    else:
        _print_many(good, top or 3, set_of)


def _print_one(name: str, answer: "Prediction", top: int | None, set_of: "SetOf") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    block = "#" if console.options.ascii_only else "█"
    is_named = answer.emotion in answer.probabilities
    table = Table(
        title=cell(f"{name} ({answer.duration:.2f} s){'' if is_named else f': {answer.emotion}'}"),
        caption=cell(f"prediction set: {', '.join(set_of(answer))}") if set_of else None,
        title_justify="left", caption_justify="left", box=box.SIMPLE_HEAD,
    )  # fmt: skip
    table.add_column("emotion")
    table.add_column("probability", justify="right")
    table.add_column("", min_width=_BAR)
    for emotion, value in list(answer.probabilities.items())[:top]:
        table.add_row(cell(emotion), f"{value:.3f}", block * round(value * _BAR))
    console.print(table)


def _print_many(answers: "Sequence[tuple[str, Prediction]]", top: int, set_of: "SetOf") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for heading in ("file", "emotion", "probability", "next", *(("prediction set",) if set_of else ())):
        table.add_column(heading, overflow="fold", no_wrap=heading in ("emotion", "probability"))
    for name, answer in answers:
        named = answer.probabilities.get(answer.emotion)
        shown = list(answer.probabilities.items())[:top]
        others = ", ".join(f"{other} {value:.3f}" for other, value in shown if other != answer.emotion)
        sets = [", ".join(set_of(answer))] if set_of else []
        named_as = "" if named is None else f"{named:.3f}"
        table.add_row(*map(cell, (name, answer.emotion, named_as, others, *sets)))
    Console().print(table)
