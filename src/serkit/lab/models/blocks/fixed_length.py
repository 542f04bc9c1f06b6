"""Bringing utterances to one length, for networks whose dense layers need it."""

from torch import Tensor
from torch.nn import functional


def cut_or_pad(features: Tensor, lengths: Tensor, *, frames: int) -> tuple[Tensor, Tensor]:
    """Keep the first ``frames`` frames of each utterance; a shorter one is followed by zeros.

    Args:
        features: Shape (B, F, N), zero behind each utterance's end.
        lengths: Valid frames, shape (B,).
        frames: How many there shall be.

    Returns:
        Features (B, F, frames) and their valid lengths (B,).
    """
    # Padding by as much as could ever be missing keeps the shape free of the data, so that it exports.
    return functional.pad(features, (0, frames))[..., :frames], lengths.clamp(max=frames)
