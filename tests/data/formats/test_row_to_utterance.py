"""Mappings of the user's own data, and the recognition of its layout."""

import unicodedata
from pathlib import Path

import pytest

from serkit.data.corpora import read_corpora
from serkit.data.corpora.own_data import KINDS, own_corpus, read_own
from serkit.data.formats.row_to_utterance import OwnData
from serkit.data.manifest import Manifest
from serkit.errors import CorpusError, LabelError, ManifestError
from serkit.types import Utterance

OWN = OwnData(name="own")
COMPOSED, APART = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
ROW = "file_name,label\na.wav,sad\n"


def folder_of(root: Path, **files: str) -> Path:
    """Write files, ``__`` for a slash and ``_`` before the ending for a dot."""
    for name, content in files.items():
        path = root / ".".join(name.replace("__", "/").rsplit("_", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def manifest_in(root: Path, name: str = "manifest.csv") -> Manifest:
    u = Utterance(id="other/a", path="a.wav", corpus="other", speaker="other/1", emotion="fear")
    manifest = Manifest((u,), {"other": root})
    manifest.write(root / name)
    return manifest


# What serkit is told


@pytest.mark.parametrize("name", ["", "My Data", "Ravdess", "a/b", "../up", "-x"])
def test_a_name_that_could_be_no_prefix_is_refused(name: str) -> None:
    with pytest.raises(ManifestError, match=r"cannot be named .*: use lower-case letters, digits and hyphens"):
        OwnData(name=name)


def test_a_field_that_no_utterance_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(
        ManifestError, match=r"an utterance has no field 'speakr'; did you mean 'speaker'.* The fields are id, path, "
    ):
        OwnData(name="own", columns={"speakr": "x"})


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("Actor_(", "is not a regular expression: missing"),
        (r"Actor_\d+", "has no group: put the speaker's part in paren"),
    ],
)
def test_a_bad_pattern_for_the_speaker_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(ManifestError, match=said):
        OwnData(name="own", speaker=pattern)


def test_a_sex_that_is_none_is_refused() -> None:
    with pytest.raises(ManifestError, match="sex 'm' cannot be mapped to 'man': choose one of male, female, unknown"):
        OwnData(name="own", sexes={"m": "man"})  # type: ignore[dict-item]


# What it finds out


def test_a_table_is_recognized(tmp_path: Path) -> None:
    folder_of(tmp_path, a_wav="", data_csv=ROW)
    assert [u.id for u in read_own(tmp_path / "data.csv", OWN)] == ["own/a"]


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.parquet"])
def test_a_manifest_is_recognized_and_keeps_its_own_names(tmp_path: Path, name: str) -> None:
    manifest = manifest_in(tmp_path, name)
    assert read_own(tmp_path / name, OWN).utterances == manifest.utterances


def test_a_table_in_a_manifests_columns_is_a_table_once_something_is_told_of_it(tmp_path: Path) -> None:
    folder_of(tmp_path, a_wav="", data_csv="id,path,corpus,speaker,emotion\nx,a.wav,c,s,wut\n")
    with pytest.raises(LabelError, match="unknown emotion 'wut'"):
        read_own(tmp_path / "data.csv", OWN)
    (found,) = read_own(tmp_path / "data.csv", OwnData(name="own", labels={"wut": "anger"}))
    assert (found.id, found.speaker, found.emotion) == ("own/x", "own/s", "anger")


def test_a_folder_with_a_manifest_is_one(tmp_path: Path) -> None:
    manifest = manifest_in(tmp_path)
    folder_of(tmp_path, sad__b_wav="")
    assert read_own(tmp_path, OWN).utterances == manifest.utterances


def test_a_table_that_is_only_called_a_manifest_is_a_table(tmp_path: Path) -> None:
    folder_of(tmp_path, a_wav="", manifest_jsonl='{"audio_filepath": "a.wav", "label": "sad", "duration": 1.5}')
    (found,) = read_own(tmp_path, OWN)
    assert (found.id, found.extra) == ("own/a", {"label": "sad", "duration": "1.5"})


