"""How much work a timeline may be: the sound of all its windows, which overlap and all run through the model."""

from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO

from serkit.audio.decode import OpenAudio
from serkit.audio.recordings import open_recording
from serkit.errors import AudioError


def _opened(upload: BinaryIO, settings: dict[str, Any]) -> AbstractContextManager[OpenAudio]:
    return open_recording(upload, damaged=settings.get("damaged", "refuse"))


class TooManyWindowsError(Exception):
    """The windows of a timeline are longer together than the request allows.

    Args:
        message: One sentence for people.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBudget:
    """The maximum work of one timeline.

    Attributes:
        seconds: Maximum duration of all windows together.
        window: Length of a window in seconds.
        hop: Seconds from the start of one window to the start of the next.
        channels: Number of channels that get windows of their own.
    """

    seconds: float
    window: float
    hop: float
    channels: int = 1

    @classmethod
    def of_upload(cls, upload: BinaryIO, seconds: float, settings: dict[str, Any]) -> "WindowBudget":
        """Return the budget for a recording.

        Args:
            upload: Recording; it is read from its start again afterwards.
            seconds: Maximum duration of all windows together.
            settings: Options of :meth:`serkit.Recognizer.timeline`, with ``window``, ``hop`` and ``channels``.
        """
        count = 1
        if settings["channels"] == "separate":
            with suppress(AudioError), _opened(upload, settings) as recording:  # the timeline raises the error itself
                count = recording.channels
            upload.seek(0)
        return cls(seconds=seconds, window=settings["window"], hop=settings["hop"], channels=count)

    @property
    def longest(self) -> float:
        """Maximum duration of the recording, in seconds."""
        return self.seconds * self.hop / self.window / self.channels

    def check(self, seconds: float) -> None:
        """Check the duration of a recording.

        Raises:
            TooManyWindowsError: If its windows would be longer together than the budget.
        """
        if seconds <= self.longest:
            return
        separate = f" in {self.channels} separate channels" if self.channels > 1 else ""
        raise TooManyWindowsError(
            f"with windows of {self.window:g} s every {self.hop:g} s{separate}, a recording may last at most "
            f"{self.longest:,.0f} s; use a larger hop, or send the recording in parts."
        )

    def check_recording(self, upload: BinaryIO) -> None:
        """Check a recording before any of its windows runs through the model; it is decoded until it is too long.

        Args:
            upload: Recording; it is read from its start again afterwards.

        Raises:
            TooManyWindowsError: If its windows would be longer together than the budget.
        """
        samples = 0
        with suppress(AudioError), open_recording(upload) as recording:  # the timeline raises the error itself
            for piece in recording.blocks:
                samples += piece.shape[1]
                self.check(samples / recording.sampling_rate)
        upload.seek(0)
