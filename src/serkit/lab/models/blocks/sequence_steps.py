"""Features as a sequence of steps: the frames of an utterance, or the numbers of a vector in order."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.features import Layout


class SequenceSteps(nn.Module):
    """Cuts a vector (B, F, 1) into steps (B, step, F / step), and passes frames (B, F, N) unchanged.

    Where F is no multiple of ``step``, the last step is padded with zeros, the mean of standardized features.

    Args:
        layout: Layout of the features.
        step: Numbers of a vector per step.

    Attributes:
        width: Numbers per step.
    """

    def __init__(self, layout: Layout, step: int = 1) -> None:
        super().__init__()
        self.is_vector = layout.kind == "vector"
        self.width = step if self.is_vector else layout.size
        self.count = -(-layout.size // step)
        self.missing = self.count * step - layout.size

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the steps (B, width, N) and the number of valid ones (B,)."""
        if not self.is_vector:
            return features, lengths
        whole = functional.pad(features[:, :, 0], (0, self.missing))
        return whole.reshape(-1, self.count, self.width).transpose(1, 2), torch.full_like(lengths, self.count)
