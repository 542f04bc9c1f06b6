"""Running a recipe: all fits of its protocol, or of its final model, into a run folder.

An interrupted run resumes: folds in ``predictions.csv`` are not computed again, a fold that is fitted is only asked for
its predictions, and one that was being fitted resumes from its last epoch. Seeds may be added to a run later.

Test scores are computed once, when the run is complete; until then ``metrics.json`` holds validation scores alone.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.data.corpora import Data
from serkit.data.manifest import Manifest
from serkit.errors import ProtocolError, RecipeError
from serkit.lab.measure.one_class import chance_of
from serkit.lab.measure.pooled_metrics import metrics_of
from serkit.lab.measure.run_folder import (
    ALL_SPEAKERS,
    TESTED,
    VALIDATED,
    Fit,
    Row,
    json_text,
    predictions_as_csv,
    read_fits,
    read_json,
    read_predictions,
)
from serkit.lab.measure.seal import write_sealed
from serkit.lab.recipes.ablation import BASE, variants
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.leakage import check_leakage
from serkit.lab.splits.protocols import make_split
from serkit.lab.splits.recording_groups import Sounds
from serkit.lab.splits.validation import hold_out_validation
from serkit.lab.training import distributed as processes
from serkit.lab.training.ensemble_members import fit_seeds
from serkit.lab.training.fold import Experiment, FoldAnswers, fit_fold
from serkit.lab.training.prepare import SplitBy, check_exportable, check_recipe, prepare
from serkit.lab.training.pretraining import first_recipe
from serkit.lab.training.resolve import ResolvedRecipe, resolve_recipe
from serkit.lab.training.workers import check_one_process, fit_side_by_side, processes_for
from serkit.progress import OnProgress

_log = logging.getLogger(__name__)


def run_protocol(
    recipe: Recipe,
    data: Data,
    out: str | os.PathLike[str],
    *,
    jobs: int = 1,
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Run a recipe through its protocol; :func:`serkit.lab.evaluate` is its public form.

    Args:
        recipe: The experiment.
        data: A folder with one folder per corpus, or corpus names to folders.
        out: The run folder. An unfinished run of the same recipe in it is resumed, or gets the recipe's new seeds.
        jobs: Processes that fit folds, and members of ensembles, side by side, each with its share of the processor's
            cores; a fit with another number of threads may differ in its last digits.
        fingerprints: Whether recordings are also compared by acoustic fingerprints; see :func:`prepare`.
        on_progress: Callback for progress.

    Returns:
        The content of ``metrics.json``.

    Raises:
        CorpusError: If a corpus is missing; before anything is computed.
        LeakageError: If the protocol's folds leak.
        RunError: If the folder holds a run of another recipe or on other data.
    """
    resolved = resolve_recipe(recipe)
    return _run(
        resolved, data, Path(out), split_by=make_split, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress
    )


