"""Scores a finished model on corpora whose speakers it has never seen."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from serkit.card import Card
from serkit.data.corpora import Data, corpus_of, read_corpora
from serkit.data.fingerprint_cache import Codes, fingerprints_of
from serkit.data.fingerprint_file import FINGERPRINTS_SHA, write_fingerprints
from serkit.data.manifest import Manifest
from serkit.errors import LeakageError, RunError
from serkit.lab.measure.pooled_metrics import metrics_of
from serkit.lab.measure.run_checks import TESTED_LABELS, labels_digest
from serkit.lab.measure.run_folder import UNSEEN_CORPUS, Row, json_text, predictions_as_csv, read_json
from serkit.lab.measure.seal import write_sealed
from serkit.lab.recipes.files import dump_recipe
from serkit.lab.recipes.schema import Recipe, parse_recipe, parts_of
from serkit.lab.splits.leakage import check_names, check_unseen
from serkit.lab.splits.seen_recordings import check_recordings_unseen
from serkit.lab.training.environment import environment, log_what_is_missing
from serkit.lab.training.workers import threads_each
from serkit.labels import LABEL_SETS, LabelSet
from serkit.progress import OnProgress, begin_task
from serkit.types import Prediction


def evaluate_model(
    card: Card,
    predict: Callable[[Path], Prediction],
    corpora: tuple[str, ...],
    data: Data,
    out: str | os.PathLike[str],
    *,
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> dict[str, Any]:
    """Score a finished model on corpora whose speakers it has never seen, and write a run folder.

    Args:
        card: Card of the model.
        predict: Function from an audio file to the model's prediction. The most probable class is scored, even if
            the model would answer ``uncertain``.
        corpora: Names of the test corpora.
        data: Folders of the corpora, see :func:`serkit.data.corpora.read_corpora`.
        out: Run folder; its name becomes the run's name.
        fingerprints: Whether the recordings are compared with those on the card by acoustic fingerprints.
        on_progress: Callback for progress.

    Returns:
        Content of ``metrics.json``.

    Raises:
        LeakageError: If the model was trained or validated on a test speaker or a test recording, or its speakers are
            unknown.
        RunError: If the folder holds another run, or an utterance is only a part of its file.
    """
    out = Path(out)
    if not card.seen_speakers:
        raise LeakageError(
            f"the training speakers of {card.name} are unknown, so it may have seen the test speakers; train a recipe, "
            "or fine-tune its encoder with model: ssl."
        )
    recipe = parse_recipe(dict(card.recipe))
    about = {"protocol": UNSEEN_CORPUS, "corpora": list(corpora), "model_weights_digest": card.weights_digest}
    if (out / "recipe.yaml").exists():
        stored = read_json(out, "metrics.json")
        if any(stored.get(name) != value for name, value in about.items()):
            raise RunError(f"{str(out)!r} holds another run: choose another output folder.")
    labels = LABEL_SETS.get(card.label_set) or LabelSet(card.label_set, card.classes, card.label_note)
    labels = replace(labels, fact="")  # another corpus is scored by its own labels
    everything = read_corpora(corpora, data)
    manifest, dropped = everything.select(labels)
    log_what_is_missing(everything, labels, dropped)
    check_names(manifest.speakers)
    check_unseen(card.seen_speakers, manifest.speakers)
    if any(u.start or u.end is not None for u in manifest):
        raise RunError("a model file can only be scored on whole audio files, but some utterances are parts of a file.")
    codes = _compared(card, manifest, on_progress) if fingerprints else None
    out.mkdir(parents=True, exist_ok=True)  # fails before scoring if the folder cannot be written
    rows = _score(card, predict, manifest, labels, on_progress)
    test = {"speakers": list(manifest.speakers), "utterances": [u.id for u in manifest]}
    seen = {  # a card lists speakers, not utterances
        "train": {"speakers": list(card.train_speakers), "utterances": []},
        "validation": {"speakers": list(card.validation_speakers), "utterances": []},
    }
    folds = [{"fold": 0, **seen, "test": test}]
    facts = {
        "name": out.name,
        **about,
        "is_speaker_independent": True,
        "validation": recipe.protocol.validation,
        "labels": card.label_set,
        "model": card.name,
        "complete": True,
        "guard": {"are_fingerprints_compared": bool(codes is not None and card.fingerprints)},
    }
    if first := _pretraining(card, recipe):
        facts["pretraining"] = first
    metrics = metrics_of(rows, card.classes, [], facts)
    texts = {
        "folds": json_text(folds),
        "predictions": predictions_as_csv(rows, card.classes),
        "metrics": json_text(metrics),
        "recipe": dump_recipe(recipe),  # written last: if it exists, the run is complete
    }
    found = _environment(manifest, dropped, labels)
    if codes is not None:
        found[FINGERPRINTS_SHA] = write_fingerprints(out, manifest, codes)
    write_sealed(out, texts, found)
    return metrics


def _compared(card: Card, manifest: Manifest, on_progress: OnProgress | None) -> Codes:
    """Return the fingerprints of the test utterances, none of which is on the model's card."""
    codes = fingerprints_of(manifest, on_done=begin_task("fingerprints", len(manifest), on_progress))
    check_recordings_unseen(card, codes, {u.id: u.speaker for u in manifest}, "the model")
    return codes


def _environment(manifest: Manifest, dropped: Mapping[str, int], labels: LabelSet) -> dict[str, Any]:
    known = ((u.id, u.speaker, labels.classes[labels.index(u.emotion)]) for u in manifest)
    digests = {"manifest_digest": manifest.digest, TESTED_LABELS: labels_digest(known)}
    return environment(threads_each(1)) | digests | {"dropped": dict(dropped)}


def _pretraining(card: Card, recipe: Recipe) -> dict[str, Any]:
    """Return the pretraining corpora of a model as ``metrics.json`` records them; empty without pretraining."""
    first = [corpus for corpus in card.corpora if corpus["name"] not in parts_of(recipe.corpora)]
    if not first:
        return {}
    names = [corpus["name"] for corpus in first]
    voices = {corpus_of(name).voices_of or name for name in names}  # two corpora may share speakers
    speakers = sum(name.split("/")[0] in voices for name in card.seen_speakers)
    return {"corpora": names, "speakers": speakers, "utterances": sum(corpus["utterances"] for corpus in first)}


def _score(
    card: Card,
    predict: Callable[[Path], Prediction],
    manifest: Manifest,
    labels: LabelSet,
    on_progress: OnProgress | None,
) -> list[Row]:
    rows = []
    step = begin_task(", ".join(manifest.corpora), len(manifest), on_progress)
    for done, u in enumerate(manifest, 1):
        answer = predict(manifest.audio_path(u))
        probabilities = tuple(round(answer.probabilities[name], 4) for name in card.classes)
        true = labels.classes[labels.index(u.emotion)]
        named = max(card.classes, key=answer.probabilities.__getitem__)  # even if the model would answer uncertain
        rows.append(Row(u.id, u.corpus, u.speaker, 0, 0, true, named, probabilities))
        step(done)
    return rows
