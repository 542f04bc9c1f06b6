"""How an experiment shows where it is: silently, or with rich's bars on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Watch:
    """Shows nothing; the base of those that do."""

    def note(self, text: str) -> None:
        """Say something once."""

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
        """Count up to a total, where it is known; what it yields takes how many are done and a remark."""
        yield lambda done, remark: None


class RichWatch(Watch):
    """Shows notes and bars on stderr; where that is no terminal, notes alone."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, markup=False)

    @contextmanager
    def bar(self, label: str, total: int | None) -> Iterator[Callable[[int, str], None]]:
        """Draw a bar that goes away when it is done."""
        if not self._console.is_terminal:
            yield lambda done, remark: None
            return
        columns = (
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
            TextColumn("{task.fields[remark]}"),
        )  # fmt: skip
        with Progress(*columns, console=self._console, transient=True) as progress:
            task = progress.add_task(label, total=total, remark="")
            yield lambda done, remark: progress.update(task, completed=done, remark=remark)
