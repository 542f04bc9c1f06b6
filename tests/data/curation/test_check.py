import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serkit.data.corpora import corpus_names, get_corpus
from serkit.data.curation.check import Finding, Report, check, check_manifest
from serkit.data.manifest import Manifest
from serkit.errors import CorpusError, LabelError
from serkit.progress import Progress
from serkit.types import Utterance
from support.synthetic import TITLES, write_corpus
from support.trees import fill, official_names, pip, pips, touch

LISTED = [name for name in corpus_names() if get_corpus(name).official]
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 91\n"


def whole(root: Path, name: str = "savee") -> Path:
    """Write an official release of files that differ."""
    folders = {"crema-d": "Crema", "ravdess": "Ravdess", "savee": "Savee", "tess": "Tess"}
    parts = get_corpus(name).parts
    names = [f"{folders[part]}/{file}" for part in parts for file in official_names(part)] or official_names(name)
    return fill(root, pips(names))


def problems(report: Report, *, severity: str = "problem") -> dict[str, Finding]:
    """Return what is wrong, by its kind."""
    found = [problem for problem in report.problems if problem.severity == severity]
    assert len({problem.kind for problem in found}) == len(found), "one problem for each kind"
    return {problem.kind: problem for problem in found}


def savee(root: Path) -> Report:
    return check(get_corpus("savee"), root)


# Whole


SECONDS = ["emodb", "ravdess", "ravdess-song", "savee", "tess"]
MINUTES = [pytest.param(name, marks=pytest.mark.long) for name in ("crema-d", "kaggle-ser-en", "nemo")]


@pytest.mark.parametrize("name", [*SECONDS, *MINUTES])
def test_a_whole_release_passes(tmp_path: Path, name: str) -> None:
    corpus = get_corpus(name)
    report = check(corpus, whole(tmp_path, name))
    assert problems(report) == {}
    assert report.is_passed
    assert (report.corpus, report.utterances, report.speakers) == (name, corpus.utterances, corpus.speakers)
    assert report.emotions == dict(sorted(corpus.counts.items()))
    assert report.official["emotions"] == dict(corpus.counts)
    assert (report.official["utterances"], report.official["speakers"]) == (corpus.utterances, corpus.speakers)
    assert report.official["by_speaker"] == report.by_speaker
    assert sum(sum(emotions.values()) for emotions in report.by_speaker.values()) == corpus.utterances
    assert report.sampling_rates == {16_000: corpus.utterances}
    assert report.seconds == pytest.approx(corpus.utterances * 8 / 16_000, abs=1e-3)


def test_the_report_is_json_with_the_keys_that_scripts_rely_on(tmp_path: Path) -> None:
    touch(whole(tmp_path), "stray.wav")
    read = json.loads(json.dumps(savee(tmp_path).to_json()))
    assert {"corpus", "utterances", "speakers", "emotions", "problems"} <= read.keys()
    assert (read["corpus"], read["utterances"], read["speakers"], read["passed"]) == ("savee", 480, 4, False)
    assert read["emotions"]["neutral"] == 120
    assert read["problems"] == [
        {
            "kind": "extra",
            "severity": "problem",
            "message": "1 files not read: a name that is not of this corpus's form",
            "files": ["stray.wav"],
        }
    ]


def test_the_progress_is_shown_to_its_end(tmp_path: Path) -> None:
    seen: list[Progress] = []
    check(get_corpus("savee"), whole(tmp_path), on_progress=seen.append)
    assert [one for one in seen if one.label == "decoding"] == [Progress("decoding", n, 480) for n in range(481)]
    assert seen[-1] == Progress("fingerprints", 480, 480)


# Names


def test_half_a_release_says_what_is_missing_and_whose_all_is(tmp_path: Path) -> None:
    half = [name for name in official_names("savee") if name.startswith(("DC", "JE"))][:-1]
    report = savee(fill(tmp_path, pips(half)))
    assert list(problems(report)) == ["missing"]
    missing = problems(report)["missing"]
    assert missing.message == "241 of 480 utterances are missing, among them all utterances of 2 speakers"
    assert len(missing.files) == 241
    assert {name[:8] for name in missing.files} == {"savee/JE", "savee/JK", "savee/KL"}
    assert not report.is_passed


