"""A manifest under the name of a known corpus is that corpus, or a part of it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serkit.data.corpora import corpus_names, get_corpus, read_corpora, read_corpus
from serkit.data.corpora.own_data import OwnData, read_own
from serkit.data.manifest import Manifest
from serkit.errors import ManifestError
from serkit.labels import EMOTIONS
from serkit.types import Utterance
from support.trees import touch

LISTED = [name for name in corpus_names() if get_corpus(name).official]
NAMED = {
    "aesdd": ("a03 (4)", "aesdd/4", "anger"),
    "afew": ("train_angry_000046280", "afew/train", "anger"),
    "ased": ("a5-06-02-02-45", "ased/45", "anger"),
    "enterface": ("s1_an_1", "enterface/01", "anger"),
    "eyase": ("Female01_ang_1", "eyase/Female01", "anger"),
    "iemocap": ("Ses01F_impro01_M003", "iemocap/Ses01M", "fear"),
    "mesd": ("Anger_F_A_abajo", "mesd/women", "anger"),
    "shemo": ("F01A01", "shemo/F01", "anger"),
    "meld": ("train_dia0_utt0", "meld/chandler", "neutral"),
    "msp-podcast": ("MSP-PODCAST_0001_0008", "msp-podcast/30", "neutral"),
    "turev-db": ("1157_hl_acik", "turev-db/1157", "sadness"),
}
SPEAKER_IN_A_TABLE = ("meld", "msp-podcast")  # whose ids do not tell who speaks


def official(name: str, count: int = 12) -> list[Utterance]:
    """Return some utterances of the official release, of several speakers, with paths of their own."""
    found = get_corpus(name).official
    if found is None:
        own, speaker, emotion = NAMED[name]
        return [Utterance(id=f"{name}/{own}", path="0.wav", corpus=name, speaker=speaker, emotion=emotion)]
    utterances = found()
    chosen = utterances[:: max(1, len(utterances) // count)]
    return [replace(u, path=f"{n}.wav") for n, u in enumerate(chosen)]


def lacking(name: str) -> str:
    """Return an emotion that a corpus does not have."""
    return next(emotion for emotion in EMOTIONS if emotion not in get_corpus(name).emotions.classes)


def given(folder: Path, utterances: list[Utterance], name: str = "m.csv") -> Path:
    """Write a manifest of these utterances, and empty files."""
    touch(folder, *(u.path for u in utterances))
    return Manifest(tuple(utterances)).write(folder / name)


@pytest.mark.parametrize("name", corpus_names())
def test_a_part_of_a_corpus_may_have_its_name(tmp_path: Path, name: str) -> None:
    utterances = official(name)
    assert len(read_corpus(name, given(tmp_path, utterances))) == len(utterances)


@pytest.mark.parametrize("name", LISTED)
def test_every_official_utterance_is_one_of_its_corpus(tmp_path: Path, name: str) -> None:
    utterances = official(name, 20_000)
    assert len(read_corpus(name, given(tmp_path, [replace(u, path="0.wav") for u in utterances]))) == len(utterances)


@pytest.mark.parametrize("name", corpus_names())
def test_every_known_corpus_has_a_list_or_reads_its_ids(name: str) -> None:
    corpus = get_corpus(name)
    assert (corpus.official is None) != (corpus.from_id is None)


@pytest.mark.parametrize("name", corpus_names())
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda u: {"speaker": f"{u.corpus}/Anna"}, "the speaker of '{id}' is '{corpus}/Anna', officially '{speaker}'"),
        (lambda u: {"id": f"{u.corpus}/mine-1"}, "there is no '{corpus}/mine-1'"),
        (lambda u: {"emotion": lacking(u.corpus)}, "the emotion of '{id}' is '{lacking}'"),
        (lambda u: {"start": 0.5}, "'{id}' is a part of its file, from 0.5 s on"),
        (lambda u: {"end": 1.0}, "'{id}' is a part of its file, from 0 s to 1 s"),
    ],
    ids=["speaker", "id", "emotion", "start", "end"],
)
def test_what_a_manifest_invents_under_a_known_name_is_refused(
    tmp_path: Path, name: str, change: Callable[[Utterance], dict[str, Any]], said: str
) -> None:
    *others, last = official(name)
    if name in SPEAKER_IN_A_TABLE and "speaker" in change(last):
        pytest.skip("only the table of the corpus tells who speaks")
    file = given(tmp_path, [*others, replace(last, **change(last))])
    with pytest.raises(ManifestError) as caught:
        read_corpora([name], {name: file})
    message = str(caught.value)
    values = {"id": last.id, "corpus": last.corpus, "speaker": last.speaker, "lacking": lacking(last.corpus)}
    assert f"is not {get_corpus(name).title}: 1 of its {len(others) + 1} utterances differ" in message
    assert said.format_map(values) in message
    assert f"give your own data another name, such as --data my-{name}=" in message


def test_sex_and_sentence_count_where_both_sides_know_them(tmp_path: Path) -> None:
    first, second = official("ravdess")[:2]
    read_corpus("ravdess", given(tmp_path, [replace(first, sex="unknown", sentence="")]))
    for change in ({"sex": "female" if second.sex == "male" else "male"}, {"sentence": "ravdess/03"}):
        with pytest.raises(ManifestError, match=f"the {next(iter(change))} of "):
            read_corpus("ravdess", given(tmp_path, [first, replace(second, **change)]))  # type: ignore[arg-type]
    (polish, *_) = official("nemo")
    read_corpus("nemo", given(tmp_path, [replace(polish, sex="female", sentence="nemo/ćwiczę")]))


def test_the_first_difference_comes_with_their_number(tmp_path: Path) -> None:
    one, two, *others = official("emodb")
    invented = [replace(one, speaker="emodb/99"), replace(two, speaker="emodb/99"), *others]
    with pytest.raises(ManifestError, match=rf": 2 of its {len(invented)} utterances .*, the first: .*'{one.id}'"):
        read_corpus("emodb", given(tmp_path, invented))


def test_an_emotion_that_iemocap_lacks_and_a_subject_too_many_are_refused(tmp_path: Path) -> None:
    turn = official("iemocap")[0]
    with pytest.raises(ManifestError, match="is 'boredom', which the corpus does not have"):
        read_corpus("iemocap", given(tmp_path, [replace(turn, emotion="boredom")]))
    parts = [
        Utterance(
            id=f"afew/{part}_sad_0000{n:05}", path=f"{n}.avi", corpus="afew", speaker=f"afew/{part}", emotion="sadness"
        )
        for n, part in enumerate(("train", "validation", "unknown"))
    ]
    with pytest.raises(ManifestError, match="it has 3 speakers, and the official release has 2"):
        read_corpus("afew", given(tmp_path, parts))


@pytest.mark.parametrize("own", ["s45_an_1", "s6_an_1", "s1_xx_1", "s1_an", "s01_an_1"])
def test_an_id_of_another_form_is_no_utterance_of_enterface(tmp_path: Path, own: str) -> None:
    (subject,) = official("enterface")
    with pytest.raises(ManifestError, match=f"there is no 'enterface/{own}'"):
        read_corpus("enterface", given(tmp_path, [replace(subject, id=f"enterface/{own}")]))


def test_the_merged_folder_and_the_songs_keep_the_speakers_of_others(tmp_path: Path) -> None:
    merged = read_corpus("kaggle-ser-en", given(tmp_path, official("kaggle-ser-en")))
    assert set(merged.corpora) <= {"crema-d", "ravdess", "savee", "tess"}
    songs = read_corpus("ravdess-song", given(tmp_path, official("ravdess-song")))
    assert all(name.startswith("ravdess/") for name in songs.speakers)


def test_a_corpus_in_its_folder_may_hold_more_than_the_release(tmp_path: Path) -> None:
    assert len(read_corpus("emodb", touch(tmp_path, "03a01Wz.wav"))) == 1


def test_the_advice_makes_the_same_table_ones_own(tmp_path: Path) -> None:
    invented = [replace(u, speaker="emodb/Anna") for u in official("emodb")[:3]]
    file = given(tmp_path, invented)
    mine = read_own(file, OwnData(name="my-emodb"), kind="table").write(tmp_path / "my-emodb.csv")
    assert read_corpora(["my-emodb"], {"my-emodb": mine}).speakers == ("my-emodb/emodb/Anna",)
