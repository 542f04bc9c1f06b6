"""Joined clips against the same clips one by one, and the fast way of many clips against ``forward``.

Both ways round apart: 1e-5 of a row's largest number, or 3e-4 where MFCC in the hundreds come close to zero, and 1e-3
where silence is normalized, see ``test_logmel.py``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from serkit.lab.features import build_feature, feature_names
from serkit.lab.signal import joined_clips as module
from serkit.lab.signal.joined_clips import join, map_magnitudes
from serkit.lab.signal.spectrum import Stft
from support.front_claims import RATE, SIGNALS, alone

CLIPS = list(SIGNALS.values())
CASES: tuple[tuple[str, Mapping[str, Any]], ...] = (
    *((name, {}) for name in feature_names() if not name.startswith("opensmile")),
    *(("logmel", {"normalize": over, "trim_db": trim}) for over in ("band", "utterance") for trim in (None, 50)),
    ("logmel", {"bands": 40, "window_ms": 16, "hop_ms": 40}),
    ("notebook162", {"chroma_of": "magnitude"}),
    ("notebook162", {"n_fft": 1024, "hop": 300}),
    ("notebook162", {"n_fft": 256, "hop": 640}),
)  # fmt: skip


@pytest.mark.parametrize(("n_fft", "hop"), [(512, 160), (512, 512), (256, 640), (2048, 512)])
def test_no_frame_sees_two_clips(n_fft: int, hop: int) -> None:
    joined = join(
        [np.full(length, i + 1, np.float32) for i, length in enumerate((1, 7, hop, 3 * hop - 1))], n_fft=n_fft, hop=hop
    )
    samples = joined.write(0, np.empty(joined.size, np.float32))
    for number in range(joined.frames):
        seen = set(samples[number * hop : number * hop + n_fft].tolist()) - {0}
        owners = {float(i + 1) for i, span in enumerate(joined.spans) if span.start <= number < span.stop}
        assert seen <= owners or not owners


@pytest.mark.parametrize("points", [1 << 11, 1 << 14, 1 << 18])
def test_blocks_of_any_size_give_the_magnitudes_of_each_clip(points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK_POINTS", points)
    stft = Stft(n_fft=1024, hop=160)
    found = map_magnitudes(stft, joined := join(CLIPS, n_fft=1024, hop=160), lambda x: torch.from_numpy(x.copy()))
    for samples, span in zip(CLIPS, joined.spans, strict=True):
        real, imaginary, frames = stft(torch.from_numpy(samples)[None], torch.tensor([len(samples)]))
        assert span.stop - span.start == int(frames[0])
        np.testing.assert_allclose(found[span], torch.hypot(real, imaginary)[0].numpy(), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(("name", "settings"), CASES)
def test_many_clips_at_once_are_what_forward_gives_of_each(name: str, settings: Mapping[str, Any]) -> None:
    front = build_feature(name, {"sampling_rate": RATE, **settings})
    with torch.inference_mode():
        rows = front.compute_many(CLIPS)
    for (signal, samples), row in zip(SIGNALS.items(), rows, strict=True):
        expected = alone(front, samples).T
        assert (row.shape, row.dtype) == (expected.shape, np.float32)
        allowed = 1e-5 * np.abs(expected).max(0, keepdims=True) + (1e-3 if "normalize" in settings else 3e-4)
        assert (np.abs(row - expected) <= allowed).all(), (signal, np.abs(row - expected).max())


@pytest.mark.parametrize("name", ["logmel", "notebook162"])
def test_many_clips_may_lie_in_memory_that_must_not_change(name: str) -> None:
    samples = SIGNALS["speech"].copy()
    samples.flags.writeable = False
    (row,) = build_feature(name, {"sampling_rate": RATE}).compute_many([samples])
    assert np.isfinite(row).all()
