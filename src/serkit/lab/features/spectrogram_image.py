"""A spectrogram of the whole utterance as one image of a fixed size, for image networks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from serkit.lab.features.front import Front, Kind
from serkit.lab.recipes.config import require
from serkit.lab.signal.interpolation import interpolation_matrix, stretch
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.power import Bands, decibels, loudest, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft, check_window, is_exporting

_DEVIATION_FLOOR = 1e-4  # added to a variance before its root divides, so that a uniform image becomes 0


@dataclass(frozen=True)
class SpectrogramImageConfig:
    """Settings of :class:`SpectrogramImage`; the defaults are those of the iemocap-coattention report.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        scale: Frequency scale of the rows: ``mel`` or ``linear``.
        bands: Number of mel bands; not used with a ``linear`` scale.
        n_fft: Points of the Fourier transform.
        window_ms: Length of the Hann window in ms.
        hop_ms: Step between frames in ms.
        top_db: Range in dB below the utterance's loudest value. The loudest value becomes 1, the lower end 0.
        rows: Height of the drawn image.
        columns: Width of the drawn image.
        side: Height and width to which the drawn image is interpolated; None keeps its size.
        values: ``unit``: from 0 to 1; ``standard``: mean 0 and deviation 1 over the image.
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
    """One image (B, rows, columns) of an utterance of any duration, with the lowest frequency in row 0.

    The iemocap-coattention report draws 384 x 256 and interpolates to 224 x 224 for its vision transformer; these are
    the defaults. The 224 x 224 of the fusionnet report for VGG16 are ``rows=224, columns=224, side=None``. The reports
    say no more about their images. Our choice is a mel spectrogram in dB below its loudest value, with the utterance
    stretched to the full width, and 384 as the width. Rows and columns are interpolated as in
    ``torch.nn.functional.interpolate(mode="bilinear", antialias=True)``, which averages where an image shrinks.

    Silence is 1 everywhere, as in ``librosa.power_to_db(ref=np.max)``.
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
        vertical = interpolation_matrix(config.rows, self.size) @ interpolation_matrix(bins, config.rows)
        horizontal = interpolation_matrix(config.columns, self.columns).T
        self.register_buffer("vertical", torch.from_numpy(vertical.astype(np.float32)), persistent=False)
        self.register_buffer("horizontal", torch.from_numpy(horizontal.astype(np.float32)), persistent=False)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        power, frames = map_power(self.stft, waveform, lengths, self._rows)
        mask = frame_mask(frames, power.shape[2])[:, None, :]
        level = decibels(power, mask, top_db=self.config.top_db)
        level = 1 + (level - loudest(level, mask)) / self.config.top_db  # (B, F, N)
        if not is_exporting() and (frames == frames[0]).all():  # one matrix fits all utterances
            frames = frames[:1]
        drawn = torch.matmul(level, stretch(frames, power.shape[2], self.config.columns))  # (B, F, columns)
        image = torch.matmul(self.vertical, torch.matmul(drawn, self.horizontal))
        if self.config.values == "standard":
            image = image - image.mean((1, 2), keepdim=True)
            image = image / (image.square().mean((1, 2), keepdim=True) + _DEVIATION_FLOOR).sqrt()
        return image, torch.full_like(lengths, self.columns)

    def _rows(self, power: Tensor) -> Tensor:
        bands: Tensor = self.mel(power) if self.config.scale == "mel" else power
        return bands
