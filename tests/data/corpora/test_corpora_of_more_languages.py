"""CASIA, URDU, TurEV-DB, ASED, EYASE, MELD and MSP-Podcast, from empty files and tables of the published form."""

import csv
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from serkit.data.corpora import corpus_names, get_corpus, read_corpora, read_corpus, recognize
from serkit.data.corpora.corpus_definition import SECOND_FILE
from serkit.errors import CorpusError, LabelError
from support.trees import by_id, official_names, only, reasons, touch

OURS = ("ased", "casia", "eyase", "meld", "msp-podcast", "turev-db", "urdu")
CASIA_SPEAKERS = ("liuchanhg", "wangzhe", "zhaoquanyin", "ZhaoZuoxiang")
CASIA_EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")
TUREV_SPEAKERS = ("1157", "1234", "1358", "1984", "6783", "7895")
TUREV = {"Angry": ("kz", 487), "Calm": ("sk", 408), "Happy": ("mt", 357), "Sad": ("hl", 483)}
ASED = {"01Neutral": "n1", "02Fearful": "f2", "03Happy": "h3", "04Sad": "s4", "05Angry": "a5"}
EYASE = {"ang": 150, "hap": 132, "neu": 150, "sad": 147}
URDU = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad"}


def casia() -> list[str]:
    return [
        f"{speaker}/{emotion}/{number}.wav"
        for speaker, emotion, number in product(CASIA_SPEAKERS, CASIA_EMOTIONS, range(201, 251))
    ]


def urdu() -> list[str]:
    return [f"{URDU[name.rpartition('_')[2][0]]}/{name}" for name in official_names("urdu")]


def turev_db() -> list[str]:
    """Return as many names as the release has, with invented words of its form."""
    words = [f"{first}{second}" for first, second in product("abcdefghij", "klmnopqrs")][:82]
    names = []
    for emotion, (code, count) in TUREV.items():
        speakers = TUREV_SPEAKERS[emotion in ("Calm", "Happy") :]
        clips = [f"Sound Source/{emotion}/{speaker}_{code}_{word}.wav" for word in words for speaker in speakers]
        names += clips[:count]
    return names


def ased() -> list[str]:
    """Return a part of the release: 65 speakers, of whom the odd are women, with the official capital."""
    names = [
        f"{folder}/{code}-{1 + speaker % 5:02}-{take:02}-{'01' if speaker % 2 else '02'}-{speaker:02}.wav"
        for folder, code in ASED.items()
        for speaker in range(1, 66)
        for take in (1, 2)
    ]
    return [name.replace("/s4-05-02-01-29", "/S4-05-02-01-29") for name in names]


def eyase() -> list[str]:
    folders = {f"{sex}0{n}": f"{short}0{n}" for sex, short in (("Female", "fm"), ("Male", "mm")) for n in (1, 2, 3)}
    return [
        f"EYASE/{folder}/{short}_{code} ({1 + number // 6}).wav"
        for code, count in EYASE.items()
        for number, (folder, short) in enumerate(list(folders.items()) * 25)
        if number < count
    ]


