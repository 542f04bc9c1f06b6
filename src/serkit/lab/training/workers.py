"""Worker processes that fit folds, and the members of their ensembles, side by side on one machine."""

import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from copy import copy
from dataclasses import replace
from typing import NamedTuple

import torch

from serkit.data.manifest import Manifest
from serkit.errors import RunError
from serkit.lab.measure.run_folder import Fit
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.training import distributed as processes
from serkit.lab.training.ensemble_members import ensemble_jobs
from serkit.lab.training.fold import Experiment, FoldAnswers, fit_fold, fit_job, jobs_of_fold, log_job
from serkit.lab.training.resolve import ResolvedRecipe

FittedFold = tuple[Fold, int, Fit, FoldAnswers]
Result = tuple[Fit, FoldAnswers | None]  # the fit of an ensemble's member has no answers yet
_log = logging.getLogger(__name__)
_experiment: list[Experiment] = []  # in a worker: what it was started with


class _Task(NamedTuple):
    """What one worker is asked to fit: a fold and seed, or one job of its ensemble, which comes first."""

    fold: Fold
    seed: int
    job: int | None = None


class _Queue:
    """The tasks that wait, those that run, and the folds that are fitted and not yet taken."""

    def __init__(
        self, run: Experiment, todo: Sequence[tuple[Fold, int]], pool: ProcessPoolExecutor, workers: int
    ) -> None:
        self._run, self._pool, self._workers = run, pool, workers
        self._jobs = {(fold.fold, seed): jobs_of_fold(run, fold, seed) for fold, seed in todo}
        self._left = {place: len(jobs) for place, jobs in self._jobs.items()}
        self._running: dict[Future[Result], _Task] = {}
        self._waiting: deque[_Task] = deque()
        for fold, seed in todo:
            numbers = range(len(self._jobs[fold.fold, seed]))
            self._waiting.extend([_Task(fold, seed, number) for number in numbers] or [_Task(fold, seed)])
        self.fitted: deque[FittedFold] = deque()
        self.error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        """Whether no task runs any more."""
        return not self._running

    def begin(self) -> None:
        """Give every idle worker a task."""
        while self._waiting and len(self._running) < self._workers:
            task = self._waiting.popleft()
            try:
                self._running[self._pool.submit(_fit, task.fold.fold, task.seed, task.job)] = task
            except BrokenProcessPool as error:
                self._fail(task, error)

    def take(self, *, waits: bool) -> None:
        """Collect the results that are there, or wait for the next one."""
        for future in wait(self._running, None if waits else 0, FIRST_COMPLETED).done:
            task = self._running.pop(future)
            if error := future.exception():
                self._fail(task, error)
            else:
                self._done(task, *future.result())

    def _done(self, task: _Task, found: Fit, answers: FoldAnswers | None) -> None:
        fold, seed, number = task
        if number is None:
            assert answers is not None
            self.fitted.append((fold, seed, found, answers))
            return
        jobs = self._jobs[fold.fold, seed]
        log_job(self._run, fold, seed, job=jobs[number], total=len(jobs), found=found)
        self._left[fold.fold, seed] -= 1
        if not self._left[fold.fold, seed]:
            self._waiting.appendleft(_Task(fold, seed))

    def _fail(self, task: _Task, error: BaseException) -> None:
        """Begin no new fit, but still combine the members of folds that have all of them."""
        if self.error is None or not isinstance(error, BrokenProcessPool):
            _log.info("fold %d seed %d failed (%s); the fits under way end first", task.fold.fold, task.seed, error)
        self.error = self.error or error
        self._waiting = deque(one for one in self._waiting if one.job is None and self._jobs[one.fold.fold, one.seed])


def fit_side_by_side(run: Experiment, todo: Sequence[tuple[Fold, int]], workers: int) -> Iterator[FittedFold]:
    """Fit folds in several processes. If one fails, the others finish their task before the error is raised.

    Args:
        run: The experiment. Each worker gets a copy, and opens the stored audio and features itself.
        todo: Folds and seeds to fit.
        workers: Number of processes.

    Yields:
        Fold, seed, and the result of :func:`serkit.lab.training.fold.fit_fold`, in the order in which they are done.

    Raises:
        RunError: If a process dies; the results of the others are yielded before.
    """
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    sent = (replace(run, on_progress=None), threads_each(workers))
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=sent)
    try:
        queue = _Queue(run, todo, pool, workers)
        queue.begin()
        while not queue.is_over:
            queue.take(waits=True)
            queue.begin()
            while queue.fitted:
                yield queue.fitted.popleft()
                queue.take(waits=False)
                queue.begin()
        if queue.error:
            raise queue.error
    except BrokenProcessPool as error:
        raise RunError(
            "a process that fitted a fold died, perhaps for lack of memory. Run the same command to resume, with fewer "
            "--jobs if it happens again."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def processes_for(resolved: ResolvedRecipe, manifest: Manifest, split: Split, jobs: int) -> int:
    """Return how many processes a run can use, of at most ``jobs``: one for each fold, or each member of its ensembles.

    A half finished run can use as many as at its start, so that what is left is fitted with the same number of threads.
    """
    places = [(fold, seed) for seed in resolved.recipe.seeds for fold in split.of_seed(seed)]
    if jobs <= len(places) or resolved.ensemble is None:
        return min(jobs, len(places))
    return min(jobs, sum(len(ensemble_jobs(resolved, manifest, split, fold, seed)) for fold, seed in places))


def check_one_process() -> None:
    """Refuse worker processes in a distributed training.

    Raises:
        RunError: If accelerate or torchrun has started several processes.
    """
    if processes.count() > 1:
        raise RunError(
            "accelerate or torchrun has started several processes, which fit each fold together: leave out --jobs."
        )


def threads_each(jobs: int) -> int:
    """Return the number of threads of each of several processes, or of this one alone."""
    return torch.get_num_threads() if jobs == 1 else max(1, (os.cpu_count() or 1) // jobs)


def _start(run: Experiment, threads: int) -> None:
    """Start a worker with the experiment that its parent prepared."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    logging.getLogger("serkit").setLevel(logging.WARNING)  # the parent logs what its workers have fitted
    _experiment[:] = [run]


def _end_with_parent() -> None:
    """End this process when its parent is killed, which cannot tell it so; its checkpoints stay."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def _fit(number: int, seed: int, job: int | None) -> Result:
    (run,) = _experiment
    (fold,) = (one for one in run.split.of_seed(seed) if one.fold == number)
    try:
        return fit_fold(run, fold, seed) if job is None else (fit_job(run, fold, seed, job), None)
    except Exception as error:
        raise _portable(error) from None


def _portable(error: Exception) -> Exception:
    """Return an error that can be pickled; one that cannot would break the whole pool."""
    try:
        copy(error)  # from its arguments, as unpickling does
    except Exception:
        return RunError(f"{type(error).__name__}: {error}")
    return error
