import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from serkit.lab.models.blocks.recurrence import Recurrent, flip


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 4))
def test_a_flip_reverses_the_valid_frames_and_leaves_the_padding(lengths: list[int], padding: int) -> None:
    x = torch.randn(len(lengths), max(lengths) + padding, 3)
    flipped = flip(x, torch.tensor(lengths))
    for row, found, length in zip(x, flipped, lengths, strict=True):
        assert torch.equal(found[:length], row[:length].flip(0))
        assert torch.equal(found[length:], row[length:])
    assert torch.equal(flip(flipped, torch.tensor(lengths)), x)


def test_the_gru_equals_torchs_bidirectional_one_on_packed_sequences() -> None:
    torch.manual_seed(0)
    ours, theirs = Recurrent(6, 4), nn.GRU(6, 4, batch_first=True, bidirectional=True)
    for part, suffix in ((ours.forwards, ""), (ours.backwards, "_reverse")):
        for weight, value in part.named_parameters():
            getattr(theirs, weight + suffix).data.copy_(value.data)
    x, lengths = torch.randn(4, 6, 13), torch.tensor([13, 1, 7, 12])
    packed = nn.utils.rnn.pack_padded_sequence(x.transpose(1, 2), lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)  # (B, N, 2 * units)
    torch.testing.assert_close(ours(x, lengths), expected.transpose(1, 2), atol=1e-6, rtol=0)


def test_the_backward_gru_sees_each_utterances_own_last_frame_first() -> None:
    torch.manual_seed(0)
    gru = Recurrent(6, 4)
    x, lengths = torch.randn(2, 6, 10), torch.tensor([10, 4])
    y = gru(x, lengths)
    first, _ = gru.backwards(x[1, :, 3][None, None])
    torch.testing.assert_close(y[1, 4:, 3], first[0, 0], atol=1e-6, rtol=0)
    assert not y[1, :, 4:].any()
