from pathlib import Path

import pytest

from serkit.writing import whole_file, whole_text, write_whole


def test_a_file_appears_when_its_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "new" / "note.txt"
    with whole_text(path) as file:
        file.write("żółć\n")
        assert not path.exists()
    assert path.read_bytes() == "żółć\n".encode()
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "note.txt"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError), whole_text(path) as file:
        file.write("half of the note, then what no file can hold: \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), whole_file(tmp_path / "note.txt"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_text_has_line_feeds_on_every_system(tmp_path: Path) -> None:
    write_whole(tmp_path / "note.txt", "a\nb\n")
    assert (tmp_path / "note.txt").read_bytes() == b"a\nb\n"


def test_the_temporary_file_is_hidden_and_beside_its_own(tmp_path: Path) -> None:
    with whole_file(tmp_path / "table.parquet") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
        temporary.touch()
