"""Fitting one fold of an experiment: a single model, or the members of an ensemble, each with its own features."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from serkit.data.manifest import Manifest
from serkit.errors import RecipeError
from serkit.lab.augment import build_chain
from serkit.lab.features import Front, build_front
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.lab.measure.run_folder import Fit, fit_folder
from serkit.lab.measure.voting import FLOOR, Rule, combine, tempered
from serkit.lab.models import Body, build_body, resolve_model
from serkit.lab.models.ensemble import EnsembleConfig
from serkit.lab.recipes.registry import ENSEMBLE
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.leakage import Shared, check_ensemble, check_leakage
from serkit.lab.splits.validation import rotate_validation
from serkit.lab.train import distributed as processes
from serkit.lab.train.loop import Examples, fit, fit_temperature, predict_logits
from serkit.lab.train.pretraining import begin_with, first_labels
from serkit.lab.train.store import Store, augmented_rows
from serkit.lab.train.tuning import search, with_settings
from serkit.labels import LabelSet
from serkit.progress import Watch
from serkit.types import FloatArray
from serkit.writing import write_whole


@dataclass(frozen=True)
class Member:
    """One model to be fitted: the recipe's own, or one of an ensemble's.

    Attributes:
        recipe: Of a single model, with every default filled in.
        front: Its front end.
        store: Audio at the front end's sampling rate.
        features: Speed to utterance id to frames (N, F).
        first: The run folder of the first training that it begins with, if any.
    """

    recipe: Recipe
    front: Front
    store: Store
    features: Mapping[float, Mapping[str, FloatArray]]
    first: Path | None = None

    def build(self, classes: int, *, is_for_weights: bool = False) -> Body:
        """Build the body, from the state of torch's generator."""
        return build_body(
            self.recipe.model.name, self.recipe.model.settings, layout=self.front.layout, classes=classes,
            is_for_weights=is_for_weights,
        )  # fmt: skip


@dataclass(frozen=True)
class Experiment:
    """All that the folds of one run share; ``pretrained_on`` is what first trainings are on, nothing as a rule."""

    recipe: Recipe
    labels: LabelSet
    manifest: Manifest
    split: Split
    shared: Shared
    members: tuple[Member, ...]
    targets: Mapping[str, int]
    folder: Path
    watch: Watch
    pretrained_on: Manifest


@dataclass(frozen=True)
class FoldAnswers:
    """Calibrated probabilities of a fold's utterances.

    Attributes:
        test: Shape (n, C), in the fold's order.
        validation: Shape (m, C).
        validated: The m utterances of these: the fold's, or those that an ensemble's members validate on, each
            answered by the members that have not been trained on it.
    """

    test: NDArray[np.float64]
    validation: NDArray[np.float64]
    validated: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One member to be fitted for a fold: which, by which seed, on which division of the training side."""

    number: int
    member: int
    seed: int
    fold: Fold

    @property
    def folder(self) -> str:
        """Within the folder of fold and seed."""
        return member_folder(self.number)


def member_folder(number: int) -> str:
    """Return the name of a member's folder."""
    return f"member_{number:02d}"


def member_recipes(recipe: Recipe) -> list[Recipe]:
    """Return a recipe for each member of an ensemble, or the recipe itself."""
    if recipe.model.name != ENSEMBLE:
        return [recipe]
    common = {"name": recipe.name, "corpora": recipe.corpora, "labels": recipe.labels, "protocol": recipe.protocol}
    return [parse_recipe({**common, **member}) for member in ensemble_config(recipe).members]


def ensemble_config(recipe: Recipe) -> EnsembleConfig:
    """Return the settings of an ensemble's recipe."""
    config = resolve_model(recipe.model.name, recipe.model.settings)
    assert isinstance(config, EnsembleConfig)
    return config


