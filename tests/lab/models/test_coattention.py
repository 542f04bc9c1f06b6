"""Co-attention: what its weights are, how segments answer together, each part alone, and the file."""

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from serkit.card import Card
from serkit.errors import RecipeError
from serkit.lab.exporting.model_file import TOLERANCE, _Exported, write_graph
from serkit.lab.features import Layout, build_front
from serkit.lab.models import Body, Model, Output, build_body
from serkit.lab.models.blocks import coattention_streams
from serkit.lab.models.blocks.alexnet2d import AlexNet2d
from serkit.lab.models.blocks.coattention_streams import PretrainedFrames, StreamMasks
from serkit.lab.models.blocks.vision_transformer import VisionTransformer
from serkit.lab.models.coattention import CoAttention, CoAttentionConfig, CoAttentivePooling, cut_into_segments
from serkit.lab.recipes.config import build_settings
from serkit.lab.recipes.registry import find_model
from serkit.runtime.recognizer import Recognizer
from support.layouts import CLASSES, count_weights, frames, settle, utterances
from support.tiny_encoders import write_checkpoint

RATE = 16_000
WAVEFORM = Layout("frames", (("waveform", 1),), None, 16_000)
TINY = CoAttentionConfig.tiny()
PARTS: dict[str, dict[str, Any]] = {
    "all": {},
    "all, with a transformer": {"picture": "vit", "side": 32},
    "mfcc": {"streams": ("mfcc",)},
    "alexnet": {"streams": ("picture",)},
    "vit": {"streams": ("picture",), "picture": "vit", "side": 32},
    "encoder": {"streams": ("encoder",)},
    "mfcc and encoder": {"streams": ("mfcc", "encoder")},
    "all, each with an answer": {"parts_loss": 0.5},
    "two layers of LSTM": {"streams": ("mfcc",), "lstm_layers": 2},
}
each_part = pytest.mark.parametrize("settings", PARTS.values(), ids=list(PARTS))
CARD = Card(
    name="toy", serkit_version="0", classes=tuple("abcdef"), label_set="", label_note="", sampling_rate=RATE,
    inputs=("waveform", "lengths"), minimum_duration=0.1, parameters=0, corpora=(), languages=(), train_speakers=(),
    validation_speakers=(), split_digest="", temperature=1.0, validation_uar=None, evidence=(), license="",
    is_commercial_use_allowed=True, not_for=(), recipe={},
)  # fmt: skip


class StandIn(nn.Module):
    """What ``open_encoder`` gives: frames of 20 ms, which a mean over all of the sound changes where it must."""

    size, layers = 6, 2

    def __init__(self, *, needs_equal_lengths: bool) -> None:
        super().__init__()
        self.needs_equal_lengths = needs_equal_lengths
        self.project = nn.Linear(320, self.size)
        self.dropout = nn.Dropout(0.5)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        if self.needs_equal_lengths:
            waveform = waveform - waveform.mean(1, keepdim=True) + waveform.square().mean(1, keepdim=True)
        states = self.project(self.dropout(waveform).reshape(len(waveform), -1, 320))
        return tuple(k * states for k in (1.0, 2.0, 3.0)), lengths // 320


@pytest.fixture(params=[True, False], ids=["equal lengths", "padding-blind"])
def opened(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, bool]]:
    """Put a stand-in in the place of checkpoints; returns which were asked for."""
    asked = []

    def open_encoder(model: str, revision: str, *, has_weights: bool = True) -> StandIn:
        asked.append((model, revision, has_weights))
        return StandIn(needs_equal_lengths=request.param)

    monkeypatch.setattr(coattention_streams, "open_encoder", open_encoder)
    return asked


def tiny(*, seed: int = 0, **changes: Any) -> CoAttention:
    torch.manual_seed(seed)
    return CoAttention(WAVEFORM, CLASSES, replace(TINY, **changes))


def settled(**changes: Any) -> CoAttention:
    body = tiny(**changes)
    settle(body, *utterances(2000, 1500, 800, 300, size=1))
    return body


