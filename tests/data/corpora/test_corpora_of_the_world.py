"""What is claimed of seven corpora that are not at hand, EMOVO to JL-Corpus; their trees follow their schemes."""

from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from serkit.data.corpora import corpus_names, get_corpus, label_set_of, read_corpora, recognize
from serkit.errors import LabelError
from serkit.types import Utterance
from support.trees import by_id, official_names, only, reasons, touch

OURS = ("aesdd", "cafe", "emovo", "esd", "jl-corpus", "mesd", "shemo")
LISTED = ("cafe", "emovo", "esd", "jl-corpus")
SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
PUBLISHED: dict[str, tuple[int, int, int, dict[str, int]]] = {  # utterances, women, men, utterances of each emotion
    "cafe": (936, 6, 6, dict.fromkeys(SEVEN, 144) | {"neutral": 72}),
    "emovo": (588, 3, 3, dict.fromkeys(SEVEN, 84)),
    "esd": (35_000, 10, 10, dict.fromkeys(("anger", "happiness", "neutral", "sadness", "surprise"), 7000)),
    "jl-corpus": (2400, 2, 2, dict.fromkeys(("anger", "excitement", "happiness", "neutral", "sadness"), 240) | {
        "other": 1200}),
}  # fmt: skip
FRENCH = {"C": "Colère", "D": "Dégoût", "J": "Joie", "N": "Neutre", "P": "Peur", "S": "Surprise", "T": "Tristesse"}
ENGLISH = ("Neutral", "Angry", "Happy", "Sad", "Surprise")
MESD_FOLDER = "Mexican Emotional Speech Database (MESD)"
JL_FOLDER = "Raw JL corpus (unchecked and unannotated)/JL(wav+txt)"


