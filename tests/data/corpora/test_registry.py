from pathlib import Path

import pytest

from serkit.data.corpora import (
    Corpus,
    corpus_names,
    find_corpus,
    get_corpus,
    label_set_of,
    read_corpora,
    read_corpus,
    recognize,
)  # fmt: skip
from serkit.errors import CorpusError, LabelError, UnknownNameError
from serkit.labels import EMOTIONS
from support.synthetic import SPEAKERS, TITLES
from support.trees import official_names, touch

every_corpus = pytest.mark.parametrize("name", corpus_names())


# The registry


def test_the_registry_names_every_corpus() -> None:
    assert corpus_names() == (
        "aesdd", "afew", "ased", "banglaser", "cafe", "casia", "crema-d", "emodb", "emovo", "enterface", "esd", "eyase",
        "iemocap", "jl-corpus", "kaggle-ser-en", "meld", "mesd", "msp-podcast", "nemo", "ravdess", "ravdess-song",
        "savee", "shemo", "tess", "turev-db", "urdu",
    )  # fmt: skip


@every_corpus
def test_a_corpus_maps_its_labels_to_canonical_emotions(name: str) -> None:
    emotions = get_corpus(name).emotions
    assert set(emotions.values()) <= set(EMOTIONS)
    named = [emotion for emotion in emotions.values() if emotion != "other"]
    assert len(set(named)) == len(named), "no two labels of these corpora mean the same, but for labels without a class"
    assert emotions.version >= 1


@every_corpus
def test_a_corpus_with_published_numbers_counts_exactly_the_emotions_that_it_has(name: str) -> None:
    corpus = get_corpus(name)
    assert set(corpus.counts) == set(corpus.emotions.values()) or not corpus.counts, "releases differ in their numbers"
    assert all(count > 0 for count in corpus.counts.values())


@every_corpus
def test_a_corpus_says_what_a_card_needs(name: str) -> None:
    corpus = get_corpus(name)
    assert corpus.name == name
    assert all(len(language) == 2 for language in corpus.languages)
    assert all((corpus.title, corpus.license, corpus.citation))
    assert corpus.url.startswith(("https://", "http://kahlan.eps.surrey.ac.uk/"))  # which has no other
    assert not (corpus.commercial and "-NC" in corpus.license)
    assert not (corpus.derivatives and "-ND" in corpus.license)


def test_an_unknown_corpus_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^no corpus 'ravdes'; did you mean 'ravdess'\? See 'serkit corpora"):
        get_corpus("ravdes")


# Which corpus is this?


@pytest.mark.parametrize("name", [name for name in corpus_names() if get_corpus(name).official])
def test_a_whole_release_is_recognized_with_its_count(tmp_path: Path, name: str) -> None:
    parts = get_corpus(name).parts
    folders = dict(zip(parts, ("Crema", "Ravdess", "Savee", "Tess"), strict=True)) if parts else {name: "a"}
    for part, folder in folders.items():
        touch(tmp_path / folder, *official_names(part)[::20])
    found = sum(len(official_names(part)[::20]) for part in folders)
    assert recognize(tmp_path) == (name, found)


@pytest.mark.parametrize("name", SPEAKERS)
def test_a_synthetic_release_is_recognized(releases: Path, name: str) -> None:
    found = recognize(releases / TITLES[name])
    assert found is not None
    assert found == (name, len(get_corpus(name).manifest(releases / TITLES[name])))


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("afew", "Train/Angry/000046280.avi"),
        ("enterface", "subject 1/anger/sentence 1/s1_an_1.avi"),
        ("ravdess", "03-01-09-01-01-01-01.wav"),  # a label that RAVDESS does not know
    ],
)
def test_films_are_recognized_and_unknown_labels_are_not(tmp_path: Path, name: str, file: str) -> None:
    assert recognize(touch(tmp_path, file)) == (None if "-09-" in file else (name, 1))


def test_a_folder_of_no_known_corpus_is_not_recognized(tmp_path: Path) -> None:
    assert recognize(tmp_path) is None
    assert recognize(touch(tmp_path, "notes.wav", "holiday/1.mp4")) is None
    assert recognize(tmp_path / "gone") is None


@pytest.mark.parametrize("name", SPEAKERS)
def test_the_folder_of_another_corpus_is_refused_by_its_right_name(releases: Path, name: str) -> None:
    for other in SPEAKERS:
        if other != name:
            with pytest.raises(
                CorpusError, match=f"no {TITLES[name]} in .*: none of the .* is named as in this corpus"
            ):
                get_corpus(name).manifest(releases / TITLES[other])
            with pytest.raises(CorpusError, match=rf"; \d+ are named as in {TITLES[other]} \({other}\)\."):
                read_corpora([name], {name: releases / TITLES[other]})


