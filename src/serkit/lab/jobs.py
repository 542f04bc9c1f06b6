"""Folds, and the members of their ensembles, that are fitted side by side by several processes on one machine."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import torch

from serkit.errors import RunError
from serkit.lab import processes
from serkit.lab.fitting import Answers, Experiment, fit_fold, fit_part, note_of_part, parts_of_fit
from serkit.lab.folds import Fold
from serkit.lab.runs import Fit

Fitted = tuple[Fold, int, Fit, Answers]
_experiment: list[Experiment] = []  # of a worker: prepared once, then there for each of its folds


class _Task(NamedTuple):
    """What one process is asked for: a fold and seed, or a part of it before."""

    fold: Fold
    seed: int
    part: int | None


def count_tasks(run: Experiment, todo: Sequence[tuple[Fold, int]]) -> int:
    """Return how many processes could work at once: on folds, or on the members of their ensembles."""
    return sum(max(1, len(parts_of_fit(run, fold, seed))) for fold, seed in todo)


def fit_side_by_side(
    run: Experiment, prepare: Callable[[], Experiment], todo: Sequence[tuple[Fold, int]], jobs: int
) -> Iterator[Fitted]:
    """Fit folds in several processes; where one fails, the others end what they are at before that is raised.

    Args:
        run: The experiment, for this process, which fits nothing.
        prepare: What makes it in each of the others, from the stores that this one has filled.
        todo: Folds and seeds.
        jobs: How many processes.

    Yields:
        Fold, seed, and what :func:`serkit.lab.fitting.fit_fold` gives, as they are done.

    Raises:
        RunError: If a process dies; what the others have finished by then is yielded before.
    """
    jobs = min(jobs, count_tasks(run, todo))
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(prepare, threads_each(jobs)))
    parts = {(fold.fold, seed): parts_of_fit(run, fold, seed) for fold, seed in todo}
    waiting: deque[_Task] = deque()
    for fold, seed in todo:
        numbers = range(len(parts[fold.fold, seed]))
        waiting.extend([_Task(fold, seed, number) for number in numbers] or [_Task(fold, seed, None)])
    left = {place: len(some) for place, some in parts.items()}
    running: dict[Future[tuple[Fit, Answers | None]], _Task] = {}
    failed: BaseException | None = None
    try:
        while running or (waiting and failed is None):
            while waiting and failed is None and len(running) < jobs:
                task = waiting.popleft()
                running[pool.submit(_fit, task.fold.fold, task.seed, task.part)] = task
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                fold, seed, part = running.pop(future)
                if error := future.exception():
                    failed = failed or error
                    continue
                found, answers = future.result()
                if answers is not None:
                    yield fold, seed, found, answers
                    continue
                assert part is not None
                run.watch.note(note_of_part(run, fold, seed, parts[fold.fold, seed][part], found))
                left[fold.fold, seed] -= 1
                if not left[fold.fold, seed]:
                    waiting.appendleft(_Task(fold, seed, None))
        if failed:
            raise failed
    except BrokenProcessPool as error:
        raise RunError(
            "a process that fitted a fold died, of too little memory perhaps; the same command goes on, with fewer "
            "--jobs if need be."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def check_one_process() -> None:
    """Refuse several processes for folds where there are several for each fold.

    Raises:
        RunError: If accelerate or torchrun has started this one.
    """
    if processes.count() > 1:
        raise RunError("--jobs is for one process; accelerate or torchrun has started several for each fold already.")


def threads_each(jobs: int) -> int:
    """Return the threads of each of several processes, or of this one alone."""
    return torch.get_num_threads() if jobs == 1 else max(1, (os.cpu_count() or 1) // jobs)


def _start(prepare: Callable[[], Experiment], threads: int) -> None:
    torch.set_num_threads(threads)
    _experiment[:] = [prepare()]


def _fit(number: int, seed: int, part: int | None) -> tuple[Fit, Answers | None]:
    (run,) = _experiment
    (fold,) = (one for one in run.split.of_seed(seed) if one.fold == number)
    return fit_fold(run, fold, seed) if part is None else (fit_part(run, fold, seed, part), None)
