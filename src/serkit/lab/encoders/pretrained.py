"""Pretrained audio encoders of transformers, by the name on a hub or a local folder.

Weights are read from safetensors alone: a checkpoint that has only a pickle is refused. Nothing is downloaded without a
name that says so.
"""

import hashlib
import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from torch import nn

from serkit.errors import MissingExtraError, RecipeError

CONFORMER, DATA2VEC, SEW, WHISPER = "wav2vec2-conformer", "data2vec-audio", "sew", "whisper"
FAMILIES = (
    DATA2VEC, "hubert", SEW, "unispeech", "unispeech-sat", "wav2vec2", CONFORMER, "wavlm", WHISPER,
)  # fmt: skip
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


@dataclass(frozen=True)
class PretrainedCheckpoint:
    """What is known of an encoder without its weights.

    Attributes:
        model: As a recipe names it.
        folder: Where its files lie.
        config: transformers' own.
        family: One of :data:`FAMILIES`.
        sampling_rate: Hz of the waveform that it takes.
        is_normalized: Whether each utterance is brought to mean 0 and variance 1 before, as its preprocessor says.
    """

    model: str
    folder: Path
    config: Any
    family: str
    sampling_rate: int
    is_normalized: bool

    @property
    def size(self) -> int:
        """D, of its frames."""
        return int(self.config.hidden_size)

    @property
    def layers(self) -> int:
        """How many transformer layers it has."""
        return int(self.config.num_hidden_layers)

    @property
    def is_padding_blind(self) -> bool:
        """Whether an attention mask makes padding harmless.

        Not where a group norm runs over the whole sound, nor in SEW, which pools frames across the sound's end, nor
        where convolutions look past it without a mask.
        """
        norm = getattr(self.config, "feat_extract_norm", "layer")
        return self.family not in (SEW, CONFORMER, DATA2VEC) and norm != "group"

    @property
    def shortest(self) -> int:
        """Samples below which it has no frame of its own; what is shorter is heard with silence behind it."""
        if self.family == WHISPER:
            return 1
        samples = int(getattr(self.config, "squeeze_factor", 1))  # frames
        for kernel, stride in zip(reversed(self.config.conv_kernel), reversed(self.config.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    @property
    def digest(self) -> str:
        """SHA-256 of its settings and weights."""
        return _digest(self.folder)


def open_checkpoint(model: str, revision: str = "") -> PretrainedCheckpoint:
    """Find a checkpoint and read its settings.

    Args:
        model: A folder, or a name on the Hugging Face hub such as ``facebook/wav2vec2-base``; one that has been
            downloaded before needs no network.
        revision: Of a hub name: a branch, tag or commit; empty for the newest.

    Raises:
        MissingExtraError: If transformers is not installed.
        RecipeError: If there is no such checkpoint, it is of no known family, or has no safetensors.
    """
    if not model:
        raise RecipeError("ssl: say which encoder: model: facebook/wav2vec2-base, say, or a folder.")
    return _open(model, revision)


def load_network(checkpoint: PretrainedCheckpoint, *, has_weights: bool = True) -> nn.Module:
    """Return the encoder of a checkpoint, in training mode.

    Layers that training drops and frames that it masks at random are turned off: a learned sum of layers needs them
    all, and what is random here must follow from a recipe's seed.

    Args:
        checkpoint: Which one.
        has_weights: Whether to read its weights; otherwise they are random.

    Raises:
        RecipeError: If it has no safetensors.
    """
    auto, config = transformers_class("AutoModel"), deepcopy(checkpoint.config)
    config.apply_spec_augment, config.layerdrop, config.encoder_layerdrop = False, 0.0, 0.0
    network = read_weights(auto, checkpoint, config) if has_weights else auto.from_config(config)
    network = network.get_encoder() if checkpoint.family == WHISPER else network
    return network.float().train()  # type: ignore[no-any-return]


def read_weights(auto: Any, checkpoint: PretrainedCheckpoint, config: Any) -> Any:
    """Read a checkpoint by one of transformers' automatic classes.

    Args:
        auto: The class.
        checkpoint: What to read.
        config: Its settings, perhaps changed.

    Raises:
        RecipeError: If it has no safetensors, or they lack weights of the network, which would stay random.
    """
    if not any((checkpoint.folder / name).is_file() for name in _WEIGHTS):
        raise RecipeError(
            f"ssl: the checkpoint {checkpoint.model!r} has no {_WEIGHTS[0]} in {str(checkpoint.folder)!r}, and serkit "
            "loads no pickle (pytorch_model.bin): name a revision that has it (revision: refs/pr/1, often), or convert "
            "it once with transformers: AutoModel.from_pretrained(...).save_pretrained(FOLDER)."
        )
    network, about = auto.from_pretrained(
        checkpoint.folder, config=config, use_safetensors=True, local_files_only=True, output_loading_info=True
    )
    missing = sorted(name for name in about["missing_keys"] if "masked_spec_embed" not in name)
    if missing:
        raise RecipeError(
            f"ssl: the checkpoint {checkpoint.model!r} lacks {len(missing)} weights, such as {missing[0]}: they would "
            "stay random."
        )
    return network


@cache
def _open(model: str, revision: str) -> PretrainedCheckpoint:
    folder = _folder_of(model, revision)
    try:
        config = transformers_class("AutoConfig").from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise RecipeError(f"ssl: {str(folder)!r} is no checkpoint of transformers ({_first_line(error)}).") from error
    if config.model_type not in FAMILIES:
        raise RecipeError(
            f"ssl: {model!r} is a {config.model_type!r}; those that serkit knows are {', '.join(FAMILIES)}."
        )
    if getattr(config, "add_adapter", False):
        raise RecipeError(f"ssl: {model!r} has an adapter that drops frames, which serkit does not know.")
    read = _preprocessing(folder)
    return PretrainedCheckpoint(
        model,
        folder,
        config,
        config.model_type,
        int(read.get("sampling_rate", 16_000)),
        bool(read.get("do_normalize", True)),
    )


def _preprocessing(folder: Path) -> dict[str, Any]:
    """Read what a checkpoint says of its waveform, where older and newer releases of transformers leave it."""
    for name, part in (("preprocessor_config.json", None), ("processor_config.json", "feature_extractor")):
        if (folder / name).is_file():
            content: dict[str, Any] = json.loads((folder / name).read_text("utf-8"))
            return content.get(part, {}) if part else content
    return {}


def _folder_of(model: str, revision: str) -> Path:
    if Path(model).is_dir():
        return Path(model)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError("encoders of transformers", "ssl") from error
    wanted = ["config.json", "preprocessor_config.json", "processor_config.json", "model*.safetensors*"]
    try:
        return Path(snapshot_download(model, revision=revision or None, allow_patterns=wanted))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise RecipeError(
            f"ssl: there is no folder {model!r}, and it could not be fetched from the hub ({_first_line(error)}). "
            f"Download config.json, preprocessor_config.json and model.safetensors from https://huggingface.co/{model}"
            f"{f'/tree/{revision}' if revision else ''} into a folder, and name that."
        ) from error


def transformers_class(name: str) -> Any:
    """Return a class of transformers.

    Raises:
        MissingExtraError: If it is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("encoders of transformers", "ssl") from error
    return getattr(transformers, name)


@cache
def code_version() -> str:
    """Return what, beside a checkpoint's files, its numbers depend on: transformers' version and our own code."""
    code = hashlib.sha256()
    for name in ("pretrained.py", "waveform_encoder.py"):
        code.update((Path(__file__).parent / name).read_bytes())
    return f"{transformers_class('__version__')} {code.hexdigest()}"


@cache
def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        with file.open("rb") as content:
            digest.update(file.name.encode() + hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
