"""audformat's databases, with the ``audformat`` package as the oracle."""

import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import audformat
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serkit.data.corpora import get_corpus
from serkit.data.corpora.own_data import read_own
from serkit.data.formats import audformat as databases
from serkit.data.formats.row_to_utterance import OwnData
from serkit.data.manifest import Manifest
from serkit.data.speaker_column import SpeakerColumn
from serkit.errors import CorpusError, LabelError, ManifestError, MissingExtraError
from serkit.types import Utterance

# audformat 1.4 uses what pandas 3 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame:DeprecationWarning")
OWN = OwnData(name="own")
FIELDS = ("speaker", "emotion", "sex", "language", "sentence", "session", "intensity", "split", "start", "end")


def utterance(name: str = "a", **changes: Any) -> Utterance:
    made = Utterance(id=f"own/{name}", path=f"{name}.wav", corpus="own", speaker="own/1", emotion="anger")
    return replace(made, **changes)


def manifest_of(root: Path, *utterances: Utterance) -> Manifest:
    for u in utterances:
        (root / u.path).parent.mkdir(parents=True, exist_ok=True)
        (root / u.path).touch()
    return Manifest(utterances, {u.corpus: root for u in utterances})


def add_table(
    database: audformat.Database, name: str, index: pandas.Index, columns: Mapping[str, Sequence[Any]], **options: Any
) -> None:
    """Add a table; each column has the scheme of its name, where there is one."""
    table = database[name] = audformat.Table(index, **options)
    for column, values in columns.items():
        table[column] = audformat.Column(scheme_id=column if column in database.schemes else None)
        table[column].set(list(values))


def database_of(*labels: str, emotion: str = "emotion") -> audformat.Database:
    database = audformat.Database("theirs", source="", usage="research")
    database.schemes[emotion] = audformat.Scheme(labels=[*labels])
    return database


def save(database: audformat.Database, folder: Path, *sounds: str) -> Path:
    database.save(str(folder))
    for name in sounds:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


# Out and in again


@pytest.mark.parametrize("corpus", ["ravdess", "emodb", "tess", "nemo"])
def test_a_corpus_comes_back_the_same(tmp_path: Path, corpora_dir: Path, corpus: str) -> None:
    written = get_corpus(corpus).manifest(corpora_dir / get_corpus(corpus).title)
    databases.write(written, tmp_path / "db")
    read = read_own(tmp_path / "db", OwnData(name=corpus))
    assert read.digest == written.digest
    for u, v in zip(read, written, strict=True):
        assert [getattr(u, name) for name in FIELDS] == [getattr(v, name) for name in FIELDS]
        assert read.audio_path(u).resolve() == written.audio_path(v).resolve()
    assert not read.left_out


def test_audformat_loads_what_is_written(tmp_path: Path, emodb_dir: Path) -> None:
    written = get_corpus("emodb").manifest(emodb_dir)
    header = databases.write(written, tmp_path / "db")
    database = audformat.Database.load(str(header.parent))
    assert database.name == "emodb"
    assert database.languages == ["deu"]
    frame = database.get("emotion", ["speaker", "gender", "sentence"])
    assert list(frame["emotion"]) == [u.emotion for u in written]
    assert list(frame["speaker"]) == [u.speaker for u in written]
    assert list(frame["gender"]) == [u.sex for u in written]
    assert list(frame["sentence"]) == [u.sentence for u in written]
    files = frame.index.get_level_values("file")
    assert [(tmp_path / "db" / file).resolve() for file in files] == [written.audio_path(u).resolve() for u in written]
    assert all(label in database.schemes["emotion"] for label in frame["emotion"])


word = st.text(st.characters(exclude_categories=("C", "Z")), max_size=6)
nanoseconds = st.integers(0, 10**13)


