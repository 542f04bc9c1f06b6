"""Convolutions, then a recurrent network: the CNN + LSTM and CNN + BiLSTM that the fusionnet report cites.

J. Zhao, X. Mao, L. Chen: Speech emotion recognition using deep 1D & 2D CNN LSTM networks. Biomedical Signal Processing
and Control 47, 2019.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.blocks.head import Head
from serkit.lab.models.blocks.recurrence import Recurrent
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class CnnLstmConfig(BodyConfig):
    """Settings of :class:`CnnLstm`.

    Attributes:
        channels: Channels of the 2-D blocks; each block halves bands and frames.
        units: Units of the LSTM in each direction.
        is_bidirectional: Whether a second LSTM reads the frames backwards.
        embedding: D.
        dropout: Dropout rate before the embedding and the classifier.
    """

    channels: tuple[int, ...] = (64, 64, 128, 128)
    units: int = 128
    is_bidirectional: bool = False
    embedding: int = 64
    dropout: float = 0.3

    def __post_init__(self) -> None:
        require(
            self,
            channels=bool(self.channels) and min(self.channels) >= 1,
            units=self.units >= 1,
            embedding=self.embedding >= 1,
            dropout=0 <= self.dropout < 1,
        )

    @classmethod
    def tiny(cls) -> "CnnLstmConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(channels=(4, 8), units=12, embedding=12, dropout=0.1)


class CnnLstm(Body):
    """Four 2-D convolution blocks over log-mel and an LSTM in one or both directions.

    A block is the paper's: convolution of 3 x 3, batch norm, ELU, max-pool. The LSTM's last state goes through a dense
    layer to the classifier; padding changes nothing.

    Deviations: every block pools by 2 x 2, rounding up, where the paper's later ones pool by 4 x 4, so that a short
    utterance keeps some frames for the LSTM. The LSTM has 128 units instead of 256, and a dense layer and dropout come
    before the classifier. The input is standardized with the mean and deviation of the training utterances. The
    backward LSTM is not in the paper.
    """

    def __init__(self, layout: Layout, classes: int, config: CnnLstmConfig) -> None:
        super().__init__(layout, classes, config)
        self.scale = Scaling(layout.size)
        self.blocks = nn.ModuleList(_CnnLstmBlock(a, b) for a, b in pairwise((1, *config.channels)))
        bands = layout.size
        for _ in config.channels:
            bands = (bands + 1) // 2
        self.recurrent = Recurrent(
            config.channels[-1] * bands, config.units, "lstm", is_bidirectional=config.is_bidirectional
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = Head(self.recurrent.width, config.embedding, classes, dropout=config.dropout, activation=nn.ELU())
        self.embedding_size = config.embedding

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances of ``lengths`` valid frames."""
        x = self.scale(features, lengths)[:, None]  # (B, 1, F, N)
        for block in self.blocks:
            x, lengths = block(x, lengths)  # (B, channels, F', N')
        x = self.recurrent(x.flatten(1, 2), lengths)  # (B, width, N')
        output: Output = self.head(self.dropout(self.recurrent.ends(x, lengths)))
        return output


class _CnnLstmBlock(nn.Module):
    """Convolution, batch norm, ELU, max-pool: (B, C, F, N) to (B, C', F / 2, N / 2), both rounded up."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)
        self.activate = nn.ELU()
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = self.activate(self.norm(self.convolve(x)))
        # an ELU can be negative, so zeros in the padding would win the max-pool
        x = x.masked_fill(~frame_mask(lengths, x.shape[-1])[:, None, None, :], -torch.inf)
        x = self.pool(x)
        lengths = (lengths + 1) // 2
        return x.masked_fill(~frame_mask(lengths, x.shape[-1])[:, None, None, :], 0.0), lengths
