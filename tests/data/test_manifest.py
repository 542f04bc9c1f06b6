import hashlib
import json
import random
import string
import unicodedata
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.data.manifest import Manifest, merge
from serkit.data.name_spelling import says_nothing
from serkit.errors import LabelError, ManifestError
from serkit.labels import EMOTIONS, get_label_set
from serkit.types import Utterance
from serkit.writing import write_whole

ENDINGS = (".csv", ".jsonl", ".parquet")
TEXTS = (".csv", ".jsonl")
text = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)  # no UTF-8 file can hold lone surrogates
name = text.filter(bool)
seconds = st.floats(0, 1e6)


def nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)


utterances = st.builds(
    Utterance,
    id=name.map(nfc),
    path=name,
    corpus=name,
    speaker=name.map(nfc).filter(lambda name: not says_nothing(name.rpartition("/")[2])),
    emotion=st.sampled_from(EMOTIONS),
    start=seconds,
    end=st.none() | seconds,
    sex=st.sampled_from(("male", "female", "unknown")),
    language=text,
    sentence=text.map(nfc),
    session=text.map(nfc),
    intensity=text,
    split=text,
    extra=st.dictionaries(text, text, max_size=3),
)
manifests = st.lists(utterances, max_size=6, unique_by=lambda u: u.id).map(lambda us: Manifest(tuple(us)))


def utterance(number: int = 0, **changes: Any) -> Utterance:
    made = Utterance(
        id=f"toy/{number}", path=f"{number}.wav", corpus="toy", speaker=f"toy/s{number % 2}", emotion="anger"
    )
    return replace(made, **changes)


def manifest(count: int = 4) -> Manifest:
    return Manifest(tuple(utterance(n) for n in range(count)))


# Reading and writing


@pytest.mark.parametrize("ending", ENDINGS)
@given(written=manifests)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, ending: str, written: Manifest) -> None:
    path = written.write(tmp_path_factory.getbasetemp() / f"round_trip{ending}")
    read = Manifest.read(path)
    assert read.utterances == written.utterances
    assert read.digest == written.digest


@pytest.mark.parametrize("ending", ENDINGS)
def test_commas_quotes_and_every_line_separator_survive(tmp_path: Path, ending: str) -> None:
    odd = 'a,"b"\n\r;\t\x0b\x0c\x1c\x85\u2028\u2029żółć 😀'
    written = Manifest((utterance(sentence=odd, extra={odd: odd}),))
    assert Manifest.read(written.write(tmp_path / f"odd{ending}")).utterances == written.utterances


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_end_that_is_open_stays_open(tmp_path: Path, ending: str) -> None:
    written = Manifest((utterance(0, end=None), utterance(1, start=0.1, end=0.30000000000000004)))
    assert [u.end for u in Manifest.read(written.write(tmp_path / f"m{ending}"))] == [None, 0.30000000000000004]


@pytest.mark.parametrize("ending", ENDINGS)
def test_writing_leaves_no_other_file_and_makes_missing_folders(tmp_path: Path, ending: str) -> None:
    path = manifest().write(tmp_path / "new" / "folder" / f"m{ending}")
    assert list(path.parent.iterdir()) == [path]


def test_writing_replaces_the_old_file_whole(tmp_path: Path) -> None:
    manifest(4).write(tmp_path / "m.csv")
    manifest(2).write(tmp_path / "m.csv")
    assert len(Manifest.read(tmp_path / "m.csv")) == 2


def test_writing_that_fails_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "lone surrogate \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"cannot write 'm\.xlsx' as a table: the name must end in \.csv, "):
        manifest().write(tmp_path / "m.xlsx")
    (tmp_path / "m.xlsx").touch()
    with pytest.raises(ManifestError, match=r"cannot read 'm\.xlsx'.* must end in \.csv, \.tsv, \.jsonl or"):
        Manifest.read(tmp_path / "m.xlsx")


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no table '.*nothing\.csv'"):
        Manifest.read(tmp_path / "nothing.csv")


def test_a_table_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(b"\xef\xbb\xbfid,path,corpus,speaker,emotion\r\ntoy/0,0.wav,toy,toy/s0,anger\r\n")
    assert Manifest.read(path).utterances == (utterance(0),)


