"""Tables of layers, as Keras prints them."""

import json
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models import Body, Output, build_body
from serkit.lab.models.cnn_lstm import CnnLstm, CnnLstmConfig
from serkit.lab.models.fusionnet import FusionNet, FusionNetConfig
from serkit.lab.models.summary import NetworkPart, about, as_json, render, summarize, summarize_model
from serkit.lab.models.vgg16 import Vgg16, Vgg16Config

FUSED = Layout("vector", (("notebook162", 162), ("statistics", 6), ("sex", 1)), 1)
MEL = Layout("frames", (("logmel", 64),))


class _Shared(Body):
    """Two parts that share a layer, and another one that never answers."""

    reads = ("vector",)

    def __init__(self) -> None:
        super().__init__(FUSED, 3, None)
        self.first, self.second, self.idle = nn.Linear(169, 169), nn.Linear(169, 3), nn.Linear(2, 2)

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        x = self.first(self.first(features[..., 0]))
        return Output(self.second(x), x)

    def parts(self) -> dict[str, Sequence[nn.Module]]:
        return {"one": (self.first,), "other": (self.first, self.second, self.idle)}


def test_fusionnet_is_printed_as_the_report_prints_it_with_the_reason_for_676() -> None:
    extractor, classifier = render(summarize_model("fusionnet", classes=6)).split("\n\n")
    lines = extractor.splitlines()
    assert lines[0] == "conv1d extractor:"
    assert lines[3].split() == ["extractors.conv1d.layers.0", "(Conv1d)", "(None,", "256,", "162)", "1,536"]
    assert lines[-3:] == ["Total params: 665,850", "Trainable params: 665,850", "Non-trainable params: 0"]
    lines = classifier.splitlines()
    assert lines[-4:-1] == ["Total params: 676", "Trainable params: 676", "Non-trainable params: 0"]
    assert "700 weights at 6 classes, which means 41 inputs; this one has 39" in lines[-1]


def test_shapes_are_those_that_pooling_leaves() -> None:
    [extractor, _] = summarize(FusionNet(FUSED, 6, FusionNetConfig()), FUSED)
    shapes = [layer.shape for layer in extractor.layers if layer.type in ("MaxPool1d", "Flatten")]
    assert shapes == [(None, 256, 81), (None, 256, 41), (None, 10_496)]


def test_batch_and_time_are_open() -> None:
    [part] = summarize(CnnLstm(MEL, 6, CnnLstmConfig()), MEL)
    shapes = {layer.type: layer.shape for layer in part.layers}
    assert shapes["MaxPool2d"] == (None, 128, 4, None)
    assert shapes["LSTM"] == (None, None, 128)


def test_what_is_measured_is_no_weight() -> None:
    [part] = summarize(CnnLstm(MEL, 6, CnnLstmConfig()), MEL)
    assert {layer.name: layer.weights for layer in part.layers}["scale"] == 0
    assert part.weights == sum(layer.weights for layer in part.layers) == 596_742


def test_the_network_is_left_alone() -> None:
    body = FusionNet(FUSED, 6, FusionNetConfig.tiny()).train()
    body.start_stage(0)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    trained = [weight.requires_grad for weight in body.parameters()]
    summarize(body, FUSED)
    assert body.training
    assert body.stage == 0
    assert [weight.requires_grad for weight in body.parameters()] == trained
    assert all(torch.equal(value, before[name]) for name, value in body.state_dict().items())
    assert not any(module._forward_hooks for module in body.modules())


def test_frozen_weights_are_told_apart() -> None:
    layout = Layout("image", (("spectrogram_image", 32),), 32)
    body = Vgg16(layout, 6, Vgg16Config.tiny())
    body.features.requires_grad_(False)
    convolutions, classifier = summarize(body, layout)
    assert (convolutions.trainable, convolutions.frozen) == (0, sum(w.numel() for w in body.features.parameters()))
    assert (classifier.trainable, classifier.frozen) == (17 * 64 + 65 * 64 + 65 * 6, 0)


def test_a_shared_layer_counts_once_and_one_that_never_ran_has_no_shape() -> None:
    one, other = summarize(_Shared(), FUSED)
    assert (one.weights, other.weights) == (169 * 170, 170 * 3 + 6)
    assert [layer.weights for layer in other.layers] == [0, 170 * 3, 6]
    assert [layer.shape for layer in other.layers] == [(None, 169), (None, 3), None]
    assert "idle (Linear) - 6" in " ".join(render([other]).split())


def test_a_model_is_summarized_by_name_as_when_it_is_built() -> None:
    body = build_body("crnn", {}, layout=MEL, classes=7)
    assert summarize_model("crnn", classes=7) == summarize(body, MEL)
    with pytest.raises(RecipeError, match="conv2d extractor reads logmel"):
        summarize_model("fusionnet", {"extractor": "conv2d"}, classes=6)


def test_a_large_model_is_counted_without_memory_for_it() -> None:
    parts = summarize_model("vgg16", classes=1000)
    assert as_json(parts)["weights"] == 138_357_544


def test_the_json_form_holds_what_the_text_does() -> None:
    parts = summarize_model("fusionnet", classes=6)
    found = json.loads(json.dumps(as_json(parts)))
    assert found["weights"] == 665_850 + 676
    extractor = found["parts"][0]
    assert (extractor["name"], extractor["weights"], extractor["trainable"]) == ("conv1d extractor", 665_850, 665_850)
    assert extractor["layers"][0] == {
        "name": "extractors.conv1d.layers.0", "type": "Conv1d", "shape": [None, 256, 162], "weights": 1536,
    }  # fmt: skip


def test_what_there_is_to_say_about_a_model() -> None:
    assert about("fusionnet", classes=6) == {
        "model": "fusionnet",
        "weights": 666_526,
        "features": ["notebook162", "statistics", "sex"],
        "source": "fusionnet",
        "about": "SER-FusionNet: deep features, six statistics and the sex, fused for a small classifier.",
        "license": "Apache-2.0",
        "pretrained": None,
    }


def test_an_empty_part_is_a_table_of_nothing() -> None:
    assert "Total params: 0" in render([NetworkPart("nothing", (), 0, 0)])
