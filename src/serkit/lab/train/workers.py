"""Folds, and the members of their ensembles, that are fitted side by side by several processes on one machine."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from copy import copy
from typing import NamedTuple

import torch

from serkit.data.manifest import Manifest
from serkit.errors import RunError
from serkit.lab.measure.run_folder import Fit
from serkit.lab.recipes.registry import ENSEMBLE
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.train import distributed as processes
from serkit.lab.train.fold import Experiment, FoldAnswers, ensemble_jobs, fit_fold, fit_part, note_of_part, parts_of_fit

Fitted = tuple[Fold, int, Fit, FoldAnswers]
Result = tuple[Fit, FoldAnswers | None]  # of a part there are no answers
_experiment: list[Experiment] = []  # of a worker: prepared once, then there for each of its folds


class _Task(NamedTuple):
    """What one process is asked for: a fold and seed, or a part of it, which comes before."""

    fold: Fold
    seed: int
    part: int | None = None


class _Work:
    """What waits, what runs, and what is fitted and not yet taken."""

    def __init__(self, run: Experiment, todo: Sequence[tuple[Fold, int]], pool: ProcessPoolExecutor, jobs: int) -> None:
        self._run, self._pool, self._jobs = run, pool, jobs
        self._parts = {(fold.fold, seed): parts_of_fit(run, fold, seed) for fold, seed in todo}
        self._left = {place: len(parts) for place, parts in self._parts.items()}
        self._running: dict[Future[Result], _Task] = {}
        self._waiting: deque[_Task] = deque()
        for fold, seed in todo:
            numbers = range(len(self._parts[fold.fold, seed]))
            self._waiting.extend([_Task(fold, seed, number) for number in numbers] or [_Task(fold, seed)])
        self.fitted: deque[Fitted] = deque()
        self.error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return not self._running

    def begin(self) -> None:
        """Keep every process busy."""
        while self._waiting and len(self._running) < self._jobs:
            task = self._waiting.popleft()
            try:
                self._running[self._pool.submit(_fit, task.fold.fold, task.seed, task.part)] = task
            except BrokenProcessPool as error:
                self._fail(task, error)

    def take(self, *, waits: bool) -> None:
        """Look what is done, or wait until something is."""
        for future in wait(self._running, None if waits else 0, FIRST_COMPLETED).done:
            task = self._running.pop(future)
            if error := future.exception():
                self._fail(task, error)
            else:
                self._done(task, *future.result())

    def _done(self, task: _Task, found: Fit, answers: FoldAnswers | None) -> None:
        fold, seed, part = task
        if part is None:
            assert answers is not None
            self.fitted.append((fold, seed, found, answers))
            return
        parts = self._parts[fold.fold, seed]
        self._run.watch.note(note_of_part(self._run, fold, seed, job=parts[part], of=len(parts), found=found))
        self._left[fold.fold, seed] -= 1
        if not self._left[fold.fold, seed]:
            self._waiting.appendleft(_Task(fold, seed))

    def _fail(self, task: _Task, error: BaseException) -> None:
        """Begin nothing new, but put together what has all its parts."""
        if self.error is None or not isinstance(error, BrokenProcessPool):
            self._run.watch.note(
                f"fold {task.fold.fold} seed {task.seed} failed ({error}); what runs beside it ends first"
            )
        self.error = self.error or error
        self._waiting = deque(one for one in self._waiting if one.part is None and self._parts[one.fold.fold, one.seed])


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
        Fold, seed, and what :func:`serkit.lab.train.fold.fit_fold` gives, as they are done.

    Raises:
        RunError: If a process dies; what the others have finished by then is yielded before.
    """
    context = multiprocessing.get_context("spawn")  # threads of torch do not survive a fork
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(prepare, threads_each(jobs)))
    try:
        work = _Work(run, todo, pool, jobs)
        work.begin()
        while not work.is_over:
            work.take(waits=True)
            work.begin()
            while work.fitted:
                yield work.fitted.popleft()
                work.take(waits=False)
                work.begin()
        if work.error:
            raise work.error
    except BrokenProcessPool as error:
        raise RunError(
            "a process that fitted a fold died, of too little memory perhaps; the same command goes on, with fewer "
            "--jobs if need be."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def processes_for(recipe: Recipe, manifest: Manifest, split: Split, jobs: int) -> int:
    """Return how many of so many processes a run can use, for its folds or for the members of their ensembles.

    It is the same where half of the run is done, so that what is left is fitted on as many threads.
    """
    places = [(fold, seed) for seed in recipe.seeds for fold in split.of_seed(seed)]
    if jobs <= len(places) or recipe.model.name != ENSEMBLE:
        return min(jobs, len(places))
    return min(jobs, sum(len(ensemble_jobs(recipe, manifest, split, fold, seed)) for fold, seed in places))


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
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    _experiment[:] = [prepare()]


def _end_with_parent() -> None:
    """End this process when the one that asks it for fits is killed, which cannot tell it; its checkpoints stay."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def _fit(number: int, seed: int, part: int | None) -> Result:
    (run,) = _experiment
    (fold,) = (one for one in run.split.of_seed(seed) if one.fold == number)
    try:
        return fit_fold(run, fold, seed) if part is None else (fit_part(run, fold, seed, part), None)
    except Exception as error:
        raise _portable(error) from None


def _portable(error: Exception) -> Exception:
    """Return an error that another process can make again: over one that it cannot, the pool calls itself broken."""
    try:
        copy(error)  # made from its arguments, as there
    except Exception:
        return RunError(f"{type(error).__name__}: {error}")
    return error
