"""``python -m pitch_tracker -o pitch.onnx``: export the lab's pitch tracker, which ``serkit corpora stats`` runs.

The file holds the ``pitch`` feature with its default settings. So corpora are measured with the pitch that models read,
and a plain installation needs no torch for it.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn

from asset_file import write_asset
from serkit.lab.features.pitch import Pitch, PitchConfig
from serkit.types import FloatArray


class PitchTracker(nn.Module):
    """The ``pitch`` feature for waveforms of one length: waveform (B, T) to f0 and strength, each (B, N)."""

    def __init__(self, config: PitchConfig | None = None) -> None:
        super().__init__()
        self.front = Pitch(config or PitchConfig())

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Return the fundamental frequency in Hz, 0 where unvoiced, and the voicing strength; N = 1 + T // hop."""
        lengths = torch.ones_like(waveform[:, 0], dtype=torch.int64) * waveform.shape[1]
        features, _ = self.front(waveform, lengths)
        return features[:, 0], features[:, 1]


def export_tracker(output: Path) -> float:
    """Write the pitch tracker as an ONNX file.

    Args:
        output: File to write.

    Returns:
        Largest difference between torch and ONNX Runtime.

    Raises:
        ExportError: If torch and ONNX Runtime differ by more than 1e-4.
    """
    tracker = PitchTracker()
    config: PitchConfig = tracker.front.config
    about = {
        "about": "Fundamental frequency f0 of one voice in Hz, 0 where unvoiced, and voicing strength, 0 to 1; "
        "frame n is centered at sample n * hop.",
        "sampling_rate": str(config.sampling_rate),
        "hop": str(tracker.front.stft.hop),
        "lowest": str(config.lowest),
        "highest": str(config.highest),
        "license": "Apache-2.0",
    }
    glides = [_glide(seconds, config.sampling_rate) for seconds in (0.005, 0.7, 3.01)]
    waveforms = [torch.from_numpy(np.stack([glide, 0.1 * glide[::-1]])) for glide in glides]
    axes = {"f0": "N", "strength": "N"}
    return write_asset(tracker, output, example=waveforms[1], axes=axes, about=about, checked=waveforms)


def _glide(seconds: float, sampling_rate: int) -> FloatArray:
    """Return a voice-like sound (T,) that glides from 100 to 300 Hz over a little noise, with a pause in the middle."""
    size = round(seconds * sampling_rate)
    phase = 2 * np.pi * np.cumsum(np.linspace(100, 300, size)) / sampling_rate
    sound = 0.2 * np.sum([np.sin(k * phase) / k for k in range(1, 11)], 0)
    sound[size // 2 : size // 2 + size // 10] = 0
    glide: FloatArray = (sound + 1e-3 * np.random.default_rng(0).standard_normal(size)).astype(np.float32)
    return glide


def main(output: Annotated[Path, typer.Option("--output", "-o", help="File to write.")]) -> None:
    """Export the pitch tracker as one ONNX file."""
    difference = export_tracker(output)
    print(f"{output}: torch and ONNX Runtime differ by {difference:.1e}")


if __name__ == "__main__":
    typer.run(main)