def fit_seeds(recipe: Recipe, seeds: Sequence[int]) -> tuple[int, ...]:
    """Return the seeds of fits for a run's seeds: an ensemble's are its members' plus a thousand times each."""
    if recipe.model.name == ENSEMBLE:
        seeds = [_member_seed(seed, own) for seed in seeds for own in ensemble_config(recipe).seeds]
    return tuple(dict.fromkeys(seeds))


def _member_seed(seed: int, own: int) -> int:
    return 1000 * seed + own


def check_for_file(recipe: Recipe) -> None:
    """Refuse what could not become a model file, before it is trained.

    Raises:
        ExportError: If a feature has no graph.
        RecipeError: If an ensemble's members take different sampling rates.
    """
    fronts = [build_front(member.named_features) for member in member_recipes(recipe)]
    for front in fronts:
        if not front.has_graph:
            front(None, None)  # says why
    rates = sorted({front.config.sampling_rate for front in fronts})
    if len(rates) > 1:
        text = " and ".join(map(str, rates))
        raise RecipeError(f"members at {text} Hz cannot be one model file: give their features one sampling_rate.")


def ensemble_jobs(recipe: Recipe, manifest: Manifest, split: Split, fold: Fold, seed: int) -> list[Job]:
    """Return all that an ensemble has to fit for one fold: members, then seeds, then inner folds.

    Seeds are those of :func:`fit_seeds`. Where the protocol draws training speakers several
    times, the members' seeds take the draws in turn.
    """
    config = ensemble_config(recipe)
    kinds = [
        (m, f, s)
        for m in range(len(config.members))
        for s in config.seeds
        for f in _divisions(recipe, manifest, split, fold, s)
    ]
    return [Job(number, m, _member_seed(seed, s), f) for number, (m, f, s) in enumerate(kinds)]


def _divisions(recipe: Recipe, manifest: Manifest, split: Split, fold: Fold, seed: int) -> list[Fold]:
    """Return the divisions of a fold's training side that one seed of an ensemble's member is fitted on."""
    inner_folds = ensemble_config(recipe).inner_folds
    if split.draws > 1:
        (fold,) = (one for one in split.of_seed(seed) if one.fold == fold.fold)
    return [fold] if inner_folds is None else rotate_validation(manifest, recipe.protocol, fold, inner_folds)


def fit_fold(run: Experiment, fold: Fold, seed: int) -> tuple[Fit, FoldAnswers]:
    """Fit one fold.

    Args:
        run: The experiment.
        fold: Which one.
        seed: Of the run's seeds.

    Returns:
        What the fit says of itself, and what it answers.
    """
    folder = run.folder / fit_folder(fold.fold, seed)
    if run.recipe.model.name != ENSEMBLE:
        settings = _searched(run, fold, seed, folder)
        member = replace(run.members[0], recipe=with_settings(run.members[0].recipe, settings))
        found, body = _fit_or_load(run, member, fold, seed, folder)
        test, validation = (
            _probabilities(run, body, member, names, found.temperature) for names in (fold.test, fold.validation)
        )
        return replace(found, settings=settings), FoldAnswers(test, validation, fold.validation)
    jobs = parts_of_fit(run, fold, seed)
    _check_members(run, jobs, run.members[0].store.digests)
    fits, tested, validated = [], [], []
    for job in jobs:
        member = run.members[job.member]
        found, body = _fit_or_load(run, member, job.fold, job.seed, folder / job.folder)
        fits.append(found)
        tested.append(_probabilities(run, body, member, fold.test, found.temperature))
        validated.append(_probabilities(run, body, member, job.fold.validation, found.temperature))
        run.watch.note(note_of_part(run, fold, seed, job=job, of=len(jobs), found=found))
    rule, weights = ensemble_config(run.recipe).rule, member_weights(fits)
    names, common = _on_validation(jobs, validated, rule, weights)
    validation_uar, temperature = None, 1.0
    if names:
        truth = np.array([run.targets[i] for i in names])
        if rule != "majority":  # whose answer is shares of votes
            temperature = fit_temperature(np.log(np.clip(common, FLOOR, 1)).astype(np.float32), truth)
            common = tempered(common, temperature)
        validation_uar = round(100 * uar(confusion_matrix(truth, common.argmax(1), len(run.labels.classes))), 2)
    test = combine(np.stack(tested), rule, weights, temperature=temperature)
    return _of_all(fold, seed, fits, validation_uar, temperature), FoldAnswers(test, common, names)


