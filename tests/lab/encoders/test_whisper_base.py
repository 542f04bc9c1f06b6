"""OpenAI's Whisper base, with its real weights, against transformers' own encoder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serkit.audio.decode import load_audio
from serkit.lab.encoders.waveform_encoder import open_encoder

transformers = pytest.importorskip("transformers", reason="needs serkit[ssl]")
hub = pytest.importorskip("huggingface_hub", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
NAME, RATE = "openai/whisper-base", 16_000
EXAMPLE = Path(__file__).parents[3] / "examples" / "loud_fast_high.wav"


@pytest.fixture(scope="module")
def folder() -> Path:
    """The checkpoint in the Hugging Face cache; never downloaded."""
    try:
        found = Path(hub.snapshot_download(NAME, local_files_only=True))
    except (hub.errors.LocalEntryNotFoundError, hub.errors.HFValidationError, OSError):
        pytest.skip(f"needs {NAME} in the Hugging Face cache")
    if not (found / "model.safetensors").is_file():
        pytest.skip(f"needs the safetensors of {NAME} in the Hugging Face cache")
    return found


def their_layers(folder: Path, samples: NDArray[np.float32]) -> list[torch.Tensor]:
    """Return what enters each layer of transformers' encoder, and its output, for at most 30 s."""
    prepare = transformers.WhisperFeatureExtractor.from_pretrained(folder)
    encoder = transformers.WhisperModel.from_pretrained(folder).float().get_encoder().eval()
    seen: list[torch.Tensor] = []
    for layer in encoder.layers:
        layer.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    mel = prepare(samples, sampling_rate=RATE, return_tensors="pt").input_features
    with torch.inference_mode():
        last = encoder(mel).last_hidden_state
    return [*seen, last]


def test_every_layer_is_that_of_transformers(folder: Path) -> None:
    """Within a thousandth of each layer's largest number; for a clip, and beyond 30 s in pieces."""
    speech = load_audio(EXAMPLE, target_rate=RATE)
    long = np.tile(speech, 40)[: 31 * RATE]
    encoder = open_encoder(str(folder)).eval()
    for samples, pieces in ((speech, [speech]), (long, [long[: 30 * RATE], long[30 * RATE :]])):
        with torch.inference_mode():
            states, counts = encoder(torch.from_numpy(samples.copy())[None], torch.tensor([len(samples)]))
        frames = -(-len(samples) // 320)
        assert counts.tolist() == [frames]
        for ours, *parts in zip(states, *(their_layers(folder, piece) for piece in pieces), strict=True):
            theirs = torch.cat(parts, 1)[:, :frames]
            assert (ours - theirs).abs().max() <= 1e-3 * theirs.abs().max()
