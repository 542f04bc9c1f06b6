"""A folder per emotion."""

from pathlib import Path

import pytest

from serkit.data.corpora.own_data import read_own
from serkit.data.formats.row_to_utterance import OwnData
from serkit.data.manifest import Manifest
from serkit.errors import CorpusError, LabelError, ManifestError
from serkit.labels import EMOTIONS

OWN = OwnData(name="own")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def read(root: Path, own: OwnData = OWN) -> Manifest:
    return read_own(root, own, kind="folders")


@pytest.mark.parametrize(
    ("name", "emotion"),
    [
        ("angry/a.wav", "anger"),
        ("ANGER/a.WAV", "anger"),
        ("Actor 1/happy/take 2/a.mp3", "happiness"),
        ("happy/Actor 1/sad/a.flac", "sadness"),
        ("neutral/a.m4a", "neutral"),
        ("fear/a.mp4", "fear"),
    ],
)
def test_the_nearest_folder_that_is_a_label_says_the_emotion(tmp_path: Path, name: str, emotion: str) -> None:
    (found,) = read(touch(tmp_path, name))
    assert (found.path, found.emotion) == (name, emotion)


@pytest.mark.parametrize(
    ("folder", "split"),
    [("train", "train"), ("Training", "train"), ("val", "validation"), ("test", "test"), ("x", "")],
)
def test_a_folder_of_a_split_says_the_split(tmp_path: Path, folder: str, split: str) -> None:
    (found,) = read(touch(tmp_path, f"{folder}/sad/a.wav"))
    assert found.split == split


def test_the_path_tells_the_speaker(tmp_path: Path) -> None:
    found = read(touch(tmp_path, "sad/s1_a.wav", "angry/s2_b.wav"), OwnData(name="own", speaker=r"/(s\d)_"))
    assert found.speakers == ("own/s1", "own/s2")


def test_a_folder_that_is_no_label_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LabelError) as caught:
        read(touch(tmp_path, "sad/a.wav", "angri/b.wav"))
    said = str(caught.value)
    assert "'angri/b.wav'" in said
    assert all(emotion in said for emotion in EMOTIONS)
    assert "--label 'NAME=EMOTION', or leave it out with --leave-out NAME" in said


def test_folders_that_are_left_out_are_counted(tmp_path: Path) -> None:
    own = OwnData(name="own", leave_out=frozenset({"Unsure"}))
    found = read(touch(tmp_path, "sad/a.wav", "unsure/b.wav", "unsure/c.wav"), own)
    assert len(found) == 1
    assert found.left_out == {"own: labeled unsure, which you asked to leave out": 2}


def test_a_sound_beside_the_folders_is_counted(tmp_path: Path) -> None:
    found = read(touch(tmp_path, "sad/a.wav", "intro.wav"))
    assert [u.path for u in found] == ["sad/a.wav"]
    assert found.left_out == {"own: not in a folder named after a label": 1}


def test_a_clip_that_is_there_in_two_formats_is_read_once_and_counted(tmp_path: Path) -> None:
    found = read(touch(tmp_path, "sad/a.wav", "sad/a.mp3"))
    assert len(found) == 1
    assert found.left_out == {"own: another file or row of an utterance that was read already": 1}


def test_one_name_under_two_emotions_is_two_utterances(tmp_path: Path) -> None:
    assert [u.id for u in read(touch(tmp_path, "sad/a.wav", "angry/a.wav"))] == ["own/angry/a", "own/sad/a"]


def test_what_is_no_sound_is_passed_over(tmp_path: Path) -> None:
    assert len(read(touch(tmp_path, "sad/a.wav", "sad/a.txt", "sad/._a.wav", "notes/readme.md"))) == 1


def test_folders_without_sound_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no utterance was found in .*: it is empty"):
        read(touch(tmp_path, "sad/a.txt"))


# The emotion in the file name

NAMES = OwnData(name="own", emotion="_([a-z]+)_")


def test_a_pattern_finds_the_emotion_in_the_path(tmp_path: Path) -> None:
    touch(tmp_path, "anna_angry_1.wav", "train/bob_sad_2.flac", "anna_NEUTRAL_3.wav")
    found = read_own(tmp_path, OwnData(name="own", emotion="_([a-zA-Z]+)_", speaker="([a-z]+)_"))
    assert {(u.path, u.emotion, u.speaker, u.split) for u in found} == {
        ("anna_angry_1.wav", "anger", "own/anna", ""),
        ("train/bob_sad_2.flac", "sadness", "own/bob", "train"),
        ("anna_NEUTRAL_3.wav", "neutral", "own/anna", ""),
    }


def test_labels_that_a_pattern_finds_can_be_mapped_and_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "anna_wut_1.wav", "anna_lust_2.wav", "anna_sad_3.wav")
    own = OwnData(name="own", emotion="_([a-z]+)_", labels={"wut": "anger"}, leave_out=frozenset({"lust"}))
    found = read(tmp_path, own)
    assert {u.emotion for u in found} == {"anger", "sadness"}
    assert found.left_out == {"own: labeled lust, which you asked to leave out": 1}


def test_a_pattern_has_precedence_over_folders(tmp_path: Path) -> None:
    (found,) = read(touch(tmp_path, "happy/anna_sad_1.wav"), NAMES)
    assert found.emotion == "sadness"


def test_files_without_a_match_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "anna_sad_1.wav", "b.wav", "c.wav")
    assert read(tmp_path, NAMES).left_out == {"own: the pattern '_([a-z]+)_' finds no emotion; the first is 'b.wav'": 2}


def test_a_pattern_without_any_match_says_what_it_was_tried_on(tmp_path: Path) -> None:
    touch(tmp_path, "anna-sad-1.wav", "b.wav")
    with pytest.raises(CorpusError, match=r"finds no emotion in any of the 2 paths, the first is 'anna-sad-1\.wav'"):
        read(tmp_path, NAMES)


def test_an_unknown_label_that_a_pattern_finds_is_named_with_the_options(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"anna_wut_1\.wav: unknown label 'wut'; map it .* --label 'wut=EMOTION'"):
        read(touch(tmp_path, "anna_wut_1.wav"), NAMES)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [("_[a-z]+_", "has no group: put the emotion's part in parentheses"), ("_([a-z", "is not a regular expression")],
)
def test_a_pattern_that_finds_nothing_by_its_form_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(ManifestError, match=why):
        OwnData(name="own", emotion=pattern)


def test_a_pattern_reads_the_paths_of_a_table_too(tmp_path: Path) -> None:
    touch(tmp_path, "anna_sad_1.wav", "b.wav")
    (tmp_path / "list.csv").write_text("path,take\nanna_sad_1.wav,1\nb.wav,2\n", "utf-8")
    found = read_own(tmp_path / "list.csv", NAMES)
    assert [(u.path, u.emotion, u.extra["take"]) for u in found] == [("anna_sad_1.wav", "sadness", "1")]
    assert found.left_out == {"own: without a label": 1}


def test_a_folder_without_labels_points_to_the_pattern(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="If the emotion is in the file names, pass --emotion PATTERN"):
        read_own(touch(tmp_path, "anna_sad_1.wav"), OwnData(name="own"))
