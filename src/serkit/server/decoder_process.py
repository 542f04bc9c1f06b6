"""The process that reads what strangers send: it decodes clips, and listens to recordings.

libsndfile and FFmpeg are large programs in C. A file that makes one of them crash, loop or grow takes this process with
it and no other; :mod:`serkit.server.decoder_pool` starts the next. It may write no file, and its memory has a limit.

    python -m serkit.server.decoder_process [--model MODEL]

With a model it makes timelines, without one it decodes. It reads messages from stdin (see
:mod:`serkit.server.pipe_messages`) and answers each on stdout, after a first message that says it is ready.
"""

import argparse
import io
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from serkit.annotations import render
from serkit.annotations.timeline_page import drawing
from serkit.audio.decode import mix_down
from serkit.audio.recordings import open_recording
from serkit.errors import SerkitError
from serkit.server.isolation import die_with_parent, give_up_resources
from serkit.server.pipe_messages import Message, packed, read

if TYPE_CHECKING:
    from serkit.runtime.recognizer import Recognizer

MEMORY = 1 << 30  # bytes; half an hour of FLAC (46 MB) takes a third of it
DRAWING = "drawing"  # a format beside those of serkit.annotations: what the service's page draws
TOO_LONG = "TooLong"


class TooLongError(Exception):
    """The sound lasts longer than it may."""


class Upload(io.BytesIO):
    """A file in memory, by the name that its sender gave it."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def decode(upload: Upload, *, most: float) -> Message:
    """Return the sound of a clip, mixed to one channel at its own rate: float32, shape (T,)."""
    with open_recording(upload) as recording:
        found, count = [], 0
        for piece in recording.pieces:
            count += piece.shape[1]
            if count > most * recording.sampling_rate:
                raise TooLongError
            found.append(mix_down(piece))
        samples = np.concatenate(found)
    return Message({"sampling_rate": recording.sampling_rate}, samples.astype("<f4", copy=False).tobytes())


def listen(
    recognizer: "Recognizer", upload: Upload, *, most: float, settings: dict[str, Any], formats: list[str]
) -> Message:
    """Return a timeline in each of some formats, one behind the other."""

    def check(seconds: float) -> None:
        if seconds > most:
            raise TooLongError

    timeline = replace(recognizer.timeline(upload, on_progress=check, **settings), name=upload.name)
    written = [(drawing(timeline) if name == DRAWING else render(timeline, name)).encode() for name in formats]
    sizes = dict(zip(formats, map(len, written), strict=True))
    return Message({"sizes": sizes, "duration": timeline.duration}, b"".join(written))


def answer(recognizer: "Recognizer | None", request: Message) -> Message:
    """Do what is asked; what goes wrong is an answer too."""
    try:
        upload = Upload(request.body, request.head["name"])
        if recognizer is None:
            return decode(upload, most=request.head["most"])
        asked = request.head
        return listen(recognizer, upload, most=asked["most"], settings=asked["settings"], formats=asked["formats"])
    except TooLongError:
        return Message({"error": TOO_LONG, "message": ""})
    except (SerkitError, MemoryError) as error:
        return Message({"error": type(error).__name__, "message": str(error)})


def main() -> None:
    """Answer until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    model = parser.parse_args().model
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as answers:
        _silence_libraries()
        die_with_parent()
        recognizer = _recognizer(model) if model else None
        give_up_resources(memory=MEMORY)
        answers.writelines(packed(Message({"ready": True})))
        answers.flush()
        while (request := read(requests)) is not None:
            answers.writelines(packed(answer(recognizer, request)))
            answers.flush()


def _silence_libraries() -> None:
    """Keep what libraries print out of the messages, and out of the log, which strangers could fill with it.

    An exception of our own is still seen there, but for those that a callback cannot raise: a broken MP3 makes
    libsndfile seek to places before the beginning, for which its caller prints a traceback and goes on.
    """
    sys.unraisablehook = lambda fault: None
    sys.stderr = os.fdopen(os.dup(2), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _recognizer(model: str) -> "Recognizer":
    from serkit.runtime.recognizer import Recognizer

    return Recognizer.load(model, threads=1)


if __name__ == "__main__":
    main()
