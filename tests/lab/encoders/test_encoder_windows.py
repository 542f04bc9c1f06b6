"""Long audio in an encoder: windows of at most 30 s, whose frames are joined."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from serkit.lab.encoders.encoder_windows import window_spans
from serkit.lab.encoders.pretrained_checkpoint import LONGEST_WINDOW
from serkit.lab.encoders.waveform_encoder import Encoder, open_encoder
from serkit.lab.features import build_front
from support.tiny_encoders import FAMILIES

RATE = 16_000
CUT = tuple(family for family in FAMILIES if family != "whisper")  # Whisper has pieces of its own
Make = Callable[..., Path]
needs_ssl = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@given(st.integers(400, 100_000), st.integers(1, 400), st.integers(1, 400), st.integers(800, 20_000))
def test_windows_have_the_frames_of_the_whole(size: int, first: int, stride: int, longest: int) -> None:
    """Each frame once, over the same samples, in windows that are never too long and of one length within a frame."""
    stride = min(stride, first)
    spans = window_spans(size, first=first, stride=stride, longest=longest)
    frames = [
        begin + i * stride for begin, end in spans for i in range((end - begin - first) // stride + 1)
    ]  # their first samples
    assert frames == [i * stride for i in range((size - first) // stride + 1)]
    assert spans[0][0] == 0
    assert spans[-1][1] == size
    lengths = [end - begin for begin, end in spans]
    assert max(lengths) <= longest
    assert max(lengths) - min(lengths) < 2 * stride
    assert len(spans) == 1 or size > longest


def encoder_of(folder: Path, *, longest: int) -> Encoder:
    encoder = open_encoder(str(folder)).eval()
    encoder.longest = longest
    return encoder


def noise(samples: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).normal(0.01, 0.1, samples).astype(np.float32))[None]


@needs_ssl
@pytest.mark.parametrize("family", CUT)
@pytest.mark.parametrize("normalized", [True, False])
def test_long_audio_gives_as_many_frames_as_at_once(make: Make, family: str, normalized: bool) -> None:
    pytest.importorskip("transformers", reason="needs serkit[ssl]")
    folder = make(family, norm="layer", normalized=normalized)
    samples = noise(3 * RATE + 123)
    length = torch.tensor([samples.shape[1]])
    with torch.inference_mode():
        whole, count = open_encoder(str(folder)).eval()(samples, length)
        cut, same = encoder_of(folder, longest=RATE)(samples, length)
    assert torch.equal(count, same)
    assert [layer.shape for layer in cut] == [layer.shape for layer in whole]


@needs_ssl
def test_each_window_is_what_transformers_gives_for_its_samples(make: Make) -> None:
    """The utterance is normalized as a whole, before it is cut."""
    transformers = pytest.importorskip("transformers", reason="needs serkit[ssl]")
    folder = make("hubert", norm="layer", stable=True)
    samples = noise(2 * RATE)
    encoder = encoder_of(folder, longest=RATE)
    with torch.inference_mode():
        states, _ = encoder(samples, torch.tensor([samples.shape[1]]))
        model = transformers.AutoModel.from_pretrained(folder).eval()
        prepared = (samples - samples.mean()) / (samples.var(correction=0) + 1e-7).sqrt()
        first, stride = encoder.checkpoint.shortest, encoder.checkpoint.stride
        spans = window_spans(samples.shape[1], first=first, stride=stride, longest=RATE)
        assert len(spans) == 3
        expected = [model(prepared[:, begin:end]).last_hidden_state for begin, end in spans]
    torch.testing.assert_close(states[-1], torch.cat(expected, 1), atol=1e-5, rtol=0)


@needs_ssl
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_long_utterance_changes_nothing_for_its_neighbors(make: Make, norm: str) -> None:
    pytest.importorskip("transformers", reason="needs serkit[ssl]")
    encoder = encoder_of(make("wav2vec2", norm=norm), longest=RATE)
    samples = noise(3 * RATE)
    lengths = [RATE // 2, 3 * RATE, 2 * RATE]
    padded = torch.cat([samples * (torch.arange(3 * RATE) < length) for length in lengths])
    with torch.inference_mode():
        together, counts = encoder(padded, torch.tensor(lengths))
        for i, length in enumerate(lengths):
            alone, count = encoder(samples[:, :length], torch.tensor([length]))
            assert counts[i] == count[0]
            torch.testing.assert_close(together[-1][i, : count[0]], alone[-1][0], atol=1e-5, rtol=0)


@needs_ssl
def test_gradients_reach_the_layers_through_all_windows(make: Make) -> None:
    pytest.importorskip("transformers", reason="needs serkit[ssl]")
    encoder = encoder_of(make("wav2vec2", norm="layer"), longest=RATE).train()
    samples = noise(2 * RATE)
    states, _ = encoder(samples, torch.tensor([2 * RATE]))
    states[-1][:, -1].sum().backward()
    network = encoder.network
    assert isinstance(network, torch.nn.Module)
    assert any(weight.grad is not None and weight.grad.any() for weight in network.parameters())


@needs_ssl
@pytest.mark.parametrize("family", FAMILIES)
def test_model_files_with_an_encoder_take_30_s(make: Make, family: str) -> None:
    pytest.importorskip("transformers", reason="needs serkit[ssl]")
    front = build_front([{"name": "ssl", "model": str(make(family))}])
    assert front.maximum_duration == LONGEST_WINDOW == 30
    assert build_front([{"name": "logmel"}]).maximum_duration == 60


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of the address space")
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_ten_minutes_need_little_memory(make: Make, norm: str) -> None:
    """Under a limit of 6 GB for the process; at once, the attention alone would take 14 GB for each layer."""
    pytest.importorskip("transformers", reason="needs serkit[ssl]")
    code = (
        "import sys, numpy as np; from serkit.lab.features import build_front;"
        "from serkit.lab.features.extraction import frames_of_batch;"
        "clip = np.random.default_rng(0).normal(0, 0.1, 16000 * 600).astype(np.float32);"
        "(row,) = frames_of_batch(build_front([{'name': 'ssl', 'model': sys.argv[1]}]), [clip]);"
        "print(len(row))"
    )
    folder = make("wav2vec2", norm=norm)
    limit = 6_000_000_000
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], check=False, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == (600 * RATE - 325) // 320 + 1
