from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus
from serkit.errors import CorpusError
from support.synthetic import TITLES
from support.trees import by_id, official_names, only, reasons, touch

# Speech, songs and films


def test_ravdess_actors_of_odd_number_are_men(tmp_path: Path) -> None:
    manifest = get_corpus("ravdess").manifest(touch(tmp_path, *(f"03-01-01-01-01-01-{n:02}.wav" for n in range(1, 25))))
    assert [u.sex for u in manifest] == ["male", "female"] * 12


@pytest.mark.parametrize(
    "file",
    [
        "02-01-06-01-02-01-12.wav",  # video
        "03-02-06-01-02-01-12.wav",  # song
        "03-01-06-01-02-01-25.wav",
        "03-01-06-01-02-01-00.wav",
        "03-01-06-01-02-01.wav",
        "copy of 03-01-06-01-02-01-12.wav",
    ],
)
def test_a_file_that_is_no_ravdess_speech_is_left_out(tmp_path: Path, file: str) -> None:
    root = touch(tmp_path, file, "03-01-06-01-02-01-12.wav")
    assert only("ravdess", root).id == "ravdess/03-01-06-01-02-01-12"


def test_a_film_and_its_sound_are_one_utterance_and_the_sound_is_read(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "Actor_12/01-01-06-01-02-01-12.mp4", "Actor_12/02-01-06-01-02-01-12.mp4",
        "Actor_12/03-01-06-01-02-01-12.wav",
    )  # fmt: skip
    utterance = only("ravdess", root)
    assert (utterance.id, utterance.path) == ("ravdess/03-01-06-01-02-01-12", "Actor_12/03-01-06-01-02-01-12.wav")
    assert reasons("ravdess", root) == {
        "an utterance that was read already from another kind of file": ["Actor_12/01-01-06-01-02-01-12.mp4"],
        "a film without sound": ["Actor_12/02-01-06-01-02-01-12.mp4"],
    }


def test_films_alone_give_the_utterances_of_their_sound(tmp_path: Path) -> None:
    films = [f"01{name[2:]}" for name in official_names("ravdess", ".mp4")]
    silent = [f"02{name[2:]}" for name in films]
    corpus = get_corpus("ravdess")
    manifest = corpus.manifest(touch(tmp_path, *films, *silent))
    assert corpus.official is not None
    assert sorted(u.id for u in manifest) == sorted(u.id for u in corpus.official())
    assert manifest.left_out == {"ravdess: a film without sound": 1440}


def test_speech_and_songs_in_one_folder_are_two_corpora_of_the_same_voices(tmp_path: Path) -> None:
    root = touch(tmp_path, *official_names("ravdess"), *official_names("ravdess-song"))
    speech, songs = get_corpus("ravdess").manifest(root), get_corpus("ravdess-song").manifest(root)
    assert (len(speech), len(songs)) == (1440, 1012)
    assert speech.left_out == {"ravdess: read by the corpus ravdess-song": 1012}
    assert songs.left_out == {"ravdess-song: read by the corpus ravdess": 1440}
    assert set(speech.speakers) - set(songs.speakers) == {"ravdess/18"}
    assert set(songs.speakers) < set(speech.speakers)
    assert not by_id(speech).keys() & by_id(songs).keys()


def test_silent_films_alone_are_no_corpus_and_the_message_says_why(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match="no sound file there is named as in this corpus; 1 left out: a film without so"
    ):
        get_corpus("ravdess").manifest(touch(tmp_path, "02-01-06-01-02-01-12.mp4"))


# TESS


def test_the_tess_file_named_oa_belongs_to_oaf(tmp_path: Path) -> None:
    utterance = only("tess", touch(tmp_path, "OAF_neutral/OA_bite_neutral.wav"))
    assert (utterance.id, utterance.speaker, utterance.extra["age"]) == ("tess/OA_bite_neutral", "tess/OAF", "64")


def test_both_spellings_of_the_tess_folders_are_read(releases: Path) -> None:
    manifest = get_corpus("tess").manifest(releases / TITLES["tess"])
    folders = {Path(u.path).parent.name: u.emotion for u in manifest}
    assert folders["OAF_Pleasant_surprise"] == folders["YAF_pleasant_surprised"] == "surprise"
    assert folders["OAF_Fear"] == folders["YAF_fear"] == "fear"
    assert len(folders) == 14


def test_tess_ids_are_the_official_ones_in_any_case(tmp_path: Path) -> None:
    root = touch(tmp_path, "oaf_back_ANGRY.WAV", "copy/OAF_back_angry.wav")
    utterance = only("tess", root)
    assert (utterance.id, utterance.sentence) == ("tess/OAF_back_angry", "tess/back")


@pytest.mark.parametrize("label", ["ps", "pleasant_surprise", "pleasant_surprised", "Pleasant_Surprised"])
def test_pleasant_surprise_is_read_however_it_is_spelled(tmp_path: Path, label: str) -> None:
    utterance = only("tess", touch(tmp_path, f"YAF_back_{label}.wav"))
    assert (utterance.id, utterance.emotion, utterance.extra["label"]) == ("tess/YAF_back_ps", "surprise", "ps")


def test_a_copy_that_has_mended_the_misnamed_file_is_the_same_release(tmp_path: Path) -> None:
    names = official_names("tess")
    assert "OA_bite_neutral.wav" in names
    mended = ["OAF_bite_neutral.wav" if name.startswith("OA_") else name for name in names]
    found = [get_corpus("tess").manifest(touch(tmp_path / str(n), *some)) for n, some in enumerate((names, mended))]
    assert found[0].digest == found[1].digest
