"""What every registered model must do, in its tiny configuration: a new one is covered as soon as it is registered."""

import functools
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from serkit.errors import RecipeError, UnknownNameError
from serkit.lab.features import LogMel, LogMelConfig
from serkit.lab.features.masking import frame_mask
from serkit.lab.models import Model, Output, build_body, build_model, get_config, model_names
from serkit.lab.models.crnn import AttentiveStatistics, Crnn, CrnnConfig, _BidirectionalGru, _flip

SIZE, CLASSES = 24, 5
TOLERANCE = 1e-5  # float32 sums in another order
LARGEST = 3_000_000  # weights: what "small" means on the card of a model that everybody downloads
every_model = pytest.mark.parametrize("name", model_names())


def tiny_settings(name: str) -> dict[str, Any]:
    return asdict(get_config(name).tiny())


def tiny_body(name: str, *, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_body(name, tiny_settings(name), size=SIZE, classes=CLASSES)


@functools.cache
def settled_body(name: str) -> nn.Module:
    """Return a body in evaluation mode whose running statistics have seen some frames."""
    body = tiny_body(name)
    body.train()
    for seed in range(20):
        body(*frames(40, 31, 22, 8, seed=seed))
    return body.eval()


def frames(*lengths: int, seed: int = 0, padding: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features (B, F, N) of utterances of these lengths, zero behind their ends, as a front end leaves them."""
    rng = np.random.default_rng(seed)
    padded = np.zeros((len(lengths), SIZE, max(lengths) + padding), np.float32)
    for row, length in zip(padded, lengths, strict=True):
        row[:, :length] = rng.standard_normal((SIZE, length))
    return torch.from_numpy(padded), torch.tensor(lengths)


def assert_same(found: Output, expected: Output) -> None:
    torch.testing.assert_close(found.logits, expected.logits, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(found.embedding, expected.embedding, atol=TOLERANCE, rtol=0)


@every_model
def test_a_model_gives_logits_and_an_embedding_for_each_utterance(name: str) -> None:
    output = tiny_body(name)(*frames(40, 17, 3))
    assert output.logits.shape == (3, CLASSES)
    assert output.embedding.shape == (3, get_config(name).tiny().embedding)
    assert output.logits.dtype == output.embedding.dtype == torch.float32


@every_model
@pytest.mark.parametrize(("size", "classes"), [(1, 2), (13, 8), (64, 7), (128, 13)])
def test_a_model_takes_any_number_of_bands_and_classes(name: str, size: int, classes: int) -> None:
    body = build_body(name, tiny_settings(name), size=size, classes=classes).eval()
    assert body(torch.randn(2, size, 20), torch.tensor([20, 11])).logits.shape == (2, classes)


@every_model
def test_every_weight_gets_a_finite_gradient(name: str) -> None:
    body = tiny_body(name)
    output = body.train()(*frames(40, 31, 22, 8))
    nn.functional.cross_entropy(output.logits, torch.arange(4)).backward()
    for weight, parameter in body.named_parameters():
        assert parameter.grad is not None, weight
        assert torch.isfinite(parameter.grad).all(), weight
        if not weight.endswith("bias"):  # of some a normalisation takes away what they add
            assert parameter.grad.any(), weight


@every_model
def test_a_model_can_learn_a_batch_by_heart(name: str) -> None:
    body = tiny_body(name).train()
    features, lengths = frames(40, 31, 22, 8)
    optimizer = torch.optim.AdamW(body.parameters(), lr=0.01)
    for _ in range(60):
        loss = nn.functional.cross_entropy(body(features, lengths).logits, torch.arange(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert body(features, lengths).logits.argmax(1).tolist() == [0, 1, 2, 3]


@every_model
def test_a_batch_gives_each_utterance_what_it_gets_alone(name: str) -> None:
    body = settled_body(name)
    together = body(*frames(60, 1, 2, 59, 7))
    features, lengths = frames(60, 1, 2, 59, 7)
    for i, length in enumerate(lengths.tolist()):
        alone = body(features[i : i + 1, :, :length], lengths[i : i + 1])
        assert_same(Output(together.logits[i : i + 1], together.embedding[i : i + 1]), alone)


@every_model
@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=4),
    padding=st.integers(0, 90),
    seed=st.integers(0, 2**32 - 1),
)
def test_padding_changes_nothing(name: str, lengths: list[int], padding: int, seed: int) -> None:
    body = settled_body(name)
    assert_same(body(*frames(*lengths, seed=seed, padding=padding)), body(*frames(*lengths, seed=seed)))


@every_model
def test_a_very_short_utterance_beside_a_very_long_one_keeps_its_answer(name: str) -> None:
    body = settled_body(name)
    features, lengths = frames(2000, 1, 9)
    together = body(features, lengths)
    for i in (1, 2):
        alone = body(features[i : i + 1, :, : lengths[i]], lengths[i : i + 1])
        assert_same(Output(together.logits[i : i + 1], together.embedding[i : i + 1]), alone)


@every_model
def test_the_order_in_a_batch_changes_nothing(name: str) -> None:
    features, lengths = frames(40, 31, 22, 8)
    order = torch.tensor([2, 0, 3, 1])
    body = settled_body(name)
    plain, shuffled = body(features, lengths), body(features[order], lengths[order])
    assert_same(shuffled, Output(plain.logits[order], plain.embedding[order]))


@every_model
def test_frames_behind_the_end_get_no_gradient_and_all_before_it_do(name: str) -> None:
    features, lengths = frames(37, 21, 1, padding=5)
    features.requires_grad_()
    output = settled_body(name)(features, lengths)
    (output.logits.square().sum() + output.embedding.sum()).backward()
    assert features.grad is not None
    for gradient, length in zip(features.grad, lengths.tolist(), strict=True):
        assert gradient[:, :length].abs().sum(0).all()
        assert not gradient[:, length + 1 :].any()  # a stride of 2 may reach one frame further, which holds a zero


@every_model
@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9])
def test_a_handful_of_frames_is_enough(name: str, length: int) -> None:
    output = settled_body(name)(*frames(length))
    assert torch.isfinite(output.logits).all()
    assert torch.isfinite(output.embedding).all()


@every_model
def test_features_of_nothing_but_zeros_stay_finite(name: str) -> None:
    features, lengths = frames(30, 12)
    output = settled_body(name)(0 * features, lengths)
    assert torch.isfinite(output.logits).all()


@every_model
def test_what_a_model_says_depends_on_what_it_hears(name: str) -> None:
    logits = settled_body(name)(*frames(40, 40, 40)).logits
    assert (logits[0] - logits[1]).abs().max() > 1e-3
    assert (logits[1] - logits[2]).abs().max() > 1e-3


@every_model
def test_the_same_seed_makes_the_same_model_and_another_seed_another(name: str) -> None:
    first, same, other = (tiny_body(name, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[key], same[key]) for key in first)
    assert any(not torch.equal(first[key], other[key]) for key in first)


@every_model
def test_a_model_survives_the_way_through_a_file(name: str, tmp_path: Path) -> None:
    body = settled_body(name)
    save_file({key: value.contiguous() for key, value in body.state_dict().items()}, tmp_path / "weights.safetensors")
    copy = tiny_body(name, seed=9).eval()
    copy.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    expected, found = body(*frames(40, 17)), copy(*frames(40, 17))
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.embedding, expected.embedding)


@every_model
def test_evaluation_has_no_dice_in_it_and_leaves_the_model_as_it_is(name: str) -> None:
    body = settled_body(name)
    before = {key: value.clone() for key, value in body.state_dict().items()}
    first, second = body(*frames(40, 17)), body(*frames(40, 17))
    assert torch.equal(first.logits, second.logits)
    assert all(torch.equal(value, before[key]) for key, value in body.state_dict().items())


@every_model
def test_a_model_of_true_size_is_small(name: str) -> None:
    body = build_body(name, {}, size=64, classes=8)
    weights = sum(p.numel() for p in body.parameters())
    assert 10 * sum(p.numel() for p in tiny_body(name).parameters()) < weights <= LARGEST


@every_model
def test_the_two_halves_of_a_model_meet_at_the_seam(name: str) -> None:
    torch.manual_seed(0)
    features = [{"name": "logmel", "bands": SIZE, "trim_db": 30}]
    model = build_model(features, name, tiny_settings(name), classes=CLASSES).eval()
    assert isinstance(model, Model)
    waveform, lengths = 0.1 * torch.randn(2, 8000), torch.tensor([8000, 3000])
    features, counts = LogMel(LogMelConfig(bands=SIZE, trim_db=30))(waveform, lengths)
    assert_same(model(waveform, lengths), model.body(features, counts))


@every_model
def test_a_setting_that_a_model_does_not_have_suggests_the_nearest(name: str) -> None:
    setting = next(iter(tiny_settings(name)))
    with pytest.raises(RecipeError, match=rf"^model: {name} has no setting '{setting}s'; did you mean '{setting}'\?"):
        build_body(name, {f"{setting}s": 1}, size=SIZE, classes=CLASSES)


@every_model
def test_a_setting_of_the_wrong_type_is_named(name: str) -> None:
    setting = next(iter(tiny_settings(name)))
    with pytest.raises(RecipeError, match=rf"^model: {name}: {setting}.*: Input should be a valid"):
        build_body(name, {setting: "wrong"}, size=SIZE, classes=CLASSES)


def test_an_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^no model 'crn'; did you mean 'crnn'\? See 'serkit models list'\.$"):
        get_config("crn")
    with pytest.raises(UnknownNameError, match="no model 'crn'"):
        build_body("crn", {}, size=SIZE, classes=CLASSES)


@pytest.mark.parametrize("settings", [{"recurrent": 0}, {"halvings": 0}, {"dilations": ()}, {"halvings": 9}])
def test_a_crnn_can_do_without_its_optional_parts(settings: dict[str, Any]) -> None:
    body = Crnn(SIZE, CLASSES, CrnnConfig(**(asdict(CrnnConfig.tiny()) | settings))).eval()
    features, lengths = frames(33, 9)
    together = body(features, lengths)
    alone = body(features[1:, :, :9], lengths[1:])
    assert_same(Output(together.logits[1:], together.embedding[1:]), alone)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(0, 4))
def test_a_flip_reverses_the_valid_frames_and_leaves_the_padding(lengths: list[int], padding: int) -> None:
    x = torch.randn(len(lengths), max(lengths) + padding, 3)
    flipped = _flip(x, torch.tensor(lengths))
    for row, found, length in zip(x, flipped, lengths, strict=True):
        assert torch.equal(found[:length], row[:length].flip(0))
        assert torch.equal(found[length:], row[length:])
    assert torch.equal(_flip(flipped, torch.tensor(lengths)), x)


def test_the_gru_equals_torchs_bidirectional_one_on_packed_sequences() -> None:
    torch.manual_seed(0)
    ours, theirs = _BidirectionalGru(6, 4), nn.GRU(6, 4, batch_first=True, bidirectional=True)
    for part, suffix in ((ours.forwards, ""), (ours.backwards, "_reverse")):
        for weight, value in part.named_parameters():
            getattr(theirs, weight + suffix).data.copy_(value.data)
    x, lengths = torch.randn(4, 6, 13), torch.tensor([13, 1, 7, 12])
    packed = nn.utils.rnn.pack_padded_sequence(x.transpose(1, 2), lengths, batch_first=True, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(theirs(packed)[0], batch_first=True)  # (B, N, 2 * units)
    torch.testing.assert_close(ours(x, lengths), expected.transpose(1, 2), atol=1e-6, rtol=0)


def test_the_backward_gru_sees_each_utterances_own_last_frame_first() -> None:
    torch.manual_seed(0)
    gru = _BidirectionalGru(6, 4)
    x, lengths = torch.randn(2, 6, 10), torch.tensor([10, 4])
    y = gru(x, lengths)
    first, _ = gru.backwards(x[1, :, 3][None, None])
    torch.testing.assert_close(y[1, 4:, 3], first[0, 0], atol=1e-6, rtol=0)
    assert not y[1, :, 4:].any()


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


def test_a_crnns_stem_halves_the_bands_and_as_often_as_asked_the_frames() -> None:
    body = Crnn(64, CLASSES, CrnnConfig(stem=(4, 4, 4), halvings=2)).eval()
    x = torch.zeros(1, 1, 64, 101)
    shapes = [x.shape[2:]]
    for layer in body.stem:
        x = layer(x)
        shapes.append(x.shape[2:])
    assert all(after[0] == (before[0] + 1) // 2 for before, after in pairwise(shapes))
    assert [shape[1] for shape in shapes] == [101, 51, 26, 26]


@pytest.mark.parametrize(
    "settings",
    [{"stem": []}, {"channels": 0}, {"dropout": 2}, {"recurrent": -1}, {"embedding": 0}, {"dilations": [0]},
     {"halvings": -1}],
)  # fmt: skip
def test_a_setting_of_crnn_out_of_range_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        build_body("crnn", settings, size=64, classes=7)
