"""The deep feature extractors of :mod:`serkit.lab.models.fusionnet`: each turns a feature into some 32 numbers."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from serkit.lab.models.vgg16 import SHRINKAGE, convolutions, load_pretrained
from serkit.lab.signal.interpolation import stretch
from serkit.lab.signal.masking import frame_mask


class Conv1dExtractor(nn.Module):
    """Two convolutions along a vector (B, F) and a dense layer, to (B, deep); for 162 numbers document B's.

    Args:
        size: F.
        filters: Of both convolutions.
        kernel: Of both, odd.
        deep: Numbers that it gives.
        dropout: Before the dense layer.
    """

    def __init__(self, size: int, *, filters: int, kernel: int, deep: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, filters, kernel, padding="same"), nn.ReLU(), nn.MaxPool1d(2, ceil_mode=True),  # 162 -> 81
            nn.Conv1d(filters, filters, kernel, padding="same"), nn.ReLU(), nn.MaxPool1d(2, ceil_mode=True),  # 81 -> 41
            nn.Dropout(dropout), nn.Flatten(),  # 10,496
            nn.Linear(filters * ((size + 3) // 4), deep), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Extract from (B, F, N), a vector that stands in every one of the N columns."""
        deep: Tensor = self.layers(x[:, None, :, 0])
        return deep


class Conv2dExtractor(nn.Module):
    """2-D convolutions over log-mel (B, F, N), the mean over valid frames and a dense layer, to (B, deep).

    Args:
        bands: F.
        filters: One convolution of 3 x 3 each, which a max-pool by 2 follows, rounding up.
        deep: Numbers that it gives.
        dropout: Before the dense layer.
    """

    def __init__(self, bands: int, *, filters: tuple[int, ...], deep: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_ExtractorBlock(a, b) for a, b in pairwise((1, *filters)))
        for _ in filters:
            bands = (bands + 1) // 2
        self.dense = nn.Sequential(nn.Dropout(dropout), nn.Linear(filters[-1] * bands, deep), nn.ReLU())

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Extract from the valid frames of (B, F, N)."""
        x = x[:, None]  # (B, 1, F, N)
        for block in self.blocks:
            x, lengths = block(x, lengths)  # (B, filters, F / 2, N / 2)
        x = x.flatten(1, 2).sum(-1) / lengths[:, None]
        deep: Tensor = self.dense(x)
        return deep


class ImageExtractor(nn.Module):
    """Log-mel (B, F, N) as one square picture through VGG16's convolutions and a dense layer, to (B, deep).

    The valid frames are stretched to the picture's width. Three channels hold the same; ImageNet's mean and deviation
    are not applied, as standardized log-mel is already what they make of a picture.

    Args:
        bands: F.
        side: Of the picture, a multiple of 32.
        channels: Of the five blocks of convolutions.
        weights: A local safetensors file with torchvision's weights, or None.
        deep: Numbers that it gives.
        dropout: Before the dense layer.
    """

    vertical: Tensor

    def __init__(
        self, bands: int, *, side: int, channels: tuple[int, ...], weights: str | None, deep: int, dropout: float
    ) -> None:
        super().__init__()
        self.side = side
        vertical = stretch(torch.tensor([bands]), bands, side)[0].T  # (side, F)
        self.register_buffer("vertical", vertical, persistent=False)
        self.features = convolutions(channels)
        if weights is not None:
            load_pretrained(self, weights)
        size = channels[-1] * (side // SHRINKAGE) ** 2
        self.dense = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(size, deep), nn.ReLU())

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Extract from the valid frames of (B, F, N)."""
        drawn = torch.matmul(self.vertical, torch.matmul(x, stretch(lengths, x.shape[-1], self.side)))
        deep: Tensor = self.dense(self.features(drawn[:, None].expand(-1, 3, -1, -1)))
        return deep


class _ExtractorBlock(nn.Module):
    """Convolution, ReLU, max-pool: (B, C, F, N) to (B, C', F / 2, N / 2), both rounded up, zero in the padding."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.activate = nn.ReLU()
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = self.activate(self.convolve(x))
        x = x * frame_mask(lengths, x.shape[-1])[:, None, None, :].to(x.dtype)  # zero never wins a pool of what is more
        return self.pool(x), (lengths + 1) // 2
