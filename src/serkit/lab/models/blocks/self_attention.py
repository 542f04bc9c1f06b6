"""Self-attention over padded batches, and sinusoidal positions."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class SelfAttention(nn.Module):
    """Multi-head scaled dot-product self-attention that ignores padding.

    It computes the same as :class:`torch.nn.MultiheadAttention`, whose fast path in evaluation cannot be exported.

    Args:
        width: D, a multiple of ``heads``.
        heads: Number of heads, each of width / heads numbers.

    Source: A. Vaswani et al., Attention is all you need, NeurIPS 2017.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Attend from each step to the valid steps.

        Args:
            x: Steps of shape (B, N, D).
            mask: Mask of shape (B, N), True where a step is valid; at least one step in each row is.
        """
        parts = self.project(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)  # (B, heads, N, D / heads) each
        y = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        return self.output(y.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Positions(nn.Module):
    """Adds positions to steps (B, N, D): sines and cosines of D / 2 wavelengths from 2 pi to 20,000 pi.

    Args:
        width: D, even.

    Source: that of :class:`SelfAttention`. Deviation: all sines come before all cosines.
    """

    frequency: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        frequency = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000) / width))
        self.register_buffer("frequency", frequency, persistent=False)  # (D / 2,)

    def forward(self, x: Tensor) -> Tensor:
        """Add the positions."""
        position = torch.arange(x.shape[1], device=x.device, dtype=self.frequency.dtype)
        angle = position[:, None] * self.frequency  # (N, D / 2)
        return x + torch.cat([angle.sin(), angle.cos()], dim=1).to(x.dtype)
