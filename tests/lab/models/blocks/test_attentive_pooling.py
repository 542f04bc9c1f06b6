import pytest
import torch

from serkit.lab.models.blocks.attentive_pooling import AttentiveStatistics
from serkit.lab.signal.masking import frame_mask


def test_attention_gives_masked_frames_no_weight_and_the_others_all_of_it() -> None:
    torch.manual_seed(0)
    pool = AttentiveStatistics(6)
    seen: list[torch.Tensor] = []
    pool.score.register_forward_hook(lambda module, inputs, output: seen.append(output))
    mask = frame_mask(torch.tensor([5, 2]), 9)[:, None, :].float()
    x = torch.randn(2, 6, 9)
    pooled = pool(x, mask)
    weights = seen[0].masked_fill(mask == 0, -torch.inf).softmax(-1)
    torch.testing.assert_close(pooled[:, :6], (weights * x).sum(-1))
    assert not weights[0, :, 5:].any()
    assert not weights[1, :, 2:].any()
    torch.testing.assert_close(pool(torch.where(mask > 0, x, 1e6), mask), pooled, atol=1e-6, rtol=0)


def test_attentive_statistics_of_a_single_frame_are_that_frame_and_no_deviation() -> None:
    pooled = AttentiveStatistics(3)(torch.tensor([[[1.0], [-2.0], [5.0]]]), torch.ones(1, 1, 1))
    assert pooled[0, :3].tolist() == [1.0, -2.0, 5.0]
    assert pooled[0, 3:].tolist() == pytest.approx([1e-5**0.5] * 3)
