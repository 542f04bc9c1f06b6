"""The program of a decoder process: it decodes clips and makes timelines of recordings.

libsndfile and FFmpeg are large C programs. An uploaded file that makes one of them crash, hang or fill the memory ends
only this process; :mod:`serkit.server.decoder_pool` then starts another. The process cannot write files, and its memory
is limited.

    python -m serkit.server.decoder_process [--model MODEL]

With ``--model`` the process makes timelines; without it, it decodes clips. It reads requests from stdin and writes
replies to stdout (:mod:`serkit.server.decoder_messages`), after a first message that says it is ready.
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
from serkit.audio.damage import Damaged
from serkit.audio.mixing import Mixer
from serkit.audio.recordings import open_recording
from serkit.errors import SerkitError
from serkit.server.decoder_messages import DRAWING, TOO_LONG, TOO_MANY_WINDOWS, Message, packed, read, timeline_reply
from serkit.server.sandbox import die_with_parent, drop_resources
from serkit.server.window_budget import TooManyWindowsError, WindowBudget

if TYPE_CHECKING:
    from serkit.runtime.recognizer import Recognizer

_MAX_MEMORY = 1 << 30  # bytes; half an hour of FLAC (46 MB) takes a third of it


class TooLongError(Exception):
    """The sound lasts longer than the request allows."""


class NamedUpload(io.BytesIO):
    """An uploaded file in memory, with the name that its sender gave it."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name


def decode_clip(upload: NamedUpload, *, most: float, damaged: Damaged = "refuse") -> Message:
    """Return the reply with a clip's sound: float32, shape (T,), mixed to mono, at the file's sampling rate."""
    with open_recording(upload, damaged=damaged) as recording:
        pieces, count, mixer = [], 0, Mixer(recording.sampling_rate)
        for piece in recording.blocks:
            count += piece.shape[1]
            if count > most * recording.sampling_rate:
                raise TooLongError
            pieces.append(mixer.push(piece))
        samples = np.concatenate([*pieces, mixer.flush()])
    head = {
        "sampling_rate": recording.sampling_rate,
        "gaps": [(gap.start, gap.end) for gap in recording.damage.gaps],
        "is_cancelled": mixer.has_cancelled,
    }
    return Message(head, samples.astype("<f4", copy=False).tobytes())


def make_timeline(
    recognizer: "Recognizer",
    upload: NamedUpload,
    *,
    most: float,
    most_windows: float,
    settings: dict[str, Any],
    formats: list[str],
) -> Message:
    """Return the reply with a recording's timeline, written in each of the formats."""
    budget = WindowBudget.of_upload(upload, most_windows, settings)
    if budget.longest < most:
        budget.check_recording(upload)

    def check_duration(seconds: float) -> None:
        if seconds > most:
            raise TooLongError
        budget.check(seconds)  # again, because a damaged recording may have hidden its length

    timeline = replace(recognizer.timeline(upload, on_progress=check_duration, **settings), name=upload.name)
    documents = {name: (drawing(timeline) if name == DRAWING else render(timeline, name)).encode() for name in formats}
    return timeline_reply(documents, duration=timeline.duration)


def answer(recognizer: "Recognizer | None", request: Message) -> Message:
    """Return the reply to a request; a failure is a reply too, with the name of its exception class."""
    asked = request.head
    try:
        upload = NamedUpload(request.body, asked["name"])
        if recognizer is None:
            return decode_clip(upload, most=asked["most"], damaged=asked.get("damaged", "refuse"))
        return make_timeline(
            recognizer, upload, most=asked["most"], most_windows=asked["most_windows"], settings=asked["settings"],
            formats=asked["formats"],
        )  # fmt: skip
    except TooLongError:
        hint = "; send recordings to /v1/timeline" if recognizer is None else ""
        return Message({"error": TOO_LONG, "message": hint})
    except TooManyWindowsError as error:
        return Message({"error": TOO_MANY_WINDOWS, "message": str(error)})
    except (SerkitError, MemoryError) as error:
        return Message({"error": type(error).__name__, "message": str(error)})


def main() -> None:
    """Answer requests until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model")
    model = parser.parse_args().model
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as replies:
        _silence_libraries()
        die_with_parent()
        recognizer = _load_recognizer(model) if model else None
        drop_resources(memory=_MAX_MEMORY)
        replies.writelines(packed(Message({"ready": True})))
        replies.flush()
        while (request := read(requests)) is not None:
            replies.writelines(packed(answer(recognizer, request)))
            replies.flush()


def _silence_libraries() -> None:
    """Redirect what C libraries print, so that it reaches neither the replies nor the service's log.

    Tracebacks of this program still reach the log. Errors inside C callbacks, which Python cannot raise, are dropped: a
    broken MP3 makes libsndfile seek before the start of the file, and each such seek would print a traceback.
    """
    sys.unraisablehook = lambda fault: None
    sys.stderr = os.fdopen(os.dup(2), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _load_recognizer(model: str) -> "Recognizer":
    from serkit.runtime.recognizer import Recognizer

    return Recognizer.load(model, threads=1)


if __name__ == "__main__":
    main()