def assert_same(found: Output, expected: Output, tolerance: float = 1e-5) -> None:
    torch.testing.assert_close(found.logits, expected.logits, atol=tolerance, rtol=0)
    torch.testing.assert_close(found.embedding, expected.embedding, atol=tolerance, rtol=0)


def mean(outputs: list[Output]) -> Output:
    return Output(
        torch.stack([output.logits for output in outputs]).mean(0),
        torch.stack([output.embedding for output in outputs]).mean(0),
    )


def row(output: Output, i: int) -> Output:
    return Output(output.logits[i : i + 1], output.embedding[i : i + 1])


@pytest.mark.parametrize("context", [0, 5])
def test_weights_of_valid_frames_are_1_together_and_those_of_padding_0(context: int) -> None:
    torch.manual_seed(0)
    pool, counts = CoAttentivePooling(context, 6, 4), torch.tensor([7, 3, 1])
    x, heard = torch.randn(3, 6, 9), torch.randn(3, 5) if context else None
    weights = pool.weights(x, counts, heard)
    torch.testing.assert_close(weights.sum((1, 2)), torch.ones(3))
    for i, count in enumerate(counts.tolist()):
        assert not weights[i, :, count:].any()
        assert (weights[i, :, :count] > 0).all()
    other = x.clone()
    other[1, :, 3:] = 99
    assert torch.equal(pool(other, counts, heard), pool(x, counts, heard))


def test_the_two_acoustic_vectors_decide_which_frames_count() -> None:
    torch.manual_seed(0)
    pool, x, counts = CoAttentivePooling(5, 6, 4), torch.randn(1, 6, 9), torch.tensor([9])
    one, other = (pool.weights(x, counts, 5 * torch.randn(1, 5)) for _ in range(2))
    assert (one - other).abs().max() > 0.01


def test_loud_frames_and_contexts_leave_the_weights_spread_at_the_start() -> None:
    torch.manual_seed(0)
    pool, x, counts = CoAttentivePooling(256, 192, 128), 20 * torch.randn(8, 192, 75), torch.full((8,), 75)
    weights = pool.weights(x, counts, 20 * torch.randn(8, 256).relu())
    assert weights.max() < 0.1


@each_part
def test_two_equal_halves_give_what_one_of_them_gives(settings: dict[str, Any]) -> None:
    body = settled(segment_seconds=3.0, **settings)
    half = 0.1 * torch.randn(1, 1, 3 * RATE, generator=torch.Generator().manual_seed(0))
    once = body(half, torch.tensor([3 * RATE]))
    assert_same(body(torch.cat([half, half], dim=2), torch.tensor([6 * RATE])), once)


def test_segments_give_the_mean_of_their_answers_and_the_last_begins_early_enough_to_be_whole() -> None:
    body, size = settled(), 800
    features, _ = utterances(2 * size + 200, size=1)
    pieces = [features[:, :, first : first + size] for first in (0, size, size + 200)]
    first, second, last = (body(piece, torch.tensor([size])) for piece in pieces)
    assert_same(body(features[:, :, : 2 * size], torch.tensor([2 * size])), mean([first, second]))
    assert_same(body(features, torch.tensor([2 * size + 200])), mean([first, second, last]))


@pytest.mark.parametrize(("lengths", "padding"), [([10], 0), ([11, 3], 0), ([1, 8, 4], 9), ([4], 0)])
def test_segments_hold_every_sample_in_order_and_zeros_behind_the_end(lengths: list[int], padding: int) -> None:
    waveform = torch.zeros(len(lengths), max(lengths) + padding)
    for line, length in zip(waveform, lengths, strict=True):
        line[:length] = torch.arange(1, length + 1)
    segments, counts = cut_into_segments(waveform, torch.tensor(lengths), 4)
    assert segments.shape == (counts.numel(), 4)
    for line, valid, length in zip(segments.reshape(len(lengths), -1), counts, lengths, strict=True):
        expected = []
        for first in range(0, 4 * len(valid), 4):
            begin = min(first, max(length - 4, 0))
            expected += [range(begin + 1, min(begin + 4, length) + 1) if first < length else range(0)]
        assert valid.tolist() == [len(samples) for samples in expected]
        for found, count, samples in zip(line.reshape(-1, 4), valid, expected, strict=True):
            assert found[:count].tolist() == list(samples)
            assert not count or not found[count:].any()


