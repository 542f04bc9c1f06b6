"""Short texts that leaderboard and report share: protocol names, numbers, intervals and counts."""

from collections.abc import Mapping
from typing import Any

_PROTOCOL_NAMES = {"speaker_kfold": "speaker k-fold", "random": "random split"}


def protocol_name(protocol: str) -> str:
    """Return the name of a protocol as pages print it.

    Example:
        >>> protocol_name("leave_one_speaker_out")
        'leave one speaker out'
    """
    return _PROTOCOL_NAMES.get(protocol, protocol.replace("_", " "))


def number(value: float | None) -> str:
    """Return a percentage with one decimal; empty for None."""
    return "" if value is None else f"{value:.1f}"


def percent(share: float) -> str:
    """Return a share from 0 to 1 in percent, with one decimal."""
    return f"{100 * share:.1f}"


def interval(low: float, high: float) -> str:
    """Return an interval in percent, with one decimal.

    Example:
        >>> interval(70.123, 80.0)
        '[70.1, 80.0]'
    """
    return f"[{low:.1f}, {high:.1f}]"


def uar_of(scores: Mapping[str, Any], star: str = "") -> str:
    """Return UAR with its 95 % interval in percent.

    Args:
        scores: Metrics with ``uar``, ``uar_low``, ``uar_high`` and ``interval_over``.
        star: Mark after an interval that was not resampled over speakers.
    """
    mark = "" if scores["interval_over"] == "speakers" else star
    return f"{scores['uar']:.1f} {interval(scores['uar_low'], scores['uar_high'])}{mark}"


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun.

    Example:
        >>> count_of(2, "speaker")
        '2 speakers'
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