def write_table(path: Path, columns: str, *rows: tuple[object, ...]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([columns.split(","), *rows])
    return path


# Trees of the published form


@pytest.mark.parametrize(
    ("name", "tree", "language", "sexes"),
    [
        ("casia", casia, "zh", {"female": 2, "male": 2}),
        ("urdu", urdu, "ur", {"female": 11, "male": 18}),
        ("turev-db", turev_db, "tr", {"unknown": 6}),
        ("eyase", eyase, "ar", {"female": 3, "male": 3}),
    ],
)
def test_a_whole_tree_has_the_published_numbers(
    tmp_path: Path, name: str, tree: Callable[[], list[str]], language: str, sexes: dict[str, int]
) -> None:
    corpus = get_corpus(name)
    manifest = corpus.manifest(touch(tmp_path, *tree()))
    assert manifest.left_out == {}
    assert manifest.problems() == []
    assert Counter(u.emotion for u in manifest) == corpus.counts
    assert len(manifest.speakers) == corpus.speakers
    assert {u.language for u in manifest} == {language}
    assert Counter(sex for _, sex in {(u.speaker, u.sex) for u in manifest}) == sexes
    assert recognize(tmp_path) == (name, corpus.utterances)


def test_a_tree_of_ased_is_read_whole_with_its_capital(tmp_path: Path) -> None:
    manifest = get_corpus("ased").manifest(touch(tmp_path, *ased()))
    assert len(manifest) == 650
    assert manifest.left_out == {}
    assert len(manifest.speakers) == get_corpus("ased").speakers
    assert Counter(u.emotion for u in manifest) == dict.fromkeys(get_corpus("ased").counts, 130)
    assert Counter(sex for _, sex in {(u.speaker, u.sex) for u in manifest}) == {"female": 33, "male": 32}
    assert by_id(manifest)["ased/s4-05-02-01-29"].path == "04Sad/S4-05-02-01-29.wav"
    assert recognize(tmp_path) == ("ased", 650)


@pytest.mark.parametrize(("name", "total"), [("ased", 2474), ("turev-db", 1735), ("eyase", 579), ("meld", 13_708)])
def test_the_published_totals_are_the_sums_of_the_counts(name: str, total: int) -> None:
    assert get_corpus(name).utterances == total


@pytest.mark.parametrize("name", [n for n in corpus_names() if get_corpus(n).official])
def test_the_trees_of_other_corpora_are_not_read_as_these(tmp_path: Path, name: str) -> None:
    root = touch(tmp_path, *official_names(name)[::10])
    for ours in set(OURS) - {name}:
        assert len(get_corpus(ours).survey(root)[0]) == 0


def test_films_of_afew_and_enterface_are_not_read_as_these(tmp_path: Path) -> None:
    root = touch(tmp_path, "Train/Angry/000046280.avi", "subject 1/anger/sentence 1/s1_an_1.avi", "angry/201.wav")
    for ours in OURS:
        assert len(get_corpus(ours).survey(root)[0]) == 0


# One name


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("casia", "ZhaoZuoxiang/sad/250.wav", ("ZhaoZuoxiang_sad_250", "ZhaoZuoxiang", "male", "sadness", "casia/250")),
        (
            "casia",
            "angry/201-angry-liuchanhg.wav",
            ("liuchanhg_angry_201", "liuchanhg", "female", "anger", "casia/201"),
        ),
        (
            "casia",
            "6/sad/201-sad-zhaoquanyin.wav",
            ("zhaoquanyin_sad_201", "zhaoquanyin", "female", "sadness", "casia/201"),
        ),
        (
            "casia",
            "相同文本300_liuchanhg_happy_201.wav",
            ("liuchanhg_happy_201", "liuchanhg", "female", "happiness", "casia/201"),
        ),
        ("casia", "happy/wangzhe_203.wav", ("wangzhe_happy_203", "wangzhe", "male", "happiness", "casia/203")),
        ("casia", "相同文本300/wangzhe/fear/203.WAV", ("wangzhe_fear_203", "wangzhe", "male", "fear", "casia/203")),
        ("urdu", "Angry/SM1_F10_A010.wav", ("SM1_F10_A010", "SM1", "male", "anger", "")),
        ("urdu", "Sad/SF10/sf10_f02_s02.wav", ("SF10_F2_S02", "SF10", "female", "sadness", "")),
        ("urdu", "SM4_F48_A0100.wav", ("SM4_F48_A0100", "SM4", "male", "anger", "")),
        (
            "turev-db",
            "Sound Source/Sad/1157_hl_acik.wav",
            ("1157_hl_acik", "1157", "unknown", "sadness", "turev-db/acik"),
        ),
        ("turev-db", "6783_sk_koku.wav", ("6783_sk_koku", "6783", "unknown", "calm", "turev-db/koku")),
        ("ased", "05Angry/a5-06-02-01-33.wav", ("a5-06-02-01-33", "33", "female", "anger", "ased/a06")),
        ("ased", "f2-01-01-02-65.wav", ("f2-01-01-02-65", "65", "male", "fear", "ased/f01")),
        ("eyase", "Female01/fm01_ang (1).wav", ("Female01_ang_1", "Female01", "female", "anger", "")),
        ("eyase", "Male03/ml03_neu(12).wav", ("Male03_neu_12", "Male03", "male", "neutral", "")),
        ("eyase", "fm02_hap (7).wav", ("Female02_hap_7", "Female02", "female", "happiness", "")),
    ],
)
def test_a_name_of_any_mirror_says_all_of_this(
    tmp_path: Path, name: str, file: str, expected: tuple[str, str, str, str, str]
) -> None:
    u = only(name, touch(tmp_path, file))
    own, speaker, *rest = expected
    assert [u.id, u.speaker, u.sex, u.emotion, u.sentence] == [f"{name}/{own}", f"{name}/{speaker}", *rest]
    assert u.path == file


