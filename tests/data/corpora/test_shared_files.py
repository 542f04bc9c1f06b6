"""One set of sound files under two corpus names."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from serkit.data.corpora import read_corpora
from serkit.errors import ManifestError
from support.trees import fill, official_names, pips

REFUSED = r"^one and two are the same data under two names: '.*a\.wav' and '.*a\.wav' are one file, .*; leave out one"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of two clips."""
    return fill(tmp_path / "own", pips(["sad/a.wav", "happy/b.wav"]))


def test_one_folder_under_two_names_is_refused(own: Path) -> None:
    with pytest.raises(ManifestError, match=REFUSED.replace("a\\", "b\\")):
        read_corpora(["one", "two"], {"one": own, "two": own / ".." / "own"})


def test_a_folder_that_links_to_another_is_refused(
    own: Path, tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    link(tmp_path / "again", own)
    with pytest.raises(ManifestError, match="the same data under two names"):
        read_corpora(["one", "two"], {"one": own, "two": tmp_path / "again"})


@pytest.mark.parametrize("is_hard", [True, False])
def test_one_linked_file_among_others_is_refused(own: Path, tmp_path: Path, is_hard: bool) -> None:
    other = fill(tmp_path / "other", pips(["sad/c.wav"], rate=8000))
    try:
        (os.link if is_hard else os.symlink)(own / "sad" / "a.wav", other / "sad" / "a.wav")
    except OSError as error:
        pytest.skip(f"no links here: {error}")
    with pytest.raises(ManifestError, match=REFUSED):
        read_corpora(["one", "two"], {"one": own, "two": other})


def test_a_table_beside_the_folder_it_lists_is_refused(own: Path) -> None:
    (own / "t.csv").write_text("file,label\nsad/a.wav,sad\n")
    with pytest.raises(ManifestError, match=REFUSED):
        read_corpora(["one", "two"], {"one": own, "two": own / "t.csv"})


def test_two_tables_of_different_files_in_one_folder_are_two_corpora(own: Path) -> None:
    (own / "s.csv").write_text("file,label\nsad/a.wav,sad\n")
    (own / "t.csv").write_text("file,label\nhappy/b.wav,happy\n")
    assert len(read_corpora(["one", "two"], {"one": own / "s.csv", "two": own / "t.csv"})) == 2


def test_a_copy_is_left_to_those_who_listen(own: Path, tmp_path: Path) -> None:
    shutil.copytree(own, tmp_path / "copy")
    assert len(read_corpora(["one", "two"], {"one": own, "two": tmp_path / "copy"})) == 4


def test_a_known_corpus_as_ones_own_beside_itself_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "emodb", pips(["sad/03a02Tb.wav", "happy/03a01Fa.wav"]))
    with pytest.raises(ManifestError, match=r"^emodb and mine are the same data"):
        read_corpora(["emodb", "mine"], {"emodb": folder, "mine": folder})


def test_speech_and_songs_may_lie_in_one_folder(tmp_path: Path) -> None:
    names = [*official_names("ravdess")[:3], *official_names("ravdess-song")[:2]]
    folder = fill(tmp_path / "ravdess", pips(names))
    assert len(read_corpora(["ravdess", "ravdess-song"], tmp_path)) == len(names)
    assert len(read_corpora(["ravdess", "ravdess-song"], {"ravdess": folder, "ravdess-song": folder})) == len(names)


def test_the_merged_folder_and_a_part_of_it_still_share_ids(tmp_path: Path) -> None:
    parts = {"Crema": "crema-d", "Ravdess": "ravdess", "Savee": "savee", "Tess": "tess"}
    files = [f"{folder}/{file}" for folder, name in parts.items() for file in official_names(name)[:2]]
    root = fill(tmp_path / "merged", pips(files))
    assert len(read_corpora(["kaggle-ser-en", "emodb"], {
        "kaggle-ser-en": root, "emodb": fill(tmp_path / "emodb", pips(["03a01Fa.wav"])),
    })) == len(files) + 1  # fmt: skip
    with pytest.raises(ManifestError, match="2 utterance ids occur more than once"):
        read_corpora(["kaggle-ser-en", "tess"], {"kaggle-ser-en": root, "tess": root / "Tess"})
