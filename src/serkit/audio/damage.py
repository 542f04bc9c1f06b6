"""One rule for damaged audio, whatever decodes it.

Up to 0.1 s of a file may be missing, as players allow. What is missing in the middle becomes silence and is reported as
a gap. If more is missing, the file is refused, or read as far as possible where the caller asks for it.
"""

from typing import Literal, get_args

from serkit.errors import SettingsError, TruncatedAudioError
from serkit.types import Gap

Damaged = Literal["refuse", "skip"]
TOLERANCE = 0.1  # seconds of a file that may be missing


def check_damaged(damaged: str) -> None:
    """Check the policy for damaged audio.

    Raises:
        SettingsError: If it is not one of the two words.
    """
    if damaged not in get_args(Damaged):
        raise SettingsError(f"damaged must be 'refuse' or 'skip', not {damaged!r}.")


def several_files(name: str, kind: str, behind: int) -> str:
    """Return the message about a file that other files follow.

    Args:
        name: Name of the file.
        kind: Format of the files, or ``audio``.
        behind: Number of bytes behind the end of the first.
    """
    return (
        f"{name} is several {kind} files in one: {behind} bytes follow the end of the first. Join recordings with a "
        "tool such as SoX or FFmpeg."
    )


class DamageReport:
    """Collects what of one file cannot be heard.

    Args:
        damaged: ``refuse`` raises the error of a file of which more than 0.1 s is missing; ``skip`` only reports it.

    Attributes:
        gaps: Stretches without audio, in order. Gaps in the middle are silence in the samples.
    """

    def __init__(self, damaged: Damaged = "refuse") -> None:
        check_damaged(damaged)
        self._damaged = damaged
        self._missing = 0.0
        self._is_cut = self._has_more = False
        self.gaps: list[Gap] = []

    @property
    def does_skip(self) -> bool:
        """Whether the file is read as far as possible."""
        return self._damaged == "skip"

    def pause(self, start: float, end: float) -> None:
        """Report a stretch in which the recorder wrote no audio. It is no fault."""
        self.gaps.append(Gap(start=round(start, 4), end=round(end, 4)))

    def lost(self, start: float, end: float, message: str) -> None:
        """Report a stretch in the middle that cannot be decoded.

        Raises:
            TruncatedAudioError: With the message, if more than 0.1 s is missing and damaged files are refused.
        """
        self._missing += end - start
        self._refuse_beyond_tolerance(message)
        self.pause(start, end)

    def cut(self, start: float, end: float | None, message: str) -> None:
        """Report audio that is missing at the end. Up to 0.1 s is not worth a report.

        Args:
            start: End of the audio that was read, in seconds.
            end: Duration that the file announces, in seconds. None if it is unknown.
            message: Message of the error.

        Raises:
            TruncatedAudioError: With the message, if too much is missing and damaged files are refused.
        """
        is_most = end is None or end - start > start  # of a short clip 0.1 s may be nearly all
        self._missing += TOLERANCE * 2 if is_most or end is None else end - start
        self._refuse_beyond_tolerance(message)
        if is_most or end is None or end - start > TOLERANCE:
            if self._is_cut:  # both the container and its decoder, or the header and what follows the end, may tell
                last = self.gaps.pop()
                start = min(start, last.start)
                end = max((one for one in (end, last.end) if one is not None), default=None)
            self._is_cut = True
            self.gaps.append(Gap(start=round(start, 4), end=None if end is None else round(end, 4)))

    def cut_at_end(self, message: str) -> None:
        """Report, before the audio is read, that more follows behind what can be read. Call :meth:`end` after it.

        Raises:
            TruncatedAudioError: With the message, if damaged files are refused.
        """
        self._missing += TOLERANCE * 2
        self._refuse_beyond_tolerance(message)
        self._has_more = True

    def end(self, seconds: float) -> None:
        """Report the duration of the audio that was read, where more follows."""
        if self._has_more:
            self._has_more = False
            self.cut(seconds, None, "")

    def _refuse_beyond_tolerance(self, message: str) -> None:
        if self._missing > TOLERANCE + 1e-9 and not self.does_skip:
            raise TruncatedAudioError(message)
