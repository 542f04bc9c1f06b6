"""Hugging Face's audiofolder, with the ``datasets`` library as its oracle."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from serkit.data.corpora import get_corpus
from serkit.data.corpora.own_data import read_own
from serkit.data.formats import audiofolder
from serkit.data.formats.row_to_utterance import OwnData
from serkit.data.manifest import Manifest, merge
from serkit.errors import AudioError, AudioNotFoundError, ManifestError, NoSamplesError
from serkit.types import Utterance

OWN = OwnData(name="own")
RATE = 8_000

# In a process of its own, since datasets leaves files open, which pytest would count as an error here. Its Audio wants
# torchcodec to be there, though it neither encodes nor decodes a path.
ORACLE = """
import json, sys, types
import datasets
sys.modules["torchcodec"] = types.ModuleType("torchcodec")
sys.modules["torchcodec.encoders"] = types.ModuleType("torchcodec.encoders")
sys.modules["torchcodec.encoders"].AudioEncoder = None
datasets.disable_progress_bars()
answers = []
for folder in sys.argv[2:]:
    found = datasets.load_dataset("audiofolder", data_dir=folder, cache_dir=sys.argv[1])
    found = found.cast_column("audio", datasets.Audio(decode=False))
    rows = {split: [dict(row, audio=row["audio"]["path"]) for row in data] for split, data in found.items()}
    answers.append(rows)