@pytest.mark.parametrize(
    ("name", "file", "known"),
    [
        ("casia", "wangzhe/disgust/201.wav", "angry (anger)"),
        ("urdu", "SM1_F1_X01.wav", "A (anger)"),
        ("turev-db", "1157_xx_acik.wav", "kz (anger)"),
        ("ased", "x6-01-01-01-01.wav", "a (anger)"),
        ("eyase", "Female01/fm01_sur (1).wav", "ang (anger)"),
    ],
)
def test_an_unknown_label_is_an_error_that_lists_the_known_ones(
    tmp_path: Path, name: str, file: str, known: str
) -> None:
    with pytest.raises(LabelError, match=r"has no label '.*': it knows ") as caught:
        get_corpus(name).manifest(touch(tmp_path, file))
    assert known in str(caught.value)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("casia", ["201.wav", "angry/201.wav", "wangzhe/201.wav", "anna/angry/201.wav", "wangzhe/angry/2011.wav",
                   "wangzhe/angry/201-noise.wav"]),
        ("urdu", ["SM1_F1.wav", "SX1_F1_A01.wav", "SM1_F1_A01_2.wav"]),
        ("turev-db", ["1111_hl_acik.wav", "1157_hl.wav", "1157_hl_acik_2.wav"]),
        ("ased", ["a4-01-01-01-01.wav", "a5-01-01-03-01.wav", "a5-01-01-01-66.wav", "a5-01-01-01-00.wav"]),
        ("eyase", ["Female01/fm01_ang.wav", "Female01/fm04_ang (1).wav", "xy01_ang (1).wav"]),
        ("meld", ["dia0.mp4", "utt0.mp4", "dia0_utt0_2.mp4"]),
        ("msp-podcast", ["MSP-PODCAST.wav", "podcast_0001_0008.wav"]),
    ],
)  # fmt: skip
def test_other_names_are_left_out_and_counted(tmp_path: Path, name: str, files: list[str]) -> None:
    manifest, left_out = get_corpus(name).survey(touch(tmp_path, *files))
    assert len(manifest) == 0
    assert [item.reason for item in left_out] == ["a name that is not of this corpus's form"] * len(files)


# The traps of single corpora


def test_the_sold_part_of_casia_is_left_out_and_counted(tmp_path: Path) -> None:
    sold = ["不同文本100/Chang.Liu/normal/001.wav", "相同文本300/wangzhe/angry/300.wav", "wangzhe/angry/001.wav"]
    root = touch(tmp_path, "相同文本300/wangzhe/angry/201.wav", *sold)
    assert only("casia", root).id == "casia/wangzhe_angry_201"
    assert {reason: len(files) for reason, files in reasons("casia", root).items()} == {
        "of the part that is sold, beyond the 1200 public clips": 3
    }


def test_the_sentences_of_casia_are_the_same_for_all_and_those_of_ased_are_of_one_emotion(tmp_path: Path) -> None:
    said = Counter(u.sentence for u in get_corpus("casia").manifest(touch(tmp_path / "casia", *casia())))
    assert set(said.values()) == {24}
    emotions = {(u.sentence, u.emotion) for u in get_corpus("ased").manifest(touch(tmp_path / "ased", *ased()))}
    assert len(emotions) == len({sentence for sentence, _ in emotions})


def test_few_speakers_of_urdu_speak_in_more_than_one_emotion() -> None:
    official = get_corpus("urdu").official
    assert official is not None
    emotions = Counter(speaker for speaker, _ in {(u.speaker, u.emotion) for u in official()})
    assert {speaker for speaker, count in emotions.items() if count > 1} == {"urdu/SM3", "urdu/SM5", "urdu/SM6"}
    assert sum((u.speaker, u.emotion) == ("urdu/SM5", "neutral") for u in official()) == 72


def test_a_clip_of_eyase_in_the_folder_of_another_is_left_out(tmp_path: Path) -> None:
    root = touch(tmp_path, "Female01/fm01_ang (1).wav", "Female01/fm02_ang (2).wav", "Male01/fm01_ang (3).wav")
    assert only("eyase", root).speaker == "eyase/Female01"
    assert reasons("eyase", root) == {
        "a clip whose folder and name tell two speakers": ["Female01/fm02_ang (2).wav", "Male01/fm01_ang (3).wav"]
    }