@pytest.mark.parametrize("ending", TEXTS)
def test_a_table_that_is_not_utf_8_is_refused(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"m{ending}"
    path.write_bytes(b"id,path,corpus,speaker,emotion\nt\xfcr,0.wav,toy,s,anger\n")
    with pytest.raises(ManifestError, match=r"in UTF-8.*save it in that encoding"):
        Manifest.read(path)


# Bad rows: each names the row and what is wrong


def write_rows(path: Path, second: dict[str, Any]) -> Path:
    good = {"id": "toy/0", "path": "0.wav", "corpus": "toy", "speaker": "toy/s0", "emotion": "anger"}
    rows = [good, {**good, "id": "toy/1", **second}]
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    else:
        columns = list(rows[1])
        lines = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
        path.write_text("".join(",".join(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", TEXTS)
@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"speaker": ""}, ManifestError, "no speaker, as in 1 of 2 rows"),
        ({"id": "", "emotion": ""}, ManifestError, "no value for id, emotion"),
        ({"emotion": "angry"}, LabelError, "unknown emotion 'angry'; did you mean 'anger'?"),
        ({"sex": "m"}, ManifestError, "sex must be one of male, female, unknown, got 'm'"),
        ({"start": "soon"}, ManifestError, "start and end must be seconds, got 'soon'"),
        ({"end": "nan"}, ManifestError, "start and end must be seconds, got 'nan'"),
        ({"start": "-1"}, ManifestError, "start and end must be seconds, got '-1'"),
        ({"extra": "{"}, ManifestError, "extra must be a JSON object of texts"),
        ({"extra": "[1]"}, ManifestError, "extra must be a JSON object of texts"),
    ],
)
def test_a_bad_row_is_named(
    tmp_path: Path, ending: str, change: dict[str, Any], error: type[ValueError], said: str
) -> None:
    path = write_rows(tmp_path / f"m{ending}", change)
    with pytest.raises(error) as caught:
        Manifest.read(path)
    assert str(caught.value).startswith(f"m{ending}, row 2: ")
    assert said in str(caught.value)


@pytest.mark.parametrize("ending", TEXTS)
def test_an_unknown_column_is_refused_with_the_known_ones(tmp_path: Path, ending: str) -> None:
    path = write_rows(tmp_path / f"m{ending}", {"mood": "fine"})
    with pytest.raises(ManifestError, match=r"row [12]: unknown column 'mood'; the columns are id, path, "):
        Manifest.read(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "row 2: not JSON"),
        ("[1, 2]", r"row 2: expected a JSON object, got '\[1, 2\]'"),
        ('{"id": 7, "path": "7.wav", "corpus": "toy", "speaker": "s", "emotion": "anger"}', "row 2: id must be text"),
        (
            '{"id": "x", "path": "7.wav", "corpus": "toy", "speaker": "s", "emotion": "anger", "end": [1]}',
            r"row 2: start and end must be seconds, got \[1\]",
        ),
        (
            '{"id": "x", "path": "7.wav", "corpus": "toy", "speaker": "s", "emotion": "anger", "extra": {"age": 7}}',
            "row 2: extra must be a JSON object of texts",
        ),
    ],
)
def test_a_bad_json_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = Manifest((utterance(),)).write(tmp_path / "m.jsonl")
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ManifestError, match=said):
        Manifest.read(path)


@pytest.mark.parametrize("ending", TEXTS)
@given(junk=st.binary(max_size=200) | st.text(string.printable, max_size=200).map(str.encode))
def test_any_file_is_read_or_refused_but_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, ending: str, junk: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / f"junk{ending}"
    path.write_bytes(junk)
    with suppress(ManifestError, LabelError):
        Manifest.read(path)


# Paths: relative to the file's own folder


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_manifest_finds_its_audio_from_wherever_it_is_written(tmp_path: Path, ending: str) -> None:
    written = Manifest(manifest(2).utterances, {"toy": tmp_path / "data"})
    for folder in (tmp_path, tmp_path / "data", tmp_path / "data" / "deep", tmp_path / "other" / "place"):
        read = Manifest.read(written.write(folder / f"m{ending}"))
        assert [read.audio_path(u).resolve() for u in read] == [written.audio_path(u).resolve() for u in written]
        assert read.digest == written.digest


