"""Exports a trained run as one ONNX file with front end, body, temperature and card, and checks it against torch."""

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
from serkit.errors import ExportError, ModelFileError, RunError
from serkit.lab.encoders.layer_meaning import check_meaning
from serkit.lab.exporting.model_card import chosen_recipe, describe, evidence_of
from serkit.lab.exporting.quantize import Cost, cost_of, quantize
from serkit.lab.features import Front, build_front
from serkit.lab.graphs.model_assembly import join, vote
from serkit.lab.graphs.onnx_graph import OPSET
from serkit.lab.measure.calibration import ERROR_RATE
from serkit.lab.measure.run_folder import Fit, fit_folder, read_folds, read_json
from serkit.lab.measure.run_records import check_run
from serkit.lab.measure.voting import FLOOR, Rule, combine
from serkit.lab.models import Model, build_body
from serkit.lab.models.sklearn_classifier import SklearnClassifier
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.schema import Recipe
from serkit.lab.training.encoder_history import check_encoders_kept
from serkit.lab.training.ensemble_members import member_folder, member_weights
from serkit.lab.training.fold import check_weights
from serkit.lab.training.prepare import check_exportable
from serkit.lab.training.resolve import ResolvedRecipe, resolve_recipe
from serkit.lab.training.store import open_store
from serkit.runtime.recognizer import Recognizer
from serkit.writing import whole_file

TOLERANCE = 1e-4
_LARGEST_FILE = 2_000_000_000  # bytes; an ONNX file is a protobuf message, which holds less than 2 ** 31
_WEIGHT_BYTES = 4
_PARITY_SECONDS = (0.2, 0.73, 3.0, 7.5, 20.0)

Graph = Callable[..., tuple[Tensor, Tensor]]


class _Exported(nn.Module):
    """The graph of a model file, from waveform and lengths to calibrated probabilities and embedding."""

    def __init__(self, model: Model, temperature: float) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> tuple[Tensor, Tensor]:
        output = self.model(waveform, lengths, sex)
        return (output.logits / self.temperature).softmax(-1), output.embedding

    def answer_for(self, embedding: NDArray[np.float32]) -> Tensor | None:
        """Return a classical model's probabilities (B, C) for standardized features (B, F); None for a network."""
        body = self.model.body
        if not isinstance(body, SklearnClassifier):
            return None
        logits = torch.from_numpy(body.classify(embedding)).clamp(FLOOR, 1).log()
        return (logits / self.temperature).softmax(-1)


class _Vector(nn.Module):
    """The graph of a classical model's front end, from waveform and lengths to features (B, F)."""

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
    """Write the model of a run folder as one ONNX file.

    Args:
        run: Run folder of ``serkit train``, or of ``serkit evaluate`` with ``fold``.
        output: Path of the model file.
        seed: Seed of the exported fit; by default the recipe's first.
        fold: Fold of an evaluation that ran on this machine. The model of a fold has not seen its test speakers.
        evidence: Run folders whose results go on the card.
        error_rate: Share of wrong answers, 0 to 1, that the card's threshold for ``uncertain`` allows on the
            validation speakers.
        int8: Whether to quantize the linear layers, see :func:`serkit.lab.exporting.quantize.quantize`.
        data: Folders of the corpora, to measure the cost of ``int8`` on the validation utterances. If None, it is not
            measured.

    Returns:
        Largest difference between torch and ONNX Runtime.

    Raises:
        RunError: If the folder holds no trained model, or one of ``evidence`` is not a finished evaluation of it.
        ExportError: If the file differs from torch by more than 1e-4, ``output`` is a folder, or ``error_rate`` is not
            between 0 and 1.
    """
    run, output = Path(run), Path(output)
    if output.is_dir():
        raise ExportError(f"{str(output)!r} is a folder; name the file to write.")
    resolved = recipe_of(run)
    recipe = resolved.recipe
    fit = finished_fit(run, recipe, seed, fold)
    check_exportable(resolved)
    parts, card = load_fit(resolved, run, fit, error_rate=error_rate)
    measured = tuple(evidence_of(Path(path), run, card) for path in evidence)
    card = replace(card, evidence=measured)
    with whole_file(output) as temporary:
        difference = write_checked(parts[0].model, parts[0].temperature, temporary, card)
        if resolved.ensemble:
            difference = _write_ensemble(parts, temporary, card, resolved.ensemble.rule, fit["temperature"])
        if int8:
            quantize(temporary, partial(_cost, recipe, _validated(run, fit), data, temporary))
    return difference


def _validated(run: Path, fit: dict[str, Any]) -> dict[str, None]:
    """Return the utterances that a fit was validated on, without repetition."""
    folds = [fold for fold in read_folds(run) if fold["fold"] == fit["fold"]]
    return dict.fromkeys(name for fold in folds for name in fold["validation"]["utterances"])


