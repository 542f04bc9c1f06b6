import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serkit.annotations import timeline_page as page
from serkit.annotations.timeline_page import LIMITS, write_page
from serkit.errors import AudioIsDirectoryError, AudioNotFoundError
from serkit.types import UNCERTAIN
from support.timelines import AWKWARD, CLASSES, long_timeline, segment, timeline


class Reader(HTMLParser):
    """Collects elements, and the texts of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open:
            kind = self._open[-1]
            self.texts[kind] = self.texts.get(kind, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def data_of(text: str) -> Any:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, flags=re.DOTALL)
    assert match
    return json.loads(match[1])


def test_a_page_loads_nothing_from_elsewhere() -> None:
    text = write_page(timeline([segment(0, 1)]))
    assert not re.search(r"https?://|@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket", text)
    reader = Reader(text)
    assert not reader.all("link")
    assert [one for _, one in reader.elements if "src" in one] == []
    (policy,) = [one["content"] for one in reader.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_nothing_in_a_name_becomes_markup() -> None:
    made = timeline([segment(0, 1, AWKWARD)], name=AWKWARD, model=f"<i>{AWKWARD}", classes=(*CLASSES, AWKWARD))
    text = write_page(made)
    text.encode("utf-8")
    reader = Reader(text)
    assert not {"e", "i"} & {tag for tag, _ in reader.elements}
    assert [len(reader.all(tag)) for tag in ("script", "style", "title", "h1")] == [2, 1, 1, 1]
    assert text.count("<!--") == 0
    assert reader.texts["h1"] == 'a "b" c d <e> & --> é 日本 ? $x$ </script><!--.wav'
    assert data_of(text)["emotions"][3]["name"] == reader.texts["h1"]


def test_a_page_names_the_model_and_its_limits() -> None:
    text = write_page(timeline(model="default"))
    assert "Recognized by the model default." in text
    assert LIMITS in text
    assert "Recognized" not in write_page(timeline(model=""))


def test_the_script_gets_segments_windows_and_colors() -> None:
    made = timeline([segment(0, 1), segment(1, 2, UNCERTAIN), segment(0.5, 3, "sadness", channel=1)], channels=2)
    data = data_of(write_page(made))
    assert data["segments"] == [[0, 1, 0, 0, 0, 60], [0.5, 3, 1, 2, 2, 60], [1, 2, 0, 3, 1, 41]]
    assert [one["name"] for one in data["emotions"]] == [*CLASSES, UNCERTAIN]
    assert ["color" in one for one in data["emotions"]] == [True, True, True, False]
    first = data["channels"][0]
    assert (first["starts"], first["ends"]) == ([0, 100], [100, 200])
    assert first["shares"] == [600, 200, 200, 295, 410, 295]
    assert first["speech"] == [[0, 1], [1, 2]]
    assert set(base64.b64decode(first["peaks"])) == {255}


def test_a_segment_without_probabilities_has_none() -> None:
    one = segment(0, 1)
    bare = type(one)(start=0, end=1, emotion="anger", probabilities={})
    assert data_of(write_page(timeline([bare])))["segments"] == [[0, 1, 0, 0, 0, -1]]


def test_ten_hours_of_two_channels_stay_below_five_megabytes() -> None:
    made = long_timeline(36_000, channels=2)
    text = write_page(made)
    assert len(text.encode()) < 5_000_000
    data = data_of(text)
    assert sum(len(one["starts"]) for one in data["channels"]) <= page.MOST_WINDOWS
    assert sum(len(base64.b64decode(one["peaks"])) for one in data["channels"]) <= page.MOST_PEAKS
    assert len(data["segments"]) == len(made.segments)
    assert "the drawing shows mean probabilities" in text


@pytest.mark.parametrize(("ending", "kind"), [(".wav", "audio/wav"), (".MP3", "audio/mpeg"), (".m4a", "audio/mp4")])
def test_a_small_recording_is_part_of_the_page(ending: str, kind: str, tmp_path: Path) -> None:
    audio = tmp_path / f"a{ending}"
    audio.write_bytes(b"sound")
    (player,) = Reader(write_page(timeline(), audio)).all("audio")
    assert player["src"] == f"data:{kind};base64,{base64.b64encode(b'sound').decode()}"
    assert player["aria-label"]


def test_a_large_recording_is_linked_relative_to_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST_EMBEDDED", 4)
    audio = tmp_path / "sounds" / "my & <call> #1.wav"
    audio.parent.mkdir()
    audio.write_bytes(b"sound")
    reader = Reader(write_page(timeline(), audio, folder=tmp_path / "pages"))
    (player,) = reader.all("audio")
    assert player["src"] == "./../sounds/my%20%26%20%3Ccall%3E%20%231.wav"
    assert reader.all("a")[0]["href"] == player["src"]
    assert "is not embedded in this page" in reader.texts["p"]
    assert Reader(write_page(timeline(), audio)).all("audio")[0]["src"] == "./my%20%26%20%3Ccall%3E%20%231.wav"


def test_a_recording_that_browsers_do_not_play_is_a_link(tmp_path: Path) -> None:
    audio = tmp_path / "a.aiff"
    audio.write_bytes(b"sound")
    reader = Reader(write_page(timeline(), audio))
    assert not reader.all("audio")
    assert reader.all("a")[0]["href"] == "./a.aiff"


def test_without_a_recording_there_is_no_player() -> None:
    text = write_page(timeline())
    assert not Reader(text).all("audio")
    assert "Space plays" not in text


def test_a_recording_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(AudioNotFoundError, match="there is no file"):
        write_page(timeline(), tmp_path / "a.wav")
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(AudioIsDirectoryError, match="is a folder"):
        write_page(timeline(), tmp_path / "b.wav")


def test_a_page_can_be_used_without_a_mouse_or_sight() -> None:
    reader = Reader(write_page(timeline([segment(0, 1)])))
    (slider,) = [one for one in reader.all("div") if one.get("role") == "slider"]
    assert slider["tabindex"] == "0"
    assert {"aria-label", "aria-valuemin", "aria-valuemax", "aria-valuenow", "aria-describedby"} <= slider.keys()
    assert all(one.get("type") == "button" for one in reader.all("button"))
    assert "prefers-color-scheme: dark" in reader.texts["style"]


@pytest.mark.parametrize("peaks", [np.zeros((1, 0)), np.zeros((1, 50))])
def test_silence_and_no_peaks_make_a_page(peaks: np.ndarray) -> None:
    data = data_of(write_page(timeline(peaks=peaks.astype(np.float32))))
    assert len(base64.b64decode(data["channels"][0]["peaks"])) == peaks.shape[1]