def test_a_manifest_and_its_audio_can_move_together(tmp_path: Path) -> None:
    (tmp_path / "old" / "data").mkdir(parents=True)
    (tmp_path / "old" / "data" / "0.wav").touch()
    Manifest((utterance(0),), {"toy": tmp_path / "old" / "data"}).write(tmp_path / "old" / "m.csv")
    (tmp_path / "old").rename(tmp_path / "new")
    assert Manifest.read(tmp_path / "new" / "m.csv").problems() == []


def test_an_absolute_path_stays_as_it_is(tmp_path: Path) -> None:
    elsewhere = (tmp_path / "elsewhere" / "0.wav").as_posix()
    written = Manifest((utterance(0, path=elsewhere),), {"toy": tmp_path / "data"})
    read = Manifest.read(written.write(tmp_path / "tables" / "m.csv"))
    assert read.audio_path(read.utterances[0]) == Path(elsewhere)


def test_roots_that_are_passed_hold_the_paths(tmp_path: Path) -> None:
    manifest(1).write(tmp_path / "m.csv")
    read = Manifest.read(tmp_path / "m.csv", roots={"toy": Path("data")})
    assert read.audio_path(read.utterances[0]) == Path("data/0.wav")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_ending_of_a_name_may_be_in_capitals(tmp_path: Path, ending: str) -> None:
    written = Manifest((utterance(0, extra={"label": "W"}),))
    assert Manifest.read(written.write(tmp_path / f"m{ending.upper()}")).utterances == written.utterances


# Manifests that have been through other programs


@pytest.mark.parametrize("with_index", [True, False])
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_manifest_that_pandas_filtered_is_read(tmp_path: Path, ending: str, with_index: bool) -> None:
    odd = [utterance(n, end=n + 0.5 if n else None, extra={"label": "W"}) for n in range(4)]
    Manifest(tuple(odd)).write(tmp_path / f"m{ending}")
    frame = (pandas.read_csv if ending == ".csv" else pandas.read_parquet)(tmp_path / f"m{ending}")
    frame = frame[frame["id"] != "toy/1"]
    (frame.to_csv if ending == ".csv" else frame.to_parquet)(tmp_path / f"less{ending}", index=with_index)
    assert Manifest.read(tmp_path / f"less{ending}").utterances == (odd[0], *odd[2:])


def test_a_manifest_that_a_spreadsheet_saved_with_semicolons_is_read(tmp_path: Path) -> None:
    content = "id;path;corpus;speaker;emotion;end\r\ntoy/0;0.wav;toy;toy/s0;anger;\r\n;;;;;\r\n"
    (tmp_path / "m.csv").write_text(content, encoding="utf-8-sig")
    assert Manifest.read(tmp_path / "m.csv").utterances == (utterance(0),)


def test_a_number_where_a_text_belongs_is_named(tmp_path: Path) -> None:
    rows = {"id": ["toy/0"], "path": ["0.wav"], "corpus": ["toy"], "speaker": [3], "emotion": ["anger"]}
    pandas.DataFrame(rows).to_parquet(tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match=r"m\.parquet, row 1: speaker must be text, got 3"):
        Manifest.read(tmp_path / "m.parquet")


# The digest


@given(manifests, st.randoms(use_true_random=False))
def test_the_digest_does_not_depend_on_order(shuffled: Manifest, rng: random.Random) -> None:
    order = list(shuffled.utterances)
    rng.shuffle(order)
    assert Manifest(tuple(order)).digest == shuffled.digest


def test_the_digest_does_not_depend_on_where_the_files_lie() -> None:
    here = manifest()
    there = Manifest(tuple(replace(u, path=f"other/{u.path}") for u in here), {"toy": Path("elsewhere")})
    assert there.digest == here.digest


@pytest.mark.parametrize(
    "change", [{"speaker": "toy/s9"}, {"emotion": "fear"}, {"id": "toy/9"}, {"start": 0.5}, {"end": 0.5}]
)
def test_the_digest_changes_with_what_was_said_by_whom(change: dict[str, Any]) -> None:
    first, *rest = manifest()
    assert Manifest((replace(first, **change), *rest)).digest != manifest().digest


