"""The contract of every front end, which computes features from a waveform."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from serkit.card import LONGEST_CLIP
from serkit.errors import RecipeError
from serkit.types import FloatArray

Kind = Literal["frames", "vector", "image"]


@dataclass(frozen=True)
class Layout:
    """Layout of a front end's output (B, F, N): its size and the rows of each feature.

    Attributes:
        kind: Kind of the output; see :class:`Front`.
        parts: Name and number of rows of each feature, in order.
        columns: Number of columns N if it is always the same, else None.
        sampling_rate: Sampling rate of the waveform in Hz, None if unknown.
    """

    kind: Kind
    parts: tuple[tuple[str, int], ...]
    columns: int | None = None
    sampling_rate: int | None = None

    @property
    def size(self) -> int:
        """Number of rows F of all features."""
        return sum(size for _, size in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features, in order."""
        return tuple(name for name, _ in self.parts)

    def check_rate(self, expected: int, whose: str) -> None:
        """Check that a network which was made for one sampling rate gets features of that rate.

        Args:
            expected: Sampling rate of the network in Hz.
            whose: Name of the network, for the message.

        Raises:
            RecipeError: If the sampling rate of the features is known and differs.
        """
        if self.sampling_rate not in (None, expected):
            raise RecipeError(
                f"{whose} needs features of sound at {expected} Hz, got {self.sampling_rate} Hz: set sampling_rate to "
                f"{expected} in features."
            )

    def rows(self, name: str) -> slice:
        """Return the rows of a feature.

        Raises:
            KeyError: If the output has no such feature.
        """
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
        """Sampling rate of the waveform in Hz."""


class Front(nn.Module, ABC):
    """Base class of front ends, which can be exported, process batches, and give the same result with any padding.

    Attributes:
        name: Name of the feature in the registry.
        config: Settings of the front end.
        size: Number of values F in a frame or a vector, or of rows in an image.
        has_graph: Whether the front end can be exported in a model file.
        version: Version of another program that the front end calls and that determines its values, or empty.
        needs_equal_lengths: Whether the exported graph needs batches of equal lengths, because padding would change
            its result. Outside an export, the front end itself ensures that padding has no influence.
        maximum_duration: Longest audio in seconds that a model file with this front end takes at once.
        kind: ``frames``: (B, F, N), where N grows with the duration; ``vector``: (B, F, 1); ``image``: (B, F, N) of a
            fixed size.
    """

    name: str = ""
    has_graph: bool = True
    version: str = ""
    needs_equal_lengths: bool = False
    maximum_duration: float = LONGEST_CLIP
    kind: Kind = "frames"
    size: int
    config: Any

    @property
    def label(self) -> str:
        """Name of the computation in the feature store."""
        return type(self).__name__

    @property
    def layout(self) -> Layout:
        """Layout of the output, from which networks are built."""
        columns = {"frames": None, "vector": 1, "image": getattr(self, "columns", None)}[self.kind]
        return Layout(self.kind, ((self.name, self.size),), columns, self.config.sampling_rate)

    @property
    def uses_sex(self) -> bool:
        """Whether ``forward`` takes the speakers' sex (B,) as a third argument."""
        return False

    @property
    def weights(self) -> int:
        """Number of weights that the front end adds to a model file."""
        return sum(weight.numel() for weight in self.parameters())

    @abstractmethod
    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features of a batch.

        Args:
            waveform: Waveforms (B, T); samples after an utterance's end are ignored.
            lengths: Number of valid samples (B,), int64.

        Returns:
            Features (B, F, N), zero after each utterance's end, and their valid lengths (B,), int64.
        """

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms for the feature store: those of :meth:`forward`, without padding.

        A front end may override this method with a faster one for CPUs. No gradients are needed.

        Args:
            waveforms: Waveforms, each of shape (T,), preferably of similar lengths.
            sex: Sex of the speakers (B,), if ``uses_sex``.

        Returns:
            One array (N, F) for each waveform.
        """
        lengths = torch.tensor([len(samples) for samples in waveforms])
        padded = torch.zeros(len(waveforms), int(lengths.max()))
        for row, samples in zip(padded.numpy(), waveforms, strict=True):
            row[: len(samples)] = samples
        features, counts = self(padded, lengths) if sex is None else self(padded, lengths, sex)
        return [row[:, :count].T.numpy() for row, count in zip(features, counts.tolist(), strict=True)]