@settings(max_examples=12)  # each takes a third of a second
@given(
    st.lists(
        st.builds(
            Utterance,
            id=word.filter(bool).map("own/{}".format),
            path=st.sampled_from(("a.wav", "b/c.flac")),
            corpus=st.just("own"),
            speaker=st.sampled_from(("own/1", "own/2")),
            emotion=st.sampled_from(("anger", "other", "calm")),
            sex=st.sampled_from(("male", "female", "unknown")),
            start=nanoseconds.map(lambda n: n / 1e9),
            end=st.none() | nanoseconds.map(lambda n: 10**4 + (n + 1) / 1e9),
            language=st.sampled_from(("", "de", "pl")),
            sentence=word.map(lambda text: text and f"own/{text}"),
            session=word,
            intensity=word,
            split=word,
        ),
        min_size=1,
        max_size=4,
        unique_by=(lambda u: u.id, lambda u: (u.path, u.start, u.end)),
    )
)
def test_own_utterances_survive_a_database(
    tmp_path_factory: pytest.TempPathFactory, utterances: list[Utterance]
) -> None:
    root = tmp_path_factory.getbasetemp() / "sounds"
    written = manifest_of(root, *sorted(utterances, key=lambda u: u.id))
    read = read_own(databases.write(written, tmp_path_factory.mktemp("db")), OWN)
    for u, v in zip(read, written, strict=True):
        assert (u.start, u.end) == pytest.approx((v.start, v.end), abs=1e-9)
        assert u.id == v.id
        assert [getattr(u, name) for name in FIELDS[:-2]] == [getattr(v, name) for name in FIELDS[:-2]]


@pytest.mark.parametrize("end", [1.2345e-05, 0.1 + 0.2, 123456.789012345])
def test_times_survive_to_the_nanosecond(tmp_path: Path, end: float) -> None:
    databases.write(manifest_of(tmp_path, utterance(end=end)), tmp_path / "db")
    (read,) = read_own(tmp_path / "db", OWN)
    assert read.end == pytest.approx(end, abs=1e-9)


def test_a_speaker_of_two_sexes_has_no_gender_but_the_utterances_have(tmp_path: Path) -> None:
    crowd = (utterance("a", sex="male"), utterance("b", sex="female"), utterance("c", speaker="own/2", sex="male"))
    databases.write(manifest_of(tmp_path, *crowd), tmp_path / "db")
    assert [u.sex for u in read_own(tmp_path / "db", OWN)] == ["male", "female", "male"]
    labels = audformat.Database.load(str(tmp_path / "db")).schemes["speaker"].labels
    assert labels == {"own/1": {}, "own/2": {"gender": "male"}}


# Reading what others wrote


def test_files_and_segments_are_read_with_the_splits_of_their_tables(tmp_path: Path) -> None:
    database = database_of("anger", "happiness")
    database.splits["train"] = audformat.Split("train")
    database.splits["dev"] = audformat.Split("dev")
    files = audformat.filewise_index(["a.wav", "b.wav"])
    add_table(database, "files", files, {"emotion": ["anger", None]}, split_id="train")
    parts = audformat.segmented_index(["c.wav", "c.wav", "c.wav"], ["0s", "1.5s", "2s"], ["1.5s", "2s", pandas.NaT])
    add_table(database, "parts", parts, {"emotion": ["happiness", "anger", "anger"]}, split_id="dev")
    found = read_own(save(database, tmp_path, "a.wav", "b.wav", "c.wav"), OWN)
    assert [(u.id, u.emotion, u.start, u.end, u.split) for u in found] == [
        ("own/a", "anger", 0.0, None, "train"),
        ("own/c@0-1.5", "happiness", 0.0, 1.5, "dev"),
        ("own/c@1.5-2", "anger", 1.5, 2.0, "dev"),
        ("own/c@2-", "anger", 2.0, None, "dev"),
    ]
    assert found.left_out == {"own: without a label": 1}


@pytest.mark.parametrize("is_misc", [True, False])
def test_gender_is_found_with_the_speaker(tmp_path: Path, is_misc: bool) -> None:
    database = database_of("anger")
    if is_misc:
        database.schemes["gender"] = audformat.Scheme(labels=["female", "male"])
        people = database["speaker"] = audformat.MiscTable(pandas.Index(["1", "2"], name="speaker", dtype="string"))
        people["gender"] = audformat.Column(scheme_id="gender")
        people["gender"].set(["female", None])
        database.schemes["speaker"] = audformat.Scheme("str", labels="speaker")
    else:
        database.schemes["speaker"] = audformat.Scheme(labels={"1": {"gender": "female", "age": 31}, "2": {"age": 20}})
    index = audformat.filewise_index(["a.wav", "b.wav", "c.wav"])
    add_table(database, "files", index, {"emotion": ["anger"] * 3, "speaker": ["1", "2", "2"]})
    found = read_own(save(database, tmp_path, "a.wav", "b.wav", "c.wav"), OWN)
    assert [u.speaker for u in found] == ["own/1", "own/2", "own/2"]
    assert [u.sex for u in found] == ["female", "unknown", "unknown"]


