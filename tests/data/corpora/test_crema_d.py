from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus
from serkit.data.manifest import TIE, UNHEARD
from serkit.errors import CorpusError, LabelError, ManifestError
from serkit.labels import get_label_set
from support.synthetic import Clip, actors_table, votes_table
from support.trees import by_id, official_names, only, reasons, touch

NAME = "1001_DFA_ANG_XX"
CLIP = [Clip(f"AudioWAV/{NAME}", "anger", "crema-d/1001")]


def test_the_tables_say_who_speaks_and_what_was_heard(tmp_path: Path) -> None:
    root = touch(tmp_path, f"AudioWAV/{NAME}.wav", "processedResults/readme.txt")
    (root / "VideoDemographics.csv").write_text(actors_table(["1001", "1002"]))
    (root / "processedResults" / "summaryTable.csv").write_text(votes_table(CLIP))
    assert only("crema-d", root).extra == {
        "label": "ANG", "age": "21", "race": "Caucasian", "ethnicity": "Not Hispanic",
        "heard": "anger:sadness", "heard_level": "41.5:60",
    }  # fmt: skip


def test_without_its_tables_the_label_and_the_sex_are_known(tmp_path: Path) -> None:
    utterance = only("crema-d", touch(tmp_path, f"{NAME}.wav"))
    assert (utterance.extra, utterance.sex) == ({"label": "ANG"}, "male")


def test_a_clip_and_an_actor_that_the_tables_lack_are_read_without_them(tmp_path: Path) -> None:
    root = touch(tmp_path, "1091_DFA_ANG_XX.wav")
    (root / "VideoDemographics.csv").write_text(actors_table(["1001"]))
    (root / "summaryTable.csv").write_text(votes_table(CLIP))
    assert only("crema-d", root).extra == {"label": "ANG"}


