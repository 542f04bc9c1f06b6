"""Progress of long work: a report for each step, passed to a callback that the caller may give.

Messages, such as what a corpus lacks or that a fold is done, are logged under ``serkit`` at level INFO.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Progress:
    """One step of a task: ``on_progress`` is called with it when the task begins, and after each step.

    Attributes:
        label: Name of the task, such as ``decoding`` or ``fold 0 seed 0``.
        done: Steps done so far; 0 when the task begins, and ``total`` when it ends.
        total: Steps of the whole task, None where that is unknown.
        remark: Latest result, such as a loss, or an empty text.
    """

    label: str
    done: int
    total: int | None
    remark: str = ""


OnProgress = Callable[[Progress], object]


class Step(Protocol):
    """Function that reports one step of a task."""

    def __call__(self, done: int, remark: str = "") -> None:
        """Report the steps done so far, with an optional remark."""


def begin_task(label: str, total: int | None, on_progress: OnProgress | None) -> Step:
    """Report the start of a task and return the function that reports its steps.

    Args:
        label: Name of the task.
        total: Steps of the whole task, None where that is unknown.
        on_progress: Callback, or None to report nothing.

    Example:
        >>> step = begin_task("decoding", 2, print)
        Progress(label='decoding', done=0, total=2, remark='')
        >>> step(2)
        Progress(label='decoding', done=2, total=2, remark='')
    """

    def step(done: int, remark: str = "") -> None:
        if on_progress:
            on_progress(Progress(label, done, total, remark))

    step(0)
    return step
