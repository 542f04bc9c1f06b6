"""Run a recipe through its protocol, or fit its final model; both leave a run folder.

A run that was interrupted goes on: folds whose predictions are in ``predictions.csv`` are not computed
again, and the fold that it was in resumes from its last epoch.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from serkit.corpora import Data, label_set_of, read_corpora
from serkit.errors import ProtocolError, RecipeError, RunError
from serkit.files import write_whole
from serkit.lab import processes, trackers
from serkit.lab.ablation import BASE, variants
from serkit.lab.augment import build_chain
from serkit.lab.data import Store, open_store
from serkit.lab.features import build_front, resolve_features
from serkit.lab.fitting import (
    Experiment,
    Member,
    check_for_file,
    ensemble_config,
    ensemble_jobs,
    fit_fold,
    fit_seeds,
    member_recipes,
)
from serkit.lab.folds import Fold, Split, folds_as_json
from serkit.lab.jobs import fit_side_by_side, threads_each
from serkit.lab.leakage import check_leakage, count_shared
from serkit.lab.models import build_body, resolve_model
from serkit.lab.models.ensemble import MEMBER_KEYS
from serkit.lab.pretraining import first_recipe, with_first
from serkit.lab.protocols import check_classes, make_split
from serkit.lab.recipe import Augment, Recipe, Train, parse_recipe
from serkit.lab.recipe_files import dump_recipe, load_recipe
from serkit.lab.remarks import environment, say_what_is_missing
from serkit.lab.runs import (
    ALL_SPEAKERS,
    TESTED,
    VALIDATED,
    Fit,
    Row,
    read_fits,
    read_json,
    read_predictions,
    write_json,
    write_metrics,
    write_predictions,
)
from serkit.lab.tuning import ends_of_space
from serkit.lab.validation import hold_out_validation, rotate_validation
from serkit.lab.zoo import ENSEMBLE, find_model
from serkit.labels import LabelSet
from serkit.manifest import Manifest
from serkit.types import FloatArray
from serkit.watch import Watch

_FIT_BY = ("serkit", "torch", "threads")  # facts of ``env.json`` on which a fit's last digits hang


def evaluate(
    recipe: Recipe, data: Data, out: str | os.PathLike[str], *, watch: Watch | None = None, jobs: int = 1
) -> dict[str, Any]:
    """Run a recipe through its protocol.

    Args:
        recipe: The experiment.
        data: A folder with one folder per corpus, or corpus names to folders.
        out: The run folder; where it holds an unfinished run of the same recipe, that goes on.
        watch: Shows progress.
        jobs: How many processes fit folds side by side, each on its share of the processor's cores; a fit on other
            threads may differ in its last digits.

    Returns:
        The content of ``metrics.json``.

    Raises:
        CorpusError: If a corpus is not there; before anything is computed.
        LeakageError: If the protocol's folds leak.
        RunError: If the folder holds a run of another recipe or other data.
    """
    run = prepare(recipe, data, Path(out), watch or Watch(), jobs=jobs)
    rows, validated = (read_predictions(run.folder, name)[0] for name in (TESTED, VALIDATED))
    predicted = {(row.fold, row.seed) for row in rows}
    fits = [fit for fit in read_fits(run.folder) if (fit.fold, fit.seed) in predicted]
    done = {(fit.fold, fit.seed) for fit in fits}
    rows, validated = ([row for row in some if (row.fold, row.seed) in done] for some in (rows, validated))
    todo = [(fold, seed) for seed in recipe.seeds for fold in run.split.of_seed(seed) if (fold.fold, seed) not in done]
    if done:
        run.watch.note(f"{len(done)} fits are done already, {len(todo)} to go")
    metrics = _write(run, rows, fits, validated, is_complete=not todo)
    if todo:
        _train_first(run, data)
    if min(jobs, len(todo)) > 1:
        fitted = fit_side_by_side(partial(prepare, recipe, data, run.folder, Watch(), claims=False), todo, jobs)
    else:
        fitted = ((fold, seed, *fit_fold(run, fold, seed)) for fold, seed in todo)
    for i, (fold, seed, found, answers) in enumerate(fitted, 1):
        rows += _rows(run, fold.test, fold, seed, answers.test)
        if len(answers.validation):
            validated += _rows(run, answers.validated, fold, seed, answers.validation)
        fits.append(found)
        metrics = _write(run, rows, fits, validated, is_complete=i == len(todo))
        run.watch.note(
            f"fold {fold.fold} seed {seed}: validation UAR {found.validation_uar}, "
            f"test UAR so far {metrics['uar']} ({found.seconds:.0f} s)"
        )
    return metrics


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
        axes: See :func:`serkit.lab.ablation.variants`.
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


def train(recipe: Recipe, data: Data, out: str | os.PathLike[str], *, watch: Watch | None = None) -> dict[str, Any]:
    """Fit a recipe's final model on everything but the validation speakers, for ``serkit export``.

    Args and errors are those of :func:`evaluate`.
    """
    check_for_file(recipe)  # its model is for a file
    return _train(recipe, data, Path(out), watch or Watch())


def _train(recipe: Recipe, data: Data, out: Path, watch: Watch) -> dict[str, Any]:
    run = prepare(recipe, data, out, watch, split_by=_whole_split)
    fits = read_fits(run.folder)
    done = {f.seed for f in fits}
    validated = [row for row in read_predictions(run.folder, VALIDATED)[0] if row.seed in done]
    metrics = _write(run, [], fits, validated, is_complete=done >= set(recipe.seeds))
    if not done >= set(recipe.seeds):
        _train_first(run, data)
    for seed in recipe.seeds:
        if seed not in done:
            fold = run.split.of_seed(seed)[0]
            fit, answers = fit_fold(run, fold, seed)
            fits.append(fit)
            if len(answers.validation):
                validated += _rows(run, answers.validated, fold, seed, answers.validation)
            metrics = _write(run, [], fits, validated, is_complete=len(fits) == len(recipe.seeds))
            run.watch.note(f"seed {seed}: validation UAR {fits[-1].validation_uar} ({fits[-1].seconds:.0f} s)")
    return metrics


def _train_first(run: Experiment, data: Data) -> None:
    """Do what is left of the first trainings that a run's fits begin with."""
    for member in run.members:
        if member.first:
            recipe = first_recipe(member.recipe, fit_seeds(run.recipe))
            run.watch.note(f"first training of {recipe.model.name}, on {', '.join(recipe.corpora)}")
            _train(recipe, data, member.first, run.watch)


