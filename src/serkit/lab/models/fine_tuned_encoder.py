"""A pretrained encoder that is fine-tuned: document D's wav2vec2, and any other of transformers'."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from serkit.errors import MissingExtraError, RecipeError
from serkit.lab.encoders.pretrained import WHISPER
from serkit.lab.encoders.waveform_encoder import Encoder, open_encoder
from serkit.lab.features import Layout
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.contract import Body, BodyConfig, Output
from serkit.lab.models.crnn import AttentiveStatistics
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask

_ATTENTION = ("q_proj", "v_proj")
_TARGETS = {  # of LoRA, where an attention's projections have other names, or are read past their modules
    "wav2vec2-conformer": ("linear_q", "linear_v"),
    "wavlm": ("intermediate_dense", "output_dense"),
}
_USED_BY = {  # settings that mean nothing to other tunings
    "last_layers": ("last",),
    "trains_convolutions": ("full",),
    "lora_rank": ("lora",),
    "lora_alpha": ("lora",),
    "lora_dropout": ("lora",),
    "lora_targets": ("lora",),
    "lr_decay": ("full", "last", "lora"),
    "checkpointing": ("full", "last", "lora"),
}


@dataclass(frozen=True)
class FineTunedEncoderConfig(BodyConfig):
    """Settings of :class:`FineTunedEncoder`.

    Attributes:
        model: A folder, or a name on the Hugging Face hub.
        revision: Of a hub name; empty for the newest.
        tuning: What of the encoder is trained: ``full``, ``last`` layers, ``lora``, or nothing: ``frozen``, for which
            the feature ``ssl`` is faster, since it is computed once.
        last_layers: How many, of ``last``.
        trains_convolutions: Whether ``full`` trains the convolutions before the transformer layers too.
        lora_rank: Of the matrices that are added (Hu et al., LoRA, ICLR 2022).
        lora_alpha: Their weight is this over the rank.
        lora_dropout: Before them.
        lora_targets: Names of the linear layers that get them; empty for queries and values, or in WavLM, which reads
            those past their modules, the feed-forward layers.
        layers: The ``last`` layer's frames, or a ``weighted`` sum of all layers', learned.
        pooling: ``mean`` over frames and a linear layer, as transformers' own classifiers have it, or ``attentive``
            statistics and a hidden layer.
        embedding: D.
        dropout: Before the output layer.
        lr_decay: Each layer takes this times the learning rate of the one above it; the head takes the whole.
        checkpointing: Whether to compute layers again for their gradients, for less memory and more time.
    """

    has_weights: ClassVar[bool] = True

    model: str = ""
    revision: str = ""
    tuning: Literal["full", "last", "lora", "frozen"] = "full"
    last_layers: int = 2
    trains_convolutions: bool = False
    lora_rank: int = 8
    lora_alpha: float = 16.0
    lora_dropout: float = 0.0
    lora_targets: tuple[str, ...] = ()
    layers: Literal["last", "weighted"] = "last"
    pooling: Literal["mean", "attentive"] = "mean"
    embedding: int = 256
    dropout: float = 0.0
    lr_decay: float = 1.0
    checkpointing: bool = False

    def __post_init__(self) -> None:
        require(
            self,
            tuning=self.tuning in ("full", "last", "lora", "frozen"),
            last_layers=self.last_layers >= 1,
            lora_rank=self.lora_rank >= 1,
            lora_alpha=self.lora_alpha > 0,
            lora_dropout=0 <= self.lora_dropout < 1,
            layers=self.layers in ("last", "weighted"),
            pooling=self.pooling in ("mean", "attentive"),
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
            lr_decay=0 < self.lr_decay <= 1,
        )
        for setting in fields(self):
            used_by = _USED_BY.get(setting.name, (self.tuning,))
            if self.tuning not in used_by and getattr(self, setting.name) != setting.default:
                raise RecipeError(
                    f"{setting.name} is for tuning {' or '.join(used_by)}, and this one is {self.tuning}."
                )

    @classmethod
    def tiny(cls) -> "FineTunedEncoderConfig":
        """A narrow head; ``model`` is to be named."""
        return cls(embedding=16)

    def without_files(self) -> "FineTunedEncoderConfig":
        """Return the settings of an encoder whose weights are not read, though its settings are."""
        return _EncoderFamily(**asdict(self))


class _EncoderFamily(FineTunedEncoderConfig):
    has_weights = False


class FineTunedEncoder(Body):
    """An encoder of transformers and a head over its frames, from the waveform; padding changes nothing.

    Waveforms (B, 1, T) to logits (B, C) and embedding (B, D). With mean pooling it is what transformers calls
    ``...ForSequenceClassification``; see :mod:`serkit.lab.export.transformers_folder`. Where padding would change
    the encoder's output, each batch holds utterances of one length.
    """

    def __init__(self, layout: Layout, classes: int, config: FineTunedEncoderConfig) -> None:
        super().__init__(layout, classes, config)
        if layout.names != ("waveform",):
            raise RecipeError(
                f"ssl reads the waveform itself, not {' + '.join(layout.names)}: set features to waveform; frames of "
                "an encoder that stays as it is are the feature ssl, which other models read."
            )
        self.encoder: Encoder = open_encoder(config.model, config.revision, has_weights=config.has_weights)
        layout.check_rate(self.encoder.checkpoint.sampling_rate, config.model)
        if config.tuning == "last":
            require(config, last_layers=config.last_layers <= self.encoder.layers)
        self.embedding_size = config.embedding
        self._choose_weights()
        if config.checkpointing:
            network: Any = self.encoder.network
            newer = getattr(network, "activation_checkpointing_enable", None)  # alone from transformers 6 on
            (newer or network.gradient_checkpointing_enable)({"use_reentrant": False})
        states = self.encoder.layers + 1
        self.shares = nn.Parameter(torch.zeros(states)) if config.layers == "weighted" else None
        if config.pooling == "mean":
            self.project = nn.Linear(self.encoder.size, config.embedding)
            self.classify = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.embedding, classes))
        else:
            self.pool = AttentiveStatistics(self.encoder.size)
            self.head = Head(2 * self.encoder.size, config.embedding, classes, dropout=config.dropout)

    evaluation_batch = 8  # its frames are large: the first convolution gives 512 numbers for 5 samples

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether padding changes what a model file answers."""
        return self.encoder.needs_equal_lengths

    def train(self, mode: bool = True) -> "FineTunedEncoder":
        """Set training mode; what stays as it is drops nothing, and keeps its batch norm's statistics."""
        super().train(mode)
        for module in self.encoder.modules():
            if module is not self.encoder and not any(weight.requires_grad for weight in module.parameters()):
                module.eval()
        if self.config.tuning == "frozen":
            self.encoder.eval()
        return self

    def rates(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return the weights to train and the share of the learning rate that they take, less with every layer down."""
        layers = self._layers()
        depth_of = {id(weight): len(layers) + 1 for weight in self.encoder.parameters()}
        depth_of |= {id(weight): 1 for weight in self._behind_layers()}
        for depth, layer in enumerate(reversed(layers), 1):
            depth_of |= {id(weight): depth for weight in layer.parameters()}
        groups: dict[float, list[nn.Parameter]] = {}
        for weight in self.parameters():
            if weight.requires_grad:
                groups.setdefault(self.config.lr_decay ** depth_of.get(id(weight), 0), []).append(weight)
        return list(groups.items())

    def settle(self) -> None:
        """Put what LoRA has learned into the weights that it stands beside, which then stand alone."""
        for name, module in [*self.encoder.named_modules()]:
            if hasattr(module, "merge") and hasattr(module, "get_base_layer"):
                module.merge()
                self.encoder.set_submodule(name, module.get_base_layer())

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid samples."""
        with torch.no_grad() if self.config.tuning == "frozen" else nullcontext():
            states, counts = self.encoder(features[:, 0], lengths)
        x = states[-1]  # (B, N, E)
        if self.shares is not None:
            x = (torch.stack(states, -1) * self.shares.softmax(0)).sum(-1)
        mask = frame_mask(counts, x.shape[1]).to(x.dtype)  # (B, N)
        if self.config.pooling == "mean":
            embedding = (self.project(x) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
            return Output(self.classify(embedding), embedding)
        output = self.head(self.pool(x.transpose(1, 2), mask[:, None]))
        assert isinstance(output, Output)
        return output

    def _layers(self) -> list[nn.Module]:
        """Return the transformer layers, the lowest first."""
        network: Any = self.encoder.network
        return list(network.layers if self.encoder.checkpoint.family == WHISPER else network.encoder.layers)

    def _behind_layers(self) -> Iterator[nn.Parameter]:
        """Yield the weights of a norm that stands behind the last layer, where there is one."""
        network: Any = self.encoder.network
        if self.encoder.checkpoint.family == WHISPER:
            yield from network.layer_norm.parameters()
        elif getattr(self.encoder.checkpoint.config, "do_stable_layer_norm", False):
            yield from network.encoder.layer_norm.parameters()

    def _choose_weights(self) -> None:
        """Say which of the encoder's weights are trained, and add LoRA's."""
        config, encoder = self.config, self.encoder
        if config.tuning == "lora":
            self._add_lora()
        else:
            self._choose_own()
        convolutions: Any = getattr(encoder.network, "feature_extractor", None)
        if convolutions is not None and not any(weight.requires_grad for weight in convolutions.parameters()):
            convolutions._freeze_parameters()  # else transformers takes gradients down to the waveform

    def _choose_own(self) -> None:
        """Say which of the checkpoint's own weights are trained."""
        config, encoder = self.config, self.encoder
        kept = {id(weight) for weight in self._untrained()} if config.tuning == "full" else set()
        chosen = self._layers()[-config.last_layers :] if config.tuning == "last" else []
        trained = {id(weight) for layer in chosen for weight in layer.parameters()}
        for name, weight in encoder.named_parameters():
            is_trained = config.tuning == "full" and id(weight) not in kept and "masked_spec_embed" not in name
            # a position table that is fixed stays fixed
            weight.requires_grad_(weight.requires_grad and (is_trained or id(weight) in trained))

    def _untrained(self) -> Iterator[nn.Parameter]:
        """Yield what full fine-tuning leaves as it is unless asked: the convolutions that make the frames."""
        network: Any = self.encoder.network
        if not self.config.trains_convolutions:
            is_whisper = self.encoder.checkpoint.family == WHISPER
            for part in (network.conv1, network.conv2) if is_whisper else (network.feature_extractor,):
                yield from part.parameters()

    def _add_lora(self) -> None:
        try:
            from peft import LoraConfig, inject_adapter_in_model
        except ImportError as error:
            raise MissingExtraError("LoRA", "ssl") from error
        config, family = self.config, self.encoder.checkpoint.family
        targets = config.lora_targets or _TARGETS.get(family, _ATTENTION)
        if family == "wavlm" and {*targets} & {"q_proj", "k_proj", "v_proj", "out_proj"}:
            raise RecipeError(
                "lora_targets: WavLM reads its attention's projections past their modules, so LoRA would do nothing "
                f"there; take {' and '.join(_TARGETS[family])}."
            )
        lora = LoraConfig(
            r=config.lora_rank, lora_alpha=config.lora_alpha, lora_dropout=config.lora_dropout,
            target_modules=list(targets),
        )  # fmt: skip
        try:
            inject_adapter_in_model(lora, self.encoder.network)
        except ValueError as error:
            raise RecipeError(
                f"lora_targets: {self.encoder.checkpoint.model!r} has no {', '.join(targets)}."
            ) from error
