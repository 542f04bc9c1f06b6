"""The end that most networks share: a dense layer, which is the embedding, and an output layer."""

from torch import Tensor, nn

from serkit.lab.models.contract import Output


class Head(nn.Module):
    """An utterance's numbers (B, C) to its embedding and logits.

    The embedding is the dense layer's answer before its activation, as a rectified one has lost half of its signs.

    Args:
        width: C.
        embedding: Units of the dense layer.
        classes: Of the output layer.
        dropout: Between the two.
        activation: Of the dense layer; ReLU by default.
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
