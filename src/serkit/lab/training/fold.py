"""Fitting one fold of an experiment: a single model, or the members of an ensemble, each with its own features."""

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from serkit.data.content_digests import file_digest
from serkit.data.manifest import Manifest
from serkit.errors import RunError
from serkit.lab.augment import build_chain
from serkit.lab.features import Front, build_front
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.lab.measure.run_folder import Fit, fit_folder, read_fit
from serkit.lab.measure.voting import FLOOR, combine, tempered
from serkit.lab.models import Body, build_body
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.leakage import Shared, check_ensemble, check_leakage
from serkit.lab.splits.recording_groups import Sounds
from serkit.lab.training import distributed as processes
from serkit.lab.training.ensemble_members import MemberJob, combine_validation, ensemble_jobs, member_weights
from serkit.lab.training.loop import Examples, fit, fit_temperature, predict_logits
from serkit.lab.training.pretraining import begin_with, first_labels
from serkit.lab.training.resolve import ResolvedRecipe
from serkit.lab.training.store import Store, StoredRows, augmented_rows
from serkit.lab.training.tuning import search, with_settings
from serkit.progress import OnProgress, begin_task
from serkit.types import FloatArray
from serkit.writing import write_whole

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A model to fit: the recipe's own, or one of an ensemble's.

    Attributes:
        recipe: Complete recipe of a single model.
        front: Front end of its features.
        store: Decoded audio at the front end's sampling rate.
        features: Speed factor to the stored frames of all utterances.
        first: Run folder of the first training that its fits begin with, None without one.
    """

    recipe: Recipe
    front: Front
    store: Store
    features: Mapping[float, StoredRows]
    first: Path | None = None

    def build(self, classes: int, *, is_for_weights: bool = False) -> Body:
        """Build the body, from the state of torch's generator."""
        return build_body(
            self.recipe.model.name, self.recipe.model.settings, layout=self.front.layout, classes=classes,
            is_for_weights=is_for_weights,
        )  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the front end, which may hold a large encoder: the other process builds its own."""
        return _reopen_member, (self.recipe, self.store, self.features, self.first)


def _reopen_member(recipe: Recipe, store: Store, features: Mapping[float, StoredRows], first: Path | None) -> Member:
    return Member(recipe, build_front(recipe.named_features), store, features, first)


@dataclass(frozen=True)
class Experiment:
    """A prepared run: everything that its folds share.

    It can be pickled for another process on the same machine, which opens the stored audio and features itself.

    Attributes:
        resolved: The recipe.
        manifest: All utterances.
        split: All folds.
        sounds: What is known about the sound of all utterances.
        shared: Counts of what test sides share with training and validation sides.
        members: The models to fit, one for a single model.
        targets: Utterance id to class index.
        folder: The run folder.
        pretrained_on: Utterances of first trainings, empty without any.
        on_progress: Callback for the epochs of fits.
        shares: Utterance id to soft target (C,) for training; empty where training takes the class indices.
    """

    resolved: ResolvedRecipe
    manifest: Manifest
    split: Split
    sounds: Sounds
    shared: Shared
    members: tuple[Member, ...]
    targets: Mapping[str, int]
    folder: Path
    pretrained_on: Manifest
    on_progress: OnProgress | None = None
    shares: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def recipe(self) -> Recipe:
        """The complete recipe."""
        return self.resolved.recipe

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the model's outputs."""
        return self.resolved.labels.classes


@dataclass(frozen=True)
class FoldAnswers:
    """Calibrated probabilities of a fold's utterances.

    Attributes:
        test: Probabilities (n, C) of the fold's test utterances, in their order.
        validation: Probabilities (m, C) of ``validated``.
        validated: The fold's validation utterances, or those of all members of an ensemble, each answered by the
            members that were not trained on it.
    """

    test: NDArray[np.float64]
    validation: NDArray[np.float64]
    validated: tuple[str, ...]


def fit_fold(run: Experiment, fold: Fold, seed: int) -> tuple[Fit, FoldAnswers]:
    """Fit one fold and predict its test and validation utterances.

    Args:
        run: The experiment.
        fold: The fold.
        seed: One of the run's seeds.

    Returns:
        The record of the fit, and its predictions.
    """
    if run.resolved.ensemble:
        return _fit_ensemble(run, fold, seed)
    folder = run.folder / fit_folder(fold.fold, seed)
    settings = _searched(run, fold, seed, folder)
    member = replace(run.members[0], recipe=with_settings(run.members[0].recipe, settings))
    found, body = _fit_or_load(run, member, fold, seed, folder)
    test, validation = (
        _probabilities(run, body, member, names, found.temperature) for names in (fold.test, fold.validation)
    )
    return replace(found, settings=settings), FoldAnswers(test, validation, fold.validation)


