"""Preparing an experiment: its recipe and corpora are checked before any work, then split, decoded and stored."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from serkit.data.corpora import Data, read_corpora
from serkit.data.fingerprint_cache import Codes, check_carried, fingerprints_of, stored_near_duplicates
from serkit.data.fingerprint_file import FINGERPRINTS_SHA, write_fingerprints
from serkit.data.manifest import Manifest, merge
from serkit.data.near_duplicates import NearDuplicate
from serkit.errors import RecipeError, RunError
from serkit.lab.augment import build_chain
from serkit.lab.encoders.layer_meaning import check_meaning, meaning_of_layers
from serkit.lab.features import Front, build_front
from serkit.lab.measure.run_checks import TESTED_LABELS, VALIDATED_LABELS, labels_digest
from serkit.lab.measure.run_folder import first_folder, json_text, read_json
from serkit.lab.measure.seal import check_before_resuming, write_sealed
from serkit.lab.models import build_body
from serkit.lab.recipes.files import dump_recipe, load_recipe
from serkit.lab.recipes.registry import find_model
from serkit.lab.recipes.schema import Augment, Recipe, Train
from serkit.lab.splits.folds import Split, folds_as_json
from serkit.lab.splits.leakage import check_names, count_shared
from serkit.lab.splits.protocols import check_classes
from serkit.lab.splits.recording_groups import Sounds
from serkit.lab.splits.validation import rotate_validation
from serkit.lab.training import distributed as processes
from serkit.lab.training import trackers
from serkit.lab.training.encoder_history import check_encoders_apart, check_encoders_kept, encoder_record
from serkit.lab.training.ensemble_members import ensemble_jobs
from serkit.lab.training.environment import environment, log_what_is_missing
from serkit.lab.training.fold import Experiment, Member
from serkit.lab.training.pretraining import check_apart, check_heard_apart, first_labels
from serkit.lab.training.resolve import ResolvedRecipe
from serkit.lab.training.store import Store, StoredRows, open_store
from serkit.lab.training.tuning import ends_of_space
from serkit.lab.training.workers import processes_for, threads_each
from serkit.labels import LabelSet
from serkit.progress import OnProgress, begin_task

SplitBy = Callable[[Manifest, Any, Sounds], Split]  # from manifest, protocol and sounds

_log = logging.getLogger(__name__)
_FIT_BY = ("serkit", "torch", "threads")  # facts of ``env.json`` on which the last digits of a fit depend


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
    everything = read_corpora(recipe.corpora, data)
    manifest, dropped = everything.select(labels)
    _check_classes_differ(manifest, labels)
    check_names(manifest.speakers)
    first = _read_first(resolved, data)
    check_apart(manifest, first)
    _check_folds(resolved, manifest, split_by)
    if not processes.is_main():
        on_progress = None
    log_what_is_missing(everything, labels, dropped)
    with processes.main_first():
        fronts = [(member, build_front(member.named_features)) for member in resolved.members]
        rates = dict.fromkeys(front.config.sampling_rate for _, front in fronts)
        stores = {rate: _open_store(manifest, rate, on_progress) for rate in rates}
        store = next(iter(stores.values()))
        codes = _fingerprints(manifest, store, on_progress) if fingerprints else None
        sounds = _sounds_of(store, codes)
        split = split_by(manifest, recipe.protocol, sounds)
        if codes is not None:
            check_encoders_apart(resolved, split, manifest, codes)
        first_store = _open_store(first, next(iter(stores)), on_progress)
        near: Sequence[NearDuplicate] = ()
        if codes is not None and len(first):
            near = stored_near_duplicates(codes, _fingerprints(first, first_store, on_progress))
        check_heard_apart(sounds, _sounds_of(first_store, None), near)
        threads = threads_each(processes_for(resolved, manifest, split, jobs))
        facts = environment(threads) | _digests(manifest, split, sounds.digests, first, first_store.digests)
        facts |= {"audio_sampling_rate": next(iter(stores)), **_label_digests(manifest, split, labels)}
        facts |= {"dropped": dict(dropped), **meaning_of_layers(recipe.as_mapping()), **encoder_record(recipe)}
        if processes.is_main() and not _is_resumed(folder, recipe, facts):
            if codes is not None:
                facts[FINGERPRINTS_SHA] = write_fingerprints(folder, manifest, codes)
            folds = json_text(folds_as_json(split, manifest))
            write_sealed(folder, {"folds": folds, "recipe": dump_recipe(recipe)}, facts)
        members = _members(fronts, stores, len(manifest), folder, on_progress)
    return Experiment(
        resolved=resolved,
        manifest=manifest,
        split=split,
        sounds=sounds,
        shared=count_shared(split, manifest, sounds),
        members=members,
        targets={u.id: labels.index(u.emotion) for u in manifest},
        folder=folder,
        pretrained_on=first,
        on_progress=on_progress,
    )


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
            manifest, _ = read_corpora(member.pretrain.corpora, data).select(labels)
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


def _open_store(manifest: Manifest, sampling_rate: int, on_progress: OnProgress | None) -> Store:
    return open_store(manifest, sampling_rate, begin_task("decoding", len(manifest), on_progress))


def _fingerprints(manifest: Manifest, store: Store, on_progress: OnProgress | None) -> dict[str, bytes]:
    step = begin_task("fingerprints", len(manifest), on_progress)
    codes = fingerprints_of(manifest, files=store.files, on_done=step)
    check_carried(manifest, codes)
    return codes


def _sounds_of(store: Store, codes: Codes | None) -> Sounds:
    return Sounds(store.digests, store.files, None if codes is None else stored_near_duplicates(codes))


def _features(
    store: Store, front: Front, speeds: Sequence[float], total: int, on_progress: OnProgress | None
) -> dict[float, StoredRows]:
    return {
        speed: store.features(front, speed, begin_task(f"features at speed {speed}", total, on_progress))
        for speed in speeds
    }


def _digests(
    manifest: Manifest, split: Split, heard: Mapping[str, str], first: Manifest, first_heard: Mapping[str, str]
) -> dict[str, str]:
    """Return the digests of the data for ``env.json``, by which a resumed run is known to be the same."""
    found = {"manifest_digest": manifest.digest, "split_digest": split.digest, "audio_digest": digest_of_audio(heard)}
    if len(first):
        found["pretraining_digest"] = digest_of_audio({first.digest: "manifest", **first_heard})
    return found


def _label_digests(manifest: Manifest, split: Split, labels: LabelSet) -> dict[str, str]:
    """Return the digests of speakers and true classes for ``env.json``, by which edited labels are found."""
    known = {u.id: (u.id, u.speaker, labels.classes[labels.index(u.emotion)]) for u in manifest}
    return {
        TESTED_LABELS: labels_digest(known[name] for fold in split.folds for name in fold.test),
        VALIDATED_LABELS: labels_digest(known[name] for fold in split.folds for name in fold.validation),
    }


def digest_of_audio(heard: Mapping[str, str]) -> str:
    """Return the ``audio_digest`` of a run.

    Args:
        heard: Digest of the decoded audio of each utterance, by its id.
    """
    return hashlib.sha256("\n".join(f"{name} {heard[name]}" for name in sorted(heard)).encode()).hexdigest()


def _is_resumed(folder: Path, recipe: Recipe, facts: Mapping[str, Any]) -> bool:
    """Return whether a run folder holds a run, which is checked to have the same recipe and data.

    Seeds may be added to a run. ``facts`` are what ``env.json`` would hold.
    """
    if (folder / "recipe.yaml").is_file():
        begun = load_recipe(folder / "recipe.yaml")
        has_more_seeds = set(begun.seeds) < set(recipe.seeds)
        known_as = begun.model_copy(update={"seeds": recipe.seeds}) if has_more_seeds else begun
        if not known_as.is_same_experiment(recipe):
            raise RunError(
                f"{str(folder)!r} holds a run of another recipe or other settings: choose another output folder."
            )
        known = read_json(folder, "env.json")
        check_before_resuming(folder, known)
        check_meaning(folder, known, recipe.as_mapping())
        check_encoders_kept(folder, known, recipe)
        came_later = ("audio_digest", "pretraining_digest", TESTED_LABELS, VALIDATED_LABELS)  # older runs lack them
        known = {name: facts[name] for name in came_later if name in facts} | known
        if any(known.get(name) != value for name, value in facts.items() if name.endswith("_digest")):
            raise RunError(f"{str(folder)!r} holds a run on other files or folds: choose another output folder.")
        changed = [f"{name} {known.get(name)}, now {facts[name]}" for name in _FIT_BY if known.get(name) != facts[name]]
        if changed:
            _log.info("begun with %s: the remaining fits may differ slightly", ", ".join(changed))
        if has_more_seeds:
            write_sealed(folder, {"recipe": dump_recipe(recipe)})
        return True
    if (folder / "metrics.json").is_file() or any(folder.glob("fold_*/seed_*")):
        raise RunError(
            f"{str(folder)!r} holds parts of a run but no recipe.yaml: remove them or choose another output folder."
        )
    return False
