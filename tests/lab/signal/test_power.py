"""What the spectral features share: blocks of frames, banks of filters, decibels."""

import librosa
import numpy as np
import pytest
import torch

from serkit.lab.signal.masking import frame_mask
from serkit.lab.signal.mel import mel_filters
from serkit.lab.signal.power import Bands, decibels, map_power, mute_padding
from serkit.lab.signal.spectrum import Stft
from support.front_claims import RATE, SIGNALS, batch

CLIPS = (np.tile(SIGNALS["speech"], 6), SIGNALS["noise"], SIGNALS["one sample"])


@pytest.mark.parametrize("hop", [160, 512])
def test_blocks_of_frames_give_the_spectrum_of_the_whole_batch(hop: int) -> None:
    stft = Stft(n_fft=1024, hop=hop)
    waveform, lengths = batch(CLIPS, garbage=1.0)
    real, imaginary, frames = stft(waveform, lengths)
    power, same = map_power(stft, mute_padding(waveform, lengths), lengths, lambda power: power)
    assert torch.equal(frames, same)
    torch.testing.assert_close(power, (real.square() + imaginary.square()).transpose(1, 2), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("bands", [1, 26, 32, 33, 64, 128])
@pytest.mark.parametrize("n_fft", [256, 2048])
def test_bands_are_the_product_with_all_filters(bands: int, n_fft: int) -> None:
    filters = mel_filters(RATE, n_fft, bands)  # of a short transform some are empty
    power = torch.rand(3, 5, n_fft // 2 + 1, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Bands(filters)(power), power @ torch.from_numpy(filters).T, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("top_db", [40.0, 80.0])
def test_decibels_are_librosas_of_each_clip_alone(top_db: float) -> None:
    generator = torch.Generator().manual_seed(0)
    power = torch.randn(3, 4, 50, generator=generator).mul(10).exp()
    power[2] = 0
    frames = torch.tensor([50, 20, 7])
    found = decibels(power, frame_mask(frames, 50)[:, None, :], top_db=top_db)
    for clip, level, count in zip(power, found, frames.tolist(), strict=True):
        expected = librosa.power_to_db(clip[:, :count].double().numpy(), top_db=top_db)
        np.testing.assert_allclose(level[:, :count].numpy(), expected, atol=1e-4, rtol=0)


def test_muting_leaves_nothing_behind_an_end() -> None:
    waveform, lengths = batch(CLIPS, garbage=np.inf)
    muted = mute_padding(waveform, lengths)
    assert muted.isfinite().all()
    assert not muted[2, 1:].any()
    assert torch.equal(muted[0], waveform[0])
