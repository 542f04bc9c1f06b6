import random
import sys
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from serkit.data.curation.corpus_figure import ENDINGS, check_picture, draw, make_figure
from serkit.data.curation.stats import Clip, CorpusStats, Unreadable
from serkit.errors import DrawingError, MissingExtraError
from serkit.labels import EMOTIONS
from serkit.types import Sex

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
SEXES: tuple[Sex, ...] = ("female", "male", "unknown")
SHAPES: Mapping[str, Mapping[str, tuple[int, int]]] = {  # corpus to speakers and emotions
    "one corpus of two": {"tess": (2, 7)},
    "one corpus of many": {"ravdess": (91, 8)},
    "five corpora of 121": {"emodb": (10, 7), "ravdess": (24, 8), "tess": (2, 7), "nemo": (9, 6), "other": (76, 13)},
    "small beside small": {"tess": (2, 7), "a_long_name": (2, 1), "another_name": (1, 2), "big": (110, 6)},
    "twenty corpora": {f"corpus_{n}": (n % 5 + 1, 6) for n in range(20)},
}


def made(shape: Mapping[str, tuple[int, int]], *, per_class: int = 3) -> CorpusStats:
    rng = random.Random(0)
    clips = [
        Clip(
            id=f"{corpus}/{speaker}-{emotion}-{n}",
            corpus=corpus,
            speaker=f"{corpus}/{speaker:04d}",
            sex=SEXES[speaker % 2],
            emotion=emotion,
            duration=rng.lognormvariate(1, 0.3),
            sampling_rate=16_000,
            loudness=rng.gauss(-25, 5),
            pitch=(220 - 100 * (speaker % 2)) * rng.lognormvariate(0, 0.2),
        )
        for corpus, (speakers, emotions) in shape.items()
        for speaker in range(speakers)
        for emotion in EMOTIONS[:emotions]
        for n in range(per_class * (20 if corpus == "tess" else 1))
    ]
    return CorpusStats(tuple(shape), tuple(clips), ())


@pytest.fixture(scope="module")
def stats() -> CorpusStats:
    return made({"emodb": (4, 7), "toy": (2, 3)})


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_chooses_the_format_and_the_same_stats_give_the_same_bytes(
    tmp_path: Path, stats: CorpusStats, ending: str
) -> None:
    first = draw(stats, tmp_path / "new" / f"a{ending}")
    second = draw(stats, str(tmp_path / f"b{ending.upper()}"))
    assert first.read_bytes().startswith(MAGIC[ending])
    assert first.read_bytes() == second.read_bytes()
    assert list(first.parent.iterdir()) == [first]


@pytest.mark.parametrize("shape", SHAPES)
def test_no_text_overlaps_another_or_leaves_the_figure(monkeypatch: pytest.MonkeyPatch, shape: str) -> None:
    figure = make_figure(made(SHAPES[shape]))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # settles the layout
    drawn = []
    draw_text = Text.draw

    def record(text: Text, *args: Any, **options: Any) -> None:
        if text.get_visible() and text.get_text():
            drawn.append(text)
        draw_text(text, *args, **options)

    monkeypatch.setattr(Text, "draw", record)
    canvas.draw()
    boxes = {text: text.get_window_extent(canvas.get_renderer()).padded(-0.5) for text in drawn}
    assert len(boxes) > 20
    for text, box in boxes.items():
        assert box.x0 >= -1, text
        assert box.y0 >= -1, text
        assert box.x1 <= figure.bbox.x1 + 1, text
        assert box.y1 <= figure.bbox.y1 + 1, text
    assert [(a, b) for a, b in combinations(boxes, 2) if boxes[a].overlaps(boxes[b])] == []


def test_corpora_are_titled_as_their_authors_write_them(tmp_path: Path) -> None:
    figure = make_figure(made({"emodb": (2, 3), "mine": (2, 3)}))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[0].startswith("EmoDB (18 clips, 2 speakers, ")
    assert legend[1].startswith("mine (")
    assert legend[2:] == ["female speaker", "male speaker"]


def test_axes_say_their_units() -> None:
    labels = [axes.get_xlabel() + axes.get_ylabel() for axes in make_figure(made({"toy": (2, 3)})).axes]
    assert all(any(unit in label for unit in ("%", "LUFS", "Hz", "clips", "s ")) for label in labels)


@pytest.mark.parametrize(
    "clips",
    [
        (Clip("t/1", "t", "t/a", "unknown", "anger", 0.01, 8_000, None, None),),
        tuple(Clip(f"t/{n}", "t", "t/a", "male", "other", 2.0, 8_000, -70.0, 65.0) for n in range(3)),
    ],
    ids=["one silent clip", "all alike"],
)
def test_little_and_odd_data_is_drawn_without_a_warning(tmp_path: Path, clips: tuple[Clip, ...]) -> None:
    stats = CorpusStats(("t", "empty"), clips, (Unreadable("empty/1", "empty", "1.wav", "no file"),))
    assert draw(stats, tmp_path / "few.png").is_file()


@pytest.mark.parametrize("name", ["figure.gif", "figure", ".png"])
def test_another_ending_is_refused_before_anything_is_measured(name: str) -> None:
    with pytest.raises(DrawingError, match=r"must end in \.png, \.svg or \.pdf"):
        check_picture(name)


def test_nothing_readable_is_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(DrawingError, match="nothing to draw"):
        draw(CorpusStats(("toy",), (), ()), tmp_path / "a.png")


def test_without_matplotlib_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'serkit\[plot\]'"):
        check_picture("a.png")


def test_pyplot_and_the_users_settings_are_left_alone(tmp_path: Path, stats: CorpusStats) -> None:
    before = dict(mpl.rcParams)
    had_pyplot = "matplotlib.pyplot" in sys.modules
    draw(stats, tmp_path / "a.svg")
    assert dict(mpl.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == had_pyplot


def test_drawing_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="no space"):
        draw(made({"toy": (2, 2)}), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