def test_a_second_copy_is_read_once(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1157_hl_acik.wav", "b/1157_hl_acik.wav")
    assert only("turev-db", root).path == "a/1157_hl_acik.wav"
    assert reasons("turev-db", root) == {SECOND_FILE: ["b/1157_hl_acik.wav"]}


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("eyase", "Female01_ang_0"), ("eyase", "fm01_ang_1"), ("eyase", "Female01_xyz_1"), ("ased", "A5-01-01-01-01"),
        ("turev-db", "1157_hl"), ("meld", "dia0_utt0"), ("meld", "train_dia00_utt0"), ("msp-podcast", "MSP"),
    ],
)  # fmt: skip
def test_an_id_of_another_form_is_none_of_the_corpus(name: str, own: str) -> None:
    from_id = get_corpus(name).from_id
    assert from_id is not None
    try:
        found = from_id(own)
    except LabelError:
        return
    assert found is None or found.id != f"{name}/{own}"


# MELD

MELD_COLUMNS = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"
MELD_FOLDERS = {"train": "train/train_splits", "dev": "dev_splits_complete", "test": "test/output_repeated_splits_test"}


def meld_row(dialogue: object, number: object, speaker: str = "Ross", emotion: str = "joy") -> tuple[object, ...]:
    return (1, "Oh my God, he\u2019s lost it.", speaker, emotion, "neutral", dialogue, number, 4, 7, "00:20:57,256", "")


def meld(root: Path, **rows: list[tuple[object, ...]]) -> Path:
    """Write the tables of parts, and a clip for each of their rows."""
    for part, some in rows.items():
        write_table(root / f"{part}_sent_emo.csv", MELD_COLUMNS, *some)
        touch(root, *(f"{MELD_FOLDERS[part]}/dia{row[5]}_utt{row[6]}.mp4" for row in some))
    return root


def test_the_three_parts_of_meld_have_ids_and_splits_of_their_own(tmp_path: Path) -> None:
    root = meld(tmp_path, train=[meld_row(0, 0)], dev=[meld_row(0, 0, emotion="fear")], test=[meld_row(0, 0, "Rachel")])
    manifest = get_corpus("meld").manifest(root)
    assert {u.id: (u.split, u.speaker, u.sex, u.emotion) for u in manifest} == {
        "meld/dev_dia0_utt0": ("validation", "meld/ross", "male", "fear"),
        "meld/test_dia0_utt0": ("test", "meld/rachel", "female", "happiness"),
        "meld/train_dia0_utt0": ("train", "meld/ross", "male", "happiness"),
    }
    assert manifest.left_out == {}
    assert recognize(root) == ("meld", 3)
    assert by_id(manifest)["meld/dev_dia0_utt0"].extra == {"label": "fear", "season": "4", "episode": "7"}


@pytest.mark.parametrize(
    ("written", "speaker"),
    [
        (" Ross  ", "ross"), ("ROSS", "ross"), ("Dr. Leedbetter", "dr. ledbetter"), ("Phoebe Sr", "phoebe sr."),
        ("Joey\u2019s Doctor", "joey's doctor"), ("Joey\u0092s Doctor", "joey's doctor"),
        ("Joey's Doctor", "joey's doctor"), ("All", "unknown"), ("Both", "unknown"), ("Ross and Joey", "unknown"),
        ("Rachel, Monica", "unknown"), ("Everyone", "unknown"), ("Guy", "guy"), ("Sandy", "sandy"),
        ("Mrs. Wallace", "mrs. wallace"), ("", "unknown"),
    ],
)  # fmt: skip
def test_a_speaker_of_meld_has_one_spelling_and_several_at_once_are_the_unknown_one(
    tmp_path: Path, written: str, speaker: str
) -> None:
    assert only("meld", meld(tmp_path, train=[meld_row(0, 0, written)])).speaker == f"meld/{speaker}"


@pytest.mark.parametrize(
    "file", ["MELD.Raw/dev/dev_splits_complete/dia3_utt2.mp4", "dev/dia3_utt2.flac", "wav/dev_splits_wav/dia3_utt2.wav",
             "audio/val/dia3_utt2.wav", "dev_dia3_utt2.wav", "train/dev/dia3_utt2.wav"],
)  # fmt: skip
def test_a_folder_or_the_name_says_the_part_of_meld(tmp_path: Path, file: str) -> None:
    write_table(tmp_path / "tables" / "dev_sent_emo.csv", MELD_COLUMNS, meld_row(3, 2))
    assert only("meld", touch(tmp_path, file)).id == "meld/dev_dia3_utt2"