def jobs_of_fold(run: Experiment, fold: Fold, seed: int) -> list[MemberJob]:
    """Return the members that :func:`fit_job` can fit ahead of :func:`fit_fold`; none for a single model."""
    return ensemble_jobs(run.resolved, run.manifest, run.split, fold, seed)


def fit_job(run: Experiment, fold: Fold, seed: int, number: int) -> Fit:
    """Fit one member of a fold's ensemble and leave it in its folder, where :func:`fit_fold` finds it."""
    job = jobs_of_fold(run, fold, seed)[number]
    _check_members(run, [job])
    folder = run.folder / fit_folder(fold.fold, seed) / job.folder
    return _fit_or_load(run, run.members[job.member], job.fold, job.seed, folder)[0]


def log_job(run: Experiment, fold: Fold, seed: int, *, job: MemberJob, total: int, found: Fit) -> None:
    """Log that a member of a fold's ensemble is fitted, one of ``total``."""
    model = run.members[job.member].recipe.model.name
    _log.info(
        "fold %d seed %d member %d of %d, %s: validation UAR %s",
        fold.fold, seed, job.number + 1, total, model, found.validation_uar,
    )  # fmt: skip


def _fit_ensemble(run: Experiment, fold: Fold, seed: int) -> tuple[Fit, FoldAnswers]:
    """Fit the members that are not fitted yet, and combine the answers of all."""
    config = run.resolved.ensemble
    assert config
    jobs = jobs_of_fold(run, fold, seed)
    _check_members(run, jobs)
    fits, tested, validated = [], [], []
    for job in jobs:
        member = run.members[job.member]
        folder = run.folder / fit_folder(fold.fold, seed) / job.folder
        found, body = _fit_or_load(run, member, job.fold, job.seed, folder)
        fits.append(found)
        tested.append(_probabilities(run, body, member, fold.test, found.temperature))
        validated.append(_probabilities(run, body, member, job.fold.validation, found.temperature))
        log_job(run, fold, seed, job=job, total=len(jobs), found=found)
    weights = member_weights(fits)
    names, common = combine_validation(jobs, validated, config.rule, weights)
    validation_uar, temperature = None, 1.0
    if names:
        truth = np.array([run.targets[i] for i in names])
        if config.rule != "majority":  # whose answers are shares of votes
            temperature = fit_temperature(np.log(np.clip(common, FLOOR, 1)).astype(np.float32), truth)
            common = tempered(common, temperature)
        validation_uar = round(100 * uar(confusion_matrix(truth, common.argmax(1), len(run.classes))), 2)
    test = combine(np.stack(tested), config.rule, weights, temperature=temperature)
    return _ensemble_fit(fold, seed, fits, validation_uar, temperature), FoldAnswers(test, common, names)


def _searched(run: Experiment, fold: Fold, seed: int, folder: Path) -> dict[str, Any]:
    """Return the settings that a search on the fold's training and validation speakers finds, none without a search."""
    if run.recipe.tune is None:
        return {}

    def score(recipe: Recipe, inner: Fold, scratch: Path) -> float:
        fit, _ = _fit_member(run, replace(run.members[0], recipe=recipe), inner, seed, scratch)
        assert fit.validation_uar is not None
        return fit.validation_uar / 100

    return search(run.recipe, run.manifest, fold, seed=seed, folder=folder, score=score)


def _fit_or_load(run: Experiment, member: Member, fold: Fold, seed: int, folder: Path) -> tuple[Fit, Body]:
    """Fit a model, or load the one that an interrupted run has fitted already."""
    done = folder / "fit.json"
    if done.is_file():
        body = member.build(len(run.classes), is_for_weights=True)
        if (folder / body.file).is_file():
            found = read_fit(done)
            check_weights(folder / body.file, found.weights)
            body.load(folder)
            body.to(processes.device())  # where a fresh fit leaves its body
            return found, body
    found, body = _fit_member(run, member, fold, seed, folder)
    if processes.is_main():
        write_whole(done, json.dumps(asdict(found)))
    processes.wait()
    return found, body