def test_the_digest_changes_with_every_utterance_left_out() -> None:
    assert len({manifest(count).digest for count in range(5)}) == 5


def test_the_digest_is_the_same_for_whole_seconds_as_int_and_float() -> None:
    assert Manifest((utterance(start=1, end=2),)).digest == Manifest((utterance(start=1.0, end=2.0),)).digest


def test_the_digest_covers_one_json_line_per_utterance() -> None:
    """A change here makes the digest of every published result wrong."""
    lines = '["toy/0", "toy/s0", "anger", 0.0, null]\n["toy/1", "toy/s1", "fear", 0.5, 1.0]\n'
    two = Manifest((utterance(1, emotion="fear", start=0.5, end=1.0), utterance(0)))
    assert two.digest == hashlib.sha256(lines.encode()).hexdigest()


# Choosing


def test_a_doubled_id_is_refused() -> None:
    with pytest.raises(ManifestError, match="1 utterance ids occur more than once, the first is 'toy/1'"):
        Manifest((utterance(0), utterance(1), utterance(1)))


def test_select_counts_what_it_drops() -> None:
    emotions = ("anger", "calm", "boredom", "boredom", "contempt")
    mixed = Manifest(tuple(utterance(n, emotion=emotion) for n, emotion in enumerate(emotions)))
    kept, dropped = mixed.select(get_label_set("basic7"))
    assert [u.emotion for u in kept] == ["anger", "calm"]
    assert dropped == Counter(boredom=2, contempt=1)


@given(manifests, st.sampled_from(("ravdess", "emodb", "tess", "nemo", "basic7")))
def test_select_loses_nothing_uncounted(mixed: Manifest, labels: str) -> None:
    kept, dropped = mixed.select(get_label_set(labels))
    assert len(kept) + dropped.total() == len(mixed)


def test_a_subset_keeps_the_manifests_order() -> None:
    assert [u.id for u in manifest().subset(["toy/3", "toy/1"])] == ["toy/1", "toy/3"]


def test_a_subset_with_an_unknown_id_is_refused() -> None:
    with pytest.raises(ManifestError, match="2 utterances are not in the manifest, the first is 'toy/8'"):
        manifest().subset(["toy/1", "toy/9", "toy/8"])


def test_filter_and_subset_keep_the_roots() -> None:
    rooted = Manifest(manifest().utterances, {"toy": Path("data")})
    assert rooted.filter(lambda u: u.speaker == "toy/s1").roots == rooted.roots
    assert rooted.subset(["toy/1"]).roots == rooted.roots


def test_speakers_are_sorted_and_corpora_in_order_of_appearance() -> None:
    mixed = Manifest((utterance(1), utterance(0), utterance(2, corpus="able", speaker="able/s")))
    assert mixed.speakers == ("able/s", "toy/s0", "toy/s1")
    assert mixed.corpora == ("toy", "able")


def test_merge_joins_utterances_and_roots() -> None:
    other = Manifest((utterance(0, id="other/0", corpus="other"),), {"other": Path("b")})
    joined = merge([Manifest(manifest(2).utterances, {"toy": Path("a")}), other])
    assert [u.id for u in joined] == ["toy/0", "toy/1", "other/0"]
    assert joined.roots == {"toy": Path("a"), "other": Path("b")}


def test_merge_refuses_an_utterance_in_both() -> None:
    with pytest.raises(ManifestError, match="'toy/0'"):
        merge([manifest(1), manifest(1)])


def test_merging_nothing_makes_an_empty_manifest() -> None:
    assert len(merge([])) == 0


def test_an_audio_path_joins_root_and_path() -> None:
    rooted = Manifest(manifest(1).utterances, {"toy": Path("data")})
    assert rooted.audio_path(rooted.utterances[0]) == Path("data/0.wav")


def test_an_audio_path_without_a_root_is_refused() -> None:
    with pytest.raises(ManifestError, match="no folder is known for corpus 'toy'; pass it in roots"):
        manifest(1).audio_path(utterance(0))


# Problems


