"""``serkit listen``: live speech from a microphone."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serkit.cli.options import HopOption, ModelOption, SmoothOption, ThresholdOption, VadOption, WindowOption
from serkit.cli.terminal import echo, echo_document

if TYPE_CHECKING:
    from serkit.types import StreamEvent


def listen(
    *,
    model: ModelOption = None,
    file: Annotated[
        Path | None, typer.Option(help="Audio file to play into the stream instead of a microphone.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="Number of the microphone, or part of its name.", show_default="the system's")
    ] = None,
    window: WindowOption = 3.0,
    hop: HopOption = 1.0,
    vad: VadOption = True,
    smooth: SmoothOption = 0.0,
    threshold: ThresholdOption = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Seconds of sound after which to stop.")] = None,
    speed: Annotated[float, typer.Option(min=0.1, max=1000, help="Playback speed of --file; 1 is real time.")] = 1.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print each event as a JSON object on its own line.")] = False,
) -> None:
    """Recognize emotions in live speech from a microphone. Press Ctrl-C to stop."""
    from serkit.audio.microphone import PIECE_SECONDS, from_file, from_microphone
    from serkit.cli.live_view import open_view
    from serkit.cli.remarks import print_remarks
    from serkit.errors import SettingsError
    from serkit.runtime.recognizer import Recognizer

    if file and device:
        raise SettingsError("--file and --device exclude each other; give one of them.")
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
            finally:  # finish the last utterance, whatever ended the sound
                show(stream.flush(), None, stream.duration)
        print_remarks([(source.name, stream.remarks)])
        if source.lost[0]:
            lost = source.lost[0] * PIECE_SECONDS
            echo(f"serkit: {lost:.1f} s of sound were lost, because this machine is too slow.", err=True)


def _print_event(events: "list[StreamEvent]", piece: Any, duration: float) -> None:
    for event in events:
        row: dict[str, Any] = {"kind": event.kind, "start": event.start, "end": event.end}
        if event.emotion:
            rounded = {name: round(value, 6) for name, value in event.probabilities.items()}
            row |= {"emotion": event.emotion, "probabilities": rounded}
        echo_document(json.dumps(row))
