"""Timelines: emotions over time in a whole recording. Many windows go through the model in one batch."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any, Literal

import numpy as np

from serkit.annotations.timeline import Timeline
from serkit.annotations.timeline_data import PEAK_SECONDS
from serkit.audio.bandwidth import BandwidthMeter
from serkit.audio.damage import Damaged
from serkit.audio.decode import OpenAudio
from serkit.audio.mixing import Mixer, mix_down, remarks_on
from serkit.audio.recordings import file_name, open_recording
from serkit.audio.sources import AudioSource
from serkit.errors import SettingsError
from serkit.runtime.channel import Item, Track, WindowAudio
from serkit.runtime.decision import Decider, make_decider
from serkit.runtime.session import ModelSession
from serkit.runtime.stream import Listening, tell
from serkit.types import FloatArray, Segment, Speech, StreamEvent, Window

Channels = Literal["mix", "separate"]
_AHEAD = 192.0  # seconds of windows, over all channels, that are collected before the model runs on them


def make_timeline(
    model: ModelSession,
    audio: AudioSource,
    *,
    sampling_rate: int | None,
    listening: Listening,
    channels: Channels,
    damaged: Damaged = "refuse",
    on_progress: Callable[[float], None] = lambda seconds: None,
) -> Timeline:
    """Return the timeline of a recording; see :meth:`serkit.Recognizer.timeline`."""
    if channels not in ("mix", "separate"):
        raise SettingsError(f"channels must be 'mix' or 'separate', not {channels!r}.")
    decider = make_decider(model.card, listening.threshold)
    with open_recording(audio, sampling_rate=sampling_rate, damaged=damaged) as recording:
        count = recording.channels if channels == "separate" else 1
        make = partial(_ChannelResults, model, decider, listening, recording.sampling_rate)
        results = [make(channel=channel, ahead=_AHEAD / count) for channel in range(count)]
        peaks, samples = _Peaks(count, recording.sampling_rate), 0
        mixer, meter = Mixer(recording.sampling_rate), BandwidthMeter(recording.sampling_rate)
        for piece in _pieces(recording, channels, mixer):
            meter.push(mix_down(piece, recording.sampling_rate))
            samples += piece.shape[1]
            peaks.push(piece)
            for result, mono in zip(results, piece, strict=True):
                result.push(mono)
            on_progress(samples / recording.sampling_rate)
        for result in results:
            result.flush(samples / recording.sampling_rate)
    duration = samples / recording.sampling_rate
    model.card.check_duration(duration, recording.name)
    return Timeline(
        windows=tuple(itertools.chain.from_iterable(result.windows for result in results)),
        segments=tuple(itertools.chain.from_iterable(result.segments for result in results)),
        speech=tuple(itertools.chain.from_iterable(result.speech for result in results)),
        duration=round(duration, 4),
        sampling_rate=recording.sampling_rate,
        channels=count,
        classes=model.card.classes,
        settings=_settings(listening, channels, decider),
        peaks=peaks.finish(),
        name=file_name(audio),
        model=model.card.name,
        remarks=model.concerning(remarks_on(is_narrow=meter.is_narrow, is_cancelled=mixer.has_cancelled)),
        gaps=tuple(recording.damage.gaps),
    )


def _pieces(recording: OpenAudio, channels: Channels, mixer: Mixer) -> Iterator[FloatArray]:
    if channels == "separate":
        yield from recording.blocks
        return
    for piece in recording.blocks:
        yield mixer.push(piece)[None]
    if (rest := mixer.flush()).size:
        yield rest[None]


def _settings(listening: Listening, channels: Channels, decider: Decider) -> dict[str, Any]:
    speech = None if listening.speech is None else asdict(listening.speech)
    least = set(decider.least)
    threshold = least.pop() if len(least) == 1 else dict(zip(decider.classes, decider.least, strict=True))
    return {
        "window": listening.window, "hop": listening.hop, "smooth": listening.smooth, "channels": channels,
        "speech": speech, "threshold": threshold, "sex": listening.sex,
    }  # fmt: skip


class _ChannelResults:
    """Collects the windows, segments and speech of one channel."""

    def __init__(
        self, model: ModelSession, decider: Decider, listening: Listening, rate: int, *, channel: int, ahead: float
    ) -> None:
        self._ahead = ahead * model.card.sampling_rate  # samples
        self._model, self._decider, self._listening, self._channel = model, decider, listening, channel
        self._track: Track = listening.track(model.card, rate)
        self._narrator = listening.narrator(model.card, decider)
        self._waiting: list[Item] = []
        self._heard = 0  # samples in the windows that wait
        self._of_stretch: list[Window] = []  # windows of the current stretch of speech
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
            self._heard += len(item.waveform) if isinstance(item, WindowAudio) else 0
            if self._heard >= self._ahead:
                self._answer()

    def _answer(self) -> None:
        for event in tell(self._model, self._narrator, self._waiting, self._listening):
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
    """Merge consecutive windows with the same emotion into segments.

    Each moment belongs to the window with the nearest middle; the first and the last window extend to the edges of the
    speech. A segment's probabilities are the mean over its windows, weighted by the time that belongs to each.

    Args:
        windows: Windows of one stretch of speech, in order.
        speech: The stretch of speech.
        decider: Decider of the model, for the order of classes.

    Yields:
        Segments, in order and without overlap.
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
    """Collects the loudest sample of each fiftieth of a second, for pictures."""

    def __init__(self, channels: int, rate: int) -> None:
        self._step = PEAK_SECONDS * rate  # samples, not always an integer

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
