"""Filters from bins to pitch classes against librosa's."""

import librosa
import numpy as np
import pytest
import torch

from serkit.lab.signal.pitch_classes import PITCH_CLASSES, chroma_filters, normalize_peaks


@pytest.mark.parametrize("rate", [8000, 16_000, 22_050, 44_100])
@pytest.mark.parametrize("n_fft", [512, 2048])
@pytest.mark.parametrize("tuning", [0.0, -0.3])
def test_chroma_filters_equal_librosas(rate: int, n_fft: int, tuning: float) -> None:
    expected = librosa.filters.chroma(sr=rate, n_fft=n_fft, tuning=tuning)
    np.testing.assert_allclose(chroma_filters(rate, n_fft, tuning=tuning), expected, rtol=1e-5, atol=1e-7)


def test_the_largest_pitch_class_of_a_frame_is_1_and_silence_stays_0() -> None:
    chroma = torch.rand(2, len(PITCH_CLASSES), 5, generator=torch.Generator().manual_seed(0))
    chroma[1, :, 3] = 0
    peaks = normalize_peaks(chroma).amax(1)
    assert peaks[1, 3] == 0
    assert int((peaks == 1).sum()) == 9
