"""Run a recipe through its protocol, or fit its final model; both leave a run folder.

A run that was interrupted goes on: folds whose predictions are in ``predictions.csv`` are not computed
again, one that is fitted is only asked, and the fold that it was in resumes from its last epoch. Seeds may
be added to a run later.
"""

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.data.corpora import Data
from serkit.data.manifest import Manifest
from serkit.errors import ProtocolError, RecipeError
from serkit.lab.measure.pooled_metrics import write_metrics
from serkit.lab.measure.run_folder import (
    ALL_SPEAKERS,
    TESTED,
    VALIDATED,
    Fit,
    Row,
    read_fits,
    read_json,
    read_predictions,
    write_predictions,
)
from serkit.lab.recipes.ablation import BASE, variants
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.leakage import check_leakage
from serkit.lab.splits.protocols import make_split
from serkit.lab.splits.validation import hold_out_validation
from serkit.lab.train import distributed as processes
from serkit.lab.train.fold import Experiment, check_for_file, fit_fold, fit_seeds
from serkit.lab.train.prepare import SplitBy, check_recipe, prepare, resolve_recipe
from serkit.lab.train.pretraining import first_recipe
from serkit.lab.train.workers import check_one_process, fit_side_by_side, processes_for
from serkit.progress import Watch


def evaluate(
    recipe: Recipe, data: Data, out: str | os.PathLike[str], *, watch: Watch | None = None, jobs: int = 1
) -> dict[str, Any]:
    """Run a recipe through its protocol.

    Args:
        recipe: The experiment.
        data: A folder with one folder per corpus, or corpus names to folders.
        out: The run folder; where it holds an unfinished run of the same recipe, or one with fewer seeds, that goes on.
        watch: Shows progress.
        jobs: How many processes fit folds side by side, and members of ensembles, each on its share of the processor's
            cores; a fit on other threads may differ in its last digits.

    Returns:
        The content of ``metrics.json``.

    Raises:
        CorpusError: If a corpus is not there; before anything is computed.
        LeakageError: If the protocol's folds leak.
        RunError: If the folder holds a run of another recipe or other data.
    """
    return _run(recipe, data, Path(out), watch or Watch(), jobs=jobs, split_by=make_split)


def ablate(
    recipe: Recipe,
    axes: Sequence[str],
    data: Data,
    out: str | os.PathLike[str],
    *,
    watch: Watch | None = None,
    jobs: int = 1,
) -> dict[str, Path]:
    """Run a recipe and its variants, each in a run folder below ``out``.

    A variant that its model cannot be, for it needs the feature that is left out, say, or that leaves too few speakers,
    is passed over with a note.

    Args:
        recipe: Of a single model.
        axes: See :func:`serkit.lab.recipes.ablation.variants`.
        data: As for :func:`evaluate`.
        out: The folder of all; an interrupted ablation goes on.
        watch: Shows progress.
        jobs: As for :func:`evaluate`.

    Returns:
        Variant to its run folder, the recipe itself first.

    Raises:
        RecipeError: If the recipe has nothing to vary along an axis; before anything is computed.
    """
    out, watch, possible, done = Path(out), watch or Watch(), {}, {}
    for name, variant in variants(resolve_recipe(recipe), axes).items():
        try:
            check_recipe(resolve_recipe(variant))
            possible[name] = variant
        except RecipeError as error:
            if name == BASE:
                raise
            watch.note(f"{name} is left out: {error}")
    for number, (name, variant) in enumerate(possible.items(), 1):
        watch.note(f"{name} ({number} of {len(possible)})")
        try:
            evaluate(variant, data, out / name, watch=watch, jobs=jobs)
        except ProtocolError as error:  # it leaves too few speakers
            if name == BASE:
                raise
            watch.note(f"{name} is left out: {error}")
            continue
        done[name] = out / name
    return done


def train(
    recipe: Recipe, data: Data, out: str | os.PathLike[str], *, watch: Watch | None = None, jobs: int = 1
) -> dict[str, Any]:
    """Fit a recipe's final model on everything but the validation speakers, for ``serkit export``.

    Args and errors are those of :func:`evaluate`; ``jobs`` processes fit seeds, or members of ensembles.
    """
    check_for_file(recipe)  # its model is for a file
    return _run(recipe, data, Path(out), watch or Watch(), jobs=jobs, split_by=_whole_split)