def test_half_a_corpus_without_a_list_says_which_counts_differ(tmp_path: Path) -> None:
    names = [f"s{n}_{code}_{k}.wav" for n in (1, 2) for code in ("an", "ha") for k in range(1, 6)]
    report = check(get_corpus("enterface"), fill(tmp_path, pips(names)))
    assert problems(report)["count"].message == (
        "the numbers of utterances differ from the official ones: anger 10 of 215, disgust 0 of 215, fear 0 of 215, "
        "happiness 10 of 212, sadness 0 of 215, surprise 0 of 215"
    )


def test_utterances_that_are_not_official_are_named(tmp_path: Path) -> None:
    report = savee(fill(whole(tmp_path), {"DC_a16.wav": pip(900)}))
    assert problems(report)["extra"] == Finding(
        "extra", "problem", "1 utterances are not in the official release", ("DC_a16.wav",)
    )
    assert report.utterances == 481


def test_a_file_that_is_there_twice_is_a_problem(tmp_path: Path) -> None:
    report = savee(fill(whole(tmp_path), {"copy/DC_a01.wav": pip(900)}))
    assert problems(report)["second file"].files == ("copy/DC_a01.wav",)


def test_the_same_utterance_as_another_kind_of_file_is_a_note(tmp_path: Path) -> None:
    report = savee(touch(whole(tmp_path), "DC_a01.mp3"))
    assert report.is_passed
    assert problems(report, severity="note")["left out"].files == ("DC_a01.mp3",)


def test_the_songs_beside_the_speech_are_a_note(tmp_path: Path) -> None:
    report = check(get_corpus("ravdess"), touch(whole(tmp_path, "ravdess"), *official_names("ravdess-song")[:9]))
    assert report.is_passed
    assert problems(report, severity="note")["left out"].message == "9 files not read: read by the corpus ravdess-song"


def test_turns_of_iemocap_whose_sound_is_missing_are_a_problem(tmp_path: Path) -> None:
    root = write_corpus("iemocap", tmp_path, speakers=4, per_class=1)
    for path in (root / "Session2").rglob("*.flac"):
        path.unlink()
    report = check(get_corpus("iemocap"), root)
    assert problems(report).keys() == {"count", "left out"}
    assert problems(report)["left out"].message == (
        "20 files not read: a turn in EmoEvaluation whose sound file is missing"
    )


@pytest.mark.parametrize("name", LISTED)
def test_the_folder_of_another_corpus_is_refused(tmp_path: Path, name: str) -> None:
    other = "s1_an_1.avi"
    with pytest.raises(CorpusError):
        check(get_corpus(name), touch(tmp_path, other))
    with pytest.raises(CorpusError):
        check(get_corpus(name), tmp_path / "gone")


def test_an_unknown_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="EmoDB has no label 'X'"):
        check(get_corpus("emodb"), touch(tmp_path, "03a01Xa.wav"))


# Sound


def test_files_that_cannot_be_decoded_are_one_problem_that_shows_the_first(tmp_path: Path) -> None:
    cut = struct.pack("<4sI", b"RIFF", 9000) + pip(0)[8:]
    bad = {"DC_a01.wav": b"", "DC_a02.wav": b"no sound at all, but words", "DC_a03.wav": cut[:50]}
    found = problems(savee(fill(whole(tmp_path), bad)))
    assert list(found) == ["undecodable"]
    assert found["undecodable"].files == tuple(bad)
    assert found["undecodable"].message.startswith("3 files cannot be decoded; the first: '")
    assert found["undecodable"].message.endswith("DC_a01.wav' is empty: zero bytes")


def test_a_clone_without_its_sound_says_how_to_fetch_it(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"480 left out: a Git LFS pointer, not sound: .* 'git lfs pull'"):
        savee(fill(tmp_path, dict.fromkeys(official_names("savee"), POINTER)))


def test_a_pointer_among_sounds_is_a_problem(tmp_path: Path) -> None:
    report = savee(fill(whole(tmp_path), {"KL_n01.wav": POINTER}))
    assert problems(report)["undecodable"].files == ("KL_n01.wav",)
    assert problems(report)["missing"].files == ("savee/KL_n01",)


