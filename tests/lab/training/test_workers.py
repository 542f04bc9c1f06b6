"""Processes that fit side by side: what is kept where one fails, and how many there are."""

import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serkit.errors import RunError
from serkit.lab.measure.run_folder import Fit
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.training import workers as jobs
from serkit.lab.training.fold import Experiment, FoldAnswers
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.workers import fit_side_by_side, processes_for
from support.notes import Notes
from support.toy import tiny_recipe

FOLDS = tuple(Fold(number, (), (), ()) for number in range(4))
TODO = [(fold, 0) for fold in FOLDS]


def test_a_process_that_dies_is_one_sentence() -> None:
    with pytest.raises(RunError, match="a process that fitted a fold died"):
        list(fit_side_by_side(sham(os._exit, 9), TODO, 2))


def test_what_is_done_when_a_process_dies_is_not_lost(tmp_path: Path) -> None:
    """One has ended, and another dies after it, while the caller is still at what was first."""
    plan = {1: ["wait begins", "make ended"], 2: ["wait ended", "wait go", "die"], 3: ["wait never"]}

    def at_fold_0() -> None:
        (tmp_path / "begins").touch()
        wait_for(tmp_path / "ended")
        (tmp_path / "go").touch()
        wait_for(tmp_path / "dead")
        time.sleep(0.5)  # until the pool knows

    yielded = list[int]()
    with pytest.raises(RunError, match="a process that fitted a fold died"):
        follow(plan, tmp_path, 3, yielded, at_fold_0=at_fold_0)
    assert yielded == [0, 1]


@pytest.mark.long
def test_an_error_that_cannot_be_read_elsewhere_takes_nothing_down(tmp_path: Path) -> None:
    """And what was not begun is not begun."""
    plan, yielded = {0: ["wait noted"], 1: ["fail"], 2: ["wait never"]}, list[int]()
    with (
        Notes(on_note=lambda text: (tmp_path / "noted").touch()) as seen,
        pytest.raises(RunError, match=r"^Odd: a b$"),
    ):
        follow(plan, tmp_path, 2, yielded)
    assert yielded == [0]
    assert seen.notes == ["fold 1 seed 0 failed (Odd: a b); the fits under way end first"]


@pytest.mark.long
def test_processes_end_with_the_one_that_is_killed(tmp_path: Path) -> None:
    """They would wait for their next fold for ever, with all the memory of an experiment."""
    plan = {fold: [f"make begun{fold}", "wait go", f"make survived{fold}"] for fold in (0, 1)}
    parent = multiprocessing.get_context("spawn").Process(target=follow, args=(plan, tmp_path, 2, []))
    parent.start()
    for fold in (0, 1):
        wait_for(tmp_path / f"begun{fold}")
    parent.kill()
    parent.join()
    time.sleep(1)
    (tmp_path / "go").touch()
    time.sleep(0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun0", "begun1", "go"]


@pytest.mark.parametrize(("asked", "found"), [(1, 1), (3, 3), (8, 8), (20, 8)])
def test_a_run_has_as_many_processes_as_it_can_use(asked: int, found: int) -> None:
    recipe = tiny_recipe(seeds=[0, 1])
    assert processes_for(resolve_recipe(recipe), None, sham().split, asked) == found  # type: ignore[arg-type]


def follow(
    plan: Mapping[int, Sequence[str]],
    place: Path,
    jobs: int,
    yielded: list[int],
    *,
    at_fold_0: Callable[[], None] = lambda: None,
) -> None:
    """Fit by a plan and note what comes."""
    for fold, *_ in fit_side_by_side(sham(scripted, plan, place), TODO, jobs):
        yielded.append(fold.fold)
        if fold.fold == 0:
            at_fold_0()


class Odd(Exception):
    """Can be pickled, and not be read again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


@dataclass(frozen=True)
class Sham(Experiment):
    """An experiment of a single model, of which only the folds are looked at; it runs a call where it is unpickled."""

    call: tuple[Any, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call[0], self.call[1:]


def sham(*call: Any) -> Any:
    split = Split("speaker_kfold", True, "speakers", FOLDS)
    resolved = resolve_recipe(tiny_recipe())
    return Sham(resolved, None, split, None, None, (), {}, Path(), None, call=call)  # type: ignore[arg-type]


def scripted(plan: Mapping[int, Sequence[str]], place: Path) -> Any:
    """Called in a process: what it is to fit from then on follows the plan."""

    def fit_fold(run: Experiment, fold: Fold, seed: int) -> tuple[Fit, FoldAnswers]:
        for step in plan.get(fold.fold, ()):
            what, _, name = step.partition(" ")
            if what == "wait":
                wait_for(place / name)
            elif what == "make":
                (place / name).touch()
            elif what == "fail":
                raise Odd("a", "b")
            else:
                (place / "dead").touch()
                os._exit(9)
        return Fit(fold.fold, seed, 0, 1, None, 1.0, 0.0), FoldAnswers(np.empty((0, 2)), np.empty((0, 2)), ())

    jobs.fit_fold = fit_fold  # type: ignore[assignment]
    return sham()


def wait_for(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists() and time.monotonic() < end:
        time.sleep(0.02)
