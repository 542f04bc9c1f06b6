"""What serkit logs and reports while it works, remembered for a test to look at."""

import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from serkit.progress import Progress


class Notes(logging.Handler):
    """Remembers log messages, within its ``with`` block, and the progress that it is called with.

    Attributes:
        notes: Log messages of serkit.
        tasks: Label of each task to its total and the steps reported after its start.
        on_note: Called with each message; may raise, as a killed process would end.
        on_step: Called with each report of progress; may raise.
    """

    def __init__(
        self,
        *,
        on_note: Callable[[str], object] = lambda text: None,
        on_step: Callable[[Progress], object] = lambda progress: None,
    ) -> None:
        super().__init__(logging.INFO)
        self.notes: list[str] = []
        self.tasks: dict[str, tuple[int | None, list[int]]] = {}
        self._on_note, self._on_step = on_note, on_step

    def emit(self, record: logging.LogRecord) -> None:
        self.notes.append(record.getMessage())
        self._on_note(record.getMessage())

    def __call__(self, progress: Progress) -> None:
        if progress.done == 0:
            self.tasks[progress.label] = (progress.total, [])
        else:
            self.tasks[progress.label][1].append(progress.done)
        self._on_step(progress)

    @property
    def fits(self) -> list[str]:
        """Labels of the fits that were begun."""
        return [label for label in self.tasks if label.startswith("fold")]

    def __enter__(self) -> Self:
        logger = logging.getLogger("serkit")
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        logger = logging.getLogger("serkit")
        logger.removeHandler(self)
        logger.setLevel(self._level)