def resolve_recipe(recipe: Recipe) -> Recipe:
    """Fill in the defaults of a recipe's front end and model too, which stand beside their code.

    Raises:
        UnknownNameError: If the front end or the model is unknown.
        RecipeError: If one of their settings is unknown or impossible.
    """
    if recipe.model.name == ENSEMBLE:
        members = [resolve_recipe(member).as_mapping() for member in member_recipes(recipe)]
        kept = [{key: member[key] for key in MEMBER_KEYS if key in member} for member in members]
        config = asdict(ensemble_config(recipe)) | {"members": kept}
        return parse_recipe(recipe.as_mapping() | {"model": {"name": ENSEMBLE, **_as_json(config)}})
    named = {
        "features": resolve_features(recipe.named_features),
        "model": {"name": recipe.model.name, **asdict(resolve_model(recipe.model.name, recipe.model.settings))},
    }
    return parse_recipe(recipe.as_mapping() | _as_json(named))


def check_recipe(recipe: Recipe) -> None:
    """Find out, before any audio is read, what would stop a recipe later.

    Raises:
        RecipeError: If a model cannot read its features, an augmentation finds no files, or the like.
        MissingExtraError: If a package is not installed.
    """
    classes = len(label_set_of(recipe.labels, recipe.corpora).classes)
    for end in ends_of_space(recipe):
        _check_what_is_read(end)
    for member in member_recipes(recipe):
        trackers.check(member.train)
        _check_what_is_read(member)
        build_chain([one.model_dump() for one in member.augment.waveform])
        layout = build_front(member.named_features).layout
        with torch.device("meta"):  # shapes without numbers, at no cost
            build_body(member.model.name, member.model.settings, layout=layout, classes=classes)


