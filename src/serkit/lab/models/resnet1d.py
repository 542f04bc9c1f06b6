"""A residual network of 18 layers with 1-D convolutions over a feature vector, from the hong-zhao report."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.initialization import start_as_he
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.sequence_steps import SequenceSteps
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require


@dataclass(frozen=True)
class ResNet1dConfig(BodyConfig):
    """Settings of :class:`ResNet1d`.

    Attributes:
        channels: Channels of each stage; every stage but the first halves the sequence. The last number is the size of
            the embedding.
        blocks: Number of residual blocks in each stage.
    """

    channels: tuple[int, ...] = (64, 128, 256, 512)
    blocks: tuple[int, ...] = (2, 2, 2, 2)

    def __post_init__(self) -> None:
        require(
            self,
            channels=bool(self.channels) and min(self.channels) >= 1,
            blocks=len(self.blocks) == len(self.channels) and min(self.blocks) >= 1,
        )

    @classmethod
    def tiny(cls) -> "ResNet1dConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(channels=(8, 16), blocks=(2, 1))


class ResNet1d(Body):
    """ResNet-18 over the numbers of a vector, read in order as one channel.

    K. He et al., Deep residual learning for image recognition, CVPR 2016: a convolution of 7, four stages of two
    blocks of two convolutions of 3, the mean over the last sequence, and one dense layer.

    The hong-zhao report rebuilds ResNet with 1-D convolutions over its vector of 848 numbers. It gives no number of
    layers; ours is the paper's smallest network, with a kernel of k in place of k x k. It does not say how it scales
    the numbers; ours: :class:`~serkit.lab.models.blocks.scaling.Scaling`.
    """

    reads = ("vector",)

    def __init__(self, layout: Layout, classes: int, config: ResNet1dConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.steps = SequenceSteps(layout)
        width = config.channels[0]
        self.stem = nn.Sequential(
            nn.Conv1d(self.steps.width, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.MaxPool1d(3, stride=2, padding=1),
        )
        blocks = []
        for stage, (channels, count) in enumerate(zip(config.channels, config.blocks, strict=True)):
            for i in range(count):
                blocks.append(ResidualBlock(width, channels, stride=2 if stage and not i else 1))
                width = channels
        self.blocks = nn.Sequential(*blocks)
        self.classify = nn.Linear(width, classes)
        self.embedding_size = width
        start_as_he(self.stem)
        start_as_he(self.blocks)

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify the vectors (B, F, 1)."""
        x, _ = self.steps(self.scale(features, lengths), lengths)  # (B, 1, F)
        embedding = self.blocks(self.stem(x)).mean(2)  # (B, channels)
        return Output(self.classify(embedding), embedding)


class ResidualBlock(nn.Module):
    """Two convolutions with a residual connection, (B, C, N) to (B, C', N / stride).

    The connection is the identity, or a convolution of 1 where the shape changes (the paper's option B).
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.Conv1d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm1d(outputs),
            nn.ReLU(),
            nn.Conv1d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm1d(outputs),
        )
        self.around: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            self.around = nn.Sequential(
                nn.Conv1d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm1d(outputs)
            )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        """Add the connection to the convolutions' output and rectify the sum."""
        return torch.relu(self.around(x) + self.residual(x))