def test_a_part_beyond_the_end_of_its_file_is_a_problem(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(16_000, 0.1, np.float32), 16_000)
    parts = [(0.0, 0.5), (0.5, 1.02), (0.5, 9.0)]
    utterances = tuple(
        Utterance(id=f"mine/{n}", path="a.wav", corpus="mine", speaker="mine/s", emotion="anger", start=start, end=end)
        for n, (start, end) in enumerate(parts)
    )
    report = check_manifest("mine", Manifest(utterances, {"mine": tmp_path}))
    assert [(p.kind, p.files) for p in report.problems] == [("beyond the end", ("mine/2",))]
    assert report.seconds == pytest.approx(0.5 + 0.5 + 0.5)


def test_half_a_known_corpus_as_a_manifest_is_compared_with_the_release_too(tmp_path: Path) -> None:
    half = get_corpus("savee").manifest(whole(tmp_path)).filter(lambda u: u.speaker != "savee/DC")
    report = check_manifest("savee", half, corpus=get_corpus("savee"))
    assert len(problems(report)["missing"].files) == 120
    assert not report.is_passed


def test_a_link_to_nowhere_cannot_be_decoded(tmp_path: Path) -> None:
    (whole(tmp_path) / "DC_a01.wav").unlink()
    (tmp_path / "DC_a01.wav").symlink_to(tmp_path / "gone.wav")
    assert problems(savee(tmp_path))["undecodable"].message.endswith("DC_a01.wav'")


def test_two_names_of_the_same_samples_are_a_problem(tmp_path: Path) -> None:
    report = savee(fill(whole(tmp_path), {"KL_n01.wav": pip(0)}))
    found = problems(report)["identical audio"]
    assert found.files == ("DC_a01.wav", "KL_n01.wav")
    assert found.message == "2 files hold the same samples: DC_a01.wav, KL_n01.wav"


def test_the_same_samples_at_two_rates_are_not_the_same_sound(tmp_path: Path) -> None:
    report = savee(fill(whole(tmp_path), {"KL_n01.wav": pip(0, rate=8_000)}))
    assert problems(report) == {}


@pytest.mark.parametrize(("peak", "is_silent"), [(0, True), (32, True), (33, False)])
def test_a_file_that_is_all_but_silent_is_a_problem(tmp_path: Path, peak: int, is_silent: bool) -> None:
    report = savee(fill(whole(tmp_path), {"DC_a01.wav": pip(0, peak=peak)}))
    assert problems(report).keys() == ({"near-silent"} if is_silent else set())
    if is_silent:
        assert problems(report)["near-silent"].message == "1 file is nearly silent (peak below -60 dBFS)"


def test_mixed_sampling_rates_are_a_note_that_names_the_rarer(tmp_path: Path) -> None:
    report = savee(fill(whole(tmp_path), {"DC_a01.wav": pip(0, rate=44_100), "DC_a02.wav": pip(1, rate=44_100)}))
    assert report.is_passed
    assert report.sampling_rates == {16_000: 478, 44_100: 2}
    note = problems(report, severity="note")["sampling rates"]
    assert note.message == "sampling rates differ: 16000 Hz (478 files), 44100 Hz (2 files)"
    assert note.files == ("DC_a01.wav", "DC_a02.wav")


# What is officially odd


TWINS = ("03-01-03-01-02-01-07.wav", "03-01-03-01-02-02-07.wav")


def test_the_twins_of_ravdess_are_known(tmp_path: Path) -> None:
    report = check(get_corpus("ravdess"), fill(whole(tmp_path, "ravdess"), dict.fromkeys(TWINS, pip(9999))))
    assert report.is_passed
    identical = [p for p in report.problems if p.kind == "identical audio"]
    assert [(p.severity, p.files) for p in identical] == [("known", TWINS)]


def test_a_third_file_like_the_twins_is_a_problem(tmp_path: Path) -> None:
    files = dict.fromkeys((*TWINS, "03-01-01-01-01-01-01.wav"), pip(9999))
    report = check(get_corpus("ravdess"), fill(whole(tmp_path, "ravdess"), files))
    assert set(problems(report)["identical audio"].files) == set(files)


