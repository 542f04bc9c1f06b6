"""Converts fine-tuned audio classifiers of transformers to serkit model files, and runs to transformers folders.

Both consist of an encoder, a linear layer, the mean over frames and an output layer, as the model ``ssl`` with mean
pooling does. A model that transformers has no class for is refused, with the reason. Both directions are checked
against transformers' own answers.
"""

import os
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from serkit.card import NOT_FOR, Card
from serkit.errors import ExportError, RecipeError
from serkit.lab.encoders.checkpoint_files import read_config, weight_shapes
from serkit.lab.encoders.folder_card import write_folder_card
from serkit.lab.encoders.pretrained_checkpoint import (
    SEW,
    WHISPER,
    PretrainedCheckpoint,
    open_checkpoint,
    quiet_transformers,
    read_weights,
    transformers_class,
)
from serkit.lab.exporting.checkpoint_labels import labels_of
from serkit.lab.exporting.model_card import MINIMUM_DURATION, chosen_recipe
from serkit.lab.exporting.model_file import finished_fit, load_fit, recipe_of, write_checked
from serkit.lab.exporting.transformers_parity import check_parity
from serkit.lab.features import build_feature
from serkit.lab.measure.calibration import ERROR_RATE
from serkit.lab.models import Model
from serkit.lab.models.fine_tuned_encoder import FineTunedEncoder, FineTunedEncoderConfig
from serkit.lab.recipes.schema import Recipe
from serkit.runtime.recognizer import Recognizer
from serkit.types import FloatArray
from serkit.version import __version__
from serkit.writing import whole_file, whole_files

_AUTO = "AutoModelForAudioClassification"
_HEAD = "classifier.weight"
_ONE_OF_SEVERAL = "single_label_classification"
_INCOMPATIBLE = {  # encoder families whose classifiers in transformers compute something else
    WHISPER: "transformers averages over Whisper's whole 30 s window, and serkit over the utterance only",
    SEW: "transformers upsamples SEW's frames to the full rate, and serkit uses the frames between its layers",
}
_AMBIGUOUS = (
    "it sums the layers of an encoder with a layer norm after the last one, and the sum includes that norm in "
    "transformers 4 but not in 5"
)


def convert(folder: str | os.PathLike[str], output: str | os.PathLike[str], revision: str = "") -> float:
    """Write a fine-tuned ``AutoModelForAudioClassification`` as a serkit model file, with its own labels.

    If serkit exported the folder, the file's card says what the folder's card says about training. Otherwise it lists
    no training speakers, because they are unknown, so ``serkit evaluate`` refuses to score it.

    Args:
        folder: Folder that ``save_pretrained`` wrote, or a name on the Hugging Face Hub.
        output: Path of the model file.
        revision: Revision on the Hub.

    Returns:
        Largest difference between the probabilities of the file and those of transformers' own classifier.

    Raises:
        RecipeError: If there is no such checkpoint, it is damaged, or serkit does not support its classifier.
        ExportError: If its labels are not usable, the file differs from torch or from transformers by more than 1e-4,
            or ``output`` is a folder.
    """
    output = Path(output)
    if output.is_dir():
        raise ExportError(f"{str(output)!r} is a folder; name the file to write.")
    checkpoint = open_checkpoint(str(folder), revision)
    model, labels = load_classifier(checkpoint)
    card = _card_of(checkpoint, model, labels)
    with whole_file(output) as temporary:
        write_checked(model, 1.0, temporary, card)
        recognizer = Recognizer.load(temporary)

        def answer(clip: FloatArray) -> FloatArray:
            found: FloatArray = recognizer.run(clip[None], np.array([len(clip)]))[0][0]
            return found

        return check_parity(checkpoint.folder, answer, checkpoint.sampling_rate)


