"""Timeline: emotions over time in a recording, to be written and drawn."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serkit.annotations import json as json_format
from serkit.annotations import plot, render, save
from serkit.annotations.timeline_data import TimelineData


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline(TimelineData):
    """Emotions over time in a recording; see :class:`serkit.annotations.timeline_data.TimelineData` for its fields.

    :meth:`serkit.Recognizer.timeline` makes one.
    """

    def to_dict(self) -> dict[str, Any]:
        """Return all but the peaks as values that JSON can hold; see :mod:`serkit.annotations.json`."""
        return json_format.as_dict(self)

    def to_json(self) -> str:
        """Return all but the peaks as a JSON document; see :mod:`serkit.annotations.json`."""
        return render(self, "json")

    def to_csv(self) -> str:
        """Return the segments as CSV, one a row; see :mod:`serkit.annotations.csv`."""
        return render(self, "csv")

    def to_textgrid(self) -> str:
        """Return speech and segments as a TextGrid for Praat; see :mod:`serkit.annotations.textgrid`."""
        return render(self, "textgrid")

    def to_elan(self) -> str:
        """Return speech and segments as an EAF document for ELAN; see :mod:`serkit.annotations.elan`."""
        return render(self, "elan")

    def to_audacity(self) -> str:
        """Return the segments as a label track for Audacity; see :mod:`serkit.annotations.audacity`."""
        return render(self, "audacity")

    def to_srt(self) -> str:
        """Return the segments as SubRip subtitles; see :mod:`serkit.annotations.srt`."""
        return render(self, "srt")

    def to_vtt(self) -> str:
        """Return the segments as WebVTT subtitles; see :mod:`serkit.annotations.vtt`."""
        return render(self, "vtt")

    def to_rttm(self) -> str:
        """Return the segments as RTTM, with emotions in place of speakers; see :mod:`serkit.annotations.rttm`."""
        return render(self, "rttm")

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a file in the format of its ending.

        Args:
            path: File to write. Its ending is .json, .csv (the segments), .windows.csv, .TextGrid, .eaf (ELAN), .txt
                (Audacity), .srt, .vtt or .rttm; or .png, .svg or .html, see :meth:`plot`.

        Returns:
            The path.

        Raises:
            UnknownNameError: If the name has another ending.
            MissingExtraError: If you ask for a picture and matplotlib is not installed.
        """
        return save(self, path)

    def plot(self, path: str | os.PathLike[str], *, audio: str | os.PathLike[str] | None = None) -> Path:
        """Draw a picture, or a page that plays the recording.

        Args:
            path: File to write. Its ending is .png or .svg for a picture, .html for a page.
            audio: Recording for a page. A small file is embedded, a large one is linked; see
                :mod:`serkit.annotations.timeline_page`. Pictures ignore it.

        Returns:
            The path.

        Raises:
            UnknownNameError: If the name has another ending.
            MissingExtraError: If you ask for a picture and matplotlib is not installed.
            AudioNotFoundError: If there is no file at ``audio``.
        """
        return plot(self, path, audio=audio)