def test_a_table_with_more_columns_than_a_manifest_is_a_table(tmp_path: Path) -> None:
    folder_of(tmp_path, a_wav="", data_csv="id,path,corpus,speaker,emotion,age\nx,a.wav,c,s,angry,31\n")
    (found,) = read_own(tmp_path / "data.csv", OWN)
    assert (found.id, found.speaker, found.emotion, found.extra["age"]) == ("own/x", "own/s", "anger", "31")


def test_a_folder_with_metadata_is_an_audiofolder(tmp_path: Path) -> None:
    folder_of(tmp_path, happy__a_wav="", metadata_csv="file_name,label\nhappy/a.wav,sad\n")
    assert [u.emotion for u in read_own(tmp_path, OWN)] == ["sadness"]


def test_a_folder_per_emotion_is_recognized(tmp_path: Path) -> None:
    folder_of(tmp_path, happy__a_wav="", Sad__a_wav="")
    assert [u.id for u in read_own(tmp_path, OWN)] == ["own/Sad/a", "own/happy/a"]


def test_a_folder_per_own_label_is_recognized(tmp_path: Path) -> None:
    folder_of(tmp_path, wut__a_wav="")
    (found,) = read_own(tmp_path, OwnData(name="own", labels={"Wut": "anger"}))
    assert found.emotion == "anger"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_there_is_an_error_for_every_kind(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("audformat")
    with pytest.raises((CorpusError, ManifestError), match="nothing"):
        read_own(tmp_path / "nothing", OWN, kind=kind)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match=r"no file or folder '.*nothing'"):
        read_own(tmp_path / "nothing", OWN)


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_folder_is_an_error_for_every_kind(tmp_path: Path, kind: str) -> None:
    with pytest.raises((CorpusError, ManifestError)):
        read_own(tmp_path, OWN, kind=kind)  # type: ignore[arg-type]
    with pytest.raises(CorpusError, match=r"holds no data that serkit can read: it has no manifest\.csv, "):
        read_own(tmp_path, OWN)


@pytest.mark.parametrize("kind", ["audiofolder", "audformat", "folders"])
def test_a_file_where_a_folder_belongs_is_an_error(tmp_path: Path, kind: str) -> None:
    folder_of(tmp_path, data_csv=ROW)
    with pytest.raises(CorpusError, match=rf"data\.csv' is a file; data of kind {kind} must be a folder"):
        read_own(tmp_path / "data.csv", OWN, kind=kind)  # type: ignore[arg-type]


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, a_wav="")
    with pytest.raises(ManifestError, match=r"cannot read 'a\.wav' as a table: the name must end in"):
        read_own(tmp_path / "a.wav", OWN)


def test_utterances_are_sorted_by_id(tmp_path: Path) -> None:
    folder_of(tmp_path, a_wav="", b_wav="", data_csv="file,label\nb.wav,sad\na.wav,sad\n")
    assert [u.id for u in read_own(tmp_path / "data.csv", OWN)] == ["own/a", "own/b"]


# As a corpus of an experiment


def test_own_data_join_a_known_corpus_under_the_name_they_are_given(tmp_path: Path, emodb_dir: Path) -> None:
    folder_of(tmp_path, happy__a_wav="", sad__b_wav="")
    both = read_corpora(["emodb", "own"], {"emodb": emodb_dir, "own": tmp_path})
    assert both.corpora == ("emodb", "own")
    assert "own/unknown" in both.speakers


def test_nothing_is_claimed_of_a_corpus_that_is_only_the_users(tmp_path: Path) -> None:
    folder_of(tmp_path, happy__a_wav="")
    corpus = own_corpus("own")
    assert (corpus.license, corpus.commercial, corpus.utterances) == ("unknown", None, 0)
    assert len(corpus.manifest(tmp_path)) == 1


