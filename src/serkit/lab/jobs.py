"""Folds that are fitted side by side by several processes on one machine."""

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

import torch

from serkit.errors import RunError
from serkit.lab import processes
from serkit.lab.fitting import Answers, Experiment, fit_fold
from serkit.lab.folds import Fold
from serkit.lab.runs import Fit

Fitted = tuple[Fold, int, Fit, Answers]
_experiment: list[Experiment] = []  # of a worker: prepared once, then there for each of its folds


def fit_side_by_side(
    prepare: Callable[[], Experiment], todo: Sequence[tuple[Fold, int]], jobs: int
) -> Iterator[Fitted]:
    """Fit folds in several processes.

    Args:
        prepare: What makes the experiment in each of them, from the stores that this one has filled.
        todo: Folds and seeds.
        jobs: How many processes.

    Yields:
        Fold, seed, and what :func:`serkit.lab.fitting.fit_fold` gives, as they are done.

    Raises:
        RunError: If a process dies; what the others have finished by then is yielded before.
    """
    jobs = min(jobs, len(todo))
    threads = threads_each(jobs)
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(prepare, threads))
    try:
        waiting = {pool.submit(_fit, fold.fold, seed): (fold, seed) for fold, seed in todo}
        for future in as_completed(waiting):
            yield *waiting[future], *future.result()
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


def _fit(number: int, seed: int) -> tuple[Fit, Answers]:
    (run,) = _experiment
    (fold,) = (one for one in run.split.of_seed(seed) if one.fold == number)
    return fit_fold(run, fold, seed)
