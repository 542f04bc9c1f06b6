"""Distributed training: the number of this process among all, and its share of each batch.

``accelerate launch`` and ``torchrun`` start several processes; otherwise there is one, which is the main process.
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
    """Return the number of this process, from 0."""
    return int(_state().process_index)


def count() -> int:
    """Return the number of processes."""
    return int(_state().num_processes)


def is_main() -> bool:
    """Whether this is the main process, which writes files."""
    return bool(_state().is_main_process)


def device() -> torch.device:
    """Return the device of this process."""
    return torch.device(_state().device)


def wait() -> None:
    """Wait until all processes have called this."""
    _state().wait_for_everyone()


@contextmanager
def main_first() -> Iterator[None]:
    """Let the main process run a block before the others, which then find its files."""
    with _state().main_process_first():
        yield


def from_main(value: T) -> T:
    """Return the main process's value in all processes, so that rounding cannot make them decide differently."""
    if count() == 1:
        return value
    shared = [value]
    broadcast_object_list(shared)
    return shared[0]


def share_of(size: int) -> slice:
    """Return this process's share of a batch of ``size`` utterances.

    Raises:
        TrainingError: If there are more processes than utterances.
    """
    if size < count():
        raise TrainingError(
            f"a batch of {size} utterances cannot be shared by {count()} processes: start fewer, or change batch_size."
        )
    return slice(rank(), size, count())
