import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from serkit.data.audio_files import sound_files
from serkit.data.corpora import get_corpus, read_corpora
from serkit.errors import LabelError
from support.synthetic import SPEAKERS, TITLES
from support.trees import SPEAKERS_HERE, by_id, only, reasons, touch

every_corpus = pytest.mark.parametrize("name", SPEAKERS)


# Synthetic trees: what each adapter reads


@every_corpus
def test_every_utterance_is_whole_and_its_file_is_there(releases: Path, name: str) -> None:
    corpus, root = get_corpus(name), releases / TITLES[name]
    manifest = corpus.manifest(root)
    assert manifest.problems() == []
    assert manifest.roots == {name: root}
    for u in manifest:
        assert u.corpus == name
        assert u.id.startswith(f"{name}/")
        assert u.speaker.startswith(f"{name}/")
        assert u.language in corpus.languages
        assert u.emotion == corpus.emotions[u.extra["label"]]
        assert u.sentence.startswith(f"{name}/") or name == "iemocap", "which has too many to name"
        assert "\\" not in u.path
        assert manifest.audio_path(u).is_file()


@every_corpus
def test_every_speaker_speaks_every_emotion(releases: Path, name: str) -> None:
    manifest = get_corpus(name).manifest(releases / TITLES[name])
    expected = SPEAKERS[name][: SPEAKERS_HERE[name]]
    assert manifest.speakers == tuple(sorted(f"{name}/{speaker}" for speaker in expected))
    counts = Counter((u.speaker, u.emotion) for u in manifest)
    assert set(counts.values()) == {2}
    assert len(counts) == len(manifest.speakers) * len(get_corpus(name).emotions)


@every_corpus
def test_utterances_are_sorted_by_id(releases: Path, name: str) -> None:
    ids = [u.id for u in get_corpus(name).manifest(releases / TITLES[name])]
    assert ids == sorted(ids)


def test_speakers_of_different_corpora_never_mix(releases: Path) -> None:
    manifest = read_corpora(SPEAKERS, releases)
    assert {"emodb/03", "ravdess/03"} <= set(manifest.speakers)
    assert len(manifest.speakers) == sum(SPEAKERS_HERE.values())


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        (
            "ravdess",
            "Actor_12/03-01-06-02-01-02-12.wav",
            {
                "id": "ravdess/03-01-06-02-01-02-12",
                "speaker": "ravdess/12",
                "sex": "female",
                "language": "en",
                "emotion": "fear",
                "sentence": "ravdess/01",
                "intensity": "strong",
                "extra": {"label": "06", "repetition": "02"},
            },
        ),
        (
            "emodb",
            "wav/03a01Wc.wav",
            {
                "id": "emodb/03a01Wc",
                "speaker": "emodb/03",
                "sex": "male",
                "language": "de",
                "emotion": "anger",
                "sentence": "emodb/a01",
                "extra": {"label": "W", "take": "c"},
            },
        ),
        (
            "tess",
            "YAF_pleasant_surprised/YAF_back_ps.wav",
            {
                "id": "tess/YAF_back_ps",
                "speaker": "tess/YAF",
                "sex": "female",
                "language": "en",
                "emotion": "surprise",
                "sentence": "tess/back",
                "extra": {"label": "ps", "age": "26"},
            },
        ),
        (
            "crema-d",
            "AudioWAV/1079_IEO_DIS_MD.wav",
            {
                "id": "crema-d/1079_IEO_DIS_MD",
                "speaker": "crema-d/1079",
                "sex": "female",
                "language": "en",
                "emotion": "disgust",
                "sentence": "crema-d/IEO",
                "intensity": "medium",
                "extra": {"label": "DIS"},
            },
        ),
        (
            "savee",
            "AudioData/KL/sa09.wav",
            {
                "id": "savee/KL_sa09",
                "speaker": "savee/KL",
                "sex": "male",
                "language": "en",
                "emotion": "sadness",
                "sentence": "savee/sa09",
                "extra": {"label": "sa"},
            },
        ),
        (
            "ravdess-song",
            "Actor_23/03-02-02-01-02-01-23.wav",
            {
                "id": "ravdess-song/03-02-02-01-02-01-23",
                "speaker": "ravdess/23",
                "sex": "male",
                "emotion": "calm",
                "sentence": "ravdess/02",
                "intensity": "normal",
            },
        ),
        (
            "enterface",
            "subject 23/surprise/sentence 5/s23_su_5.avi",
            {
                "id": "enterface/s23_su_5",
                "speaker": "enterface/23",
                "sex": "unknown",
                "language": "en",
                "emotion": "surprise",
                "sentence": "enterface/su5",
                "extra": {"label": "su"},
            },
        ),
        (
            "afew",
            "Val/Happy/002138680.avi",
            {
                "id": "afew/validation_happy_002138680",
                "speaker": "afew/validation",
                "language": "en",
                "emotion": "happiness",
                "split": "validation",
                "extra": {"label": "Happy"},
            },
        ),
        (
            "nemo",
            "samples/SM0_surprised_64.wav",
            {
                "id": "nemo/SM0_surprised_64",
                "speaker": "nemo/SM0",
                "sex": "unknown",
                "language": "pl",
                "emotion": "surprise",
                "sentence": "",
                "extra": {"label": "surprised", "number": "64"},
            },
        ),
    ],
)
def test_a_file_name_says_all_of_this(tmp_path: Path, name: str, file: str, expected: dict[str, Any]) -> None:
    utterance = only(name, touch(tmp_path, file))
    assert utterance.path == file
    assert {attribute: getattr(utterance, attribute) for attribute in expected} == expected
    assert (utterance.start, utterance.end) == (0.0, None)


