"""A vision transformer over a picture of one channel, small enough to learn from scratch.

A. Dosovitskiy et al.: An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale. ICLR 2021. The
default width, depth and heads are those of ViT-Tiny: H. Touvron et al., Training data-efficient image transformers &
distillation through attention, ICML 2021.
"""

import torch
from torch import Tensor, nn

from serkit.lab.models.blocks.self_attention import SelfAttention

_DEVIATION = 0.02  # of the initial positions, class token and projection of the patches


class VisionTransformer(nn.Module):
    """Patches, a class token, learned positions and pre-norm blocks: pictures (B, inputs, side, side) to (B, width).

    The output is the class token after the last layer norm.

    Args:
        inputs: Channels of the picture.
        side: Height and width of the picture, a multiple of ``patch``.
        patch: Height and width of a patch.
        width: Numbers per patch inside, a multiple of ``heads``.
        depth: Number of blocks.
        heads: Heads of each self-attention layer.
        dropout: Dropout rate after the positions and after each part of a block.
    """

    def __init__(
        self, inputs: int, side: int, *, patch: int, width: int, depth: int, heads: int, dropout: float
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(inputs, width, patch, stride=patch)
        self.token = nn.Parameter(torch.empty(1, 1, width))
        self.positions = nn.Parameter(torch.empty(1, 1 + (side // patch) ** 2, width))
        for weight in (self.patches.weight, self.token, self.positions):
            nn.init.trunc_normal_(weight, std=_DEVIATION)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_VitBlock(width, heads, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.size = width

    def forward(self, pictures: Tensor) -> Tensor:
        """Encode pictures."""
        x = self.patches(pictures).flatten(2).transpose(1, 2)  # (B, patches, width)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1).to(x.dtype), x], dim=1)
        x = self.dropout(x + self.positions)
        for block in self.blocks:
            x = block(x)
        seen: Tensor = self.norm(x[:, 0])
        return seen


class _VitBlock(nn.Module):
    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.dense_norm = nn.LayerNorm(width)
        self.dense = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        everything = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        x = x + self.dropout(self.attention(self.attention_norm(x), everything))
        return x + self.dropout(self.dense(self.dense_norm(x)))  # type: ignore[no-any-return]
