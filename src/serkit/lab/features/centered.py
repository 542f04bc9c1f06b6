"""Takes the offset off the waveform before a front end computes features.

Sound cards and converters add a constant to all samples. It cannot be heard, but it reaches the lowest bands of a
spectrum, the zero crossings and the loudness. Without it, a recording gets the same answer with and without an offset.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from serkit.lab.features.front import Front, Layout
from serkit.lab.signal.masking import without_offset
from serkit.types import FloatArray


class Centered(Front):
    """A front end that reads each utterance minus its mean.

    Args:
        inner: Front end that computes the features. Name, settings, size and kind are its own.

    Attributes:
        inner: The same front end.
    """

    def __init__(self, inner: Front) -> None:
        super().__init__()
        self.inner: Front = inner
        self.name, self.config, self.size, self.kind = inner.name, inner.config, inner.size, inner.kind

    @property
    def label(self) -> str:
        """Name of the computation in the feature store."""
        return f"{type(self).__name__} {self.inner.label}"

    @property
    def has_graph(self) -> bool:  # type: ignore[override]
        """Whether the front end can be exported in a model file."""
        return self.inner.has_graph

    @property
    def version(self) -> str:  # type: ignore[override]
        """Version of another program that the front end calls, or empty."""
        return self.inner.version

    @property
    def needs_equal_lengths(self) -> bool:  # type: ignore[override]
        """Whether the exported graph needs batches of equal lengths."""
        return self.inner.needs_equal_lengths

    @property
    def maximum_duration(self) -> float:  # type: ignore[override]
        """Longest audio in seconds that a model file with this front end takes at once."""
        return self.inner.maximum_duration

    @property
    def layout(self) -> Layout:
        """Layout of the output."""
        return self.inner.layout

    @property
    def uses_sex(self) -> bool:
        """Whether ``forward`` takes the speakers' sex."""
        return self.inner.uses_sex

    @property
    def weights(self) -> int:
        """Number of weights that the front end adds to a model file."""
        return self.inner.weights

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        centered = without_offset(waveform, lengths)
        given = (centered, lengths, sex) if self.uses_sex else (centered, lengths)
        features, counts = self.inner(*given)
        return features, counts

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the features of several waveforms; see :class:`Front`."""
        centered = [(samples - samples.mean(dtype=np.float64)).astype(np.float32) for samples in waveforms]
        return self.inner.compute_many(centered, sex)
