"""Checkpoints of pretrained audio encoders for transformers, from the Hugging Face hub or a local folder.

Weights are read only from safetensors: a checkpoint with nothing but a pickle is refused. serkit downloads a checkpoint
only where you give its name on the hub.
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
    """The configuration of an encoder, without its weights.

    Attributes:
        model: Folder or hub name, as in the recipe.
        folder: Folder of the files.
        config: Configuration of transformers.
        family: Model family, one of :data:`FAMILIES`.
        sampling_rate: Sampling rate of the encoder's waveform in Hz.
        is_normalized: Whether its preprocessor normalizes each utterance to mean 0 and variance 1.
    """

    model: str
    folder: Path
    config: Any
    family: str
    sampling_rate: int
    is_normalized: bool

    @property
    def size(self) -> int:
        """Size D of the frames."""
        return int(self.config.hidden_size)

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return int(self.config.num_hidden_layers)

    @property
    def is_padding_blind(self) -> bool:
        """Whether padding leaves the output unchanged if an attention mask is given.

        It does not with a group norm over the whole waveform, in SEW, which pools frames across an utterance's end, and
        with unmasked convolutions that read the padding.
        """
        norm = getattr(self.config, "feat_extract_norm", "layer")
        return self.family not in (SEW, CONFORMER, DATA2VEC) and norm != "group"

    @property
    def shortest(self) -> int:
        """Smallest number of samples that gives a frame; shorter utterances are padded with silence."""
        if self.family == WHISPER:
            return 1
        samples = int(getattr(self.config, "squeeze_factor", 1))  # a number of frames until the loop ends
        for kernel, stride in zip(reversed(self.config.conv_kernel), reversed(self.config.conv_stride), strict=True):
            samples = (samples - 1) * stride + kernel
        return samples

    @property
    def digest(self) -> str:
        """SHA-256 of the configuration and the weights."""
        return _digest(self.folder)


def open_checkpoint(model: str, revision: str = "") -> PretrainedCheckpoint:
    """Find a checkpoint and read its configuration.

    Args:
        model: Folder, or name on the Hugging Face hub such as ``facebook/wav2vec2-base``. A checkpoint that was
            downloaded before needs no network.
        revision: Branch, tag or commit of a hub name; empty for the newest.

    Raises:
        MissingExtraError: If transformers is not installed.
        RecipeError: If the checkpoint is not found, is no checkpoint of transformers, or serkit does not support it.
    """
    if not model:
        raise RecipeError(
            "ssl: no encoder is named; set model to a folder or a hub name such as facebook/wav2vec2-base."
        )
    return _open(model, revision)


def load_network(checkpoint: PretrainedCheckpoint, *, has_weights: bool = True) -> nn.Module:
    """Return the encoder of a checkpoint, in training mode.

    LayerDrop and transformers' random masks are turned off: a weighted sum of layers needs all layers, and a recipe's
    seed must determine all random numbers.

    Args:
        checkpoint: Checkpoint to load.
        has_weights: Whether to read the checkpoint's weights; otherwise the weights are random.

    Raises:
        RecipeError: If the checkpoint has no safetensors, or lacks weights.
    """
    auto, config = transformers_class("AutoModel"), deepcopy(checkpoint.config)
    config.apply_spec_augment, config.layerdrop, config.encoder_layerdrop = False, 0.0, 0.0
    network = read_weights(auto, checkpoint, config) if has_weights else auto.from_config(config)
    network = network.get_encoder() if checkpoint.family == WHISPER else network
    return network.float().train()  # type: ignore[no-any-return]


def read_weights(auto: Any, checkpoint: PretrainedCheckpoint, config: Any) -> Any:
    """Read a checkpoint with one of transformers' automatic classes.

    Args:
        auto: Automatic class, such as ``AutoModel``.
        checkpoint: Checkpoint to read.
        config: Configuration of the network.

    Raises:
        RecipeError: If the checkpoint has no safetensors, or lacks weights, which would stay random.
    """
    if not any((checkpoint.folder / name).is_file() for name in _WEIGHTS):
        raise RecipeError(
            f"ssl: the checkpoint {checkpoint.model!r} has no {_WEIGHTS[0]} in {str(checkpoint.folder)!r}, and serkit "
            "loads no pickle (pytorch_model.bin): set revision to one with safetensors (often refs/pr/1), or convert "
            "the checkpoint with transformers: AutoModel.from_pretrained(...).save_pretrained(FOLDER)."
        )
    network, about = auto.from_pretrained(
        checkpoint.folder, config=config, use_safetensors=True, local_files_only=True, output_loading_info=True
    )
    missing = sorted(name for name in about["missing_keys"] if "masked_spec_embed" not in name)
    if missing:
        raise RecipeError(
            f"ssl: the checkpoint {checkpoint.model!r} lacks {len(missing)} weights, such as {missing[0]}: they would "
            "stay random. Use a checkpoint of the whole encoder."
        )
    return network


@cache
def _open(model: str, revision: str) -> PretrainedCheckpoint:
    folder = _folder_of(model, revision)
    try:
        config = transformers_class("AutoConfig").from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise RecipeError(
            f"ssl: {str(folder)!r} is not a checkpoint of transformers ({_first_line(error)})."
        ) from error
    if config.model_type not in FAMILIES:
        raise RecipeError(
            f"ssl: {model!r} is of the family {config.model_type!r}; serkit supports {', '.join(FAMILIES)}."
        )
    if getattr(config, "add_adapter", False):
        raise RecipeError(f"ssl: {model!r} has an adapter that drops frames, which serkit does not support.")
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
    """Read a checkpoint's preprocessor settings, from the file of older or of newer releases of transformers."""
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
            f"ssl: there is no folder {model!r}, and it cannot be downloaded from the hub ({_first_line(error)}). "
            f"Download config.json, preprocessor_config.json and model.safetensors from https://huggingface.co/{model}"
            f"{f'/tree/{revision}' if revision else ''} into a folder, and set model to that folder."
        ) from error


def transformers_class(name: str) -> Any:
    """Return a class of transformers.

    Raises:
        MissingExtraError: If transformers is not installed.
    """
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("encoders of transformers", "ssl") from error
    return getattr(transformers, name)


@cache
def code_version() -> str:
    """Return transformers' version and a digest of our code, on which hidden states depend beside the checkpoint."""
    code = hashlib.sha256()
    for name in ("pretrained_checkpoint.py", "waveform_encoder.py"):
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
