"""Audio classifiers of transformers: a fine-tuned one as a serkit model file, and a run's as one of theirs.

Both are an encoder, a linear layer, the mean over frames and an output layer, which is what the model ``ssl`` with mean
pooling is. What transformers has no class for is refused, with the reason.
"""

import os
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from torch import nn

from serkit.card import NOT_FOR, Card
from serkit.data.corpora import label_set_of
from serkit.errors import ExportError, RecipeError
from serkit.lab.encoders.pretrained_checkpoint import (
    SEW,
    WHISPER,
    PretrainedCheckpoint,
    open_checkpoint,
    read_weights,
    transformers_class,
)
from serkit.lab.export.model_card import MINIMUM_DURATION
from serkit.lab.export.model_file import fit_of, load_model, write_checked
from serkit.lab.features import build_front
from serkit.lab.measure.run_folder import fit_folder
from serkit.lab.models import Model
from serkit.lab.models.fine_tuned_encoder import FineTunedEncoder, FineTunedEncoderConfig
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.schema import Recipe
from serkit.lab.train.tuning import with_settings
from serkit.version import __version__

_AUTO = "AutoModelForAudioClassification"
_ONE_OF_SEVERAL = "single_label_classification"
_OTHERWISE = {  # families whose classifiers hear something else
    WHISPER: "transformers takes the mean over Whisper's 30 s, silence included, and serkit over the utterance",
    SEW: "transformers brings SEW's frames back to their full rate, and serkit takes those between its layers",
}


def convert(folder: str | os.PathLike[str], output: str | os.PathLike[str], revision: str = "") -> float:
    """Write a fine-tuned ``AutoModelForAudioClassification`` as a serkit model file, with its own labels.

    Its card says that nobody knows here whom it was trained on, so that ``serkit evaluate`` refuses to score it.

    Args:
        folder: What its ``save_pretrained`` wrote, or a name on the hub.
        output: The file, written whole.
        revision: Of a hub name.

    Returns:
        The largest difference between torch and ONNX Runtime that was seen.

    Raises:
        RecipeError: If there is no such checkpoint, or it is no classifier that serkit knows.
        ExportError: If the file does not agree with torch within 1e-4, or ``output`` is a folder.
    """
    output = Path(output)
    if output.is_dir():
        raise ExportError(f"{str(output)!r} is a folder; name the file to write.")
    checkpoint = open_checkpoint(str(folder), revision)
    model, labels = load_classifier(checkpoint)
    card = _card_of(checkpoint, model, labels)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        difference = write_checked(model, 1.0, temporary, card)
        temporary.replace(output)
    finally:
        temporary.unlink(missing_ok=True)
    return difference


def load_classifier(checkpoint: PretrainedCheckpoint) -> tuple[Model, tuple[str, ...]]:
    """Load a fine-tuned classifier of transformers: a model, in evaluation mode, and its labels.

    Raises:
        RecipeError: If it is none, or has a head that serkit has not.
    """
    config = checkpoint.config
    if checkpoint.family in _OTHERWISE:
        raise RecipeError(
            f"{checkpoint.model!r}: {_OTHERWISE[checkpoint.family]}; fine-tune its encoder with model: ssl."
        )
    kinds = [name for name in config.architectures or () if name.endswith("ForSequenceClassification")]
    if not kinds:
        raise RecipeError(
            f"{checkpoint.model!r} is no audio classifier (its architectures are {config.architectures}): fine-tune an "
            "encoder with model: ssl."
        )
    if config.problem_type not in (None, _ONE_OF_SEVERAL) or config.num_labels < 2:
        raise RecipeError(
            f"{checkpoint.model!r} does not choose one of several labels ({config.problem_type}, {config.num_labels})."
        )
    theirs = read_weights(transformers_class(_AUTO), checkpoint, config)
    settings = FineTunedEncoderConfig(
        model=checkpoint.model,
        layers="weighted" if config.use_weighted_layer_sum else "last",
        embedding=config.classifier_proj_size,
    )
    labels = tuple(str(config.id2label[i]) for i in range(config.num_labels))
    front = build_front([{"name": "waveform", "sampling_rate": checkpoint.sampling_rate}])
    body = FineTunedEncoder(front.layout, len(labels), settings.without_files())
    for ours, part in _parts(body, theirs):
        ours.load_state_dict(part.state_dict())
    if body.shares is not None:
        body.shares.data.copy_(theirs.layer_weights.data)
    return Model(front, body).eval(), labels


