"""Preparing an experiment: its recipe and corpora are checked before any work, then split, decoded and stored."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from serkit.data.corpora import Data, read_corpora
from serkit.data.manifest import Manifest, merge
from serkit.errors import RecipeError, RunError
from serkit.lab.augment import build_chain
from serkit.lab.encoders.layer_meaning import meaning_of_layers
from serkit.lab.features import Front, build_front
from serkit.lab.measure.run_folder import first_folder
from serkit.lab.models import build_body
from serkit.lab.recipes.registry import find_model
from serkit.lab.recipes.schema import Augment, Recipe, Train
from serkit.lab.splits.folds import Split
from serkit.lab.splits.leakage import check_names, count_shared, without_nameless
from serkit.lab.splits.protocols import SHARING_SPEAKERS, check_classes
from serkit.lab.splits.recording_groups import Sounds
from serkit.lab.splits.validation import rotate_validation
from serkit.lab.training import distributed as processes
from serkit.lab.training import trackers
from serkit.lab.training.encoder_history import check_encoders_apart, encoder_record
from serkit.lab.training.ensemble_members import ensemble_jobs
from serkit.lab.training.environment import environment, log_what_is_learned, log_what_is_missing
from serkit.lab.training.fold import Experiment, Member
from serkit.lab.training.hearing import hear
from serkit.lab.training.pretraining import check_apart, first_labels
from serkit.lab.training.resolve import ResolvedRecipe
from serkit.lab.training.run_claim import claim, digests_of_data
from serkit.lab.training.store import Store, StoredRows
from serkit.lab.training.tuning import ends_of_space
from serkit.lab.training.vote_targets import targets_digest, vote_targets
from serkit.lab.training.workers import processes_for, threads_each
from serkit.labels import LabelSet
from serkit.progress import OnProgress, begin_task
from serkit.types import FloatArray

SplitBy = Callable[[Manifest, Any, Sounds], Split]  # from manifest, protocol and sounds


def check_recipe(resolved: ResolvedRecipe) -> None:
    """Check everything about a recipe that does not need its audio, before any is read.

    Raises:
        RecipeError: If a model cannot read its features, an augmentation finds no files, or the like.
        MissingExtraError: If a package is not installed.
    """
    classes = len(resolved.labels.classes)
    for end in ends_of_space(resolved.recipe):
        _check_what_is_read(end)
    for member in resolved.members:
        trackers.check(member.train)
        _check_what_is_read(member)
        build_chain([one.model_dump() for one in member.augment.waveform])
        layout = build_front(member.named_features).layout
        with torch.device("meta"):  # shapes without numbers, at no cost
            build_body(member.model.name, member.model.settings, layout=layout, classes=classes)


def _check_what_is_read(recipe: Recipe) -> None:
    """Refuse training settings that a model without epochs would ignore."""
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


def check_exportable(resolved: ResolvedRecipe) -> None:
    """Refuse a recipe whose model could not become a model file, before it is trained.

    Raises:
        ExportError: If a feature has no graph.
        RecipeError: If an ensemble's members have different sampling rates.
    """
    fronts = [build_front(member.named_features) for member in resolved.members]
    for front in fronts:
        if not front.has_graph:
            front.inner(None, None)  # raises the error that says why
    rates = sorted({front.config.sampling_rate for front in fronts})
    if len(rates) > 1:
        text = " and ".join(map(str, rates))
        raise RecipeError(f"members at {text} Hz cannot be one model file: give their features one sampling_rate.")


def prepare(
    resolved: ResolvedRecipe,
    data: Data,
    folder: Path,
    *,
    split_by: SplitBy,
    jobs: int = 1,
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> Experiment:
    """Read the corpora, split them, decode audio, compute features, and claim the run folder.

    Args:
        resolved: The recipe.
        data: Folders of the corpora, as for :func:`serkit.data.corpora.read_corpora`.
        folder: The run folder.
        split_by: Function that makes the folds.
        jobs: Processes that may fit side by side, and share the processor's cores.
        fingerprints: Whether recordings are also compared by acoustic fingerprints, which then stay in the run folder.
        on_progress: Callback for progress, which the main process alone calls.

    Raises:
        RecipeError, CorpusError, ProtocolError, LeakageError: If the recipe cannot be run on these corpora.
        RunError: If the folder holds a run of another recipe or on other data.
    """
    if folder.is_file():
        raise RunError(f"{str(folder)!r} is a file; choose another output folder.")
    recipe, labels = resolved.recipe, resolved.labels
    check_recipe(resolved)
    manifest, shares, left_out = _read_manifest(resolved, data)
    first = _read_first(resolved, data)
    check_apart(manifest, first)
    _check_folds(resolved, manifest, split_by)
    if not processes.is_main():
        on_progress = None
    with processes.main_first():
        fronts = [(member, build_front(member.named_features)) for member in resolved.members]
        rates = dict.fromkeys(front.config.sampling_rate for _, front in fronts)
        heard = hear(manifest, first, tuple(rates), fingerprints=fingerprints, on_progress=on_progress)
        split = split_by(manifest, recipe.protocol, heard.sounds)
        if heard.codes is not None:
            check_encoders_apart(resolved, split, manifest, heard.codes)
        if processes.is_main():
            threads = threads_each(processes_for(resolved, manifest, split, jobs))
            facts = environment(threads) | digests_of_data(manifest, split, labels, first, heard)
            facts |= {"targets_digest": targets_digest(shares), "targets": len(shares)} if shares else {}
            facts |= left_out | meaning_of_layers(recipe.as_mapping()) | encoder_record(recipe)
            claim(folder, recipe, facts, manifest=manifest, split=split, codes=heard.codes)
        members = _members(fronts, heard.stores, len(manifest), folder, on_progress)
    return Experiment(
        resolved=resolved,
        manifest=manifest,
        split=split,
        sounds=heard.sounds,
        shared=count_shared(split, manifest, heard.sounds),
        members=members,
        targets={u.id: labels.index(u.emotion) for u in manifest},
        shares=shares,
        folder=folder,
        pretrained_on=first,
        on_progress=on_progress,
    )


def _read_manifest(
    resolved: ResolvedRecipe, data: Data
) -> tuple[Manifest, dict[str, FloatArray], dict[str, dict[str, int]]]:
    """Return the utterances of a recipe, their soft targets, if any, and what was left out, for ``env.json``."""
    recipe, labels = resolved.recipe, resolved.labels
    everything = read_corpora(recipe.corpora, data, keep_faulty=recipe.keep_faulty)
    manifest, dropped = everything.select(labels)
    nameless: dict[str, int] = {}
    if recipe.protocol.name not in SHARING_SPEAKERS:
        manifest, nameless = without_nameless(manifest)
    _check_classes_differ(manifest, labels)
    check_names(manifest.speakers)
    shares = vote_targets(manifest, labels) if recipe.targets == "votes" else {}
    log_what_is_missing(everything, labels, dropped)
    log_what_is_learned(manifest, nameless, shares)
    return manifest, shares, {"left_out": dict(everything.left_out) | nameless, "dropped": dict(dropped)}


def _check_folds(resolved: ResolvedRecipe, manifest: Manifest, split_by: SplitBy) -> None:
    """Refuse a protocol with too few speakers for its folds, or an encoder that knows them, before audio is read."""
    recipe, names = resolved.recipe, Sounds({u.id: u.id for u in manifest})
    split = split_by(manifest, recipe.protocol, names)
    check_classes(split, manifest, resolved.labels, recipe.protocol)
    check_encoders_apart(resolved, split, manifest)
    for fold in split.folds:
        if fold.draw == 0:
            ensemble_jobs(resolved, manifest, split, fold, 0)
        if recipe.tune:
            rotate_validation(manifest, recipe.protocol, fold, recipe.tune.inner_folds)


def _members(
    fronts: Sequence[tuple[Recipe, Front]],
    stores: Mapping[int, Store],
    utterances: int,
    folder: Path,
    on_progress: OnProgress | None,
) -> tuple[Member, ...]:
    """Compute the features of each member, or open the stored ones."""
    members = []
    for number, (recipe, front) in enumerate(fronts):
        store = stores[front.config.sampling_rate]
        speeds = sorted({1.0, *recipe.augment.speeds})
        features = _features(store, front, speeds, utterances, on_progress)
        first = folder / first_folder(number) if recipe.pretrain else None
        members.append(Member(recipe, front, store, features, first))
    return tuple(members)


def _read_first(resolved: ResolvedRecipe, data: Data) -> Manifest:
    """Return the utterances of all first trainings, each once; an empty manifest without any."""
    found: list[Manifest] = []
    for member in resolved.members:
        if member.pretrain:
            labels = first_labels(member)
            keep = resolved.recipe.keep_faulty
            manifest, _ = read_corpora(member.pretrain.corpora, data, keep_faulty=keep).select(labels)
            _check_classes_differ(manifest, labels, "pretrain: ")
            known = {u.id for one in found for u in one}
            found.append(manifest.filter(lambda u, known=known: u.id not in known))  # type: ignore[misc]
    return merge(found)


def _check_classes_differ(manifest: Manifest, labels: LabelSet, where: str = "") -> None:
    found = {labels.classes[labels.index(u.emotion)] for u in manifest}
    if len(found) < 2:
        what = f"all {len(manifest)} utterances are of {found.pop()}" if found else "there are no utterances"
        raise RecipeError(
            f"{where}label set {labels.name} ({', '.join(labels.classes)}): {what}, and a model needs two classes."
        )


def _features(
    store: Store, front: Front, speeds: Sequence[float], total: int, on_progress: OnProgress | None
) -> dict[float, StoredRows]:
    return {
        speed: store.features(front, speed, begin_task(f"features at speed {speed}", total, on_progress))
        for speed in speeds
    }
