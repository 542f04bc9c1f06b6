"""The short-time Fourier transform in two forms: one for exported graphs, and a faster one for training.

ONNX's own transforms are slow, or missing in some runtimes. A transform of n = a * b points can be computed as two
products with small matrices and a phase rotation between them (Cooley and Tukey, 1965), which is fast in every runtime.
For 2048 points this is a tenth of the work of one product with all cosines and sines. Outside an export, ``torch.fft``
computes the same numbers and is faster still. A test compares both forms.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._guards import active_fake_mode
from torch.nn import functional

from serkit.errors import RecipeError
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask


@dataclass(frozen=True)
class FrameConfig:
    """Settings that all features of librosa's frames share. The defaults are librosa's, but at 16 kHz.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        n_fft: Points of the Fourier transform and of its Hann window, the samples of a frame.
        hop: Samples between frames.
    """

    sampling_rate: int = 16_000
    n_fft: int = 2048
    hop: int = 512

    def __post_init__(self) -> None:
        require(
            self,
            sampling_rate=self.sampling_rate > 0,
            n_fft=self.n_fft >= 2 and self.n_fft % 2 == 0,
            hop=self.hop >= 1,
        )


def check_window(window_ms: float, sampling_rate: int, n_fft: int) -> None:
    """Check that a window is no longer than the Fourier transform.

    Raises:
        RecipeError: If the window is longer; the message names a sufficient ``n_fft``.
    """
    samples = window_ms * sampling_rate / 1000
    if samples > n_fft:
        enough = 1 << math.ceil(math.log2(samples))
        raise RecipeError(
            f"a window of {window_ms} ms is longer than n_fft of {n_fft} points at {sampling_rate} Hz: "
            f"set n_fft to {enough}."
        )


def is_exporting() -> bool:
    """Whether torch exports a graph or infers shapes, both of which need the exportable form of an operation."""
    return torch.onnx.is_in_onnx_export() or active_fake_mode() is not None


class Stft(nn.Module):
    """Hann-windowed spectrum of centered frames, as ``librosa.stft(center=True, pad_mode="constant")``.

    Args:
        n_fft: Points of the Fourier transform.
        hop: Samples between frames.
        window: Samples of the Hann window, which is centered in the frame; None for ``n_fft``.
    """

    hann: Tensor
    first_real: Tensor
    first_imaginary: Tensor
    turn_real: Tensor
    turn_imaginary: Tensor
    second_real: Tensor
    second_imaginary: Tensor

    def __init__(self, *, n_fft: int, hop: int, window: int | None = None) -> None:
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        length = window or n_fft
        hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)  # periodic, as librosa's
        before = (n_fft - length) // 2
        hann = np.pad(hann, (before, n_fft - length - before))
        self.register_buffer("hann", torch.from_numpy(hann.astype(np.float32)), persistent=False)  # (n_fft,)
        self.rows = next(a for a in range(math.isqrt(n_fft), 0, -1) if n_fft % a == 0)
        for name, matrix in _stages(self.rows, n_fft // self.rows).items():
            self.register_buffer(name, torch.from_numpy(matrix), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Transform a batch.

        Args:
            waveform: Waveforms (B, T); samples after an utterance's end count as zero.
            lengths: Number of valid samples (B,).

        Returns:
            Real and imaginary part, each (B, N, K) with K = n_fft // 2 + 1, and the number of valid frames (B,),
            1 + length // hop.
        """
        waveform = waveform * frame_mask(lengths, waveform.shape[1])
        frames = self.frames(waveform) * self.hann  # (B, N, n_fft)
        real, imaginary = self._two_products(frames) if is_exporting() else self._fft(frames)
        return real, imaginary, lengths // self.hop + 1

    def frames(self, waveform: Tensor) -> Tensor:
        """Cut waveforms (B, T) into centered frames (B, N, n_fft), with zeros before the start and after the end."""
        padded = functional.pad(waveform, (self.n_fft // 2, self.n_fft // 2))
        if not is_exporting():
            return padded.unfold(1, self.n_fft, self.hop)
        # unfold cannot be exported for a dynamic length, and one-hot kernels would be large, so gather the frames
        count = waveform.shape[1] // self.hop + 1
        start = torch.arange(count, device=waveform.device)[:, None] * self.hop
        return padded[:, start + torch.arange(self.n_fft, device=waveform.device)[None, :]]

    def _fft(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.rfft(frames)
        return spectrum.real, spectrum.imag

    def _two_products(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        x = frames.reshape(*frames.shape[:-1], self.rows, self.n_fft // self.rows)  # time = row * columns + column
        real, imaginary = torch.matmul(self.first_real, x), torch.matmul(self.first_imaginary, x)  # over rows
        real, imaginary = (
            real * self.turn_real - imaginary * self.turn_imaginary,
            real * self.turn_imaginary + imaginary * self.turn_real,
        )
        turned_real = torch.matmul(real, self.second_real) - torch.matmul(imaginary, self.second_imaginary)
        turned_imaginary = torch.matmul(real, self.second_imaginary) + torch.matmul(imaginary, self.second_real)
        # (..., rows, columns) holds the frequency column * rows + row
        half = self.n_fft // 2 + 1
        flat = (turned_real.transpose(-1, -2), turned_imaginary.transpose(-1, -2))
        one, two = (part.reshape(*frames.shape[:-1], self.n_fft)[..., :half] for part in flat)
        return one, two


def _stages(rows: int, columns: int) -> dict[str, NDArray[np.float32]]:
    """Return the matrices of both products and the phase rotation between them, for rows * columns points."""
    first = np.exp(-2j * np.pi * np.outer(np.arange(rows), np.arange(rows)) / rows)
    turn = np.exp(-2j * np.pi * np.outer(np.arange(rows), np.arange(columns)) / (rows * columns))
    second = np.exp(-2j * np.pi * np.outer(np.arange(columns), np.arange(columns)) / columns)
    stages = {}
    for name, matrix in (("first", first), ("turn", turn), ("second", second)):
        stages[f"{name}_real"] = matrix.real.astype(np.float32)
        stages[f"{name}_imaginary"] = matrix.imag.astype(np.float32)
    return stages