@each_part
def test_each_part_alone_answers_in_a_batch_what_it_answers_alone(settings: dict[str, Any]) -> None:
    body = settled(**settings)
    features, lengths = utterances(2500, 801, 800, 5, size=1)
    together = body(features, lengths)
    for i, length in enumerate(lengths.tolist()):
        assert_same(row(together, i), body(features[i : i + 1, :, :length], lengths[i : i + 1]))


@pytest.mark.long
@each_part
def test_each_part_alone_can_learn(settings: dict[str, Any]) -> None:
    body = tiny(**settings, masks=0, dropout=0).train()
    features, lengths = utterances(2500, 1700, 1300, 800, size=1)
    optimizer = torch.optim.AdamW(body.parameters(), lr=0.01)
    for _ in range(90):
        loss = nn.functional.cross_entropy(body(features, lengths).logits, torch.arange(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.2


def test_each_part_answers_alone_in_training_where_its_loss_counts_and_never_else() -> None:
    features, lengths = utterances(2500, 801, size=1)
    body = tiny(parts_loss=0.5).train()
    assert body.parts_loss == 0.5
    output = body(features, lengths)
    assert [part.shape for part in output.parts] == [output.logits.shape] * 3
    mine = [*body.guesses[1].parameters(), *body.vectors["picture"].parameters()]
    others = [*body.guesses[0].parameters(), *body.head.parameters()]
    output.parts[1].sum().backward()
    assert all(weight.grad is not None for weight in mine)
    assert all(weight.grad is None for weight in others)
    assert body.eval()(features, lengths).parts == ()
    body.settle()
    assert count_weights(body) == count_weights(tiny())
    for plain in (tiny(), tiny(parts_loss=0.5, streams=("mfcc",))):
        assert plain.train()(features, lengths).parts == ()
        assert plain.parts_loss == 0


def test_empty_segments_beside_a_long_utterance_leave_the_statistics_of_batch_norms_alone() -> None:
    plain, padded = tiny(masks=0, dropout=0).train(), tiny(masks=0, dropout=0).train()
    features, lengths = utterances(700, 650, size=1)
    plain(features, lengths)
    padded(nn.functional.pad(features, (0, 5000)), lengths)
    for (name, expected), found in zip(plain.state_dict().items(), padded.state_dict().values(), strict=True):
        torch.testing.assert_close(found, expected, msg=name)


def test_the_same_seed_drops_and_masks_the_same_and_another_seed_something_else() -> None:
    body, given = tiny(masks=2, dropout=0.3).train(), utterances(2500, 900, size=1)
    answers = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        answers.append(body(*given).logits)
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])


def test_masks_are_stripes_in_training_and_nothing_otherwise() -> None:
    torch.manual_seed(0)
    masks, x, lengths = StreamMasks(1), torch.ones(50, 24, 100), torch.full((50,), 60)
    for found in masks(x, lengths):
        silent_rows, silent_frames = (found == 0).all(1).sum(), (found == 0).all(0).sum()
        assert silent_rows <= 3
        assert silent_frames <= 6
        hidden = 2400 - (24 - silent_rows) * (100 - silent_frames)
        assert int((found == 0).sum()) == int(hidden)
    assert int((masks(x, lengths) == 0).sum()) > 0
    assert not (masks(x, lengths)[:, :, 60:].any(1) == 0).any()
    assert torch.equal(masks.eval()(x, lengths), x)


