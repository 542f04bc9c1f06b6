"""``ssl``: a fine-tuned encoder of transformers, such as the wav2vec2 of the emodb-xlsr report."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from serkit.errors import MissingExtraError, RecipeError
from serkit.lab.encoders.pretrained_checkpoint import LONGEST_WINDOW, WHISPER
from serkit.lab.encoders.waveform_encoder import Encoder, open_encoder
from serkit.lab.features import Layout
from serkit.lab.models.blocks.attentive_pooling import AttentiveStatistics
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask

_ATTENTION = ("q_proj", "v_proj")
_TARGETS = {  # LoRA targets of families whose attention has other names or bypasses its projection modules
    "wav2vec2-conformer": ("linear_q", "linear_v"),
    "wavlm": ("intermediate_dense", "output_dense"),
}
_USED_BY = {  # the tunings that a setting applies to
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
        model: Folder of a checkpoint, or its name on the Hugging Face hub.
        revision: Branch, tag or commit of a hub name; empty for the newest.
        tuning: Trained part of the encoder: ``full``, the ``last`` layers, ``lora``, or nothing (``frozen``). The
            feature ``ssl`` is faster than ``frozen``, because it is computed only once.
        last_layers: Number of layers that ``last`` trains.
        trains_convolutions: Whether ``full`` also trains the convolutions before the transformer layers.
        lora_rank: Rank of the LoRA matrices (Hu et al., LoRA, ICLR 2022).
        lora_alpha: LoRA's scale; the matrices are weighted by ``lora_alpha / lora_rank``.
        lora_dropout: Dropout rate before the LoRA matrices.
        lora_targets: Names of the linear layers that get LoRA matrices; empty for queries and values, or for the
            feed-forward layers in WavLM, whose attention bypasses the modules of its projections.
        layers: ``last`` for the last layer's frames, ``weighted`` for a learned weighted sum over all layers.
        pooling: ``mean`` for the mean over frames and a linear layer, as in transformers' own classifiers;
            ``attentive`` for attentive statistics and a hidden layer.
        embedding: D.
        dropout: Dropout rate before the output layer.
        lr_decay: Factor on the learning rate from each layer to the one below it; the head takes the full rate.
        checkpointing: Whether gradient checkpointing saves memory at the cost of time.
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
                    f"{setting.name} is only for tuning {' or '.join(used_by)}, but tuning is {self.tuning}."
                )

    @classmethod
    def tiny(cls) -> "FineTunedEncoderConfig":
        """Return the settings of a narrow head; the caller must add ``model``."""
        return cls(embedding=16)

    def without_files(self) -> "FineTunedEncoderConfig":
        """Return settings with which only the checkpoint's configuration is read, not its weights."""
        return _FineTunedEncoderWithoutWeights(**asdict(self))


class _FineTunedEncoderWithoutWeights(FineTunedEncoderConfig):
    has_weights = False


