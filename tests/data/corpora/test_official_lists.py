"""Every adapter against the numbers that are published of its corpus, and against the official lists of files."""

import csv
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus
from serkit.data.manifest import Manifest
from support.trees import official_names, touch

PUBLISHED = {  # utterances, women, men, utterances of each emotion
    "crema-d": (7442, 43, 48, dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271) | {
        "neutral": 1087}),
    "ravdess": (1440, 12, 12, dict.fromkeys(
        ("anger", "calm", "disgust", "fear", "happiness", "sadness", "surprise"), 192) | {"neutral": 96}),
    "ravdess-song": (1012, 11, 12, dict.fromkeys(("anger", "calm", "fear", "happiness", "sadness"), 184) | {
        "neutral": 92}),
    "savee": (480, 0, 4, dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "sadness", "surprise"), 60) | {"neutral": 120}),
    "tess": (2800, 2, 0, dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 400)),
    "emodb": (535, 5, 5, {
        "anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79, "sadness": 62}),
    "kaggle-ser-en": (12_162, 57, 64, {
        "anger": 1923, "calm": 192, "disgust": 1923, "fear": 1923, "happiness": 1923, "neutral": 1703,
        "sadness": 1923, "surprise": 652}),
}  # fmt: skip
LABELS = {  # as the lists of files have them
    "emobox-CREMA-D.csv": {
        "ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"},
    "emobox-EmoDB.csv": {
        "anger": "anger", "boredem": "boredom", "disgust": "disgust", "fear": "fear", "happy": "happiness",
        "neutral": "neutral", "sad": "sadness"},
    "emobox-RAVDESS.csv": {
        "Angry": "anger", "Calm": "calm", "Disgust": "disgust", "Fearful": "fear", "Happy": "happiness",
        "Neutral": "neutral", "Sad": "sadness", "Surprised": "surprise"},
    "emobox-SAVEE.csv": {
        "a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "n": "neutral", "sa": "sadness",
        "su": "surprise"},
    "emobox-TESS.csv": {
        "angry": "anger", "disgust": "disgust", "fear": "fear", "happy": "happiness", "neutral": "neutral",
        "ps": "surprise", "sad": "sadness"},
}  # fmt: skip


def sexes(manifest: Manifest) -> tuple[int, int]:
    """Return how many women and men speak."""
    count = Counter(sex for _, sex in {(u.speaker, u.sex) for u in manifest})
    assert not count["unknown"]
    return count["female"], count["male"]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "kaggle-ser-en"])
def test_a_tree_of_the_official_names_has_the_published_numbers(tmp_path: Path, name: str) -> None:
    utterances, women, men, emotions = PUBLISHED[name]
    manifest = get_corpus(name).manifest(touch(tmp_path, *official_names(name, ".flac")))
    assert len(manifest) == utterances
    assert sexes(manifest) == (women, men)
    assert Counter(u.emotion for u in manifest) == emotions
    assert manifest.left_out == {}


def test_nemo_has_the_published_numbers(tmp_path: Path) -> None:
    manifest = get_corpus("nemo").manifest(touch(tmp_path, *official_names("nemo", ".opus")))
    assert (len(manifest), len(manifest.speakers)) == (4481, 9)
    assert Counter(u.emotion for u in manifest) == {
        "anger": 749, "fear": 736, "happiness": 749, "neutral": 809, "sadness": 769, "surprise": 669
    }  # fmt: skip


@pytest.mark.parametrize("name", [*PUBLISHED, "nemo"])
def test_a_corpus_states_the_numbers_of_its_official_list(name: str) -> None:
    corpus = get_corpus(name)
    assert corpus.official is not None
    official = corpus.official()
    assert len({u.id for u in official}) == len(official) == corpus.utterances
    assert len({u.speaker for u in official}) == corpus.speakers
    assert Counter(u.emotion for u in official) == corpus.counts


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_corpus_states_the_published_numbers(name: str) -> None:
    utterances, women, men, emotions = PUBLISHED[name]
    corpus = get_corpus(name)
    assert (corpus.utterances, corpus.speakers, corpus.counts) == (utterances, women + men, emotions)


def test_a_corpus_without_a_list_states_the_published_numbers() -> None:
    assert get_corpus("enterface").counts == {
        "anger": 215, "disgust": 215, "fear": 215, "happiness": 212, "sadness": 215, "surprise": 215
    }  # fmt: skip
    assert get_corpus("afew").counts == {
        "anger": 156, "disgust": 106, "fear": 113, "happiness": 171, "neutral": 167, "sadness": 145, "surprise": 103
    }  # fmt: skip
    iemocap = get_corpus("iemocap")
    assert (iemocap.utterances, iemocap.speakers, len(iemocap.counts)) == (7532, 10, 10)


@pytest.mark.parametrize(
    ("name", "file", "speaker"),
    [
        ("crema-d", "emobox-CREMA-D.csv", lambda stem: stem[:4]),
        ("emodb", "emobox-EmoDB.csv", lambda stem: stem[:2]),
        ("ravdess", "emobox-RAVDESS.csv", lambda stem: stem[-2:]),
        ("savee", "emobox-SAVEE.csv", lambda stem: stem[:2]),
        ("tess", "emobox-TESS.csv", lambda stem: stem[:3]),
    ],
    ids=["crema-d", "emodb", "ravdess", "savee", "tess"],
)
def test_a_tree_of_the_reference_list_gives_its_labels_and_speakers(
    reference: Path, tmp_path: Path, name: str, file: str, speaker: Callable[[str], str]
) -> None:
    with (reference / file).open(newline="") as table:
        rows = list(csv.DictReader(table))
    manifest = get_corpus(name).manifest(touch(tmp_path, *(row["path"] for row in rows)))
    expected = {
        row["path"]: (LABELS[file][row["emotion"]], f"{name}/{speaker(Path(row['path']).stem)}") for row in rows
    }
    assert {u.path: (u.emotion, u.speaker) for u in manifest} == expected
    assert len(manifest) == get_corpus(name).utterances
    official = get_corpus(name).official
    assert official is not None
    assert {u.id for u in manifest} == {u.id for u in official()}


def test_the_sex_and_age_of_crema_ds_actors_are_those_of_its_own_table(reference: Path, tmp_path: Path) -> None:
    root = touch(tmp_path, *official_names("crema-d"))
    for name in ("VideoDemographics", "summaryTable"):
        (root / f"{name}.csv").write_bytes((reference / f"CREMA-D-{name}.csv").read_bytes())
    manifest = get_corpus("crema-d").manifest(root)
    with (reference / "CREMA-D-VideoDemographics.csv").open(newline="") as table:
        actors = {f"crema-d/{row['ActorID']}": row for row in csv.DictReader(table)}
    with (reference / "CREMA-D-summaryTable.csv").open(newline="") as table:
        votes = {f"crema-d/{row['FileName']}": row for row in csv.DictReader(table)}
    assert set(manifest.speakers) == set(actors)
    words = {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"}
    for u in manifest:
        actor = actors[u.speaker]
        assert (u.sex, u.extra["age"], u.extra["race"], u.extra["ethnicity"]) == (
            actor["Sex"].lower(), actor["Age"], actor["Race"], actor["Ethnicity"]
        )  # fmt: skip
        assert u.extra["heard"].split(":") == [words[letter] for letter in votes[u.id]["VoiceVote"].split(":")]
        assert u.extra["heard_level"] == votes[u.id]["VoiceLevel"]
