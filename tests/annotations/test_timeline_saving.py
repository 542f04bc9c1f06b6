import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from serkit.annotations import FORMATS, check_ending, render, suffix_of
from serkit.annotations.timeline import Timeline
from serkit.errors import AudioNotFoundError, UnknownNameError
from support.timelines import segment, timeline

METHODS = {
    "json": Timeline.to_json, "csv": Timeline.to_csv, "textgrid": Timeline.to_textgrid, "elan": Timeline.to_elan,
    "audacity": Timeline.to_audacity, "srt": Timeline.to_srt, "vtt": Timeline.to_vtt, "rttm": Timeline.to_rttm,
}  # fmt: skip


@pytest.mark.parametrize("form", METHODS)
def test_methods_return_what_the_writers_do(form: str) -> None:
    made = timeline([segment(0, 1)])
    assert METHODS[form](made) == render(made, form)


def test_every_format_but_the_windows_table_has_a_method() -> None:
    assert {*METHODS, "windows-csv"} == set(FORMATS)


@pytest.mark.parametrize("form", FORMATS)
def test_the_ending_chooses_the_format(form: str, tmp_path: Path) -> None:
    made = timeline([segment(0, 1)], name="é.wav")
    path = made.save(str(tmp_path / "new" / f"call{suffix_of(form)}"))
    assert path.read_bytes().decode("utf-8") == render(made, form)
    assert [one.name for one in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(("ending", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".html", b"<!doctype html>")])
def test_drawings_are_saved_by_their_endings_too(ending: str, magic: bytes, tmp_path: Path) -> None:
    made = timeline([segment(0, 1)])
    saved, plotted = made.save(tmp_path / f"a{ending}"), made.plot(tmp_path / f"b{ending}")
    assert saved.read_bytes() == plotted.read_bytes()
    assert saved.read_bytes().startswith(magic)


def test_an_unknown_ending_names_the_possible_ones_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'\.docx'.*\.TextGrid.*\.html"):
        timeline().save(tmp_path / "a.docx")
    with pytest.raises(UnknownNameError, match=r"\.png.*\.svg"):
        timeline().plot(tmp_path / "a.json")
    with pytest.raises(UnknownNameError, match=r"did you mean '\.TextGrid'"):
        timeline().save(tmp_path / "a.TextGrit")
    assert list(tmp_path.iterdir()) == []
    assert check_ending("A.PNG") == ".png"


def test_a_page_plays_the_recording_that_it_is_given(tmp_path: Path) -> None:
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"RIFF")
    assert "data:audio/wav;base64,UklGRg==" in timeline().plot(tmp_path / "a.html", audio=audio).read_text("utf-8")
    with pytest.raises(AudioNotFoundError, match="no file"):
        timeline().plot(tmp_path / "b.html", audio=tmp_path / "b.wav")
    assert not (tmp_path / "b.html").exists()


def test_the_fields_of_a_timeline_keep_their_order() -> None:
    assert [field.name for field in fields(Timeline)] == [
        "windows", "segments", "speech", "duration", "sampling_rate", "channels", "classes", "settings", "peaks",
        "name", "model", "remarks", "gaps",
    ]  # fmt: skip


def test_writing_needs_no_extra() -> None:
    script = (
        "import sys, numpy as np\n"
        "from serkit.annotations.timeline import Timeline\n"
        "t = Timeline(windows=(), segments=(), speech=(), duration=1.0, sampling_rate=8000, channels=1, classes=(),"
        " peaks=np.zeros((1, 50), 'f4'))\n"
        "from serkit.annotations import FORMATS, render\n"
        "from serkit.annotations.timeline_page import write_page\n"
        "[render(t, form) for form in FORMATS], write_page(t)\n"
        "print(sorted({'torch', 'pandas', 'matplotlib', 'onnxruntime', 'soundfile'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_dict_is_what_the_json_document_holds() -> None:
    made = timeline([segment(0, 1)], settings={"window": np.float32(3), "longest": float("inf")})
    assert made.to_dict() == json.loads(made.to_json())
    assert made.to_dict()["settings"] == {"window": 3.0, "longest": None}