def _check_what_is_read(recipe: Recipe) -> None:
    """Refuse training settings of a model that has no epochs: its recipe would say what nobody did."""
    entry = find_model(recipe.model.name)
    if entry.is_network:
        return
    defaults = {"train": Train(**entry.train), "augment": Augment(**entry.augment)}
    for part, read in (("train", {"class_weights", "sampling"}), ("augment", {"waveform", "copies", "workers"})):
        for name, value in getattr(recipe, part):
            if name not in read and value != getattr(defaults[part], name):
                raise RecipeError(
                    f"{part}.{name}: {recipe.model.name} is fitted at once and would ignore it; of {part} it reads "
                    f"{' and '.join(sorted(read))}."
                )


def _as_json(content: dict[str, Any]) -> dict[str, Any]:
    """Return what a JSON file would hold: lists in place of tuples."""
    found: dict[str, Any] = json.loads(json.dumps(content))
    return found


def prepare(
    recipe: Recipe,
    data: Data,
    folder: Path,
    watch: Watch,
    *,
    split_by: Callable[[Manifest, Any, Any], Split] = make_split,
    claims: bool = True,
    jobs: int = 1,
) -> Experiment:
    """Read corpora, decode, divide, compute features, and claim the run folder.

    Args:
        recipe: The experiment.
        data: As for :func:`evaluate`.
        folder: The run's.
        watch: Shows progress.
        split_by: From manifest, protocol and digests to folds.
        claims: Whether the folder is this process's to write in; else it is another's, which has written it.
        jobs: How many processes will fit, which share the processor's cores.
    """
    if folder.is_file():
        raise RunError(f"{str(folder)!r} is a file; choose another --out.")
    recipe = resolve_recipe(recipe)
    check_recipe(recipe)
    labels = label_set_of(recipe.labels, recipe.corpora)
    everything = read_corpora(recipe.corpora, data)
    manifest, dropped = everything.select(labels)
    _check_there_is_a_choice(manifest, labels)
    names = {u.id: u.id for u in manifest}
    split = split_by(manifest, recipe.protocol, names)  # too few speakers show before audio is read
    check_classes(split, manifest, labels, recipe.protocol)
    for fold in split.folds:
        if recipe.model.name == ENSEMBLE and fold.draw == 0:
            ensemble_jobs(recipe, manifest, split, fold, 0)
        if recipe.tune:
            rotate_validation(manifest, recipe.protocol, fold, recipe.tune.inner_folds)
    watch = watch if processes.is_main() else Watch()
    say_what_is_missing(everything, labels, dropped, watch)
    with processes.main_first():
        fronts = [(member, build_front(member.named_features)) for member in member_recipes(recipe)]
        rates = dict.fromkeys(front.config.sampling_rate for _, front in fronts)
        stores = {rate: _open_store(manifest, rate, watch) for rate in rates}
        heard = next(iter(stores.values())).digests
        split = split_by(manifest, recipe.protocol, heard)
        first, first_heard = _read_first(recipe, data, next(iter(stores)), watch) if claims else (Manifest(()), {})
        guarded = with_first(split, manifest, heard, first, first_heard)
        if claims and processes.is_main():
            audio = hashlib.sha256("\n".join(f"{name} {heard[name]}" for name in sorted(heard)).encode()).hexdigest()
            digests = {"manifest_digest": manifest.digest, "split_digest": split.digest, "audio_digest": audio}
            facts = environment(threads_each(jobs)) | digests | {"dropped": dict(dropped)}
            _claim(folder, recipe, facts, folds_as_json(split, manifest), watch)
        members = []
        for number, (member, front) in enumerate(fronts):
            store = stores[front.config.sampling_rate]
            speeds = sorted({1.0, *member.augment.speeds})
            features = _features(store, front, speeds, len(manifest), watch)
            begun = folder / "pretrained" / str(number) if member.pretrain else None
            members.append(Member(member, front, store, features, begun))
    targets = {u.id: labels.index(u.emotion) for u in manifest}
    return Experiment(
        recipe, labels, manifest, split, count_shared(*guarded), tuple(members), targets, folder, watch, first
    )