def test_songs_alone_are_no_ravdess_speech_and_the_message_says_whose_they_are(tmp_path: Path) -> None:
    root = touch(tmp_path, *official_names("ravdess-song")[:30])
    with pytest.raises(CorpusError, match=r"30 left out: .* ravdess-song; 30 are named as in RAVDESS \(song\)"):
        read_corpus("ravdess", root)


# The label set of an experiment


def test_common_labels_are_those_that_all_the_corpora_have() -> None:
    assert label_set_of("common", ["ravdess", "savee"]).classes == (
        "anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"
    )  # fmt: skip
    found = label_set_of("common", ["emodb", "nemo"])
    assert found.classes == ("anger", "fear", "happiness", "neutral", "sadness")
    assert found.why == "what emodb and nemo share; left out: boredom, disgust (emodb), surprise (nemo)"


def test_the_superset_of_four_corpora_has_six_classes_in_common() -> None:
    four = ["ravdess", "crema-d", "savee", "tess"]
    assert label_set_of("common", four).classes == label_set_of("superset6", four).classes


def test_a_label_set_is_named_or_listed() -> None:
    assert label_set_of("iemocap4", ["iemocap"]).class_of("excitement") == "happiness"
    assert label_set_of(["neutral", "anger"], ["emodb"]).classes == ("neutral", "anger")
    with pytest.raises(LabelError, match="unknown emotion 'angry'; did you mean 'anger'"):
        label_set_of(["angry", "neutral"], ["emodb"])
    with pytest.raises(UnknownNameError, match="no label set 'comon'"):
        label_set_of("comon", ["emodb"])


def test_what_own_data_has_in_common_must_be_said() -> None:
    with pytest.raises(LabelError, match="which it does not for 'mine'; name the classes"):
        label_set_of("common", ["emodb", "mine"])


# Finding a corpus


@every_corpus
def test_a_folder_is_found_by_any_of_its_names_in_any_case(tmp_path: Path, name: str) -> None:
    corpus = get_corpus(name)
    for number, alias in enumerate((name, corpus.title, *corpus.folders)):
        for spelled in (alias, alias.upper(), alias.lower(), alias.title()):
            folder = tmp_path / f"{number}{spelled}" / spelled
            folder.mkdir(parents=True, exist_ok=True)
            assert find_corpus(name, folder.parent) == folder
            assert find_corpus(name, str(folder.parent)) == folder


def test_the_other_folders_of_a_data_folder_are_not_mistaken(tmp_path: Path) -> None:
    for folder in ("EmoDB-old", "not emodb", ".emodb"):
        (tmp_path / folder).mkdir()
    (tmp_path / "emodb").touch()
    with pytest.raises(CorpusError, match=r"no folder for EmoDB in .* \(looked for emo-db, emodb, emodb2\.0, in any"):
        find_corpus("emodb", tmp_path)


def test_a_missing_data_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no data folder '.*gone'"):
        find_corpus("emodb", tmp_path / "gone")


def test_folders_can_be_given_by_name(emodb_dir: Path, ravdess_dir: Path) -> None:
    data = {"emodb": emodb_dir, "ravdess": ravdess_dir}
    assert find_corpus("emodb", data) == emodb_dir
    assert len(read_corpora(["ravdess", "emodb"], data)) == 96 + 56


def test_a_name_without_a_folder_is_refused_with_the_option_that_gives_it(emodb_dir: Path) -> None:
    with pytest.raises(
        CorpusError,
        match="no folder is given for TESS: pass --data tess=DIR; get it with 'serkit corpora download tess DIR'",
    ):
        find_corpus("tess", {"emodb": emodb_dir})


def test_an_unknown_corpus_is_not_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'emodb'"):
        find_corpus("emodbs", tmp_path)


def test_a_missing_corpus_is_found_out_before_any_is_read(
    emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        pytest.fail("read before the missing corpus was found out")

    monkeypatch.setattr(Corpus, "manifest", read)
    with pytest.raises(CorpusError, match="TESS"):
        read_corpora(["emodb", "tess"], {"emodb": emodb_dir})


def test_corpora_are_joined_in_the_order_asked_for(corpora_dir: Path) -> None:
    assert read_corpora(["tess", "emodb"], corpora_dir).corpora == ("tess", "emodb")


# Models and faults


@every_corpus
def test_what_is_faulty_is_a_known_oddity(name: str) -> None:
    corpus = get_corpus(name)
    assert corpus.faulty <= corpus.oddities.keys()


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("emodb", "any"), ("nemo", "non-commercial"), ("savee", "research"), ("tess", "do not share"),
        ("kaggle-ser-en", "do not share"), ("emovo", "not stated"), ("shemo", "research"),
    ],
)  # fmt: skip
def test_a_corpus_says_what_may_be_done_with_its_models(name: str, use: str) -> None:
    assert get_corpus(name).model_use == use


def test_the_label_set_of_a_corpus_has_its_name() -> None:
    found = label_set_of("banglaser", ["banglaser"])
    assert (found.name, found.classes) == ("banglaser", ("anger", "happiness", "neutral", "sadness", "surprise"))
