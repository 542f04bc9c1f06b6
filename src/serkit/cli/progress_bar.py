"""Progress and log messages of the library on stderr: messages as lines, progress as a bar on a terminal."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from serkit.cli.terminal import cell
from serkit.progress import OnProgress, Progress
from serkit.visible_text import visible


@contextmanager
def shown_progress(*, is_quiet: bool = False) -> Iterator[OnProgress]:
    """Print serkit's log messages on stderr, and yield an ``on_progress`` that draws a bar where stderr is a terminal.

    Args:
        is_quiet: Whether to show nothing, for all but the main process of a distributed training.
    """
    if is_quiet:
        yield lambda progress: None
        return
    console = Console(stderr=True, highlight=False)
    logger, handler = logging.getLogger("serkit"), _ConsoleHandler(console)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    bar = _Bar(console)
    try:
        yield bar
    finally:
        bar.remove()
        logger.removeHandler(handler)
        logger.setLevel(level)


class _ConsoleHandler(logging.Handler):
    """Prints log messages above a bar."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message as a line."""
        self._console.print(cell(record.getMessage()))


class _Bar:
    """Draws the task under way; its bar goes away when the task ends or another one begins."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._label: str | None = None
        self._bar: RichProgress | None = None
        self._task = TaskID(0)

    def __call__(self, progress: Progress) -> None:
        if not self._console.is_terminal:
            return
        if self._bar is None or progress.label != self._label:
            self._begin(progress)
        if progress.total is not None and progress.done >= progress.total:
            self.remove()
        elif self._bar:
            self._bar.update(self._task, completed=progress.done, remark=visible(progress.remark))

    def remove(self) -> None:
        """Take the bar off the screen."""
        if self._bar:
            self._bar.stop()
        self._bar = self._label = None

    def _begin(self, progress: Progress) -> None:
        self.remove()
        self._label = progress.label
        self._bar = RichProgress(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}", markup=False), console=self._console, transient=True,
        )  # fmt: skip
        self._task = self._bar.add_task(visible(progress.label), total=progress.total, remark="")
        self._bar.start()
