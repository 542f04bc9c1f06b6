"""A trained run to one ONNX file: front end, body, temperature and card, checked against torch."""

import hashlib
import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import serkit
from serkit.card import NOT_FOR, Card, Evidence, write_card
from serkit.corpora import corpus_of, label_set_of
from serkit.errors import ExportError, RunError
from serkit.lab.leaderboard import recompute, what_is_fitted
from serkit.lab.models import Model, build_model
from serkit.lab.recipe import Recipe, load_recipe
from serkit.lab.runs import UNSEEN_CORPUS, read_json
from serkit.runtime.recognizer import Recognizer

OPSET = 18
PUBLIC_DOMAIN = "CC0-1.0"
MINIMUM_DURATION = 0.1  # seconds; shorter than a syllable says nothing of emotion
TOLERANCE = 1e-4
_PARITY_SECONDS = (0.2, 0.73, 3.0, 7.5, 20.0)


class _Exported(nn.Module):
    """The graph of a model file: waveform and lengths to calibrated probabilities and embedding."""

    def __init__(self, model: Model, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output = self.model(waveform, lengths, sex)
        return (output.logits / self.temperature).softmax(-1), output.embedding


def export(
    run: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    seed: int | None = None,
    evidence: tuple[str | os.PathLike[str], ...] = (),
) -> float:
    """Write the model that ``serkit train`` left in a run folder as one ONNX file with its card.

    Args:
        run: The run folder.
        output: The file, written whole.
        seed: Which of the recipe's seeds; its first one by default.
        evidence: Run folders whose results go on the card.

    Returns:
        The largest difference between torch and ONNX Runtime that was seen.

    Raises:
        RunError: If the folder holds no trained model, or one of ``evidence`` no finished evaluation.
        ExportError: If the file does not agree with torch within 1e-4, or ``output`` is a folder.
    """
    run, output = Path(run), Path(output)
    if output.is_dir():
        raise ExportError(f"{str(output)!r} is a folder; name the file to write.")
    recipe = _recipe_of(run)
    seed = recipe.seeds[0] if seed is None else seed
    fits = {fit["seed"]: fit for fit in read_json(run, "metrics.json")["fits"]}
    folds = read_json(run, "folds.json")
    if len(folds) != 1 or folds[0]["test"]["utterances"] or seed not in fits:
        raise RunError(f"{str(run)!r} holds no finished model for seed {seed}: make one with 'serkit train'.")
    model = _load_model(recipe, _weights_of(run, seed))
    card = _card(recipe, run, model, fit=fits[seed], fold=folds[0])
    measured = tuple(_evidence(Path(path), what_is_fitted(run), card) for path in evidence)
    card = replace(card, evidence=measured)
    exported = _Exported(model, fits[seed]["temperature"]).eval()
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_graph(exported, temporary, card)
        recognizer = Recognizer.load(temporary)
        difference = largest_difference(exported, recognizer, card.sampling_rate, takes_sex="sex" in card.inputs)
        if not difference <= TOLERANCE:  # not >, which is false for NaN
            raise ExportError(f"ONNX Runtime and torch differ by {difference:.1e}, more than {TOLERANCE}.")
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def write_graph(exported: nn.Module, path: Path, card: Card) -> None:
    """Trace the graph, dynamic in batch and time, and write it with its card."""
    inputs = {
        "waveform": torch.zeros(2, card.sampling_rate),
        "lengths": torch.tensor([card.sampling_rate, card.sampling_rate // 2]),
        "sex": torch.tensor([0.0, 1.0]),
    }
    with warnings.catch_warnings():
        # Deprecated, but the newer exporter cannot decompose a GRU over dynamic time (torch 2.13).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            exported, tuple(inputs[name] for name in card.inputs), path, dynamo=False, opset_version=OPSET,
            input_names=list(card.inputs), output_names=["probabilities", "embedding"],
            dynamic_axes={
                "waveform": {0: "B", 1: "T"}, "lengths": {0: "B"}, "sex": {0: "B"},
                "probabilities": {0: "B"}, "embedding": {0: "B"},
            },
        )  # fmt: skip
    graph = onnx.load(path)
    onnx.checker.check_model(graph)
    onnx.helper.set_model_props(graph, write_card(card))
    onnx.save(graph, path)


def largest_difference(
    exported: nn.Module, recognizer: Recognizer, sampling_rate: int, *, takes_sex: bool = False
) -> float:
    """Compare torch and ONNX Runtime over lengths of 0.2 to 20 s and batches of 1 and 8."""
    rng = np.random.default_rng(0)
    worst = 0.0
    for seconds in _PARITY_SECONDS:
        size = round(seconds * sampling_rate)
        for batch in (1, 8):
            waveform = (rng.standard_normal((batch, size)) * rng.uniform(0.003, 0.3, (batch, 1))).astype(np.float32)
            lengths = np.linspace(size, max(size // 2, 1), batch).astype(np.int64)
            given: dict[str, Any] = {"sex": np.linspace(0, 1, batch, dtype=np.float32)} if takes_sex else {}
            with torch.inference_mode():
                expected = exported(*map(torch.from_numpy, (waveform, lengths, *given.values())))
            found = recognizer.run(waveform, lengths, **given)
            found_worst = [np.abs(a.numpy() - b).max() for a, b in zip(expected, found, strict=True)]
            worst = float(np.max([worst, *found_worst]))  # NaN where there is one, which max() may lose
    return worst


def _weights_of(run: Path, seed: int) -> Path:
    return run / "fold_0" / f"seed_{seed}" / "weights.safetensors"


def _recipe_of(run: Path) -> Recipe:
    if not (run / "recipe.yaml").is_file():
        raise RunError(f"{str(run)!r} is not a run folder: it has no recipe.yaml.")
    return load_recipe(run / "recipe.yaml")


def _load_model(recipe: Recipe, weights: Path) -> Model:
    if not weights.is_file():
        raise RunError(f"no weights {str(weights)!r}: only the machine that trained a run keeps them; train it again.")
    classes = len(label_set_of(recipe.labels, recipe.corpora).classes)
    model = build_model(recipe.named_features, recipe.model.name, recipe.model.settings, classes=classes)
    model.body.load_state_dict(load_file(weights))
    return model.eval()


def _card(
    recipe: Recipe,
    run: Path,
    model: Model,
    *,
    fit: dict[str, Any],
    fold: dict[str, Any],
) -> Card:
    labels = label_set_of(recipe.labels, recipe.corpora)
    speakers = set(fold["train"]["speakers"]) | set(fold["validation"]["speakers"])
    utterances = fold["train"]["utterances"] + fold["validation"]["utterances"]
    named = [part for name in recipe.corpora for part in (corpus_of(name).parts or (name,))]
    corpora = [corpus_of(name) for name in dict.fromkeys([*named, *sorted({u.split("/")[0] for u in utterances})])]
    about = tuple(
        {
            "name": c.name, "title": c.title, "licence": c.licence, "citation": c.citation, "url": c.url,
            "speakers": sum(s.startswith(f"{c.voices_of or c.name}/") for s in speakers),
            "utterances": sum(u.startswith(f"{c.name}/") for u in utterances),
        }
        for c in corpora
    )  # fmt: skip
    licences = dict.fromkeys(c.licence for c in corpora)
    if len(licences) > 1:
        licences.pop(PUBLIC_DOMAIN, None)  # it asks for nothing beside the others
    weights = _weights_of(run, fit["seed"])
    return Card(
        name=recipe.name,
        serkit_version=serkit.__version__,
        classes=labels.classes,
        label_set=labels.name,
        label_note=labels.why,
        sampling_rate=model.front.config.sampling_rate,
        inputs=("waveform", "lengths", *(("sex",) if model.front.uses_sex else ())),
        minimum_duration=MINIMUM_DURATION,
        parameters=sum(p.numel() for p in model.parameters()),
        corpora=about,
        languages=tuple(sorted({language for c in corpora for language in c.languages})),
        train_speakers=tuple(fold["train"]["speakers"]),
        validation_speakers=tuple(fold["validation"]["speakers"]),
        split_digest=read_json(run, "env.json")["split_digest"],
        temperature=fit["temperature"],
        validation_uar=fit["validation_uar"],
        evidence=(),
        weights_digest=hashlib.sha256(weights.read_bytes()).hexdigest(),
        licence=" AND ".join(licences),
        is_commercial_use_allowed=all(c.commercial for c in corpora),
        is_sharing_allowed=all(c.derivatives for c in corpora),
        not_for=NOT_FOR,
        recipe=recipe.as_mapping(),
    )


def _evidence(run: Path, fitted: str, card: Card) -> Evidence:
    """Recompute a run's numbers, which must be of what this recipe fits, or of these very weights."""
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