def load_classifier(checkpoint: PretrainedCheckpoint) -> tuple[Model, tuple[str, ...]]:
    """Load a fine-tuned classifier of transformers.

    Returns:
        Model in evaluation mode, and its labels.

    Raises:
        RecipeError: If the checkpoint is not an audio classifier, or serkit does not support its head.
        ExportError: If its labels do not name each output.
    """
    config = checkpoint.config
    labels = labels_of(read_config(checkpoint.folder), _check_head(checkpoint), checkpoint.model)
    theirs = read_weights(transformers_class(_AUTO), checkpoint, config)
    settings = FineTunedEncoderConfig(
        model=str(checkpoint.folder),
        layers="weighted" if config.use_weighted_layer_sum else "last",
        embedding=config.classifier_proj_size,
    )
    # The mean stays: the checkpoint was trained with its own preprocessing, and is to answer as in transformers.
    front = build_feature("waveform", {"sampling_rate": checkpoint.sampling_rate})
    body = FineTunedEncoder(front.layout, len(labels), settings.without_files())
    for ours, part in _parts(body, theirs):
        ours.load_state_dict(part.state_dict())
    if body.shares is not None:
        body.shares.data.copy_(theirs.layer_weights.data)
    return Model(front, body).eval(), labels


def _check_head(checkpoint: PretrainedCheckpoint) -> int:
    """Return the number of outputs; refuse what does not choose one of several from the mean over frames."""
    config = checkpoint.config
    if checkpoint.family in _INCOMPATIBLE:
        raise RecipeError(
            f"{checkpoint.model!r}: {_INCOMPATIBLE[checkpoint.family]}; fine-tune its encoder with model: ssl instead."
        )
    kinds = read_config(checkpoint.folder).get("architectures")
    is_classifier = isinstance(kinds, list) and any(str(name).endswith("ForSequenceClassification") for name in kinds)
    outputs, *others = weight_shapes(checkpoint.folder).get(_HEAD, ()) or (0,)
    if not is_classifier or len(others) != 1:
        why = f"its architectures are {kinds}" if not is_classifier else f"its weights have no matrix {_HEAD}"
        raise RecipeError(
            f"{checkpoint.model!r} is not an audio classifier ({why}); fine-tune its encoder with model: ssl instead."
        )
    if config.problem_type not in (None, _ONE_OF_SEVERAL) or outputs < 2:
        raise RecipeError(
            f"{checkpoint.model!r} does not choose one of several labels ({config.problem_type}, {outputs} outputs)."
        )
    if config.use_weighted_layer_sum and checkpoint.has_final_norm:
        raise RecipeError(f"{checkpoint.model!r}: {_AMBIGUOUS}.")
    return outputs


def save_classifier(
    run: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    seed: int | None = None,
    fold: int | None = None,
    error_rate: float = ERROR_RATE,
) -> None:
    """Write a run's fine-tuned encoder as an ``AutoModelForAudioClassification``, with its card.

    The temperature is folded into the last layer. The card, ``serkit_card.json``, tells serkit who was trained on;
    transformers leaves it aside.

    Args:
        run: Run folder of ``serkit train``, or of ``serkit evaluate`` with ``fold``.
        folder: Output folder; ``transformers.pipeline("audio-classification", folder)`` gives the same probabilities.
        seed: Seed of the exported fit; by default the recipe's first.
        fold: Fold of an evaluation.
        error_rate: Share of wrong answers, 0 to 1, that the card's threshold for ``uncertain`` allows.

    Raises:
        RunError: If the run has no finished model for this seed and fold.
        ExportError: If transformers has no class for the model, or its answers would differ by more than 1e-4; the
            message says why.
    """
    run, folder = Path(run), Path(folder)
    if folder.is_file():
        raise ExportError(f"{str(folder)!r} is a file; name the folder to write.")
    resolved = recipe_of(run)
    _check_has_counterpart(resolved.recipe)
    fit = finished_fit(run, resolved.recipe, seed, fold)
    _check_has_counterpart(chosen_recipe(resolved.recipe, fit))
    (part,), card = load_fit(resolved, run, fit, error_rate=error_rate)
    model, body = part.model, part.model.body
    assert isinstance(body, FineTunedEncoder)
    checkpoint = body.encoder.checkpoint
    theirs = _their_classifier(body, card.classes, part.temperature)
    extractor = transformers_class("Wav2Vec2FeatureExtractor")(
        sampling_rate=checkpoint.sampling_rate, do_normalize=checkpoint.is_normalized,
        return_attention_mask=checkpoint.is_padding_blind,
    )  # fmt: skip
    with whole_files(folder, last="config.json") as temporary:
        with quiet_transformers():
            theirs.save_pretrained(temporary)
        extractor.save_pretrained(temporary)
        write_folder_card(temporary, replace(card, temperature=1.0))

        def answer(clip: FloatArray) -> FloatArray:
            with torch.inference_mode():
                logits = model(torch.from_numpy(clip)[None], torch.tensor([len(clip)])).logits[0]
            found: FloatArray = (logits / part.temperature).softmax(-1).numpy()
            return found

        check_parity(temporary, answer, checkpoint.sampling_rate)


