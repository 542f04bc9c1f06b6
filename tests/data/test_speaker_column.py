"""A speaker column that is filled in some rows only, in every layout of a user's own data."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from serkit.data.corpora import read_corpus
from serkit.data.corpora.own_data import OwnData, read_own
from serkit.data.manifest import Manifest
from serkit.errors import ManifestError
from serkit.types import Utterance
from support.trees import touch

OWN = OwnData(name="own")
NOTHING = ["", " ", "nan", "NaN", "none", "None", "null", "NULL", "n/a", "N/A", "<NA>", "unknown", "Unknown", "?", "-"]
ADVICE = "fill in who speaks, leave these rows out, or leave the whole column out, so that all rows count as one sp"


def table(folder: Path, speakers: list[Any], name: str = "t.csv", column: str = "file") -> Path:
    """Write a table of sound files with these speakers."""
    rows = [{column: f"{n}.wav", "emotion": "sad", "speaker": speaker} for n, speaker in enumerate(speakers)]
    touch(folder, *(row[column] for row in rows))
    file = folder / name
    if file.suffix == ".jsonl":
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
        return file
    if file.suffix == ".parquet":
        pandas = pytest.importorskip("pandas")
        pandas.DataFrame(rows).to_parquet(file)
        return file
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return file


def manifest(speakers: list[str], corpus: str = "own") -> Manifest:
    return Manifest(
        tuple(
            Utterance(id=f"{corpus}/{n}", path=f"{n}.wav", corpus=corpus, speaker=speaker, emotion="anger")
            for n, speaker in enumerate(speakers)
        )
    )


@pytest.mark.parametrize("word", NOTHING)
def test_a_speaker_who_is_named_in_some_rows_only_is_an_error(tmp_path: Path, word: str) -> None:
    shown = rf" \('{word.strip()}'\)" if word.strip() else ""
    message = rf"^t\.csv, row 2: no speaker{shown.replace('?', '.')}, as in 2 of 4 rows, while the others .*: {ADVICE}"
    with pytest.raises(ManifestError, match=message):
        read_own(table(tmp_path, ["Anna", word, "Ben", word]), OWN)


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet"])
@pytest.mark.parametrize("speakers", [["Anna", None], [None, "Ben"], ["Anna", "nan"]], ids=str)
def test_an_empty_cell_is_found_in_typed_tables_too(tmp_path: Path, name: str, speakers: list[Any]) -> None:
    with pytest.raises(ManifestError, match=rf"^{name}, row [12]: no speaker.*, as in 1 of 2 rows"):
        read_own(table(tmp_path, speakers, name), OWN)


def test_a_number_beside_not_a_number_is_an_error(tmp_path: Path) -> None:
    """pandas makes a column of numbers with gaps floats."""
    with pytest.raises(ManifestError, match="row 2: no speaker, as in 1 of 3 rows"):
        read_own(table(tmp_path, [1.0, float("nan"), 2.0], "t.parquet"), OWN)


@pytest.mark.parametrize("word", NOTHING)
def test_a_column_that_names_nobody_is_one_unknown_speaker(tmp_path: Path, word: str) -> None:
    assert read_own(table(tmp_path, [word, "", "nan"]), OWN).speakers == ("own/unknown",)


def test_rows_that_are_left_out_need_no_speaker(tmp_path: Path) -> None:
    file = table(tmp_path, ["Anna", "", "Ben"])
    (tmp_path / "1.wav").unlink()
    assert read_own(file, OWN).speakers == ("own/Anna", "own/Ben")


def test_a_real_name_may_look_like_such_a_word(tmp_path: Path) -> None:
    assert len(read_own(table(tmp_path, ["Nan-Hee", "Na", "Nona", "0"]), OWN).speakers) == 4


def test_the_tables_of_an_audiofolder_are_one_column(tmp_path: Path) -> None:
    for split, speakers in (("train", ["Anna", "Ben"]), ("test", ["", ""])):
        (tmp_path / split).mkdir()
        table(tmp_path / split, speakers, "metadata.csv", "file_name")
    with pytest.raises(ManifestError, match=r"^metadata\.csv, row 1: no speaker, as in 2 of 4 rows"):
        read_own(tmp_path, OWN)


def test_a_pattern_that_finds_such_a_word_in_some_paths_is_an_error(tmp_path: Path) -> None:
    own = OwnData(name="own", speaker=r"^([^/]+)/")
    touch(tmp_path, "anna/sad/a.wav", "unknown/sad/b.wav")
    with pytest.raises(ManifestError, match=r"^unknown/sad/b\.wav: no speaker \('unknown'\), as in 1 of 2 rows"):
        read_own(tmp_path, own)


def test_an_audformat_database_with_a_half_empty_scheme_is_an_error(tmp_path: Path) -> None:
    audformat = pytest.importorskip("audformat")
    touch(tmp_path, "a.wav", "b.wav")
    database = audformat.Database("mine", source="")
    for name in ("emotion", "speaker"):
        database.schemes[name] = audformat.Scheme("str")
    found = database["clips"] = audformat.Table(audformat.filewise_index(["a.wav", "b.wav"]))
    for name, values in (("emotion", ["sad", "sad"]), ("speaker", ["Anna", None])):
        found[name] = audformat.Column(scheme_id=name)
        found[name].set(values)
    database.save(str(tmp_path))
    with pytest.raises(ManifestError, match=r"b\.wav: no speaker, as in 1 of 2 rows"):
        read_own(tmp_path, OWN)


def test_in_an_experiment_the_error_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"so that all rows count as one speaker\.$"):
        read_corpus("own", table(tmp_path, ["Anna", "nan"]))


# Manifests


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("word", ["own/nan", "own/unknown", "NaN", "own/?", ""])
def test_a_manifest_that_names_some_speakers_only_is_an_error(tmp_path: Path, ending: str, word: str) -> None:
    file = manifest(["own/Anna", word, word, "own/Ben"]).write(tmp_path / f"m{ending}")
    with pytest.raises(ManifestError, match=rf"^m{ending}, row 2: no speaker.*, as in 2 of 4 rows, .*: {ADVICE}"):
        Manifest.read(file)


def test_a_manifest_that_names_nobody_has_one_speaker(tmp_path: Path) -> None:
    file = manifest(["own/nan", "own/unknown", "own/None"]).write(tmp_path / "m.csv")
    assert Manifest.read(file).speakers == ("own/unknown",)


def test_each_corpus_of_a_manifest_counts_alone(tmp_path: Path) -> None:
    both = Manifest((*manifest(["own/Anna"]), *manifest(["other/nan"], "other")))
    assert Manifest.read(both.write(tmp_path / "m.csv")).speakers == ("other/unknown", "own/Anna")


def test_a_manifest_without_any_speaker_still_lacks_a_value(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"^m\.csv, row 1: no value for speaker\.$"):
        Manifest.read(manifest(["", ""]).write(tmp_path / "m.csv"))


def test_a_known_corpus_may_have_an_unknown_speaker(tmp_path: Path) -> None:
    """AFEW's clips outside its parts count as one."""
    names = ("000046280", "000046281")
    found = Manifest(
        tuple(
            Utterance(
                id=f"afew/{part}_angry_{name}", path=f"{name}.avi", corpus="afew", speaker=f"afew/{part}",
                emotion="anger",
            )
            for part, name in zip(("train", "unknown"), names, strict=True)
        )
    )  # fmt: skip
    touch(tmp_path, *(f"{name}.avi" for name in names))
    assert read_corpus("afew", found.write(tmp_path / "m.csv")).speakers == ("afew/train", "afew/unknown")
