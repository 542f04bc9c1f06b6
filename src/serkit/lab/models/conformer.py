"""A small Conformer: the hybrid of convolutions and a transformer in the outlook of the emodb-xlsr report.

A. Gulati et al.: Conformer: Convolution-augmented Transformer for Speech Recognition. Interspeech 2020.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.attentive_pooling import AttentiveStatistics
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.self_attention import Positions, SelfAttention
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class ConformerConfig(BodyConfig):
    """Settings of :class:`Conformer`.

    Attributes:
        stem: Channels of the two 2-D convolutions, which divide the frame rate by four.
        width: Numbers per step inside the blocks, even and a multiple of ``heads``.
        blocks: Number of Conformer blocks.
        heads: Heads of the self-attention.
        expansion: Units of a feed-forward module, as a multiple of ``width``.
        kernel: Kernel size of the convolution module in steps of four frames, odd.
        embedding: Size of the utterance embedding.
        dropout: Dropout rate in every module and around the embedding.
    """

    stem: int = 32
    width: int = 128
    blocks: int = 4
    heads: int = 4
    expansion: int = 4
    kernel: int = 15
    embedding: int = 128
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require(
            self,
            stem=self.stem >= 1,
            width=self.width >= 2 and self.width % 2 == 0,
            blocks=self.blocks >= 1,
            heads=self.heads >= 1 and self.width % self.heads == 0,
            expansion=self.expansion >= 1,
            kernel=self.kernel >= 1 and self.kernel % 2 == 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "ConformerConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(stem=4, width=16, blocks=2, heads=2, expansion=2, kernel=5, embedding=16, dropout=0.1)


class Conformer(Body):
    """Conformer blocks of self-attention and convolution over log-mel, then attentive statistics pooling.

    Two convolutions of stride 2 keep a quarter of the frames. A block is the paper's: half a feed-forward module,
    self-attention, convolution, the other half, layer norm. Attentive statistics pooling, as in
    :class:`~serkit.lab.models.crnn.Crnn`, turns the steps into one vector; padding changes nothing.

    Deviations: the paper recognizes words, with 10 to 119 million weights; this network is for small acted corpora and
    has 1.7 million, is narrower and shallower, and has a kernel of 15 instead of 32. Positions are absolute sines,
    added once, instead of relative ones in each attention; the convolutions see relative positions anyway. The
    emodb-xlsr report names no sizes.
    """

    def __init__(self, layout: Layout, classes: int, config: ConformerConfig) -> None:
        super().__init__(layout, classes, config)
        width = config.width
        self.scale = Scaling(layout.size)
        self.stem = nn.ModuleList(
            nn.Sequential(nn.Conv2d(inputs, config.stem, 3, stride=2, padding=1), nn.ReLU())
            for inputs in (1, config.stem)
        )
        self.project = nn.Linear(config.stem * ((layout.size + 3) // 4), width)
        self.positions = Positions(width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(_ConformerBlock(config) for _ in range(config.blocks))
        self.pool = AttentiveStatistics(width)
        self.head = Head(2 * width, config.embedding, classes, dropout=config.dropout, activation=nn.SiLU())
        self.embedding_size = config.embedding

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames."""
        x = self.scale(features, lengths)[:, None]  # (B, 1, F, N)
        for layer in self.stem:
            x, lengths = layer(x), (lengths + 1) // 2
            mask = frame_mask(lengths, x.shape[-1])
            x = x * mask[:, None, None, :].to(x.dtype)  # (B, stem, F', N')
        x = self.project(x.flatten(1, 2).transpose(1, 2))  # (B, N / 4, D)
        x = self.dropout(self.positions(x))
        for block in self.blocks:
            x = block(x, mask)
        pooled = self.pool(x.transpose(1, 2), mask[:, None, :])  # (B, 2 D)
        output: Output = self.head(self.dropout(pooled))
        return output


class _ConformerBlock(nn.Module):
    """One Conformer block: steps (B, N, D) and their mask (B, N) to steps (B, N, D)."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        width = config.width
        self.before = _feed_forward(config)
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, config.heads)
        self.dropout = nn.Dropout(config.dropout)
        self.convolution = _Convolution(config)
        self.behind = _feed_forward(config)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + 0.5 * self.before(x)
        x = x + self.dropout(self.attention(self.attention_norm(x), mask))
        x = x + self.dropout(self.convolution(x, mask))
        x = x + 0.5 * self.behind(x)
        y: Tensor = self.norm(x)
        return y


class _Convolution(nn.Module):
    """The convolution module: a gate, a depthwise convolution over time, batch norm and Swish."""

    def __init__(self, config: ConformerConfig) -> None:
        super().__init__()
        width, kernel = config.width, config.kernel
        self.norm = nn.LayerNorm(width)
        self.gate = nn.Sequential(nn.Linear(width, 2 * width), nn.GLU())
        self.depthwise = nn.Conv1d(width, width, kernel, padding=kernel // 2, groups=width, bias=False)
        self.batch_norm = nn.BatchNorm1d(width)
        self.activate = nn.SiLU()
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        valid = mask[:, None, :].to(x.dtype)  # (B, 1, N)
        x = self.gate(self.norm(x)).transpose(1, 2) * valid  # (B, D, N)
        x = self.activate(self.batch_norm(self.depthwise(x) * valid))
        y: Tensor = self.output(x.transpose(1, 2))
        return y


def _feed_forward(config: ConformerConfig) -> nn.Sequential:
    units = config.expansion * config.width
    return nn.Sequential(
        nn.LayerNorm(config.width),
        nn.Linear(config.width, units), nn.SiLU(), nn.Dropout(config.dropout),
        nn.Linear(units, config.width), nn.Dropout(config.dropout),
    )  # fmt: skip
