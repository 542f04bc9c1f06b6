"""``serkit corpora``, as its users call it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from serkit.data.audio_files import sound_files
from serkit.data.corpora import corpus_names, get_corpus, recognize
from serkit.data.manifest import Manifest
from support.calling import Call, assert_one_sentence
from support.synthetic import TITLES, voice, write_corpus
from support.trees import touch

EMOTIONS = ("anger", "neutral", "sadness")


@pytest.fixture(scope="module")
def own_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per emotion, in its owner's words: four speakers, three labels, two clips of each. Read only."""
    root = tmp_path_factory.mktemp("own")
    for label, emotion in zip(("wut", "neutral", "sad"), EMOTIONS, strict=True):
        for speaker in ("anna", "bert", "carl", "dora"):
            for take in "ab":
                file = root / label / f"{speaker}_{take}.wav"
                file.parent.mkdir(exist_ok=True)
                soundfile.write(file, voice(emotion, speaker, name=take), 16_000)
    return root


@pytest.fixture
def whole_emodb(tmp_path: Path) -> Iterator[Path]:
    """Every official name of EmoDB, each with the same short sound but for a little."""
    root = tmp_path / "EmoDB"
    (root / "wav").mkdir(parents=True)
    official = get_corpus("emodb").official
    assert official is not None
    for number, u in enumerate(official()):
        sound = np.full(160, 0.1, np.float32)
        sound[number % 160] += 0.001 * (1 + number // 160)  # no two are identical
        soundfile.write(root / "wav" / f"{u.id.removeprefix('emodb/')}.wav", sound, 16_000)
    yield root
    shutil.rmtree(root)


# What is known


@pytest.mark.parametrize("name", corpus_names())
def test_info_says_what_a_card_and_a_user_need(call: Call, name: str) -> None:
    corpus = get_corpus(name)
    done = call("corpora", "info", name)
    assert (done.code, done.err) == (0, "")
    many = str(corpus.utterances) if corpus.counts else "an unstated number"
    for words in (many, corpus.license, corpus.citation, corpus.url, *corpus.emotions.classes):
        assert words in done.out
    assert "None" not in done.out
    facts = json.loads(call("corpora", "info", name, "--json").out)
    assert facts["labels"] == dict(corpus.emotions)
    assert facts["label_map_version"] == corpus.emotions.version
    assert facts["download"] == bool(corpus.remotes)


def test_info_of_an_unknown_corpus_suggests_the_nearest(call: Call) -> None:
    assert_one_sentence(call("corpora", "info", "cremad"), "no corpus 'cremad'; did you mean 'crema-d'?")


# Checking


def test_a_whole_corpus_passes(call: Call, whole_emodb: Path) -> None:
    done = call("corpora", "check", "emodb", whole_emodb)
    assert done.code == 0
    assert done.out.startswith("emodb: 535 of 535 utterances, 10 of 10 speakers")
    assert done.out.endswith("passed\n")


def test_check_prints_one_json_document_and_nothing_else(call: Call, whole_emodb: Path) -> None:
    (whole_emodb / "wav" / "03a01Fa.wav").unlink()
    (whole_emodb / "wav" / "03a01Nc.wav").write_text("no sound")
    done = call("corpora", "check", "emodb", whole_emodb, "--json")
    assert (done.code, done.err) == (1, "")
    report = json.loads(done.out)
    assert list(report)[:5] == ["corpus", "utterances", "speakers", "emotions", "problems"]
    assert (report["corpus"], report["utterances"], report["speakers"]) == ("emodb", 534, 10)
    assert report["emotions"]["happiness"] == 70
    assert [(p["kind"], p["files"]) for p in report["problems"]] == [
        ("missing", ["emodb/03a01Fa"]),
        ("undecodable", ["wav/03a01Nc.wav"]),
    ]
    assert not report["passed"]


def test_half_a_corpus_is_counted_and_does_not_pass(call: Call, emodb_dir: Path) -> None:
    done = call("corpora", "check", "emodb", emodb_dir)
    assert done.code == 1
    assert "535 utterances are missing, among them all utterances of 6 speakers" in done.out
    assert "more; --json lists them all" in done.out


def test_the_wrong_folder_is_refused_and_named(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    for command in (["check", "ravdess", emodb_dir], ["manifest", "ravdess", emodb_dir, "-o", tmp_path / "m.csv"]):
        assert_one_sentence(call("corpora", *command), "no RAVDESS in", "56 are named as in EmoDB (emodb)")
    assert not (tmp_path / "m.csv").exists()


def test_own_data_can_be_checked_too(call: Call, own_dir: Path, tmp_path: Path) -> None:
    call("corpora", "manifest", "mine", own_dir, "-o", tmp_path / "m.csv", "--label", "wut=anger")
    report = json.loads(call("corpora", "check", "mine", tmp_path / "m.csv", "--json").out)
    assert (report["utterances"], report["speakers"], report["problems"]) == (24, 1, [])
    assert report["emotions"] == dict.fromkeys(EMOTIONS, 8)


# Manifests


def test_what_a_label_set_drops_is_shown(call: Call, ravdess_dir: Path, tmp_path: Path) -> None:
    done = call("corpora", "manifest", "ravdess", ravdess_dir, "-o", tmp_path / "m.jsonl", "--labels", "superset6")
    assert done.code == 0
    assert "label set superset6 leaves out 12 utterances of calm" in done.err
    assert "label set superset6 leaves out 12 utterances of surprise" in done.err
    assert len(Manifest.read(tmp_path / "m.jsonl")) == 96 - 24


def test_files_that_are_not_read_are_counted(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(emodb_dir, tmp_path / "one")
    shutil.copytree(emodb_dir, tmp_path / "two")
    (tmp_path / "one" / "notes.wav").touch()
    done = call("corpora", "manifest", "emodb", tmp_path, "-o", tmp_path / "m.csv")
    assert done.code == 0
    assert "56 files not read: emodb: another file of an utterance that was read already" in done.err
    assert "1 files not read: emodb: a name that is not of this corpus's form" in done.err


def test_own_data_without_speakers_says_so(call: Call, own_dir: Path, tmp_path: Path) -> None:
    done = call("corpora", "manifest", "mine", own_dir, "-o", tmp_path / "m.csv", "--label", "wut=anger")
    assert done.code == 0
    assert "24 utterances have no speaker" in done.err
    assert Manifest.read(tmp_path / "m.csv").speakers == ("mine/unknown",)


def test_an_unknown_label_lists_the_known_ones_and_the_options(call: Call, own_dir: Path, tmp_path: Path) -> None:
    done = call("corpora", "manifest", "mine", own_dir, "-o", tmp_path / "m.csv")
    assert_one_sentence(done, "wut", "anger, ", "--label", "--leave-out")


def test_a_label_that_is_left_out_is_counted(call: Call, own_dir: Path, tmp_path: Path) -> None:
    done = call("corpora", "manifest", "mine", own_dir, "-o", tmp_path / "m.csv", "--leave-out", "wut")
    assert done.code == 0
    assert "8 files not read: mine: labeled wut, which you asked to leave out" in done.err


def test_options_for_own_data_are_refused_for_a_known_corpus(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    done = call("corpora", "manifest", "emodb", emodb_dir, "-o", tmp_path / "m.csv", "--speaker", "(..)")
    assert_one_sentence(done, "--speaker is for your own data, but emodb is a known corpus")
    done = call("corpora", "manifest", "mine", emodb_dir, "-o", tmp_path / "m.csv", "--label", "wut")
    assert_one_sentence(done, "--label 'wut': expected LABEL=EMOTION.")


@pytest.mark.parametrize("form", ["audformat", "audiofolder"])
def test_what_goes_out_comes_back(call: Call, emodb_dir: Path, tmp_path: Path, form: str) -> None:
    done = call("corpora", "manifest", "emodb", emodb_dir, "-o", tmp_path / "out", "--format", form)
    assert done.code == 0, done.err
    done = call("corpora", "manifest", "mine", tmp_path / "out", "-o", tmp_path / "back.csv")
    assert done.code == 0, done.err
    assert "have no speaker" not in done.err
    back, official = Manifest.read(tmp_path / "back.csv"), get_corpus("emodb").manifest(emodb_dir)
    assert sorted((u.speaker.split("/")[-1], u.emotion, u.sex) for u in back) == sorted(
        (u.speaker.split("/")[-1], u.emotion, u.sex) for u in official
    )
    assert all(back.audio_path(u).is_file() for u in back)


def test_a_manifest_of_another_corpus_is_not_taken_for_this_one(
    call: Call, own_dir: Path, ravdess_dir: Path, emodb_dir: Path, tmp_path: Path
) -> None:
    table = tmp_path / "mine.csv"
    call("corpora", "manifest", "mine", own_dir, "-o", table, "--label", "wut=anger")
    assert_one_sentence(call("corpora", "check", "emodb", table), "is a manifest of mine, not of emodb")
    assert_one_sentence(call("corpora", "check", "other", table), "is a manifest of mine, not of other")
    call("corpora", "manifest", "ravdess", ravdess_dir, "-o", tmp_path / "ravdess.csv")
    assert call("corpora", "check", "ravdess", tmp_path / "ravdess.csv").code == 1  # 96 of 1440
    call("corpora", "manifest", "emodb", emodb_dir, "-o", tmp_path / "emodb.csv")
    refused = call("corpora", "check", "emodb", tmp_path / "emodb.csv")  # its takes are synthetic
    assert_one_sentence(refused, "emodb.csv' is not EmoDB: ", "such as --data my-emodb=")


def test_a_moved_manifest_says_that_it_was_moved(call: Call, own_dir: Path, tmp_path: Path) -> None:
    call("corpora", "manifest", "mine", own_dir, "-o", tmp_path / "m.csv", "--label", "wut=anger")
    (tmp_path / "a" / "b").mkdir(parents=True)
    shutil.move(tmp_path / "m.csv", tmp_path / "a" / "b" / "m.csv")
    assert_one_sentence(call("corpora", "check", "mine", tmp_path / "a" / "b" / "m.csv"), "was it moved?")


def test_a_table_of_the_users_own_is_not_replaced(call: Call, own_dir: Path, tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text(f"file,emotion\n{own_dir / 'sad' / 'anna_a.wav'},sad\n")
    before = table.read_bytes()
    assert_one_sentence(call("corpora", "manifest", "mine", table, "-o", table), "exists and is not a serkit manifest")
    assert table.read_bytes() == before
    assert_one_sentence(call("corpora", "manifest", "mine", table, "-o", tmp_path), "is a folder; name the file")


def test_a_label_set_that_leaves_nothing_is_refused(call: Call, tmp_path: Path, own_dir: Path) -> None:
    done = call(
        "corpora", "manifest", "mine", own_dir, "-o", tmp_path / "m.csv", "--labels", "enterface",
        "--leave-out", "wut", "--leave-out", "sad",
    )  # fmt: skip
    assert done.code == 2
    assert "nothing to write" in done.err
    assert not (tmp_path / "m.csv").exists()


def test_an_option_that_says_two_things_is_refused(call: Call, own_dir: Path, tmp_path: Path) -> None:
    done = call(
        "corpora", "manifest", "mine", own_dir, "-o", tmp_path / "m.csv", "--label", "a=anger", "--label", "a=fear"
    )
    assert_one_sentence(done, "a was already given, as anger")


# From own data to a model file


def test_own_data_trains_a_model_and_its_corpus_is_on_the_card(
    call: Call, own_dir: Path, small_recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab.exporting import model_file as export

    monkeypatch.setattr(export, "_PARITY_SECONDS", (0.2, 1.0))
    table = tmp_path / "mine.csv"
    call(
        "corpora", "manifest", "mine", own_dir, "-o", table, "--label", "wut=anger", "--speaker", "/([a-z]+)_[ab]",
        "--language", "de",
    )  # fmt: skip
    recipe = tmp_path / "mine.yaml"
    settings = {"corpora": ["mine"], "labels": list(EMOTIONS), "train": {"epochs": 1, "batch_size": 8}}
    recipe.write_text(yaml.safe_dump(small_recipe | settings), "utf-8")
    done = call("evaluate", recipe, "--data", f"mine={table}", "--out", tmp_path / "scored")
    assert done.code == 0, done.err
    assert "| 3 | 4 | 24 |" in done.out
    done = call("train", recipe, "--data", f"mine={table}", "--out", tmp_path / "run")
    assert done.code == 0, done.err
    done = call("export", tmp_path / "run", "-o", tmp_path / "mine.onnx")
    assert done.code == 0, done.err
    card = json.loads(call("models", "show", tmp_path / "mine.onnx", "--json").out)
    assert card["classes"] == list(EMOTIONS)
    assert [(c["name"], c["license"], c["speakers"], c["utterances"]) for c in card["corpora"]] == [
        ("mine", "unknown", 4, 24)
    ]
    assert not card["is_commercial_use_allowed"]


def test_the_label_set_common_is_stated(
    call: Call, corpora_dir: Path, small_recipe: dict[str, Any], tmp_path: Path
) -> None:
    recipe = tmp_path / "both.yaml"
    settings = {"corpora": ["emodb", "nemo"], "labels": "common", "train": {"epochs": 1, "batch_size": 8}}
    recipe.write_text(yaml.safe_dump(small_recipe | settings), "utf-8")
    done = call("train", recipe, "--data", corpora_dir, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    said = " ".join(done.err.split())
    assert "label set common: anger, fear, happiness, neutral, sadness, what emodb and nemo share" in said
    assert "left out: boredom, disgust (emodb), surprise (nemo)" in said


# Measuring and fetching


def test_stats_find_out_which_corpus_a_folder_holds(
    call: Call, corpora_dir: Path, own_dir: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "s.png"
    done = call("corpora", "stats", corpora_dir / "EmoDB", f"tess={corpora_dir / TITLES['tess']}", "--plot", picture)
    assert done.code == 0, done.err
    assert "emodb" in done.out
    assert "tess" in done.out
    assert picture.read_bytes().startswith(b"\x89PNG")
    groups = json.loads(call("corpora", "stats", corpora_dir / "EmoDB", "--json").out)["corpora"]
    assert [(group["corpus"], group["clips"]) for group in groups] == [("emodb", 56)]


def test_stats_of_a_folder_of_corpora_read_each_and_say_what_is_left_out(call: Call, corpora_dir: Path) -> None:
    done = call("corpora", "stats", corpora_dir, "--json")
    assert done.code == 0, done.err
    assert {group["corpus"] for group in json.loads(done.out)["corpora"]} >= {"emodb", "ravdess", "tess", "nemo"}


def test_own_data_with_a_clip_of_a_known_corpus_is_own_data(call: Call, own_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / "mixed"
    shutil.copytree(own_dir, root)
    (root / "wut").rename(root / "anger")
    shutil.copy(root / "sad" / "anna_a.wav", root / "sad" / "03a01Ta.wav")
    groups = json.loads(call("corpora", "stats", root, "--json").out)["corpora"]
    assert [(group["corpus"], group["clips"]) for group in groups] == [("mixed", 25)]


def test_two_halves_of_a_corpus_are_measured_together(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    for number, part in enumerate(("one", "two")):
        for path in list(sound_files(emodb_dir))[number::2]:
            (tmp_path / part).mkdir(exist_ok=True)
            shutil.copy(emodb_dir / path, tmp_path / part)
    done = call("corpora", "stats", tmp_path / "one", tmp_path / "two", "--json")
    assert done.code == 0, done.err
    assert [group["clips"] for group in json.loads(done.out)["corpora"]] == [56]


def test_stats_of_nothing_and_pictures_of_other_kinds_are_refused(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    assert_one_sentence(call("corpora", "stats", tmp_path / "none"), "none")
    assert_one_sentence(call("corpora", "stats", emodb_dir, "--plot", tmp_path / "s.bmp"), ".png, .svg or .pdf")


def test_a_file_that_cannot_be_measured_is_named(call: Call, tmp_path: Path) -> None:
    root = write_corpus("emodb", tmp_path / "EmoDB", speakers=1, per_class=1)
    broken = root / str(next(iter(sound_files(root))))
    broken.write_bytes(b"no sound at all, but long enough")
    done = call("corpora", "stats", root)
    assert done.code == 1
    assert broken.name in done.err
    assert recognize(root) == ("emodb", 7)


def test_a_license_must_be_accepted_before_anything_is_fetched(call: Call, tmp_path: Path) -> None:
    done = call("corpora", "download", "ravdess", tmp_path / "r")
    assert_one_sentence(done, "CC-BY-NC-SA-4.0", "208 MB", "--accept-license")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("name", ["iemocap", "savee", "enterface", "afew"])
def test_a_corpus_that_must_be_asked_for_says_where(call: Call, tmp_path: Path, name: str) -> None:
    done = call("corpora", "download", name, tmp_path, "--accept-license")
    assert_one_sentence(done, get_corpus(name).url, "register")


# The emotion in the file name


def test_a_pattern_finds_the_emotion_in_file_names(call: Call, tmp_path: Path) -> None:
    for name in ("anna_wut_1", "anna_sad_1", "bob_neutral_1", "notes"):
        (tmp_path / "clips" / f"{name}.wav").parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / "clips" / f"{name}.wav", voice("anger", name), 16_000)
    given = ("corpora", "manifest", "mine", tmp_path / "clips", "-o", tmp_path / "mine.csv")
    assert_one_sentence(call(*given), "pass --emotion PATTERN to 'serkit corpora manifest'")
    pattern = ("--speaker", "^([a-z]+)", "--emotion", "_([a-z]+)_")
    assert_one_sentence(call(*given, *pattern), "anna_wut_1.wav: unknown label 'wut'", "--label 'wut=EMOTION'")
    done = call(*given, *pattern, "--label", "wut=anger")
    assert done.code == 0
    assert (
        "serkit: 1 files not read: mine: the pattern '_([a-z]+)_' finds no emotion; the first is 'notes.wav'"
        in done.err
    )
    found = Manifest.read(tmp_path / "mine.csv")
    assert {(u.id, u.emotion, u.speaker) for u in found} == {
        ("mine/anna_wut_1", "anger", "mine/anna"),
        ("mine/anna_sad_1", "sadness", "mine/anna"),
        ("mine/bob_neutral_1", "neutral", "mine/bob"),
    }


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("_[a-z]+_", "has no group: put the emotion's part in parentheses"),
        ("Q([a-z]+)_", "finds no emotion in any of the 1 paths, the first is 'anna_sad_1.wav'"),
    ],
)
def test_a_pattern_that_finds_nothing_is_one_sentence(call: Call, tmp_path: Path, pattern: str, words: str) -> None:
    soundfile.write(tmp_path / "anna_sad_1.wav", voice("anger", "anna"), 16_000)
    done = call("corpora", "manifest", "mine", tmp_path, "-o", tmp_path / "mine.csv", "--emotion", pattern)
    assert_one_sentence(done, words)


def test_the_pattern_is_for_own_data(call: Call, tmp_path: Path) -> None:
    done = call("corpora", "manifest", "emodb", tmp_path, "-o", tmp_path / "mine.csv", "--emotion", "_(.)_")
    assert_one_sentence(done, "--emotion is for your own data")


# Listeners


def test_listeners_are_printed_and_are_valid_json(call: Call, tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / "t.csv").write_text("file,emotion,speaker,votes\na.wav,anger,p,anger=3 fear=1\n")
    done = call("corpora", "listeners", "mine", str(tmp_path / "t.csv"))
    assert (done.code, done.err) == (0, "")
    assert "one listener" in done.out
    assert json.loads(call("corpora", "listeners", "mine", str(tmp_path / "t.csv"), "--json").out)["answers"] == 4
    (tmp_path / "t.csv").write_text("file,emotion,speaker\na.wav,anger,p\n")
    refused = call("corpora", "listeners", "mine", str(tmp_path / "t.csv"))
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.startswith("serkit: no utterance of mine has listeners' votes")


def test_a_manifest_is_not_written_under_what_listeners_heard(call: Call, tmp_path: Path) -> None:
    root, out = touch(tmp_path / "CREMA-D", "1001_DFA_ANG_XX.wav"), tmp_path / "x.csv"
    done = call("corpora", "manifest", "crema-d", str(root), "-o", str(out), "--labels", "crema-d-heard")
    assert done.code == 2
    assert "write the manifest without --labels, and name the set in the recipe" in done.err
    assert not out.exists()
