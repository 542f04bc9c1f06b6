"""``serkit predict``, as its users call it, and the tables that it prints."""

import csv
import io
import json
import os
import re
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

import serkit
from serkit.annotations.predictions import Answers
from serkit.cli.predict import print_answers
from serkit.runtime.recognizer import Recognizer
from support.answers import ANSWERS, NEUTRAL, ODD_NAMES
from support.calling import Call, Done, assert_one_sentence, process
from support.synthetic import tone, voice

RATE = 16_000
SPEECH = voice("anger", "emodb/03", seconds=1.0)
EXAMPLES = Path(__file__).parents[2] / "examples"


def _patched(file: Path, offset: int, content: bytes) -> None:
    data = bytearray(file.read_bytes())
    data[offset : offset + len(content)] = content
    file.write_bytes(data)


def _bad_file(kind: str, folder: Path) -> Path:
    file = folder / "bad.wav"
    if kind == "folder":
        file.mkdir()
    elif kind == "text":
        file.write_text("this is no sound\n")
    elif kind == "empty":
        file.touch()
    elif kind == "nan":
        soundfile.write(file, np.where(np.arange(RATE) == 7, np.nan, 0.1), RATE, subtype="FLOAT")
    elif kind == "infinite":
        soundfile.write(file, np.where(np.arange(RATE) == 7, np.inf, 0.1), RATE, subtype="FLOAT")
    elif kind != "missing":
        size = {"no samples": 0, "too short": 100}.get(kind, RATE)
        soundfile.write(file, SPEECH[:size], RATE)
    if kind == "truncated":
        file.write_bytes(file.read_bytes()[:5000])
    if kind == "truncated in its header":
        file.write_bytes(file.read_bytes()[:20])
    if kind == "0 Hz":
        _patched(file, 24, bytes(4))
    return file


BAD = {
    "missing": "no file ",
    "folder": "has no audio files, by the endings of their names.",
    "empty": "is empty: zero bytes.",
    "text": "is not audio that can be decoded",
    "truncated": "is cut off: ",
    "truncated in its header": "is cut off: ",
    "nan": "has NaN, infinite or absurdly large samples",
    "infinite": "has NaN, infinite or absurdly large samples",
    "no samples": "without samples.",
    "0 Hz": "has a sampling rate of 0 Hz; expected 1000 to 768000 Hz.",
    "too short": "lasts 0.0063 s; the model needs 0.1 s or more.",
}
every_bad_kind = pytest.mark.parametrize("kind", BAD)


def test_predict_prints_a_table_for_one_file(call: Call, model_file: Path, clips: Path) -> None:
    done = call("predict", "--model", model_file, clips / "a.wav")
    assert (done.code, done.err) == (0, "")
    expected = Recognizer.load(model_file).predict(clips / "a.wav")
    assert f"{clips / 'a.wav'} (1.00 s)" in " ".join(done.out.split())  # a long name may be broken
    found = [line.split()[:2] for line in done.out.splitlines()[-9:] if re.search(r"\d\.\d{3}", line)]
    assert found == [[name, f"{p:.3f}"] for name, p in expected.probabilities.items()]


def test_predict_prints_a_row_per_file_for_several(call: Call, model_file: Path, clips: Path) -> None:
    files = sorted(clips.iterdir())
    done = call("predict", "--model", model_file, *files)
    assert (done.code, done.err) == (0, "")
    recognizer = Recognizer.load(model_file)
    rows = [re.split(r"\s{2,}", line.strip()) for line in done.out.splitlines() if str(clips) in line]
    assert [row[:2] for row in rows] == [[str(file), recognizer.predict(file).emotion] for file in files]


def test_predict_may_be_forced_to_name_a_class(call: Call, model_file: Path, clips: Path) -> None:
    """The clips are tones, which nobody speaks."""
    assert "(1.00 s): no speech" in " ".join(call("predict", "--model", model_file, clips / "a.wav").out.split())
    rows = json.loads(call("predict", "--model", model_file, clips / "a.wav", "--forced", "--format", "json").out)
    assert rows[0]["emotion"] == next(iter(rows[0]["probabilities"]))


