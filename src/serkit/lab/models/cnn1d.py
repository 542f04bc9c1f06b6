"""A convolutional network over time, from the crema-cnn report."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.sequence_steps import SequenceSteps
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class Cnn1dConfig(BodyConfig):
    """Settings of :class:`Cnn1d`.

    Attributes:
        channels: Channels of each block's convolution; each block halves the sequence.
        kernel: Frames that a convolution reads, odd.
        embedding: D.
        dropout: Dropout rate after each block and before the output layer.
    """

    channels: tuple[int, ...] = (64, 128, 256, 256)
    kernel: int = 5
    embedding: int = 128
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require(
            self,
            channels=bool(self.channels) and min(self.channels) >= 1,
            kernel=self.kernel >= 1 and self.kernel % 2 == 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "Cnn1dConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(channels=(16, 16), kernel=3, embedding=32, dropout=0.05)


class Cnn1d(Body):
    """Blocks of convolution, batch norm, ReLU, max-pooling and dropout, then mean and maximum over time.

    The crema-cnn report has a 1-D CNN over zero-crossing rate, energy, RMS, chroma and MFCC. It gives no number of
    layers and units; ours are the defaults. It does not say how utterances of different lengths fit a dense layer;
    ours: mean and maximum over the valid frames. :class:`~serkit.lab.models.blocks.scaling.Scaling` standardizes the
    features. Reading a vector, as a sequence of one channel, is our addition.
    """

    reads = ("frames", "vector")

    def __init__(self, layout: Layout, classes: int, config: Cnn1dConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.steps = SequenceSteps(layout)
        self.convolutions = nn.ModuleList()
        width = self.steps.width
        for channels in config.channels:
            convolution = nn.Conv1d(width, channels, config.kernel, padding=config.kernel // 2, bias=False)
            self.convolutions.append(nn.Sequential(convolution, nn.BatchNorm1d(channels), nn.ReLU()))
            width = channels
        self.pool = nn.MaxPool1d(2, ceil_mode=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(2 * width, config.embedding, classes, dropout=config.dropout)
        self.embedding_size = config.embedding

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames, or vectors."""
        x, lengths = self.steps(self.scale(features, lengths), lengths)  # (B, C, N)
        for convolution in self.convolutions:
            x = convolution(x)
            # Zeros in the padding never exceed a rectified number, so pooling needs no mask of its own.
            x = x * frame_mask(lengths, x.shape[2])[:, None, :].to(x.dtype)
            x = self.dropout(self.pool(x))  # (B, channels, N / 2)
            lengths = (lengths + 1) // 2
        pooled = torch.cat([x.sum(2) / lengths[:, None], x.amax(2)], dim=1)  # (B, 2 * channels)
        output: Output = self.head(pooled)
        return output
