import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serkit.audio.decode import load_audio
from serkit.data.audio_files import AUDIO_SUFFIXES, sound_files
from serkit.data.corpora import corpus_names, get_corpus, read_corpora
from serkit.errors import CorpusError
from support.synthetic import TITLES, tone
from support.trees import by_id, only, touch

Link = Callable[[Path, Path], None]
every_corpus = pytest.mark.parametrize("name", corpus_names())


@pytest.mark.parametrize("suffix", [".wav", ".WAV", ".flac", ".Flac", ".mp3", ".ogg", ".opus"])
def test_every_audio_suffix_is_read_in_any_case(tmp_path: Path, suffix: str) -> None:
    assert only("emodb", touch(tmp_path, f"03a01Wa{suffix}")).path == f"03a01Wa{suffix}"


def test_files_that_a_system_leaves_behind_are_ignored(tmp_path: Path) -> None:
    root = touch(
        tmp_path, "03a01Wa.wav", ".DS_Store", "._03a01Wa.wav", ".03a02Wb.wav", "Thumbs.db", "03a02Wb.txt", "03a02Wb",
        "__MACOSX/._03a02Wb.wav", "03a02Wb.wav.part", "notes.wav", "list.csv",
    )  # fmt: skip
    (root / "03a04Wb.wav").mkdir()
    assert only("emodb", root).id == "emodb/03a01Wa"


def test_stereo_and_other_rates_and_an_aiff_named_wav_can_be_heard(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "OAF_back_sad.wav", np.stack([tone(440)] * 2, axis=1), 48_000)
    soundfile.write(tmp_path / "OAF_bar_sad.wav", tone(440), 24_414)
    soundfile.write(tmp_path / "OAF_base_sad.wav", tone(440), 96_000)
    with (tmp_path / "OAF_bath_sad.wav").open("wb") as file:
        soundfile.write(file, tone(440), 24_414, format="AIFF")
    manifest = get_corpus("tess").manifest(tmp_path)
    lengths = [len(load_audio(manifest.audio_path(u), target_rate=16_000)) for u in manifest]
    assert lengths == pytest.approx([8000 / 3, 8000 * 16_000 / 24_414, 8000 / 6, 8000 * 16_000 / 24_414], abs=1)


def test_links_to_folders_and_files_are_followed(tmp_path: Path, link: Link) -> None:
    store = touch(tmp_path / "store", "wav/03a01Wa.wav", "08a01Wa.wav")
    (tmp_path / "EmoDB").mkdir()
    link(tmp_path / "EmoDB" / "wav", store / "wav")
    link(tmp_path / "EmoDB" / "08a01Wa.wav", store / "08a01Wa.wav")
    assert list(by_id(get_corpus("emodb").manifest(tmp_path / "EmoDB"))) == ["emodb/03a01Wa", "emodb/08a01Wa"]


def test_a_link_to_the_whole_corpus_is_followed(emodb_dir: Path, tmp_path: Path, link: Link) -> None:
    link(tmp_path / "emo-db", emodb_dir)
    assert read_corpora(["emodb"], tmp_path).digest == get_corpus("emodb").manifest(emodb_dir).digest


def test_a_loop_of_links_ends(tmp_path: Path, link: Link) -> None:
    root = touch(tmp_path, "wav/03a01Wa.wav")
    link(root / "wav" / "loop", root)
    link(root / "wav" / "self", root / "wav" / "self")
    assert [path.name for path in sound_files(root)] == ["03a01Wa.wav"]
    assert only("emodb", root).path == "wav/03a01Wa.wav"


def test_a_link_to_nowhere_is_a_problem_of_the_manifest(tmp_path: Path, link: Link) -> None:
    link(tmp_path / "03a01Wa.wav", tmp_path / "gone.wav")
    assert get_corpus("emodb").manifest(tmp_path).problems() == ["emodb/03a01Wa: no file 03a01Wa.wav"]


@pytest.mark.parametrize("name", ["crema-d", "emodb", "iemocap", "nemo"])
def test_tables_and_sound_are_read_through_links_alike(releases: Path, tmp_path: Path, name: str, link: Link) -> None:
    source = releases / TITLES[name]
    for entry in source.iterdir():
        link(tmp_path / entry.name, entry)
    found, whole = get_corpus(name).manifest(tmp_path), get_corpus(name).manifest(source)
    assert [(u.id, u.emotion, u.extra) for u in found] == [(u.id, u.emotion, u.extra) for u in whole]


@pytest.mark.parametrize("name", ["crema-d", "emodb", "iemocap", "nemo"])
def test_a_loop_of_links_beside_the_tables_ends(releases: Path, tmp_path: Path, name: str, link: Link) -> None:
    (tmp_path / "around").mkdir()
    link(tmp_path / "around" / "again", tmp_path)
    link(tmp_path / "corpus", releases / TITLES[name])
    found, whole = get_corpus(name).manifest(tmp_path), get_corpus(name).manifest(releases / TITLES[name])
    assert found.digest == whole.digest


# What is not there


@every_corpus
def test_a_missing_folder_is_refused_with_where_the_corpus_comes_from(tmp_path: Path, name: str) -> None:
    with pytest.raises(CorpusError) as caught:
        get_corpus(name).manifest(tmp_path / "gone")
    assert str(tmp_path / "gone") in str(caught.value)
    assert get_corpus(name).url in str(caught.value)


@every_corpus
def test_a_file_or_an_empty_folder_is_no_corpus(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for root in (tmp_path / "empty", tmp_path / "file"):
        with pytest.raises(CorpusError):
            get_corpus(name).manifest(root)


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"cannot list '.*': Permission denied\."):
        list(sound_files(tmp_path))


@every_corpus
def test_a_folder_that_cannot_be_listed_is_no_empty_corpus(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "closed/03-01-01-01-01-01-01.wav")
    listed = os.scandir

    def refuse(folder: str) -> object:
        if os.fspath(folder).endswith("closed"):
            raise PermissionError(13, "Permission denied", folder)
        return listed(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"cannot list '.*closed': Permission denied\."):
        get_corpus(name).manifest(tmp_path)


def test_a_folder_that_may_not_even_be_looked_at_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"cannot read EmoDB from '.*xxx': File name too long\."):
        get_corpus("emodb").manifest(tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("crema-d", "1001_DFA_ANG_XX.wav", "summaryTable.csv"),
        ("emodb", "03a01Wa.wav", "erkennung.txt"),
        ("iemocap", "Ses01F_impro01_F000.wav", "EmoEvaluation/Ses01F_impro01.txt"),
        ("nemo", "SM0_anger_1.wav", "data.tsv"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_in_a_sentence(
    tmp_path: Path, name: str, file: str, text: str, link: Link
) -> None:
    (touch(tmp_path, file) / text).parent.mkdir(exist_ok=True)
    link(tmp_path / text, tmp_path / "gone")
    with pytest.raises(CorpusError, match=rf"cannot read '.*{text}' .*No such file or directory"):
        get_corpus(name).manifest(tmp_path)


def test_kinds_of_sound_are_preferred_in_the_order_of_what_they_lose() -> None:
    assert AUDIO_SUFFIXES == (".wav", ".flac", ".opus", ".ogg", ".mp3")