def fit_final(
    recipe: Recipe,
    data: Data,
    out: str | os.PathLike[str],
    *,
    jobs: int = 1,
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Fit a recipe's final model on everyone but its validation speakers; :func:`serkit.lab.train` is its public form.

    Arguments and errors are those of :func:`run_protocol`; ``jobs`` processes fit seeds, or members of ensembles.

    Raises:
        ExportError: If the model could not become a model file.
    """
    resolved = resolve_recipe(recipe)
    check_exportable(resolved)
    return _run(
        resolved, data, Path(out), split_by=_whole_split, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress
    )


def ablate(
    recipe: Recipe,
    axes: Sequence[str],
    data: Data,
    out: str | os.PathLike[str],
    *,
    jobs: int = 1,
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> dict[str, Path]:
    """Run a recipe and its variants, each in a run folder below ``out``.

    A variant that cannot be run is skipped with a log message: its model may need the feature that is left out, or too
    few speakers may remain.

    Args:
        recipe: Recipe of a single model.
        axes: Names of what is varied, see :func:`serkit.lab.recipes.ablation.variants`.
        data: Folders of the corpora, as for :func:`run_protocol`.
        out: Folder of all runs; an interrupted ablation is resumed.
        jobs: Number of processes, as for :func:`run_protocol`.
        fingerprints: Whether to compare fingerprints, as for :func:`run_protocol`.
        on_progress: Callback for progress.

    Returns:
        Name of each variant to its run folder, the recipe itself first.

    Raises:
        RecipeError: If the recipe has nothing to vary along an axis; before anything is computed.
    """
    possible: dict[str, ResolvedRecipe] = {}
    for name, variant in variants(resolve_recipe(recipe).recipe, axes).items():
        try:
            resolved = resolve_recipe(variant)
            check_recipe(resolved)
        except RecipeError as error:
            if name == BASE:
                raise
            _log.info("%s is left out: %s", name, error)
        else:
            possible[name] = resolved
    done = {}
    for number, (name, resolved) in enumerate(possible.items(), 1):
        _log.info("%s (%d of %d)", name, number, len(possible))
        folder = Path(out) / name
        try:
            _run(
                resolved, data, folder, split_by=make_split, jobs=jobs, fingerprints=fingerprints,
                on_progress=on_progress,
            )  # fmt: skip
        except ProtocolError as error:  # too few speakers are left
            if name == BASE:
                raise
            _log.info("%s is left out: %s", name, error)
            continue
        done[name] = folder
    return done


def _run(
    resolved: ResolvedRecipe,
    data: Data,
    out: Path,
    *,
    split_by: SplitBy,
    jobs: int,
    fingerprints: bool,
    on_progress: OnProgress | None,
) -> dict[str, Any]:
    """Do the fits that a run lacks, and predict test and validation utterances with each."""
    run = prepare(resolved, data, out, split_by=split_by, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress)
    record = _Record(run)
    places = [(fold, seed) for seed in run.recipe.seeds for fold in run.split.of_seed(seed)]
    todo = [(fold, seed) for fold, seed in places if (fold.fold, seed) not in record.done]
    if record.done:
        _log.info("%d fits are done already, %d to go", len(record.done), len(todo))
    if not todo and record.is_complete:
        return record.metrics
    record.write(is_complete=not todo)
    if not todo:
        return record.metrics
    workers = processes_for(run.resolved, run.manifest, run.split, jobs)
    if workers > 1:
        check_one_process()
    _train_first(run, data, jobs, [seed for _, seed in todo])
    if workers > 1:
        fitted = fit_side_by_side(run, todo, workers)
    else:
        fitted = ((fold, seed, *fit_fold(run, fold, seed)) for fold, seed in todo)
    for i, (fold, seed, found, answers) in enumerate(fitted, 1):
        record.add(fold, seed, found, answers)
        record.write(is_complete=i == len(todo))
        chance = chance_of([str(run.targets[name]) for name in answers.validated])
        _log.info(
            "fold %d seed %d: validation UAR %s (chance %.1f; %.0f s)",
            fold.fold, seed, found.validation_uar, chance, found.seconds,
        )  # fmt: skip
    return record.metrics


class _Record:
    """The fits of a run that are done, their predictions, and the files that hold both."""

    def __init__(self, run: Experiment) -> None:
        self._run = run
        rows, validated = (read_predictions(run.folder, name)[0] for name in (TESTED, VALIDATED))
        predicted = {(row.fold, row.seed) for row in rows}
        is_tested = any(fold.test for fold in run.split.folds)
        self._fits = [fit for fit in read_fits(run.folder) if not is_tested or (fit.fold, fit.seed) in predicted]
        done = self.done
        self._rows, self._validated = (
            [row for row in some if (row.fold, row.seed) in done] for some in (rows, validated)
        )

    @property
    def done(self) -> set[tuple[int, int]]:
        """Fold and seed of each fit that is done."""
        return {(fit.fold, fit.seed) for fit in self._fits}

    @property
    def is_complete(self) -> bool:
        """Whether the stored metrics are those of a complete run."""
        return (self._run.folder / "metrics.json").is_file() and bool(self.metrics.get("complete"))

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of ``metrics.json``."""
        content: dict[str, Any] = read_json(self._run.folder, "metrics.json")
        return content

    def add(self, fold: Fold, seed: int, found: Fit, answers: FoldAnswers) -> None:
        """Add a fit and its predictions."""
        self._fits.append(found)
        self._rows += self._as_rows(fold.test, fold, seed, answers.test)
        if len(answers.validation):
            self._validated += self._as_rows(answers.validated, fold, seed, answers.validation)

    def write(self, *, is_complete: bool) -> None:
        """Write all predictions so far, and the metrics: of validation alone until the run is complete."""
        run, classes = self._run, self._run.classes
        if processes.is_main():
            tables = {"predictions": self._rows, "validation": self._validated}
            texts = {name: predictions_as_csv(rows, classes) for name, rows in tables.items() if rows}
            rows = self._rows if is_complete else ()
            facts = _facts(run, is_complete=is_complete)
            texts["metrics"] = json_text(metrics_of(rows, classes, self._fits, facts, validated=self._validated))
            write_sealed(run.folder, texts)
        processes.wait()

    def _as_rows(self, names: Sequence[str], fold: Fold, seed: int, scores: NDArray[np.float64]) -> list[Row]:
        run = self._run
        utterances = {u.id: u for u in run.manifest}
        rows = []
        for name, values in zip(names, scores.tolist(), strict=True):
            u = utterances[name]
            true, predicted = run.classes[run.targets[name]], run.classes[int(np.argmax(values))]
            rounded = tuple(round(value, 4) for value in values)
            rows.append(Row(name, u.corpus, u.speaker, fold.fold, seed, true, predicted, rounded))
        return rows


def _facts(run: Experiment, *, is_complete: bool) -> dict[str, Any]:
    """Return what ``metrics.json`` says of a run beside its scores."""
    facts = {
        "name": run.recipe.name,
        "protocol": run.split.protocol,
        "is_speaker_independent": run.split.is_speaker_independent,
        "validation": run.split.validation,
        "labels": run.resolved.labels.name,
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
    return facts


def _train_first(run: Experiment, data: Data, jobs: int, seeds: Sequence[int]) -> None:
    """Do the first trainings that the fits of these seeds begin with, as far as they are not done."""
    for member in run.members:
        if member.first:
            path = member.first / "recipe.yaml"
            begun = load_recipe(path).seeds if path.is_file() else ()
            recipe = first_recipe(member.recipe, tuple(dict.fromkeys((*begun, *fit_seeds(run.resolved, seeds)))))
            _log.info("first training of %s, on %s", recipe.model.name, ", ".join(recipe.corpora))
            _run(
                resolve_recipe(recipe), data, member.first, split_by=_whole_split, jobs=jobs,
                fingerprints=run.sounds.near is not None, on_progress=run.on_progress,
            )  # fmt: skip


def _whole_split(manifest: Manifest, protocol: Any, sounds: Sounds) -> Split:
    """Return folds in which everyone trains but validation speakers and corpora for testing, and nobody is tested."""
    if protocol.test_corpora:
        manifest = manifest.filter(lambda u: u.corpus in protocol.train_corpora)
    folds = []
    for draw in range(protocol.draws):
        train_ids, validation = hold_out_validation(manifest, protocol, draw=draw, sounds=sounds)
        folds.append(Fold(0, tuple(sorted(train_ids)), tuple(sorted(validation)), (), draw))
    split = Split(ALL_SPEAKERS, True, protocol.validation, tuple(folds))
    check_leakage(split, manifest, sounds)
    return split