def test_a_manifest_whose_files_are_there_has_no_problems(tmp_path: Path) -> None:
    for u in manifest():
        (tmp_path / u.path).touch()
    assert Manifest(manifest().utterances, {"toy": tmp_path}).problems() == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"emotion": "angry"}, "toy/0: unknown emotion 'angry'"),
        ({"speaker": ""}, "toy/0: no speaker"),
        ({"start": 2.0, "end": 1.0}, "toy/0: ends at 1.0 s, before its start at 2.0 s"),
        ({"path": "gone.wav"}, "toy/0: no file gone.wav"),
    ],
)
def test_a_problem_is_reported_with_its_utterance(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    (tmp_path / "0.wav").touch()
    (found,) = Manifest((utterance(0, **change),), {"toy": tmp_path}).problems()
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("anna ", "'toy/Anna', 'toy/anna '"), ("An_na", "'toy/An_na', 'toy/Anna'"),
        ("An\u200bna", r"'toy/Anna', 'toy/An\u200bna'"), ("\u0410nna", r"'toy/Anna', 'toy/\u0410nna' (Cyrillic)"),
    ],
)  # fmt: skip
def test_speakers_whose_names_are_all_but_the_same_are_a_problem(name: str, shown: str) -> None:
    names = ("toy/Anna", f"toy/{name}", "toy/Ben")
    (found,) = Manifest(tuple(utterance(n, speaker=name) for n, name in enumerate(names))).problems()
    assert found == f"{shown}: one speaker or several?"


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_name_is_read_in_one_coding_and_a_path_in_its_own(tmp_path: Path, ending: str) -> None:
    composed, apart = (unicodedata.normalize(form, "José") for form in ("NFC", "NFD"))
    odd = [
        utterance(n, id=f"toy/{n}{name}", path=f"{name}.wav", speaker=f"toy/{name}", sentence=name, session=name)
        for n, name in enumerate((composed, apart))
    ]
    read = Manifest.read(Manifest(tuple(odd)).write(tmp_path / f"m{ending}"))
    assert [u.path for u in read] == [f"{composed}.wav", f"{apart}.wav"]
    assert [u.id for u in read] == [f"toy/0{composed}", f"toy/1{composed}"]
    assert {(u.speaker, u.sentence, u.session) for u in read} == {(f"toy/{composed}", composed, composed)}


def test_an_utterance_cannot_be_changed_and_can_stand_in_a_set() -> None:
    with pytest.raises(AttributeError):
        utterance().emotion = "fear"  # type: ignore[misc]
    assert len({utterance(0, extra={"a": "b"}), utterance(0, extra={"a": "b"}), utterance(1)}) == 2


@pytest.mark.parametrize("seconds", ["nan", "1e999", "-1", "1" * 5000])
def test_a_time_that_is_no_number_of_seconds_is_refused(tmp_path: Path, seconds: str) -> None:
    row = f"a,a.wav,own,own/a,anger,{seconds}"
    (tmp_path / "a.csv").write_text(f"id,path,corpus,speaker,emotion,start\n{row}\n", "utf-8")
    with pytest.raises(ManifestError, match="row 1: start and end must be seconds"):
        Manifest.read(tmp_path / "a.csv")


@pytest.mark.parametrize("extra", ["[" * 100_000, '{"a": ' + "1" * 5000 + "}"])
def test_an_extra_that_would_crash_python_is_refused(tmp_path: Path, extra: str) -> None:
    quoted = extra.replace('"', '""')
    (tmp_path / "a.csv").write_text(
        f'id,path,corpus,speaker,emotion,extra\na,a.wav,own,own/a,anger,"{quoted}"\n', "utf-8"
    )
    with pytest.raises(ManifestError, match="row 1: extra must be a JSON object of texts"):
        Manifest.read(tmp_path / "a.csv")


def test_ids_paths_and_speakers_that_look_like_formulas_come_back(tmp_path: Path) -> None:
    u = Utterance(id="own/a;=1", path="=1+1;-x.wav", corpus="own", speaker="@anna", emotion="anger", sentence="-3")
    file = Manifest((u,)).write(tmp_path / "a.csv")
    assert "'=1+1;'-x.wav" in file.read_text("utf-8")
    assert Manifest.read(file).utterances == (u,)
