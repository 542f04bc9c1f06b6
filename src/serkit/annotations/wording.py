"""Words for emotions, channels and names, and text in a form that a format can hold."""

import unicodedata
from collections.abc import Mapping

from serkit.annotations.timeline_data import TimelineData
from serkit.types import REMARKS, UNCERTAIN
from serkit.visible_text import visible

_BREAKING = {"Cc", "Zl", "Zp"}  # Unicode categories: control characters, line and paragraph separators
_UNASSIGNED = {"Cs", "Cn"}  # Unicode categories that XML cannot hold: lone surrogates, unassigned code points


def caption(emotion: str, probabilities: Mapping[str, float]) -> str:
    """Return an emotion with its probability. For ``uncertain``, the most probable emotion follows in parentheses.

    Example:
        >>> caption("anger", {"anger": 0.806, "fear": 0.194}), caption("uncertain", {"anger": 0.41, "fear": 0.3})
        ('anger 81 %', 'uncertain (anger 41 %)')
    """
    if emotion == UNCERTAIN and probabilities:
        first = max(probabilities, key=probabilities.__getitem__)
        return f"{emotion} ({first} {percent(probabilities[first])})"
    if emotion not in probabilities:
        return emotion
    return f"{emotion} {percent(probabilities[emotion])}"


def reservations(timeline: TimelineData) -> list[str]:
    """Return a sentence, without its period, for each remark on a recording, and one for its gaps."""
    sentences = [REMARKS[name] for name in timeline.remarks]
    missing = sum(gap.end - gap.start for gap in timeline.gaps if gap.end is not None)
    if any(gap.end is None for gap in timeline.gaps):
        sentences.append(f"the file is damaged, and its audio ends at {timeline.gaps[-1].start:.1f} s")
    if missing:
        sentences.append(f"{missing:.1f} s of the recording are without audio")
    return [sentence[:1].upper() + sentence[1:] for sentence in sentences]


def percent(share: float) -> str:
    """Return a share from 0 to 1 as a whole number of percent."""
    return f"{100 * share:.0f} %"


def channel_name(channel: int) -> str:
    """Return the name of a channel for people, who count from 1."""
    return f"channel {channel + 1}"


def tier_name(timeline: TimelineData, what: str, channel: int) -> str:
    """Return the name of a tier, with the channel if there are several."""
    return what if timeline.channels == 1 else f"{what} {channel_name(channel)}"


def storable(text: str) -> str:
    """Return text with ``?`` for what UTF-8 cannot encode, since file names may contain undecodable bytes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def one_line(text: str) -> str:
    r"""Return text without line breaks, tabs and other control characters, for formats that cannot hold them.

    Other characters that hide, such as an override of the direction of writing, are made visible; see
    :func:`serkit.visible_text.visible`.

    Example:
        >>> one_line(" a\tb\r\nc ")
        'a b c'
    """
    kinds = ((char, unicodedata.category(char)) for char in text)
    shown = " ".join("".join(" " if k in _BREAKING else "?" if k in _UNASSIGNED else c for c, k in kinds).split())
    return visible(shown)