def _their_classifier(body: FineTunedEncoder, classes: Sequence[str], temperature: float) -> Any:
    """Return the classifier of transformers with our weights."""
    config = deepcopy(body.encoder.checkpoint.config)
    config.id2label = dict(enumerate(classes))
    config.label2id = {name: i for i, name in enumerate(classes)}
    config.use_weighted_layer_sum = body.shares is not None
    config.classifier_proj_size = body.embedding_size
    config.problem_type = _ONE_OF_SEVERAL
    theirs = transformers_class(_AUTO).from_config(config).float()
    theirs.config.dtype = "float32"
    for ours, part in _parts(body, theirs):
        part.load_state_dict(ours.state_dict())
    for weight in theirs.classifier.parameters():
        weight.data /= temperature
    if body.shares is not None:
        theirs.layer_weights.data.copy_(body.shares.data)
    return theirs


def _parts(body: FineTunedEncoder, theirs: Any) -> Iterable[tuple[nn.Module, nn.Module]]:
    """Return pairs of corresponding modules, ours first."""
    encoder = getattr(theirs, theirs.base_model_prefix)
    return (body.encoder.network, encoder), (body.project, theirs.projector), (body.classify[1], theirs.classifier)


def _check_has_counterpart(recipe: Recipe) -> None:
    settings = recipe.model.settings
    if recipe.model.name != "ssl":
        raise ExportError(
            f"transformers has no class for the model {recipe.model.name!r}, only for fine-tuned encoders (ssl)."
        )
    if settings.get("pooling", "mean") != "mean":
        raise ExportError("transformers has no attentive statistics pooling; train with model.pooling: mean.")
    if recipe.named_features[0].get("trim_db") is not None:
        raise ExportError("transformers does not trim silence; train without trim_db.")
    checkpoint = open_checkpoint(settings["model"], settings.get("revision", ""))
    if checkpoint.family in _INCOMPATIBLE:
        raise ExportError(f"{_INCOMPATIBLE[checkpoint.family]}.")
    if settings.get("layers") == "weighted" and checkpoint.has_final_norm:
        raise ExportError(f"{_AMBIGUOUS}; train with model.layers: last.")


def _card_of(checkpoint: PretrainedCheckpoint, model: Model, labels: tuple[str, ...]) -> Card:
    """Return the card of a converted checkpoint: what its own card says of its training, or that it is unknown."""
    network: dict[str, Any] = {
        "serkit_version": __version__,
        "classes": labels,
        "sampling_rate": checkpoint.sampling_rate,
        "inputs": ("waveform", "lengths"),
        "minimum_duration": MINIMUM_DURATION,
        "maximum_duration": model.body.maximum_duration,
        "parameters": sum(weight.numel() for weight in model.body.parameters()),
        "temperature": 1.0,
        "weights_digest": checkpoint.digest,
        "needs_equal_lengths": model.body.needs_equal_lengths,
    }
    named: dict[str, Any] = {"label_set": "checkpoint", "label_note": f"the labels of {checkpoint.model}"}
    not_measured: dict[str, Any] = {"validation_uar": None, "evidence": (), "validation": "nobody"}
    known = checkpoint.card
    if known and known.classes == labels:
        return replace(known, **network)
    if known:  # somebody gave the outputs other names, of which nothing was measured
        return replace(known, **network, **named, **not_measured, calibration={})
    return Card(
        name=Path(checkpoint.model).name,
        corpora=(),
        languages=(),
        train_speakers=(),
        validation_speakers=(),
        split_digest="",
        license="not known here: see the checkpoint's",
        is_commercial_use_allowed=False,
        is_sharing_allowed=False,
        not_for=NOT_FOR,
        recipe={},
        **network,
        **named,
        **not_measured,
    )