def test_alexnets_kernels_are_as_many_as_in_the_paper() -> None:
    network = AlexNet2d(3, 224)
    kernels = [layer.weight for layer in network.layers if isinstance(layer, nn.Conv2d)]
    assert [kernel.numel() for kernel in kernels] == [34_848, 307_200, 884_736, 663_552, 442_368]
    assert network.size == 6 * 6 * 256
    assert network.eval()(torch.zeros(1, 3, 224, 224)).shape == (1, 9216)


@pytest.mark.parametrize("side", [63, 64, 100, 227])
def test_alexnet_knows_what_is_left_of_a_picture(side: int) -> None:
    network = AlexNet2d(1, side, (2, 2, 2, 2, 2)).eval()
    assert network(torch.zeros(2, 1, side, side)).shape == (2, network.size)


def test_the_vision_transformer_is_a_small_one() -> None:
    config = CoAttentionConfig()
    network = VisionTransformer(
        1, config.side, patch=config.patch, width=config.width, depth=config.depth, heads=config.heads, dropout=0
    )
    assert 5_000_000 < count_weights(network) < 6_000_000
    assert network.positions.shape == (1, 197, 192)


def test_the_vision_transformer_knows_where_a_patch_stands() -> None:
    torch.manual_seed(0)
    network = VisionTransformer(1, 8, patch=4, width=8, depth=1, heads=2, dropout=0).eval()
    picture = torch.randn(1, 1, 8, 8)
    assert (network(picture) - network(picture.roll(4, dims=3))).abs().max() > 1e-6


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("streams", [("encoder",), ("mfcc", "picture", "encoder")])
def test_a_checkpoints_frames_are_attended_to_and_padding_changes_nothing(streams: tuple[Any, ...]) -> None:
    body = settled(encoder="somebody/encoder", segment_seconds=0.06, streams=streams)
    features, lengths = utterances(2500, 961, 960, 5, size=1)
    together = body(features, lengths)
    for i, length in enumerate(lengths.tolist()):
        assert_same(row(together, i), body(features[i : i + 1, :, :length], lengths[i : i + 1]))
    assert (together.logits[0] - together.logits[1]).abs().max() > 1e-4


def test_a_checkpoint_is_opened_by_its_name_with_weights_unless_others_will_come(
    opened: list[tuple[str, str, bool]],
) -> None:
    config = replace(TINY, encoder="somebody/encoder", revision="main", segment_seconds=0.06)
    for settings in (config, config.without_files()):
        CoAttention(WAVEFORM, CLASSES, settings)
    assert opened == [("somebody/encoder", "main", has_weights) for has_weights in (True, False)]


@pytest.mark.usefixtures("opened")
@pytest.mark.parametrize("rate", [0, 0.1])
def test_a_checkpoint_stays_as_it_is_or_learns_at_a_rate_of_its_own(rate: float) -> None:
    body = tiny(encoder="somebody/encoder", segment_seconds=0.06, encoder_rate=rate).train()
    assert isinstance(body.encoder, PretrainedFrames)
    encoder = body.encoder.encoder
    assert encoder.training == (rate > 0)
    body(*utterances(2500, 900, size=1)).logits.square().sum().backward()
    assert all((weight.grad is None) == (rate == 0) for weight in encoder.parameters())
    groups = body.rates()
    assert [share for share, _ in groups] == [1.0, 0.1][: len(groups)]
    trained = [weight for _, group in groups for weight in group]
    assert [*map(id, trained)] == [id(w) for w in body.parameters() if w.requires_grad] or rate
    assert len(trained) == sum(weight.requires_grad for weight in body.parameters())
    if rate:
        assert [*map(id, groups[1][1])] == [*map(id, encoder.parameters())]


@pytest.mark.usefixtures("opened")
def test_a_layer_that_a_checkpoint_does_not_have_is_refused() -> None:
    one, two = (settled(encoder="x", segment_seconds=0.06, layer=layer) for layer in (0, -1))
    given = utterances(2500, 900, size=1)
    assert not torch.equal(one(*given).logits, two(*given).logits)
    with pytest.raises(RecipeError, match="layer is out of range: 3"):
        tiny(encoder="x", segment_seconds=0.06, layer=3)


