"""What is claimed of the real recordings; skipped where they are not there."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from serkit.audio.decode import load_audio
from serkit.data.corpora import get_corpus, read_corpora, recognize
from serkit.lab.measure.listeners import listeners_of
from support.synthetic import TITLES

REAL = ("ravdess", "emodb", "tess", "nemo", "crema-d", "savee")
every_corpus = pytest.mark.parametrize("name", REAL)


@every_corpus
def test_the_real_corpus_is_read_whole(real_corpora: Path, name: str) -> None:
    corpus = get_corpus(name)
    manifest = read_corpora([name], real_corpora, keep_faulty=True)
    assert len(manifest) == corpus.utterances
    assert len(manifest.speakers) == corpus.speakers
    assert {u.emotion for u in manifest} == set(corpus.emotions.values())
    assert {u.sex for u in manifest} <= {"male", "female"}
    assert all(u.sentence for u in manifest)
    assert manifest.problems() == []


@every_corpus
def test_ids_of_the_real_corpus_are_its_file_names(real_corpora: Path, name: str) -> None:
    for u in read_corpora([name], real_corpora, keep_faulty=True):
        assert u.id in (f"{name}/{Path(u.path).stem}", f"{name}/{Path(u.path).stem}X")  # CREMA-D's name in a single X


@pytest.mark.parametrize(
    ("name", "sexes"),
    [
        ("ravdess", {"male": 12, "female": 12}),
        ("emodb", {"male": 5, "female": 5}),
        ("tess", {"female": 2}),
        ("nemo", {"male": 5, "female": 4}),
        ("crema-d", {"male": 48, "female": 43}),
        ("savee", {"male": 4}),
        ("banglaser", {"male": 17, "female": 17}),
    ],
)
def test_the_real_speakers_have_their_known_sex(real_corpora: Path, name: str, sexes: dict[str, int]) -> None:
    manifest = read_corpora([name], real_corpora, keep_faulty=True)
    assert Counter(sex for _, sex in {(u.speaker, u.sex) for u in manifest}) == sexes


def test_the_real_ravdess_holds_one_clip_under_two_names(real_corpora: Path) -> None:
    manifest = read_corpora(["ravdess"], real_corpora).filter(lambda u: u.speaker == "ravdess/07")
    ids: dict[str, list[str]] = {}
    for u in manifest:
        ids.setdefault(hashlib.sha256(manifest.audio_path(u).read_bytes()).hexdigest(), []).append(u.id)
    doubled = [names for names in ids.values() if len(names) > 1]
    assert doubled == [["ravdess/03-01-03-01-02-01-07", "ravdess/03-01-03-01-02-02-07"]]


def test_the_real_emodb_has_its_listeners_verdict_on_every_clip(real_corpora: Path) -> None:
    for u in read_corpora(["emodb"], real_corpora):
        assert 0 <= float(u.extra["recognized"]) <= 100
        assert 0 <= float(u.extra["natural"]) <= 100


def test_the_real_nemo_has_256_clips_of_mp0(real_corpora: Path) -> None:
    assert Counter(u.speaker for u in read_corpora(["nemo"], real_corpora))["nemo/MP0"] == 256


@every_corpus
def test_a_real_clip_can_be_heard(real_corpora: Path, name: str) -> None:
    manifest = read_corpora([name], real_corpora, keep_faulty=True)
    for u in manifest.utterances[:: len(manifest) // 3]:
        samples = load_audio(manifest.audio_path(u), target_rate=16_000)
        assert 0.5 < len(samples) / 16_000 < 10
        assert 0.01 < np.abs(samples).max() <= 1.05  # lossy decoding may overshoot a little


@every_corpus
def test_the_real_corpus_is_recognized(real_corpora: Path, name: str) -> None:
    assert recognize(real_corpora / TITLES[name]) == (name, get_corpus(name).utterances)


@every_corpus
def test_the_real_corpus_has_exactly_the_utterances_of_its_official_list(real_corpora: Path, name: str) -> None:
    official = get_corpus(name).official
    assert official is not None
    manifest = read_corpora([name], real_corpora, keep_faulty=True)
    assert [(u.id, u.speaker, u.emotion) for u in manifest] == sorted((u.id, u.speaker, u.emotion) for u in official())
    assert Counter(u.emotion for u in manifest) == get_corpus(name).counts


def test_one_listener_of_the_real_crema_d_is_the_human_row(real_corpora: Path) -> None:
    crema = {"crema-d": real_corpora / "CREMA-D"}
    if not crema["crema-d"].is_dir():
        pytest.skip(f"needs CREMA-D: there is no folder {crema['crema-d']}")
    found, stated = listeners_of(read_corpora(["crema-d"], crema)), get_corpus("crema-d").human
    assert stated
    for name in ("uar", "uar_low", "uar_high", "wa", "macro_f1", "answers", "utterances", "speakers"):
        assert getattr(found, name) == getattr(stated, name)


def test_the_faulty_clips_of_crema_d_are_left_out_and_counted(real_corpora: Path) -> None:
    crema = {"crema-d": real_corpora / "CREMA-D"}
    if not crema["crema-d"].is_dir():
        pytest.skip(f"needs CREMA-D: there is no folder {crema['crema-d']}")
    whole, kept = read_corpora(["crema-d"], crema, keep_faulty=True), read_corpora(["crema-d"], crema)
    assert {u.id for u in whole} - {u.id for u in kept} == get_corpus("crema-d").faulty
    assert sum(kept.left_out.values()) - sum(whole.left_out.values()) == len(whole) - len(kept) == 14