def test_predict_names_the_classes_among_which_the_right_one_is(call: Call, model_file: Path, clips: Path) -> None:
    done = call("predict", "--model", model_file, clips / "a.wav", "--coverage", 0.8, "--format", "json")
    (row,) = json.loads(done.out)
    recognizer = Recognizer.load(model_file)
    assert row["set"] == list(recognizer.classes_within(recognizer.predict(clips / "a.wav"), 0.8))
    assert "prediction set: " in call("predict", "--model", model_file, clips / "a.wav", "--coverage", 0.8).out
    assert_one_sentence(call("predict", "--model", model_file, clips / "a.wav", "--coverage", 0.55), "0.55", "0.8")


def test_predict_prints_one_json_document_and_nothing_else(call: Call, model_file: Path, clips: Path) -> None:
    files = sorted(clips.iterdir())
    done = call("predict", *files, "--model", model_file, "--format", "json")
    assert (done.code, done.err) == (0, "")
    recognizer = Recognizer.load(model_file)
    for file, row in zip(files, json.loads(done.out), strict=True):
        answer = recognizer.predict(file)
        assert row["file"] == str(file)
        assert (row["emotion"], row["duration"]) == (answer.emotion, answer.duration)
        assert row["probabilities"] == pytest.approx(dict(answer.probabilities), abs=1e-6)
        assert list(row["probabilities"]) == list(answer.probabilities)


def test_predict_prints_csv(call: Call, model_file: Path, clips: Path) -> None:
    files = sorted(clips.iterdir())
    done = call("predict", *files, "--model", model_file, "--format", "csv")
    assert (done.code, done.err) == (0, "")
    recognizer = Recognizer.load(model_file)
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["file"] for row in rows] == [str(file) for file in files]
    assert list(rows[0]) == ["file", "emotion", "duration", *recognizer.card.classes, "remarks", "error"]
    for file, row in zip(files, rows, strict=True):
        expected = recognizer.predict(file).probabilities
        assert {name: float(row[name]) for name in recognizer.card.classes} == pytest.approx(dict(expected), abs=1e-6)


