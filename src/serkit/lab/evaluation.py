"""Run a recipe through its protocol, or fit its final model; both leave a run folder.

A run that was interrupted goes on: folds whose predictions are in ``predictions.csv`` are not computed
again, and the fold that it was in resumes from its last epoch.
"""

import json
import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import serkit
from serkit.card import Card
from serkit.corpora import Data, corpus_of, label_set_of, read_corpora
from serkit.errors import RunError
from serkit.files import write_whole
from serkit.lab.augment import build_chain
from serkit.lab.data import Store, augmented_rows, open_store
from serkit.lab.features import Front, build_front, resolve_features
from serkit.lab.models import build_body, resolve_model
from serkit.lab.protocols import (
    Fold,
    Split,
    check_leakage,
    check_unseen,
    folds_as_json,
    hold_out_validation,
    make_split,
)
from serkit.lab.recipe import Recipe, dump_recipe, load_recipe, parse_recipe
from serkit.lab.runs import (
    ALL_SPEAKERS,
    UNSEEN_CORPUS,
    Fit,
    Row,
    read_json,
    read_predictions,
    write_json,
    write_metrics,
    write_predictions,
)
from serkit.lab.training import Examples, fit, predict_logits
from serkit.labels import COMMON, LABEL_SETS, LabelSet
from serkit.manifest import Manifest
from serkit.types import FloatArray, Prediction
from serkit.watch import Watch


@dataclass(frozen=True)
class _Experiment:
    """All that the folds of one run share."""

    recipe: Recipe
    labels: LabelSet
    manifest: Manifest
    split: Split
    front: Front
    store: Store
    features: dict[float, dict[str, FloatArray]]
    targets: dict[str, int]
    folder: Path
    watch: Watch


def evaluate(recipe: Recipe, data: Data, out: str | os.PathLike[str], *, watch: Watch | None = None) -> dict[str, Any]:
    """Run a recipe through its protocol.

    Args:
        recipe: The experiment.
        data: A folder with one folder per corpus, or corpus names to folders.
        out: The run folder; where it holds an unfinished run of the same recipe, that goes on.
        watch: Shows progress.

    Returns:
        The content of ``metrics.json``.

    Raises:
        CorpusError: If a corpus is not there; before anything is computed.
        LeakageError: If the protocol's folds leak.
        RunError: If the folder holds a run of another recipe or other data.
    """
    run = _prepare(recipe, data, Path(out), watch or Watch(), make_split)
    fits = _read_fits(run.folder)
    done = {(f.fold, f.seed) for f in fits}
    rows = [row for row in read_predictions(run.folder)[0] if (row.fold, row.seed) in done]
    todo = [(fold, seed) for seed in recipe.seeds for fold in run.split.folds if (fold.fold, seed) not in done]
    if done:
        run.watch.note(f"{len(done)} fits are done already, {len(todo)} to go")
    metrics = _write(run, rows, fits, is_complete=not todo)
    for i, (fold, seed) in enumerate(todo, 1):
        found, logits = _fit_fold(run, fold, seed)
        rows += _rows(run, fold, seed, logits / found.temperature)
        fits.append(found)
        metrics = _write(run, rows, fits, is_complete=i == len(todo))
        run.watch.note(
            f"fold {fold.fold} seed {seed}: validation UAR {found.validation_uar}, "
            f"test UAR so far {metrics['uar']} ({found.seconds:.0f} s)"
        )
    return metrics


def train(recipe: Recipe, data: Data, out: str | os.PathLike[str], *, watch: Watch | None = None) -> dict[str, Any]:
    """Fit a recipe's final model on everything but the validation speakers, for ``serkit export``.

    Args and errors are those of :func:`evaluate`.
    """
    run = _prepare(recipe, data, Path(out), watch or Watch(), _whole_split)
    fits = _read_fits(run.folder)
    done = {f.seed for f in fits}
    metrics = _write(run, [], fits, is_complete=done >= set(recipe.seeds))
    for seed in recipe.seeds:
        if seed not in done:
            fits.append(_fit_fold(run, run.split.folds[0], seed)[0])
            metrics = _write(run, [], fits, is_complete=len(fits) == len(recipe.seeds))
            run.watch.note(f"seed {seed}: validation UAR {fits[-1].validation_uar} ({fits[-1].seconds:.0f} s)")
    return metrics