def _read_first(recipe: Recipe, data: Data, rate: int, watch: Watch) -> tuple[Manifest, dict[str, str]]:
    """Return what first trainings are on, and the digests of its audio at a sampling rate, as the guard takes them."""
    recipes = [first_recipe(member, (0,)) for member in member_recipes(recipe) if member.pretrain]
    if not recipes:
        return Manifest(()), {}
    sets = [label_set_of(first.labels, first.corpora) for first in recipes]
    everything = read_corpora(dict.fromkeys(name for first in recipes for name in first.corpora), data)
    manifest = everything.filter(lambda u: any(labels.class_of(u.emotion) for labels in sets))
    return manifest, _open_store(manifest, rate, watch).digests


def _check_there_is_a_choice(manifest: Manifest, labels: LabelSet) -> None:
    found = {labels.classes[labels.index(u.emotion)] for u in manifest}
    if len(found) < 2:
        what = f"all of the {len(manifest)} utterances are of {found.pop()}" if found else "there are no utterances"
        raise RecipeError(
            f"label set {labels.name} ({', '.join(labels.classes)}): {what}, so there is nothing to tell apart."
        )


def _open_store(manifest: Manifest, sampling_rate: int, watch: Watch) -> Store:
    with watch.bar("decoding", len(manifest)) as advance:
        return open_store(manifest, sampling_rate, lambda done: advance(done, ""))


def _features(
    store: Store, front: Any, speeds: list[float], total: int, watch: Watch
) -> dict[float, dict[str, FloatArray]]:
    features = {}
    for speed in speeds:
        with watch.bar(f"features at speed {speed}", total) as advance:
            features[speed] = store.features(front, speed, lambda done, advance=advance: advance(done, ""))  # type: ignore[misc]
    return features


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


def _claim(folder: Path, recipe: Recipe, facts: dict[str, Any], folds: Any, watch: Watch) -> None:
    """Write what the folder is about, or check that it is about the same; ``facts`` are those of ``env.json``."""
    if (folder / "recipe.yaml").is_file():
        if not load_recipe(folder / "recipe.yaml").is_same_experiment(recipe):
            raise RunError(f"{str(folder)!r} holds a run of another recipe or other settings: choose another --out.")
        known = read_json(folder, "env.json")
        known = {"audio_digest": facts["audio_digest"], **known}  # which older runs do not have
        if any(known.get(name) != value for name, value in facts.items() if name.endswith("_digest")):
            raise RunError(f"{str(folder)!r} holds a run on other files or folds: choose another --out.")
        changed = [f"{name} {known.get(name)}, now {facts[name]}" for name in _FIT_BY if known.get(name) != facts[name]]
        if changed:
            watch.note(f"begun with {', '.join(changed)}: what is left may come out a little differently")
        return
    if (folder / "metrics.json").is_file() or any(folder.glob("fold_*/seed_*")):
        raise RunError(f"{str(folder)!r} holds parts of a run but no recipe.yaml: remove them or choose another --out.")
    write_json(folder, "folds.json", folds)
    write_json(folder, "env.json", facts)
    write_whole(folder / "recipe.yaml", dump_recipe(recipe))


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
