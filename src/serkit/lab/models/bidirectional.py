"""Stacked bidirectional GRU or LSTM, of document A."""

from dataclasses import dataclass

from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.recurrence import Cell, Recurrent
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.steps import Steps
from serkit.lab.models.contract import Body, BodyConfig, Output
from serkit.lab.recipes.config import require


@dataclass(frozen=True)
class BidirectionalConfig(BodyConfig):
    """Settings of :class:`Bidirectional`.

    Attributes:
        cell: Which kind.
        units: Of each layer, in each direction.
        step: Numbers of a vector that make one time step; zeros fill up the last one. With 16 a step of ``vector848``
            is all that is known of one descriptor, and there are 53. Frames are steps as they are.
        embedding: D.
        dropout: Behind each layer, and before the output.
    """

    cell: Cell = "gru"
    units: tuple[int, ...] = (128, 128)
    step: int = 1
    embedding: int = 128
    dropout: float = 0.3

    def __post_init__(self) -> None:
        require(
            self,
            cell=self.cell in ("gru", "lstm"),
            units=bool(self.units) and min(self.units) >= 1,
            step=self.step >= 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "BidirectionalConfig":
        """The smallest network with every part, for tests."""
        return cls(units=(16, 16), step=2, embedding=32, dropout=0.05)


class Bidirectional(Body):
    """Recurrent layers that read forwards and backwards, then what the last one has at both ends.

    M. Schuster and K. Paliwal, Bidirectional recurrent neural networks, 1997, of the cells of S. Hochreiter and
    J. Schmidhuber, Long short-term memory, 1997, or K. Cho et al., Learning phrase representations using RNN
    encoder-decoder, EMNLP 2014.

    Document A stacks them over its vector of 848 numbers. It does not say how the vector becomes a sequence; ours: one
    number after the other. Nor does it say how many layers and units there are, what follows them, and how numbers of
    all scales are made alike; ours: the defaults, a dense layer on the last states, and
    :class:`~serkit.lab.models.blocks.scaling.Scaling`. That it reads frames too is ours.
    """

    reads = ("vector", "frames")

    def __init__(self, layout: Layout, classes: int, config: BidirectionalConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.steps = Steps(layout, config.step)
        self.layers = nn.ModuleList()
        width = self.steps.width
        for units in config.units:
            layer = Recurrent(width, units, config.cell)
            self.layers.append(layer)
            width = layer.width
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(width, config.embedding, classes, dropout=config.dropout)
        self.embedding_size = config.embedding

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames, or vectors."""
        x, lengths = self.steps(self.scale(features, lengths), lengths)  # (B, width, N)
        for layer in self.layers:
            x = self.dropout(layer(x, lengths))  # (B, 2 * units, N)
        last = self.layers[-1]
        assert isinstance(last, Recurrent)
        output: Output = self.head(last.ends(x, lengths))
        return output
