import hashlib
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from serkit.audio import load_audio
from serkit.corpora import Corpus, corpus_names, find_corpus, get_corpus, read_corpora
from serkit.errors import CorpusError, UnknownNameError
from serkit.labels import EMOTIONS
from serkit.manifest import Manifest
from serkit.sounds import sound_files
from serkit.types import Utterance
from synthetic import SPEAKERS, TITLES, tone, voice, write_corpus

SYNTHETIC = tuple(SPEAKERS)
every_corpus = pytest.mark.parametrize("name", SYNTHETIC)


def touch(root: Path, *names: str) -> Path:
    """Make empty files: adapters read names, not sound."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def only(name: str, root: Path) -> Utterance:
    """Return the one utterance that the adapter finds."""
    (utterance,) = get_corpus(name).manifest(root)
    return utterance


def by_id(manifest: Manifest) -> dict[str, Utterance]:
    return {u.id: u for u in manifest}


# The registry


def test_the_registry_names_every_corpus_of_the_seed_documents() -> None:
    assert corpus_names() == (
        "afew", "crema-d", "emodb", "enterface", "iemocap", "kaggle-ser-en",
        "nemo", "ravdess", "ravdess-song", "savee", "tess",
    )  # fmt: skip


@every_corpus
def test_a_corpus_maps_its_labels_to_canonical_emotions(name: str) -> None:
    emotions = get_corpus(name).emotions
    assert set(emotions.values()) <= set(EMOTIONS)
    assert len(set(emotions.values())) == len(emotions), "no two labels of these corpora mean the same"


@every_corpus
def test_a_corpus_says_what_a_card_needs(name: str) -> None:
    corpus = get_corpus(name)
    assert corpus.name == name
    assert all(len(language) == 2 for language in corpus.languages)
    assert all((corpus.title, corpus.licence, corpus.citation))
    assert corpus.url.startswith("https://")
    assert not (corpus.commercial and "-NC" in corpus.licence)
    assert not (corpus.derivatives and "-ND" in corpus.licence)


def test_an_unknown_corpus_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^no corpus 'ravdes'; did you mean 'ravdess'\? See 'serkit corpora"):
        get_corpus("ravdes")


# Synthetic trees: what each adapter reads


@every_corpus
def test_every_utterance_is_whole_and_its_file_is_there(corpora_dir: Path, name: str) -> None:
    corpus, root = get_corpus(name), corpora_dir / TITLES[name]
    manifest = corpus.manifest(root)
    assert manifest.problems() == []
    assert manifest.roots == {name: root}
    for u in manifest:
        assert u.corpus == name
        assert u.id.startswith(f"{name}/")
        assert u.speaker.startswith(f"{name}/")
        assert u.language in corpus.languages
        assert u.emotion == corpus.emotions[u.extra["label"]]
        assert u.sentence.startswith(f"{name}/")
        assert "\\" not in u.path
        assert manifest.audio_path(u).is_file()


@every_corpus
def test_every_speaker_speaks_every_emotion(corpora_dir: Path, name: str) -> None:
    manifest = get_corpus(name).manifest(corpora_dir / TITLES[name])
    expected = {"ravdess": 6, "emodb": 4, "tess": 2, "nemo": 3}[name]
    assert manifest.speakers == tuple(sorted(f"{name}/{speaker}" for speaker in SPEAKERS[name][:expected]))
    counts = Counter((u.speaker, u.emotion) for u in manifest)
    assert set(counts.values()) == {2}
    assert len(counts) == len(manifest.speakers) * len(get_corpus(name).emotions)


@every_corpus
def test_utterances_are_sorted_by_id(corpora_dir: Path, name: str) -> None:
    ids = [u.id for u in get_corpus(name).manifest(corpora_dir / TITLES[name])]
    assert ids == sorted(ids)


def test_speakers_of_different_corpora_never_mix(corpora_dir: Path) -> None:
    manifest = read_corpora(SYNTHETIC, corpora_dir)
    assert {"emodb/03", "ravdess/03"} <= set(manifest.speakers)
    assert len(manifest.speakers) == 4 + 3 + 6 + 2


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        (
            "ravdess",
            "Actor_12/03-01-06-02-01-02-12.wav",
            {
                "id": "ravdess/03-01-06-02-01-02-12",
                "speaker": "ravdess/12",
                "sex": "female",
                "language": "en",
                "emotion": "fear",
                "sentence": "ravdess/01",
                "intensity": "strong",
                "extra": {"label": "06", "repetition": "02"},
            },
        ),
        (
            "emodb",
            "wav/03a01Wc.wav",
            {
                "id": "emodb/03a01Wc",
                "speaker": "emodb/03",
                "sex": "male",
                "language": "de",
                "emotion": "anger",
                "sentence": "emodb/a01",
                "extra": {"label": "W", "take": "c"},
            },
        ),
        (
            "tess",
            "YAF_pleasant_surprised/YAF_back_ps.wav",
            {
                "id": "tess/YAF_back_ps",
                "speaker": "tess/YAF",
                "sex": "female",
                "language": "en",
                "emotion": "surprise",
                "sentence": "tess/back",
                "extra": {"label": "ps", "age": "26"},
            },
        ),
        (
            "nemo",
            "samples/SM0_surprised_64.wav",
            {
                "id": "nemo/SM0_surprised_64",
                "speaker": "nemo/SM0",
                "sex": "unknown",
                "language": "pl",
                "emotion": "surprise",
                "sentence": "",
                "extra": {"label": "surprised", "number": "64"},
            },
        ),
    ],
)
def test_a_file_name_says_all_of_this(tmp_path: Path, name: str, file: str, expected: dict[str, Any]) -> None:
    utterance = only(name, touch(tmp_path, file))
    assert utterance.path == file
    assert {attribute: getattr(utterance, attribute) for attribute in expected} == expected
    assert (utterance.start, utterance.end) == (0.0, None)


def test_ravdess_actors_of_odd_number_are_men(tmp_path: Path) -> None:
    manifest = get_corpus("ravdess").manifest(touch(tmp_path, *(f"03-01-01-01-01-01-{n:02}.wav" for n in range(1, 25))))
    assert [u.sex for u in manifest] == ["male", "female"] * 12


@pytest.mark.parametrize(
    "file",
    [
        "02-01-06-01-02-01-12.wav",  # video
        "03-02-06-01-02-01-12.wav",  # song
        "03-01-06-01-02-01-25.wav",
        "03-01-06-01-02-01-00.wav",
        "03-01-06-01-02-01.wav",
        "copy of 03-01-06-01-02-01-12.wav",
    ],
)
def test_a_file_that_is_no_ravdess_speech_is_left_out(tmp_path: Path, file: str) -> None:
    root = touch(tmp_path, file, "03-01-06-01-02-01-12.wav")
    assert only("ravdess", root).id == "ravdess/03-01-06-01-02-01-12"


def test_emodb_men_and_women_are_known(tmp_path: Path) -> None:
    manifest = get_corpus("emodb").manifest(touch(tmp_path, *(f"{s}a01Na.wav" for s in (*SPEAKERS["emodb"], "17"))))
    sexes = {u.speaker.removeprefix("emodb/"): u.sex for u in manifest}
    assert {speaker for speaker, sex in sexes.items() if sex == "male"} == {"03", "10", "11", "12", "15"}
    assert {speaker for speaker, sex in sexes.items() if sex == "female"} == {"08", "09", "13", "14", "16"}
    assert sexes["17"] == "unknown"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_the_listeners_table_of_emodb_is_read_in_either_encoding(
    emodb_dir: Path, tmp_path: Path, encoding: str
) -> None:
    table = (emodb_dir / "erkennung.txt").read_bytes()
    assert b"\xa0" in table
    assert b"97,50" in table
    root = touch(tmp_path, "wav/03a01Wa.wav")
    (root / "erkennung.txt").write_bytes(table.decode("latin-1").encode(encoding))
    extra = only("emodb", root).extra
    assert (extra["recognised"], extra["natural"]) == ("97.50", "65.00")


def test_emodb_without_its_table_is_read_without_the_listeners(tmp_path: Path) -> None:
    assert set(only("emodb", touch(tmp_path, "03a01Wa.wav")).extra) == {"label", "take"}


def test_a_clip_that_the_listeners_table_lacks_is_read_without_it(emodb_dir: Path, tmp_path: Path) -> None:
    root = touch(tmp_path, "wav/16b10Wf.wav")
    shutil.copy(emodb_dir / "erkennung.txt", root)
    assert set(only("emodb", root).extra) == {"label", "take"}


def test_the_nemo_table_gives_sex_age_and_sentence(corpora_dir: Path) -> None:
    manifest = get_corpus("nemo").manifest(corpora_dir / TITLES["nemo"])
    assert {u.sex for u in manifest} == {"female"}
    assert {u.extra["age"] for u in manifest} == {"27"}
    assert {u.sentence for u in manifest} == {"nemo/ćwiczę zdanie 1", "nemo/ćwiczę zdanie 2"}


def test_another_table_of_the_name_of_nemos_is_refused(tmp_path: Path) -> None:
    root = touch(tmp_path, "SM0_anger_1.wav")
    (root / "data.tsv").write_text("file_id\ttext\nSM0_anger_1.wav\thello\n")
    with pytest.raises(CorpusError, match=r"data\.tsv' is not nEMO's table: it has no column 'normalized_text'"):
        get_corpus("nemo").manifest(root)


def test_a_short_row_of_the_nemo_table_leaves_its_cells_unknown(tmp_path: Path) -> None:
    root = touch(tmp_path, "SM0_anger_1.wav")
    (root / "data.tsv").write_text("file_id\tnormalized_text\tgender\tage\nSM0_anger_1.wav\tzdanie\n")
    utterance = only("nemo", root)
    assert (utterance.sentence, utterance.sex) == ("nemo/zdanie", "unknown")


# The oddities of real releases


def test_the_tess_file_named_oa_belongs_to_oaf(tmp_path: Path) -> None:
    utterance = only("tess", touch(tmp_path, "OAF_neutral/OA_bite_neutral.wav"))
    assert (utterance.id, utterance.speaker, utterance.extra["age"]) == ("tess/OA_bite_neutral", "tess/OAF", "64")


def test_both_spellings_of_the_tess_folders_are_read(corpora_dir: Path) -> None:
    manifest = get_corpus("tess").manifest(corpora_dir / TITLES["tess"])
    folders = {Path(u.path).parent.name: u.emotion for u in manifest}
    assert folders["OAF_Pleasant_surprise"] == folders["YAF_pleasant_surprised"] == "surprise"
    assert folders["OAF_Fear"] == folders["YAF_fear"] == "fear"
    assert len(folders) == 14


def test_tess_ids_are_the_official_ones_in_any_case(tmp_path: Path) -> None:
    root = touch(tmp_path, "oaf_back_ANGRY.WAV", "copy/OAF_back_angry.wav")
    utterance = only("tess", root)
    assert (utterance.id, utterance.sentence) == ("tess/OAF_back_angry", "tess/back")


@every_corpus
@pytest.mark.parametrize("layout", ["flat", "nested"])
def test_a_release_is_found_flat_or_nested(corpora_dir: Path, tmp_path: Path, name: str, layout: str) -> None:
    source = corpora_dir / TITLES[name]
    official = get_corpus(name).manifest(source)
    if layout == "nested":
        shutil.copytree(source, tmp_path / "archive" / "more")
    else:
        for path in (*(source / path for path in sound_files(source)), *source.glob("*.t*")):
            shutil.copy(path, tmp_path)
    found = get_corpus(name).manifest(tmp_path)
    assert found.digest == official.digest
    assert [u.extra for u in found] == [u.extra for u in official]


@every_corpus
def test_a_release_that_holds_every_file_twice_is_read_once(corpora_dir: Path, tmp_path: Path, name: str) -> None:
    source = corpora_dir / TITLES[name]
    shutil.copytree(source, tmp_path / "first")
    shutil.copytree(source, tmp_path / "second")
    manifest = get_corpus(name).manifest(tmp_path)
    assert manifest.digest == get_corpus(name).manifest(source).digest
    assert {Path(u.path).parts[0] for u in manifest} == {"first"}


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


@pytest.fixture
def link(tmp_path: Path) -> Any:
    """Make a link, or skip where the system lets nobody."""

    def make(at: Path, to: Path) -> None:
        try:
            at.symlink_to(to, target_is_directory=to.is_dir())
        except OSError as error:
            pytest.skip(f"no symbolic links here: {error}")

    return make


def test_links_to_folders_and_files_are_followed(tmp_path: Path, link: Any) -> None:
    store = touch(tmp_path / "store", "wav/03a01Wa.wav", "08a01Wa.wav")
    (tmp_path / "EmoDB").mkdir()
    link(tmp_path / "EmoDB" / "wav", store / "wav")
    link(tmp_path / "EmoDB" / "08a01Wa.wav", store / "08a01Wa.wav")
    assert list(by_id(get_corpus("emodb").manifest(tmp_path / "EmoDB"))) == ["emodb/03a01Wa", "emodb/08a01Wa"]


def test_a_link_to_the_whole_corpus_is_followed(emodb_dir: Path, tmp_path: Path, link: Any) -> None:
    link(tmp_path / "emo-db", emodb_dir)
    assert read_corpora(["emodb"], tmp_path).digest == get_corpus("emodb").manifest(emodb_dir).digest


def test_a_loop_of_links_ends(tmp_path: Path, link: Any) -> None:
    root = touch(tmp_path, "wav/03a01Wa.wav")
    link(root / "wav" / "loop", root)
    link(root / "wav" / "self", root / "wav" / "self")
    assert [path.name for path in sound_files(root)] == ["03a01Wa.wav"]
    assert only("emodb", root).path == "wav/03a01Wa.wav"


def test_a_link_to_nowhere_is_a_problem_of_the_manifest(tmp_path: Path, link: Any) -> None:
    link(tmp_path / "03a01Wa.wav", tmp_path / "gone.wav")
    assert get_corpus("emodb").manifest(tmp_path).problems() == ["emodb/03a01Wa: no file 03a01Wa.wav"]


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


@every_corpus
def test_the_folder_of_another_corpus_is_refused(corpora_dir: Path, name: str) -> None:
    for other in SYNTHETIC:
        if other != name:
            with pytest.raises(CorpusError, match=f"no {TITLES[name]} in .*: none of its .* has this corpus's form"):
                get_corpus(name).manifest(corpora_dir / TITLES[other])
            with pytest.raises(CorpusError, match=rf"; \d+ have that of {TITLES[other]} \({other}\)\."):
                read_corpora([name], {name: corpora_dir / TITLES[other]})


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CorpusError, match=r"cannot list '.*': Permission denied\."):
        list(sound_files(tmp_path))


# Finding a corpus


@every_corpus
def test_a_folder_is_found_by_any_of_its_names_in_any_case(tmp_path: Path, name: str) -> None:
    corpus = get_corpus(name)
    for number, alias in enumerate((name, corpus.title, *corpus.folders)):
        for spelt in (alias, alias.upper(), alias.lower(), alias.title()):
            folder = tmp_path / f"{number}{spelt}" / spelt
            folder.mkdir(parents=True, exist_ok=True)
            assert find_corpus(name, folder.parent) == folder
            assert find_corpus(name, str(folder.parent)) == folder


def test_the_other_folders_of_a_data_folder_are_not_mistaken(tmp_path: Path) -> None:
    for folder in ("EmoDB-old", "not emodb", ".emodb"):
        (tmp_path / folder).mkdir()
    (tmp_path / "emodb").touch()
    with pytest.raises(CorpusError, match=r"no folder for EmoDB in .* \(looked for emo-db, emodb, emodb2\.0, in any"):
        find_corpus("emodb", tmp_path)


def test_a_missing_data_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no data folder '.*gone'"):
        find_corpus("emodb", tmp_path / "gone")


def test_folders_can_be_given_by_name(emodb_dir: Path, ravdess_dir: Path) -> None:
    data = {"emodb": emodb_dir, "ravdess": ravdess_dir}
    assert find_corpus("emodb", data) == emodb_dir
    assert len(read_corpora(["ravdess", "emodb"], data)) == 96 + 56


def test_a_name_without_a_folder_is_refused_with_the_option_that_gives_it(emodb_dir: Path) -> None:
    with pytest.raises(CorpusError, match="no folder given for TESS; pass --data tess=DIR"):
        find_corpus("tess", {"emodb": emodb_dir})


def test_an_unknown_corpus_is_not_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="'emodb'"):
        find_corpus("emodbs", tmp_path)


def test_a_missing_corpus_is_found_out_before_any_is_read(
    emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object) -> None:
        pytest.fail("read before the missing corpus was found out")

    monkeypatch.setattr(Corpus, "manifest", read)
    with pytest.raises(CorpusError, match="TESS"):
        read_corpora(["emodb", "tess"], {"emodb": emodb_dir})


def test_corpora_are_joined_in_the_order_asked_for(corpora_dir: Path) -> None:
    assert read_corpora(["tess", "emodb"], corpora_dir).corpora == ("tess", "emodb")


# The synthetic corpora themselves: other tests stand on these claims


def test_synthetic_clips_are_the_same_in_every_run(tmp_path: Path) -> None:
    one = write_corpus("emodb", tmp_path / "one", speakers=["08"], per_class=1)
    two = write_corpus("emodb", tmp_path / "two", speakers=2, per_class=2)
    for path in sound_files(one):
        assert (one / path).read_bytes() == (two / path).read_bytes()


def test_synthetic_emotions_of_unheard_speakers_can_be_told_apart(ravdess_dir: Path) -> None:
    manifest = get_corpus("ravdess").manifest(ravdess_dir)

    def colour(u: Utterance) -> np.ndarray:
        samples = load_audio(manifest.audio_path(u), target_rate=16_000)
        power = np.abs(np.fft.rfft(samples[:6400].reshape(-1, 400), axis=1)) ** 2  # (frames, 40 Hz bins)
        bands = np.log(power.mean(axis=0)[:200].reshape(25, 8).sum(axis=1) + 1e-6)
        return bands - bands.mean()

    heard = [(u.emotion, colour(u)) for u in manifest if u.speaker != "ravdess/06"]
    centres = {e: np.mean([c for emotion, c in heard if emotion == e], axis=0) for e in {e for e, _ in heard}}
    unheard = [u for u in manifest if u.speaker == "ravdess/06"]
    right = sum(u.emotion == min(centres, key=lambda e: np.linalg.norm(centres[e] - colour(u))) for u in unheard)
    assert right >= 0.9 * len(unheard)


def test_synthetic_clips_are_short_and_within_full_scale() -> None:
    for emotion in EMOTIONS:
        samples = voice(emotion, "ravdess/01", name="a")
        assert 0.4 * 16_000 <= len(samples) <= 0.8 * 16_000
        assert 0.1 < np.abs(samples).max() < 1


# The real corpora


@every_corpus
def test_the_real_corpus_is_read_whole(real_corpora: Path, name: str) -> None:
    corpus = get_corpus(name)
    manifest = read_corpora([name], real_corpora)
    assert len(manifest) == corpus.utterances
    assert len(manifest.speakers) == corpus.speakers
    assert {u.emotion for u in manifest} == set(corpus.emotions.values())
    assert {u.sex for u in manifest} <= {"male", "female"}
    assert all(u.sentence for u in manifest)
    assert manifest.problems() == []


@every_corpus
def test_ids_of_the_real_corpus_are_its_file_names(real_corpora: Path, name: str) -> None:
    for u in read_corpora([name], real_corpora):
        assert u.id == f"{name}/{Path(u.path).stem}"


@pytest.mark.parametrize(
    ("name", "sexes"),
    [
        ("ravdess", {"male": 12, "female": 12}),
        ("emodb", {"male": 5, "female": 5}),
        ("tess", {"female": 2}),
        ("nemo", {"male": 5, "female": 4}),
    ],
)
def test_the_real_speakers_have_their_known_sex(real_corpora: Path, name: str, sexes: dict[str, int]) -> None:
    manifest = read_corpora([name], real_corpora)
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
        assert 0 <= float(u.extra["recognised"]) <= 100
        assert 0 <= float(u.extra["natural"]) <= 100


def test_the_real_nemo_has_256_clips_of_mp0(real_corpora: Path) -> None:
    assert Counter(u.speaker for u in read_corpora(["nemo"], real_corpora))["nemo/MP0"] == 256


@every_corpus
def test_a_real_clip_can_be_heard(real_corpora: Path, name: str) -> None:
    manifest = read_corpora([name], real_corpora)
    for u in manifest.utterances[:: len(manifest) // 3]:
        samples = load_audio(manifest.audio_path(u), target_rate=16_000)
        assert 0.5 < len(samples) / 16_000 < 10
        assert 0.01 < np.abs(samples).max() <= 1.05  # lossy decoding may overshoot a little
