"""The output layers that most networks share, and what every body returns."""

from typing import NamedTuple

from torch import Tensor, nn


class Output(NamedTuple):
    """Output of a body.

    Attributes:
        logits: Class scores, shape (B, C).
        embedding: Utterance embedding, shape (B, D).
        parts: Logits (B, C) of single parts of the network; only in training, and only for bodies with a loss on them.
    """

    logits: Tensor
    embedding: Tensor
    parts: tuple[Tensor, ...] = ()


class Head(nn.Module):
    """A dense layer, whose output is the embedding, and an output layer: (B, width) to an :class:`Output`.

    The embedding is taken before the activation, because a rectified embedding has lost half of its signs.

    Args:
        width: Number of inputs.
        embedding: Units of the dense layer.
        classes: Units of the output layer.
        dropout: Dropout rate between the two layers.
        activation: Activation of the dense layer; None for ReLU.
    """

    def __init__(
        self, width: int, embedding: int, classes: int, *, dropout: float, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(width, embedding)
        self.classify = nn.Sequential(activation or nn.ReLU(), nn.Dropout(dropout), nn.Linear(embedding, classes))

    def forward(self, x: Tensor) -> Output:
        """Classify utterances."""
        embedding = self.embed(x)
        return Output(self.classify(embedding), embedding)