def parts_of_fit(run: Experiment, fold: Fold, seed: int) -> list[Job]:
    """Return what :func:`fit_part` can fit of a fold before :func:`fit_fold`: an ensemble's members, else nothing."""
    if run.recipe.model.name != ENSEMBLE:
        return []
    return ensemble_jobs(run.recipe, run.manifest, run.split, fold, seed)


def fit_part(run: Experiment, fold: Fold, seed: int, number: int) -> Fit:
    """Fit one member of a fold's ensemble and leave it in its folder, where :func:`fit_fold` finds it."""
    job = parts_of_fit(run, fold, seed)[number]
    _check_members(run, [job], run.members[0].store.digests)
    folder = run.folder / fit_folder(fold.fold, seed) / job.folder
    return _fit_or_load(run, run.members[job.member], job.fold, job.seed, folder)[0]


def note_of_part(run: Experiment, fold: Fold, seed: int, *, job: Job, of: int, found: Fit) -> str:
    """Return what is said when a member of an ensemble is fitted, one of so many."""
    model = run.members[job.member].recipe.model.name
    return (
        f"fold {fold.fold} seed {seed} member {job.number + 1} of {of}, {model}: validation UAR {found.validation_uar}"
    )


def _on_validation(
    jobs: Sequence[Job], validated: Sequence[NDArray[np.float64]], rule: Rule, weights: Sequence[float]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Return what members validate on and their common answer (m, C); under inner folds a part of them to each part.

    Fewer members are less sure of themselves than all are, and so is a temperature that is fitted on their answers.
    """
    answers: dict[str, dict[int, NDArray[np.float64]]] = {}
    for place, (job, rows) in enumerate(zip(jobs, validated, strict=True)):
        for name, row in zip(job.fold.validation, rows, strict=True):
            answers.setdefault(name, {})[place] = row
    found: dict[str, NDArray[np.float64]] = {}
    for places in sorted({tuple(of) for of in answers.values()}):
        names = [name for name, of in answers.items() if tuple(of) == places]
        common = combine(
            np.array([[answers[name][i] for name in names] for i in places]), rule, [weights[i] for i in places]
        )
        found |= dict(zip(names, common, strict=True))
    return tuple(found), np.array([*found.values()]).reshape(len(found), validated[0].shape[1])


def _searched(run: Experiment, fold: Fold, seed: int, folder: Path) -> dict[str, Any]:
    """Return the settings that a fold's own speakers ask for, where the recipe searches for some."""
    if run.recipe.tune is None:
        return {}

    def score(recipe: Recipe, inner: Fold, scratch: Path) -> float:
        fit, _ = _fit_member(run, replace(run.members[0], recipe=recipe), inner, seed, scratch)
        assert fit.validation_uar is not None
        return fit.validation_uar / 100

    return search(run.recipe, run.manifest, fold, seed=seed, folder=folder, score=score)


def member_weights(fits: list[Fit]) -> list[float]:
    """Return what each member weighs: its validation UAR, or the same for all where one has none."""
    values = [fit.validation_uar for fit in fits]
    return [1.0] * len(fits) if None in values else [float(value or 0.0) for value in values]


def _fit_or_load(run: Experiment, member: Member, fold: Fold, seed: int, folder: Path) -> tuple[Fit, Body]:
    """Fit a model, or read it where an interrupted run has left it, fitted and with nothing answered yet."""
    done = folder / "fit.json"
    if done.is_file():
        body = member.build(len(run.labels.classes), is_for_weights=True)
        if (folder / body.file).is_file():
            body.load(folder)
            body.to(processes.device())  # as one that has just been fitted
            return Fit(**json.loads(done.read_text("utf-8"))), body
    found, body = _fit_member(run, member, fold, seed, folder)
    if processes.is_main():
        write_whole(done, json.dumps(asdict(found)))
    processes.wait()
    return found, body


def _fit_member(run: Experiment, member: Member, fold: Fold, seed: int, folder: Path) -> tuple[Fit, Body]:
    started = time.monotonic()
    torch.manual_seed(seed)
    body, recipe = member.build(len(run.labels.classes)), member.recipe
    if member.first:
        classes = len(first_labels(recipe).classes)
        begin_with(body, member.first / fit_folder(0, seed), classes, partial(member.build, is_for_weights=True))
    speaker_of = {u.id: u.speaker for u in run.manifest}
    examples = Examples(
        rows=[member.features[speed] for speed in recipe.augment.speeds],
        plain=member.features[1.0],
        train={i: run.targets[i] for i in fold.train},
        validation={i: run.targets[i] for i in fold.validation},
        classes=len(run.labels.classes),
        augmented=_augmented(run, member, fold),
        speakers={i: speaker_of[i] for i in fold.train},
    )
    with run.watch.bar(f"fold {fold.fold} seed {seed}", body.stages * recipe.train.epochs) as advance:
        fitted = fit(
            body, examples, recipe.train, recipe.augment, seed=seed, folder=folder,
            on_epoch=lambda e: advance(e.epoch + 1, f"loss {e.train_loss:.2f}, validation UAR {e.validation_uar:.2f}"),
        )  # fmt: skip
    validation_uar = None if np.isnan(fitted.validation_uar) else round(100 * fitted.validation_uar, 2)
    seconds = round(time.monotonic() - started, 1)
    return Fit(fold.fold, seed, fitted.kept, len(fitted.history), validation_uar, fitted.temperature, seconds), body


def _probabilities(
    run: Experiment, body: Body, member: Member, names: Sequence[str], temperature: float
) -> NDArray[np.float64]:
    if not names:
        return np.empty((0, len(run.labels.classes)))
    logits, _ = predict_logits(body, member.features[1.0], {i: run.targets[i] for i in names})
    scores: NDArray[np.float64] = (torch.from_numpy(logits) / temperature).double().softmax(1).numpy()
    return scores


def _augmented(run: Experiment, member: Member, fold: Fold) -> Callable[[int, int], Mapping[str, FloatArray]] | None:
    """Return what makes an epoch's frames from changed training waveforms, where the recipe changes them."""
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


def _check_members(run: Experiment, jobs: list[Job], digests: Mapping[str, str]) -> None:
    """Prove that no member of an ensemble has seen a speaker that the ensemble is scored on."""
    for job in jobs:
        check_leakage(replace(run.split, folds=(job.fold,)), run.manifest, digests)
    if not run.split.is_speaker_independent:
        return
    speaker_of = {u.id: u.speaker for u in run.manifest}
    seen = {job.folder: {speaker_of[i] for i in (*job.fold.train, *job.fold.validation)} for job in jobs}
    check_ensemble(seen, {speaker_of[i] for i in jobs[0].fold.test})


def _of_all(fold: Fold, seed: int, fits: list[Fit], validation_uar: float | None, temperature: float) -> Fit:
    """Sum up what the members say of themselves; an ensemble has no epoch of its own."""
    members: list[dict[str, Any]] = [asdict(fit) for fit in fits]
    epochs, seconds = sum(fit.epochs for fit in fits), round(sum(fit.seconds for fit in fits), 1)
    return Fit(fold.fold, seed, 0, epochs, validation_uar, temperature, seconds, tuple(members))
