"""eNTERFACE'05 and AFEW, which are video."""

from itertools import product
from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus
from serkit.errors import CorpusError
from support.trees import by_id, only, reasons, touch

STORIES = {"an": "anger", "di": "disgust", "fe": "fear", "ha": "happiness", "sa": "sadness", "su": "surprise"}
MISPRINTS = {"s16_su_3": "s16_su_3avi", "s3_ha_1": "s_3_ha_1"}
NEVER_RECORDED = {(23, "ha", n) for n in (1, 2, 3)}  # that 23 lacks three is known; that happiness does, by the counts
AFEW = {"Angry": 156, "Disgust": 106, "Fear": 113, "Happy": 171, "Neutral": 167, "Sad": 145, "Surprise": 103}


def enterface() -> list[str]:
    """Return names as the release has them, with its misprints, and with those of subject 11 that say 12."""
    names = []
    for subject, code, n in product(range(1, 45), STORIES, range(1, 6)):
        if subject == 6 or (subject, code, n) in NEVER_RECORDED:
            continue
        stem = f"s{12 if subject == 11 else subject}_{code}_{n}"
        names.append(f"subject {subject}/{STORIES[code]}/sentence {n}/{MISPRINTS.get(stem, stem)}.avi")
    return names


# eNTERFACE'05


def test_a_tree_of_enterface_has_the_published_numbers(tmp_path: Path) -> None:
    corpus = get_corpus("enterface")
    manifest = corpus.manifest(touch(tmp_path, *enterface()))
    assert {e: sum(u.emotion == e for u in manifest) for e in corpus.counts} == corpus.counts
    assert len(manifest.speakers) == corpus.speakers == 43
    assert manifest.left_out == {}
    for u in manifest:
        subject, story, sentence, _ = u.path.split("/")
        assert u.speaker == f"enterface/{int(subject.split()[1]):02}"
        assert u.emotion == story
        assert u.sentence.endswith(sentence[-1])


def test_subject_11_whose_files_say_12_has_a_voice_of_his_own(tmp_path: Path) -> None:
    root = touch(tmp_path, "subject 11/anger/sentence 1/s12_an_1.avi", "subject 12/anger/sentence 1/s12_an_1.avi")
    found = by_id(get_corpus("enterface").manifest(root))
    assert {u.id: u.speaker for u in found.values()} == {
        "enterface/s11_an_1": "enterface/11", "enterface/s12_an_1": "enterface/12"
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["subject 6/anger/sentence 1/s6_an_1.avi", "subject 6/anger/s6_an.avi", "subject 6/anger.avi", "s6_an_1.avi"],
)
def test_subject_6_is_left_out_for_being_uncut(tmp_path: Path, name: str) -> None:
    root = touch(tmp_path, name, "subject 7/anger/sentence 1/s7_an_1.avi")
    assert only("enterface", root).id == "enterface/s7_an_1"
    assert reasons("enterface", root) == {"of subject 6, whose recordings are not cut into sentences": [name]}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("subject 16/surprise/sentence 3/s16_su_3avi.avi", ("s16_su_3", "surprise")),
        ("s16_su_3avi.avi", ("s16_su_3", "surprise")),
        ("subject 3/happiness/sentence 1/s_3_ha_1.avi", ("s3_ha_1", "happiness")),
        ("s_3_ha_1.avi", ("s3_ha_1", "happiness")),
        ("Subject_3/Happiness/Sentence_1/S3_HA_1.AVI", ("s3_ha_1", "happiness")),
        ("subject-3/happiness/sentence-1/s3_ha_1.mp4", ("s3_ha_1", "happiness")),
        ("wav/s03_ha_1.wav", ("s3_ha_1", "happiness")),
    ],
)
def test_misprints_and_other_spellings_are_the_same_utterance(
    tmp_path: Path, name: str, expected: tuple[str, str]
) -> None:
    utterance = only("enterface", touch(tmp_path, name))
    assert (utterance.id, utterance.emotion) == (f"enterface/{expected[0]}", expected[1])


def test_flat_names_of_enterface_say_subject_emotion_and_sentence(tmp_path: Path) -> None:
    names = [f"s{n}_{code}_{k}.wav" for n in (1, 44) for code in STORIES for k in range(1, 6)]
    manifest = get_corpus("enterface").manifest(touch(tmp_path, *names))
    assert manifest.speakers == ("enterface/01", "enterface/44")
    assert len(manifest) == 60


@pytest.mark.parametrize("name", ["s45_an_1.avi", "s0_an_1.avi", "s1_an.avi", "s1.avi"])
def test_a_name_without_subject_or_sentence_is_left_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        CorpusError, match=r"no eNTERFACE'05 in .*: none of the 1 sound files there is named as in this corpus"
    ):
        get_corpus("enterface").manifest(touch(tmp_path, name))


# AFEW


def test_a_tree_of_afew_has_the_published_numbers(tmp_path: Path) -> None:
    parts = ("Train", "Val")
    names = [f"{parts[n % 2]}/{label}/{n:05}{m:04}.avi" for m, label in enumerate(AFEW) for n in range(AFEW[label])]
    corpus = get_corpus("afew")
    manifest = corpus.manifest(touch(tmp_path, *names))
    assert {e: sum(u.emotion == e for u in manifest) for e in corpus.counts} == corpus.counts
    assert manifest.speakers == ("afew/train", "afew/validation")
    assert len(manifest.speakers) == corpus.speakers


def test_each_part_is_a_speaker_and_a_split_for_its_actors_are_no_others(tmp_path: Path) -> None:
    root = touch(tmp_path, "Train_AFEW/Angry/000046280.avi", "Val_AFEW/Angry/000046280.avi")
    found = by_id(get_corpus("afew").manifest(root))
    assert {name: (u.speaker, u.split) for name, u in found.items()} == {
        "afew/train_angry_000046280": ("afew/train", "train"),
        "afew/validation_angry_000046280": ("afew/validation", "validation"),
    }


def test_the_test_part_is_left_out_for_its_labels_are_secret(tmp_path: Path) -> None:
    root = touch(tmp_path, "Train/Sad/000046280.avi", "Test/000046281.avi", "Test_vid/more/000046282.avi")
    assert only("afew", root).id == "afew/train_sad_000046280"
    assert reasons("afew", root) == {
        "of the test part, whose labels are not public": ["Test/000046281.avi", "Test_vid/more/000046282.avi"]
    }


@pytest.mark.parametrize("name", ["Angry/000046280.avi", "ANGRY/000046280.MP4", "angry/000046280_1.mp4"])
def test_clips_outside_any_part_are_one_speaker(tmp_path: Path, name: str) -> None:
    utterance = only("afew", touch(tmp_path, name))
    assert (utterance.speaker, utterance.emotion, utterance.extra["label"]) == ("afew/unknown", "anger", "Angry")


@pytest.mark.parametrize(
    "name", ["Train/Angry/clip.avi", "Train/Angry/12345.avi", "holiday/000046280.avi", "angry/000046280.wav"]
)
def test_a_name_that_is_not_of_afew_is_left_out(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError, match=r"no AFEW in .*: none of the 1 sound files there is named as in this corpus"):
        get_corpus("afew").manifest(touch(tmp_path, name))
