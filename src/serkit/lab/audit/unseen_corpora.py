"""Score a finished model on corpora that it has never seen a speaker of."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serkit.card import Card
from serkit.data.corpora import Data, corpus_of, read_corpora
from serkit.data.manifest import Manifest
from serkit.errors import LeakageError, RunError
from serkit.lab.measure.pooled_metrics import write_metrics
from serkit.lab.measure.run_folder import UNSEEN_CORPUS, Row, read_json, write_json, write_predictions
from serkit.lab.recipes.files import dump_recipe
from serkit.lab.recipes.schema import Recipe, parse_recipe, parts_of
from serkit.lab.splits.leakage import check_unseen
from serkit.lab.train.environment import environment, say_what_is_missing
from serkit.lab.train.workers import threads_each
from serkit.labels import LABEL_SETS, LabelSet
from serkit.progress import Watch
from serkit.types import Prediction
from serkit.writing import write_whole


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
        predict: From an audio file to the model's answer, of which the most probable class counts.
        corpora: To test on.
        data: As for :func:`evaluate`.
        out: The run folder; its name is the run's.
        watch: Shows progress.

    Returns:
        The content of ``metrics.json``.

    Raises:
        LeakageError: If the model has seen one of the speakers, or nobody knows whom it has seen.
        RunError: If the folder holds another run, or a corpus has utterances that are parts of a file.
    """
    out, watch = Path(out), watch or Watch()
    if not card.seen_speakers:
        raise LeakageError(
            f"whom {card.name} was trained on is not known, so nobody can say that it has not seen the test speakers: "
            "train a recipe, or fine-tune its encoder with model: ssl."
        )
    recipe = parse_recipe(dict(card.recipe))
    about = {"protocol": UNSEEN_CORPUS, "corpora": list(corpora), "model_weights_digest": card.weights_digest}
    if (out / "recipe.yaml").exists():
        stored = read_json(out, "metrics.json")
        if any(stored.get(name) != value for name, value in about.items()):
            raise RunError(f"{str(out)!r} holds another run: choose another --out.")
    labels = LABEL_SETS.get(card.label_set) or LabelSet(card.label_set, card.classes, card.label_note)
    everything = read_corpora(corpora, data)
    manifest, dropped = everything.select(labels)
    say_what_is_missing(everything, labels, dropped, watch)
    check_unseen(card.seen_speakers, manifest.speakers)
    if any(u.start or u.end is not None for u in manifest):
        raise RunError("a model file is scored on whole files, and some utterances here are parts of one.")
    out.mkdir(parents=True, exist_ok=True)  # what cannot be written shows before, not after
    rows = _score(card, predict, manifest, labels, watch)
    test = {"speakers": list(manifest.speakers), "utterances": [u.id for u in manifest]}
    seen = {  # a card names speakers, not utterances
        "train": {"speakers": list(card.train_speakers), "utterances": []},
        "validation": {"speakers": list(card.validation_speakers), "utterances": []},
    }
    write_json(out, "folds.json", [{"fold": 0, **seen, "test": test}])
    write_json(
        out, "env.json", environment(threads_each(1)) | {"manifest_digest": manifest.digest, "dropped": dict(dropped)}
    )
    write_predictions(out, rows, card.classes)
    facts = {
        "name": out.name,
        **about,
        "is_speaker_independent": True,
        "validation": recipe.protocol.validation,
        "labels": card.label_set,
        "model": card.name,
        "complete": True,
    }
    if first := _first_trained_on(card, recipe):
        facts["pretraining"] = first
    metrics = write_metrics(out, rows, card.classes, [], facts)
    write_whole(out / "recipe.yaml", dump_recipe(recipe))  # last: where it is, the rest is
    return metrics


def _first_trained_on(card: Card, recipe: Recipe) -> dict[str, Any]:
    """Return what a model was trained on before its recipe's corpora, as a run says it; nothing as a rule."""
    first = [corpus for corpus in card.corpora if corpus["name"] not in parts_of(recipe.corpora)]
    if not first:
        return {}
    names = [corpus["name"] for corpus in first]
    voices = {corpus_of(name).voices_of or name for name in names}  # a speaker may be heard in two corpora
    speakers = sum(name.split("/")[0] in voices for name in card.seen_speakers)
    return {"corpora": names, "speakers": speakers, "utterances": sum(corpus["utterances"] for corpus in first)}


def _score(
    card: Card, predict: Callable[[Path], Prediction], manifest: Manifest, labels: LabelSet, watch: Watch
) -> list[Row]:
    rows = []
    with watch.bar(", ".join(manifest.corpora), len(manifest)) as advance:
        for done, u in enumerate(manifest, 1):
            answer = predict(manifest.audio_path(u))
            probabilities = tuple(round(answer.probabilities[name], 4) for name in card.classes)
            true = labels.classes[labels.index(u.emotion)]
            named = max(card.classes, key=answer.probabilities.__getitem__)  # also where the model would rather not say
            rows.append(Row(u.id, u.corpus, u.speaker, 0, 0, true, named, probabilities))
            advance(done, "")
    return rows