def evaluate_model(
    card: Card,
    predict: Callable[[Path], Prediction],
    corpora: tuple[str, ...],
    data: Data,
    out: str | os.PathLike[str],
    *,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Score a finished model on corpora that it has never seen a speaker of.

    Args:
        card: Of the model.
        predict: From an audio file to the model's answer.
        corpora: To test on.
        data: As for :func:`evaluate`.
        out: The run folder; its name is the run's.
        watch: Shows progress.

    Returns:
        The content of ``metrics.json``.

    Raises:
        LeakageError: If the model has seen one of the speakers.
        RunError: If the folder holds another run, or a corpus has utterances that are parts of a file.
    """
    out, watch = Path(out), watch or Watch()
    recipe = parse_recipe(dict(card.recipe))
    about = {"protocol": UNSEEN_CORPUS, "corpora": list(corpora), "model_weights_digest": card.weights_digest}
    if (out / "recipe.yaml").exists():
        stored = read_json(out, "metrics.json")
        if any(stored.get(name) != value for name, value in about.items()):
            raise RunError(f"{str(out)!r} holds another run: choose another --out.")
    labels = LABEL_SETS.get(card.label_set) or LabelSet(card.label_set, card.classes, card.label_note)
    everything = read_corpora(corpora, data)
    manifest, dropped = everything.select(labels)
    _say_what_is_missing(everything, labels, dropped, watch)
    check_unseen(card.seen_speakers, manifest.speakers)
    if any(u.start or u.end is not None for u in manifest):
        raise RunError("a model file is scored on whole files, and some utterances here are parts of one.")
    rows = _score(card, predict, manifest, labels, watch)
    test = {"speakers": list(manifest.speakers), "utterances": [u.id for u in manifest]}
    seen = {  # a card names speakers, not utterances
        "train": {"speakers": list(card.train_speakers), "utterances": []},
        "validation": {"speakers": list(card.validation_speakers), "utterances": []},
    }
    write_whole(out / "recipe.yaml", dump_recipe(recipe))
    write_json(out, "folds.json", [{"fold": 0, **seen, "test": test}])
    write_json(out, "env.json", _environment() | {"manifest_digest": manifest.digest, "dropped": dict(dropped)})
    write_predictions(out, rows, card.classes)
    facts = {
        "name": out.name,
        **about,
        "is_speaker_independent": True,
        "validation": "speakers",
        "labels": card.label_set,
        "model": card.name,
        "complete": True,
    }
    return write_metrics(out, rows, card.classes, [], facts)


def resolve_recipe(recipe: Recipe) -> Recipe:
    """Fill in the defaults of a recipe's front end and model too, which stand beside their code.

    Raises:
        UnknownNameError: If the front end or the model is unknown.
        RecipeError: If one of their settings is unknown or impossible.
    """
    features = resolve_features(recipe.named_features)
    model = resolve_model(recipe.model.name, recipe.model.settings)
    named = {
        "features": features,
        "model": {"name": recipe.model.name, **asdict(model)},
    }
    return parse_recipe(recipe.model_dump(mode="json") | json.loads(json.dumps(named)))


def _score(
    card: Card, predict: Callable[[Path], Prediction], manifest: Manifest, labels: LabelSet, watch: Watch
) -> list[Row]:
    rows = []
    with watch.bar(", ".join(manifest.corpora), len(manifest)) as advance:
        for done, u in enumerate(manifest, 1):
            answer = predict(manifest.audio_path(u))
            probabilities = tuple(round(answer.probabilities[name], 4) for name in card.classes)
            true = labels.classes[labels.index(u.emotion)]
            rows.append(Row(u.id, u.corpus, u.speaker, 0, 0, true, answer.emotion, probabilities))
            advance(done, "")
    return rows


def _prepare(
    recipe: Recipe, data: Data, folder: Path, watch: Watch, split_by: Callable[[Manifest, Any, Any], Split]
) -> _Experiment:
    """Read corpora, decode, divide, compute features, and claim the run folder."""
    if folder.is_file():
        raise RunError(f"{str(folder)!r} is a file; choose another --out.")
    recipe = resolve_recipe(recipe)
    labels = label_set_of(recipe.labels, recipe.corpora)
    front = build_front(recipe.named_features)
    build_chain([one.model_dump() for one in recipe.augment.waveform])  # its names and files, before hours are spent
    everything = read_corpora(recipe.corpora, data)
    manifest, dropped = everything.select(labels)
    _say_what_is_missing(everything, labels, dropped, watch)
    with watch.bar("decoding", len(manifest)) as advance:
        store = open_store(manifest, front.config.sampling_rate, lambda done: advance(done, ""))
    split = split_by(manifest, recipe.protocol, store.digests)
    _claim(folder, recipe, split, manifest, dropped)
    features = _features(store, front, sorted({1.0, *recipe.augment.speeds}), len(manifest), watch)
    targets = {u.id: labels.index(u.emotion) for u in manifest}
    return _Experiment(recipe, labels, manifest, split, front, store, features, targets, folder, watch)


def _say_what_is_missing(everything: Manifest, labels: LabelSet, dropped: Counter[str], watch: Watch) -> None:
    """Note what differs from the official releases, what was not read, and what the label set leaves out."""
    for name, found in Counter(u.corpus for u in everything).items():
        official = corpus_of(name).utterances
        if official and found != official:
            watch.note(f"{name} has {found} utterances here, and {official} officially")
    for reason, count in sorted(everything.left_out.items()):
        watch.note(f"{count} files were not read: {reason}")
    if labels.name == COMMON:
        watch.note(f"label set {labels.name}: {', '.join(labels.classes)}, {labels.why}")
    for emotion, count in sorted(dropped.items()):
        watch.note(f"label set {labels.name} leaves out {count} utterances of {emotion}")


def _features(
    store: Store, front: Any, speeds: list[float], total: int, watch: Watch
) -> dict[float, dict[str, FloatArray]]:
    features = {}
    for speed in speeds:
        with watch.bar(f"features at speed {speed}", total) as advance:
            features[speed] = store.features(front, speed, lambda done, advance=advance: advance(done, ""))  # type: ignore[misc]
    return features


def _whole_split(manifest: Manifest, protocol: Any, digests: Any) -> Split:
    """Everybody trains but the validation speakers; nobody is tested."""
    train_ids, validation = hold_out_validation(manifest, protocol)
    fold = Fold(0, tuple(sorted(train_ids)), tuple(validation), ())
    split = Split(ALL_SPEAKERS, True, protocol.validation, (fold,))
    check_leakage(split, manifest, digests)
    return split


def _claim(folder: Path, recipe: Recipe, split: Split, manifest: Manifest, dropped: Counter[str]) -> None:
    """Write what the folder is about, or check that it is about the same."""
    if (folder / "recipe.yaml").is_file():
        if load_recipe(folder / "recipe.yaml") != recipe:
            raise RunError(f"{str(folder)!r} holds a run of another recipe or other settings: choose another --out.")
        known = read_json(folder, "env.json")
        if (known.get("manifest_digest"), known.get("split_digest")) != (manifest.digest, split.digest):
            raise RunError(f"{str(folder)!r} holds a run on other files or folds: choose another --out.")
        return
    if (folder / "metrics.json").is_file() or any(folder.glob("fold_*/seed_*/checkpoint-*")):
        raise RunError(f"{str(folder)!r} holds parts of a run but no recipe.yaml: remove them or choose another --out.")
    write_json(folder, "folds.json", folds_as_json(split, manifest))
    digests = {"manifest_digest": manifest.digest, "split_digest": split.digest}
    write_json(folder, "env.json", _environment() | digests | {"dropped": dict(dropped)})
    write_whole(folder / "recipe.yaml", dump_recipe(recipe))


def _augmented(run: _Experiment, fold: Fold) -> Callable[[int, int], Mapping[str, FloatArray]] | None:
    """Return what makes an epoch's frames from changed training waveforms, where the recipe changes them."""
    settings = run.recipe.augment
    if not settings.waveform:
        return None
    chain = build_chain([one.model_dump() for one in settings.waveform])
    train = run.manifest.subset(fold.train)
    waveforms = {u.id: run.store.waveform(u) for u in train}

    def rows(seed: int, epoch: int) -> Mapping[str, FloatArray]:
        return augmented_rows(
            waveforms, chain, run.front, run.store.sexes, seed=seed, epoch=epoch, workers=settings.workers
        )

    return rows


def _fit_fold(run: _Experiment, fold: Fold, seed: int) -> tuple[Fit, np.ndarray[Any, Any]]:
    """Fit one fold and return what it said of itself, with the logits of its test utterances."""
    started = time.monotonic()
    torch.manual_seed(seed)
    body = build_body(
        run.recipe.model.name, run.recipe.model.settings, size=run.front.size, classes=len(run.labels.classes)
    )
    examples = Examples(
        rows=[run.features[speed] for speed in run.recipe.augment.speeds],
        plain=run.features[1.0],
        train={i: run.targets[i] for i in fold.train},
        validation={i: run.targets[i] for i in fold.validation},
        classes=len(run.labels.classes),
        augmented=_augmented(run, fold),
    )
    folder = run.folder / f"fold_{fold.fold}" / f"seed_{seed}"
    with run.watch.bar(f"fold {fold.fold} seed {seed}", run.recipe.train.epochs) as advance:
        fitted = fit(
            body, examples, run.recipe.train, run.recipe.augment, seed=seed, folder=folder,
            on_epoch=lambda e: advance(e.epoch + 1, f"loss {e.train_loss:.2f}, validation UAR {e.validation_uar:.2f}"),
        )  # fmt: skip
    logits, _ = predict_logits(body, examples.plain, {i: run.targets[i] for i in fold.test})
    validation_uar = None if np.isnan(fitted.validation_uar) else round(100 * fitted.validation_uar, 2)
    seconds = round(time.monotonic() - started, 1)
    found = Fit(fold.fold, seed, fitted.kept, len(fitted.history), validation_uar, fitted.temperature, seconds)
    return found, logits


def _rows(run: _Experiment, fold: Fold, seed: int, scores: np.ndarray[Any, Any]) -> list[Row]:
    probabilities = torch.from_numpy(scores).double().softmax(1).tolist()
    utterances = {u.id: u for u in run.manifest}
    rows = []
    for name, values in zip(fold.test, probabilities, strict=True):
        u = utterances[name]
        true, predicted = run.labels.classes[run.targets[name]], run.labels.classes[int(np.argmax(values))]
        rows.append(
            Row(name, u.corpus, u.speaker, fold.fold, seed, true, predicted, tuple(round(value, 4) for value in values))
        )
    return rows


def _write(run: _Experiment, rows: list[Row], fits: list[Fit], *, is_complete: bool) -> dict[str, Any]:
    facts = {
        "name": run.recipe.name,
        "protocol": run.split.protocol,
        "is_speaker_independent": run.split.is_speaker_independent,
        "validation": run.split.validation,
        "labels": run.labels.name,
        "corpora": list(run.recipe.corpora),
        "model": run.recipe.model.name,
        "complete": is_complete,
    }
    if rows:
        write_predictions(run.folder, rows, run.labels.classes)
    return write_metrics(run.folder, rows, run.labels.classes, fits, facts)


def _read_fits(folder: Path) -> list[Fit]:
    if not (folder / "metrics.json").is_file():
        return []
    return [Fit(**fit) for fit in read_json(folder, "metrics.json")["fits"]]


def _environment() -> dict[str, Any]:
    return {
        "serkit": serkit.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
