"""``serkit timeline``: emotions over time in a recording."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serkit.cli.inputs import opened
from serkit.cli.options import (
    DamagedAudio,
    DamagedOption,
    HopOption,
    ModelOption,
    SmoothOption,
    ThresholdOption,
    VadOption,
    WindowOption,
)
from serkit.cli.remarks import print_gaps, print_remarks
from serkit.cli.terminal import echo, echo_document
from serkit.errors import SerkitError

if TYPE_CHECKING:
    from serkit.annotations.timeline import Timeline


class TimelineFormat(StrEnum):
    """Output formats of ``serkit timeline``."""

    table = "table"
    json = "json"
    csv = "csv"
    windows_csv = "windows-csv"
    textgrid = "textgrid"
    elan = "elan"
    audacity = "audacity"
    srt = "srt"
    vtt = "vtt"
    rttm = "rttm"


class Channels(StrEnum):
    """How the channels of a recording are combined."""

    mix = "mix"
    separate = "separate"


def timeline(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Audio file of any length, or - for standard input.")],
    *,
    model: ModelOption = None,
    window: WindowOption = 3.0,
    hop: HopOption = 1.0,
    vad: VadOption = True,
    channels: Annotated[
        Channels, typer.Option(help="Mix the channels, or treat each as one speaker, as in recorded calls.")
    ] = Channels.mix,
    smooth: SmoothOption = 0.0,
    threshold: ThresholdOption = None,
    damaged: DamagedOption = DamagedAudio.refuse,
    format: Annotated[  # noqa: A002
        TimelineFormat, typer.Option(metavar="FORMAT", help=f"Output format: {', '.join(TimelineFormat)}.")
    ] = TimelineFormat.table,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o",
            "--output",
            "--plot",
            help="File to write; can be repeated. Its suffix sets the format: .png, .svg, .html, .json, .csv, "
            ".TextGrid, .eaf, .txt (Audacity), .srt, .vtt, .rttm.",
        ),
    ] = None,
) -> None:
    """Recognize emotions over time: where there is speech, and the emotion of each segment."""
    from serkit.annotations import DRAWINGS, check_ending, render
    from serkit.runtime.recognizer import Recognizer

    for path in output or ():
        check_output(path, check_ending(path) in DRAWINGS)  # fails before the work, which may take minutes
    recognizer = Recognizer.load(model)
    audio = opened(file)
    path_or_none = Path(audio) if isinstance(audio, str) else None
    with _progress(path_or_none) as advance:
        found = recognizer.timeline(
            audio, window=window, hop=hop, vad=vad, channels=channels.value, smooth=smooth, threshold=threshold,
            damaged=damaged.value, on_progress=advance,
        )  # fmt: skip
    if format is not TimelineFormat.table:
        echo_document(render(found, format.value), nl=False)
    elif not output:
        _print_timeline(found)
    if format is TimelineFormat.table:
        print_remarks([(file, found.remarks)])
        print_gaps([(file, found.gaps)])
    failed = 0
    for path in output or ():
        try:
            found.plot(path, audio=path_or_none) if check_ending(path) in DRAWINGS else found.save(path)
        except (OSError, SerkitError) as error:  # the remaining files are still written
            failed += 1
            echo(f"serkit: {path}: {getattr(error, 'strerror', None) or error}", err=True)
            continue
        count = len(found.segments)
        echo(f"{path}: {count} segment{'s' * (count != 1)}, {_clock(found.duration)}", err=True)
    if failed:
        raise typer.Exit(2 if failed == len(output or ()) else 1)


def check_output(path: Path, is_drawing: bool) -> None:
    """Check that an output file can be written.

    Args:
        path: Output file.
        is_drawing: Whether the file is a picture or web page.

    Raises:
        DrawingError: If the path is a folder, or its folder cannot be written to.
        MissingExtraError: If the file is a picture, and matplotlib is not installed.
    """
    from serkit.errors import DrawingError, MissingExtraError

    if path.is_dir():
        raise DrawingError(f"{str(path)!r} is a folder; name the file to write.")
    above = next(folder for folder in (path.parent, *path.parent.parents) if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise DrawingError(f"{str(path)!r} cannot be written: {str(above)!r} is not a writable folder.")
    if is_drawing and path.suffix.lower() != ".html" and find_spec("matplotlib") is None:
        raise MissingExtraError("drawing a timeline", "plot")


def _print_timeline(found: "Timeline") -> None:
    from serkit.cli.options import show_table

    several = found.channels > 1
    rows = []
    for segment in found.segments:
        named = segment.probabilities.get(segment.emotion)  # None for 'uncertain'
        others = [(name, p) for name, p in segment.probabilities.items() if name != segment.emotion][:2]
        rows.append(
            [
                _clock(segment.start), _clock(segment.end), *([str(segment.channel + 1)] if several else []),
                segment.emotion, "" if named is None else f"{named:.2f}",
                ", ".join(f"{name} {p:.2f}" for name, p in others),
            ]
        )  # fmt: skip
    spoken = sum(speech.end - speech.start for speech in found.speech)
    title = f"{found.name or 'standard input'} ({_clock(found.duration)}, speech {_clock(spoken)})"
    if not rows:
        echo(f"{title}: {'no speech' if not found.speech else 'no speech long enough for the model'}")
        return
    columns = ("start", "end", *(("channel",) if several else ()), "emotion", "probability", "next")
    show_table(columns, rows, title=title)


def _clock(seconds: float) -> str:
    """Return a time as h:mm:ss.s, or mm:ss.s below one hour."""
    tenths = round(seconds * 10)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    text = f"{minutes:02d}:{rest / 10:04.1f}"
    return f"{hours}:{text}" if hours else text


@contextmanager
def _progress(file: Path | None) -> Iterator[Callable[[float], None]]:
    """Yield a callback for the seconds processed so far, which draws a progress bar on a terminal."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal or file is None:
        yield lambda seconds: None
        return
    from serkit.audio.recordings import announced_duration
    from serkit.cli.progress_bar import shown_progress
    from serkit.progress import begin_task

    with shown_progress() as on_progress:
        step = begin_task(file.name, announced_duration(file), on_progress)
        yield lambda seconds: step(round(seconds), "s")
