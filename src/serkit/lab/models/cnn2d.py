"""A convolutional network over mel spectrograms, of document C."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.fixed_length import cut_or_pad
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.initialization import start_as_glorot
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.contract import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class Cnn2dConfig(BodyConfig):
    """Settings of :class:`Cnn2d`.

    Attributes:
        channels: Of each block's convolution; each block halves bands and frames.
        kernel: Bands and frames that a convolution sees, odd.
        frames: To which each utterance is cut or padded, for a dense layer over all that is left; None takes the mean
            over time instead, of utterances of any length.
        embedding: D.
        dropout: Behind each block, and before the output.
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
        """The smallest network with every part, for tests."""
        return cls(channels=(8, 8), frames=48, embedding=32, dropout=0.05)


class Cnn2d(Body):
    """Blocks of convolution, ReLU, max-pooling and dropout over bands and frames, a dense layer and an output layer.

    Document C has a 2-D CNN over a mel spectrogram of 128 bands with frequency masks, which are augmentation, and
    pictures of one size. It does not say how many layers and units there are and how long a picture is; ours: the
    defaults, 3 s where frames are 10 ms apart. Bands are made alike by :class:`.Scaling`,
    and weights start as Glorot's, which are ours too. Its l1 and l1_l2 penalties are settings of training.
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
            if self.frames is None:  # a bias stands behind the end, which a fixed length always shows alike
                x = x * frame_mask(lengths, x.shape[3])[:, None, None, :].to(x.dtype)
            x = self.dropout(self.pool(x))  # (B, channels, F / 2, N / 2)
            lengths = (lengths + 1) // 2
        if self.frames is None:
            x = x.sum(3) / lengths[:, None, None]  # (B, channels, F')
        output: Output = self.head(x.flatten(1))
        return output
