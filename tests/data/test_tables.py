import json
import sys
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.data.tables import SUFFIXES, read_rows, write_rows
from serkit.errors import ManifestError, MissingExtraError

text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
columns = st.lists(text.map(str.strip).filter(bool), min_size=1, max_size=4, unique=True)


def rows_of(path: Path, content: str | bytes) -> list[dict[str, Any]]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_rows(path))


@pytest.mark.parametrize("ending", SUFFIXES)
@given(data=st.data())
def test_texts_are_read_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    names = data.draw(columns)
    written = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(names, text)), max_size=4))
    written = [row for row in written if any(row.values())]  # CSV has no empty rows
    path = tmp_path_factory.getbasetemp() / f"texts{ending}"
    write_rows(path, names, written)
    assert list(read_rows(path)) == written


@pytest.mark.parametrize("ending", SUFFIXES)
def test_a_missing_value_is_read_as_nothing(tmp_path: Path, ending: str) -> None:
    write_rows(tmp_path / f"t{ending}", ("a", "b"), [{"a": "x", "b": None}])
    (row,) = read_rows(tmp_path / f"t{ending}")
    assert row["a"] == "x"
    assert not row["b"]


def test_parquet_of_more_rows_than_are_held_at_once_is_whole(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.parquet", ("n",), ({"n": float(n)} for n in range(50_003)), numbers=("n",))
    assert [row["n"] for row in read_rows(tmp_path / "t.parquet")] == list(range(50_003))


# CSV as spreadsheets and pandas write it


@pytest.mark.parametrize(
    "content",
    [
        "file,emotion\na.wav,anger\n",
        "file;emotion\na.wav;anger\n",
        "file\temotion\r\na.wav\tanger\r\n",
        "\ufefffile;emotion\r\na.wav;anger\r\n",
        '"file";"emotion"\n"a.wav";"anger"\n',
        "\n\nfile,emotion\n\na.wav,anger\n\n",
        "file , emotion\na.wav,anger\n",
        "file,emotion\na.wav,anger",
        "file,emotion\na.wav,anger\n,\n,\n",
        "file,emotion,,\na.wav,anger,,\n",
        "file,emotion\na.wav,anger,,\n",
        ",file,emotion\n0,a.wav,anger\n",
    ],
    ids=[
        "commas", "semicolons", "tabs", "BOM", "quotes", "empty lines", "padded header", "no last line feed",
        "rows of commas", "nameless columns", "trailing commas", "an index of pandas",
    ],
)  # fmt: skip
def test_a_csv_file_of_any_program_is_the_same_table(tmp_path: Path, content: str) -> None:
    assert rows_of(tmp_path / "t.csv", content) == [{"file": "a.wav", "emotion": "anger"}]


@pytest.mark.parametrize("cell", ["a\rb", "\r", "a\r\nb", "a\nb", 'a"b', "a,b", " a ", "a;b\tc"])
def test_what_csv_must_quote_it_quotes(tmp_path: Path, cell: str) -> None:
    write_rows(tmp_path / "t.csv", ("a", "b"), [{"a": cell, "b": "x"}])
    assert list(read_rows(tmp_path / "t.csv")) == [{"a": cell, "b": "x"}]


def test_csv_is_written_with_line_feeds(tmp_path: Path) -> None:
    write_rows(tmp_path / "t.csv", ("a", "b"), [{"a": "x", "b": None}])
    assert (tmp_path / "t.csv").read_bytes() == b"a,b\nx,\n"


def test_separators_inside_quotes_do_not_count(tmp_path: Path) -> None:
    content = '"a;b;c",emotion\n"x;y",anger\n'
    assert rows_of(tmp_path / "t.csv", content) == [{"a;b;c": "x;y", "emotion": "anger"}]


def test_a_tsv_file_is_separated_by_tabs_whatever_its_header_holds(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "t.tsv", "a,b,c\temotion\nx\tanger\n") == [{"a,b,c": "x", "emotion": "anger"}]


def test_a_row_that_is_too_short_lacks_its_last_values(tmp_path: Path) -> None:
    assert rows_of(tmp_path / "t.csv", "a,b\nx\n") == [{"a": "x", "b": None}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\nx,y\nhello, world,y\n", r"t\.csv, row 2: 3 cells, but the header has 2; put texts with commas in"),
        ("a,b,a\n1,2,3\n", r"t\.csv has two columns 'a'; rename one"),
        ('a,b\nx,"y\nz,y\n', r"cannot read 't\.csv' as CSV: unexpected end of data at line 3; a quotation mark may be"),
        (b"a,b\nt\xfcr,y\n", r"'t\.csv' as a table in UTF-8: invalid start byte at byte 5; save it in that encoding"),
    ],
    ids=["a comma too many", "two columns of one name", "an open quotation mark", "Latin-1"],
)
def test_csv_that_would_lose_something_is_refused(tmp_path: Path, content: str | bytes, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        rows_of(tmp_path / "t.csv", content)


# JSON Lines


def test_json_keeps_its_numbers_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    content = '{"a": 1, "b": 0.5}\n\n{"a": null, "c": ["x"]}\n\n'
    assert rows_of(tmp_path / "t.jsonl", content) == [{"a": 1, "b": 0.5}, {"a": None, "c": ["x"]}]


def test_a_json_array_is_refused_by_its_row(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"t\.jsonl, row 1: expected a JSON object, got '\[\{\"a\": 1\}\]'"):
        rows_of(tmp_path / "t.jsonl", json.dumps([{"a": 1}]))


# Parquet


def test_parquet_of_pandas_gives_its_values_without_the_index(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"label": pandas.Categorical(["anger", "fear", "fear", None]), "n": [1, 2, 3, 4]})
    frame[frame["n"] != 3].to_parquet(tmp_path / "t.parquet")
    assert "__index_level_0__" in pyarrow.parquet.read_schema(tmp_path / "t.parquet").names
    assert list(read_rows(tmp_path / "t.parquet")) == [
        {"label": "anger", "n": 1},
        {"label": "fear", "n": 2},
        {"label": None, "n": 4},
    ]


