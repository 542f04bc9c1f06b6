"""The network of the fusionnet report: deep features, statistics and sex."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.blocks.vgg_convolutions import vgg16_convolutions
from serkit.lab.models.fusionnet import FusionNet, FusionNetConfig
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_weights

REPORT = Layout("vector", (("notebook162", 162), ("statistics", 6), ("sex", 1)), 1)
EVERYTHING = Layout("frames", (("notebook162", 162), ("logmel", 24), ("statistics", 6), ("sex", 1)))
TINY = FusionNetConfig.tiny()


def features(layout: Layout, *lengths: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Return features whose vectors stand in every valid frame, as a composite front end hands them over."""
    rng = np.random.default_rng(seed)
    padded = np.zeros((len(lengths), layout.size, max(lengths)), np.float32)
    for row, length in zip(padded, lengths, strict=True):
        row[:, :length] = rng.standard_normal((layout.size, length))
        for name in layout.names:
            if name != "logmel":
                row[layout.rows(name), :length] = row[layout.rows(name), :1]
    return torch.from_numpy(padded), torch.tensor(lengths)


def tiny(layout: Layout = REPORT, **changes: Any) -> FusionNet:
    torch.manual_seed(0)
    return FusionNet(layout, CLASSES, replace(TINY, **changes))


def train_for_a_while(body: FusionNet, given: tuple[Tensor, Tensor]) -> None:
    body.train()
    optimizer = torch.optim.AdamW((weight for weight in body.parameters() if weight.requires_grad), lr=0.01)
    for _ in range(3):
        loss = nn.functional.cross_entropy(body(*given).logits, torch.arange(4))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_the_extractor_and_its_head_have_the_reports_weights() -> None:
    body = FusionNet(REPORT, 6, FusionNetConfig())
    extractor, head = body.extractors["conv1d"], body.heads["conv1d"]
    layers = [layer for part in (extractor, head) for layer in part.modules() if layer._parameters]
    assert [count_weights(layer) for layer in layers] == [1536, 327_936, 335_904, 396, 78]
    assert count_weights(extractor) + count_weights(head) == 665_850


def test_the_classifier_has_676_weights_and_would_have_the_reports_700_at_two_inputs_more() -> None:
    body = FusionNet(REPORT, 6, FusionNetConfig())
    assert body.embedding_size == 39
    assert count_weights(body.classifier) == 676
    wider = Layout("vector", (("notebook162", 162), ("statistics", 8), ("sex", 1)), 1)
    assert count_weights(FusionNet(wider, 6, FusionNetConfig()).classifier) == 700


@pytest.mark.parametrize(
    ("parts", "settings", "inputs"),
    [
        (("notebook162",), {}, 32),
        (("notebook162", "sex"), {}, 33),
        (("notebook162", "statistics"), {}, 38),
        (("logmel", "statistics", "sex"), {"extractor": "conv2d"}, 39),
        (("notebook162", "logmel", "statistics", "sex"), {"extractor": "both"}, 71),
        (("notebook162", "logmel", "statistics", "sex"), {"image": "vgg16"}, 71),
        (("notebook162", "logmel", "statistics", "sex"), {"extractor": "both", "image": "vgg16"}, 103),
    ],
)
def test_every_extractor_gives_32_numbers_beside_what_there_is_of_statistics_and_sex(
    parts: tuple[str, ...], settings: dict[str, Any], inputs: int
) -> None:
    layout = replace(EVERYTHING, parts=tuple(part for part in EVERYTHING.parts if part[0] in parts))
    body = tiny(layout, deep=32, **settings)
    assert body.embedding_size == inputs
    assert body.eval()(*features(layout, 9, 4)).embedding.shape == (2, inputs)


def test_statistics_and_sex_reach_the_classifier_as_they_are() -> None:
    given = features(REPORT, 1, 1)
    assert torch.equal(tiny().eval()(*given).embedding[:, -7:], given[0][:, -7:, 0])


def test_the_first_stage_trains_the_extractor_with_its_head_and_the_second_the_classifier() -> None:
    body, given = tiny(), features(REPORT, 1, 1, 1, 1)
    for stage, trained in enumerate([("extractors", "heads"), ("classifier",)]):
        before = {name: weight.clone() for name, weight in body.named_parameters()}
        body.start_stage(stage)
        train_for_a_while(body, given)
        changed = {
            name.split(".")[0] for name, weight in body.named_parameters() if not torch.equal(weight, before[name])
        }
        assert changed == set(trained)


def test_a_frozen_extractor_drops_nothing() -> None:
    body, given = tiny(dropout=0.9), features(REPORT, 1, 1)
    body.start_stage(1)
    body.train()
    assert body.classifier.training
    assert torch.equal(body(*given).embedding, body(*given).embedding)
    body.start_stage(0)
    assert not torch.equal(body(*given).embedding, body(*given).embedding)
    body.start_stage(1)
    assert torch.equal(body(*given).embedding, body(*given).embedding)