def test_missing_texts_are_empty_and_the_words_go_into_extra(tmp_path: Path) -> None:
    database = database_of("anger")
    database.schemes["transcription"] = audformat.Scheme("str")
    index = audformat.filewise_index(["a.wav", "b.wav"])
    add_table(database, "files", index, {"emotion": ["anger"] * 2, "transcription": ["das", None]})
    found = read_own(save(database, tmp_path, "a.wav", "b.wav"), OWN)
    assert [u.extra for u in found] == [{"label": "anger", "transcription": "das"}, {"label": "anger"}]


def test_schemes_and_labels_of_other_names_are_mapped(tmp_path: Path) -> None:
    database = database_of("W", "T", "?", emotion="mood")
    database.schemes["person"] = audformat.Scheme("int")
    index = audformat.filewise_index(["a.wav", "b.wav", "c.wav"])
    add_table(database, "files", index, {"mood": ["W", "T", "?"], "person": [1, 2, None]})
    own = OwnData(
        name="own",
        columns={"emotion": "mood", "speaker": "person"},
        labels={"W": "anger", "T": "sadness"},
        leave_out=frozenset("?"),
    )
    found = read_own(save(database, tmp_path, "a.wav", "b.wav", "c.wav"), own)
    assert [(u.emotion, u.speaker) for u in found] == [("anger", "own/1"), ("sadness", "own/2")]
    assert found.left_out == {"own: labeled ?, which you asked to leave out": 1}


def test_a_column_without_a_scheme_will_do(tmp_path: Path) -> None:
    database = audformat.Database("theirs", source="", usage="research")
    add_table(database, "files", audformat.filewise_index(["a.wav"]), {"label": ["sad"]})
    assert [u.emotion for u in read_own(save(database, tmp_path, "a.wav"), OWN)] == ["sadness"]


def test_media_that_are_missing_are_counted(tmp_path: Path) -> None:
    database = database_of("anger")
    add_table(database, "files", audformat.filewise_index(["a.wav", "b.wav"]), {"emotion": ["anger"] * 2})
    found = read_own(save(database, tmp_path, "a.wav"), OWN)
    assert found.left_out == {"own: in the database, but not on disk": 1}


def test_the_header_stands_for_its_folder(tmp_path: Path) -> None:
    databases.write(manifest_of(tmp_path, utterance()), tmp_path)
    assert len(read_own(tmp_path / "db.yaml", OWN)) == 1


# Errors


def test_an_unknown_label_lists_the_known_ones(tmp_path: Path) -> None:
    database = database_of("Wut")
    add_table(database, "files", audformat.filewise_index(["a.wav"]), {"emotion": ["Wut"]})
    with pytest.raises(LabelError, match=r"a\.wav: unknown label 'Wut'; .*anger, boredom, .*--leave-out 'Wut'"):
        read_own(save(database, tmp_path, "a.wav"), OWN)


@pytest.mark.parametrize(("columns", "looked"), [({}, "any of emotion, "), ({"speaker": "person"}, "'person'")])
def test_a_scheme_that_is_not_there_is_an_error(tmp_path: Path, columns: dict[str, str], looked: str) -> None:
    database = database_of("anger", emotion="mood" if not columns else "emotion")
    with pytest.raises(ManifestError, match=rf"has no column for the .* \(looked for {looked}.*\); its columns are "):
        read_own(save(database, tmp_path), OwnData(name="own", columns=columns))


def test_a_database_without_labels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no utterance was found in .*: it is empty"):
        read_own(save(database_of("anger"), tmp_path), OWN)


def test_one_file_with_two_labels_is_an_error_in_one_sentence(tmp_path: Path) -> None:
    database = database_of("anger", "fear")
    for name, label in (("rater 1", "anger"), ("rater 2", "fear")):
        add_table(database, name.replace(" ", "-"), audformat.filewise_index(["a.wav"]), {"emotion": [label]})
    with pytest.raises(
        ManifestError, match="'theirs' cannot be read as one label per file or segment: Found"
    ) as caught:
        read_own(save(database, tmp_path, "a.wav"), OWN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "- a\n- b\n", "{", "name: x\n", "\x00", "name: [\n"])
