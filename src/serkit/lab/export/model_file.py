"""A trained run to one ONNX file: front end, body, temperature and card, checked against torch."""

import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from serkit.card import Card, write_card
from serkit.data.corpora import Data, label_set_of, read_corpora
from serkit.errors import ExportError, RunError
from serkit.lab.export.model_card import describe, evidence_of
from serkit.lab.export.quantize import Cost, cost_of, quantize
from serkit.lab.features import Front, build_front
from serkit.lab.graphs.assemble import join, vote
from serkit.lab.graphs.merge import OPSET
from serkit.lab.leaderboard import what_is_fitted
from serkit.lab.measure.calibration import ERROR_RATE
from serkit.lab.measure.run_folder import Fit, fit_folder, read_folds, read_json
from serkit.lab.measure.voting import FLOOR, Rule, combine
from serkit.lab.models import Model, build_body
from serkit.lab.models.scikit import Classical
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.registry import ENSEMBLE
from serkit.lab.recipes.schema import Recipe
from serkit.lab.train.fold import check_for_file, ensemble_config, member_folder, member_recipes, member_weights
from serkit.lab.train.store import open_store
from serkit.lab.train.tuning import with_settings
from serkit.runtime.recognizer import Recognizer

TOLERANCE = 1e-4
_LARGEST_FILE = 2_000_000_000  # bytes; protobuf, whose form it has, ends at 2 ** 31
_WEIGHT_BYTES = 4
_PARITY_SECONDS = (0.2, 0.73, 3.0, 7.5, 20.0)

Graph = Callable[..., tuple[Tensor, Tensor]]


