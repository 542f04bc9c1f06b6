"""``serkit timeline`` and ``serkit listen``: emotions over time, of a recording and of whoever speaks now."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serkit.errors import SerkitError

if TYPE_CHECKING:
    from serkit.annotations.timeline import Timeline
    from serkit.types import StreamEvent

ModelOption = Annotated[Path | None, typer.Option(help="A model file, or an embedded model: default, emodb.")]
WindowOption = Annotated[float, typer.Option(help="Seconds that the model hears at once.")]
HopOption = Annotated[float, typer.Option(help="Seconds from one window to the next.")]
VadOption = Annotated[bool, typer.Option("--vad/--no-vad", help="Look for speech first, or take all sound for it.")]
SmoothOption = Annotated[float, typer.Option(help="Seconds of causal smoothing; 0 is without.")]
ThresholdOption = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Below this probability the answer is 'uncertain'; by default the card's."),
]


class TimelineFormat(StrEnum):
    """How ``serkit timeline`` prints."""

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
    """What happens to several channels."""

    mix = "mix"
    separate = "separate"


def timeline(
    file: Annotated[Path, typer.Argument(help="A sound file of any length.")],
    *,
    model: ModelOption = None,
    window: WindowOption = 3.0,
    hop: HopOption = 1.0,
    vad: VadOption = True,
    channels: Annotated[
        Channels, typer.Option(help="Mix channels, or listen to each by itself: a speaker a side, as calls have it.")
    ] = Channels.mix,
    smooth: SmoothOption = 0.0,
    threshold: ThresholdOption = None,
    format: Annotated[TimelineFormat, typer.Option(help="How to print.")] = TimelineFormat.table,  # noqa: A002
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", "--plot",
            help="Write a file; repeat for several. Its ending tells the form: .png, .svg, .html, .json, .csv, "
            ".TextGrid, .eaf, .txt (Audacity), .srt, .vtt, .rttm.",
        ),
    ] = None,
) -> None:  # fmt: skip
    """Recognize emotions over time: where somebody speaks, and how each stretch of it sounds."""
    from serkit.annotations import DRAWINGS, check_ending, render
    from serkit.runtime.recognizer import Recognizer

    for path in output or ():
        check_output(path, check_ending(path) in DRAWINGS)  # what cannot be written shows before an hour of work
    recognizer = Recognizer.load(model)
    with _progress(file) as advance:
        found = recognizer.timeline(
            file, window=window, hop=hop, vad=vad, channels=channels.value, smooth=smooth, threshold=threshold,
            on_progress=advance,
        )  # fmt: skip
    if format is not TimelineFormat.table:
        typer.echo(render(found, format.value), nl=False)
    elif not output:
        _print_timeline(found)
    failed = 0
    for path in output or ():
        try:
            found.plot(path, audio=file) if check_ending(path) in DRAWINGS else found.save(path)
        except (OSError, SerkitError) as error:  # the others are written all the same
            failed += 1
            typer.echo(f"serkit: {path}: {getattr(error, 'strerror', None) or error}", err=True)
            continue
        typer.echo(f"{path}: {len(found.segments)} segments, {_clock(found.duration)}", err=True)
    if failed:
        raise typer.Exit(2 if failed == len(output or ()) else 1)


def listen(
    *,
    model: ModelOption = None,
    file: Annotated[Path | None, typer.Option(help="A sound file, heard as if it were spoken now.")] = None,
    device: Annotated[str | None, typer.Option(help="A microphone, by number or a part of its name.")] = None,
    window: WindowOption = 3.0,
    hop: HopOption = 1.0,
    vad: VadOption = True,
    smooth: SmoothOption = 0.0,
    threshold: ThresholdOption = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after so many seconds of sound.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="Of --file, times real time.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as one JSON object a line.")] = False,
) -> None:
    """Listen to the microphone and show how the voice sounds; Ctrl-C ends it."""
    from serkit.audio.microphone import PIECE_SECONDS, from_file, from_microphone
    from serkit.cli.live_view import open_view
    from serkit.errors import RecipeError
    from serkit.runtime.recognizer import Recognizer

    if file and device:
        raise RecipeError("--device is a microphone, and --file is heard instead of one: give one of them.")
    recognizer = Recognizer.load(model, threads=1)
    with from_file(file, speed=speed) if file else from_microphone(device) as source:
        stream = recognizer.stream(
            sampling_rate=source.sampling_rate, window=window, hop=hop, vad=vad, smooth=smooth, threshold=threshold
        )
        with nullcontext(_print_event) if as_json else open_view(source.name, recognizer.card.classes) as show:
            try:
                for piece in source.pieces:
                    show(stream.push(piece), piece, stream.duration)
                    if seconds is not None and stream.duration >= seconds:
                        break
            except KeyboardInterrupt:
                pass
            finally:  # what has been said is answered, whatever ended the sound
                show(stream.flush(), None, stream.duration)
        if source.lost[0]:
            lost = source.lost[0] * PIECE_SECONDS
            typer.echo(f"serkit: {lost:.1f} s of sound were lost, since this machine is too slow for it.", err=True)


def check_output(path: Path, is_drawing: bool) -> None:
    """Find out whether a file can be written.

    Raises:
        DrawingError: If it is a folder, or no folder can hold it.
        MissingExtraError: If it is a picture, and matplotlib is not installed.
    """
    from serkit.errors import DrawingError, MissingExtraError

    if path.is_dir():
        raise DrawingError(f"{str(path)!r} is a folder; name the file to write.")
    above = next(folder for folder in (path.parent, *path.parent.parents) if folder.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise DrawingError(f"{str(path)!r} cannot be written: {str(above)!r} is no folder that may be written to.")
    if is_drawing and path.suffix.lower() != ".html" and find_spec("matplotlib") is None:
        raise MissingExtraError("drawing a timeline", "plot")


def _print_event(events: "list[StreamEvent]", piece: Any, duration: float) -> None:
    for event in events:
        row: dict[str, Any] = {"kind": event.kind, "start": event.start, "end": event.end}
        if event.emotion:
            rounded = {name: round(value, 6) for name, value in event.probabilities.items()}
            row |= {"emotion": event.emotion, "probabilities": rounded}
        typer.echo(json.dumps(row))


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
    title = f"{found.name} ({_clock(found.duration)}, speech {_clock(spoken)})"
    if not rows:
        typer.echo(f"{title}: {'no speech' if not found.speech else 'no speech that is long enough for the model'}")
        return
    columns = ("start", "end", *(("channel",) if several else ()), "emotion", "probability", "next")
    show_table(columns, rows, title=title)


def _clock(seconds: float) -> str:
    """Return h:mm:ss.s, without hours where there are none."""
    tenths = round(seconds * 10)
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    text = f"{minutes:02d}:{rest / 10:04.1f}"
    return f"{hours}:{text}" if hours else text


@contextmanager
def _progress(file: Path) -> Iterator[Callable[[float], None]]:
    """Show on a terminal how far a recording has been heard."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda seconds: None
        return
    from serkit.audio.recordings import announced_duration
    from serkit.cli.progress_bar import shown_progress
    from serkit.progress import begin_task

    with shown_progress() as on_progress:
        step = begin_task(file.name, announced_duration(file), on_progress)
        yield lambda seconds: step(round(seconds), "s")
