"""A transformer encoder, which the hong-zhao report considers."""

from dataclasses import dataclass

from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.self_attention import Positions, SelfAttention
from serkit.lab.models.blocks.sequence_steps import SequenceSteps
from serkit.lab.models.body import LONGEST_ATTENDED, Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class TransformerConfig(BodyConfig):
    """Settings of :class:`Transformer`.

    Attributes:
        width: Numbers per step inside the network; a multiple of 2 and of ``heads``.
        heads: Heads of each self-attention layer.
        layers: Number of blocks.
        feedforward: Units of the dense layers within the blocks.
        step: Numbers of a vector per step; zeros pad the last step. With 16, each of the 53 steps of ``vector848`` has
            the numbers of one descriptor. Frames are steps already.
        embedding: D.
        dropout: Dropout rate after each part of a block and before the output layer.
    """

    width: int = 128
    heads: int = 4
    layers: int = 3
    feedforward: int = 256
    step: int = 1
    embedding: int = 128
    dropout: float = 0.1

    def __post_init__(self) -> None:
        require(
            self,
            heads=self.heads >= 1,
            width=self.width >= 2 and self.width % 2 == 0 and self.width % max(self.heads, 1) == 0,
            layers=self.layers >= 1,
            feedforward=self.feedforward >= 1,
            step=self.step >= 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "TransformerConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(width=32, heads=2, layers=2, feedforward=32, step=2, embedding=32, dropout=0.05)


class Transformer(Body):
    """Sinusoidal positions, blocks of self-attention and dense layers, and the mean over the steps.

    The encoder of A. Vaswani et al., Attention is all you need, NeurIPS 2017, with the layer norm before each part of a
    block instead of after it, so that training needs no warm-up: R. Xiong et al., On layer normalization in the
    transformer architecture, ICML 2020.

    The hong-zhao report considers a transformer for its vector of 848 numbers and does not build one; this one is ours,
    with one step per number by default, and :class:`.Scaling` before them. Reading frames is our addition too.
    """

    reads = ("vector", "frames")

    def __init__(self, layout: Layout, classes: int, config: TransformerConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.steps = SequenceSteps(layout, config.step)
        self.project = nn.Linear(self.steps.width, config.width)
        self.positions = Positions(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = Head(config.width, config.embedding, classes, dropout=config.dropout)
        self.embedding_size = config.embedding
        if layout.kind == "frames":
            self.maximum_duration = LONGEST_ATTENDED

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames, or vectors."""
        x, lengths = self.steps(self.scale(features, lengths), lengths)  # (B, C, N)
        mask = frame_mask(lengths, x.shape[2])
        x = self.dropout(self.positions(self.project(x.transpose(1, 2))))  # (B, N, width)
        for block in self.blocks:
            x = block(x, mask)
        x = self.norm(x) * mask[..., None]
        output: Output = self.head(x.sum(1) / lengths[:, None])  # (B, width)
        return output


class EncoderBlock(nn.Module):
    """Self-attention, then two dense layers applied to each step, (B, N, D) to (B, N, D).

    In evaluation it equals :class:`torch.nn.TransformerEncoderLayer` with ``norm_first``.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.width)
        self.attention = SelfAttention(config.width, config.heads)
        self.dense_norm = nn.LayerNorm(config.width)
        self.dense = nn.Sequential(
            nn.Linear(config.width, config.feedforward),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feedforward, config.width),
        )
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Process the valid steps; ``mask`` is (B, N), True where a step is valid."""
        x = x + self.dropout(self.attention(self.attention_norm(x), mask))
        return x + self.dropout(self.dense(self.dense_norm(x)))  # type: ignore[no-any-return]
