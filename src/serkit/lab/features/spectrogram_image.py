"""A spectrogram of the whole utterance as one picture of fixed size, for networks that look at pictures."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from serkit.lab.features.front import Front, Kind
from serkit.lab.features.logmel import mel_filters
from serkit.lab.recipes.config import require
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.power import Bands, decibels, loudest, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft, check_window, is_exporting

_DEVIATION_FLOOR = 1e-4  # of a variance: an even picture becomes 0


@dataclass(frozen=True)
class SpectrogramImageConfig:
    """Settings of :class:`SpectrogramImage`; the defaults are document E's picture for a vision transformer.

    Attributes:
        sampling_rate: In Hz, of the waveform.
        scale: Rows by ``mel`` or by ``linear`` frequency.
        bands: Mel bands; where the scale is linear they are not used.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window.
        hop_ms: Step between frames.
        top_db: The range in dB, from the utterance's loudest value, which is 1, down to 0.
        rows: Height of the picture that is drawn.
        columns: Its width.
        side: What height and width it is interpolated to; None leaves it as drawn.
        values: ``unit``: from 0 to 1; ``standard``: mean 0 and deviation 1 over the picture.
    """

    sampling_rate: int = 16_000
    scale: Literal["mel", "linear"] = "mel"
    bands: int = 128
    n_fft: int = 1024
    window_ms: float = 25.0
    hop_ms: float = 10.0
    top_db: float = 80.0
    rows: int = 256
    columns: int = 384
    side: int | None = 224
    values: Literal["unit", "standard"] = "unit"

    def __post_init__(self) -> None:
        check_window(self.window_ms, self.sampling_rate, self.n_fft)
        require(
            self,
            sampling_rate=self.sampling_rate > 0,
            scale=self.scale in ("mel", "linear"),
            bands=self.bands >= 1,
            n_fft=self.n_fft % 2 == 0,
            window_ms=self.window_ms * self.sampling_rate >= 1000,
            hop_ms=self.hop_ms * self.sampling_rate >= 1000,
            top_db=self.top_db > 0,
            rows=self.rows >= 1,
            columns=self.columns >= 1,
            side=self.side is None or self.side >= 1,
            values=self.values in ("unit", "standard"),
        )


class SpectrogramImage(Front):
    """One picture (B, rows, columns) of an utterance of any duration, the lowest frequency in row 0.

    Document E draws 384 x 256 and interpolates that to 224 x 224 for its vision transformer (the defaults); document
    B's 224 x 224 for VGG16 is ``rows=224, columns=224, side=None``. Neither says more than that. Our reading: a mel
    spectrogram in dB below its loudest value, an utterance stretched to the full width, 384 being the width. Lines and
    columns are interpolated as in ``torch.nn.functional.interpolate(mode="bilinear", antialias=True)``, which
    averages where a picture shrinks.

    Silence has nothing louder than itself and is 1 everywhere, as in ``librosa.power_to_db(ref=np.max)``.
    """

    kind: Kind = "image"
    vertical: Tensor
    horizontal: Tensor

    def __init__(self, config: SpectrogramImageConfig) -> None:
        super().__init__()
        self.config = config
        self.size = config.side or config.rows
        self.columns = config.side or config.columns
        window = round(config.sampling_rate * config.window_ms / 1000)
        hop = round(config.sampling_rate * config.hop_ms / 1000)
        self.stft = Stft(n_fft=config.n_fft, hop=hop, window=window)
        self.mel = Bands(mel_filters(config.sampling_rate, config.n_fft, config.bands))
        bins = config.bands if config.scale == "mel" else config.n_fft // 2 + 1
        vertical = _interpolation(config.rows, self.size) @ _interpolation(bins, config.rows)
        horizontal = _interpolation(config.columns, self.columns).T
        self.register_buffer("vertical", torch.from_numpy(vertical.astype(np.float32)), persistent=False)
        self.register_buffer("horizontal", torch.from_numpy(horizontal.astype(np.float32)), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        power, frames = map_power(self.stft, waveform, lengths, self._rows)
        mask = frame_mask(frames, power.shape[2])[:, None, :]
        level = decibels(power, mask, top_db=self.config.top_db)
        level = 1 + (level - loudest(level, mask)) / self.config.top_db  # (B, F, N)
        if not is_exporting() and (frames == frames[0]).all():  # one matrix for all
            frames = frames[:1]
        drawn = torch.matmul(level, stretch(frames, power.shape[2], self.config.columns))  # (B, F, columns)
        picture = torch.matmul(self.vertical, torch.matmul(drawn, self.horizontal))
        if self.config.values == "standard":
            picture = picture - picture.mean((1, 2), keepdim=True)
            picture = picture / (picture.square().mean((1, 2), keepdim=True) + _DEVIATION_FLOOR).sqrt()
        return picture, torch.full_like(lengths, self.columns)

    def _rows(self, power: Tensor) -> Tensor:
        bands: Tensor = self.mel(power) if self.config.scale == "mel" else power
        return bands


def stretch(frames: Tensor, size: int, columns: int) -> Tensor:
    """Return the weight of each valid frame in each column, shape (B, N, columns).

    Args:
        frames: Valid frames, shape (B,).
        size: N, the padded length.
        columns: To which the valid frames are stretched or shrunk.
    """
    per_column = (frames.to(torch.float32) / columns)[:, None, None]
    center = (torch.arange(columns, device=frames.device) + 0.5)[None, None, :] * per_column
    place = (torch.arange(size, device=frames.device) + 0.5)[None, :, None]
    weight = (1 - (place - center).abs() / per_column.clamp(min=1.0)).clamp(min=0.0)
    weight = weight * frame_mask(frames, size)[:, :, None]
    return weight / weight.sum(1, keepdim=True)


def _interpolation(source: int, target: int) -> NDArray[np.float64]:
    """Return the matrix (target, source) that interpolates as :func:`stretch` does, of a size known beforehand."""
    per_row = source / target
    center = (np.arange(target) + 0.5)[:, None] * per_row
    weight = np.maximum(1 - np.abs(np.arange(source)[None, :] + 0.5 - center) / max(per_row, 1.0), 0.0)
    matrix: NDArray[np.float64] = weight / weight.sum(1, keepdims=True)
    return matrix