def aesdd_names() -> list[str]:
    """Return the 605 files of six speakers, as the copy of 2021 has them."""
    words = {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"}
    names = {f"{x}{n:02} ({speaker})" for x, n, speaker in product(words, range(1, 21), range(1, 7))}
    names -= {"d18 (5)", "f02 (4)", "h11 (3)", "s01 (5)", "d03 (1)", *(f"f{n} (1)" for n in range(10, 14))}
    names |= {"d03 (01)", *(f"f{n} (01)" for n in range(10, 14)), "s01 (5)a", "s01 (5)b"}
    names |= {f"{name} (5)b" for name in ("a06", "d01", "d03", "d04", "f18", "s02", "s04")}
    return sorted(f"{words[name[0]]}/{name}.wav" for name in names)


def cafe_files(suffix: str = ".wav") -> list[str]:
    """Return the files of the 48 kHz release in their folders."""
    found = []
    for name in official_names("cafe", suffix):
        _, label, intensity, _ = name.split("-")
        folder = "" if label == "N" else {"1": "Faible/", "2": "Fort/"}[intensity]
        found.append(f"{FRENCH[label]}/{folder}{name}")
    return found


def esd_files(*, parts: bool) -> list[str]:
    """Return every fiftieth file of ESD in its folders, with or without those of its parts."""
    found = []
    for u in official("esd")[::50]:
        folder = {"validation": "evaluation/"}.get(u.split, f"{u.split}/") if parts else ""
        found.append(f"{u.speaker[-4:]}/{u.extra['label']}/{folder}{u.id[4:]}.wav")
    return found


def shemo_files() -> list[str]:
    """Return one file of each emotion of each of the 87 speakers."""
    speakers = [f"F{n:02}" for n in range(1, 32)] + [f"M{n:02}" for n in range(1, 57)]
    return [f"{'female' if s[0] == 'F' else 'male'}/{s}{label}01.wav" for s, label in product(speakers, "AFHNSW")]


def mesd_files() -> list[str]:
    """Return some files of each voice, list and emotion."""
    emotions = ("Anger", "Disgust", "Fear", "Happiness", "Neutral", "Sadness")
    names = [f"{e}_{v}_A_{word}.wav" for e, v, word in product(emotions, "CFM", ("abajo", "basta_ya", "si"))]
    names += [f"{e}_{v}_B_{word}.wav" for e, v, word in product(emotions, "CFM", ("abandono", "ira"))]
    return [f"{MESD_FOLDER}/{name}" for name in names]


def official(name: str) -> list[Utterance]:
    found = get_corpus(name).official
    assert found is not None
    return found()


def tree(name: str) -> list[str]:
    """Return files of a corpus in the folders of its own release."""
    if name == "emovo":
        return [f"EMOVO/{file.split('-')[1]}/{file}" for file in official_names("emovo")]
    if name == "jl-corpus":
        return [f"{JL_FOLDER}/{file}" for file in official_names("jl-corpus")]
    return {
        "aesdd": aesdd_names, "cafe": cafe_files, "esd": lambda: esd_files(parts=True), "mesd": mesd_files,
        "shemo": shemo_files,
    }[name]()  # fmt: skip


# The published numbers


@pytest.mark.parametrize("name", LISTED)
def test_the_whole_scheme_has_the_published_numbers(name: str) -> None:
    utterances, women, men, emotions = PUBLISHED[name]
    corpus, found = get_corpus(name), official(name)
    assert len({u.id for u in found}) == len(found) == utterances == corpus.utterances
    assert Counter(u.emotion for u in found) == emotions == corpus.counts
    sexes = Counter(sex for _, sex in {(u.speaker, u.sex) for u in found})
    assert sexes == {"female": women, "male": men}
    assert women + men == corpus.speakers
    assert all(u.sentence and u.language in corpus.languages for u in found)


@pytest.mark.parametrize("name", [name for name in LISTED if name != "esd"])
def test_a_tree_of_the_scheme_is_read_whole(tmp_path: Path, name: str) -> None:
    manifest = get_corpus(name).manifest(touch(tmp_path, *tree(name)))
    assert len(manifest) == get_corpus(name).utterances
    assert (manifest.left_out, manifest.problems()) == ({}, [])


@pytest.mark.parametrize("name", OURS)
def test_a_tree_is_recognized_as_its_own_corpus(tmp_path: Path, name: str) -> None:
    files = tree(name)
    assert recognize(touch(tmp_path, *files)) == (name, len(files))


@pytest.mark.parametrize("name", OURS)
def test_a_tree_is_none_of_any_other_corpus(tmp_path: Path, name: str) -> None:
    touch(tmp_path, *tree(name)[::7])
    for other in set(corpus_names()) - {name, "kaggle-ser-en"}:  # which looks for four folders
        assert len(get_corpus(other).survey(tmp_path)[0]) == 0, other


@pytest.mark.parametrize("other", [n for n in corpus_names() if get_corpus(n).official and not get_corpus(n).parts])
def test_the_official_names_of_others_are_not_read_as_these(tmp_path: Path, other: str) -> None:
    touch(tmp_path, *official_names(other)[::31])
    for name in set(OURS) - {other}:
        assert len(get_corpus(name).survey(tmp_path)[0]) == 0, name


@pytest.mark.parametrize("name", OURS)
def test_a_release_is_found_flat_nested_and_twice(tmp_path: Path, name: str) -> None:
    files = tree(name)[::5]
    whole = get_corpus(name).manifest(touch(tmp_path / "a", *files))
    assert len(whole) == len(files)
    flat = touch(tmp_path / "b", *(Path(file).name for file in files))
    nested = touch(tmp_path / "c", *(f"archive/more/{file}" for file in files))
    assert get_corpus(name).manifest(flat).digest == get_corpus(name).manifest(nested).digest == whole.digest
    twice = touch(tmp_path / "d", *(f"{copy}/{file}" for copy in ("first", "second") for file in files))
    assert get_corpus(name).manifest(twice).digest == whole.digest
    assert set(reasons(name, twice)) == {"another file of an utterance that was read already"}


@pytest.mark.parametrize("name", OURS)
def test_names_in_capitals_are_the_same_utterances_of_these(tmp_path: Path, name: str) -> None:
    files = tree(name)[::11]
    whole = get_corpus(name).manifest(touch(tmp_path / "a", *files))
    capitals = get_corpus(name).manifest(touch(tmp_path / "b", *(file.upper() for file in files)))
    assert capitals.digest == whole.digest


# What a name says


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        (
            "emovo",
            "EMOVO/m2/gio-m2-l3.wav",
            {
                "id": "emovo/gio-m2-l3",
                "speaker": "emovo/m2",
                "sex": "male",
                "language": "it",
                "emotion": "happiness",
                "sentence": "emovo/l3",
                "extra": {"label": "gio", "age": "27"},
            },
        ),
        (
            "esd",
            "0016/Angry/train/0016_000699.wav",
            {
                "id": "esd/0016_000699",
                "speaker": "esd/0016",
                "sex": "female",
                "language": "en",
                "emotion": "anger",
                "sentence": "esd/en349",
                "split": "train",
                "extra": {"label": "Angry"},
            },
        ),
        (
            "esd",
            "0006/Sad/0006_001401.wav",  # sad ends at 1400
            "in the folder of another emotion than its number's",
        ),
        (
            "shemo",
            "female/F14F09.wav",
            {
                "id": "shemo/F14F09",
                "speaker": "shemo/F14",
                "sex": "female",
                "language": "fa",
                "emotion": "fear",
                "sentence": "",
                "extra": {"label": "F"},
            },
        ),
        (
            "aesdd",
            "fear/f18 (5)b.wav",
            {
                "id": "aesdd/f18 (5)b",
                "speaker": "aesdd/5",
                "sex": "unknown",
                "language": "el",
                "emotion": "fear",
                "sentence": "aesdd/18",
                "extra": {"label": "f", "take": "b"},
            },
        ),
        ("aesdd", "fear/a18 (5).wav", "in the folder of another emotion than its name's"),
        (
            "cafe",
            "Peur/Fort/08-P-2-4.wav",
            {
                "id": "cafe/08-P-2-4",
                "speaker": "cafe/08",
                "sex": "female",
                "language": "fr",
                "emotion": "fear",
                "sentence": "cafe/4",
                "intensity": "strong",
                "extra": {"label": "P", "age": "25"},
            },
        ),
        (
            "mesd",
            f"{MESD_FOLDER}/Happiness_M_A_por_favor.wav",
            {
                "id": "mesd/Happiness_M_A_por_favor",
                "speaker": "mesd/men",
                "sex": "male",
                "language": "es",
                "emotion": "happiness",
                "sentence": "mesd/por_favor",
                "extra": {"label": "happiness", "words": "A"},
            },
        ),
        (
            "jl-corpus",
            f"{JL_FOLDER}/female2_apologetic_10a_1.wav",
            {
                "id": "jl-corpus/female2_apologetic_10a_1",
                "speaker": "jl-corpus/female2",
                "sex": "female",
                "language": "en",
                "emotion": "other",
                "sentence": "jl-corpus/10",
                "extra": {"label": "apologetic", "take": "a_1"},
            },
        ),
    ],
)
def test_a_file_name_says_all_of_this(tmp_path: Path, name: str, file: str, expected: dict[str, Any] | str) -> None:
    touch(tmp_path, file)
    if isinstance(expected, str):
        assert reasons(name, tmp_path) == {expected: [file]}
        return
    utterance = only(name, tmp_path)
    assert {attribute: getattr(utterance, attribute) for attribute in expected} == expected
    from_id = get_corpus(name).from_id
    told = from_id(utterance.id.partition("/")[2]) if from_id else by_official_id(name)[utterance.id]
    assert told is not None
    assert (told.id, told.speaker, told.emotion) == (utterance.id, utterance.speaker, utterance.emotion)


