"""From a recipe and its corpora to an experiment that is ready to be fitted, or a clear refusal before any work."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from serkit.data.corpora import Data, label_set_of, read_corpora
from serkit.data.manifest import Manifest, merge
from serkit.errors import RecipeError, RunError
from serkit.lab.augment import build_chain
from serkit.lab.features import Front, build_front, resolve_features
from serkit.lab.measure.run_folder import first_folder, read_json, write_json
from serkit.lab.models import build_body, resolve_model
from serkit.lab.recipes.files import dump_recipe, load_recipe
from serkit.lab.recipes.parts import MEMBER_KEYS
from serkit.lab.recipes.registry import ENSEMBLE, find_model
from serkit.lab.recipes.schema import Augment, Recipe, Train, parse_recipe
from serkit.lab.splits.folds import Split, folds_as_json
from serkit.lab.splits.leakage import count_shared
from serkit.lab.splits.protocols import check_classes
from serkit.lab.splits.validation import rotate_validation
from serkit.lab.train import distributed as processes
from serkit.lab.train import trackers
from serkit.lab.train.environment import environment, say_what_is_missing
from serkit.lab.train.fold import Experiment, Member, ensemble_config, ensemble_jobs, member_recipes
from serkit.lab.train.pretraining import check_apart, check_heard_apart, first_labels
from serkit.lab.train.store import Store, open_store
from serkit.lab.train.tuning import ends_of_space
from serkit.lab.train.workers import processes_for, threads_each
from serkit.labels import LabelSet
from serkit.progress import Watch
from serkit.types import FloatArray
from serkit.writing import write_whole

SplitBy = Callable[[Manifest, Any, Any], Split]  # from manifest, protocol and digests

_FIT_BY = ("serkit", "torch", "threads")  # facts of ``env.json`` on which a fit's last digits hang


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
    split_by: SplitBy,
    claims: bool = True,
    jobs: int = 1,
) -> Experiment:
    """Read corpora, decode, divide, compute features, and claim the run folder.

    Args:
        recipe: The experiment.
        data: As for :func:`evaluate`.
        folder: The run's.
        watch: Shows progress.
        split_by: What makes the folds.
        claims: Whether the folder is this process's to write in; else it is another's, which has written it.
        jobs: How many processes may fit, which share the processor's cores.
    """
    if folder.is_file():
        raise RunError(f"{str(folder)!r} is a file; choose another --out.")
    recipe = resolve_recipe(recipe)
    check_recipe(recipe)
    labels = label_set_of(recipe.labels, recipe.corpora)
    everything = read_corpora(recipe.corpora, data)
    manifest, dropped = everything.select(labels)
    _check_there_is_a_choice(manifest, labels)
    first = _read_first(recipe, data) if claims else Manifest(())
    check_apart(manifest, first)
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
        if claims:
            first_heard = _open_store(first, next(iter(stores)), watch).digests
            check_heard_apart(heard, first_heard)
            threads = threads_each(processes_for(recipe, manifest, split, jobs))
            facts = environment(threads) | _digests(manifest, split, heard, first, first_heard)
            facts["dropped"] = dict(dropped)
            if processes.is_main():
                _claim(folder, recipe, facts, folds_as_json(split, manifest), watch)
        members = _members(fronts, stores, manifest, folder, watch)
    targets = {u.id: labels.index(u.emotion) for u in manifest}
    shared = count_shared(split, manifest, heard)
    return Experiment(recipe, labels, manifest, split, shared, members, targets, folder, watch, first)


def _members(
    fronts: Sequence[tuple[Recipe, Front]],
    stores: Mapping[int, Store],
    manifest: Manifest,
    folder: Path,
    watch: Watch,
) -> tuple[Member, ...]:
    members = []
    for number, (recipe, front) in enumerate(fronts):
        store = stores[front.config.sampling_rate]
        speeds = sorted({1.0, *recipe.augment.speeds})
        features = _features(store, front, speeds, len(manifest), watch)
        first = folder / first_folder(number) if recipe.pretrain else None
        members.append(Member(recipe, front, store, features, first))
    return tuple(members)


def _read_first(recipe: Recipe, data: Data) -> Manifest:
    """Return what first trainings are on, each utterance once; nothing as a rule."""
    found: list[Manifest] = []
    for member in member_recipes(recipe):
        if member.pretrain:
            labels = first_labels(member)
            manifest, _ = read_corpora(member.pretrain.corpora, data).select(labels)
            _check_there_is_a_choice(manifest, labels, "pretrain: ")
            known = {u.id for one in found for u in one}
            found.append(manifest.filter(lambda u, known=known: u.id not in known))  # type: ignore[misc]
    return merge(found)


def _check_there_is_a_choice(manifest: Manifest, labels: LabelSet, where: str = "") -> None:
    found = {labels.classes[labels.index(u.emotion)] for u in manifest}
    if len(found) < 2:
        what = f"all of the {len(manifest)} utterances are of {found.pop()}" if found else "there are no utterances"
        raise RecipeError(
            f"{where}label set {labels.name} ({', '.join(labels.classes)}): {what}, so there is nothing to tell apart."
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


def _digests(
    manifest: Manifest, split: Split, heard: Mapping[str, str], first: Manifest, first_heard: Mapping[str, str]
) -> dict[str, str]:
    """Return what ``env.json`` has of the data, by which a run that goes on is known to be the same."""
    found = {"manifest_digest": manifest.digest, "split_digest": split.digest, "audio_digest": _digest_of(heard)}
    if len(first):
        found["pretraining_digest"] = _digest_of({first.digest: "manifest", **first_heard})
    return found


def _digest_of(heard: Mapping[str, str]) -> str:
    return hashlib.sha256("\n".join(f"{name} {heard[name]}" for name in sorted(heard)).encode()).hexdigest()


def _claim(folder: Path, recipe: Recipe, facts: dict[str, Any], folds: Any, watch: Watch) -> None:
    """Write what the folder is about, or check that it is about the same, but for seeds that come to it.

    ``facts`` are those of ``env.json``.
    """
    if (folder / "recipe.yaml").is_file():
        begun = load_recipe(folder / "recipe.yaml")
        has_more_seeds = set(begun.seeds) < set(recipe.seeds)
        known_as = begun.model_copy(update={"seeds": recipe.seeds}) if has_more_seeds else begun
        if not known_as.is_same_experiment(recipe):
            raise RunError(f"{str(folder)!r} holds a run of another recipe or other settings: choose another --out.")
        known = read_json(folder, "env.json")
        came_later = ("audio_digest", "pretraining_digest")  # which older runs do not have
        known = {name: facts[name] for name in came_later if name in facts} | known
        if any(known.get(name) != value for name, value in facts.items() if name.endswith("_digest")):
            raise RunError(f"{str(folder)!r} holds a run on other files or folds: choose another --out.")
        changed = [f"{name} {known.get(name)}, now {facts[name]}" for name in _FIT_BY if known.get(name) != facts[name]]
        if changed:
            watch.note(f"begun with {', '.join(changed)}: what is left may come out a little differently")
        if has_more_seeds:
            write_whole(folder / "recipe.yaml", dump_recipe(recipe))
        return
    if (folder / "metrics.json").is_file() or any(folder.glob("fold_*/seed_*")):
        raise RunError(f"{str(folder)!r} holds parts of a run but no recipe.yaml: remove them or choose another --out.")
    write_json(folder, "folds.json", folds)
    write_json(folder, "env.json", facts)
    write_whole(folder / "recipe.yaml", dump_recipe(recipe))
