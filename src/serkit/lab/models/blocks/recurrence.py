"""Bidirectional recurrent layers over padded batches, in a form that can be exported.

torch's bidirectional layers start the backward pass in the padding. Here a second layer of one direction reads each
utterance's valid frames in reverse order.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from serkit.lab.signal.masking import frame_mask

Cell = Literal["gru", "lstm"]
_CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """One layer of GRU or LSTM, (B, C, N) to (B, units, N), or (B, 2 * units, N) in both directions.

    Args:
        width: C.
        units: Units of each direction.
        cell: ``gru`` or ``lstm``.
        is_bidirectional: Whether a second layer reads backwards from each utterance's last valid frame.
    """

    def __init__(self, width: int, units: int, cell: Cell = "gru", *, is_bidirectional: bool = True) -> None:
        super().__init__()
        self.forwards = _CELLS[cell](width, units, batch_first=True)
        self.backwards = _CELLS[cell](width, units, batch_first=True) if is_bidirectional else None
        self.width = units * (1 + is_bidirectional)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Process the valid frames; the padding of the output is zero."""
        x = x.transpose(1, 2).float()  # (B, N, C); a GRU in bfloat16 is slower on CPUs
        with torch.autocast(x.device.type, enabled=False):
            y, _ = self.forwards(x)
            if self.backwards is not None:
                behind, _ = self.backwards(flip(x, lengths))
                y = torch.cat([y, flip(behind, lengths)], dim=2)
        read: Tensor = y * frame_mask(lengths, y.shape[1])[..., None]
        return read.transpose(1, 2)

    def ends(self, y: Tensor, lengths: Tensor) -> Tensor:
        """Return the last state of each direction, (B, width), from the output of :meth:`forward`."""
        units = self.forwards.hidden_size
        last = (lengths - 1)[:, None, None].expand(-1, units, 1)
        ahead = y[:, :units].gather(2, last)[..., 0]
        return ahead if self.backwards is None else torch.cat([ahead, y[:, units:, 0]], dim=1)


def flip(x: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the valid frames of (B, N, C) and leave the padding in place."""
    position = torch.arange(x.shape[1], device=x.device)[None, :]
    reversed_ = lengths[:, None] - 1 - position
    index = torch.where(reversed_ >= 0, reversed_, position)
    return x.gather(1, index[..., None].expand_as(x))
