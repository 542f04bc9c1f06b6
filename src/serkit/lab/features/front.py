"""The contract of every front end, from waveform to what a network reads."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.types import FloatArray

Kind = Literal["frames", "vector", "image"]


@dataclass(frozen=True)
class Layout:
    """What a front end hands to a network, (B, F, N), and which rows are which feature's.

    Attributes:
        kind: As a front end's.
        parts: Name and number of rows of each feature, in their order.
        columns: N, where it is always the same.
        sampling_rate: In Hz, of the waveform, where it is known.
    """

    kind: Kind
    parts: tuple[tuple[str, int], ...]
    columns: int | None = None
    sampling_rate: int | None = None

    @property
    def size(self) -> int:
        """F, the rows of all parts."""
        return sum(size for _, size in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """The features, in their order."""
        return tuple(name for name, _ in self.parts)

    def check_rate(self, expected: int, whose: str) -> None:
        """Refuse sound of another sampling rate than what reads it was made for.

        Raises:
            RecipeError: If it is known, and another.
        """
        if self.sampling_rate not in (None, expected):
            raise RecipeError(
                f"{whose} hears sound at {expected} Hz, and the features are of {self.sampling_rate} Hz: set their "
                "sampling_rate."
            )

    def rows(self, name: str) -> slice:
        """Return which rows are a feature's; KeyError where it is not there."""
        first = 0
        for part, size in self.parts:
            if part == name:
                return slice(first, first + size)
            first += size
        raise KeyError(name)


class FrontConfig(Protocol):
    """Settings of a front end: a frozen dataclass with a default for each field."""

    @property
    def sampling_rate(self) -> int:
        """Of the waveform, in Hz."""


class Front(nn.Module, ABC):
    """A front end: export-safe, batched, and blind to padding.

    Attributes:
        name: In the registry.
        config: Its settings.
        size: F, the numbers per frame (or in the vector, or the rows of the picture).
        has_graph: Whether it can stand in a model file.
        version: Of another program that it calls, which changes its numbers.
        needs_equal_lengths: Whether its graph gives an utterance in a padded batch what it would get alone only where
            all are as long; elsewhere it sees to that itself.
        kind: ``frames``: (B, F, N), N growing with the sound; ``vector``: (B, F, 1); ``image``: (B, F, N) of one size.
    """

    name: str = ""
    has_graph: bool = True
    version: str = ""
    needs_equal_lengths: bool = False
    kind: Kind = "frames"
    size: int
    config: Any

    @property
    def layout(self) -> Layout:
        """What it hands over, for networks to be built on."""
        columns = {"frames": None, "vector": 1, "image": getattr(self, "columns", None)}[self.kind]
        return Layout(self.kind, ((self.name, self.size),), columns, self.config.sampling_rate)

    @property
    def uses_sex(self) -> bool:
        """Whether ``forward`` takes the speaker's sex (B,) as a third input."""
        return False

    @property
    def weights(self) -> int:
        """How many weights it brings into a model file."""
        return sum(weight.numel() for weight in self.parameters())

    @abstractmethod
    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features.

        Args:
            waveform: Shape (B, T); what lies behind an utterance's length is ignored.
            lengths: Valid samples, shape (B,), int64.

        Returns:
            Features (B, F, N), zero behind each utterance's end, and their valid lengths (B,), int64.
        """

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms as a store keeps them: what :meth:`forward` gives, without padding.

        A front end may override this with what is faster on a processor. Gradients are not needed.

        Args:
            waveforms: Each of shape (T,), at best of similar lengths.
            sex: Of the speakers, shape (B,), where ``uses_sex``.

        Returns:
            For each waveform an array (N, F).
        """
        lengths = torch.tensor([len(samples) for samples in waveforms])
        padded = torch.zeros(len(waveforms), int(lengths.max()))
        for row, samples in zip(padded.numpy(), waveforms, strict=True):
            row[: len(samples)] = samples
        features, counts = self(padded, lengths) if sex is None else self(padded, lengths, sex)
        return [row[:, :count].T.numpy() for row, count in zip(features, counts.tolist(), strict=True)]
