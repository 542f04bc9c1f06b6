"""Descriptors of each frame in one sequence, for models that read sequences."""

from dataclasses import dataclass

import torch
from torch import Tensor

from serkit.errors import RecipeError
from serkit.lab.features.front import Front
from serkit.lab.recipes.config import require
from serkit.lab.signal.cepstrum import cosine_transform
from serkit.lab.signal.contrast import SpectralContrast
from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.pitch_classes import PITCH_CLASSES, chroma_filters, normalize_peaks
from serkit.lab.signal.pitch_track import PitchTrack, PitchTrackConfig
from serkit.lab.signal.power import Bands, decibels, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft
from serkit.lab.signal.time_domain import frame_rms, zero_crossing_rate

PARTS = {
    "zcr": 1, "energy": 1, "rms": 1, "chroma": len(PITCH_CLASSES), "mfcc": 20, "f0": 1, "voicing": 1, "contrast": 7
}  # fmt: skip
_MEL_BANDS = 128
_TOP_DB = 80.0
_HIGHEST_OCTAVE_HZ = 6400.0  # lower edge of the last band of the contrast


@dataclass(frozen=True)
class FramesConfig:
    """Settings of :class:`Frames`.

    Attributes:
        sampling_rate: Sampling rate of the waveform in Hz.
        parts: Names of the descriptors, each once, in the order of the rows.
        n_fft: Samples of a frame, points of the Fourier transform and of its Hann window.
        hop_ms: Step between frames in ms.
    """

    sampling_rate: int = 16_000
    parts: tuple[str, ...] = tuple(PARTS)
    n_fft: int = 1024
    hop_ms: float = 10.0

    def __post_init__(self) -> None:
        unknown = [part for part in self.parts if part not in PARTS]
        if unknown:
            raise RecipeError(f"frames has no part {unknown[0]!r}; the parts are {', '.join(PARTS)}.")
        require(
            self,
            parts=0 < len(self.parts) == len(set(self.parts)),
            sampling_rate="contrast" not in self.parts or self.sampling_rate > 2 * _HIGHEST_OCTAVE_HZ,
            # each octave of the contrast needs at least one bin
            n_fft=self.n_fft % 2 == 0 and self.n_fft * 200 >= 2 * self.sampling_rate,
            hop_ms=self.hop_ms * self.sampling_rate >= 1000,
        )
        if {"f0", "voicing"} & set(self.parts):
            self.pitch  # noqa: B018 - checks that a frame is long enough for the pitch tracker

    @property
    def pitch(self) -> PitchTrackConfig:
        """Settings of the pitch tracker, which reads the same power spectrum."""
        window_ms = 1000 * self.n_fft / self.sampling_rate
        return PitchTrackConfig(self.sampling_rate, n_fft=self.n_fft, window_ms=window_ms, hop_ms=self.hop_ms)


class Frames(Front):
    """Descriptors of each frame, all with the same hop: waveform (B, T) to frames (B, F, N).

    =========  ==  ================================================================
    zcr        1   share of the frame's samples that cross zero
    energy     1   sum of squares over the frame
    rms        1   root mean square
    chroma     12  pitch classes, as :class:`serkit.lab.features.chroma.Chroma`
    mfcc       20  of 128 mel bands, as :class:`serkit.lab.features.mfcc.Mfcc`
    f0         1   Hz, 0 where unvoiced, as :class:`serkit.lab.features.pitch.Pitch`
    voicing    1   similarity of neighboring periods, 0 to 1
    contrast   7   level difference of peaks and valleys of each octave, dB
    =========  ==  ================================================================

    All descriptors except f0 and voicing equal librosa's with the same settings.
    """

    dct: Tensor
    chroma: Tensor

    def __init__(self, config: FramesConfig) -> None:
        super().__init__()
        self.config = config
        self.size = sum(PARTS[part] for part in config.parts)
        rate, n_fft = config.sampling_rate, config.n_fft
        self.hop = round(rate * config.hop_ms / 1000)
        self.stft = Stft(n_fft=n_fft, hop=self.hop)
        if "mfcc" in config.parts:
            self.mel = Bands(mel_filters(rate, n_fft, _MEL_BANDS))
            dct = cosine_transform(PARTS["mfcc"], _MEL_BANDS)
            self.register_buffer("dct", torch.from_numpy(dct), persistent=False)
        if "chroma" in config.parts:
            self.register_buffer("chroma", torch.from_numpy(chroma_filters(rate, n_fft)), persistent=False)
        if "contrast" in config.parts:
            self.contrast = SpectralContrast(sampling_rate=rate, n_fft=n_fft)
        if {"f0", "voicing"} & set(config.parts):
            self.track = PitchTrack(config.pitch, window=n_fft)

    def forward(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the features; see :class:`Front`."""
        waveform = mute_padding(waveform, lengths)
        frames = lengths // self.hop + 1
        mask = frame_mask(frames, waveform.shape[1] // self.hop + 1)[:, None, :]  # (B, 1, N)
        found = {**self._sample_parts(waveform, lengths), **self._spectral_parts(waveform, lengths, mask)}
        return torch.cat([found[part] for part in self.config.parts], 1) * mask, frames

    def _sample_parts(self, waveform: Tensor, lengths: Tensor) -> dict[str, Tensor]:
        n_fft, found = self.config.n_fft, {}
        if "zcr" in self.config.parts:
            valid = frame_mask(lengths, waveform.shape[1])
            found["zcr"] = zero_crossing_rate(waveform, valid, n_fft=n_fft, hop=self.hop)
        if {"energy", "rms"} & set(self.config.parts):
            found["rms"] = frame_rms(waveform, n_fft=n_fft, hop=self.hop)
            found["energy"] = n_fft * found["rms"].square()
        return found

    def _spectral_parts(self, waveform: Tensor, lengths: Tensor, mask: Tensor) -> dict[str, Tensor]:
        kept = {"chroma": PARTS["chroma"], "mfcc": _MEL_BANDS, "contrast": 2 * PARTS["contrast"]}
        widths = [width for part, width in kept.items() if part in self.config.parts]
        has_pitch = hasattr(self, "track")
        if has_pitch:
            widths.append(self.track.width)
        if not widths:
            return {}
        parts, _ = map_power(self.stft, waveform, lengths, self._keep)
        raw = list(torch.split(parts, widths, dim=1))  # (B, width, N) each
        found = {}
        if has_pitch:
            voice = self.track.choose(raw.pop().transpose(1, 2), mask[:, 0].sum(1))
            found["f0"], found["voicing"] = voice.f0[:, None], voice.strength[:, None]
        if "contrast" in self.config.parts:
            found["contrast"] = self.contrast(raw.pop(), mask)
        if "mfcc" in self.config.parts:
            found["mfcc"] = torch.matmul(self.dct, decibels(raw.pop(), mask, top_db=_TOP_DB))
        if "chroma" in self.config.parts:
            found["chroma"] = normalize_peaks(raw.pop())
        return found

    def _keep(self, power: Tensor) -> Tensor:
        """Return the values to keep of frames (..., N, K): chroma, mel bands, contrast, pitch candidates, if needed."""
        kept = []
        if "chroma" in self.config.parts:
            kept.append(torch.matmul(power, self.chroma.T))
        if "mfcc" in self.config.parts:
            kept.append(self.mel(power))
        if "contrast" in self.config.parts:
            kept.append(self.contrast.extremes(power.sqrt()))
        if hasattr(self, "track"):
            kept.append(self.track.candidates(power))
        return torch.cat(kept, -1)
