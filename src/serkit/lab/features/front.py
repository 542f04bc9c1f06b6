"""The contract of every front end, from waveform to what a network reads."""

from abc import ABC, abstractmethod
from typing import Any, Literal, Protocol

from torch import Tensor, nn

Kind = Literal["frames", "vector", "image"]


class FrontConfig(Protocol):
    """Settings of a front end: a frozen dataclass with a default for each field."""

    @property
    def sampling_rate(self) -> int:
        """Of the waveform, in Hz."""


class Front(nn.Module, ABC):
    """A front end: export-safe, batched, and blind to padding.

    Attributes:
        config: Its settings.
        size: F, the numbers per frame (or in the vector, or the rows of the picture).
        kind: ``frames``: (B, F, N), N growing with the sound; ``vector``: (B, F, 1); ``image``: (B, F, N) of one size.
    """

    kind: Kind = "frames"
    size: int
    config: Any

    @property
    def uses_sex(self) -> bool:
        """Whether ``forward`` takes the speaker's sex (B,) as a third input."""
        return False

    @abstractmethod
    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features.

        Args:
            waveform: Shape (B, T); what lies behind an utterance's length is ignored.
            lengths: Valid samples, shape (B,), int64.

        Returns:
            Features (B, F, N), zero behind each utterance's end, and their valid lengths (B,), int64.
        """