@pytest.mark.long
@pytest.mark.parametrize("settings", [
    {"lstm": 8, "stem": (4, 8), "channels": 16, "alexnet": (8, 8, 8, 8, 8)},
    {"lstm": 8, "stem": (4, 8), "channels": 16, "picture": "vit", "width": 16, "depth": 1, "heads": 2},
], ids=["alexnet", "vit"])  # fmt: skip
def test_a_file_of_whole_segments_answers_as_torch_does(settings: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    body = build_body("coattention", settings, layout=WAVEFORM, classes=CLASSES)
    settle(body, *utterances(RATE, RATE // 2, RATE // 3, size=1))
    check_file(body, tmp_path / "model.onnx")


@pytest.mark.long
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_file_with_a_checkpoint_answers_as_torch_does_and_needs_no_equal_lengths(norm: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs serkit[ssl]")
    folder = write_checkpoint(tmp_path / "encoder", "wav2vec2", norm=norm)
    body = settled(encoder=str(folder), segment_seconds=3.0)
    assert not body.needs_equal_lengths
    check_file(body, tmp_path / "model.onnx")


def check_file(body: Body, file: Path) -> None:
    """Hold a file against torch on 0.5, 3 and 15 s, and its answers in a batch against those alone."""
    exported = _Exported(Model(build_front(find_model("coattention").features), body), 1.5).eval()
    write_graph(exported, file, CARD)
    recognizer, rng = Recognizer.load(file), np.random.default_rng(0)
    answers = []
    sizes = [round(seconds * RATE) for seconds in (0.5, 3.0, 15.0)]
    clips = [0.1 * rng.standard_normal(size).astype(np.float32) for size in sizes]
    for clip in clips:
        answers.append(recognizer.run(clip[None], np.array([len(clip)])))
        with torch.inference_mode():
            expected = exported(torch.from_numpy(clip)[None], torch.tensor([len(clip)]))
        for found, right in zip(answers[-1], expected, strict=True):
            assert np.abs(found - right.numpy()).max() < TOLERANCE
    batch = np.zeros((3, sizes[-1]), np.float32)
    for line, clip in zip(batch, clips, strict=True):
        line[: len(clip)] = clip
    together = recognizer.run(batch, np.array(sizes))
    for i, answer in enumerate(answers):
        for found, right in zip(together, answer, strict=True):
            assert np.abs(found[i] - right[0]).max() < TOLERANCE


def test_features_other_than_the_waveform_are_refused() -> None:
    with pytest.raises(RecipeError, match="coattention reads the waveform, not rows: set features: "):
        CoAttention(frames(64), CLASSES, TINY)


def test_sound_at_another_rate_is_refused() -> None:
    with pytest.raises(RecipeError, match="coattention needs features of sound at 16000 Hz, got 8000 Hz"):
        CoAttention(replace(WAVEFORM, sampling_rate=8_000), CLASSES, TINY)


@pytest.mark.parametrize(
    "settings",
    [
        {"sampling_rate": 0}, {"segment_seconds": 0}, {"streams": []}, {"streams": ["mfcc", "mfcc"]}, {"lstm": 0},
        {"lstm_layers": 0}, {"side": 62}, {"side": 100, "picture": "vit"}, {"patch": 0}, {"alexnet": [2, 2]},
        {"alexnet": [2, 3, 2, 2, 2]}, {"heads": 0}, {"width": 100}, {"depth": 0}, {"vector": 0}, {"embedding": 0},
        {"encoder_rate": -1}, {"masks": -1}, {"dropout": 1}, {"channels": 0}, {"stem": []}, {"dilations": [0]},
        {"halvings": -1},
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(CoAttentionConfig, settings, where="model: coattention")


def test_the_tiny_settings_are_settings_as_a_recipe_has_them() -> None:
    assert build_settings(CoAttentionConfig, asdict(TINY), where="model: coattention") == TINY
    assert math.isclose(TINY.segment_seconds * RATE, 800)
