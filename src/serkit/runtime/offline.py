"""Emotions of a whole recording: a stream that runs ahead, window upon window through the model at once."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from serkit.annotations.timeline import PEAK_SECONDS, Timeline
from serkit.audio.decode import AudioSource, mix_down
from serkit.audio.recordings import Recording, file_name, open_recording
from serkit.errors import RecipeError
from serkit.runtime.channel import Heard, Item, Track
from serkit.runtime.decision import Decider, make_decider
from serkit.runtime.stream import Listening, tell
from serkit.types import FloatArray, Segment, Speech, StreamEvent, Window

if TYPE_CHECKING:
    from serkit.runtime.recognizer import Recognizer

Channels = Literal["mix", "separate"]
_AHEAD = 192.0  # seconds of sound that are gathered in windows before the model hears them, of all channels


def make_timeline(
    recognizer: "Recognizer",
    audio: AudioSource,
    *,
    sampling_rate: int | None,
    listening: Listening,
    channels: Channels,
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> Timeline:
    """Listen to a recording from its beginning to its end; see :meth:`serkit.Recognizer.timeline`."""
    if channels not in ("mix", "separate"):
        raise RecipeError(f"channels are 'mix' or 'separate', not {channels!r}.")
    decider = make_decider(recognizer.card, listening.threshold)
    with open_recording(audio, sampling_rate=sampling_rate) as recording:
        count = recording.channels if channels == "separate" else 1
        make = partial(_Voice, recognizer, decider, listening, recording.sampling_rate)
        voices = [make(channel=channel, ahead=_AHEAD / count) for channel in range(count)]
        peaks, samples = _Peaks(count, recording.sampling_rate), 0
        for piece in _pieces(recording, channels):
            samples += piece.shape[1]
            peaks.push(piece)
            for voice, mono in zip(voices, piece, strict=True):
                voice.push(mono)
            on_progress(samples / recording.sampling_rate)
        for voice in voices:
            voice.flush(samples / recording.sampling_rate)
    duration = samples / recording.sampling_rate
    recognizer.card.check_duration(duration, recording.name)
    return Timeline(
        windows=tuple(itertools.chain.from_iterable(voice.windows for voice in voices)),
        segments=tuple(itertools.chain.from_iterable(voice.segments for voice in voices)),
        speech=tuple(itertools.chain.from_iterable(voice.speech for voice in voices)),
        duration=round(duration, 4),
        sampling_rate=recording.sampling_rate,
        channels=count,
        classes=recognizer.card.classes,
        settings=_settings(listening, channels, decider),
        peaks=peaks.finish(),
        name=file_name(audio),
        model=recognizer.card.name,
    )


def _pieces(recording: Recording, channels: Channels) -> Iterator[FloatArray]:
    if channels == "separate":
        return recording.pieces
    return (mix_down(piece)[None] for piece in recording.pieces)


def _settings(listening: Listening, channels: Channels, decider: Decider) -> dict[str, Any]:
    speech = None if listening.speech is None else asdict(listening.speech)
    least = set(decider.least)
    threshold = least.pop() if len(least) == 1 else dict(zip(decider.classes, decider.least, strict=True))
    return {
        "window": listening.window, "hop": listening.hop, "smooth": listening.smooth, "channels": channels,
        "speech": speech, "threshold": threshold, "sex": listening.sex,
    }  # fmt: skip


class _Voice:
    """One channel, and all that is said of it."""

    def __init__(
        self, recognizer: "Recognizer", decider: Decider, listening: Listening, rate: int, *, channel: int, ahead: float
    ) -> None:
        self._ahead = ahead * recognizer.card.sampling_rate
        self._recognizer, self._decider, self._listening, self._channel = recognizer, decider, listening, channel
        self._track: Track = listening.track(recognizer, rate)
        self._narrator = listening.narrator(recognizer, decider)
        self._waiting: list[Item] = []
        self._heard = 0  # samples of windows among them
        self._of_stretch: list[Window] = []
        self.windows: list[Window] = []
        self.segments: list[Segment] = []
        self.speech: list[Speech] = []

    def push(self, mono: FloatArray) -> None:
        self._take(self._track.push(mono))

    def flush(self, duration: float) -> None:
        self._narrator.duration = duration
        self._take(self._track.flush())
        self._answer()

    def _take(self, items: Iterator[Item]) -> None:
        for item in items:
            self._waiting.append(item)
            self._heard += len(item.waveform) if isinstance(item, Heard) else 0
            if self._heard >= self._ahead:
                self._answer()

    def _answer(self) -> None:
        for event in tell(self._recognizer, self._narrator, self._waiting, self._listening):
            self._note(event)
        self._waiting, self._heard = [], 0

    def _note(self, event: StreamEvent) -> None:
        if event.kind == "speech_start":
            self._began = event.start
            self._of_stretch = []
        elif event.kind == "emotion":
            self._of_stretch.append(
                Window(
                    start=event.start, end=event.end, emotion=event.emotion, probabilities=event.probabilities,
                    embedding=event.embedding, channel=self._channel,
                )
            )  # fmt: skip
        elif event.kind == "speech_end":
            speech = Speech(start=self._began, end=event.end, channel=self._channel)
            self.speech.append(speech)
            self.windows += self._of_stretch
            self.segments += merge_windows(self._of_stretch, speech, self._decider)


def merge_windows(windows: list[Window], speech: Speech, decider: Decider) -> Iterator[Segment]:
    """Merge the windows of a stretch of speech that say the same in a row.

    A window speaks for the time that its middle is the nearest one of; the first and the last reach to the stretch's
    edges. A segment's probabilities are the mean over its windows by that time.
    """
    middles = [(window.start + window.end) / 2 for window in windows]
    inner = [min(max(round((a + b) / 2, 4), speech.start), speech.end) for a, b in itertools.pairwise(middles)]
    edges = [speech.start, *inner, speech.end]
    spans = zip(windows, itertools.pairwise(edges), strict=True) if windows else ()
    cells = [(window, span) for window, span in spans if span[0] < span[1]]
    for emotion, group in itertools.groupby(cells, key=lambda cell: cell[0].emotion):
        own = list(group)
        weights = np.array([end - start for _, (start, end) in own])
        rows = np.array([[window.probabilities[name] for name in decider.classes] for window, _ in own])
        mean = (weights @ rows / weights.sum()).astype(np.float32)
        yield Segment(
            start=own[0][1][0], end=own[-1][1][1], emotion=emotion, probabilities=decider.ranked(mean),
            channel=speech.channel,
        )  # fmt: skip


class _Peaks:
    """The loudest sample of each fiftieth of a second, for pictures."""

    def __init__(self, channels: int, rate: int) -> None:
        self._step = PEAK_SECONDS * rate  # samples, not always a whole number
        self._rest = np.empty((channels, 0), np.float32)
        self._found = [np.empty((channels, 0), np.float32)]
        self._count = 0

    def push(self, piece: FloatArray) -> None:
        joined = np.concatenate([self._rest, np.abs(piece)], axis=1)
        start = round(self._count * self._step)
        whole = int((start + joined.shape[1]) / self._step) - self._count
        borders = np.round(np.arange(self._count, self._count + whole + 1) * self._step).astype(np.int64) - start
        borders = borders[borders <= joined.shape[1]]
        if len(borders) > 1:
            self._found.append(np.maximum.reduceat(joined[:, : borders[-1]], borders[:-1], axis=1))
            self._count += len(borders) - 1
            joined = joined[:, borders[-1] :]
        self._rest = joined

    def finish(self) -> FloatArray:
        last = self._rest.max(-1, keepdims=True) if self._rest.size else self._rest
        return np.concatenate([*self._found, last], axis=1)
