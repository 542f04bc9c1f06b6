"""A network of self-attention layers, from the hong-zhao report."""

from dataclasses import dataclass

import torch
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
class AttentionConfig(BodyConfig):
    """Settings of :class:`Attention`.

    Attributes:
        width: Numbers per step inside the network; a multiple of 2 and of ``heads``.
        heads: Heads of each self-attention layer.
        layers: Number of self-attention layers.
        step: Numbers of a vector per step; zeros pad the last step. With 16, each of the 53 steps of ``vector848`` has
            the numbers of one descriptor. Frames are steps already.
        embedding: D.
        dropout: Dropout rate after each layer and before the output layer.
    """

    width: int = 128
    heads: int = 4
    layers: int = 2
    step: int = 1
    embedding: int = 128
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require(
            self,
            heads=self.heads >= 1,
            width=self.width >= 2 and self.width % 2 == 0 and self.width % max(self.heads, 1) == 0,
            layers=self.layers >= 1,
            step=self.step >= 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "AttentionConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(width=32, heads=2, layers=2, step=2, embedding=32, dropout=0.05)


class Attention(Body):
    """Self-attention layers, each with a residual connection and a layer norm, then attention pooling over the steps.

    Self-attention is that of A. Vaswani et al., Attention is all you need, NeurIPS 2017, without its dense layers. The
    pooling weighs each step by a small network: D. Bahdanau et al., Neural machine translation by jointly learning to
    align and translate, ICLR 2015.

    The hong-zhao report has a self-attention network over its vector of 848 numbers and does not describe its layers;
    ours are the above, one step per number by default, and :class:`.Scaling`. Attention ignores the order of its steps,
    but a number of a vector means something only by its place, so sinusoidal positions are added to the steps. Reading
    frames is our addition.
    """

    reads = ("vector", "frames")

    def __init__(self, layout: Layout, classes: int, config: AttentionConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.steps = SequenceSteps(layout, config.step)
        self.project = nn.Linear(self.steps.width, config.width)
        self.positions = Positions(config.width)
        self.layers = nn.ModuleList(SelfAttention(config.width, config.heads) for _ in range(config.layers))
        self.norms = nn.ModuleList(nn.LayerNorm(config.width) for _ in range(config.layers))
        self.pool = AdditivePooling(config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(config.width, config.embedding, classes, dropout=config.dropout)
        self.embedding_size = config.embedding
        if layout.kind == "frames":
            self.maximum_duration = LONGEST_ATTENDED

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames, or vectors."""
        x, lengths = self.steps(self.scale(features, lengths), lengths)  # (B, C, N)
        mask = frame_mask(lengths, x.shape[2])
        x = self.positions(self.project(x.transpose(1, 2)))  # (B, N, width)
        for attend, norm in zip(self.layers, self.norms, strict=True):
            x = norm(x + self.dropout(attend(x, mask)))
        output: Output = self.head(self.pool(x, mask))
        return output


class AdditivePooling(nn.Module):
    """Weighted mean over steps, (B, N, D) to (B, D); a small network scores each step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1, bias=False))

    def weigh(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the weight of each step, (B, N): 0 where ``mask`` is False, with a sum of 1 per utterance."""
        weights: Tensor = self.score(x)[..., 0].masked_fill(~mask, -torch.inf).softmax(1)
        return weights

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool the valid steps; ``mask`` is (B, N), True where a step is valid."""
        return torch.matmul(self.weigh(x, mask)[:, None], x)[:, 0]