json.dump(answers, sys.stdout)
"""


def load_with_datasets(cache: Path, *folders: Path) -> list[dict[str, list[dict[str, Any]]]]:
    """Return, for each folder, what ``datasets`` makes of it: split to rows."""
    pytest.importorskip("datasets")
    command = [sys.executable, "-W", "ignore", "-c", ORACLE, str(cache), *map(str, folders)]
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=os.environ | quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, list[dict[str, Any]]]] = json.loads(done.stdout)
    return answers


def noise(path: Path, *, seconds: float = 0.1, channels: int = 1, subtype: str = "PCM_16") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (round(seconds * RATE), channels))
    soundfile.write(path, samples / 2**15, RATE, subtype=subtype)


def manifest_of(root: Path, *utterances: Utterance) -> Manifest:
    for u in utterances:
        if not (root / u.path).exists():
            noise(root / u.path)
    return Manifest(utterances, {u.corpus: root for u in utterances})


def utterance(name: str = "a", **changes: Any) -> Utterance:
    made = Utterance(id=f"own/{name}", path=f"{name}.wav", corpus="own", speaker="own/1", emotion="anger")
    return replace(made, **changes)


def lay_out(root: Path, tables: dict[str, str], *sounds: str) -> Path:
    for name, content in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    for name in sounds:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


# Out and in again


@pytest.mark.parametrize("corpus", ["ravdess", "emodb", "tess", "nemo"])
def test_a_corpus_comes_back_the_same(tmp_path: Path, corpora_dir: Path, corpus: str) -> None:
    title = get_corpus(corpus).title
    written = get_corpus(corpus).manifest(corpora_dir / title)
    audiofolder.write(written, tmp_path / "out")
    read = read_own(tmp_path / "out", OwnData(name=corpus))
    assert read.digest == written.digest
    for u, v in zip(read, written, strict=True):
        fields = ("id", "speaker", "emotion", "sex", "language", "sentence", "session", "intensity", "split")
        assert [getattr(u, name) for name in fields] == [getattr(v, name) for name in fields]
        assert read.audio_path(u).read_bytes() == written.audio_path(v).read_bytes()
    assert read.problems() == []
    assert not read.left_out


def test_under_another_name_only_the_prefix_differs(tmp_path: Path, emodb_dir: Path) -> None:
    written = get_corpus("emodb").manifest(emodb_dir)
    audiofolder.write(written, tmp_path / "out")
    read = read_own(tmp_path / "out", OWN)
    assert read.speakers == tuple(f"own/{speaker}" for speaker in written.speakers)
    assert Counter(u.emotion for u in read) == Counter(u.emotion for u in written)
    assert {u.extra["corpus"] for u in read} == {"emodb"}


def test_datasets_loads_what_is_written(tmp_path: Path, ravdess_dir: Path, emodb_dir: Path) -> None:
    both = merge([get_corpus("ravdess").manifest(ravdess_dir), get_corpus("emodb").manifest(emodb_dir)])
    audiofolder.write(both, tmp_path / "both")
    words = ("train/a", "test_1", "x/dev.2/b", "eval", "s-val-3", "training", "contest", "validation 4/c", "test/1")
    splits = manifest_of(
        tmp_path / "sounds", *(utterance(name, split="test" if n % 2 else "train") for n, name in enumerate(words))
    )
    audiofolder.write(splits, tmp_path / "splits")
    loaded = load_with_datasets(tmp_path / "cache", tmp_path / "both", tmp_path / "splits")
    for answer, written, folder in zip(loaded, (both, splits), ("both", "splits"), strict=True):
        rows = answer["train"]
        assert list(answer) == ["train"], "no file's name may look like that of a split"
        assert {row["id"]: (row["label"], row["speaker"], row["sex"]) for row in rows} == {
            u.id: (u.emotion, u.speaker, u.sex) for u in written
        }
        assert len(rows) == len(written)
        assert all(Path(row["audio"]).is_file() for row in rows)
        assert len({row["audio"] for row in rows}) == len(rows)
        assert all(Path(row["audio"]).is_relative_to(tmp_path / folder) for row in rows)


def test_what_datasets_reads_of_splits_is_read_here(tmp_path: Path) -> None:
    root = lay_out(
        tmp_path / "data",
        {
            "train/metadata.csv": "file_name,label\nx/a.wav,sad\nb.wav,happy\n",
            "test/metadata.csv": "file_name,label\na.wav,fear\n",
        },
        "train/x/a.wav", "train/b.wav", "test/a.wav",
    )  # fmt: skip
    (loaded,) = load_with_datasets(tmp_path / "cache", root)
    theirs = {(split, row["audio"], row["label"]) for split, rows in loaded.items() for row in rows}
    read = read_own(root, OWN)
    assert {(u.split, str(read.audio_path(u)), u.extra["label"]) for u in read} == theirs


# Reading


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", "file_name,emotion,speaker_id\nx/a.wav,sad,7\n"),
        ("metadata.jsonl", '{"file_name": "x/a.wav", "label": "sad", "speaker": 7}\n'),
        ("metadata.csv", "path,file_name,label,actor\n/somewhere/else.wav,x/a.wav,sad,7\n"),
    ],
)
def test_a_table_at_the_top_is_read(tmp_path: Path, name: str, content: str) -> None:
    (found,) = read_own(lay_out(tmp_path, {name: content}, "x/a.wav"), OWN)
    assert (found.path, found.emotion, found.speaker, found.split) == ("x/a.wav", "sadness", "own/7", "")


def test_numbers_of_classes_are_mapped(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {"metadata.csv": "file_name,label\na.wav,0\nb.wav,1\n"}, "a.wav", "b.wav")
    found = read_own(root, OwnData(name="own", labels={"0": "fear", "1": "calm"}))
    assert [u.emotion for u in found] == ["fear", "calm"]


@pytest.mark.parametrize(("folder", "split"), [("dev", "validation"), ("Test", "test"), ("part 1", "")])
def test_a_folder_of_a_split_names_it_and_another_does_not(tmp_path: Path, folder: str, split: str) -> None:
    root = lay_out(tmp_path, {f"{folder}/metadata.csv": "file_name,label\na.wav,sad\n"}, f"{folder}/a.wav")
    (found,) = read_own(root, OWN)
    assert (found.split, found.path) == (split, f"{folder}/a.wav")


def test_a_column_of_splits_outdoes_the_folder(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {"train/metadata.csv": "file_name,label,split\na.wav,sad,fold 3\n"}, "train/a.wav")
    assert [u.split for u in read_own(root, OWN)] == ["fold 3"]


def test_rows_without_a_file_and_files_without_a_row_are_counted(tmp_path: Path) -> None:
    content = "file_name,label\na.wav,sad\ngone.wav,sad\n"
    root = lay_out(tmp_path, {"metadata.csv": content}, "a.wav", "x/forgotten.wav", "x/too.mp3")
    found = read_own(root, OWN)
    assert len(found) == 1
    assert found.left_out == {"own: in the table, but not on disk": 1, "own: on disk, but not in the table": 2}


def test_a_table_without_file_names_says_which_column_it_wants(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {"metadata.csv": "audio,label\na.wav,sad\n"}, "a.wav")
    with pytest.raises(ManifestError, match=r"looked for 'file_name'\); its columns are audio, label"):
        read_own(root, OWN)
    assert len(read_own(root, OwnData(name="own", columns={"path": "audio"}))) == 1


def test_class_folders_without_a_table_are_read_as_folders(tmp_path: Path) -> None:
    root = lay_out(tmp_path, {}, "train/happy/a.wav", "test/sad/b.wav")
    assert [(u.emotion, u.split) for u in read_own(root, OWN)] == [("sadness", "test"), ("happiness", "train")]


# Writing


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT"])
def test_a_part_of_a_file_is_cut_to_the_sample(tmp_path: Path, channels: int, subtype: str) -> None:
    noise(tmp_path / "a.wav", seconds=1.0, channels=channels, subtype=subtype)
    whole, _ = soundfile.read(tmp_path / "a.wav", always_2d=True)
    parts = ((0.0, 0.25), (0.25, 0.500125), (0.500125, None), (0.9, 7.0))
    cut = [utterance(f"p{n}", path="a.wav", start=start, end=end) for n, (start, end) in enumerate(parts)]
    audiofolder.write(manifest_of(tmp_path, *cut), tmp_path / "out")
    for u in cut:
        samples, rate = soundfile.read(tmp_path / "out" / f"{u.id}.flac", always_2d=True)
        first, last = round(u.start * RATE), None if u.end is None else round(u.end * RATE)
        assert rate == RATE
        np.testing.assert_array_equal(samples, whole[first:last])
    assert [u.start for u in read_own(tmp_path / "out", OWN)] == [0.0] * len(parts)


def test_a_part_beyond_the_end_of_its_file_is_an_error(tmp_path: Path) -> None:
    late = manifest_of(tmp_path, utterance(start=5.0, end=6.0))
    with pytest.raises(NoSamplesError, match=r"'.*a\.wav' ends before 5 s, where utterance 'own/a' starts"):
        audiofolder.write(late, tmp_path / "out")
    assert not (tmp_path / "out" / "metadata.csv").exists()


def test_a_long_file_is_decoded_once_for_its_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[Path] = []
    original = audiofolder.read_file

    def counting(path: Path) -> Any:
        decoded.append(path)
        return original(path)

    monkeypatch.setattr(audiofolder, "read_file", counting)
    parts = [utterance(f"p{n}", path="a.wav", start=n / 100, end=(n + 1) / 100) for n in range(5)]
    audiofolder.write(manifest_of(tmp_path, *parts), tmp_path / "out")
    assert decoded == [tmp_path / "a.wav"]


def test_a_part_that_flac_cannot_hold_is_an_error(tmp_path: Path) -> None:
    noise(tmp_path / "a.wav", channels=9)
    with pytest.raises(AudioError, match="cannot write utterance 'own/a' as FLAC"):
        audiofolder.write(manifest_of(tmp_path, utterance(end=0.05)), tmp_path / "out")


def test_a_folder_that_holds_an_audiofolder_is_refused(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path / "in", utterance())
    audiofolder.write(manifest, tmp_path / "out")
    with pytest.raises(ManifestError, match=r"'.*out' holds an audiofolder already; choose another folder"):
        audiofolder.write(manifest, tmp_path / "out")


def test_two_utterances_of_one_file_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path / "in", utterance("a", id="own/test"), utterance("a", id="own/Test"))
    with pytest.raises(ManifestError, match=r"two utterances would share the file 'own/test\.wav': give them ids"):
        audiofolder.write(manifest, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../../escaped", "/escaped", "x/../../../escaped"])
def test_no_id_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    manifest = manifest_of(tmp_path / "in", utterance("a", id=name))
    audiofolder.write(manifest, tmp_path / "deep" / "out")
    everything = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.relative_to(tmp_path).parts[0] for path in everything} == {"in", "deep"}
    assert {path.relative_to(tmp_path / "deep").parts[0] for path in (tmp_path / "deep").iterdir()} == {"out"}
    (found,) = read_own(tmp_path / "deep" / "out", OWN)
    assert found.path.endswith("escaped.wav")


def test_a_file_that_is_missing_is_named_with_its_utterance(tmp_path: Path) -> None:
    manifest = Manifest((utterance(),), {"own": tmp_path})
    with pytest.raises(AudioNotFoundError, match=r"no audio file '.*a\.wav' for utterance 'own/a'"):
        audiofolder.write(manifest, tmp_path / "out")


def test_each_file_that_is_written_is_reported(tmp_path: Path) -> None:
    done: list[int] = []
    manifest = manifest_of(tmp_path / "in", utterance("a"), utterance("b"))
    assert audiofolder.write(manifest, tmp_path / "out", on_file=done.append) == tmp_path / "out" / "metadata.csv"
    assert done == [1, 2]


# Only sound below the roots is copied


def planted(tmp_path: Path, path: str) -> Manifest:
    """A manifest of a folder, with a path that somebody else wrote; a private recording lies beside the folder."""
    noise(tmp_path / "data" / "a.wav")
    noise(tmp_path / "private" / "secret.wav")
    (tmp_path / "data" / "notes.txt").write_text("a password")
    (tmp_path / "data" / "link.wav").symlink_to(tmp_path / "private" / "secret.wav")
    (tmp_path / "data" / "inside.wav").symlink_to(tmp_path / "data" / "a.wav")
    (tmp_path / "data" / "folder").symlink_to(tmp_path / "private")
    good = Utterance(id="own/a", path="a.wav", corpus="own", speaker="own/a", emotion="anger")
    bad = replace(good, id="own/b", path=path.replace("TMP", str(tmp_path)))
    return Manifest((good, bad), {"own": tmp_path / "data"})


@pytest.mark.parametrize(
    ("path", "how"),
    [
        ("../private/secret.wav", "names"),
        ("TMP/private/secret.wav", "names"),
        ("link.wav", "is a link to"),
        ("folder/secret.wav", "is a link to"),
        ("x/../../private/secret.wav", "names"),
    ],
)
def test_a_file_outside_the_root_is_refused_before_anything_is_copied(tmp_path: Path, path: str, how: str) -> None:
    (tmp_path / "data" / "x").mkdir(parents=True)
    with pytest.raises(ManifestError, match=f"of utterance 'own/b' {how} a file outside .*data"):
        audiofolder.write(planted(tmp_path, path), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"notes\.txt"):
        audiofolder.write(planted(tmp_path, "notes.txt"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_within_the_root_is_copied(tmp_path: Path) -> None:
    table = audiofolder.write(planted(tmp_path, "inside.wav"), tmp_path / "out")
    assert (table.parent / "own" / "b.wav").read_bytes() == (tmp_path / "data" / "a.wav").read_bytes()


def test_a_root_that_is_a_link_itself_is_a_root(tmp_path: Path) -> None:
    (tmp_path / "here").symlink_to(tmp_path / "data")
    manifest = replace(planted(tmp_path, "inside.wav"), roots={"own": tmp_path / "here"})
    assert audiofolder.write(manifest, tmp_path / "out").is_file()


@pytest.mark.parametrize("name", ["=1+1", "a;=1", "-x", "a\nb", "@x"])
def test_no_file_has_a_name_that_a_spreadsheet_would_run(tmp_path: Path, name: str) -> None:
    """The table would hold another name, with an apostrophe, and other tools would not find the file."""
    noise(tmp_path / "data" / "a.wav")
    u = Utterance(id=name, path="a.wav", corpus="own", speaker="own/a", emotion="anger")
    table = audiofolder.write(Manifest((u,), {"own": tmp_path / "data"}), tmp_path / "out")
    (file,) = (tmp_path / "out").glob("*.wav")
    assert file.name in table.read_text("utf-8")
    assert "'" not in table.read_text("utf-8").splitlines()[1].split(",")[0]