def test_the_head_answers_in_the_first_stage_and_the_classifier_otherwise(tmp_path: Path) -> None:
    body, given = tiny().eval(), features(REPORT, 1, 1)
    fresh = body(*given)
    assert torch.equal(fresh.logits, body.classifier(fresh.embedding))
    for _ in range(2):  # starting a stage twice is starting it once
        body.start_stage(0)
        assert torch.equal(body(*given).logits, body.heads["conv1d"](fresh.embedding[:, : TINY.deep]))
    body.save(tmp_path)
    loaded = tiny().eval()
    loaded.load(tmp_path)
    assert torch.equal(loaded(*given).logits, fresh.logits)


def test_several_heads_answer_with_their_mean() -> None:
    body, given = tiny(EVERYTHING, extractor="both").eval(), features(EVERYTHING, 9, 4)
    body.start_stage(0)
    found = body(*given)
    one, other = found.embedding[:, : TINY.deep], found.embedding[:, TINY.deep : 2 * TINY.deep]
    expected = (body.heads["conv1d"](one) + body.heads["conv2d"](other)) / 2
    torch.testing.assert_close(found.logits, expected)


def test_end_to_end_there_are_no_heads_and_one_stage_trains_everything() -> None:
    body = tiny(training="end_to_end")
    assert body.stages == 1
    assert not body.heads
    body.start_stage(0)
    body.train()(*features(REPORT, 1, 1)).logits.square().sum().backward()
    assert all(weight.grad is not None for weight in body.parameters())


@pytest.mark.parametrize("classifier", ["lstm", "bilstm"])
def test_an_lstm_reads_the_fused_vector_one_number_per_step(classifier: str) -> None:
    body = tiny(classifier=classifier).eval()
    ours = body.classifier.recurrent
    assert isinstance(ours, nn.Module)
    theirs = nn.LSTM(1, TINY.units, batch_first=True, bidirectional=classifier == "bilstm")
    directions = {"forwards": "", "backwards": "_reverse"}
    theirs.load_state_dict(
        {name.split(".")[1] + directions[name.split(".")[0]]: weight for name, weight in ours.state_dict().items()}
    )
    found = body(*features(REPORT, 1, 1))
    _, (last, _) = theirs(found.embedding[:, :, None])  # (directions, B, units)
    expected = body.classifier.dense(last.transpose(0, 1).flatten(1))
    torch.testing.assert_close(found.logits, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("length", [1, 2, 7])
def test_an_utterance_in_a_padded_batch_gets_what_plain_layers_give_it_alone(length: int) -> None:
    layout = Layout("frames", (("logmel", 24),))
    body = tiny(layout, extractor="conv2d").eval()
    given, lengths = features(layout, 30, length)
    x = given[1:, None, :, :length]
    for block in body.extractors["conv2d"].blocks:
        x = nn.functional.max_pool2d(block.convolve(x).relu(), 2, ceil_mode=True)
    expected = body.extractors["conv2d"].dense(x.mean(3).flatten(1))
    torch.testing.assert_close(body(given, lengths).embedding[1:], expected, atol=1e-5, rtol=0)


def test_the_picture_is_the_whole_utterance_whatever_its_duration() -> None:
    layout = Layout("frames", (("notebook162", 162), ("logmel", 24)))
    body = tiny(layout, image="vgg16").eval()
    steady, lengths = features(layout, 50, 20)
    steady[:, :, 1:] = steady[:1, :, :1]  # one sound, held
    steady[1, :, 0] = steady[0, :, 0]
    steady[1, :, 20:] = 0
    found = body(steady, lengths).embedding
    torch.testing.assert_close(found[0], found[1], atol=1e-5, rtol=0)
    assert found[0, TINY.deep :].any()


def test_the_picture_branch_takes_pretrained_convolutions(tmp_path: Path) -> None:
    pretrained = vgg16_convolutions(TINY.image_channels)
    path = tmp_path / "vgg16.safetensors"
    save_file({f"features.{name}": weight for name, weight in pretrained.state_dict().items()}, path)
    body = tiny(EVERYTHING, image="vgg16", image_weights=str(path))
    assert torch.equal(body.extractors["image"].features[0].weight, pretrained[0].weight)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extractor": "conv2d"}, r"^fusionnet's conv2d extractor reads logmel: add logmel to features\.$"),
        ({"extractor": "both"}, r"^fusionnet's conv2d extractor reads logmel: add logmel to features\.$"),
        ({"image": "vgg16"}, r"^fusionnet's image extractor reads logmel: add logmel to features\.$"),
    ],
)
def test_a_missing_feature_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny(REPORT, **settings)


def test_a_feature_that_it_would_not_read_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"reads notebook162, statistics, sex: remove chroma from features"):
        tiny(replace(REPORT, parts=(*REPORT.parts, ("chroma", 12))))
    with pytest.raises(RecipeError, match="reads notebook162, statistics, sex: remove logmel from features"):
        tiny(EVERYTHING)


@pytest.mark.parametrize(
    "settings",
    [{"kernel": 4}, {"filters": 0}, {"filters_2d": []}, {"deep": 0}, {"head": 0}, {"mlp": [12, 0]}, {"units": 0},
     {"image_side": 100}, {"image_channels": [8]}, {"image_weights": "vgg16.safetensors"}, {"dropout": 1.0}],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(FusionNetConfig, settings, where="model: fusionnet")