def _run(recipe: Recipe, data: Data, out: Path, watch: Watch, *, jobs: int, split_by: SplitBy) -> dict[str, Any]:
    """Fit what is left of a recipe's fits, and answer test and validation with each."""
    run = prepare(recipe, data, out, watch, jobs=jobs, split_by=split_by)
    rows, validated = (read_predictions(run.folder, name)[0] for name in (TESTED, VALIDATED))
    predicted = {(row.fold, row.seed) for row in rows}
    is_tested = any(fold.test for fold in run.split.folds)
    fits = [fit for fit in read_fits(run.folder) if not is_tested or (fit.fold, fit.seed) in predicted]
    done = {(fit.fold, fit.seed) for fit in fits}
    rows, validated = ([row for row in some if (row.fold, row.seed) in done] for some in (rows, validated))
    todo = [(fold, seed) for seed in recipe.seeds for fold in run.split.of_seed(seed) if (fold.fold, seed) not in done]
    if done:
        run.watch.note(f"{len(done)} fits are done already, {len(todo)} to go")
    metrics = _write(run, rows, fits, validated, is_complete=not todo)
    if not todo:
        return metrics
    processes_used = processes_for(run.recipe, run.manifest, run.split, jobs)
    if processes_used > 1:
        check_one_process()
    _train_first(run, data, jobs, [seed for _, seed in todo])
    if processes_used > 1:
        again = partial(prepare, recipe, data, run.folder, Watch(), split_by=split_by, claims=False)
        fitted = fit_side_by_side(run, again, todo, processes_used)
    else:
        fitted = ((fold, seed, *fit_fold(run, fold, seed)) for fold, seed in todo)
    for i, (fold, seed, found, answers) in enumerate(fitted, 1):
        rows += _rows(run, fold.test, fold, seed, answers.test)
        if len(answers.validation):
            validated += _rows(run, answers.validated, fold, seed, answers.validation)
        fits.append(found)
        metrics = _write(run, rows, fits, validated, is_complete=i == len(todo))
        tested = f", test UAR so far {metrics['uar']}" if is_tested else ""
        run.watch.note(
            f"fold {fold.fold} seed {seed}: validation UAR {found.validation_uar}{tested} ({found.seconds:.0f} s)"
        )
    return metrics


def _train_first(run: Experiment, data: Data, jobs: int, seeds: Sequence[int]) -> None:
    """Do what is left of the first trainings that the fits of these seeds begin with."""
    for member in run.members:
        if member.first:
            path = member.first / "recipe.yaml"
            begun = load_recipe(path).seeds if path.is_file() else ()
            recipe = first_recipe(member.recipe, tuple(dict.fromkeys((*begun, *fit_seeds(run.recipe, seeds)))))
            run.watch.note(f"first training of {recipe.model.name}, on {', '.join(recipe.corpora)}")
            _run(recipe, data, member.first, run.watch, jobs=jobs, split_by=_whole_split)


def _whole_split(manifest: Manifest, protocol: Any, digests: Any) -> Split:
    """Everybody trains but the validation speakers, and corpora that are to be tested on; nobody is tested."""
    if protocol.test_corpora:
        manifest = manifest.filter(lambda u: u.corpus in protocol.train_corpora)
    folds = []
    for draw in range(protocol.draws):
        train_ids, validation = hold_out_validation(manifest, protocol, draw=draw, digests=digests)
        folds.append(Fold(0, tuple(sorted(train_ids)), tuple(sorted(validation)), (), draw))
    split = Split(ALL_SPEAKERS, True, protocol.validation, tuple(folds))
    check_leakage(split, manifest, digests)
    return split


def _rows(run: Experiment, names: Sequence[str], fold: Fold, seed: int, scores: NDArray[np.float64]) -> list[Row]:
    utterances = {u.id: u for u in run.manifest}
    rows = []
    for name, values in zip(names, scores.tolist(), strict=True):
        u = utterances[name]
        true, predicted = run.labels.classes[run.targets[name]], run.labels.classes[int(np.argmax(values))]
        rows.append(
            Row(name, u.corpus, u.speaker, fold.fold, seed, true, predicted, tuple(round(value, 4) for value in values))
        )
    return rows


def _write(
    run: Experiment, rows: list[Row], fits: list[Fit], validated: list[Row], *, is_complete: bool
) -> dict[str, Any]:
    facts = {
        "name": run.recipe.name,
        "protocol": run.split.protocol,
        "is_speaker_independent": run.split.is_speaker_independent,
        "validation": run.split.validation,
        "labels": run.labels.name,
        "corpora": list(run.recipe.corpora),
        "model": run.recipe.model.name,
        "complete": is_complete,
        "guard": run.shared.as_json(),
    }
    if len(run.pretrained_on):
        seen = run.pretrained_on
        facts["pretraining"] = {
            "corpora": list(seen.corpora), "speakers": len(seen.speakers), "utterances": len(seen)
        }  # fmt: skip
    if run.recipe.protocol.train_corpora:
        facts |= {name: list(getattr(run.recipe.protocol, name)) for name in ("train_corpora", "test_corpora")}
    if processes.is_main():
        if rows:
            write_predictions(run.folder, rows, run.labels.classes)
        if validated:
            write_predictions(run.folder, validated, run.labels.classes, VALIDATED)
        write_metrics(run.folder, rows, run.labels.classes, fits, facts, validated=validated)
    processes.wait()
    content: dict[str, Any] = read_json(run.folder, "metrics.json")
    return content