class FineTunedEncoder(Body):
    """An encoder of transformers and a head over its frames; padding changes nothing.

    Waveforms (B, 1, T) to logits (B, C) and embedding (B, D). With mean pooling this is the network that transformers
    calls ``...ForSequenceClassification``; see :mod:`serkit.lab.exporting.transformers_folder`. Where padding would
    change the encoder's output, utterances are encoded in groups of equal length.
    """

    def __init__(self, layout: Layout, classes: int, config: FineTunedEncoderConfig) -> None:
        super().__init__(layout, classes, config)
        if layout.names != ("waveform",):
            raise RecipeError(
                f"the model ssl reads the waveform, not {' + '.join(layout.names)}: set features: [waveform]. For "
                "frames of a frozen encoder, use the feature ssl with another model."
            )
        self.encoder: Encoder = open_encoder(config.model, config.revision, has_weights=config.has_weights)
        layout.check_rate(self.encoder.checkpoint.sampling_rate, config.model)
        if config.tuning == "last":
            require(config, last_layers=config.last_layers <= self.encoder.layers)
        self.embedding_size = config.embedding
        self._choose_weights()
        if config.checkpointing:
            network: Any = self.encoder.network
            newer = getattr(network, "activation_checkpointing_enable", None)  # the only one from transformers 6 on
            (newer or network.gradient_checkpointing_enable)({"use_reentrant": False})
        states = self.encoder.layers + 1
        self.shares = nn.Parameter(torch.zeros(states)) if config.layers == "weighted" else None
        if config.pooling == "mean":
            self.project = nn.Linear(self.encoder.size, config.embedding)
            self.classify = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(config.embedding, classes))
        else:
            self.pool = AttentiveStatistics(self.encoder.size)
            self.head = Head(2 * self.encoder.size, config.embedding, classes, dropout=config.dropout)

    maximum_duration = LONGEST_WINDOW
    evaluation_batch = 8  # its frames are large: the first convolution gives 512 numbers per 5 samples

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether padding changes the output of an exported model file."""
        return self.encoder.needs_equal_lengths

    def train(self, mode: bool = True) -> "FineTunedEncoder":
        """Set training or evaluation mode; frozen modules stay in evaluation mode."""
        super().train(mode)
        for module in self.encoder.modules():
            if module is not self.encoder and not any(weight.requires_grad for weight in module.parameters()):
                module.eval()
        if self.config.tuning == "frozen":
            self.encoder.eval()
        return self

    def rates(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return the weights to train in groups, with their factors on the learning rate, smaller for lower layers."""
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
        """Merge LoRA's matrices into the weights that they adapt, and remove them."""
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
        """Return the transformer layers from the lowest to the highest."""
        network: Any = self.encoder.network
        return list(network.layers if self.encoder.checkpoint.family == WHISPER else network.encoder.layers)

    def _behind_layers(self) -> Iterator[nn.Parameter]:
        """Yield the weights of the layer norm after the last layer, where there is one."""
        network: Any = self.encoder.network
        if self.encoder.checkpoint.family == WHISPER:
            yield from network.layer_norm.parameters()
        elif self.encoder.checkpoint.has_final_norm:
            yield from network.encoder.layer_norm.parameters()

    def _choose_weights(self) -> None:
        """Mark the encoder's weights as trained or frozen, and add LoRA's."""
        config, encoder = self.config, self.encoder
        if config.tuning == "lora":
            self._add_lora()
        else:
            self._choose_own()
        convolutions: Any = getattr(encoder.network, "feature_extractor", None)
        if convolutions is not None and not any(weight.requires_grad for weight in convolutions.parameters()):
            convolutions._freeze_parameters()  # otherwise transformers computes gradients down to the waveform

    def _choose_own(self) -> None:
        """Mark the checkpoint's own weights as trained or frozen."""
        config, encoder = self.config, self.encoder
        kept = {id(weight) for weight in self._untrained()} if config.tuning == "full" else set()
        chosen = self._layers()[-config.last_layers :] if config.tuning == "last" else []
        trained = {id(weight) for layer in chosen for weight in layer.parameters()}
        for name, weight in encoder.named_parameters():
            is_trained = config.tuning == "full" and id(weight) not in kept and "masked_spec_embed" not in name
            # a fixed position table stays fixed
            weight.requires_grad_(weight.requires_grad and (is_trained or id(weight) in trained))

    def _untrained(self) -> Iterator[nn.Parameter]:
        """Yield the weights that full fine-tuning leaves frozen: the convolutions, unless the settings train them."""
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
                "lora_targets: WavLM's attention bypasses the modules of its projections, so LoRA would have no "
                f"effect there; use {' and '.join(_TARGETS[family])}."
            )
        lora = LoraConfig(
            r=config.lora_rank, lora_alpha=config.lora_alpha, lora_dropout=config.lora_dropout,
            target_modules=list(targets),
        )  # fmt: skip
        try:
            inject_adapter_in_model(lora, self.encoder.network)
        except ValueError as error:
            raise RecipeError(
                f"lora_targets: {self.encoder.checkpoint.model!r} has no modules named {', '.join(targets)}."
            ) from error