def check_weights(file: Path, expected: str) -> None:
    """Check that a weights file is the one that a fit wrote.

    Args:
        file: Weights file.
        expected: SHA-256 in the record of the fit; empty in older runs, which are not checked.

    Raises:
        RunError: If it is another file.
    """
    if expected and file_digest(file) != expected:
        raise RunError(f"{str(file)!r} holds other weights than this fit wrote: restore them, or fit it again.")


def _fit_member(run: Experiment, member: Member, fold: Fold, seed: int, folder: Path) -> tuple[Fit, Body]:
    started = time.monotonic()
    torch.manual_seed(seed)
    body, recipe = member.build(len(run.classes)), member.recipe
    if member.first:
        classes = len(first_labels(recipe).classes)
        begin_with(body, member.first / fit_folder(0, seed), classes, partial(member.build, is_for_weights=True))
    speaker_of = {u.id: u.speaker for u in run.manifest}
    examples = Examples(
        rows=[member.features[speed] for speed in recipe.augment.speeds],
        plain=member.features[1.0],
        train={i: run.targets[i] for i in fold.train},
        validation={i: run.targets[i] for i in fold.validation},
        classes=len(run.classes),
        augmented=_augmented(run, member, fold),
        speakers={i: speaker_of[i] for i in fold.train},
        seconds=member.store.seconds(member.front.config.sampling_rate),
        shares={i: run.shares[i] for i in fold.train if i in run.shares},
    )
    epochs = body.stages * recipe.train.epochs
    step = begin_task(f"fold {fold.fold} seed {seed}", epochs, run.on_progress)
    fitted = fit(
        body, examples, recipe.train, recipe.augment, seed=seed, folder=folder,
        on_epoch=lambda e: step(e.epoch + 1, f"loss {e.train_loss:.2f}, validation UAR {e.validation_uar:.2f}"),
    )  # fmt: skip
    step(epochs)  # also where it stopped early
    validation_uar = None if np.isnan(fitted.validation_uar) else round(100 * fitted.validation_uar, 2)
    seconds = round(time.monotonic() - started, 1)
    weights = file_digest(folder / body.file) if (folder / body.file).is_file() else ""
    epochs = len(fitted.history)
    found = Fit(fold.fold, seed, fitted.kept, epochs, validation_uar, fitted.temperature, seconds, weights=weights)
    return found, body


def _probabilities(
    run: Experiment, body: Body, member: Member, names: Sequence[str], temperature: float
) -> NDArray[np.float64]:
    """Return the calibrated probabilities (n, C) of some utterances."""
    if not names:
        return np.empty((0, len(run.classes)))
    logits, _ = predict_logits(body, member.features[1.0], {i: run.targets[i] for i in names})
    scores: NDArray[np.float64] = (torch.from_numpy(logits) / temperature).double().softmax(1).numpy()
    return scores


def _augmented(run: Experiment, member: Member, fold: Fold) -> Callable[[int, int], Mapping[str, FloatArray]] | None:
    """Return the function that makes an epoch's frames from augmented waveforms, None without such augmentation."""
    settings, store = member.recipe.augment, member.store
    if not settings.waveform:
        return None
    chain = build_chain([one.model_dump() for one in settings.waveform])
    waveforms = {u.id: store.waveform(u) for u in run.manifest.subset(fold.train)}

    def rows(seed: int, epoch: int) -> Mapping[str, FloatArray]:
        return augmented_rows(
            waveforms, chain, member.front, store.sexes, seed=seed, epoch=epoch, workers=settings.workers
        )

    return rows


def _check_members(run: Experiment, jobs: Sequence[MemberJob]) -> None:
    """Prove that no member of an ensemble is trained or validated on a speaker that the ensemble is scored on."""
    for job in jobs:
        check_leakage(replace(run.split, folds=(job.fold,)), run.manifest, run.sounds)
    if not run.split.is_speaker_independent:
        return
    speaker_of = {u.id: u.speaker for u in run.manifest}
    seen = {job.folder: {speaker_of[i] for i in (*job.fold.train, *job.fold.validation)} for job in jobs}
    check_ensemble(seen, {speaker_of[i] for i in jobs[0].fold.test})


def _ensemble_fit(fold: Fold, seed: int, fits: Sequence[Fit], validation_uar: float | None, temperature: float) -> Fit:
    """Return the record of an ensemble's fit: sums over its members, and no kept epoch of its own."""
    members: list[dict[str, Any]] = [asdict(fit) for fit in fits]
    epochs, seconds = sum(fit.epochs for fit in fits), round(sum(fit.seconds for fit in fits), 1)
    return Fit(fold.fold, seed, 0, epochs, validation_uar, temperature, seconds, tuple(members))
