"""A convolutional network over cepstral coefficients, from the emodb-xlsr report."""

from dataclasses import dataclass

from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.fixed_length import cut_or_pad
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.initialization import start_as_glorot
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require

_LAYERS = 5


@dataclass(frozen=True)
class MfccCnnConfig(BodyConfig):
    """Settings of :class:`MfccCnn`.

    Attributes:
        channels: Channels of the five convolutions; each layer halves coefficients and frames.
        kernel: Coefficients and frames that a convolution reads, odd.
        frames: Length to which each utterance is cut or padded.
        embedding: Units of the dense layer, D.
        dropout: Dropout rate after each layer and before the output layer.
    """

    channels: tuple[int, ...] = (32, 32, 64, 64, 128)
    kernel: int = 3
    frames: int = 300
    embedding: int = 128
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require(
            self,
            channels=len(self.channels) == _LAYERS and min(self.channels) >= 1,
            kernel=self.kernel >= 1 and self.kernel % 2 == 1,
            frames=self.frames >= 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "MfccCnnConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(channels=(8, 8, 16, 16, 16), frames=48, embedding=32, dropout=0.05)


class MfccCnn(Body):
    """Five layers of convolution, ELU, max-pooling and dropout, a dense layer and an output layer.

    ELU is that of D.-A. Clevert et al., Fast and accurate deep network learning by exponential linear units, ICLR 2016.

    The emodb-xlsr report has these layers over MFCC of one length. It gives no kernels, channels, pool sizes, units and
    length; ours are the defaults, pools of 2 x 2, and 3 s with frames 10 ms apart: longer utterances are cut, shorter
    ones padded with zeros. ELU after the dense layer, :class:`~serkit.lab.models.blocks.scaling.Scaling` of the
    coefficients and Glorot's initial weights are ours too.
    """

    reads = ("frames",)

    def __init__(self, layout: Layout, classes: int, config: MfccCnnConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.frames = config.frames
        layers: list[nn.Module] = []
        width, rows, frames = 1, layout.size, config.frames
        for channels in config.channels:
            layers += [
                nn.Conv2d(width, channels, config.kernel, padding=config.kernel // 2),
                nn.ELU(),
                nn.MaxPool2d(2, ceil_mode=True),
                nn.Dropout(config.dropout),
            ]
            width, rows, frames = channels, (rows + 1) // 2, (frames + 1) // 2
        self.layers = nn.Sequential(*layers)
        self.head = Head(
            width * rows * frames, config.embedding, classes, dropout=config.dropout, activation=nn.ELU()
        )  # fmt: skip
        self.embedding_size = config.embedding
        start_as_glorot(self)

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames."""
        x, _ = cut_or_pad(self.scale(features, lengths), lengths, frames=self.frames)
        x = self.layers(x[:, None])  # (B, channels, F / 32, frames / 32)
        output: Output = self.head(x.flatten(1))
        return output
