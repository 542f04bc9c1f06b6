"""AlexNet with 1-D convolutions over a feature vector, from the hong-zhao report."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.initialization import start_as_he
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.sequence_steps import SequenceSteps
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require

_KERNELS = (11, 5, 3, 3, 3)
_FIRST_STRIDE = 4
_POOLED = (0, 1, 4)  # convolutions that a max-pool follows
_SEGMENTS = 6  # length of the last sequence; AlexNet keeps 6 x 6 of its picture


@dataclass(frozen=True)
class AlexNet1dConfig(BodyConfig):
    """Settings of :class:`AlexNet1d`.

    Attributes:
        channels: Channels of the five convolutions.
        dense: Units of each of the two hidden dense layers; the second one is the embedding.
        dropout: Dropout rate after each hidden dense layer.
    """

    channels: tuple[int, ...] = (64, 192, 384, 256, 256)
    dense: int = 4096
    dropout: float = 0.5

    def __post_init__(self) -> None:
        require(
            self,
            channels=len(self.channels) == len(_KERNELS) and min(self.channels) >= 1,
            dense=self.dense >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "AlexNet1dConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(channels=(16, 16, 16, 16, 16), dense=64, dropout=0.05)


class AlexNet1d(Body):
    """Five convolutions and three dense layers over the numbers of a vector, read in order as one channel.

    The layout is that of AlexNet with one tower and without local response normalization: A. Krizhevsky et al.,
    ImageNet classification with deep convolutional neural networks, NIPS 2012; A. Krizhevsky, One weird trick for
    parallelizing convolutional neural networks, 2014; channels as in torchvision.

    The hong-zhao report rebuilds AlexNet with 1-D convolutions over its vector of 848 numbers. It gives no kernels,
    channels and units; ours are AlexNet's, with a kernel of k in place of k x k. It does not say how it scales the
    numbers; ours: :class:`.Scaling`. Convolutions and pooling pad by half a kernel, so that a vector of any size will
    do, and the last sequence is averaged to six segments, as in torchvision. Hidden layers start with He's weights,
    not with Gaussian ones of deviation 0.01.
    """

    reads = ("vector",)

    def __init__(self, layout: Layout, classes: int, config: AlexNet1dConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.steps = SequenceSteps(layout)
        layers: list[nn.Module] = []
        width, size = self.steps.width, layout.size
        for i, (channels, kernel) in enumerate(zip(config.channels, _KERNELS, strict=True)):
            stride = _FIRST_STRIDE if i == 0 else 1
            layers += [nn.Conv1d(width, channels, kernel, stride=stride, padding=kernel // 2), nn.ReLU()]
            width, size = channels, (size - 1) // stride + 1
            if i in _POOLED:
                layers.append(nn.MaxPool1d(3, stride=2, padding=1))
                size = (size + 1) // 2
        self.convolutions = nn.Sequential(*layers)
        self.average = SegmentMeans(size, _SEGMENTS)
        self.dense = nn.Sequential(
            nn.Linear(width * _SEGMENTS, config.dense), nn.ReLU(), nn.Dropout(config.dropout)
        )  # fmt: skip
        self.head = Head(config.dense, config.dense, classes, dropout=config.dropout)
        self.embedding_size = config.dense
        start_as_he(self.convolutions)
        start_as_he(self.dense)

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify the vectors (B, F, 1)."""
        x, _ = self.steps(self.scale(features, lengths), lengths)  # (B, 1, F)
        x = self.average(self.convolutions(x))  # (B, channels, 6)
        output: Output = self.head(self.dense(x.flatten(1)))
        return output


class SegmentMeans(nn.Module):
    """Means over segments of a sequence of known size: (B, C, size) to (B, C, segments).

    The segments are those of :class:`torch.nn.AdaptiveAvgPool1d`, which cannot be exported where segments overlap.
    """

    weights: Tensor

    def __init__(self, size: int, segments: int) -> None:
        super().__init__()
        weights = torch.zeros(size, segments)
        for i in range(segments):
            start, stop = i * size // segments, -(-(i + 1) * size // segments)
            weights[start:stop, i] = 1 / (stop - start)
        self.register_buffer("weights", weights, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Average each segment."""
        return torch.matmul(x, self.weights)
