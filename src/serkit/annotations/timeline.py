"""Emotions over time: what a model says of a recording, as a timeline that can be written and drawn."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serkit.types import FloatArray, Segment, Speech, Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What a model says of a recording, window by window.

    Attributes:
        windows: By channel, then by start.
        segments: Likewise: windows in a row that say the same, merged.
        speech: Likewise: where somebody speaks; the whole recording where nobody looked.
        duration: Seconds.
        sampling_rate: Of the recording in Hz.
        channels: How many were listened to; 1 where they were mixed.
        classes: Those of the model, in the order of its outputs.
        settings: Window, hop, smoothing, and whatever else the timeline was made with.
        peaks: The loudest absolute sample of each stretch of :data:`PEAK_SECONDS`, shape (channels, n), for pictures.
        name: Of the file; empty for an array.
        model: Name of the model.
    """

    windows: tuple[Window, ...]
    segments: tuple[Segment, ...]
    speech: tuple[Speech, ...]
    duration: float
    sampling_rate: int
    channels: int
    classes: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict, hash=False)
    peaks: FloatArray = field(repr=False, compare=False)
    name: str = ""
    model: str = ""

    def to_json(self) -> str:
        """Return all but the peaks as a JSON document; see :mod:`serkit.annotations.json`."""
        return self._render("json")

    def to_csv(self) -> str:
        """Return the segments as CSV, one a row; see :mod:`serkit.annotations.csv`."""
        return self._render("csv")

    def to_textgrid(self) -> str:
        """Return speech and segments as a TextGrid for Praat; see :mod:`serkit.annotations.textgrid`."""
        return self._render("textgrid")

    def to_elan(self) -> str:
        """Return speech and segments as an EAF document for ELAN; see :mod:`serkit.annotations.elan`."""
        return self._render("elan")

    def to_audacity(self) -> str:
        """Return the segments as a label track for Audacity; see :mod:`serkit.annotations.audacity`."""
        return self._render("audacity")

    def to_srt(self) -> str:
        """Return the segments as SubRip subtitles; see :mod:`serkit.annotations.srt`."""
        return self._render("srt")

    def to_vtt(self) -> str:
        """Return the segments as WebVTT subtitles; see :mod:`serkit.annotations.vtt`."""
        return self._render("vtt")

    def to_rttm(self) -> str:
        """Return the segments as RTTM, the emotion in the speaker's place; see :mod:`serkit.annotations.rttm`."""
        return self._render("rttm")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file in the format that its name asks for.

        Args:
            path: Ends in .json, .csv (the segments), .windows.csv, .TextGrid, .eaf (ELAN), .txt (Audacity), .srt, .vtt
                or .rttm; or in .png, .svg or .html, see :meth:`plot`.

        Returns:
            The path.

        Raises:
            UnknownNameError: If the name has another ending.
            MissingExtraError: If a picture is asked for and matplotlib is not installed.
        """
        from serkit.annotations import save

        return save(self, path)

    def plot(self, path: str | os.PathLike[str], *, audio: str | os.PathLike[str] | None = None) -> Path:
        """Draw a picture, or a page on which the recording plays.

        Args:
            path: Ends in .png or .svg for a picture, in .html for a page.
            audio: The recording, for a page: it goes into the file where it is small enough, see
                :mod:`serkit.annotations.timeline_page`. Pictures have no use for it.

        Returns:
            The path.

        Raises:
            UnknownNameError: If the name has another ending.
            MissingExtraError: If a picture is asked for and matplotlib is not installed.
            AudioNotFoundError: If there is no such recording.
        """
        from serkit.annotations import plot

        return plot(self, path, audio=audio)

    def _render(self, form: str) -> str:
        from serkit.annotations import render

        return render(self, form)


PEAK_SECONDS = 0.02