def by_official_id(name: str) -> dict[str, Utterance]:
    return {u.id: u for u in official(name)}


@pytest.mark.parametrize(
    ("name", "known", "file"),
    [
        ("aesdd", "a03 (4).wav", "a21 (4).wav"),
        ("aesdd", "a03 (4).wav", "a00 (4).wav"),
        ("aesdd", "a03 (4).wav", "a03 (0).wav"),
        ("aesdd", "a03 (4).wav", "a03.wav"),
        ("cafe", "01-C-2-1.wav", "13-C-2-1.wav"),
        ("cafe", "01-C-2-1.wav", "01-C-3-1.wav"),
        ("cafe", "01-C-2-1.wav", "01-C-2-7.wav"),
        ("cafe", "01-C-2-1.wav", "01-C-1.wav"),  # only neutral has no intensity
        ("cafe", "01-C-2-1.wav", "01-N-2-1.wav"),
        ("emovo", "dis-f1-b1.wav", "dis-f4-b1.wav"),
        ("emovo", "dis-f1-b1.wav", "dis-f1-b4.wav"),
        ("emovo", "dis-f1-b1.wav", "dis-f1-b1-2.wav"),
        ("esd", "0001_000001.wav", "0001_001751.wav"),
        ("esd", "0001_000001.wav", "0001_000000.wav"),
        ("esd", "0001_000001.wav", "0021_000001.wav"),
        ("esd", "0001_000001.wav", "0000_000001.wav"),
        ("jl-corpus", "male1_angry_1a_1.wav", "male3_angry_1a_1.wav"),
        ("jl-corpus", "male1_angry_1a_1.wav", "male1_angry_16a_1.wav"),
        ("jl-corpus", "male1_angry_1a_1.wav", "male1_angry_1c_1.wav"),
        ("mesd", "Anger_F_A_abajo.wav", "Anger_X_A_abajo.wav"),
        ("mesd", "Anger_F_A_abajo.wav", "Anger_F_C_abajo.wav"),
        ("mesd", "Anger_F_A_abajo.wav", "Anger_F_A_.wav"),
        ("shemo", "F01A01.wav", "F32A01.wav"),
        ("shemo", "F01A01.wav", "M57A01.wav"),
        ("shemo", "F01A01.wav", "F00A01.wav"),
        ("shemo", "F01A01.wav", "F01A1.wav"),
    ],
)
def test_a_name_outside_the_scheme_is_left_out_and_counted(tmp_path: Path, name: str, known: str, file: str) -> None:
    only(name, touch(tmp_path, known, file))
    assert reasons(name, tmp_path) == {"a name that is not of this corpus's form": [file]}


