"""``serkit timeline`` and ``serkit listen``."""

import csv
import io
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import serkit
from serkit.annotations import FORMATS
from serkit.audio import microphone
from serkit.audio.decode import load_audio
from serkit.audio.recordings import announced_duration
from serkit.errors import AudioUnreadableError
from support.calling import Call, assert_one_sentence

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 16_000
pytestmark = pytest.mark.usefixtures("embedded")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice of 4 s on the left, one of 3 s a little later on the right."""
    left, right = (
        load_audio(EXAMPLES / f"{name}.wav", target_rate=RATE) for name in ("loud_fast_high", "soft_slow_low")
    )
    sound = np.zeros((8 * RATE, 2), np.float32)
    sound[: 4 * RATE, 0], sound[5 * RATE :, 1] = np.resize(left, 4 * RATE), np.resize(right, 3 * RATE)
    path = tmp_path_factory.mktemp("sound") / "call & answer.wav"
    soundfile.write(path, sound, RATE)
    return path


def test_a_table_names_every_segment(call: Call, file: Path) -> None:
    done = call("timeline", file)
    assert (done.code, done.err) == (0, "")
    segments = serkit.load().timeline(file).segments
    assert "call & answer.wav (00:08.0, speech " in done.out
    lines = [line.split() for line in done.out.splitlines() if line.strip()[:3] == "00:"]
    assert [line[2] for line in lines] == [segment.emotion for segment in segments]


def test_separate_channels_are_numbered_as_people_count(call: Call, file: Path) -> None:
    done = call("timeline", file, "--channels", "separate", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert {row["channel"] for row in rows} == {"0", "1"}
    lines = [
        line.split() for line in call("timeline", file, "--channels", "separate").out.splitlines() if "00:0" in line
    ]
    assert {line[2] for line in lines[1:]} == {"1", "2"}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_printed_and_nothing_else(call: Call, file: Path, form: str) -> None:
    done = call("timeline", file, "--format", form)
    assert (done.code, done.err) == (0, "")
    assert done.out.strip()


def test_settings_reach_the_timeline(call: Call, file: Path) -> None:
    given = ("--no-vad", "--window", "2", "--hop", "2", "--smooth", "1", "--threshold", "1", "--model", "emodb")
    found = json.loads(call("timeline", file, *given, "--format", "json").out)
    assert found["model"].startswith("emodb")
    assert [(window["start"], window["end"]) for window in found["windows"]] == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert {segment["emotion"] for segment in found["segments"]} == {"uncertain"}


def test_files_are_written_side_by_side(call: Call, file: Path, tmp_path: Path) -> None:
    names = ["t.png", "t.svg", "t.html", "t.TextGrid", "t.eaf", "t.json"]
    done = call("timeline", file, *(part for name in names for part in ("-o", tmp_path / name)))
    assert (done.code, done.out) == (0, "")
    assert done.err.count("segments") == len(names)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    assert "<audio" in (tmp_path / "t.html").read_text("utf-8")


def test_a_recording_without_speech_says_so(call: Call, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * RATE), RATE)
    done = call("timeline", tmp_path / "silence.wav")
    assert (done.code, done.out) == (0, "silence.wav (00:03.0, speech 00:00.0): no speech\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--window", "0.1"), "window must be 0.5 to 60 s, not 0.1 s"),
        (("--hop", "0"), "hop must be"),
        (("-o", "picture.bmp"), "'.bmp'"),
    ],
)
def test_settings_that_cannot_be_are_refused_at_once(
    call: Call, file: Path, arguments: tuple[str, ...], words: str
) -> None:
    assert_one_sentence(call("timeline", file, *arguments), words)


def test_a_file_that_cannot_be_used_is_one_sentence(call: Call, tmp_path: Path) -> None:
    assert_one_sentence(call("timeline", tmp_path / "gone.wav"), "no file", "gone.wav")


def test_listening_to_a_file_says_what_the_stream_says(call: Call, file: Path) -> None:
    done = call("listen", "--file", file, "--speed", 100, "--json")
    assert (done.code, done.err) == (0, "")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [row["kind"] for row in rows if row["kind"] != "emotion"] == ["speech_start", "speech_end", "utterance"] * 2
    windows = [(row["start"], row["end"], row["emotion"]) for row in rows if row["kind"] == "emotion"]
    expected = serkit.load().timeline(file).windows
    assert windows == [(window.start, window.end, window.emotion) for window in expected]


def test_where_there_is_no_terminal_events_are_lines(call: Call, file: Path) -> None:
    done = call("listen", "--file", file, "--speed", 100, "--seconds", 4.5)
    lines = done.out.splitlines()
    assert lines[0].endswith("speech starts")
    assert "window from" in lines[1]
    assert "utterance from" in lines[-1]


def test_a_file_and_a_microphone_at_once_are_refused(call: Call, file: Path) -> None:
    assert_one_sentence(call("listen", "--file", file, "--device", "3"), "give one of them")


def test_without_a_microphone_the_extra_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sounddevice", None)
    assert_one_sentence(call("listen"), "serkit[mic]")


def test_outputs_that_cannot_be_written_show_before_the_work(call: Call, file: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").touch()
    assert_one_sentence(call("timeline", file, "-o", tmp_path / "folder.json"), "is a folder")
    assert_one_sentence(call("timeline", file, "-o", tmp_path / "file" / "t.json"), "cannot be written")


def test_an_output_that_fails_does_not_take_the_others_with_it(
    call: Call, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(timeline: object, path: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serkit.annotations.timeline.Timeline.plot", lambda self, path, audio: full(self, path))
    done = call("timeline", file, "-o", tmp_path / "t.svg", "-o", tmp_path / "t.csv")
    assert (done.code, (tmp_path / "t.csv").is_file()) == (1, True)
    assert "t.svg: No space left on device" in done.err


def test_what_was_said_before_a_source_failed_is_answered(
    call: Call, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(path: Path, *, speed: float) -> Any:
        @contextmanager
        def opened() -> Iterator[microphone.Source]:
            with plain(path, speed=speed) as source:

                def pieces() -> Iterator[Any]:
                    yield from itertools.islice(source.pieces, 30)
                    raise AudioUnreadableError("the microphone is gone.")

                yield microphone.Source("gone", source.sampling_rate, pieces())

        return opened()

    plain = microphone.from_file
    monkeypatch.setattr(microphone, "from_file", failing)
    done = call("listen", "--file", file, "--speed", 100)
    assert done.code == 2
    assert "utterance from" in done.out
    assert done.err == "serkit: the microphone is gone.\n"


@pytest.mark.parametrize("ending", ["wav", "m4a"])
def test_how_long_a_file_lasts_is_asked_without_decoding_it(file: Path, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"sound.{ending}"
    path.write_bytes(file.read_bytes() if ending == "wav" else b"\0\0\0 ftypM4A " + bytes(40))
    assert announced_duration(path) == (8 if ending == "wav" else None)
