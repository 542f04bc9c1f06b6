"""The card of a trained run's model, and the results on it."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from serkit.card import NOT_FOR, Card, Evidence, Validation
from serkit.data.corpora import Corpus, corpus_of
from serkit.data.fingerprint_file import read_fingerprints
from serkit.errors import RunError
from serkit.lab.exporting.card_fingerprints import fingerprints_for_card
from serkit.lab.exporting.inherited_facts import inherit
from serkit.lab.graphs.model_assembly import count_weights
from serkit.lab.measure.calibration import ERROR_RATE, describe_calibration
from serkit.lab.measure.run_entry import measure_records, what_is_fitted
from serkit.lab.measure.run_folder import (
    UNSEEN_CORPUS,
    VALIDATED,
    first_folder,
    read_folds,
    read_json,
    read_predictions,
)
from serkit.lab.measure.run_records import read_records
from serkit.lab.models import Model
from serkit.lab.models.sklearn_classifier import SklearnClassifier
from serkit.lab.recipes.schema import Recipe, parts_of
from serkit.lab.splits.seen_recordings import check_recordings_unseen
from serkit.lab.training.encoder_history import encoder_cards
from serkit.lab.training.resolve import ResolvedRecipe
from serkit.lab.training.tuning import with_settings
from serkit.version import __version__

MINIMUM_DURATION = 0.1  # seconds; anything shorter than a syllable carries no emotion


def describe(
    resolved: ResolvedRecipe,
    run: Path,
    models: Sequence[Model],
    weights: Sequence[Path],
    *,
    fit: dict[str, Any],
    error_rate: float = ERROR_RATE,
) -> Card:
    """Return the card of a trained run's model, without evidence.

    Args:
        resolved: Resolved recipe of the run.
        run: Run folder.
        models: Model, or members of an ensemble.
        weights: Weights file of each model.
        fit: Record of the fit in ``metrics.json``.
        error_rate: Share of wrong answers, 0 to 1, that the threshold for ``uncertain`` allows on validation.
    """
    recipe, labels = resolved.recipe, resolved.labels
    # There are several folds of one number if training speakers are drawn repeatedly.
    folds = [one for one in read_folds(run) if one["fold"] == fit["fold"]]
    firsts = [run / first_folder(number) for number, member in enumerate(resolved.members) if member.pretrain]
    for first in firsts:
        folds += read_folds(first)
    trained, validated = ({name for f in folds for name in f[part]["speakers"]} for part in ("train", "validation"))
    validation = _validation(folds, is_inner=bool(resolved.ensemble and resolved.ensemble.inner_folds))
    speakers = trained | validated
    utterances = {name for f in folds for part in ("train", "validation") for name in f[part]["utterances"]}
    corpora = [
        corpus_of(name)
        for name in dict.fromkeys([*parts_of(recipe.corpora), *sorted({u.split("/")[0] for u in utterances})])
    ]
    about = tuple(_about(corpus, speakers, utterances) for corpus in corpora)
    uses_sex = any(model.front.uses_sex for model in models)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in weights]
    card = Card(
        name=recipe.name,
        serkit_version=__version__,
        classes=labels.classes,
        label_set=labels.name,
        label_note=labels.why,
        sampling_rate=models[0].front.config.sampling_rate,
        inputs=("waveform", "lengths", *(("sex",) if uses_sex else ())),
        minimum_duration=MINIMUM_DURATION,
        maximum_duration=min(half.maximum_duration for model in models for half in (model.front, model.body)),
        parameters=sum(map(_count_weights, models)),
        corpora=about,
        languages=tuple(sorted({language for c in corpora for language in c.languages})),
        train_speakers=tuple(sorted(trained)),
        validation_speakers=tuple(sorted(validated - trained)),
        split_digest=read_json(run, "env.json")["split_digest"],
        temperature=fit["temperature"],
        validation_uar=fit["validation_uar"],
        evidence=(),
        weights_digest=digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest(),
        license=" AND ".join(c.license for c in corpora),
        is_commercial_use_allowed=all(c.commercial for c in corpora),
        is_sharing_allowed=all(c.derivatives for c in corpora),
        not_for=NOT_FOR,
        recipe=recipe.as_mapping(),
        needs_equal_lengths=any(half.needs_equal_lengths for model in models for half in (model.front, model.body)),
        calibration=_calibration(run, fit, error_rate) if validation == "new speakers" else {},
        validation=validation,
        fingerprints=fingerprints_for_card([run, *firsts], utterances),
    )
    return inherit(card, encoder_cards(chosen_recipe(recipe, fit)))


def chosen_recipe(recipe: Recipe, fit: Mapping[str, Any]) -> Recipe:
    """Return the recipe that a fit was made by: with the settings that its search chose, if any, and no search.

    Args:
        recipe: Complete recipe of the run.
        fit: Record of the fit in ``metrics.json``.
    """
    return with_settings(recipe, fit.get("settings", {})).model_copy(update={"tune": None})


def _validation(folds: Sequence[dict[str, Any]], *, is_inner: bool) -> Validation:
    """Return which speakers the validation predictions of a fit come from.

    Args:
        folds: Folds of the fit, one for each draw of training speakers, and those of a first training.
        is_inner: Whether the members of an ensemble were validated in turn on groups of the training speakers, each by
            the members that were not trained on the group.
    """
    if is_inner:
        return "new speakers"
    trained, validated = ([{*fold[part]["speakers"]} for fold in folds] for part in ("train", "validation"))
    if not any(validated):
        return "nobody"
    is_shared = any(own & others for own, others in zip(trained, validated, strict=True))
    return "training speakers" if is_shared else "new speakers"


def _about(corpus: Corpus, speakers: Collection[str], utterances: Collection[str]) -> dict[str, Any]:
    """Return what a card says about a corpus, given all training and validation speakers and utterances."""
    return {
        "name": corpus.name,
        "title": corpus.title,
        "license": corpus.license,
        "citation": corpus.citation,
        "url": corpus.url,
        "speakers": sum(s.startswith(f"{corpus.voices_of or corpus.name}/") for s in speakers),
        "utterances": sum(u.startswith(f"{corpus.name}/") for u in utterances),
    }


def evidence_of(run: Path, trained: Path, card: Card) -> Evidence:
    """Return the recomputed results of an evaluation as evidence for a model's card.

    Args:
        run: Folder of an evaluation of the same recipe on the same data, or of the model itself on an unseen corpus.
        trained: Run folder of the model.
        card: Card of the model.

    Raises:
        RunError: If the run is not finished, evaluated another model or other data, or does not agree with its seal.
        LeakageError: If the model was fitted on recordings of the unseen corpus.
    """
    records = read_records(run)
    metrics = measure_records(records)
    if not metrics["complete"]:
        raise RunError(f"{str(run)!r} is not finished, so its results cannot go on a card.")
    if metrics["protocol"] == UNSEEN_CORPUS:
        is_ours = records.facts.get("model_weights_digest") == card.weights_digest
    else:
        is_ours = what_is_fitted(run) == what_is_fitted(trained)
    if not is_ours:
        raise RunError(f"{str(run)!r} evaluated another model, so its results cannot go on this card.")
    if metrics["protocol"] != UNSEEN_CORPUS:
        _check_same_data(run, records.environment, read_json(trained, "env.json"))
    else:
        _check_unseen_recordings(run, card)
    names = ("protocol", "speakers", "utterances", "uar", "uar_low", "uar_high", "interval_over", "wa", "macro_f1")
    return Evidence(
        run=metrics["name"],
        corpora=tuple(metrics["corpora"]),
        is_speaker_independent=metrics["is_speaker_independent"],
        seeds=len(metrics["seeds"]),
        per_corpus=tuple({"corpus": name, **row} for name, row in metrics["per_corpus"].items()),
        are_fingerprints_compared=bool((records.facts.get("guard") or {}).get("are_fingerprints_compared")),
        **{name: metrics[name] for name in names},
    )


def _check_unseen_recordings(run: Path, card: Card) -> None:
    """Refuse an evaluation on recordings that the model was fitted on, or that were not compared with them."""
    known = read_fingerprints(run)
    if card.fingerprints and not known:
        raise RunError(
            f"the recordings of {str(run)!r} were not compared with those of the training, so its results cannot go on "
            "this card: evaluate the model without --no-fingerprints."
        )
    codes = {name: code for own in known.values() for name, code in own.items()}
    speaker_of = {name: speaker for speaker, own in known.items() for name in own}
    check_recordings_unseen(card, codes, speaker_of, f"the model that {str(run)!r} evaluated")


def _check_same_data(run: Path, evaluated: Mapping[str, Any], trained: Mapping[str, Any]) -> None:
    """Refuse an evaluation on other utterances, labels or audio than the model was trained on."""
    for name, what in (("manifest_digest", "utterances, speakers or labels"), ("audio_digest", "audio")):
        if name in evaluated and name in trained and evaluated[name] != trained[name]:
            raise RunError(
                f"{str(run)!r} evaluated the recipe on other {what} than the model was trained on (their {name} "
                "differs), so its results cannot go on this card: evaluate and train on the same data."
            )


def _calibration(run: Path, fit: dict[str, Any], error_rate: float) -> dict[str, Any]:
    """Return the calibration of a fit, from its stored validation predictions; empty without them."""
    rows, classes = read_predictions(run, VALIDATED)
    own = [row for row in rows if (row.seed, row.fold) == (fit["seed"], fit["fold"])]
    temperature = None if fit.get("members") and fit["temperature"] == 1 else fit["temperature"]
    return describe_calibration(own, classes, temperature, error_rate=error_rate)


def _count_weights(model: Model) -> int:
    body = model.body
    own = (
        count_weights(body.graph) if isinstance(body, SklearnClassifier) else sum(p.numel() for p in body.parameters())
    )
    return model.front.weights + own