@pytest.mark.parametrize(
    ("name", "file", "known"),
    [
        ("aesdd", "n03 (4).wav", "a (anger)"),
        ("cafe", "01-X-1-1.wav", "C (anger)"),
        ("emovo", "noi-f1-b1.wav", "rab (anger)"),
        ("jl-corpus", "male1_bored_1a_1.wav", "angry (anger)"),
        ("mesd", "Surprise_F_A_abajo.wav", "anger (anger)"),
        ("shemo", "F01B01.wav", "A (anger)"),
    ],
)
def test_an_unknown_label_of_these_is_an_error_that_lists_the_known_ones(
    tmp_path: Path, name: str, file: str, known: str
) -> None:
    with pytest.raises(LabelError, match=r"has no label '.*': it knows ") as caught:
        get_corpus(name).manifest(touch(tmp_path, file))
    assert known in str(caught.value)


# ESD


def test_esd_speaks_mandarin_up_to_speaker_10_and_english_from_11_on() -> None:
    spoken = {(u.speaker[-4:], u.language) for u in official("esd")}
    assert spoken == {(f"{n:04}", "zh" if n <= 10 else "en") for n in range(1, 21)}


def test_esd_sentences_recur_in_all_emotions_and_speakers_of_a_language_and_in_no_other() -> None:
    by_sentence: dict[str, list[Utterance]] = {}
    for u in official("esd"):
        by_sentence.setdefault(u.sentence, []).append(u)
    assert len(by_sentence) == 700
    for spoken in by_sentence.values():
        assert (len(spoken), len({u.speaker for u in spoken}), len({u.emotion for u in spoken})) == (50, 10, 5)
        assert len({u.language for u in spoken}) == len({u.split for u in spoken}) == 1


def test_esd_has_its_published_split_with_and_without_the_folders_of_the_parts(tmp_path: Path) -> None:
    splits = Counter((u.speaker, u.emotion, u.split) for u in official("esd"))
    assert {(split, count) for (*_, split), count in splits.items()} == {
        ("validation", 20),
        ("test", 30),
        ("train", 300),
    }
    roots = [touch(tmp_path / str(parts), *esd_files(parts=parts)) for parts in (True, False)]
    with_parts, without = (get_corpus("esd").manifest(root) for root in roots)
    assert with_parts.digest == without.digest
    for u in with_parts:
        assert u.path.split("/")[2] == {"validation": "evaluation"}.get(u.split, u.split)


# ShEMO


def test_shemo_has_31_women_and_56_men(tmp_path: Path) -> None:
    manifest = get_corpus("shemo").manifest(touch(tmp_path, *shemo_files()))
    assert Counter(sex for _, sex in {(u.speaker, u.sex) for u in manifest}) == {"female": 31, "male": 56}
    assert len(manifest.speakers) == get_corpus("shemo").speakers
    assert Counter(u.emotion for u in manifest) == dict.fromkeys(
        ("anger", "fear", "happiness", "neutral", "sadness", "surprise"), 87
    )


# AESDD


def test_aesdd_as_listed_has_the_stated_numbers(tmp_path: Path) -> None:
    corpus = get_corpus("aesdd")
    manifest = corpus.manifest(touch(tmp_path, *aesdd_names()))
    assert (len(manifest), manifest.left_out) == (corpus.utterances, {})
    assert Counter(u.emotion for u in manifest) == corpus.counts
    assert len(manifest.speakers) == corpus.speakers == 6


