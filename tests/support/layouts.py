"""Feature layouts and random features for the tests of single models."""

import numpy as np
import torch
from torch import Tensor, nn

from serkit.lab.features import Layout
from serkit.lab.models.body import Body, BodyConfig

CLASSES = 6


def vector(size: int) -> Layout:
    return Layout("vector", (("numbers", size),), 1)


def frames(size: int) -> Layout:
    return Layout("frames", (("rows", size),))


def vectors(count: int, size: int, *, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return vectors (B, F, 1) and their lengths, as a front end returns them."""
    numbers = np.random.default_rng(seed).standard_normal((count, size, 1), np.float32)
    return torch.from_numpy(numbers), torch.ones(count, dtype=torch.int64)


def utterances(*lengths: int, size: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return features (B, F, N) of utterances of these lengths, zero after their ends."""
    rng = np.random.default_rng(seed)
    padded = np.zeros((len(lengths), size, max(lengths)), np.float32)
    for row, length in zip(padded, lengths, strict=True):
        row[:, :length] = rng.standard_normal((size, length))
    return torch.from_numpy(padded), torch.tensor(lengths)


def settle(body: nn.Module, features: Tensor, lengths: Tensor) -> None:
    """Change the running statistics of batch norms from their defaults, then set the body to evaluation."""
    body.train()
    for _ in range(20):
        body(features, lengths)
    body.eval()


def count_true_size(model: type[Body], layout: Layout, config: BodyConfig) -> int:
    """Return the number of weights of a body, built without memory for them."""
    with torch.device("meta"):
        return count_weights(model(layout, CLASSES, config))


def count_weights(body: nn.Module) -> int:
    return sum(parameter.numel() for parameter in body.parameters())


def copy_weights(target: nn.Module, source: nn.Module) -> None:
    """Copy all weights of a module into another one with the same shapes in the same order."""
    pairs = zip(target.parameters(), source.parameters(), strict=True)
    with torch.no_grad():
        for into, value in pairs:
            into.copy_(value)
