"""Mel filters and the DFT kernels against librosa and NumPy; the log-mel spectrogram is tested in test_logmel.py."""

import librosa
import numpy as np
import pytest

from serkit.lab.signal.mel import dft_kernels, mel_filters


@pytest.mark.parametrize(
    ("rate", "n_fft", "bands", "fmin", "fmax"),
    [
        (16_000, 512, 64, 0.0, None), (16_000, 512, 40, 0.0, None), (16_000, 512, 80, 50.0, 7600.0),
        (16_000, 1024, 128, 0.0, None), (16_000, 400, 64, 0.0, None), (8000, 256, 32, 0.0, None),
        (22_050, 2048, 128, 0.0, None), (44_100, 2048, 100, 0.0, None),
    ],
)  # fmt: skip
def test_mel_filters_equal_librosas(rate: int, n_fft: int, bands: int, fmin: float, fmax: float | None) -> None:
    expected = librosa.filters.mel(sr=rate, n_fft=n_fft, n_mels=bands, fmin=fmin, fmax=fmax)
    found = mel_filters(rate, n_fft, bands, fmin, fmax)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("window", "n_fft"), [(400, 512), (512, 512), (401, 512)])
def test_kernels_give_the_power_of_the_windowed_transform(window: int, n_fft: int) -> None:
    sound = np.random.default_rng(0).standard_normal(window)
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    expected = np.abs(np.fft.rfft(sound * hann, n_fft)) ** 2
    real, imaginary = np.split(dft_kernels(window, n_fft)[:, 0] @ sound, 2)
    np.testing.assert_allclose(real**2 + imaginary**2, expected, rtol=1e-4, atol=1e-4)