def save_classifier(
    run: str | os.PathLike[str], folder: str | os.PathLike[str], *, seed: int | None = None, fold: int | None = None
) -> None:
    """Write a run's fine-tuned encoder as an ``AutoModelForAudioClassification``, its temperature in the last layer.

    Args:
        run: A run folder of ``serkit train``, or of ``serkit evaluate`` with ``fold``.
        folder: To write to; ``transformers.pipeline("audio-classification", folder)`` then gives the same
            probabilities.
        seed: Which of the recipe's seeds; its first one by default.
        fold: Of an evaluation.

    Raises:
        RunError: If the run holds no such model.
        ExportError: If transformers has no class for it; the message says what it lacks.
    """
    run, folder = Path(run), Path(folder)
    recipe = load_recipe(run / "recipe.yaml")
    seed = recipe.seeds[0] if seed is None else seed
    _check_has_counterpart(recipe)
    fit = fit_of(run, seed, fold)
    recipe = with_settings(recipe, fit.get("settings", {}))
    _check_has_counterpart(recipe)
    model = load_model(recipe, run / fit_folder(fit["fold"], seed))
    body = model.body
    assert isinstance(body, FineTunedEncoder)
    checkpoint = body.encoder.checkpoint
    classes = label_set_of(recipe.labels, recipe.corpora).classes
    config = deepcopy(checkpoint.config)
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
        weight.data /= fit["temperature"]
    if body.shares is not None:
        theirs.layer_weights.data.copy_(body.shares.data)
    theirs.save_pretrained(folder)
    transformers_class("Wav2Vec2FeatureExtractor")(
        sampling_rate=checkpoint.sampling_rate, do_normalize=checkpoint.is_normalized,
        return_attention_mask=checkpoint.is_padding_blind,
    ).save_pretrained(folder)  # fmt: skip


def _parts(body: FineTunedEncoder, theirs: Any) -> Iterable[tuple[nn.Module, nn.Module]]:
    """Return what stands for what."""
    encoder = getattr(theirs, theirs.base_model_prefix)
    return (body.encoder.network, encoder), (body.project, theirs.projector), (body.classify[1], theirs.classifier)


def _check_has_counterpart(recipe: Recipe) -> None:
    settings = recipe.model.settings
    if recipe.model.name != "ssl":
        raise ExportError(f"transformers has no class for a {recipe.model.name}: it has classifiers of encoders (ssl).")
    if settings.get("pooling", "mean") != "mean":
        raise ExportError("transformers has no attentive statistics: train with model.pooling: mean.")
    if recipe.named_features[0].get("trim_db") is not None:
        raise ExportError("transformers does not cut silence off: train without trim_db.")
    family = open_checkpoint(settings["model"], settings.get("revision", "")).family
    if family in _OTHERWISE:
        raise ExportError(f"{_OTHERWISE[family]}.")


def _card_of(checkpoint: PretrainedCheckpoint, model: Model, labels: tuple[str, ...]) -> Card:
    return Card(
        name=Path(checkpoint.model).name,
        serkit_version=__version__,
        classes=labels,
        label_set="checkpoint",
        label_note=f"the labels of {checkpoint.model}",
        sampling_rate=checkpoint.sampling_rate,
        inputs=("waveform", "lengths"),
        minimum_duration=MINIMUM_DURATION,
        parameters=sum(weight.numel() for weight in model.body.parameters()),
        corpora=(),
        languages=(),
        train_speakers=(),
        validation_speakers=(),
        split_digest="",
        temperature=1.0,
        validation_uar=None,
        evidence=(),
        weights_digest=checkpoint.digest,
        license="not known here: see the checkpoint's",
        is_commercial_use_allowed=False,
        is_sharing_allowed=False,
        not_for=NOT_FOR,
        recipe={},
        needs_equal_lengths=model.body.needs_equal_lengths,
    )
