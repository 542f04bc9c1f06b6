"""What every network must do, in its tiny configuration: a new one is covered as soon as it is registered."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from serkit.errors import RecipeError, UnknownNameError
from serkit.lab.features import Layout
from serkit.lab.models import Body, Model, Output, build_body, build_model, get_config
from serkit.lab.recipes.registry import find_model
from serkit.lab.recipes.schema import Train
from serkit.lab.training.loop import build_optimizer
from support.tiny import CLASSES, NETWORKS, SIDE, UNITS, layout_of, tiny_body, tiny_settings

TOLERANCE = 1e-5  # float32 sums in another order
every_model = pytest.mark.parametrize("name", NETWORKS)


@functools.cache
def settled_body(name: str) -> Body:
    """Return a body in evaluation mode whose running statistics have seen some frames."""
    body = tiny_body(name)
    for stage in range(body.stages):
        body.start_stage(stage)
        body.train()
        for seed in range(20):
            body(*frames(name, 40, 31, 22, 8, seed=seed))
    return body.eval()


def frames(name: str, *lengths: int, seed: int = 0, padding: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return features (B, F, N) of utterances of these lengths, zero behind their ends, as a front end leaves them.

    Vectors and pictures are of one length, whatever is asked for.
    """
    layout, rng = layout_of(name), np.random.default_rng(seed)
    lengths, padding = tuple(UNITS.get(name, 1) * length for length in lengths), UNITS.get(name, 1) * padding
    if layout.columns is not None:
        lengths, padding = (layout.columns,) * len(lengths), 0
    padded = np.zeros((len(lengths), layout.size, max(lengths) + padding), np.float32)
    for row, length in zip(padded, lengths, strict=True):
        row[:, :length] = rng.standard_normal((layout.size, length))
    return torch.from_numpy(padded), torch.tensor(lengths)


def assert_same(found: Output, expected: Output) -> None:
    torch.testing.assert_close(found.logits, expected.logits, atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(found.embedding, expected.embedding, atol=TOLERANCE, rtol=0)


@every_model
def test_a_model_gives_logits_and_an_embedding_for_each_utterance(name: str) -> None:
    output = tiny_body(name)(*frames(name, 40, 17, 3))
    assert output.logits.shape == (3, CLASSES)
    assert output.embedding.shape == (3, tiny_body(name).embedding_size)
    assert output.logits.dtype == output.embedding.dtype == torch.float32


@every_model
@pytest.mark.parametrize(("size", "classes"), [(16, 2), (19, 8), (64, 7), (128, 13)])
def test_a_model_takes_any_number_of_bands_and_classes(name: str, size: int, classes: int) -> None:
    layout = layout_of(name, size)
    body = build_body(name, tiny_settings(name), layout=layout, classes=classes).eval()
    columns = layout.columns or 20
    lengths = torch.tensor([columns, layout.columns or 11])
    assert body(torch.randn(2, layout.size, columns), lengths).logits.shape == (2, classes)


@every_model
def test_every_weight_of_a_stage_gets_a_finite_gradient_and_no_other_does(name: str) -> None:
    body = tiny_body(name)
    for stage in range(body.stages):
        body.zero_grad()
        body.start_stage(stage)
        output = body.train()(*frames(name, 40, 31, 22, 8))
        nn.functional.cross_entropy(output.logits, torch.arange(4)).backward()
        for weight, parameter in body.named_parameters():
            if not parameter.requires_grad:
                assert parameter.grad is None, weight
                continue
            assert parameter.grad is not None, weight
            assert torch.isfinite(parameter.grad).all(), weight
            if not weight.endswith("bias"):  # of some a normalization takes away what they add
                assert parameter.grad.any(), weight


@every_model
def test_a_model_can_learn_a_batch_by_heart(name: str) -> None:
    body = tiny_body(name)
    features, lengths = frames(name, 40, 31, 22, 8)
    for stage in range(body.stages):
        body.start_stage(stage)
        body.train()
        optimizer = build_optimizer(body.rates(), Train(lr=0.01))
        for _ in range(60 * body.stages):
            loss = nn.functional.cross_entropy(body(features, lengths).logits, torch.arange(4))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert body(features, lengths).logits.argmax(1).tolist() == [0, 1, 2, 3]


@every_model
def test_a_batch_gives_each_utterance_what_it_gets_alone(name: str) -> None:
    body = settled_body(name)
    together = body(*frames(name, 60, 1, 2, 59, 7))
    features, lengths = frames(name, 60, 1, 2, 59, 7)
    for i, length in enumerate(lengths.tolist()):
        alone = body(features[i : i + 1, :, :length], lengths[i : i + 1])
        assert_same(Output(together.logits[i : i + 1], together.embedding[i : i + 1]), alone)


@every_model
@settings(max_examples=15)
@given(
    lengths=st.lists(st.integers(1, 70), min_size=1, max_size=4),
    padding=st.integers(0, 90),
    seed=st.integers(0, 2**32 - 1),
)
def test_padding_changes_nothing(name: str, lengths: list[int], padding: int, seed: int) -> None:
    body = settled_body(name)
    assert_same(body(*frames(name, *lengths, seed=seed, padding=padding)), body(*frames(name, *lengths, seed=seed)))


@every_model
def test_a_very_short_utterance_beside_a_very_long_one_keeps_its_answer(name: str) -> None:
    body = settled_body(name)
    features, lengths = frames(name, 700, 1, 9)
    together = body(features, lengths)
    for i in (1, 2):
        alone = body(features[i : i + 1, :, : lengths[i]], lengths[i : i + 1])
        assert_same(Output(together.logits[i : i + 1], together.embedding[i : i + 1]), alone)


@every_model
def test_the_order_in_a_batch_changes_nothing(name: str) -> None:
    features, lengths = frames(name, 40, 31, 22, 8)
    order = torch.tensor([2, 0, 3, 1])
    body = settled_body(name)
    plain, shuffled = body(features, lengths), body(features[order], lengths[order])
    assert_same(shuffled, Output(plain.logits[order], plain.embedding[order]))


@every_model
def test_frames_behind_the_end_get_no_gradient_and_all_before_it_do(name: str) -> None:
    features, lengths = frames(name, 37, 21, 1, padding=5)
    features.requires_grad_()
    body = settled_body(name)
    output = body(features, lengths)
    (output.logits.square().sum() + output.embedding.sum()).backward()
    assert features.grad is not None
    for gradient, length in zip(features.grad, lengths.tolist(), strict=True):
        heard = min(length, getattr(body.config, "frames", None) or length)  # some cut to one length
        assert gradient[:, :heard].abs().sum(0).all()
        assert not gradient[:, length + 1 :].any()  # a stride of 2 may reach one frame further, which holds a zero


@every_model
@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 9])
def test_a_handful_of_frames_is_enough(name: str, length: int) -> None:
    output = settled_body(name)(*frames(name, length))
    assert torch.isfinite(output.logits).all()
    assert torch.isfinite(output.embedding).all()


