"""The output of ``serkit listen``: a live display on a terminal, otherwise one line per event."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from serkit.cli.terminal import cell, echo
from serkit.types import FloatArray, StreamEvent
from serkit.visible_text import visible

Show = Callable[[list[StreamEvent], FloatArray | None, float], None]
_BAR = 40  # characters
_UTTERANCES = 8  # utterances that stay on the screen
_QUIETEST = -60.0  # left end of the level meter, in dB of full scale


@contextmanager
def open_view(source: str, classes: Sequence[str]) -> Iterator[Show]:
    """Yield a function that shows events.

    The function takes the new events, the sound that they came from (None at the end), and the duration so far in
    seconds.

    Args:
        source: Name of the sound source.
        classes: Classes of the model.
    """
    console = Console()
    if not console.is_terminal:
        yield lambda events, piece, duration: _print(events)
        return
    state = _State(source, tuple(classes))
    with Live(state.draw(), console=console, refresh_per_second=10, transient=False) as live:

        def show(events: list[StreamEvent], piece: FloatArray | None, duration: float) -> None:
            state.note(events, piece, duration)
            live.update(state.draw())

        yield show


def _print(events: Sequence[StreamEvent]) -> None:
    for event in events:
        echo(line_of(event))


def line_of(event: StreamEvent) -> str:
    """Return the line that describes an event."""
    if event.kind == "speech_start":
        return f"{event.start:8.2f} s  speech starts"
    if event.kind == "speech_end":
        return f"{event.end:8.2f} s  speech ends"
    what = "utterance" if event.kind == "utterance" else "window"
    name, value = next(iter(event.probabilities.items()))
    answer = event.emotion if event.emotion == name else f"{event.emotion}, {name}"
    return f"{event.end:8.2f} s  {what} from {event.start:.2f} s: {answer} {value:.2f}"


class _State:
    """The state of the display."""

    def __init__(self, source: str, classes: tuple[str, ...]) -> None:
        self._source, self._classes = source, classes
        self._level, self._duration, self._speaks = _QUIETEST, 0.0, False
        self._now: StreamEvent | None = None
        self._said: deque[StreamEvent] = deque(maxlen=_UTTERANCES)

    def note(self, events: Sequence[StreamEvent], piece: FloatArray | None, duration: float) -> None:
        self._duration = duration
        if piece is not None and len(piece):
            power = float(np.mean(np.square(piece, dtype=np.float64)))
            self._level = max(_QUIETEST, 10 * float(np.log10(power + 1e-12)))
        for event in events:
            if event.kind == "speech_start":
                self._speaks, self._now = True, None
            elif event.kind == "emotion":
                self._now = event
            elif event.kind == "speech_end":
                self._speaks = False
            else:
                self._said.append(event)

    def draw(self) -> Any:
        loud = round(_BAR * (1 - self._level / _QUIETEST))
        state = Text("speech", style="bold green") if self._speaks else Text("no speech", style="dim")
        head = Text.assemble(
            f"{visible(self._source)}  {self._duration:7.1f} s  ", ("▮" * loud).ljust(_BAR, "·"), "  ", state
        )
        table = Table.grid(padding=(0, 1))
        for name in self._classes:
            value = self._now.probabilities[name] if self._now else 0.0
            style = "bold" if self._now and self._now.emotion == name else ""
            table.add_row(
                Text(visible(name), style=style),
                Text(("█" * round(value * _BAR)).ljust(_BAR), style="cyan"),
                f"{value:.2f}",
            )
        answer = Text(f"now: {visible(self._now.emotion)}" if self._now else "now: -", style="bold")
        return Group(head, Text(), table, answer, Text(), *(cell(line_of(event)) for event in self._said))