def _cost(recipe: Recipe, names: Iterable[str], data: Data | None, whole: Path, small: Path) -> Cost | None:
    """Return the cost of quantization on these utterances; None without utterances or corpora."""
    if data is None or not names:
        return None
    labels = label_set_of(recipe.labels, recipe.corpora)
    everything = read_corpora(recipe.corpora, data, keep_faulty=recipe.keep_faulty)
    manifest = everything.select(labels)[0].subset(names)
    files = [Recognizer.load(file) for file in (small, whole)]
    store = open_store(manifest, files[0].card.sampling_rate)
    waveforms = [store.waveform(u) for u in manifest]
    found, before = (
        np.array([file.run(w[None], np.array([len(w)]))[0][0].argmax() for w in waveforms]) for file in files
    )
    return cost_of(found, before, np.array([labels.index(u.emotion) for u in manifest]), len(labels.classes))


def finished_fit(run: Path, recipe: Recipe, seed: int | None, fold: int | None) -> dict[str, Any]:
    """Return the record in ``metrics.json`` of the fit to export.

    Args:
        run: Run folder.
        recipe: Complete recipe of the run.
        seed: Seed of the fit; the recipe's first if None.
        fold: Fold of an evaluation; None for a run of ``serkit train``.

    Raises:
        RunError: If the run has no finished model for this seed and fold, its encoders are other ones by now, or it
            does not agree with its seal or itself.
    """
    seed = recipe.seeds[0] if seed is None else seed
    records = check_run(run)
    fits = {(fit["fold"], fit["seed"]): fit for fit in records.facts["fits"]}
    is_evaluation = any(one["fold"] or one["test"]["utterances"] for one in records.folds)
    if (fold is None and is_evaluation) or (fold or 0, seed) not in fits:
        of_fold = "" if fold is None else f" and fold {fold}"
        raise RunError(f"{str(run)!r} holds no finished model for seed {seed}{of_fold}: make one with 'serkit train'.")
    found: dict[str, Any] = fits[fold or 0, seed]
    environment = read_json(run, "env.json")
    check_meaning(run, environment, recipe.as_mapping())
    check_encoders_kept(run, environment, chosen_recipe(recipe, found))
    return found


def load_fit(
    resolved: ResolvedRecipe, run: Path, fit: dict[str, Any], *, error_rate: float = ERROR_RATE
) -> tuple[list["FittedPart"], Card]:
    """Load the model of a fit, or all members of an ensemble, and describe them.

    Args:
        resolved: Resolved recipe of the run.
        run: Run folder.
        fit: Record of the fit in ``metrics.json``.
        error_rate: Share of wrong answers, 0 to 1, that the card's threshold for ``uncertain`` allows.

    Returns:
        The models, and their common card without evidence.

    Raises:
        RunError: If weights are missing.
        ExportError: If ``error_rate`` is not between 0 and 1.
    """
    if not 0 < error_rate < 1:  # false for NaN too
        raise ExportError(f"the error rate must be between 0 and 1, such as 0.25 for 25 %; it is {error_rate:g}.")
    parts = _parts_of(resolved, run, fit)
    models, weights = [part.model for part in parts], [part.weights for part in parts]
    return parts, describe(resolved, run, models, weights, fit=fit, error_rate=error_rate)


@dataclass(frozen=True)
class FittedPart:
    """A fitted model, or a member of an ensemble, with its temperature, weight in the vote, and weights file."""

    model: Model
    temperature: float
    weight: float
    weights: Path


