"""Stacked bidirectional GRU or LSTM layers, from the hong-zhao report."""

from dataclasses import dataclass

from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.recurrence import Cell, Recurrent
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.sequence_steps import SequenceSteps
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require


@dataclass(frozen=True)
class BidirectionalRnnConfig(BodyConfig):
    """Settings of :class:`BidirectionalRnn`.

    Attributes:
        cell: ``gru`` or ``lstm``.
        units: Units of each layer in each direction.
        step: Numbers of a vector per step; zeros pad the last step. With 16, each of the 53 steps of ``vector848`` has
            the numbers of one descriptor. Frames are steps already.
        embedding: D.
        dropout: Dropout rate after each layer and before the output layer.
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
    def tiny(cls) -> "BidirectionalRnnConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(units=(16, 16), step=2, embedding=32, dropout=0.05)


class BidirectionalRnn(Body):
    """Recurrent layers that read forwards and backwards, then a dense layer on the last state of each direction.

    M. Schuster and K. Paliwal, Bidirectional recurrent neural networks, 1997, with the cells of S. Hochreiter and
    J. Schmidhuber, Long short-term memory, 1997, or K. Cho et al., Learning phrase representations using RNN
    encoder-decoder, EMNLP 2014.

    The hong-zhao report stacks them over its vector of 848 numbers. It does not say how the vector becomes a sequence;
    ours is one number after the other by default. It gives no number of layers and units, no layers after them and no
    scaling of the numbers; ours are the defaults, a dense layer on the last states, and
    :class:`~serkit.lab.models.blocks.scaling.Scaling`. Reading frames is our addition.
    """

    reads = ("vector", "frames")

    def __init__(self, layout: Layout, classes: int, config: BidirectionalRnnConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.steps = SequenceSteps(layout, config.step)
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
