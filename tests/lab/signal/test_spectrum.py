"""The transform that all spectral features share, against librosa, and its exportable form against the fast one.

Tolerance: 1e-5 of the largest bin; float32 sums over 2048 points.
"""

import librosa
import numpy as np
import pytest
import torch

from serkit.lab.signal.spectrum import Stft


@pytest.mark.parametrize(("n_fft", "window"), [(512, None), (512, 400), (2048, None), (1024, 800), (360, None)])
def test_frames_are_those_of_librosa(n_fft: int, window: int | None) -> None:
    sound = np.random.default_rng(0).standard_normal(5000).astype(np.float32)
    real, imaginary, frames = Stft(n_fft=n_fft, hop=160, window=window)(
        torch.from_numpy(sound)[None], torch.tensor([5000])
    )
    expected = librosa.stft(
        sound.astype(np.float64), n_fft=n_fft, hop_length=160, win_length=window or n_fft, pad_mode="constant"
    )
    assert int(frames[0]) == expected.shape[1] == real.shape[1]
    found = real[0].numpy().T + 1j * imaginary[0].numpy().T
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("n_fft", [512, 2048, 360, 997])
def test_the_exportable_form_gives_the_same(n_fft: int) -> None:
    stft = Stft(n_fft=n_fft, hop=100)
    frames = torch.randn(2, 7, n_fft, generator=torch.Generator().manual_seed(0))
    for one, two in zip(stft._two_products(frames), stft._fft(frames), strict=True):
        assert (one - two).abs().max() < 1e-5 * two.abs().max()


def test_what_lies_behind_an_utterance_does_not_count() -> None:
    stft = Stft(n_fft=512, hop=160)
    sound = torch.randn(1, 3000, generator=torch.Generator().manual_seed(0))
    alone = stft(sound[:, :2000], torch.tensor([2000]))
    padded = stft(sound, torch.tensor([2000]))
    count = int(alone[2][0])
    assert int(padded[2][0]) == count
    torch.testing.assert_close(padded[0][:, : count - 2], alone[0][:, : count - 2])
