"""Checkpoints of pretrained audio encoders for transformers, from the Hugging Face hub or a local folder.

Weights are read only from safetensors: a checkpoint with nothing but a pickle is refused. serkit downloads a checkpoint
only where you give its name on the hub.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from torch import nn

from serkit.card import Card
from serkit.errors import MissingExtraError, RecipeError
from serkit.lab.encoders.checkpoint_files import (
    CONFIG,
    digest_of,
    find_folder,
    first_line,
    read_config,
    read_preprocessing,
    state_of,
    weight_digests,
    weight_shapes,
)
from serkit.lab.encoders.folder_card import read_folder_card

CONFORMER, DATA2VEC, SEW, WHISPER = "wav2vec2-conformer", "data2vec-audio", "sew", "whisper"
FAMILIES = (
    DATA2VEC, "hubert", SEW, "unispeech", "unispeech-sat", "wav2vec2", CONFORMER, "wavlm", WHISPER,
)  # fmt: skip
_HIGHEST_RATE = 768_000  # Hz
LONGEST_WINDOW = 30.0  # seconds that an encoder hears at once: the memory of its attention grows with their square


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
    def stride(self) -> int:
        """Number of samples from one frame to the next."""
        if self.family == WHISPER:
            return 320
        return prod(map(int, self.config.conv_stride)) * int(getattr(self.config, "squeeze_factor", 1))

    @property
    def has_final_norm(self) -> bool:
        """Whether a layer norm follows the last transformer layer, as in the large sizes of wav2vec2 and HuBERT."""
        if self.family in (SEW, DATA2VEC):
            return False
        return self.family in (CONFORMER, WHISPER) or bool(self.config.do_stable_layer_norm)

    @property
    def digest(self) -> str:
        """SHA-256 of the configuration and the weights."""
        return digest_of(self.folder)

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the weights file; of several files, that of their digests."""
        digests = [*weight_digests(self.folder).values()]
        return digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()

    @property
    def card(self) -> Card | None:
        """Card of a folder that serkit exported; None for others, of whose training nothing is known.

        Raises:
            RecipeError: If the card is damaged, or belongs to other weights than those in the folder.
        """
        return read_folder_card(self.folder)


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
    return _open(model, revision, state_of(Path(model)))


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
    network = read_weights(auto, checkpoint, config) if has_weights else _random_network(auto, checkpoint, config)
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
    weight_shapes(checkpoint.folder)
    try:
        with quiet_transformers():
            network, about = auto.from_pretrained(
                checkpoint.folder, config=config, use_safetensors=True, local_files_only=True, output_loading_info=True
            )
    except Exception as error:  # transformers raises errors of any kind where the files do not fit together
        is_size = any(words in str(error) for words in ("ignore_mismatched_sizes", "size mismatch"))
        why = "weights have other sizes" if is_size else first_line(error)
        raise RecipeError(
            f"transformers cannot read the checkpoint {checkpoint.model!r} ({why}): {CONFIG} and the weights do not "
            "fit together."
        ) from error
    missing = sorted(name for name in about["missing_keys"] if "masked_spec_embed" not in name)
    if missing:
        raise RecipeError(
            f"the checkpoint {checkpoint.model!r} lacks {len(missing)} weights, such as {missing[0]}: they would stay "
            "random. Use a checkpoint of the whole encoder."
        )
    return network


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Turn off transformers' warnings and progress bars; serkit says itself what is wrong."""
    logging = transformers_class("logging")
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


def _random_network(auto: Any, checkpoint: PretrainedCheckpoint, config: Any) -> Any:
    try:
        return auto.from_config(config)
    except Exception as error:  # transformers checks a configuration with errors of many kinds
        raise RecipeError(
            f"transformers cannot build the network of {checkpoint.model!r} from its {CONFIG} ({first_line(error)})."
        ) from error


@cache
def _open(model: str, revision: str, state: object) -> PretrainedCheckpoint:
    """Open a checkpoint; once for each state of a local folder, which may be written again."""
    read = transformers_class("AutoConfig").from_pretrained
    folder = find_folder(model, revision)
    family = read_config(folder).get("model_type")
    if family not in FAMILIES:
        raise RecipeError(f"{model!r} is of the family {family!r}; serkit supports {', '.join(FAMILIES)}.")
    prepared = read_preprocessing(folder)
    rate, is_normalized = prepared.get("sampling_rate", 16_000), prepared.get("do_normalize", True)
    if type(rate) is not int or not 1 <= rate <= _HIGHEST_RATE or type(is_normalized) is not bool:
        raise RecipeError(
            f"the preprocessor settings of {model!r} are damaged: sampling_rate is {rate!r}, do_normalize "
            f"{is_normalized!r}."
        )
    try:
        config = read(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # transformers checks a configuration with errors of many kinds
        raise RecipeError(
            f"{str(folder)!r} is not a checkpoint of transformers: it cannot read {CONFIG} ({first_line(error)})."
        ) from error
    if getattr(config, "add_adapter", False):
        raise RecipeError(f"{model!r} has an adapter that drops frames, which serkit does not support.")
    return PretrainedCheckpoint(model, folder, config, family, rate, is_normalized)


def transformers_class(name: str) -> Any:
    """Return a class, or another part, of transformers.

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
    for file in sorted(Path(__file__).parent.glob("*.py")):
        code.update(file.read_bytes())
    return f"{transformers_class('__version__')} {code.hexdigest()}"