def test_two_columns_of_one_name_are_refused_in_parquet_too(tmp_path: Path) -> None:
    table = pyarrow.Table.from_arrays([pyarrow.array(["x"]), pyarrow.array(["y"])], names=["a", "a"])
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(ManifestError, match=r"t\.parquet has two columns 'a'"):
        list(read_rows(tmp_path / "t.parquet"))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,path\n", b"PAR1" + bytes(100) + b"PAR1"])
def test_a_damaged_parquet_file_is_named_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(ManifestError, match=r"cannot read 't\.parquet' as Parquet: ") as caught:
        rows_of(tmp_path / "t.parquet", content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", ["pyarrow", "pyarrow.parquet"])
def test_parquet_without_pyarrow_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    write_rows(tmp_path / "t.parquet", ("a",), [{"a": "x"}])
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"reading Parquet needs .*: pip install 'serkit\[data\]'"):
        list(read_rows(tmp_path / "t.parquet"))
    with pytest.raises(MissingExtraError, match=r"writing Parquet needs .*: pip install 'serkit\[data\]'"):
        write_rows(tmp_path / "other.parquet", ("a",), [])
    assert not (tmp_path / "other.parquet").exists()


# Names


@pytest.mark.parametrize("name", ["t.xlsx", "t", "t.csv.gz"])
def test_a_table_of_another_kind_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(ManifestError, match=r"the name must end in \.csv, (\.tsv, )?\.jsonl or \.parquet"):
        list(read_rows(tmp_path / name))


def test_a_folder_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no table"):
        list(read_rows(tmp_path))


def test_excels_own_first_line_and_its_unicode_text_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"sep=;\r\nfile;mood\r\na.wav;sad\r\n")
    (tmp_path / "b.csv").write_bytes("file\tmood\r\na.wav\tsad\r\n".encode("utf-16"))
    for name in ("a.csv", "b.csv"):
        assert list(read_rows(tmp_path / name)) == [{"file": "a.wav", "mood": "sad"}]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_a_name_in_bytes_that_are_no_text_is_refused(tmp_path: Path, ending: str) -> None:
    with pytest.raises(ManifestError, match="is not text in UTF-8"):
        write_rows(tmp_path / f"t{ending}", ["path"], [{"path": "\udcff.wav"}])
    assert not list(tmp_path.iterdir())


def test_a_spreadsheet_runs_no_cell_of_a_table_and_texts_come_back(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    row = {"=name": "=1+1", "text": "a;@x", "number": -0.5, "digits": "-3"}
    write_rows(file, list(row), [row])
    assert file.read_text("utf-8") == '"\'=name","text","number","digits"\n'.replace('"', "") + "'=1+1,a;'@x,-0.5,-3\n"
    (found,) = read_rows(file)
    assert found == {"=name": "=1+1", "text": "a;@x", "number": "-0.5", "digits": "-3"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[" * 100_000, "nested more than 100 levels"),
        ('{"a": ' + "1" * 5000 + "}", "too large"),
    ],
)
def test_a_line_that_would_crash_python_is_one_sentence(tmp_path: Path, line: str, why: str) -> None:
    (tmp_path / "a.jsonl").write_text(f"{line}\n", "utf-8")
    with pytest.raises(ManifestError, match=rf"a\.jsonl, row 1: not JSON .*{why}"):
        list(read_rows(tmp_path / "a.jsonl"))


def test_a_cell_beyond_the_limit_of_csv_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n" + "x" * 200_000 + "\n", "utf-8")
    with pytest.raises(ManifestError, match="field larger than field limit"):
        list(read_rows(tmp_path / "a.csv"))


def test_a_picture_in_place_of_a_table_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    with pytest.raises(ManifestError, match=r"cannot read 'a\.csv' as a table in UTF-8"):
        list(read_rows(tmp_path / "a.csv"))