class _Exported(nn.Module):
    """The graph of a model file: waveform and lengths to calibrated probabilities and embedding."""

    def __init__(self, model: Model, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output = self.model(waveform, lengths, sex)
        return (output.logits / self.temperature).softmax(-1), output.embedding

    def answer_for(self, embedding: NDArray[np.float32]) -> Tensor | None:
        """Return the probabilities (B, C) of a classical model for standardized features (B, F); None for a network."""
        body = self.model.body
        if not isinstance(body, Classical):
            return None
        logits = torch.from_numpy(body.classify(embedding)).clamp(FLOOR, 1).log()
        return (logits / self.temperature).softmax(-1)


class _Vector(nn.Module):
    """The graph of a front end that classical models read: waveform and lengths to (B, F)."""

    def __init__(self, front: Front) -> None:
        super().__init__()
        self.front: Front = front

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> Tensor:
        given = (waveform, lengths, sex) if self.front.uses_sex else (waveform, lengths)
        features, _ = self.front(*given)
        vector: Tensor = features[:, :, 0]
        return vector


def export(
    run: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    seed: int | None = None,
    fold: int | None = None,
    evidence: tuple[str | os.PathLike[str], ...] = (),
    error_rate: float = ERROR_RATE,
    int8: bool = False,
    data: Data | None = None,
) -> float:
    """Write the model that ``serkit train`` left in a run folder, or one fold's of an evaluation, as one ONNX file.

    Args:
        run: The run folder.
        output: The file, written whole.
        seed: Which of the recipe's seeds; its first one by default.
        fold: Of an evaluation that this machine has run: the model that has not seen the fold's test speakers.
        evidence: Run folders whose results go on the card.
        error_rate: Share of wrong answers, 0 to 1, that the card's threshold for ``uncertain`` shall keep to on the
            validation speakers.
        int8: Whether to make the linear layers 8-bit integers, see :func:`serkit.lab.export.quantize.quantize`.
        data: Where the corpora lie, to measure on the validation utterances what ``int8`` costs; None leaves that out.

    Returns:
        The largest difference between torch and ONNX Runtime that was seen.

    Raises:
        RunError: If the folder holds no trained model, or one of ``evidence`` no finished evaluation.
        ExportError: If the file does not agree with torch within 1e-4, ``output`` is a folder, or ``error_rate`` is no
            share.
    """
    run, output = Path(run), Path(output)
    if not 0 < error_rate < 1:  # false for NaN too
        raise ExportError(f"an error rate of {error_rate:g} is no share between 0 and 1: write 0.25 for 25 %.")
    if output.is_dir():
        raise ExportError(f"{str(output)!r} is a folder; name the file to write.")
    recipe = _recipe_of(run)
    seed = recipe.seeds[0] if seed is None else seed
    fit = fit_of(run, seed, fold)
    check_for_file(recipe)
    parts = _parts_of(recipe, run, fit)
    models, weights = [part.model for part in parts], [part.weights for part in parts]
    card = describe(recipe, run, models, weights, fit=fit, error_rate=error_rate)
    measured = tuple(evidence_of(Path(path), what_is_fitted(run), card) for path in evidence)
    card = replace(card, evidence=measured)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        difference = write_checked(parts[0].model, parts[0].temperature, temporary, card)
        if recipe.model.name == ENSEMBLE:
            difference = _write_ensemble(parts, temporary, card, ensemble_config(recipe).rule, fit["temperature"])
        if int8:
            quantize(temporary, partial(_cost, recipe, _validated(run, fit), data, temporary))
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def _validated(run: Path, fit: dict[str, Any]) -> dict[str, None]:
    """Return the utterances that a fit was validated on, each once."""
    folds = [fold for fold in read_folds(run) if fold["fold"] == fit["fold"]]
    return dict.fromkeys(name for fold in folds for name in fold["validation"]["utterances"])


def _cost(recipe: Recipe, names: Iterable[str], data: Data | None, whole: Path, small: Path) -> Cost | None:
    """Measure a quantized file beside the whole one; None without utterances or corpora."""
    if data is None or not names:
        return None
    labels = label_set_of(recipe.labels, recipe.corpora)
    manifest = read_corpora(recipe.corpora, data).select(labels)[0].subset(names)
    files = [Recognizer.load(file) for file in (small, whole)]
    store = open_store(manifest, files[0].card.sampling_rate)
    waveforms = [store.waveform(u) for u in manifest]
    found, before = (
        np.array([file.run(w[None], np.array([len(w)]))[0][0].argmax() for w in waveforms]) for file in files
    )
    return cost_of(found, before, np.array([labels.index(u.emotion) for u in manifest]), len(labels.classes))


def fit_of(run: Path, seed: int, fold: int | None) -> dict[str, Any]:
    """Return what a run says of the fit to write."""
    fits = {(fit["fold"], fit["seed"]): fit for fit in read_json(run, "metrics.json")["fits"]}
    folds = read_folds(run)
    is_evaluation = any(one["fold"] or one["test"]["utterances"] for one in folds)
    if (fold is None and is_evaluation) or (fold or 0, seed) not in fits:
        of_fold = "" if fold is None else f" and fold {fold}"
        raise RunError(f"{str(run)!r} holds no finished model for seed {seed}{of_fold}: make one with 'serkit train'.")
    found: dict[str, Any] = fits[fold or 0, seed]
    return found


@dataclass(frozen=True)
class _Part:
    """A model of a run, or one of an ensemble's members: the model, its temperature, weight and file."""

    model: Model
    temperature: float
    weight: float
    weights: Path


def _parts_of(recipe: Recipe, run: Path, fit: dict[str, Any]) -> list[_Part]:
    """Load what a fit has left: one model, or all members of an ensemble."""
    folder = run / fit_folder(fit["fold"], fit["seed"])
    if recipe.model.name != ENSEMBLE:
        model = load_model(with_settings(recipe, fit.get("settings", {})), folder)
        return [_Part(model, fit["temperature"], 1.0, folder / model.body.file)]
    fits = [Fit(**member) for member in fit["members"]]
    members = member_recipes(recipe)
    parts = []
    for number, (said, weight) in enumerate(zip(fits, member_weights(fits), strict=True)):
        place = folder / member_folder(number)
        model = load_model(members[number * len(members) // len(fits)], place)
        parts.append(_Part(model, said.temperature, weight, place / model.body.file))
    return parts


def write_checked(model: Model, temperature: float, path: Path, card: Card) -> float:
    """Write a model file and return how far it is from torch.

    Args:
        model: In evaluation mode.
        temperature: That its logits are divided by.
        path: Of the file.
        card: What it shall say of itself.

    Raises:
        ExportError: If it differs by more than 1e-4.
    """
    exported = _Exported(model, temperature).eval()
    inputs = tuple(name for name in card.inputs if name != "sex" or exported.model.front.uses_sex)
    write_graph(exported, path, replace(card, inputs=inputs))
    return _agreeing(largest_difference(exported, Recognizer.load(path), card.sampling_rate, takes_sex="sex" in inputs))


def _write_ensemble(parts: Sequence[_Part], path: Path, card: Card, rule: Rule, temperature: float) -> float:
    """Write all members, each checked against torch, and then one file of them, checked against their files."""
    worst, graphs, files = 0.0, [], []
    weights = [part.weight for part in parts]
    for number, part in enumerate(parts):
        try:
            worst = max(worst, write_checked(part.model, part.temperature, path, card))
        except ExportError as error:
            raise ExportError(f"member {number} of {len(parts)}, a {part.model.body.label}: {error}") from error
        graphs.append(onnx.load(path))
        files.append(Recognizer.load(path))
    graph = vote(graphs, rule, weights, temperature=temperature)
    onnx.helper.set_model_props(graph, write_card(card))
    onnx.save(graph, path)
    together = Recognizer.load(path)
    rng = np.random.default_rng(0)
    waveform = (0.1 * rng.standard_normal((8, 2 * card.sampling_rate))).astype(np.float32)
    lengths = np.linspace(card.sampling_rate, 2 * card.sampling_rate, 8).astype(np.int64)
    answers = np.stack([file.run(waveform, lengths)[0] for file in files])
    expected = combine(answers, rule, weights, temperature=temperature)
    return max(worst, _agreeing(float(np.abs(together.run(waveform, lengths)[0] - expected).max())))


def _agreeing(difference: float) -> float:
    if not difference <= TOLERANCE:  # not >, which is false for NaN
        raise ExportError(f"ONNX Runtime and torch differ by {difference:.1e}, more than {TOLERANCE}.")
    return difference


def write_graph(exported: nn.Module, path: Path, card: Card) -> None:
    """Trace the graph, dynamic in batch and time, and write it with its card.

    Raises:
        ExportError: If the weights do not fit in one file.
    """
    size = _WEIGHT_BYTES * card.parameters
    if size >= _LARGEST_FILE:
        raise ExportError(
            f"the weights take {size / 1e9:.1f} GB, and one ONNX file holds 2 GB at most: choose a smaller encoder, or "
            "fewer members."
        )
    if isinstance(exported, _Exported) and isinstance(exported.model.body, Classical):
        front = _trace(_Vector(exported.model.front).eval(), path, card, ["vector"])
        graph = join(front, exported.model.body.graph, exported.temperature)
    else:
        graph = _trace(exported, path, card, ["probabilities", "embedding"])
    onnx.checker.check_model(graph)
    onnx.helper.set_model_props(graph, write_card(card))
    onnx.save(graph, path)


def _trace(module: nn.Module, path: Path, card: Card, outputs: list[str]) -> Any:
    """Return a module's graph; the file that torch writes is at ``path``."""
    inputs = {
        "waveform": torch.zeros(2, card.sampling_rate),
        "lengths": torch.tensor([card.sampling_rate, card.sampling_rate // 2]),
        "sex": torch.tensor([0.0, 1.0]),
    }
    given = tuple(inputs[name] for name in card.inputs)
    with warnings.catch_warnings():
        # Deprecated, but the newer exporter cannot decompose a GRU over dynamic time (torch 2.13).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, given, path, dynamo=False, opset_version=OPSET,
            input_names=list(card.inputs), output_names=outputs,
            dynamic_axes={
                "waveform": {0: "B", 1: "T"}, "lengths": {0: "B"}, "sex": {0: "B"},
                **{name: {0: "B"} for name in outputs},
            },
        )  # fmt: skip
    graph = onnx.load(path)
    with torch.inference_mode():
        answers = module(*given)
    for value, answer in zip(graph.graph.output, answers if len(outputs) > 1 else [answers], strict=True):
        value.type.tensor_type.shape.dim[1].dim_value = answer.shape[1]  # which tracing does not always find out
    return graph


def largest_difference(
    exported: Graph, recognizer: Recognizer, sampling_rate: int, *, takes_sex: bool = False
) -> float:
    """Compare torch and ONNX Runtime over lengths of 0.2 to 20 s and batches of 1 and 8.

    A classical model is compared in its halves. The embedding, which is its standardized features, may differ by a
    share of itself where it is larger than 1, since it knows no bounds. The probabilities must be those of the file's
    own embedding: a feature that differs by a millionth may fall on the other side of a tree's threshold or turn the
    vote of an SVM, which no tolerance of probabilities would tell from an error.
    """
    rng = np.random.default_rng(0)
    answer_for = exported.answer_for if isinstance(exported, _Exported) else lambda embedding: None
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
            differences = [np.abs(a.numpy() - b) for a, b in zip(expected, found, strict=True)]
            answer = answer_for(found[1])
            if answer is not None:
                differences = [np.abs(answer.numpy() - found[0]), differences[1] / np.abs(found[1]).clip(1)]
            worst = float(np.max([worst, *(d.max() for d in differences)]))  # NaN where there is one; max() may lose it
    return worst


def _recipe_of(run: Path) -> Recipe:
    if not (run / "recipe.yaml").is_file():
        raise RunError(f"{str(run)!r} is not a run folder: it has no recipe.yaml.")
    return load_recipe(run / "recipe.yaml")


def load_model(recipe: Recipe, folder: Path) -> Model:
    """Build a recipe's model and read what was fitted from the folder of a fold and seed."""
    classes = len(label_set_of(recipe.labels, recipe.corpora).classes)
    front = build_front(recipe.named_features)
    name, settings = recipe.model.name, recipe.model.settings
    body = build_body(name, settings, layout=front.layout, classes=classes, is_for_weights=True)
    if not (folder / body.file).is_file():
        where = str(folder / body.file)
        raise RunError(f"no weights {where!r}: only the machine that trained a run keeps them; train it again.")
    body.load(folder)
    body.settle()
    return Model(front, body).eval()
