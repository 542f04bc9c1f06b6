"""Attentive statistics pooling: from frames to one vector per utterance.

K. Okabe et al.: Attentive statistics pooling for deep speaker embedding. Interspeech 2018.
"""

import torch
from torch import Tensor, nn


class AttentiveStatistics(nn.Module):
    """Weighted mean and standard deviation over frames, (B, C, N) to (B, 2C); each frame and channel has a weight."""

    def __init__(self, width: int, bottleneck: int = 64) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Conv1d(width, bottleneck, 1), nn.Tanh(), nn.Conv1d(bottleneck, width, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool the valid frames; ``mask`` is (B, 1, N), 1.0 where a frame is valid."""
        weights = self.score(x).masked_fill(mask == 0, -torch.inf).softmax(-1)
        mean = (weights * x).sum(-1)
        variance = (weights * (x - mean[..., None]).square()).sum(-1)
        return torch.cat([mean, (variance + 1e-5).sqrt()], dim=1)
