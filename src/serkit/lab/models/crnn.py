"""``crnn``: a compact convolutional-recurrent network of our own, for small acted corpora.

A 2-D stem over time and frequency finds local spectral patterns and halves the frame rate. Dilated residual 1-D
convolutions widen the receptive field to about a second. A bidirectional GRU models the order of the frames, and
attentive statistics pooling weighs the frames that carry the emotion. ``recurrent: 0`` leaves the GRU out: on a CPU, a
finer frame rate makes better use of the time.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.attentive_pooling import AttentiveStatistics
from serkit.lab.models.blocks.dilated_convolutions import DilatedConvolutions, convolve
from serkit.lab.models.blocks.recurrence import Recurrent
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class CrnnConfig(BodyConfig):
    """Settings of :class:`Crnn`.

    Attributes:
        stem: Channels of the 2-D convolutions; each halves the bands.
        halvings: Number of 2-D convolutions that halve the frame rate too.
        channels: Channels of the residual 1-D convolutions.
        dilations: Dilation of each residual block.
        recurrent: Units of the GRU in each direction; 0 leaves the GRU out.
        embedding: D.
        dropout: Dropout rate before the embedding and the classifier.
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
        """Return the settings of the smallest network with every part, for tests."""
        return cls(stem=(4, 8), channels=16, dilations=(1, 2), recurrent=8, embedding=16, dropout=0.1)


class Crnn(Body):
    """Convolutions over log-mel, a bidirectional GRU and attentive statistics pooling.

    Frames (B, F, N) to logits (B, C) and embedding (B, D); padding changes nothing.
    """

    def __init__(self, layout: Layout, classes: int, config: CrnnConfig) -> None:
        super().__init__(layout, classes, config)
        layers = DilatedConvolutions(
            layout.size, stem=config.stem, halvings=config.halvings, channels=config.channels,
            dilations=config.dilations,
        )  # fmt: skip
        # held one by one, so that saved weights keep their names
        self.stem, self.project, self.blocks, self.halvings = (
            layers.stem,
            layers.project,
            layers.blocks,
            layers.halvings,
        )
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
        x, lengths = convolve(self, features, lengths)  # (B, channels, N')
        mask = frame_mask(lengths, x.shape[-1])[:, None, :].to(x.dtype)  # (B, 1, N')
        if self.recurrent is not None:
            x = self.recurrent(x, lengths)
        embedding = self.embed(self.pool(x, mask))
        return Output(self.classify(embedding), embedding)