@pytest.mark.parametrize(
    ("name", "file", "known"),
    [
        ("afew", "Train/Contempt/000046280.avi", "Angry (anger)"),
        ("crema-d", "1001_DFA_SUR_XX.wav", "ANG (anger)"),
        ("emodb", "03a01Xa.wav", "W (anger)"),
        ("enterface", "s1_ne_1.avi", "an (anger)"),
        ("nemo", "SM0_calm_1.wav", "surprised (surprise)"),
        ("ravdess", "03-01-09-01-01-01-01.wav", "05 (anger)"),
        ("ravdess-song", "03-02-07-01-01-01-01.wav", "05 (anger)"),
        ("savee", "DC/x01.wav", "a (anger)"),
        ("tess", "OAF_back_calm.wav", "ps (surprise)"),
    ],
)
def test_an_unknown_label_is_an_error_that_lists_the_known_ones(
    tmp_path: Path, name: str, file: str, known: str
) -> None:
    with pytest.raises(LabelError, match=r"has no label '.*': it knows ") as caught:
        get_corpus(name).manifest(touch(tmp_path, file))
    assert known in str(caught.value)
    assert all(f"({emotion})" in str(caught.value) for emotion in get_corpus(name).counts)


# Nothing is dropped in silence


@every_corpus
def test_whatever_is_not_read_is_counted_with_its_reason(releases: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(releases / TITLES[name], tmp_path / "corpus")
    touch(tmp_path, "corpus/notes.wav", "corpus/deep/er/other name.flac", "corpus/readme.txt")
    whole, manifest = (get_corpus(name).manifest(root) for root in (releases / TITLES[name], tmp_path / "corpus"))
    assert whole.left_out == {}
    assert manifest.digest == whole.digest
    assert manifest.left_out == {f"{name}: a name that is not of this corpus's form": 2}


@every_corpus
def test_half_a_release_is_read_as_what_is_there(releases: Path, tmp_path: Path, name: str) -> None:
    whole = get_corpus(name).manifest(releases / TITLES[name])
    shutil.copytree(releases / TITLES[name], tmp_path / "half")
    for u in whole.utterances[::2]:
        (tmp_path / "half" / u.path).unlink()
    assert [u.id for u in get_corpus(name).manifest(tmp_path / "half")] == [u.id for u in whole.utterances[1::2]]


@every_corpus
def test_the_preferred_kind_is_read_and_the_other_counted(releases: Path, tmp_path: Path, name: str) -> None:
    shutil.copytree(releases / TITLES[name], tmp_path / "corpus")
    others = [(tmp_path / "corpus" / path).with_suffix(".mp3") for path in sound_files(tmp_path / "corpus")]
    for path in others:
        path.touch()
    manifest = get_corpus(name).manifest(tmp_path / "corpus")
    assert {Path(u.path).suffix for u in manifest} == {".flac"}
    assert manifest.left_out == {f"{name}: an utterance that was read already from another kind of file": len(manifest)}


@pytest.mark.parametrize(("name", "speakers"), SPEAKERS_HERE.items())
def test_names_in_capitals_are_the_same_utterances(releases: Path, tmp_path: Path, name: str, speakers: int) -> None:
    source = releases / TITLES[name]
    for path in source.rglob("*"):
        target = tmp_path / path.relative_to(source).as_posix().upper()
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file():
            shutil.copy(path, target)
    found, whole = (by_id(get_corpus(name).manifest(root)) for root in (tmp_path, source))
    assert found.keys() == whole.keys()
    assert [(u.speaker, u.sex, u.emotion, u.extra) for u in found.values()] == [
        (u.speaker, u.sex, u.emotion, u.extra) for u in whole.values()
    ]


# Other layouts


@every_corpus
@pytest.mark.parametrize("layout", ["flat", "nested"])
def test_a_release_is_found_flat_or_nested(releases: Path, tmp_path: Path, name: str, layout: str) -> None:
    source = releases / TITLES[name]
    official = get_corpus(name).manifest(source)
    if layout == "nested":
        shutil.copytree(source, tmp_path / "archive" / "more")
    else:  # SAVEE's flat names say the speaker, and IEMOCAP's labels must keep their folder
        for path in sound_files(source):
            shutil.copy(source / path, tmp_path / (f"{path.parent.name}_{path.name}" if name == "savee" else path.name))
        for path in (*source.rglob("*.t*"), *source.rglob("*.csv")):
            (tmp_path / path.parent.name).mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / path.parent.name if name == "iemocap" else tmp_path)
    found = get_corpus(name).manifest(tmp_path)
    assert found.digest == official.digest
    assert [u.extra for u in found] == [u.extra for u in official]


@every_corpus
def test_a_release_that_holds_every_file_twice_is_read_once(releases: Path, tmp_path: Path, name: str) -> None:
    source = releases / TITLES[name]
    shutil.copytree(source, tmp_path / "first")
    shutil.copytree(source, tmp_path / "second")
    manifest = get_corpus(name).manifest(tmp_path)
    assert manifest.digest == get_corpus(name).manifest(source).digest
    assert {Path(u.path).parts[0] for u in manifest} == {"first"}

    assert set(reasons(name, tmp_path)) == {"another file of an utterance that was read already"}
