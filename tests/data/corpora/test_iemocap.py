import csv
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus
from serkit.data.manifest import Manifest
from serkit.errors import CorpusError, LabelError
from serkit.labels import get_label_set
from support.synthetic import write_evaluations
from support.trees import by_id, only, reasons, touch

Turns = list[tuple[str, str]]
OTHERS = {"fru": 1849, "dis": 2, "fea": 40, "oth": 3, "sur": 107, "xxx": 2507}  # turns beside the usual four classes
FOUR = {"ang": 1103, "exc": 1041, "hap": 595, "neu": 1708, "sad": 1084}
WORDS = {
    "ang": "anger", "dis": "disgust", "exc": "excitement", "fea": "fear", "fru": "frustration", "hap": "happiness",
    "neu": "neutral", "oth": "other", "sad": "sadness", "sur": "surprise",
}  # fmt: skip


def sound_of(turn: str) -> str:
    return f"Session{turn[4]}/sentences/wav/{turn[:-5]}/{turn}.wav"


def write(root: Path, turns: Turns) -> Path:
    """Write turns with their labels, and what lies beside them in the official release."""
    write_evaluations(root, turns)
    touch(root, *(sound_of(turn) for turn, _ in turns))
    for dialogue in {turn[:-5] for turn, _ in turns}:
        session = f"Session{dialogue[4]}"
        touch(
            root, f"{session}/dialog/wav/{dialogue}.wav", f"{session}/dialog/avi/DivX/{dialogue}.avi",
            f"{session}/sentences/wav/{dialogue}/._{dialogue}_F000.wav",
            f"{session}/dialog/transcriptions/{dialogue}.txt",
        )  # fmt: skip
        lies = f"[0.0000 - 1.0000]\t{dialogue}_F000\tsur\t[1.0000, 1.0000, 1.0000]\n"
        evaluations = root / session / "dialog" / "EmoEvaluation"
        for name in (f"Categorical/{dialogue}_e1_cat.txt", f"Attribute/{dialogue}_e1_atr.txt", f"._{dialogue}.txt"):
            (evaluations / name).parent.mkdir(exist_ok=True)
            (evaluations / name).write_text(lies)
    return root


def whole(four: Turns) -> Turns:
    """Add turns of the other labels to those of the usual four, as many as the official release has."""
    dialogues = sorted({turn[:-5] for turn, _ in four})
    free = (f"{dialogue}_{letter}{number}" for number in range(500, 1000) for dialogue in dialogues for letter in "FM")
    return four + [(turn, label) for label, count in OTHERS.items() for turn in islice(free, count)]


def invented() -> Turns:
    """Return as many turns of the usual four as there are officially, where the official list is not at hand."""
    labels = [label for label, count in FOUR.items() for _ in range(count)]
    dialogues = [f"Ses0{n}{letter}_impro{scene:02}" for scene in range(1, 8) for n in range(1, 6) for letter in "FM"]
    turns = (f"{dialogue}_{letter}{number:03}" for number in range(200) for dialogue in dialogues for letter in "FM")
    return list(zip(turns, labels, strict=False))


def assert_whole(manifest: Manifest, turns: Turns) -> None:
    """Check every label and speaker against the list, and the counts against the published ones."""
    labels = {f"iemocap/{turn}": label for turn, label in turns if label != "xxx"}
    assert {u.id: u.emotion for u in manifest} == {turn: WORDS[label] for turn, label in labels.items()}
    assert {u.speaker for u in manifest} == {f"iemocap/Ses0{n}{letter}" for n in range(1, 6) for letter in "FM"}
    for u in manifest:
        turn = u.id.partition("/")[2]
        assert u.speaker == f"iemocap/{turn[:5]}{turn[-4]}"
        assert (u.sex, u.session) == ({"F": "female", "M": "male"}[turn[-4]], turn[4])
    assert Counter(u.emotion for u in manifest) == get_corpus("iemocap").counts
    kept, _ = manifest.select(get_label_set("iemocap4"))
    classes = Counter(get_label_set("iemocap4").class_of(u.emotion) for u in kept)
    assert classes == {"anger": 1103, "happiness": 1636, "neutral": 1708, "sadness": 1084}
    assert len(kept) == 5531
    dialogues = len({turn[:-5] for turn, _ in turns})
    assert manifest.left_out == {
        "iemocap: a turn without a majority among its listeners (xxx)": 2507,
        "iemocap: a recording of a whole dialogue": dialogues,
    }


def test_a_tree_of_the_published_size_has_the_published_numbers(tmp_path: Path) -> None:
    turns = whole(invented())
    assert_whole(get_corpus("iemocap").manifest(write(tmp_path, turns)), turns)


def test_a_tree_of_the_reference_list_gives_its_labels_and_speakers(reference: Path, tmp_path: Path) -> None:
    with (reference / "emobox-IEMOCAP.csv").open(newline="") as table:
        turns = whole([(Path(row["path"]).stem, row["emotion"]) for row in csv.DictReader(table)])
    assert_whole(get_corpus("iemocap").manifest(write(tmp_path, turns)), turns)


