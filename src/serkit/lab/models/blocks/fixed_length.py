"""Cutting and padding utterances to one length, for networks whose dense layers need it."""

from torch import Tensor
from torch.nn import functional


def cut_or_pad(features: Tensor, lengths: Tensor, *, frames: int) -> tuple[Tensor, Tensor]:
    """Keep the first ``frames`` frames of each utterance; pad shorter utterances with zeros.

    Args:
        features: Features of shape (B, F, N), with zeros as padding.
        lengths: Valid frames of each utterance, shape (B,).
        frames: Number of frames to return.

    Returns:
        Features (B, F, frames) and their valid lengths (B,).
    """
    # Padding by a constant, then cutting, gives a shape that does not depend on the data and can be exported.
    return functional.pad(features, (0, frames))[..., :frames], lengths.clamp(max=frames)
