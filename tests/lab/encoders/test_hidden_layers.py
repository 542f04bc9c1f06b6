"""What a layer of an encoder is: what transformers' own forward pass computes, in every release of transformers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serkit.lab.encoders.pretrained_checkpoint import open_checkpoint
from serkit.lab.encoders.waveform_encoder import open_encoder
from serkit.lab.features import build_front
from serkit.lab.features.extraction import frames_of_batch
from support.tiny_encoders import FAMILIES

transformers = pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
RATE = 16_000
STABLE = ("hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm")  # families that may have a norm at the end
KINDS = [
    *((family, norm, False) for family in FAMILIES for norm in ("group", "layer")),
    *((family, norm, True) for family in STABLE for norm in ("group", "layer")),
]
Make = Callable[..., Path]


def sound(seconds: float) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(0.01, 0.1, round(RATE * seconds)).astype(np.float32)


def forward_pass(folder: Path, samples: NDArray[np.float32]) -> tuple[list[torch.Tensor], Any]:
    """Return what enters each transformer layer, what leaves the last, and the output, of transformers' own forward."""
    prepare = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    given = next(iter(prepare(samples, sampling_rate=RATE, return_tensors="pt").values()))
    network = model.get_encoder() if model.config.model_type == "whisper" else model
    layers = network.layers if model.config.model_type == "whisper" else network.encoder.layers
    seen: list[torch.Tensor] = []
    for layer in layers:
        layer.register_forward_pre_hook(lambda module, args, kwargs: seen.append(args[0]), with_kwargs=True)
    last: list[torch.Tensor] = []
    layers[-1].register_forward_hook(lambda module, args, out: last.append(out[0] if isinstance(out, tuple) else out))
    with torch.inference_mode():
        output = network(given, output_hidden_states=True)
    return [*seen, *last], output


@pytest.mark.parametrize(("family", "norm", "stable"), KINDS)
def test_every_layer_is_that_of_transformers_forward_pass(make: Make, family: str, norm: str, stable: bool) -> None:
    """Within 1e-5; the last layer is ``last_hidden_state``, with the norm that follows it."""
    folder = make(family, norm=norm, **({"stable": True} if stable else {}))
    samples = sound(1.1)
    expected, output = forward_pass(folder, samples)
    if family != "sew":  # its last_hidden_state has the frames of another rate
        expected[-1] = output.last_hidden_state
    encoder = open_encoder(str(folder)).eval()
    with torch.inference_mode():
        states, counts = encoder(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
    assert len(states) == len(expected) == encoder.layers + 1
    for ours, theirs in zip(states, expected, strict=True):
        torch.testing.assert_close(ours, theirs[:, : ours.shape[1]], atol=1e-5, rtol=0)
        assert counts.tolist() == [ours.shape[1]]


@pytest.mark.parametrize(("family", "norm", "stable"), KINDS)
def test_a_norm_after_the_last_layer_is_known(make: Make, family: str, norm: str, stable: bool) -> None:
    folder = make(family, norm=norm, **({"stable": True} if stable else {}))
    blocks, output = forward_pass(folder, sound(0.5))
    last = output.last_hidden_state
    has_norm = family != "sew" and not torch.allclose(blocks[-1], last, atol=1e-3)
    assert open_checkpoint(str(folder)).has_final_norm is has_norm


def test_transformers_4_shows_these_layers_as_hidden_states(make: Make) -> None:
    """From release 5 on, its last hidden state lacks the norm, which is why we do not take it."""
    folder = make("wav2vec2", norm="layer", stable=True)
    blocks, output = forward_pass(folder, sound(0.5))
    is_before_five = int(transformers.__version__.split(".")[0]) < 5
    expected = output.last_hidden_state if is_before_five else blocks[-1]
    torch.testing.assert_close(output.hidden_states[-1], expected, atol=1e-6, rtol=0)
    for shown, entered in zip(output.hidden_states[:-1], blocks[:-1], strict=True):
        assert torch.equal(shown, entered)


@pytest.mark.parametrize(("family", "stable"), [("wav2vec2", True), ("wavlm", True), ("wav2vec2-conformer", False)])
def test_the_feature_takes_the_last_layer_with_its_norm(make: Make, family: str, stable: bool) -> None:
    folder = make(family, norm="layer", **({"stable": True} if stable else {}))
    clips = [sound(0.4), sound(1.3)]
    rows = frames_of_batch(build_front([{"name": "ssl", "model": str(folder)}]), clips)
    for samples, row in zip(clips, rows, strict=True):
        _, output = forward_pass(folder, samples)
        np.testing.assert_allclose(row, output.last_hidden_state[0].numpy(), atol=1e-5)