def test_a_broken_file_is_a_problem_whatever_else_is_odd_about_it(tmp_path: Path) -> None:
    report = check(get_corpus("ravdess"), fill(whole(tmp_path, "ravdess"), {TWINS[0]: POINTER}))
    assert problems(report)["undecodable"].files == (TWINS[0],)


def test_clips_that_are_odd_for_different_reasons_are_not_known_to_be_the_same(tmp_path: Path) -> None:
    odd = dict.fromkeys(("1076_MTI_NEU_XX.wav", "1064_IEO_DIS_MD.wav"), pip(9999))
    report = check(get_corpus("crema-d"), fill(tmp_path, odd))
    assert problems(report)["identical audio"].files == tuple(sorted(odd))


def test_the_silent_clips_of_crema_d_are_known(tmp_path: Path) -> None:
    silent = {"1076_MTI_NEU_XX.wav": pip(1, peak=1), "1076_MTI_SAD_XX.wav": pip(2, peak=2)}
    report = check(get_corpus("crema-d"), fill(tmp_path, silent | {"1001_DFA_ANG_XX.wav": pip(3, peak=3)}))
    found = {p.severity: p.files for p in report.problems if p.kind == "near-silent"}
    assert found == {"known": tuple(silent), "problem": ("1001_DFA_ANG_XX.wav",)}


def test_the_worst_stands_first(tmp_path: Path) -> None:
    names = [name for name in official_names("tess") if "_back_" in name or name.startswith("OA_")]
    report = check(get_corpus("tess"), touch(fill(tmp_path, pips(names)), f"{names[0][:-4]}.mp3"))
    assert [p.severity for p in report.problems] == ["problem", "known", "note"]
    assert report.problems[1].message == "tess/OA_bite_neutral is officially named OA_, and spoken by OAF"


# Own data


def test_own_data_is_checked_for_its_sound_alone(tmp_path: Path) -> None:
    fill(tmp_path, {"a.wav": pip(1), "b.wav": pip(1), "c.wav": POINTER})
    utterances = tuple(
        Utterance(id=f"own/{n}", path=f"{n}.wav", corpus="own", speaker="own/x", emotion="anger") for n in "abc"
    )
    report = check_manifest("own", Manifest(utterances, {"own": tmp_path}, {"own: a reason": 4}))
    assert problems(report).keys() == {"identical audio", "undecodable"}
    assert problems(report, severity="note")["left out"].message == "4 files not read: own: a reason"
    assert report.official == {}
    assert json.loads(json.dumps(report.to_json()))["emotions"] == {"anger": 3}


def test_speakers_whose_names_are_all_but_the_same_are_a_problem(tmp_path: Path) -> None:
    names = ("own/Anna", "own/Ben", "own/anna")
    fill(tmp_path, {f"{n}.wav": pip(n) for n in range(3)})
    utterances = tuple(
        Utterance(id=f"own/{n}", path=f"{n}.wav", corpus="own", speaker=name, emotion="anger")
        for n, name in enumerate(names)
    )
    found = problems(check_manifest("own", Manifest(utterances, {"own": tmp_path})))["doubtful speakers"]
    assert found.message.startswith("2 speaker names are spelled alike ('own/Anna' and 'own/anna'):")
    assert found.files == ("own/Anna", "own/anna")


# The real corpora


REAL = [
    ("emodb", []),
    pytest.param("ravdess", ["identical audio", "official", "official"], marks=pytest.mark.long),
    pytest.param("tess", ["official"], marks=pytest.mark.long),
    pytest.param("nemo", ["official", "official"], marks=pytest.mark.long),
]


@pytest.mark.parametrize(("name", "known"), REAL)
def test_the_real_corpus_passes_with_its_known_oddities(real_corpora: Path, name: str, known: list[str]) -> None:
    folder = real_corpora / TITLES[name]
    if not folder.is_dir():
        pytest.skip(f"needs the real {TITLES[name]}: there is no folder {folder}")
    report = check(get_corpus(name), folder)
    assert problems(report) == {}
    assert sorted(p.kind for p in report.problems if p.severity == "known") == known
    assert report.seconds / 3600 == pytest.approx(get_corpus(name).hours or 0, abs=0.01)
    json.dumps(report.to_json())
