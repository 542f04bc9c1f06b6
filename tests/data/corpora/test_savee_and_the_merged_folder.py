from collections import Counter
from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus, read_corpora
from serkit.errors import CorpusError
from serkit.labels import get_label_set
from support.trees import by_id, official_names, only, reasons, touch

FOLDERS = {"crema-d": "Crema", "ravdess": "Ravdess", "savee": "Savee", "tess": "Tess"}


def merged(root: Path, *, step: int = 1) -> Path:
    """Write the merged folder, or every so manieth file of it."""
    return touch(root, *(f"{FOLDERS[n]}/{file}" for n in FOLDERS for file in official_names(n)[::step]))


# SAVEE


def test_savee_nested_and_flat_are_the_same(tmp_path: Path) -> None:
    flat = official_names("savee")
    nested = [f"AudioData/{name[:2]}/{name[3:]}" for name in flat]
    found = [get_corpus("savee").manifest(touch(tmp_path / str(n), *names)) for n, names in enumerate((flat, nested))]
    assert found[0].digest == found[1].digest
    assert len(found[0]) == 480


def test_savee_in_small_letters_is_the_same_utterance(tmp_path: Path) -> None:
    assert only("savee", touch(tmp_path, "dc/SU01.WAV")).id == "savee/DC_su01"


@pytest.mark.parametrize("name", ["a01.wav", "XX/a01.wav", "XX_a01.wav", "DC/a1.wav", "DC/a01b.wav"])
def test_a_savee_name_without_one_of_its_speakers_is_left_out(tmp_path: Path, name: str) -> None:
    only("savee", touch(tmp_path, "DC/a02.wav", name))
    assert reasons("savee", tmp_path) == {"a name that is not of this corpus's form": [name]}


# The four corpora together


def test_the_superset_has_the_numbers_of_document_b(tmp_path: Path) -> None:
    root = merged(tmp_path)
    data = {name: root / folder for name, folder in FOLDERS.items()}
    manifest = read_corpora(FOLDERS, data, keep_faulty=True)
    assert len(manifest) == 12_162
    sexes = Counter(sex for _, sex in {(u.speaker, u.sex) for u in manifest})
    assert sexes == {"female": 57, "male": 64}
    kept, dropped = manifest.select(get_label_set("superset6"))
    assert len(kept) == 11_318
    assert dropped == {"calm": 192, "surprise": 652}
    whole = {"kaggle-ser-en": root}
    assert read_corpora(["kaggle-ser-en"], whole, keep_faulty=True).digest == manifest.digest
    assert read_corpora(["kaggle-ser-en"], whole).digest == read_corpora(FOLDERS, data).digest != manifest.digest


def test_the_merged_folder_keeps_the_names_of_its_corpora(tmp_path: Path) -> None:
    manifest = get_corpus("kaggle-ser-en").manifest(merged(tmp_path, step=200))
    assert set(manifest.corpora) == set(FOLDERS)
    assert all(manifest.audio_path(u).is_file() for u in manifest)
    assert manifest.problems() == []


@pytest.mark.parametrize("place", ["speech-emotion-recognition-en", "archive/data"])
def test_the_four_folders_may_lie_deeper(tmp_path: Path, place: str) -> None:
    manifest = get_corpus("kaggle-ser-en").manifest(merged(tmp_path / place, step=100).parents[place.count("/")])
    assert manifest.digest == get_corpus("kaggle-ser-en").manifest(tmp_path / place).digest
    assert manifest.problems() == []


def test_the_four_folders_may_be_spelled_in_any_case(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "CREMA/1001_DFA_ANG_XX.wav", "ravdess/Actor_01/03-01-01-01-01-01-01.wav", "savee/DC_a01.wav",
        "TESS/OAF_angry/OAF_back_angry.wav",
    )  # fmt: skip
    assert len(get_corpus("kaggle-ser-en").manifest(root)) == 4


def test_a_merged_folder_that_lies_there_twice_is_read_once_and_the_rest_is_counted(tmp_path: Path) -> None:
    merged(tmp_path / "speech-emotion-recognition-en", step=100)
    manifest = get_corpus("kaggle-ser-en").manifest(merged(tmp_path, step=100))
    assert manifest.digest == get_corpus("kaggle-ser-en").manifest(tmp_path / "speech-emotion-recognition-en").digest
    assert {Path(u.path).parts[0] for u in manifest} == set(FOLDERS.values())
    assert manifest.left_out == {"kaggle-ser-en: a sound file outside the four folders": len(manifest)}


def test_a_copy_within_one_of_the_four_is_read_once_and_counted(tmp_path: Path) -> None:
    names = official_names("ravdess")
    root = merged(tmp_path, step=100)
    touch(root, *(f"Ravdess/audio_speech_actors_01-24/{name}" for name in names[::100]))
    assert reasons("kaggle-ser-en", root).keys() == {"another file of an utterance that was read already"}
    assert sum(u.corpus == "ravdess" for u in get_corpus("kaggle-ser-en").manifest(root)) == len(names[::100])


def test_sound_beside_the_four_folders_is_counted(tmp_path: Path) -> None:
    root = touch(merged(tmp_path, step=500), "loose.wav", "Emodb/03a01Wa.wav")
    assert reasons("kaggle-ser-en", root) == {
        "a sound file outside the four folders": ["loose.wav", "Emodb/03a01Wa.wav"]
    }


def test_a_merged_folder_that_lacks_some_of_the_four_is_refused_with_their_names(tmp_path: Path) -> None:
    root = touch(tmp_path, "Crema/1001_DFA_ANG_XX.wav", "Savee/DC_a01.wav")
    (root / "Tess").mkdir()
    with pytest.raises(CorpusError, match=r"is not the merged folder: it has no sound files in Ravdess, Tess\."):
        get_corpus("kaggle-ser-en").manifest(root)


def test_an_odd_clip_of_one_of_the_four_is_odd_in_the_merged_folder_too() -> None:
    oddities = get_corpus("kaggle-ser-en").oddities
    assert {name for part in FOLDERS for name in get_corpus(part).oddities} == set(oddities)


def test_ids_of_the_four_never_meet(tmp_path: Path) -> None:
    manifest = get_corpus("kaggle-ser-en").manifest(merged(tmp_path, step=10))
    assert len(by_id(manifest)) == len(manifest)
