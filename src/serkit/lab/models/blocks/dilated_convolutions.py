"""The convolutions of ``crnn``: a strided 2-D stem over bands and frames, then dilated residual 1-D convolutions."""

from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor, nn

from serkit.lab.signal.masking import frame_mask


class DilatedConvolutions(nn.Module):
    """Features (B, F, N) and their lengths to frames (B, channels, N') and their lengths.

    Args:
        size: F.
        stem: Channels of the 2-D convolutions; each halves the bands.
        halvings: Number of 2-D convolutions that halve the frame rate too.
        channels: Channels of the 1-D convolutions.
        dilations: Dilation of each residual block.
    """

    def __init__(
        self, size: int, *, stem: tuple[int, ...], halvings: int, channels: int, dilations: tuple[int, ...]
    ) -> None:
        super().__init__()
        widths = (1, *stem)
        self.stem = nn.ModuleList(
            _convolution_2d(a, b, stride=(2, 2 if i < halvings else 1)) for i, (a, b) in enumerate(pairwise(widths))
        )
        self.halvings = halvings
        for _ in stem:
            size = (size + 1) // 2
        self.project = _convolution_1d(widths[-1] * size, channels, kernel=1)
        self.blocks = nn.ModuleList(_DilatedBlock(channels, dilation) for dilation in dilations)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Convolve utterances of ``lengths`` valid frames; the padding of the output is zero."""
        return convolve(self, features, lengths)


class ConvolutionLayers(Protocol):
    """The layers of :class:`DilatedConvolutions`, wherever they are held."""

    stem: nn.ModuleList
    halvings: int
    project: nn.Sequential
    blocks: nn.ModuleList


def convolve(layers: ConvolutionLayers, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Apply the layers of :class:`DilatedConvolutions`, for a network that holds them under its own name."""
    x = features[:, None]  # (B, 1, F, N)
    for i, layer in enumerate(layers.stem):
        if i < layers.halvings:
            lengths = (lengths + 1) // 2
        x = layer(x)
        mask = frame_mask(lengths, x.shape[-1])[:, None, :].to(x.dtype)  # (B, 1, N')
        x = x * mask[:, None]
    x = layers.project(x.flatten(1, 2)) * mask  # (B, channels, N')
    for block in layers.blocks:
        x = block(x, mask)
    return x, lengths


class _DilatedBlock(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = _convolution_1d(channels, channels, kernel=3, dilation=dilation)
        self.second = nn.Sequential(nn.Conv1d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm1d(channels))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.second(self.first(x) * mask)
        return torch.relu(x + y) * mask


def _convolution_2d(inputs: int, outputs: int, stride: tuple[int, int]) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


def _convolution_1d(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2 * dilation, dilation=dilation, bias=False),
        nn.BatchNorm1d(outputs),
        nn.ReLU(),
    )
