"""Words for emotions, channels and names, and text in a form that a format can hold."""

import unicodedata
from collections.abc import Mapping, Sequence

from serkit.annotations.timeline_data import TimelineData
from serkit.types import REMARKS, UNCERTAIN, Gap
from serkit.visible_text import visible

_MOST_GAPS = 3  # that a sentence lists
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
    if timeline.gaps:
        sentences.append(gaps_in_words(timeline.gaps))
    return [sentence[:1].upper() + sentence[1:] for sentence in sentences]


def gaps_in_words(gaps: Sequence[Gap]) -> str:
    """Return one sentence, without its period, that says how much audio is missing and where.

    Args:
        gaps: Stretches without audio, at least one.
    """
    ends = [(gap.start, gap.end) for gap in gaps if gap.end is not None]
    parts = []
    if ends:
        first = ", ".join(f"{start:.2f}-{end:.2f} s" for start, end in ends[:_MOST_GAPS])
        more = f" and {len(ends) - _MOST_GAPS} more" if len(ends) > _MOST_GAPS else ""
        parts.append(f"no audio for {sum(end - start for start, end in ends):.2f} s ({first}{more})")
    if gaps[-1].end is None:
        parts.append(f"nothing is heard from {gaps[-1].start:.2f} s on")
    return ", and ".join(parts)


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
