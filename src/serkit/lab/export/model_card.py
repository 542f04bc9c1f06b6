"""The card of a trained run's model, and the results that may stand on it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serkit.card import NOT_FOR, Card, Evidence
from serkit.data.corpora import corpus_of, label_set_of
from serkit.errors import RunError
from serkit.lab.graphs.assemble import count_weights
from serkit.lab.leaderboard import recompute
from serkit.lab.measure.calibration import ERROR_RATE, describe_calibration
from serkit.lab.measure.run_folder import (
    UNSEEN_CORPUS,
    VALIDATED,
    first_folder,
    read_folds,
    read_json,
    read_predictions,
)
from serkit.lab.models import Model
from serkit.lab.models.scikit import Classical
from serkit.lab.recipes.schema import Recipe, parts_of
from serkit.lab.train.fold import member_recipes
from serkit.version import __version__

PUBLIC_DOMAIN = "CC0-1.0"
MINIMUM_DURATION = 0.1  # seconds; shorter than a syllable says nothing of emotion


def describe(
    recipe: Recipe,
    run: Path,
    models: Sequence[Model],
    weights: Sequence[Path],
    *,
    fit: dict[str, Any],
    error_rate: float = ERROR_RATE,
) -> Card:
    """Say what there is to say of a trained run's model, but for its results.

    Args:
        recipe: Its recipe.
        run: Its folder.
        models: The model, or an ensemble's members.
        weights: The file of each.
        fit: What ``metrics.json`` says of the fit.
        error_rate: That the threshold for ``uncertain`` shall keep to on validation, 0 to 1.
    """
    labels = label_set_of(recipe.labels, recipe.corpora)
    folds = [one for one in read_folds(run) if one["fold"] == fit["fold"]]  # one, or its draws
    for number, member in enumerate(member_recipes(recipe)):
        if member.pretrain:
            folds += read_folds(run / first_folder(number))
    trained, validated = ({name for f in folds for name in f[part]["speakers"]} for part in ("train", "validation"))
    speakers = trained | validated
    utterances = {name for f in folds for part in ("train", "validation") for name in f[part]["utterances"]}
    corpora = [
        corpus_of(name)
        for name in dict.fromkeys([*parts_of(recipe.corpora), *sorted({u.split("/")[0] for u in utterances})])
    ]
    about = tuple(
        {
            "name": c.name, "title": c.title, "license": c.license, "citation": c.citation, "url": c.url,
            "speakers": sum(s.startswith(f"{c.voices_of or c.name}/") for s in speakers),
            "utterances": sum(u.startswith(f"{c.name}/") for u in utterances),
        }
        for c in corpora
    )  # fmt: skip
    licenses = dict.fromkeys(c.license for c in corpora)
    if len(licenses) > 1:
        licenses.pop(PUBLIC_DOMAIN, None)  # it asks for nothing beside the others
    encoders = _checkpoints(recipe.as_mapping())
    uses_sex = any(model.front.uses_sex for model in models)
    digests = [hashlib.sha256(file.read_bytes()).hexdigest() for file in weights]
    return Card(
        name=recipe.name,
        serkit_version=__version__,
        classes=labels.classes,
        label_set=labels.name,
        label_note=labels.why,
        sampling_rate=models[0].front.config.sampling_rate,
        inputs=("waveform", "lengths", *(("sex",) if uses_sex else ())),
        minimum_duration=MINIMUM_DURATION,
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
        license=" AND ".join([*licenses, *(f"that of {name}, not known here" for name in encoders)]),
        is_commercial_use_allowed=all(c.commercial for c in corpora) and not encoders,
        is_sharing_allowed=all(c.derivatives for c in corpora) and not encoders,
        not_for=NOT_FOR,
        recipe=recipe.as_mapping(),
        needs_equal_lengths=any(half.needs_equal_lengths for model in models for half in (model.front, model.body)),
        calibration=_calibration(run, fit, error_rate),
    )


def _checkpoints(recipe: object) -> list[str]:
    """Return the pretrained encoders that a recipe names anywhere, whose licenses hold for a model too."""
    if isinstance(recipe, list | tuple):
        return list(dict.fromkeys(name for part in recipe for name in _checkpoints(part)))
    if not isinstance(recipe, dict):
        return []
    key = {"ssl": "model", "coattention": "encoder"}.get(str(recipe.get("name")), "")
    own = [str(recipe[key])] if recipe.get(key) else []
    return list(dict.fromkeys([*own, *_checkpoints(list(recipe.values()))]))


def evidence_of(run: Path, fitted: str, card: Card) -> Evidence:
    """Recompute a run's numbers, which must be of what a recipe fits, or of a model's very weights.

    Args:
        run: The folder of an evaluation.
        fitted: What the model's recipe fits, see :func:`serkit.lab.leaderboard.what_is_fitted`.
        card: Of the model.

    Raises:
        RunError: If the run is not finished, or measured another model.
    """
    metrics = recompute(run)
    if not metrics["complete"]:
        raise RunError(f"{str(run)!r} is not finished: its numbers cannot go on a card.")
    if metrics["protocol"] == UNSEEN_CORPUS:
        is_ours = read_json(run, "metrics.json").get("model_weights_digest") == card.weights_digest
    else:
        is_ours = metrics["fitted"] == fitted
    if not is_ours:
        raise RunError(f"{str(run)!r} measured another model: its numbers cannot go on this card.")
    names = ("protocol", "speakers", "utterances", "uar", "uar_low", "uar_high", "interval_over", "wa", "macro_f1")
    return Evidence(
        run=metrics["name"],
        corpora=tuple(metrics["corpora"]),
        is_speaker_independent=metrics["is_speaker_independent"],
        seeds=len(metrics["seeds"]),
        per_corpus=tuple({"corpus": name, **row} for name, row in metrics["per_corpus"].items()),
        **{name: metrics[name] for name in names},
    )


def _calibration(run: Path, fit: dict[str, Any], error_rate: float) -> dict[str, Any]:
    """Describe the calibration by what the fit answered on its validation speakers; empty where that was not kept."""
    rows, classes = read_predictions(run, VALIDATED)
    own = [row for row in rows if (row.seed, row.fold) == (fit["seed"], fit["fold"])]
    temperature = None if fit.get("members") and fit["temperature"] == 1 else fit["temperature"]
    return describe_calibration(own, classes, temperature, error_rate=error_rate)


def _count_weights(model: Model) -> int:
    body = model.body
    own = count_weights(body.graph) if isinstance(body, Classical) else sum(p.numel() for p in body.parameters())
    return model.front.weights + own