def _parts_of(resolved: ResolvedRecipe, run: Path, fit: dict[str, Any]) -> list[FittedPart]:
    """Load the model of a fit, or all members of an ensemble."""
    folder = run / fit_folder(fit["fold"], fit["seed"])
    if resolved.ensemble is None:
        model = load_model(chosen_recipe(resolved.recipe, fit), folder)
        check_weights(folder / model.body.file, fit.get("weights", ""))
        return [FittedPart(model, fit["temperature"], 1.0, folder / model.body.file)]
    fits = [Fit(**member) for member in fit["members"]]
    members = resolved.members
    parts = []
    for number, (said, weight) in enumerate(zip(fits, member_weights(fits), strict=True)):
        place = folder / member_folder(number)
        model = load_model(members[number * len(members) // len(fits)], place)
        check_weights(place / model.body.file, said.weights)
        parts.append(FittedPart(model, said.temperature, weight, place / model.body.file))
    return parts


def write_checked(model: Model, temperature: float, path: Path, card: Card) -> float:
    """Write a model file and return its largest difference from torch.

    Args:
        model: Model in evaluation mode.
        temperature: Temperature that the logits are divided by.
        path: Path of the file.
        card: Card of the model.

    Raises:
        ExportError: If the difference is larger than 1e-4, or the answers are not probabilities.
    """
    exported = _Exported(model, temperature).eval()
    inputs = tuple(name for name in card.inputs if name != "sex" or exported.model.front.uses_sex)
    write_graph(exported, path, replace(card, inputs=inputs))
    try:
        recognizer = Recognizer.load(path)
        difference = largest_difference(exported, recognizer, card.sampling_rate, takes_sex="sex" in inputs)
    except ModelFileError as error:
        why = str(error).replace(f"the model {str(path)!r}", "it")  # the temporary file's name says nothing
        raise ExportError(f"the model file would be refused: {why}") from error
    return _checked(difference)


def _write_ensemble(parts: Sequence[FittedPart], path: Path, card: Card, rule: Rule, temperature: float) -> float:
    """Write each member and check it against torch; then write one file of all members and check it against theirs."""
    worst, graphs, files = 0.0, [], []
    weights = [part.weight for part in parts]
    for number, part in enumerate(parts):
        try:
            worst = max(worst, write_checked(part.model, part.temperature, path, card))
        except ExportError as error:
            raise ExportError(f"member {number} of {len(parts)} ({part.model.body.label}): {error}") from error
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
    return max(worst, _checked(float(np.abs(together.run(waveform, lengths)[0] - expected).max())))


def _checked(difference: float) -> float:
    if not difference <= TOLERANCE:  # not >, which is false for NaN
        raise ExportError(f"ONNX Runtime and torch differ by {difference:.1e}; at most {TOLERANCE} is allowed.")
    return difference


def write_graph(exported: nn.Module, path: Path, card: Card) -> None:
    """Trace the graph, with dynamic batch size and time, and write it with its card.

    Raises:
        ExportError: If the weights do not fit in one file.
    """
    size = _WEIGHT_BYTES * card.parameters
    if size >= _LARGEST_FILE:
        raise ExportError(
            f"the weights take {size / 1e9:.1f} GB, and an ONNX file holds at most 2 GB: choose a smaller encoder or "
            "fewer members."
        )
    if isinstance(exported, _Exported) and isinstance(exported.model.body, SklearnClassifier):
        front = _trace(_Vector(exported.model.front).eval(), path, card, ["vector"])
        graph = join(front, exported.model.body.graph, exported.temperature)
    else:
        graph = _trace(exported, path, card, ["probabilities", "embedding"])
    onnx.checker.check_model(graph)
    onnx.helper.set_model_props(graph, write_card(card))
    onnx.save(graph, path)


def _trace(module: nn.Module, path: Path, card: Card, outputs: list[str]) -> Any:
    """Return the traced graph of a module; torch writes it to ``path`` first."""
    inputs = {
        "waveform": torch.zeros(2, card.sampling_rate),
        "lengths": torch.tensor([card.sampling_rate, card.sampling_rate // 2]),
        "sex": torch.tensor([0.0, 1.0]),
    }
    given = tuple(inputs[name] for name in card.inputs)
    with warnings.catch_warnings():
        # This exporter is deprecated, but the newer one cannot decompose a GRU over dynamic time (torch 2.13).
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
        value.type.tensor_type.shape.dim[1].dim_value = answer.shape[1]  # tracing does not always find this size
    return graph


def largest_difference(
    exported: Graph, recognizer: Recognizer, sampling_rate: int, *, takes_sex: bool = False
) -> float:
    """Return the largest difference between torch and ONNX Runtime, for lengths of 0.2 to 20 s, batches of 1 and 8.

    The front end and the classifier of a classical model are compared one by one. Its embedding holds the standardized
    features, which have no bounds, so their difference is relative where they are larger than 1. Its probabilities are
    compared with those that torch gives for the file's own embedding: a feature that differs by a millionth can fall on
    the other side of a tree's threshold or change an SVM's vote, and no tolerance could tell that from an error.
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
            worst = float(np.max([worst, *(d.max() for d in differences)]))  # keeps NaN, which max() may lose
    return worst


def recipe_of(run: Path) -> ResolvedRecipe:
    """Return the recipe of a run folder.

    Raises:
        RunError: If the folder has none.
    """
    if not (run / "recipe.yaml").is_file():
        raise RunError(f"{str(run)!r} is not a run folder: it has no recipe.yaml.")
    return resolve_recipe(load_recipe(run / "recipe.yaml"))


def load_model(recipe: Recipe, folder: Path) -> Model:
    """Build the model of a recipe and load its weights from the folder of a fold and seed.

    Raises:
        RunError: If the folder holds no weights.
    """
    classes = len(label_set_of(recipe.labels, recipe.corpora).classes)
    front = build_front(recipe.named_features)
    name, settings = recipe.model.name, recipe.model.settings
    body = build_body(name, settings, layout=front.layout, classes=classes, is_for_weights=True)
    if not (folder / body.file).is_file():
        where = str(folder / body.file)
        raise RunError(f"{where!r} is missing: weights stay on the machine that trained a run; train it again.")
    body.load(folder)
    body.settle()
    return Model(front, body).eval()