def test_two_speakers_of_one_clip_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.wav").touch()
    (tmp_path / "t.csv").write_text("file,emotion,speaker\nc.wav,angry,a\nc.wav,angry,b\n")
    with pytest.raises(ManifestError, match="is spoken by both own/a and own/b"):
        read_own(tmp_path / "t.csv", OwnData(name="own"))


def test_a_text_is_no_set_of_labels() -> None:
    with pytest.raises(ManifestError, match="leave_out must be a set of labels, got the text 'noise'"):
        OwnData(name="own", leave_out="noise")  # type: ignore[arg-type]


# One name in two codings


def test_one_speaker_in_two_codings_of_folders_is_one(tmp_path: Path) -> None:
    """As macOS and Linux name them."""
    folder_of(tmp_path, **{f"{COMPOSED}__sad__a_wav": "", f"{APART}__happy__b_wav": ""})
    manifest = read_own(tmp_path, OwnData(name="own", speaker="^([^/]+)/"))
    assert manifest.speakers == (f"own/{COMPOSED}",)
    assert [u.id for u in manifest] == [f"own/{COMPOSED}/happy/b", f"own/{COMPOSED}/sad/a"]
    assert {u.path for u in manifest} == {f"{COMPOSED}/sad/a.wav", f"{APART}/happy/b.wav"}
    assert all(manifest.audio_path(u).is_file() for u in manifest)


@pytest.mark.parametrize("name", ["t.csv", "metadata.csv"])
def test_one_speaker_in_two_codings_of_a_table_is_one(tmp_path: Path, name: str) -> None:
    folder_of(tmp_path, a_wav="", b_wav="")
    rows = "".join(f"{file}.wav,sad,{who},{who},{who}\n" for file, who in (("a", COMPOSED), ("b", APART)))
    (tmp_path / name).write_text(f"file_name,emotion,speaker,sentence,session\n{rows}", "utf-8")
    manifest = read_own(tmp_path if name == "metadata.csv" else tmp_path / name, OWN)
    assert len(manifest) == 2
    assert {(u.speaker, u.sentence, u.session) for u in manifest} == {(f"own/{COMPOSED}", f"own/{COMPOSED}", COMPOSED)}


@pytest.mark.parametrize("typed", [COMPOSED, APART])
def test_what_is_said_of_names_is_found_in_both_codings(tmp_path: Path, typed: str) -> None:
    folder_of(tmp_path, **{f"{COMPOSED}__a_wav": "", f"{APART}__b_wav": "", f"{APART}ne__c_wav": ""})
    own = OwnData(
        name="own", labels={typed: "anger"}, leave_out=frozenset((f"{typed}ne",)), speaker=f"({typed})(?:ne)?/"
    )
    manifest = read_own(tmp_path, own)
    assert [(u.emotion, u.speaker) for u in manifest] == [("anger", f"own/{COMPOSED}")] * 2
    assert list(manifest.left_out.values()) == [1]


def test_two_files_of_one_name_in_two_codings_are_refused(tmp_path: Path) -> None:
    folder_of(tmp_path, **{f"sad__{COMPOSED}_wav": "", f"sad__{APART}_wav": ""})
    if len(list((tmp_path / "sad").iterdir())) < 2:
        pytest.skip("this file system holds the two names as one")
    with pytest.raises(
        ManifestError, match="two files have this name, with accents coded in two ways; rename one of them"
    ):
        read_own(tmp_path, OWN)


def test_spaces_around_a_speaker_in_a_path_are_no_part_of_the_name(tmp_path: Path) -> None:
    folder_of(tmp_path, **{"Anna__sad__a_wav": "", "Anna __sad__b_wav": ""})
    assert read_own(tmp_path, OwnData(name="own", speaker="^([^/]+)/")).speakers == ("own/Anna",)
