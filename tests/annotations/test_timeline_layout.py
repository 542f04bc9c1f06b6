import re
from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.annotations.timeline_data import PEAK_SECONDS
from serkit.annotations.timeline_layout import (
    COLORS,
    EmotionBands,
    bands,
    blocks,
    clock_face,
    colors_of,
    emotions_of,
    envelope,
    is_dark,
    thinned,
    tick_step,
)
from serkit.labels import EMOTIONS
from serkit.types import UNCERTAIN, Speech, Window
from support.timelines import CLASSES, long_timeline, segment, timeline

# Machado, Oliveira and Fernandes, 2009, severity 1: how linear RGB looks to those who lack a kind of cone.
SIGHTS = {
    "all cones": np.eye(3),
    "no L": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no M": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no S": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
COMMON = ("anger", "boredom", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


def lab(color: str, sight: str) -> np.ndarray:
    """Return a color in CIE L*a*b*, as seen with a kind of color vision."""
    rgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(SIGHTS[sight]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = to_xyz @ seen / np.array([0.9505, 1, 1.089])
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_every_canonical_emotion_has_a_color_of_its_own() -> None:
    assert set(COLORS) == set(EMOTIONS)
    assert len(set(COLORS.values())) == len(EMOTIONS)
    assert all(re.fullmatch("#[0-9A-F]{6}", color) for color in COLORS.values())


@pytest.mark.parametrize("sight", SIGHTS)
def test_readers_with_any_color_vision_tell_common_emotions_apart(sight: str) -> None:
    distances = {pair: np.linalg.norm(lab(COLORS[pair[0]], sight) - lab(COLORS[pair[1]], sight))
                 for pair in combinations(COMMON, 2)}  # fmt: skip
    assert min(distances.values()) > 15, min(distances, key=lambda pair: distances[pair])  # 2.3 is just noticeable


def test_names_that_are_not_canonical_get_colors_too() -> None:
    found = colors_of(("anger", "glee", "gloom"))
    assert found["anger"] == COLORS["anger"]
    assert len(set(found.values())) == 3


def test_emotions_are_the_classes_and_what_else_occurs() -> None:
    made = timeline([segment(0, 1, UNCERTAIN), segment(1, 2, "other"), segment(2, 3)])
    assert emotions_of(made) == (*CLASSES, "other", UNCERTAIN)


@pytest.mark.parametrize(("color", "dark"), [("#000000", True), ("#0072B2", True), ("#F0E442", False)])
def test_text_is_light_on_dark_colors(color: str, dark: bool) -> None:
    assert is_dark(color) is dark


def test_an_envelope_keeps_the_loudest_peaks_and_knows_its_step() -> None:
    peaks = np.array([0.1, 0.9, 0.2, 0.3, 0.7], dtype=np.float32)
    heights, seconds = envelope(peaks, 2)
    assert heights.tolist() == pytest.approx([0.9, 0.7])
    assert seconds == pytest.approx(3 * PEAK_SECONDS)
    assert envelope(peaks, 5)[0] is not None
    assert len(envelope(peaks[:0], 5)[0]) == 0


def test_windows_that_overlap_meet_halfway_between_their_centers_and_others_keep_their_edges() -> None:
    times = [(0.0, 3.0), (1.0, 4.0), (2.0, 4.5), (6.0, 9.0)]
    windows = tuple(Window(start=s, end=e, emotion="anger", probabilities={"anger": 1.0}) for s, e in times)
    found = bands(timeline(windows=windows), 0)
    assert found.starts.tolist() == [0.0, 2.0, 2.875, 6.0]
    assert found.ends.tolist() == [2.0, 2.875, 4.5, 9.0]
    assert found.shares[:, 0].tolist() == [1, 1, 1, 1]
    assert bands(timeline(), 0).shares.shape == (0, 3)


def test_bands_end_with_the_speech_though_windows_reach_beyond() -> None:
    times = [(0.5, 3.5), (1.5, 4.9), (5.0, 6.5)]
    windows = tuple(Window(start=s, end=e, emotion="anger", probabilities={"anger": 1.0}) for s, e in times)
    spoken = (Speech(start=0.9, end=4.5), Speech(start=5.4, end=6.1), Speech(start=0, end=9, channel=1))
    found = bands(timeline(windows=windows, speech=spoken), 0)
    assert list(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == [(0.9, 2.6), (2.6, 4.5), (5.4, 6.1)]


@given(st.integers(1, 400), st.integers(1, 50))
def test_thinned_bands_keep_order_ends_and_the_mean(windows: int, count: int) -> None:
    rng = np.random.default_rng(windows)
    edges = np.cumsum(rng.random(windows + 1))
    whole = EmotionBands(edges[:-1], edges[1:], rng.dirichlet(np.ones(3), windows).astype(np.float32))
    found = thinned(whole, count, float(edges[-1]))
    assert len(found.starts) <= max(count, 1)
    assert (found.starts[0], found.ends[-1]) == (edges[0], edges[-1])
    assert np.all(found.starts < found.ends)
    means = [np.average(one.shares, axis=0, weights=one.ends - one.starts) for one in (whole, found)]
    np.testing.assert_allclose(*means, atol=1e-4)


def test_a_few_blocks_are_the_segments_and_of_many_the_longest_lasting_wins() -> None:
    made = timeline([segment(0, 2), segment(2, 5, "sadness"), segment(8, 8.5), segment(8.5, 10, UNCERTAIN)])
    assert [(one.start, one.end, one.emotion) for one in blocks(made, 0, 4)] == [
        (0, 2, "anger"), (2, 5, "sadness"), (8, 8.5, "anger"), (8.5, 10, UNCERTAIN)
    ]  # fmt: skip
    assert [(one.start, one.end, one.emotion) for one in blocks(made, 0, 2)] == [
        (0, 5, "sadness"), (5, 10, UNCERTAIN)
    ]  # fmt: skip


def test_blocks_of_a_long_recording_are_no_more_than_asked_for() -> None:
    found = blocks(long_timeline(3000), 0, 100)
    assert 1 < len(found) <= 100
    assert all(one.end <= other.start for one, other in pairwise(found))


@pytest.mark.parametrize("duration", [0.05, 3, 59, 300, 3600, 36_000, 360_000, 4e7])
def test_ticks_are_neither_too_many_nor_too_few(duration: float) -> None:
    step = tick_step(duration, 11)
    assert duration / step <= 11
    assert duration < 1 or duration / step >= 3


def test_clocks_count_up_and_carry() -> None:
    assert clock_face(59.96, decimals=1) == "1:00.0"
    assert clock_face(3599.6) == "1:00:00"
    assert clock_face(0) == "0:00"
    assert clock_face(360_000) == "100:00:00"
