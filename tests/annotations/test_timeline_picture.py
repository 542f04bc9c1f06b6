import builtins
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from serkit.annotations.timeline import Timeline
from serkit.annotations.timeline_picture import COLUMNS, draw, make_figure
from serkit.errors import DrawingError, MissingExtraError
from serkit.types import UNCERTAIN
from support.timelines import AWKWARD, CLASSES, long_timeline, segment, timeline

SHORT = [segment(0.5, 4), segment(4, 4.1, "sadness"), segment(6, 9, UNCERTAIN)]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("ending", [".png", ".svg"])
def test_the_same_timeline_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    made = timeline(SHORT)
    one, other = (draw(made, tmp_path / f"{name}{ending}").read_bytes() for name in "ab")
    assert one == other
    assert one.startswith(b"\x89PNG" if ending == ".png" else b"<?xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{ending}", f"b{ending}"]


def test_names_stand_in_blocks_that_have_room() -> None:
    shown = texts(make_figure(timeline(SHORT)))
    assert shown.count("anger") == 2  # its block and the legend
    assert shown.count("sadness") == 1
    assert shown.count(UNCERTAIN) == 2


def test_every_channel_has_a_titled_group_of_rows_over_one_time_axis() -> None:
    figure = make_figure(timeline([segment(0, 5), segment(0, 2, channel=1)], channels=2))
    assert len(figure.axes) == 8
    assert [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")] == [
        "channel 1",
        "channel 2",
    ]
    assert {axes.get_xlim() for axes in figure.axes} == {(0.0, 10.0)}
    heights = [axes.get_position().y1 for axes in figure.axes]
    assert heights == sorted(heights, reverse=True)


def test_a_recording_without_speech_says_so() -> None:
    assert "no speech" in texts(make_figure(timeline()))
    assert "no speech" not in texts(make_figure(timeline(SHORT)))


def test_gaps_between_windows_stay_empty() -> None:
    (_, _, shares, _) = make_figure(timeline([segment(1, 2), segment(5, 6)])).axes
    covered = [path.get_extents() for collection in shares.collections for path in collection.get_paths()]
    assert covered
    assert all(box.x1 <= 2 or box.x0 >= 5 for box in covered)


@pytest.mark.parametrize(
    ("seconds", "last"), [(3, "0:03.0"), (300, "5:00"), (3600, "1:00:00"), (36_000, "10:00:00")]
)  # fmt: skip
def test_times_are_read_as_a_clock(seconds: int, last: str) -> None:
    axes = make_figure(timeline(duration=seconds)).axes[-1]
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels[-1] == last
    assert 4 <= len(labels) <= 13


def test_ten_hours_are_reduced_to_what_can_be_seen_and_the_picture_says_so(tmp_path: Path) -> None:
    made = long_timeline(36_000, hop=2.0)
    path = draw(made, tmp_path / "long.svg")
    assert path.stat().st_size < 2_000_000
    remark = "Each column of 72 s shows the mean probabilities and the emotion that lasts longest."
    assert remark in texts(make_figure(made))
    assert not any("each" in text for text in texts(make_figure(long_timeline(COLUMNS))))


def test_awkward_names_are_drawn(tmp_path: Path) -> None:
    made = timeline([segment(0, 9, AWKWARD)], name=AWKWARD * 5, model="$m^", classes=(*CLASSES, AWKWARD))
    ET.parse(draw(made, tmp_path / "awkward.svg"))
    title = make_figure(made)._suptitle  # type: ignore[attr-defined]
    assert len(title.get_text()) < 130


@pytest.mark.parametrize("peaks", [np.zeros((1, 0)), np.zeros((1, 500)), np.full((1, 500), 1.5)])
def test_silence_and_clipping_are_drawn(peaks: np.ndarray, tmp_path: Path) -> None:
    made: Timeline = timeline(SHORT, peaks=peaks.astype(np.float32))
    assert draw(made, tmp_path / "a.png").stat().st_size > 1000


def test_without_matplotlib_the_error_names_the_pip_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    true_import = builtins.__import__

    def refuse(name: str, *args: Any, **more: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return true_import(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r"drawing a timeline needs .*pip install 'serkit\[plot\]'"):
        draw(timeline(), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_other_endings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DrawingError, match=r"must end in \.png or \.svg"):
        draw(timeline(), tmp_path / "a.pdf")