@pytest.mark.parametrize(("name", "column"), [("VideoDemographics.csv", "ActorID"), ("summaryTable.csv", "FileName")])
@pytest.mark.parametrize("text", ["", "a;b\n1;2\n", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"])
def test_another_table_of_the_name_of_its_is_refused(tmp_path: Path, name: str, column: str, text: str) -> None:
    root = touch(tmp_path, f"{NAME}.wav")
    (root / name).write_text(text)
    why = f"it has no column '{column}'" if text else "it is empty"
    with pytest.raises(CorpusError, match=rf"{name}' is not the table of CREMA-D: {why}"):
        get_corpus("crema-d").manifest(root)


@pytest.mark.parametrize(
    ("corpus", "file", "table"),
    [
        ("crema-d", f"{NAME}.wav", "VideoDemographics.csv"),
        ("crema-d", f"{NAME}.wav", "summaryTable.csv"),
        ("nemo", "SM0_anger_1.wav", "data.tsv"),
    ],
)
def test_a_table_in_another_encoding_is_refused_in_a_sentence(
    tmp_path: Path, corpus: str, file: str, table: str
) -> None:
    root = touch(tmp_path, file)
    (root / table).write_bytes("é,ü\n".encode("latin-1"))
    with pytest.raises(CorpusError, match=rf"cannot read '.*{table}' as the table of .*: 'utf-8' codec can't decode"):
        get_corpus(corpus).manifest(root)


def test_a_vote_for_an_unknown_emotion_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    root = touch(tmp_path, f"{NAME}.wav")
    (root / "summaryTable.csv").write_text(votes_table(CLIP).replace("A:S", "A:Q"))
    with pytest.raises(LabelError, match=r"CREMA-D's table of listeners has no label 'Q': it knows A \(anger\), D"):
        get_corpus("crema-d").manifest(root)


def test_of_wav_and_mp3_the_wav_is_read_and_the_mp3_counted(tmp_path: Path) -> None:
    names = official_names("crema-d", "")[:60]
    root = touch(tmp_path, *(f"AudioMP3/{n}.mp3" for n in names), *(f"AudioWAV/{n}.wav" for n in names[1:]))
    manifest = get_corpus("crema-d").manifest(root)
    assert [u.path for u in manifest if u.path.endswith(".mp3")] == [f"AudioMP3/{names[0]}.mp3"]
    assert len(manifest) == 60
    assert reasons("crema-d", root) == {
        "an utterance that was read already from another kind of file": sorted(f"AudioMP3/{n}.mp3" for n in names[1:])
    }


def test_the_films_of_the_release_are_the_same_utterances(tmp_path: Path) -> None:
    root = touch(tmp_path, f"VideoFlash/{NAME}.flv", f"AudioWAV/{NAME}.wav")
    assert only("crema-d", root).path == f"AudioWAV/{NAME}.wav"
    (root / "AudioWAV" / f"{NAME}.wav").unlink()
    assert only("crema-d", root).path == f"VideoFlash/{NAME}.flv"


def test_the_mp3_that_ends_in_one_x_is_the_wav_that_ends_in_two(tmp_path: Path) -> None:
    root = touch(tmp_path, "AudioMP3/1040_ITH_SAD_X.mp3", "AudioWAV/1040_ITH_SAD_XX.wav")
    assert only("crema-d", root).path == "AudioWAV/1040_ITH_SAD_XX.wav"


def test_levels_are_spelled_out_and_unknown_ones_are_empty(tmp_path: Path) -> None:
    root = touch(tmp_path, *(f"1001_IEO_ANG_{level}.wav" for level in ("LO", "MD", "HI")), f"{NAME}.wav")
    found = by_id(get_corpus("crema-d").manifest(root))
    assert {name[-2:]: u.intensity for name, u in found.items()} == {
        "LO": "low", "MD": "medium", "HI": "high", "XX": ""
    }  # fmt: skip


@pytest.mark.parametrize("name", ["1092_DFA_ANG_XX", "1001_ABC_ANG_XX", "1001_DFA_ANG_ZZ", "1001_DFA_ANG"])
def test_an_unknown_actor_sentence_or_level_is_not_of_this_corpus(tmp_path: Path, name: str) -> None:
    assert only("crema-d", touch(tmp_path, f"{NAME}.wav", f"{name}.wav")).id == f"crema-d/{NAME}"
    assert reasons("crema-d", tmp_path) == {"a name that is not of this corpus's form": [f"{name}.wav"]}


# What listeners heard


VOTES = (
    '"","A","D","F","H","N","S","fileName"\n'
    f'"100001",1,0,0,0,8,0,"{NAME}"\n"100002",2,0,0,0,2,1,"1002_DFA_SAD_XX"\n"200001",9,0,0,0,0,0,"{NAME}"\n'
)


def voted(root: Path, text: str = VOTES) -> Path:
    touch(root, f"{NAME}.wav", "1002_DFA_SAD_XX.wav", "1002_DFA_FEA_XX.wav")
    (root / "tabulatedVotes.csv").write_text(text)
    return root


def test_votes_are_those_about_the_voice_alone(tmp_path: Path) -> None:
    found = by_id(get_corpus("crema-d").manifest(voted(tmp_path)))
    assert found[f"crema-d/{NAME}"].extra["votes"] == "anger=1 neutral=8"
    assert [found[f"crema-d/{name}"].extra.get("heard") for name in (NAME, "1002_DFA_SAD_XX", "1002_DFA_FEA_XX")] == [
        "neutral", "anger:neutral", None
    ]  # fmt: skip


def test_the_summary_of_the_release_says_what_most_heard(tmp_path: Path) -> None:
    root = voted(tmp_path)
    (root / "summaryTable.csv").write_text(votes_table(CLIP))
    extra = by_id(get_corpus("crema-d").manifest(root))[f"crema-d/{NAME}"].extra
    assert (extra["heard"], extra["votes"]) == ("anger:sadness", "anger=1 neutral=8")


def test_a_damaged_table_of_votes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"row 100001 of CREMA-D's tabulatedVotes\.csv is damaged"):
        get_corpus("crema-d").manifest(voted(tmp_path, VOTES.replace("1,0,0,0,8", "many,0,0,0,8")))


def test_the_label_set_of_listeners_has_what_most_heard_and_leaves_ties_out(tmp_path: Path) -> None:
    manifest = get_corpus("crema-d").manifest(voted(tmp_path))
    kept, dropped = manifest.select(get_label_set("crema-d-heard"))
    assert [(u.emotion, u.extra["acted"]) for u in kept] == [("neutral", "anger")]
    assert dropped == {TIE: 1, UNHEARD: 1}
    again, _ = kept.select(get_label_set("crema-d-heard"))
    assert again == kept
    assert again.utterances[0].extra["acted"] == "anger"


def test_without_the_tables_the_label_set_of_listeners_is_refused(tmp_path: Path) -> None:
    manifest = get_corpus("crema-d").manifest(touch(tmp_path, f"{NAME}.wav"))
    with pytest.raises(ManifestError, match="needs what listeners heard, and no utterance of crema-d has a 'heard'"):
        manifest.select(get_label_set("crema-d-heard"))
