"""Tables as people keep them, read by ``read_own``."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.data.corpora.own_data import read_own
from serkit.data.formats.row_to_utterance import OwnData
from serkit.data.manifest import Manifest
from serkit.data.name_spelling import says_nothing
from serkit.data.tables import write_rows
from serkit.errors import CorpusError, LabelError, ManifestError, MissingExtraError
from serkit.labels import EMOTIONS
from serkit.types import Utterance

ENDINGS = (".csv", ".jsonl", ".parquet")
OWN = OwnData(name="own")
Row = Mapping[str, Any]


def table(folder: Path, rows: list[Row], *, name: str = "data.csv", missing: tuple[str, ...] = ()) -> Path:
    """Write a table and, empty, the files that it names."""
    for row in rows:
        for column in ("file", "file_name", "Path"):
            if row.get(column) and row[column] not in missing:
                path = folder / str(row[column]).replace("\\", "/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
    columns = list(dict.fromkeys(column for row in rows for column in row))
    numbers = [column for column in columns if any(isinstance(row.get(column), int | float) for row in rows)]
    full = [dict.fromkeys(columns) | row for row in rows]
    write_rows(folder / name, columns, full, numbers=numbers)
    return folder / name


def only(source: Path, own: OwnData = OWN) -> Utterance:
    (utterance,) = read_own(source, own)
    return utterance


def one(folder: Path, own: OwnData = OWN, **values: Any) -> Utterance:
    """Read a table of one row."""
    return only(table(folder, [{"file": "a.wav", "emotion": "anger"} | values]), own)


# What a row becomes


def test_a_row_becomes_an_utterance_with_every_field(tmp_path: Path) -> None:
    row = {
        "file": "clips/a.wav", "emotion": "Angry", "speaker": "7", "sex": "F", "language": "de", "sentence": "a01",
        "session": "2", "intensity": "strong", "split": "dev", "start": "0.5", "end": "1.25", "age": "31", "note": "",
    }  # fmt: skip
    assert only(table(tmp_path, [row])) == Utterance(
        id="own/clips/a@0.5-1.25", path="clips/a.wav", corpus="own", speaker="own/7", emotion="anger", start=0.5,
        end=1.25, sex="female", language="de", sentence="own/a01", session="2", intensity="strong", split="dev",
        extra={"label": "Angry", "age": "31"},
    )  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_kind_of_table_says_the_same(tmp_path: Path, ending: str) -> None:
    rows = [
        {"file": "a.wav", "label": "happy", "speaker": 3, "start": 0.5, "end": 1.0},
        {"file": "b.wav", "label": "sad", "speaker": 12, "start": None, "end": None},
    ]
    first, second = read_own(table(tmp_path, rows, name=f"data{ending}"), OWN)
    assert (first.speaker, first.emotion, first.start, first.end) == ("own/3", "happiness", 0.5, 1.0)
    assert (second.speaker, second.emotion, second.start, second.end) == ("own/12", "sadness", 0.0, None)


@given(
    label=st.sampled_from(sorted(OWN.emotions)),
    change=st.sampled_from((str.lower, str.upper, str.title, lambda text: f"  {text} ")),
)
def test_a_usual_label_is_known_in_any_case(tmp_path_factory: pytest.TempPathFactory, label: str, change: Any) -> None:
    folder = tmp_path_factory.getbasetemp() / "labels"
    assert one(folder, emotion=change(label)).emotion == OWN.emotions[label]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_every_canonical_emotion_is_its_own_label(emotion: str) -> None:
    assert OWN.emotions[emotion] == emotion


@pytest.mark.parametrize(("path", "emotion"), [("Path", "Emotions"), ("FILE", "Label"), (" file_name", "EMOTION ")])
def test_columns_of_usual_names_are_found_in_any_case(tmp_path: Path, path: str, emotion: str) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "data.csv").write_text(f"{path},{emotion}\na.wav,fear\n")
    assert only(tmp_path / "data.csv").emotion == "fear"


def test_columns_of_odd_names_are_mapped(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "data.csv").write_text("Datei;Gefühl;Sprecher:in;emotion\na.wav;Wut;Ada;unsure\n")
    columns = {"path": "Datei", "emotion": "Gefühl", "speaker": "Sprecher:in"}
    found = only(tmp_path / "data.csv", OwnData(name="own", columns=columns, labels={"Wut": "anger"}))
    assert (found.path, found.emotion, found.speaker) == ("a.wav", "anger", "own/Ada")
    assert found.extra == {"label": "Wut", "emotion": "unsure"}


def test_extra_keeps_the_own_label_whatever_other_column_is_called_label(tmp_path: Path) -> None:
    assert one(tmp_path, emotion="angry", label="17").extra == {"label": "angry"}


@pytest.mark.parametrize("name", ["data.csv", "data.jsonl", "data.parquet"])
def test_numbers_are_labels_once_they_are_mapped(tmp_path: Path, name: str) -> None:
    file = table(tmp_path, [{"file": "a.wav", "label": 0}, {"file": "b.wav", "label": 1}], name=name)
    if name == "data.parquet":  # as pandas writes a column of ints
        pandas.DataFrame({"file": ["a.wav", "b.wav"], "label": [0, 1]}).to_parquet(file)
    found = read_own(file, OwnData(name="own", labels={"0": "anger", "1": "fear"}))
    assert [u.emotion for u in found] == ["anger", "fear"]
    assert found.utterances[0].extra["label"] == "0"


def test_numbers_in_a_column_with_gaps_stay_whole(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"file": ["a.wav", "b.wav"], "label": ["sad", "sad"], "session": [7, None]})
    assert frame["session"].dtype == float
    table(tmp_path, [{"file": name} for name in frame["file"]])
    frame.to_parquet(tmp_path / "data.parquet")
    assert [u.session for u in read_own(tmp_path / "data.parquet", OWN)] == ["7", ""]


def test_not_a_number_is_a_missing_value(tmp_path: Path) -> None:
    row = '{"file": "%s", "label": %s, "speaker": NaN, "sex": NaN, "start": NaN, "end": null, "age": NaN}\n'
    table(tmp_path, [{"file": "a.wav"}, {"file": "b.wav"}])
    (tmp_path / "data.jsonl").write_text(row % ("a.wav", '"sad"') + row % ("b.wav", "NaN"))
    found = read_own(tmp_path / "data.jsonl", OWN)
    assert found.utterances == (
        Utterance(
            id="own/a", path="a.wav", corpus="own", speaker="own/unknown", emotion="sadness", extra={"label": "sad"}
        ),
    )
    assert found.left_out == {"own: without a label": 1}


def test_columns_of_categories_are_read(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"file": ["a.wav"], "label": ["fear"], "sex": ["male"]}).astype("category")
    table(tmp_path, [{"file": "a.wav"}])
    frame.to_parquet(tmp_path / "data.parquet")
    found = only(tmp_path / "data.parquet")
    assert (found.emotion, found.sex) == ("fear", "male")


# Paths


def test_absolute_paths_below_the_table_become_relative(tmp_path: Path) -> None:
    name = (tmp_path / "Actor_01" / "03-01-05-01-01-01-01.wav").as_posix()
    found = only(table(tmp_path, [{"Path": name, "Emotions": "angry"}]))
    assert (found.path, found.id) == ("Actor_01/03-01-05-01-01-01-01.wav", "own/Actor_01/03-01-05-01-01-01-01")


@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_files_elsewhere_are_found_and_found_again_by_the_manifest(tmp_path: Path, way: str) -> None:
    sound = tmp_path / "sounds" / "a.wav"
    (tmp_path / "tables").mkdir()
    file = "../sounds/a.wav" if way == "relative" else sound.as_posix()
    found = read_own(table(tmp_path / "tables", [{"file": file, "emotion": "sad"}]), OWN)
    assert found.audio_path(found.utterances[0]).resolve() == sound
    assert ".." not in found.utterances[0].id
    assert not found.utterances[0].id.startswith("own//")
    again = Manifest.read(found.write(tmp_path / "far" / "away" / "m.csv"))
    assert again.audio_path(again.utterances[0]).resolve() == sound
    assert again.problems() == []


def test_backslashes_of_windows_lead_to_the_file(tmp_path: Path) -> None:
    assert only(table(tmp_path, [{"file": "Actor 1\\happy\\a.wav", "emotion": "happy"}])).path == "Actor 1/happy/a.wav"


def test_a_file_that_is_not_there_is_counted(tmp_path: Path) -> None:
    rows = [{"file": name, "emotion": "sad"} for name in ("a.wav", "b.wav", "c.wav")]
    found = read_own(table(tmp_path, rows, missing=("b.wav", "c.wav")), OWN)
    assert [u.path for u in found] == ["a.wav"]
    assert found.left_out == {"own: in the table, but not on disk": 2}


def test_a_table_none_of_whose_files_is_there_names_one(tmp_path: Path) -> None:
    file = table(tmp_path, [{"file": "C:\\me\\a.wav", "emotion": "sad"}], missing=("C:\\me\\a.wav",))
    with pytest.raises(CorpusError, match=r"1 own: in the table, but not on disk; the first is C:/me/a\.wav"):
        read_own(file, OWN)


@pytest.mark.parametrize("value", [{"bytes": None, "path": "a.wav"}, ["a.wav"]])
def test_audio_inside_the_table_is_refused(tmp_path: Path, value: object) -> None:
    (tmp_path / "data.jsonl").write_text(json.dumps({"audio": value, "label": "sad"}))
    with pytest.raises(ManifestError, match=r"data\.jsonl, row 1: column audio must hold the path of a file, got a "):
        read_own(tmp_path / "data.jsonl", OWN)


def test_a_row_without_a_path_is_named(tmp_path: Path) -> None:
    file = table(tmp_path, [{"file": "a.wav", "emotion": "sad"}, {"file": "", "emotion": "sad"}])
    with pytest.raises(ManifestError, match=r"data\.csv, row 2: no value for file"):
        read_own(file, OWN)


# Labels


@pytest.mark.parametrize("label", ["", "  ", None])
def test_a_row_without_a_label_is_counted(tmp_path: Path, label: str | None) -> None:
    rows = [{"file": "a.wav", "emotion": "sad"}, {"file": "b.wav", "emotion": label}]
    found = read_own(table(tmp_path, rows), OWN)
    assert len(found) == 1
    assert found.left_out == {"own: without a label": 1}


def test_an_unknown_label_is_an_error_that_lists_the_known_ones_and_the_ways_out(tmp_path: Path) -> None:
    with pytest.raises(LabelError) as caught:
        one(tmp_path, emotion="xxx")
    said = str(caught.value)
    assert said.startswith("data.csv, row 1: unknown label 'xxx'; ")
    assert all(emotion in said for emotion in EMOTIONS)
    assert "--label 'xxx=EMOTION'" in said
    assert "--leave-out 'xxx'" in said


def test_labels_that_are_left_out_as_asked_are_counted_each(tmp_path: Path) -> None:
    labels = ("sad", "xxx", "XXX", "fru", "xxx")
    file = table(tmp_path, [{"file": f"{n}.wav", "emotion": label} for n, label in enumerate(labels)])
    found = read_own(file, OwnData(name="own", leave_out=frozenset({"xxx", "Fru"})))
    assert [u.emotion for u in found] == ["sadness"]
    assert found.left_out == {
        "own: labeled xxx, which you asked to leave out": 2,
        "own: labeled XXX, which you asked to leave out": 1,
        "own: labeled fru, which you asked to leave out": 1,
    }


def test_an_own_label_may_not_mean_an_unknown_emotion(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"unknown emotion 'angry'; did you mean 'anger'?"):
        one(tmp_path, OwnData(name="own", labels={"wut": "angry"}))


def test_an_own_label_outdoes_a_usual_one(tmp_path: Path) -> None:
    assert one(tmp_path, OwnData(name="own", labels={"Exc": "happiness"}), emotion="exc").emotion == "happiness"


# Speakers, sexes and times


def test_utterances_without_a_speaker_are_one_speaker(tmp_path: Path) -> None:
    for words in (("", None), ("nan", "NaN"), ("", "n/a", "unknown", None, "?")):
        rows = [{"file": f"{n}.wav", "emotion": "sad", "speaker": word} for n, word in enumerate(words)]
        assert read_own(table(tmp_path, rows), OWN).speakers == ("own/unknown",)


def test_a_pattern_finds_the_speaker_in_the_path(tmp_path: Path) -> None:
    rows = [{"file": "Actor_07/a.wav", "emotion": "sad", "speaker": "everybody"}]
    by_pattern = OwnData(name="own", speaker=r"Actor_(\d+)/")
    assert only(table(tmp_path, rows), by_pattern).speaker == "own/07"
    by_column = OwnData(name="own", speaker=r"Actor_(\d+)/", columns={"speaker": "speaker"})
    assert only(tmp_path / "data.csv", by_column).speaker == "own/everybody"


def test_a_path_without_the_pattern_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"'Actor_\(\\\\d\+\)' finds no speaker in 'a\.wav'"):
        one(tmp_path, OwnData(name="own", speaker=r"Actor_(\d+)"))


@pytest.mark.parametrize(
    ("word", "sex"),
    [("F", "female"), ("woman", "female"), (" Male ", "male"), ("", "unknown"), ("non-binary", "unknown")],
)
def test_usual_words_for_a_sex_are_known(tmp_path: Path, word: str, sex: str) -> None:
    assert one(tmp_path, gender=word).sex == sex


@pytest.mark.parametrize("word", ["0", "1", "w0man"])
def test_a_sex_that_could_mean_anything_is_an_error(tmp_path: Path, word: str) -> None:
    with pytest.raises(ManifestError, match=rf"row 1: unknown sex '{word}', .*male, m, .*--sex '{word}=SEX'"):
        one(tmp_path, sex=word)


def test_own_words_for_a_sex_are_mapped(tmp_path: Path) -> None:
    rows = [{"file": "a.wav", "emotion": "sad", "sex": 0}, {"file": "b.wav", "emotion": "sad", "sex": 1}]
    own = OwnData(name="own", sexes={"0": "male", "1": "female"})
    assert [u.sex for u in read_own(table(tmp_path, rows), own)] == ["male", "female"]


def test_a_decimal_comma_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "data.csv").write_text("file;emotion;start;end\na.wav;sad;0,5;1,125\n")
    found = only(tmp_path / "data.csv")
    assert (found.start, found.end) == (0.5, 1.125)


@pytest.mark.parametrize(
    ("times", "end"),
    [
        ({"start": "0.5", "duration": "1"}, 1.5),
        ({"start": "0", "duration": "1"}, 1.0),
        ({"start": "0.5", "end": "0.75", "duration": "9"}, 0.75),
        ({"start": "0.5", "end": "", "duration": "9"}, None),
        ({"start": "0.5"}, None),
        ({"duration": "9"}, None),
    ],
)
def test_a_duration_stands_in_for_a_column_of_ends(tmp_path: Path, times: dict[str, str], end: float | None) -> None:
    found = one(tmp_path, **times)
    assert (found.start, found.end) == (float(times.get("start", 0)), end)
    assert found.extra.get("duration") == times.get("duration")


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ({"start": "soon"}, "row 1: times must be seconds, got 'soon'"),
        ({"end": "-1"}, "row 1: times must be seconds, got '-1'"),
        ({"end": "inf"}, "row 1: times must be seconds, got 'inf'"),
        ({"start": "0:01:02"}, "row 1: times must be seconds, got '0:01:02'"),
        ({"start": "2", "end": "1.5"}, "row 1: the end at 1.5 s is not after the start at 2 s"),
        ({"end": "0"}, "row 1: the end at 0 s is not after the start at 0 s"),
    ],
)
def test_impossible_times_are_an_error(tmp_path: Path, times: dict[str, str], said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        one(tmp_path, **times)


# Which utterance is which


def test_segments_of_one_file_are_different_utterances(tmp_path: Path) -> None:
    times = ((0.0, 1.0), (1.0, 2.0), (12345.6781, 12345.9), (12345.6784, 12345.9))  # the last differ by 0.3 ms
    rows = [{"file": "a.wav", "emotion": "sad", "start": start, "end": end} for start, end in times]
    found = read_own(table(tmp_path, rows), OWN)
    assert len(found) == len(times)
    assert not found.left_out


def test_a_row_that_stands_twice_is_read_once_and_counted(tmp_path: Path) -> None:
    rows = [{"file": "a.wav", "emotion": "sad"}] * 3
    found = read_own(table(tmp_path, rows), OWN)
    assert len(found) == 1
    assert found.left_out == {"own: another file or row of an utterance that was read already": 2}


def test_one_clip_with_two_labels_is_an_error(tmp_path: Path) -> None:
    rows = [{"file": "a.wav", "emotion": "sad"}, {"file": "a.wav", "emotion": "angry"}]
    with pytest.raises(ManifestError, match="row 2: 'own/a' is labeled both sadness and anger; keep one row of it"):
        read_own(table(tmp_path, rows), OWN)


def test_a_column_of_ids_names_the_utterances(tmp_path: Path) -> None:
    rows = [{"file": "a.wav", "emotion": "sad", "id": name, "start": start} for name, start in (("x1", 0.5), ("x2", 0))]
    assert [u.id for u in read_own(table(tmp_path, rows), OWN)] == ["own/x1", "own/x2"]


def test_an_id_that_stands_twice_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    rows = [{"file": f"{n}.wav", "emotion": "sad", "id": "patient 1"} for n in range(2)]
    file = table(tmp_path, rows)
    with pytest.raises(ManifestError, match=r"row 2: id 'own/patient 1' occurs twice, .* 0\.wav; .*--column id=COLUMN"):
        read_own(file, OWN)
    by_path = OwnData(name="own", columns={"id": "file"})
    assert [u.id for u in read_own(file, by_path)] == ["own/0", "own/1"]


def test_the_corpus_is_put_before_a_name_once(tmp_path: Path) -> None:
    found = one(tmp_path, speaker="own/7", sentence="own/a01", id="own/x")
    assert (found.id, found.speaker, found.sentence) == ("own/x", "own/7", "own/a01")


# Errors


@pytest.mark.parametrize(
    ("content", "columns", "said"),
    [
        ("clip,emotion\n", {}, r"no column for the path \(looked for any of path, .*\); its columns are clip, emotion"),
        ("file,mood\n", {}, r"no column for the emotion \(looked for any of emotion, .*\); .* --column emotion=COLUMN"),
        (
            "file,emotion\n",
            {"emotion": "mood"},
            r"no column for the emotion \(looked for 'mood'\); its columns are file",
        ),
        ("file,emotion\n", {"speaker": "actr"}, r"no column for the speaker \(looked for 'actr'\)"),
        ("file,emotion\n", {"session": "day"}, r"no column for the session \(looked for 'day'\)"),
    ],
)
def test_a_column_that_is_not_there_is_an_error(
    tmp_path: Path, content: str, columns: dict[str, str], said: str
) -> None:
    (tmp_path / "data.csv").write_text(content + "a.wav,sad\n")
    with pytest.raises(ManifestError, match=f"data.csv has {said}"):
        read_own(tmp_path / "data.csv", OwnData(name="own", columns=columns))


@pytest.mark.parametrize("content", ["", "file,emotion\n", "\n\n"])
def test_an_empty_table_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "data.csv").write_text(content)
    with pytest.raises(CorpusError, match=r"no utterance was found in '.*data\.csv': it is empty"):
        read_own(tmp_path / "data.csv", OWN)


def test_an_unreadable_parquet_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data.parquet").write_bytes(b"PAR1 but not really")
    with pytest.raises(ManifestError, match=r"cannot read 'data\.parquet' as Parquet"):
        read_own(tmp_path / "data.parquet", OWN)


def test_parquet_without_pyarrow_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = table(tmp_path, [{"file": "a.wav", "emotion": "sad"}], name="data.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'serkit\[data\]'"):
        read_own(file, OWN)


# Round trips


@pytest.mark.parametrize("ending", ENDINGS)
@given(data=st.data())
def test_own_data_survive_the_manifest_of_any_kind(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "own"
    word = st.text(st.characters(exclude_categories=("C", "Z")), max_size=8)
    row = st.fixed_dictionaries(
        {
            "file": st.sampled_from(("a.wav", "b/c.flac")),
            "label": st.sampled_from(sorted(OWN.emotions)),
            "id": word.filter(bool),
            "speaker": word.filter(lambda name: not says_nothing(name)),
            "sentence": word,
            "gender": st.sampled_from(("m", "f", "")),
            "note": word,
            "start": st.floats(0, 10),
            "end": st.none() | st.floats(11, 20),
        }
    )
    rows = data.draw(st.lists(row, min_size=1, max_size=4, unique_by=lambda row: row["id"]))
    read = read_own(table(folder, rows), OWN)
    assert len(read) == len(rows)
    again = read_own(read.write(folder / f"manifest{ending}"), OWN)
    assert again.utterances == read.utterances
    assert again.digest == read.digest
