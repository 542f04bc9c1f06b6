"""Several processes that train one model: who is who, and what each takes.

``accelerate launch`` and ``torchrun`` start them; without these there is one, which is the main one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from serkit.errors import TrainingError

T = TypeVar("T")


def _state() -> PartialState:
    return PartialState(cpu=not torch.cuda.is_available())


def rank() -> int:
    """Return this process's number, from 0."""
    return int(_state().process_index)


def count() -> int:
    """Return how many there are."""
    return int(_state().num_processes)


def is_main() -> bool:
    """Whether this is the process that writes files."""
    return bool(_state().is_main_process)


def device() -> torch.device:
    """Return where this process computes."""
    return torch.device(_state().device)


def wait() -> None:
    """Wait for all the others to get here."""
    _state().wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """Let the main process go through a block before the others, who then find what it left on disk."""
    with _state().main_process_first():
        yield


def from_main(value: T) -> T:
    """Return the main process's value in all of them, so that none decides otherwise for a rounding."""
    if count() == 1:
        return value
    shared = [value]
    broadcast_object_list(shared)
    return shared[0]


def share_of(size: int) -> slice:
    """Return which of ``size`` utterances of a batch are this process's.

    Raises:
        TrainingError: If there are more processes than utterances.
    """
    if size < count():
        raise TrainingError(
            f"a batch of {size} utterances cannot be shared by {count()} processes: start fewer, or change batch_size."
        )
    return slice(rank(), size, count())
