"""Features as a sequence of steps: the frames of an utterance, or the numbers of a vector one after the other."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from serkit.lab.features import Layout


class Steps(nn.Module):
    """Frames (B, F, N) as they are, or a vector (B, F, 1) cut into steps (B, step, F / step).

    Where ``step`` numbers do not go into F, zeros fill up the last step: what a scaled number is on average.

    Args:
        layout: Of the features.
        step: Numbers of a vector that make one step.

    Attributes:
        width: Numbers of a step.
    """

    def __init__(self, layout: Layout, step: int = 1) -> None:
        super().__init__()
        self.is_vector = layout.kind == "vector"
        self.width = step if self.is_vector else layout.size
        self.count = -(-layout.size // step)
        self.missing = self.count * step - layout.size

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return the steps (B, width, N) and how many of them are valid, (B,)."""
        if not self.is_vector:
            return features, lengths
        whole = functional.pad(features[:, :, 0], (0, self.missing))
        return whole.reshape(-1, self.count, self.width).transpose(1, 2), torch.full_like(lengths, self.count)