def test_a_folder_stands_for_the_files_in_it_and_below(
    call: Call, model_file: Path, clips: Path, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.wav", "sub/a.WAV", "sub/c.flac"):
        soundfile.write(tmp_path / name, tone(440), 16_000, format=name[-4:].strip(".").upper())
    (tmp_path / "notes.txt").write_text("no sound")
    rows = json.loads(call("predict", "--model", model_file, tmp_path, clips / "a.wav", "--format", "json").out)
    expected = [tmp_path / "b.wav", tmp_path / "sub/a.WAV", tmp_path / "sub/c.flac", clips / "a.wav"]
    assert [row["file"] for row in rows] == list(map(str, expected))


def test_a_folder_without_audio_is_one_error_and_the_other_files_are_answered(
    call: Call, model_file: Path, clips: Path, tmp_path: Path
) -> None:
    done = call("predict", "--model", model_file, tmp_path, clips / "a.wav", "--format", "json")
    first, second = json.loads(done.out)
    assert (done.code, first["error"]) == (
        1,
        f"the folder {str(tmp_path)!r} has no audio files, by the endings of their names.",
    )
    assert second["file"] == str(clips / "a.wav")


def test_standard_input_is_read(call: Call, model_file: Path, clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = call("predict", "--model", model_file, clips / "a.wav", "--format", "json").out
    for command, content in (("predict", (clips / "a.wav").read_bytes()), ("timeline", (clips / "a.wav").read_bytes())):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        done = call(command, "--model", model_file, "-", "--format", "json")
        assert (done.code, done.err) == (0, "")
        if command == "predict":
            assert done.out == expected.replace(json.dumps(str(clips / "a.wav")), '"-"')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    assert_one_sentence(call("predict", "--model", model_file, "-"), "standard input gives no bytes")


def test_a_pipe_is_read(call: Call, model_file: Path, clips: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=[(clips / "a.wav").read_bytes()])
    writer.start()
    done = call("predict", "--model", model_file, tmp_path / "pipe", "--format", "json")
    writer.join()
    assert json.loads(done.out)[0]["duration"] == 1.0


def test_a_url_is_called_one(call: Call, model_file: Path) -> None:
    url = "https://example.org/a.wav"
    for command in ("predict", "timeline"):
        assert_one_sentence(call(command, "--model", model_file, url), f"'{url}' is a URL; download the file first")


def test_remarks_are_printed_once_for_all_their_files(call: Call, model_file: Path, tmp_path: Path) -> None:
    for name in "abc":
        soundfile.write(tmp_path / f"{name}.wav", tone(440, rate=8_000), 8_000)
    done = call("predict", "--model", model_file, tmp_path)
    assert done.err.startswith(f"serkit: {tmp_path / 'a.wav'} and 2 more: the audio has nothing above 4 kHz")
    assert done.err.count("\n") == 1
    rows = json.loads(call("predict", "--model", model_file, tmp_path, "--format", "json").out)
    assert [row["remarks"] for row in rows] == [["narrowband"]] * 3
    assert "narrowband" in call("predict", "--model", model_file, tmp_path, "--format", "csv").out


def test_damaged_files_are_answered_as_far_as_they_can_be_heard(call: Call, model_file: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, seconds=2.0), 16_000)
    cut = (tmp_path / "a.wav").read_bytes()[:-32_000]
    (tmp_path / "a.wav").write_bytes(cut)
    for command in ("predict", "timeline"):
        arguments = (command, "--model", model_file, tmp_path / "a.wav")
        assert_one_sentence(call(*arguments), "is cut off")
        done = call(*arguments, "--damaged", "skip")
        assert (done.code, "no audio for 1.00 s (1.00-2.00 s)." in done.err) == (0, True)
        document = json.loads(call(*arguments, "--damaged", "skip", "--format", "json").out)
        found = document[0] if command == "predict" else document
        assert (found["duration"], found["gaps"]) == (1.0, [{"start": 1.0, "end": 2.0}])


def test_predict_shows_as_many_emotions_as_asked(call: Call, model_file: Path, clips: Path) -> None:
    for top, count in ((1, 1), (3, 3), (99, 7)):
        done = call("predict", clips / "a.wav", "--model", model_file, "--format", "json", "--top", top)
        assert len(json.loads(done.out)[0]["probabilities"]) == count
    assert call("predict", clips / "a.wav", "--model", model_file, "--top", 0).code == 2


@every_bad_kind
def test_a_bad_file_is_one_sentence_and_exit_code_2(call: Call, model_file: Path, tmp_path: Path, kind: str) -> None:
    file = _bad_file(kind, tmp_path)
    assert_one_sentence(call("predict", file, "--model", model_file), BAD[kind], repr(str(file)))


@every_bad_kind
def test_a_bad_file_among_good_ones_is_named_and_costs_none_of_them(
    call: Call, model_file: Path, clips: Path, tmp_path: Path, kind: str
) -> None:
    files = [clips / "a.wav", _bad_file(kind, tmp_path), clips / "b.flac"]
    done = call("predict", *files, "--model", model_file, "--format", "json")
    assert done.code == 1
    assert done.err.startswith("serkit: ")
    assert done.err.count("\n") == 1
    assert BAD[kind] in done.err
    rows = json.loads(done.out)
    assert [row["file"] for row in rows] == list(map(str, files))
    assert ["error" in row for row in rows] == [False, True, False]
    assert f"serkit: {rows[1]['error']}\n" == done.err


def test_the_good_ones_are_in_the_table_and_in_the_csv_too(
    call: Call, model_file: Path, clips: Path, tmp_path: Path
) -> None:
    files = (clips / "a.wav", tmp_path / "none.wav", clips / "c.wav")
    done = call("predict", *files, "--model", model_file)
    assert done.code == 1
    assert [str(file) in done.out for file in files] == [True, False, True]
    assert done.err == f"serkit: no file {str(files[1])!r}.\n"
    done = call("predict", *files, "--model", model_file, "--format", "csv")
    assert [bool(row["error"]) for row in csv.DictReader(io.StringIO(done.out))] == [False, True, False]


def test_where_every_file_is_bad_the_exit_code_is_2_and_each_has_its_sentence(
    call: Call, model_file: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{i}.wav" for i in range(3)]
    done = call("predict", *files, "--model", model_file)
    assert done == Done(2, "", "".join(f"serkit: no file {str(file)!r}.\n" for file in files))


@pytest.mark.parametrize("count", [1, 2])
def test_json_and_csv_are_documents_even_where_every_file_is_bad(
    call: Call, model_file: Path, tmp_path: Path, count: int
) -> None:
    files = [tmp_path / "none.wav"] * count
    done = call("predict", *files, "--model", model_file, "--format", "json")
    assert done.code == 2
    assert [row.keys() for row in json.loads(done.out)] == [{"file", "error"}] * count
    done = call("predict", *files, "--model", model_file, "--format", "csv")
    assert done.code == 2
    assert len(list(csv.DictReader(io.StringIO(done.out)))) == count


def test_a_file_whose_name_is_no_utf8_is_named_all_the_same(call: Call, model_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "b\udcff.wav"
    done = call("predict", file, "--model", model_file, "--format", "json")
    assert json.loads(done.out)[0]["file"] == str(file)
    assert "b\\udcff.wav" in done.err


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "wav"])
def test_a_bad_model_file_is_one_sentence_and_exit_code_2(call: Call, clips: Path, tmp_path: Path, kind: str) -> None:
    model = clips / "a.wav" if kind == "wav" else _bad_file(kind, tmp_path)
    assert_one_sentence(call("predict", clips / "b.flac", "--model", model), f"the model {str(model)!r}")


def test_as_a_process_predict_writes_answers_to_stdout_and_errors_to_stderr(
    model_file: Path, clips: Path, tmp_path: Path
) -> None:
    done = process("predict", clips / "a.wav", tmp_path / "none.wav", "--model", model_file, "--format", "json")
    assert done.code == 1
    assert [row["file"] for row in json.loads(done.out)] == [str(clips / "a.wav"), str(tmp_path / "none.wav")]
    assert done.err == f"serkit: no file {str(tmp_path / 'none.wav')!r}.\n"


def test_as_a_process_a_bad_file_is_one_sentence_and_exit_code_2(model_file: Path, tmp_path: Path) -> None:
    file = _bad_file("truncated", tmp_path)
    assert_one_sentence(process("predict", file, "--model", model_file), BAD["truncated"], str(file))


def test_a_pipe_that_knows_only_ascii_gets_every_answer(model_file: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "Übung.wav", SPEECH, RATE)
    done = process("predict", tmp_path / "Übung.wav", "--model", model_file, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert (done.code, done.err) == (0, "")
    assert "#" in done.out
    assert "\\xdcbung.wav" in done.out


@pytest.mark.usefixtures("embedded")
def test_without_a_model_the_embedded_one_is_taken(call: Call) -> None:
    files = sorted(file for file in EXAMPLES.iterdir() if file.suffix in {".wav", ".flac"})
    done = call("predict", *files, "--format", "json")
    assert (done.code, done.err) == (0, "")
    expected = [serkit.load().predict(file).emotion for file in files]
    assert [row["emotion"] for row in json.loads(done.out)] == expected
    assert json.loads(call("models", "show", "--json").out)["name"] == serkit.load().card.name


def table(answers: Answers, top: int | None, capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Return the printed lines that are not empty, as words."""
    print_answers(answers, top)
    return [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_a_table_of_one_file_has_a_row_for_each_emotion_with_a_bar(capsys: pytest.CaptureFixture[str]) -> None:
    title, _, _, *rows = table(ANSWERS[:1], None, capsys)
    assert title == ["a.wav", "(1.25", "s)"]
    assert rows == [["neutral", "0.700", "█" * 21], ["fear", "0.200", "█" * 6], ["anger", "0.100", "█" * 3]]


def test_a_table_of_one_file_shows_top(capsys: pytest.CaptureFixture[str]) -> None:
    _, _, _, *rows = table(ANSWERS[:1], 1, capsys)
    assert [row[0] for row in rows] == ["neutral"]


def test_a_table_of_several_files_has_a_row_for_each_that_was_heard(capsys: pytest.CaptureFixture[str]) -> None:
    heading, _, *rows = table(ANSWERS, None, capsys)
    assert heading == ["file", "emotion", "probability", "next"]
    assert rows == [
        ["a.wav", "neutral", "0.700", "fear", "0.200,", "anger", "0.100"],
        ["d.wav", "anger", "0.988", "fear", "0.012,", "neutral", "0.000"],
    ]
    assert [len(row) for row in table(ANSWERS, 1, capsys)[2:]] == [3, 3]


def test_where_every_file_failed_no_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert table(ANSWERS[1:2], None, capsys) == []
    assert table([ANSWERS[1], ANSWERS[1]], None, capsys) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_table_shows_a_file_name_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for count in (1, 2):  # one file, several files
        print_answers([(Path(name), NEUTRAL)] * count, None)
        assert capsys.readouterr().out.count(name) == count


def test_a_long_path_in_a_narrow_table_breaks_no_emotion_in_two(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    path = Path("a/long/way" * 20) / "clip.wav"
    print_answers([(path, NEUTRAL)] * 2, None)
    text = capsys.readouterr().out
    assert text.count("neutral ") == 2
    assert text.count("0.700 ") == 2
    assert max(map(len, text.splitlines())) <= 60