@every_model
def test_features_of_nothing_but_zeros_stay_finite(name: str) -> None:
    features, lengths = frames(name, 30, 12)
    output = settled_body(name)(0 * features, lengths)
    assert torch.isfinite(output.logits).all()


@every_model
def test_what_a_model_says_depends_on_what_it_hears(name: str) -> None:
    logits = settled_body(name)(*frames(name, 40, 40, 40)).logits
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
    expected, found = body(*frames(name, 40, 17)), copy(*frames(name, 40, 17))
    assert torch.equal(found.logits, expected.logits)
    assert torch.equal(found.embedding, expected.embedding)


@every_model
def test_evaluation_has_no_dice_in_it_and_leaves_the_model_as_it_is(name: str) -> None:
    body = settled_body(name)
    before = {key: value.clone() for key, value in body.state_dict().items()}
    first, second = body(*frames(name, 40, 17)), body(*frames(name, 40, 17))
    assert torch.equal(first.logits, second.logits)
    assert all(torch.equal(value, before[key]) for key, value in body.state_dict().items())


@every_model
def test_the_two_halves_of_a_model_meet_at_the_seam(name: str) -> None:
    torch.manual_seed(0)
    features = [dict(feature) for feature in find_model(name).features]
    if name == "vgg16":
        features[0] |= {"rows": SIDE, "columns": SIDE}
    model = build_model(features, name, tiny_settings(name), classes=CLASSES).eval()
    assert isinstance(model, Model)
    given = [0.1 * torch.randn(2, 8000), torch.tensor([8000, 3000])]
    if model.front.uses_sex:
        given.append(torch.tensor([1.0, 0.5]))
    assert_same(model(*given), model.body(*model.front(*given)))


@every_model
def test_a_model_refuses_features_that_it_cannot_read(name: str) -> None:
    wrong = "frames" if layout_of(name).kind == "image" else "image"
    with pytest.raises(RecipeError, match=r"reads .*, but spectrum gives"):
        build_body(name, tiny_settings(name), layout=Layout(wrong, (("spectrum", 64),), None), classes=CLASSES)


@every_model
def test_a_setting_that_a_model_does_not_have_suggests_the_nearest(name: str) -> None:
    setting = next(iter(tiny_settings(name)))
    with pytest.raises(RecipeError, match=rf"^model: {name} has no setting '{setting}s'; did you mean '{setting}'\?"):
        build_body(name, {f"{setting}s": 1}, layout=layout_of(name), classes=CLASSES)


@every_model
def test_a_setting_of_the_wrong_type_is_named(name: str) -> None:
    setting = next(key for key, value in tiny_settings(name).items() if value is not None)
    with pytest.raises(RecipeError, match=rf"^model: {name}: {setting}.*: Input should be"):
        build_body(name, {setting: "wrong"}, layout=layout_of(name), classes=CLASSES)


def test_an_unknown_model_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^no model 'crn'; did you mean 'crnn'\? See 'serkit models list'\.$"):
        get_config("crn")
    with pytest.raises(UnknownNameError, match="no model 'crn'"):
        build_body("crn", {}, layout=layout_of("crnn"), classes=CLASSES)