def test_speaker_01_of_aesdd_is_speaker_1(tmp_path: Path) -> None:
    manifest = get_corpus("aesdd").manifest(touch(tmp_path, "disgust/d03 (01).wav", "disgust/d02 (1).wav"))
    assert manifest.speakers == ("aesdd/1",)
    assert [u.id for u in manifest] == ["aesdd/d02 (1)", "aesdd/d03 (1)"]


def test_a_speaker_whom_aesdd_adds_later_is_read(tmp_path: Path) -> None:
    assert only("aesdd", touch(tmp_path, "anger/a01 (12).wav")).speaker == "aesdd/12"


def test_the_file_of_aesdd_without_data_is_left_out_of_training(tmp_path: Path) -> None:
    root = touch(tmp_path, "sadness/s05 (3).wav", "sadness/s05 (4).wav")
    manifest = read_corpora(["aesdd"], {"aesdd": root})
    assert [u.id for u in manifest] == ["aesdd/s05 (4)"]
    assert manifest.left_out == {"aesdd: faulty, officially a WAV file without data": 1}


# CaFE


def test_both_releases_of_cafe_are_the_same_utterances(tmp_path: Path) -> None:
    first = get_corpus("cafe").manifest(touch(tmp_path / "48", *cafe_files()))
    names = [file.replace("-N-1-", "-N-") for file in cafe_files(".aiff")]
    halves = [f"CaFE_192k_{1 + (Path(file).name > '07')}/{file}" for file in names]
    second = get_corpus("cafe").manifest(touch(tmp_path / "192", *halves))
    assert by_id(first).keys() == by_id(second).keys()
    assert first.digest == second.digest


def test_garbled_accents_of_folders_do_not_matter_to_cafe(tmp_path: Path) -> None:
    assert only("cafe", touch(tmp_path, "CaFE/D\u0412go\u0426t/Faible/08-D-1-3.wav")).emotion == "disgust"


def test_only_the_emotions_of_cafe_have_intensities() -> None:
    assert Counter((u.emotion == "neutral", u.intensity) for u in official("cafe")) == {
        (False, "mild"): 432, (False, "strong"): 432, (True, ""): 72
    }  # fmt: skip


# MESD


def test_no_person_of_mesd_is_in_two_of_its_speakers(tmp_path: Path) -> None:
    manifest = get_corpus("mesd").manifest(touch(tmp_path, *mesd_files()))
    groups = {(u.id.split("_")[1], u.speaker, u.sex) for u in manifest}
    assert groups == {
        ("C", "mesd/children", "unknown"), ("F", "mesd/women", "female"), ("M", "mesd/men", "male")
    }  # fmt: skip


def test_the_words_of_mesd_are_shared_over_voices_and_emotions(tmp_path: Path) -> None:
    manifest = get_corpus("mesd").manifest(touch(tmp_path, *mesd_files()))
    found = Counter(u.sentence for u in manifest)
    assert found == dict.fromkeys(("mesd/abajo", "mesd/basta_ya", "mesd/si", "mesd/abandono", "mesd/ira"), 18)


def test_the_name_of_mesd_with_two_words_survives_without_a_sentence(tmp_path: Path) -> None:
    utterance = only("mesd", touch(tmp_path, "Happiness_C_A_lento_dentro.wav"))
    assert (utterance.emotion, utterance.sentence) == ("happiness", "")
    assert utterance.id in get_corpus("mesd").oddities


# JL-Corpus


def test_the_secondary_emotions_of_jl_corpus_are_other_and_keep_their_word() -> None:
    words = Counter(u.extra["label"] for u in official("jl-corpus") if u.emotion == "other")
    assert words == dict.fromkeys(("anxious", "apologetic", "assertive", "concerned", "encouraging"), 240)
    assert "other" in label_set_of("jl-corpus", ["jl-corpus"]).classes


def test_all_takes_of_a_text_of_jl_corpus_are_one_sentence() -> None:
    assert Counter(u.sentence for u in official("jl-corpus")) == {f"jl-corpus/{n}": 160 for n in range(1, 16)}


# What a license allows


@pytest.mark.parametrize(
    ("name", "use"),
    [
        ("aesdd", "not stated"),
        ("cafe", "non-commercial"),
        ("emovo", "not stated"),
        ("esd", "research"),
        ("jl-corpus", "any"),
        ("mesd", "any"),
        ("shemo", "research"),
    ],
)
def test_a_license_that_nobody_states_allows_nothing(name: str, use: str) -> None:
    assert get_corpus(name).model_use == use
    assert bool(get_corpus(name).commercial) == (use == "any")