def test_a_damaged_header_is_an_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "db.yaml").write_text(content)
    with pytest.raises(ManifestError, match=r"cannot read '.*' as an audformat database: "):
        read_own(tmp_path, OWN)


class Trap:
    """What an attacker would put into a pickle."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("the pickle was read",)


@pytest.mark.parametrize("kind", ["utterances", "people"])
def test_a_pickle_is_refused_before_it_is_read(tmp_path: Path, kind: str) -> None:
    database = database_of("anger")
    people = database["people"] = audformat.MiscTable(pandas.Index(["1"], name="people", dtype="string"))
    people["age"] = audformat.Column()
    people["age"].set([31])
    database.schemes["speaker"] = audformat.Scheme("str", labels="people")
    add_table(database, "utterances", audformat.filewise_index(["a.wav"]), {"emotion": ["anger"], "speaker": ["1"]})
    save(database, tmp_path, "a.wav")
    (tmp_path / f"db.{kind}.pkl").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ManifestError, match=rf"db\.{kind}\.pkl' is a pickle, which may run any code"):
        read_own(tmp_path, OWN)


def test_an_object_in_the_header_is_refused_before_it_is_made(tmp_path: Path) -> None:
    header = databases.write(manifest_of(tmp_path, utterance()), tmp_path)
    trap = tmp_path / "trap"
    header.write_text(header.read_text() + f'meta: !!python/object/apply:os.mkdir ["{trap}"]\n')
    with pytest.raises(ManifestError, match="as an audformat database: could not determine a constructor"):
        read_own(tmp_path, OWN)
    assert not trap.exists()


def test_a_table_that_is_missing_is_an_error(tmp_path: Path) -> None:
    databases.write(manifest_of(tmp_path, utterance()), tmp_path)
    for file in tmp_path.glob("db.utterances.*"):
        file.unlink()
    with pytest.raises(ManifestError, match="as an audformat database"):
        read_own(tmp_path, OWN)


def test_a_folder_that_holds_a_database_is_refused(tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path, utterance())
    databases.write(manifest, tmp_path / "db")
    with pytest.raises(ManifestError, match=r"'.*db' holds a database already; choose another folder"):
        databases.write(manifest, tmp_path / "db")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"language": "klingonish"}, "audformat cannot hold this manifest: 'klingonish' is not supported"),
        ({"path": "a.wav"}, "'own/a' and 'own/b' are the same part of a file, which audformat labels once"),
    ],
)
def test_what_audformat_cannot_hold_is_an_error_and_writes_nothing(
    tmp_path: Path, second: dict[str, str], said: str
) -> None:
    manifest = manifest_of(tmp_path, utterance("a"), utterance("b", **second))
    with pytest.raises(ManifestError, match=said) as caught:
        databases.write(manifest, tmp_path / "db")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "db").exists()


def test_without_audformat_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = manifest_of(tmp_path, utterance())
    databases.write(manifest, tmp_path)
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(MissingExtraError, match=r"reading an audformat database needs .*'serkit\[data\]'"):
        read_own(tmp_path, OWN)
    with pytest.raises(MissingExtraError, match=r"writing an audformat database needs .*'serkit\[data\]'"):
        databases.write(manifest, tmp_path / "db")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"name: a\ntables: {}\nname: b\n", "the key 'name' is given twice, in lines 1 and 3"),
        (b"tables: " + b"[" * 5000, "nested more than 100 levels"),
        (b"tables: &a [*a]", "refers to itself"),
        (b"\xff\xfen\0", "UTF-16; save it as UTF-8"),
    ],
)
def test_a_header_that_would_crash_python_is_one_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "db.yaml").write_bytes(content)
    with pytest.raises(ManifestError, match=f"as an audformat database: .*{why}"):
        list(databases.read(tmp_path, OwnData(name="own"), SpeakerColumn()))


def test_a_pattern_for_emotions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="an audformat database names its emotions in a scheme"):
        list(databases.read(tmp_path, OwnData(name="own", emotion="_(.)_"), SpeakerColumn()))