# Who speaks


def test_the_speaker_is_the_letter_of_the_turn_and_never_that_of_the_file(tmp_path: Path) -> None:
    turns = ["Ses01F_impro01_F000", "Ses01F_impro01_M000", "Ses01M_impro01_F000", "Ses01M_impro01_M000"]
    found = by_id(get_corpus("iemocap").manifest(write(tmp_path, [(turn, "neu") for turn in turns])))
    assert [u.speaker for u in found.values()] == [f"iemocap/Ses01{letter}" for letter in "FMFM"]
    assert [u.sex for u in found.values()] == ["female", "male", "female", "male"]


def test_the_two_recordings_of_a_session_share_its_two_speakers(tmp_path: Path) -> None:
    turns = [(f"Ses0{n}{marked}_script01_1_{letter}000", "ang") for n in (2, 5) for marked in "FM" for letter in "FM"]
    manifest = get_corpus("iemocap").manifest(write(tmp_path, turns))
    assert manifest.speakers == ("iemocap/Ses02F", "iemocap/Ses02M", "iemocap/Ses05F", "iemocap/Ses05M")
    assert {(u.session, u.speaker[-2]) for u in manifest} == {("2", "2"), ("5", "5")}


def test_a_turn_in_small_letters_is_no_other_speaker(tmp_path: Path) -> None:
    write(tmp_path, [("Ses01F_impro01_M000", "neu"), ("ses01f_impro01_m001", "neu")])
    manifest = get_corpus("iemocap").manifest(tmp_path)
    assert {(u.speaker, u.sex) for u in manifest} == {("iemocap/Ses01M", "male")}


# What a line says


@pytest.mark.parametrize(
    ("turn", "scene", "style"),
    [
        ("Ses01F_impro01_M003", "impro01", "improvised"),
        ("Ses05M_impro05a_F010", "impro05a", "improvised"),
        ("Ses03M_script01_1_F002", "script01_1", "scripted"),
        ("Ses05F_script01_1b_M011", "script01_1b", "scripted"),
    ],
)
def test_a_turn_says_its_scene_and_style_and_a_line_its_dimensions(
    tmp_path: Path, turn: str, scene: str, style: str
) -> None:
    utterance = only("iemocap", write(tmp_path, [(turn, "exc")]))
    assert utterance.emotion == "excitement"
    assert utterance.path == sound_of(turn)
    assert utterance.extra == {
        "label": "exc", "scene": scene, "style": style, "valence": "2.5000", "activation": "3.0000",
        "dominance": "3.5000",
    }  # fmt: skip


def test_turns_without_a_majority_are_left_out_and_counted(tmp_path: Path) -> None:
    turns = [("Ses01F_impro01_F000", "neu"), ("Ses01F_impro01_F001", "xxx"), ("Ses01F_impro01_M000", "xxx")]
    root = write(tmp_path, turns)
    assert only("iemocap", root).id == "iemocap/Ses01F_impro01_F000"
    assert reasons("iemocap", root)["a turn without a majority among its listeners (xxx)"] == [
        sound_of(turn) for turn, _ in turns[1:]
    ]


def test_an_unknown_label_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"IEMOCAP has no label 'bor': it knows ang \(anger\), .*oth \(other\), sad"):
        get_corpus("iemocap").manifest(write(tmp_path, [("Ses01F_impro01_F000", "bor")]))


# What is not there


def test_sound_without_labels_is_refused_with_where_these_stand(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"the sound files of IEMOCAP, but not its labels, Session\*/dialog/EmoEvaluation/\*\.t"
    ):
        get_corpus("iemocap").manifest(touch(tmp_path, sound_of("Ses01F_impro01_F000")))


def test_labels_without_sound_are_refused_with_their_number(tmp_path: Path) -> None:
    write_evaluations(tmp_path, [("Ses01F_impro01_F000", "neu"), ("Ses01F_impro01_F001", "xxx")])
    message = (
        "no sound file there is named as in this corpus; 2 left out: a turn in EmoEvaluation whose sound file is miss"
    )
    with pytest.raises(CorpusError, match=message):
        get_corpus("iemocap").manifest(tmp_path)


def test_turns_without_a_line_and_lines_without_sound_are_counted_in_order(tmp_path: Path) -> None:
    lines = [(f"Ses01F_impro01_F{n:03}", "neu") for n in range(50)]
    write_evaluations(tmp_path, lines)
    touch(tmp_path, sound_of("Ses01F_impro01_F000"), sound_of("Ses02F_impro01_F000"))
    assert only("iemocap", tmp_path).id == "iemocap/Ses01F_impro01_F000"
    assert reasons("iemocap", tmp_path) == {
        "a turn without a line in EmoEvaluation": [sound_of("Ses02F_impro01_F000")],
        "a turn in EmoEvaluation whose sound file is missing": [turn for turn, _ in lines[1:]],
    }