def test_clips_of_meld_without_part_or_row_and_rows_without_clip_are_counted(tmp_path: Path) -> None:
    root = meld(tmp_path, dev=[meld_row(0, 0), meld_row(110, 7)], test=[meld_row(0, 1)])
    (root / MELD_FOLDERS["dev"] / "dia110_utt7.mp4").unlink()
    extra = [f"{MELD_FOLDERS['test']}/final_videos_testdia0_utt1.mp4", f"{MELD_FOLDERS['test']}/dia108_utt2.mp4"]
    touch(root, *extra, "clips/dia0_utt0.mp4")
    assert len(get_corpus("meld").manifest(root)) == 2
    assert reasons("meld", root) == {
        "an extra clip without labels (final_videos_test)": extra[:1],
        "a clip without a row in the table of its part": extra[1:],
        "a clip of which neither name nor folders say whether it is of train, dev or test": ["clips/dia0_utt0.mp4"],
        "a row whose clip is missing": ["dev_dia110_utt7"],
    }


def test_the_clips_of_meld_that_users_reported_are_left_out_of_training(tmp_path: Path) -> None:
    root = meld(tmp_path, train=[meld_row(125, 3), meld_row(793, 0), meld_row(0, 0)], test=[meld_row(38, 4)])
    manifest = read_corpora(["meld"], {"meld": root})
    assert [u.id for u in manifest] == ["meld/train_dia0_utt0", "meld/train_dia793_utt0"]
    assert set(manifest.left_out) == {
        "meld: faulty, officially damaged: it cannot be decoded",
        "meld: faulty, officially cut at the wrong place, with other words than its row",
    }
    assert len(read_corpora(["meld"], {"meld": root}, keep_faulty=True)) == 4


def test_clips_of_meld_without_the_table_of_their_part_are_refused(tmp_path: Path) -> None:
    root = touch(meld(tmp_path, dev=[meld_row(0, 0)]), f"{MELD_FOLDERS['train']}/dia0_utt0.mp4")
    with pytest.raises(CorpusError, match=r"holds clips of MELD, but not their labels, train_sent_emo\.csv: copy it t"):
        read_corpus("meld", root)


def test_tables_of_meld_without_clips_are_refused_with_the_number_of_rows(tmp_path: Path) -> None:
    write_table(tmp_path / "train_sent_emo.csv", MELD_COLUMNS, meld_row(0, 0), meld_row(0, 1))
    with pytest.raises(
        CorpusError, match="no sound file there is named as in this corpus; 2 left out: a row whose cli"
    ):
        read_corpus("meld", tmp_path)


def test_an_unknown_emotion_of_meld_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"MELD has no label 'bored': it knows anger \(anger\)"):
        get_corpus("meld").manifest(meld(tmp_path, train=[meld_row(0, 0, emotion="bored")]))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("meld", "Speaker,Dialogue_ID,Utterance_ID,Season,Episode\n", "it has no column 'Emotion'"),
        ("meld", "", "it is empty"),
        (
            "meld",
            f"{MELD_COLUMNS}\n1,Hi,Ross,joy,positive,one,2,1,1,,\n",
            "'one' and '2' are not the numbers of a dial",
        ),
        ("meld", f"{MELD_COLUMNS}\n1,he\udc92s,Ross,joy,positive,1,2,1,1,,\n", "cannot read .* as the table of MELD"),
        ("msp-podcast", "FileName,EmoClass\n", "it has no column 'EmoAct'"),
        ("msp-podcast", "FileName,\udcff\n", "cannot read .* as the table of MSP-Podcast"),
    ],
)
def test_a_damaged_table_is_one_sentence(tmp_path: Path, name: str, content: str, said: str) -> None:
    table = {"meld": "train_sent_emo.csv", "msp-podcast": "labels_consensus.csv"}[name]
    (tmp_path / table).write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(CorpusError, match=said):
        read_corpus(name, touch(tmp_path, "train/dia1_utt2.mp4", "MSP-PODCAST_0001_0008.wav"))


# MSP-Podcast

MSP_COLUMNS = "FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set"
MSP_LABELS = {
    "A": "anger", "C": "contempt", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "O": "other",
    "S": "sadness", "U": "surprise",
}  # fmt: skip


