"""A convolutional network over mel spectrograms, from the crema-cnn report."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.fixed_length import cut_or_pad
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.initialization import start_as_glorot
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class Cnn2dConfig(BodyConfig):
    """Settings of :class:`Cnn2d`.

    Attributes:
        channels: Channels of each block's convolution; each block halves bands and frames.
        kernel: Bands and frames that a convolution reads, odd.
        frames: Length to which each utterance is cut or padded; None takes the mean over time before the dense layer
            instead, so that utterances may have any length.
        embedding: D.
        dropout: Dropout rate after each block and before the output layer.
    """

    channels: tuple[int, ...] = (32, 64, 128, 128)
    kernel: int = 3
    frames: int | None = 300
    embedding: int = 128
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require(
            self,
            channels=bool(self.channels) and min(self.channels) >= 1,
            kernel=self.kernel >= 1 and self.kernel % 2 == 1,
            frames=self.frames is None or self.frames >= 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "Cnn2dConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(channels=(8, 8), frames=48, embedding=32, dropout=0.05)


class Cnn2d(Body):
    """Blocks of convolution, ReLU, max-pooling and dropout over bands and frames, a dense layer and an output layer.

    The crema-cnn report has a 2-D CNN over mel spectrograms of 128 bands and of one length, with frequency masks, which
    are an augmentation setting here. It gives no number of layers and units and no length; ours are the defaults, 3 s
    with frames 10 ms apart. :class:`.Scaling` of the bands and Glorot's initial weights are ours too. The report's l1
    and l1_l2 penalties are training settings.
    """

    reads = ("frames",)

    def __init__(self, layout: Layout, classes: int, config: Cnn2dConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.frames = config.frames
        self.convolutions = nn.ModuleList()
        width, bands, frames = 1, layout.size, config.frames or 1
        for channels in config.channels:
            self.convolutions.append(nn.Conv2d(width, channels, config.kernel, padding=config.kernel // 2))
            width, bands, frames = channels, (bands + 1) // 2, (frames + 1) // 2
        self.pool = nn.MaxPool2d(2, ceil_mode=True)
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(width * bands * frames, config.embedding, classes, dropout=config.dropout)
        self.embedding_size = config.embedding
        start_as_glorot(self)

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames."""
        x = self.scale(features, lengths)
        if self.frames is not None:
            x, lengths = cut_or_pad(x, lengths, frames=self.frames)
        x = x[:, None]  # (B, 1, F, N)
        for convolution in self.convolutions:
            x = torch.relu(convolution(x))
            if (
                self.frames is None
            ):  # the bias reaches the padding; with a fixed length it always reaches the same frames
                x = x * frame_mask(lengths, x.shape[3])[:, None, None, :].to(x.dtype)
            x = self.dropout(self.pool(x))  # (B, channels, F / 2, N / 2)
            lengths = (lengths + 1) // 2
        if self.frames is None:
            x = x.sum(3) / lengths[:, None, None]  # (B, channels, F')
        output: Output = self.head(x.flatten(1))
        return output
