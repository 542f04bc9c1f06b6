"""A compact convolutional-recurrent network, ours: the model for small acted corpora.

A 2-D stem over time and frequency finds local spectral patterns and halves the frame rate, dilated
residual 1-D convolutions widen the view to about a second, a bidirectional GRU orders it, and attentive
statistics pooling (Okabe et al., Interspeech 2018) weighs the frames that carry the emotion. With
``recurrent: 0`` the GRU is left out: on a CPU the time it takes is better spent on a finer frame rate.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.recurrence import Recurrent
from serkit.lab.models.contract import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class CrnnConfig(BodyConfig):
    """Settings of :class:`Crnn`.

    Attributes:
        stem: Channels of the 2-D convolutions; each halves the bands.
        halvings: How many of them halve the frame rate too.
        channels: Width of the residual 1-D convolutions.
        dilations: One residual block each.
        recurrent: Units of the GRU in each direction; 0 leaves it out.
        embedding: D.
        dropout: Before the embedding and the classifier.
    """

    stem: tuple[int, ...] = (16, 32, 48)
    halvings: int = 3
    channels: int = 192
    dilations: tuple[int, ...] = (1, 2, 4)
    recurrent: int = 96
    embedding: int = 128
    dropout: float = 0.3

    def __post_init__(self) -> None:
        require(
            self,
            stem=bool(self.stem) and min(self.stem) >= 1,
            halvings=self.halvings >= 0,
            channels=self.channels >= 1,
            dilations=all(dilation >= 1 for dilation in self.dilations),
            recurrent=self.recurrent >= 0,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "CrnnConfig":
        """The smallest network with every part, for tests."""
        return cls(stem=(4, 8), channels=16, dilations=(1, 2), recurrent=8, embedding=16, dropout=0.1)


class Crnn(Body):
    """Convolutions over log-mel, a bidirectional GRU and attentive statistics pooling.

    Frames (B, F, N) to logits (B, C) and embedding (B, D); padding changes nothing.
    """

    def __init__(self, layout: Layout, classes: int, config: CrnnConfig) -> None:
        super().__init__(layout, classes, config)
        trunk = Trunk(layout.size, config)
        self.stem, self.project, self.blocks, self.halvings = trunk.stem, trunk.project, trunk.blocks, trunk.halvings
        self.recurrent = Recurrent(config.channels, config.recurrent) if config.recurrent else None
        width = 2 * config.recurrent or config.channels
        self.pool = AttentiveStatistics(width)
        self.embedding_size = config.embedding
        self.embed = nn.Sequential(
            nn.BatchNorm1d(2 * width), nn.Dropout(config.dropout), nn.Linear(2 * width, config.embedding)
        )
        self.classify = nn.Sequential(
            nn.BatchNorm1d(config.embedding),
            nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.embedding, classes),
        )

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames."""
        x, lengths = read_frames(self, features, lengths)  # (B, channels, N')
        mask = frame_mask(lengths, x.shape[-1])[:, None, :].to(x.dtype)  # (B, 1, N')
        if self.recurrent is not None:
            x = self.recurrent(x, lengths)
        embedding = self.embed(self.pool(x, mask))
        return Output(self.classify(embedding), embedding)


class Trunk(nn.Module):
    """The convolutions alone: frames (B, F, N) and their lengths to frames (B, channels, N') and theirs.

    :class:`Crnn` holds their layers as its own, under the names that its weights always had.

    Args:
        size: F.
        config: Its stem, halvings, channels and dilations.
    """

    def __init__(self, size: int, config: CrnnConfig) -> None:
        super().__init__()
        channels = (1, *config.stem)
        self.stem = nn.ModuleList(
            _convolution_2d(a, b, stride=(2, 2 if i < config.halvings else 1))
            for i, (a, b) in enumerate(pairwise(channels))
        )
        self.halvings = config.halvings
        for _ in config.stem:
            size = (size + 1) // 2
        self.project = _convolution_1d(channels[-1] * size, config.channels, kernel=1)
        self.blocks = nn.ModuleList(_ResidualBlock(config.channels, dilation) for dilation in config.dilations)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Read utterances of ``lengths`` valid frames; behind an utterance's end there is zero."""
        return read_frames(self, features, lengths)


def read_frames(layers: Trunk | Crnn, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Put frames (B, F, N) through the convolutions of a network; see :class:`Trunk`."""
    x = features[:, None]  # (B, 1, F, N)
    for i, layer in enumerate(layers.stem):
        if i < layers.halvings:
            lengths = (lengths + 1) // 2
        x = layer(x)
        mask = frame_mask(lengths, x.shape[-1])[:, None, :].to(x.dtype)  # (B, 1, N')
        x = x * mask[:, None]
    x = layers.project(x.flatten(1, 2)) * mask  # (B, channels, N')
    for block in layers.blocks:
        x = block(x, mask)
    return x, lengths


class AttentiveStatistics(nn.Module):
    """Weighted mean and deviation over frames: (B, C, N) to (B, 2C), one weight per frame and channel."""

    def __init__(self, width: int, bottleneck: int = 64) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(width, bottleneck, 1), nn.Tanh(), nn.Conv1d(bottleneck, width, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool the valid frames; ``mask`` is (B, 1, N), 1.0 where a frame is valid."""
        weights = self.score(x).masked_fill(mask == 0, -torch.inf).softmax(-1)
        mean = (weights * x).sum(-1)
        variance = (weights * (x - mean[..., None]).square()).sum(-1)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = _convolution_1d(channels, channels, kernel=3, dilation=dilation)
        self.second = nn.Sequential(nn.Conv1d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm1d(channels))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.second(self.first(x) * mask)
        return torch.relu(x + y) * mask


def _convolution_2d(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _convolution_1d(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2 * dilation, dilation=dilation, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
    )