def turn(
    number: int, label: str = "N", speaker: str = "30", sex: str = "Male", split: str = "Train"
) -> tuple[str, ...]:
    return (f"MSP-PODCAST_0001_{number:04}.wav", label, "2.2", "4.0", "2.6", speaker, sex, split)


def msp(root: Path, *turns: tuple[str, ...], table: str = "Labels/labels_consensus.csv") -> Path:
    write_table(root / table, MSP_COLUMNS, *turns)
    return touch(root, *(f"Audios/{row[0]}" for row in turns))


def test_a_turn_of_msp_podcast_has_all_that_its_row_says(tmp_path: Path) -> None:
    u = only("msp-podcast", msp(tmp_path, turn(8, "H", "39", "Female", "Development")))
    assert (u.id, u.path) == ("msp-podcast/MSP-PODCAST_0001_0008", "Audios/MSP-PODCAST_0001_0008.wav")
    assert (u.speaker, u.sex, u.emotion, u.split) == ("msp-podcast/39", "female", "happiness", "validation")
    assert (u.session, u.language) == ("0001", "en")
    assert u.extra == {"label": "H", "valence": "4.0", "activation": "2.2", "dominance": "2.6"}
    assert recognize(tmp_path) == ("msp-podcast", 1)


@pytest.mark.parametrize("table", ["Labels/Labels/labels_consensus.csv", "label/labels_concensus.csv"])
def test_all_labels_of_msp_podcast_are_read_from_either_spelling_of_the_table(tmp_path: Path, table: str) -> None:
    root = msp(tmp_path, *(turn(n, label) for n, label in enumerate(MSP_LABELS)), table=table)
    assert [u.emotion for u in get_corpus("msp-podcast").manifest(root)] == list(MSP_LABELS.values())


def test_turns_without_agreement_or_label_or_row_or_sound_are_counted(tmp_path: Path) -> None:
    root = msp(tmp_path, turn(1), turn(2, "X"), turn(3, "", "", "", "Test3"), turn(4))
    (root / "Audios" / turn(4)[0]).unlink()
    touch(root, "Audios/MSP-PODCAST_test3_0001.wav")
    assert only("msp-podcast", root).id == "msp-podcast/MSP-PODCAST_0001_0001"
    assert reasons("msp-podcast", root) == {
        "a turn without agreement among its listeners (X)": ["Audios/MSP-PODCAST_0001_0002.wav"],
        "a turn without a label, such as those of Test 3, whose labels are secret": [
            "Audios/MSP-PODCAST_0001_0003.wav"
        ],
        "a turn without a row in the table, such as those of Test 3": ["Audios/MSP-PODCAST_test3_0001.wav"],
        "a row whose sound file is missing": ["MSP-PODCAST_0001_0004.wav"],
    }


def test_all_speakers_without_a_name_are_the_one_that_own_data_calls_unknown(tmp_path: Path) -> None:
    nameless = ("Unknown", "unknown", "", "nan")
    root = msp(tmp_path, *(turn(n, speaker=speaker) for n, speaker in enumerate((*nameless, "30", "30.0"))))
    manifest = get_corpus("msp-podcast").manifest(root)
    assert Counter(u.speaker for u in manifest) == {"msp-podcast/unknown": 4, "msp-podcast/30": 2}
    assert len(read_corpus("msp-podcast", manifest.write(root / "m.csv"))) == 6
    assert "msp-podcast/unknown" in get_corpus("msp-podcast").oddities


def test_sound_of_msp_podcast_without_its_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CorpusError, match=r"the sound files of MSP-Podcast, but not its labels, Labels/labels_consensus"
    ):
        read_corpus("msp-podcast", touch(tmp_path, "Audios/MSP-PODCAST_0001_0008.wav"))


def test_a_table_of_msp_podcast_without_sound_is_refused(tmp_path: Path) -> None:
    write_table(tmp_path / "labels_consensus.csv", MSP_COLUMNS, turn(1), turn(2))
    with pytest.raises(CorpusError, match="no sound file there is named as in this corpus; 2 left out: a row whose so"):
        read_corpus("msp-podcast", tmp_path)


def test_an_unknown_label_of_msp_podcast_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"MSP-Podcast has no label 'Q': it knows A \(anger\)"):
        get_corpus("msp-podcast").manifest(msp(tmp_path, turn(1, "Q")))
