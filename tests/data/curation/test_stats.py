import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from scipy.signal import lfilter

from serkit.audio.decode import resample
from serkit.data.corpora import read_corpora
from serkit.data.curation.loudness import loudness
from serkit.data.curation.stats import CorpusStats, Quartiles, describe, tables
from serkit.data.manifest import Manifest
from serkit.errors import ManifestError
from serkit.progress import Progress
from serkit.types import Utterance
from support.synthetic import tone, voice

Wave = NDArray[np.floating[Any]]
RATE = 16_000


# Loudness


def sines(*parts: tuple[float, float], frequency: float = 1_000, rate: int = 48_000) -> Wave:
    """Sines one after another, each of a level in dBFS and seconds."""
    return np.concatenate(
        [10 ** (level / 20) * tone(frequency, seconds=seconds, rate=rate, peak=1) for level, seconds in parts]
    )


@pytest.mark.parametrize("rate", [RATE, 22_050, 44_100, 48_000, 96_000])
def test_a_full_scale_sine_of_997_hz_is_3_01_below_full_scale_at_every_rate(rate: int) -> None:
    assert loudness(sines((0, 3), frequency=997, rate=rate), sampling_rate=rate) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize(
    ("parts", "stereo"),
    [
        ([(-23, 20)], -23),
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_the_broadcasters_test_signals_measure_as_they_should(parts: list[tuple[float, float]], stereo: float) -> None:
    """EBU Tech 3341, cases 1 to 5, within its 0.1 LU; one channel of two is 3.01 LU below both."""
    assert loudness(sines(*parts), sampling_rate=48_000) == pytest.approx(stereo - 3.01, abs=0.1)


def by_the_book(samples: Wave) -> float:
    """BS.1770-4 at 48 kHz, block by block, with scipy's filters."""
    head = lfilter(
        [1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585], samples
    )
    weighted = lfilter([1, -2, 1], [1, -1.99004745483398, 0.99007225036621], head)
    powers = np.array([np.mean(weighted[i : i + 19_200] ** 2) for i in range(0, len(weighted) - 19_199, 4_800)])
    powers = powers[-0.691 + 10 * np.log10(powers) > -70]
    gate = -0.691 + 10 * np.log10(powers.mean()) - 10
    return float(-0.691 + 10 * np.log10(powers[-0.691 + 10 * np.log10(powers) > gate].mean()))


def test_it_is_what_the_standards_filters_give_on_a_changing_sound() -> None:
    random = np.random.default_rng(0)
    swell = 10 ** (np.interp(np.arange(7 * 48_000), np.arange(15) * 24_000, random.uniform(-4, 0, 15)))
    sound = 0.2 * random.standard_normal(len(swell)) * swell + 0.05
    assert loudness(sound, sampling_rate=48_000) == pytest.approx(by_the_book(sound), abs=1e-4)


def test_resampling_does_not_change_it() -> None:
    sound = voice("anger", "s", seconds=3)
    assert loudness(resample(sound, RATE, 48_000), sampling_rate=48_000) == pytest.approx(
        loudness(sound, sampling_rate=RATE), abs=0.02
    )


def test_twice_the_amplitude_is_six_more_and_pauses_count_little() -> None:
    sound = voice("anger", "s", seconds=3)
    level = loudness(sound, sampling_rate=RATE)
    assert loudness(2 * sound, sampling_rate=RATE) == pytest.approx(level + 6.02, abs=0.01)
    padded = np.pad(sound, 3 * RATE)
    assert loudness(padded, sampling_rate=RATE) == pytest.approx(level, abs=1)


@pytest.mark.parametrize("sound", [np.zeros(RATE), np.zeros(5), np.zeros(0), np.full(RATE, 1e-6)])
def test_silence_has_no_loudness(sound: Wave) -> None:
    assert loudness(sound, sampling_rate=RATE) == -np.inf


def test_less_than_a_block_is_measured_as_one() -> None:
    short = tone(1_000, seconds=0.2, peak=1)
    assert loudness(short, sampling_rate=RATE) == pytest.approx(-3.01, abs=0.2)


# Describing


def utterance(name: str, **changes: Any) -> Utterance:
    corpus = changes.get("corpus", "toy")
    made = Utterance(
        id=f"{corpus}/{name}", path=f"{name}.wav", corpus=corpus, speaker=f"{corpus}/a", emotion="anger", sex="female"
    )
    return replace(made, **changes)


@pytest.fixture
def toy(tmp_path: Path) -> Manifest:
    """Two speakers of corpus toy, one of corpus other; a broken file and a missing one."""
    sounds = {
        "high": (tone(300, seconds=1), RATE),
        "low": (tone(120, seconds=2), RATE),
        "silent": (np.zeros(RATE), RATE),
        "fast": (np.tile(tone(200, seconds=3, rate=48_000), (2, 1)).T, 48_000),
    }
    for name, (sound, rate) in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", sound, rate)
    (tmp_path / "broken.wav").write_bytes(b"RIFFnothing")
    rows = (
        utterance("low", speaker="toy/b", sex="male", emotion="sadness"),
        utterance("high"),
        utterance("silent"),
        utterance("broken"),
        utterance("fast", corpus="other", sex="unknown"),
        utterance("missing", corpus="other"),
    )
    return Manifest(rows, {"toy": tmp_path, "other": tmp_path})


def test_each_clip_is_measured(toy: Manifest) -> None:
    low, high, silent, fast = describe(toy).clips
    assert [low.id, high.id, silent.id, fast.id] == ["toy/low", "toy/high", "toy/silent", "other/fast"]
    assert (low.duration, high.duration, fast.duration) == (2, 1, 3)
    assert (low.sampling_rate, fast.sampling_rate) == (RATE, 48_000)
    assert low.pitch == pytest.approx(120, rel=0.005)
    assert high.pitch == pytest.approx(300, rel=0.005)
    assert fast.pitch == pytest.approx(200, rel=0.005)
    assert high.loudness == pytest.approx(-9.03 - 0.67, abs=0.3)  # half scale; the weighting has -0.67 dB at 300 Hz
    assert (silent.loudness, silent.pitch) == (None, None)


def test_what_cannot_be_read_is_named_with_its_reason_and_stops_nothing(toy: Manifest) -> None:
    broken, missing = describe(toy).unreadable
    assert (broken.id, broken.corpus, broken.path) == ("toy/broken", "toy", "broken.wav")
    assert "broken.wav" in broken.reason
    assert "no file" in missing.reason


def test_parts_of_a_shared_file_are_cut_out(tmp_path: Path) -> None:
    both = np.concatenate([tone(100, seconds=1), tone(400, seconds=2)])
    soundfile.write(tmp_path / "dialogue.wav", both, RATE)
    turns = (
        utterance("1", path="dialogue.wav", end=1.0),
        utterance("2", path="dialogue.wav", start=1.0),
        utterance("3", path="dialogue.wav", start=4.0, end=5.0),
    )
    stats = describe(Manifest(turns, {"toy": tmp_path}))
    assert [clip.duration for clip in stats.clips] == [1, 2]
    assert [clip.pitch for clip in stats.clips] == pytest.approx([100, 400], rel=0.005)
    assert stats.unreadable[0].reason == "dialogue.wav holds no audio between 4.0 and 5.0 s."


def test_the_number_of_threads_does_not_matter(corpora_dir: Path) -> None:
    manifest = read_corpora(["ravdess", "emodb"], corpora_dir)
    assert describe(manifest, jobs=1) == describe(manifest, jobs=4)


def test_a_corpus_without_a_root_is_refused(toy: Manifest) -> None:
    with pytest.raises(ManifestError, match="no folder is known"):
        describe(replace(toy, roots={}))


def test_an_empty_manifest_has_empty_stats() -> None:
    stats = describe(Manifest(()))
    assert (stats.clips, stats.emotions, tables(stats)) == ((), (), ())


def test_progress_counts_every_utterance(toy: Manifest) -> None:
    seen: list[Progress] = []
    describe(toy, on_progress=seen.append)
    done = [progress.done for progress in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total == len(toy)


# Groups and tables


def test_groups_hold_what_their_clips_hold(toy: Manifest) -> None:
    first, second = describe(toy).by("corpus")
    assert (first.corpus, first.clips, first.seconds) == ("toy", 3, 4)
    assert dict(first.emotions) == {"anger": 2, "sadness": 1}
    assert dict(first.speakers) == {"female": 1, "male": 1}
    assert first.duration == Quartiles(1, 1, 1, 1.5, 2)
    assert list(first.pitch) == ["female", "male"]
    assert dict(second.sampling_rates) == {48_000: 1}
    assert list(second.pitch) == ["unknown"]


def test_groups_agree_with_the_manifest(corpora_dir: Path) -> None:
    manifest = read_corpora(["ravdess", "emodb"], corpora_dir)
    stats = describe(manifest)
    classes = Counter((u.corpus, u.emotion) for u in manifest)
    speakers = Counter(u.speaker for u in manifest)
    assert {(group.corpus, group.name): group.clips for group in stats.by("emotion")} == classes
    assert {group.name: group.clips for group in stats.by("speaker")} == speakers
    assert [group.corpus for group in stats.by("corpus")] == ["ravdess", "emodb"]


def test_a_corpus_of_which_nothing_can_be_read_is_still_there(toy: Manifest) -> None:
    stats = describe(toy.filter(lambda u: u.path in ("high.wav", "missing.wav")))
    nothing = stats.by("corpus")[1]
    assert (nothing.corpus, nothing.clips, nothing.duration, dict(nothing.pitch)) == ("other", 0, None, {})
    assert tables(stats)[0].rows[1][:3] == ("other", "0", "1")


def test_json_takes_it_without_nan(toy: Manifest) -> None:
    read = json.loads(json.dumps(describe(toy).to_json(), allow_nan=False))
    assert list(read) == ["corpora", "classes", "speakers", "unreadable"]
    assert read["corpora"][0]["emotions"] == {"anger": 2, "sadness": 1}
    assert read["corpora"][1]["sampling_rates"] == {"48000": 1}
    assert [row["name"] for row in read["speakers"]] == ["toy/a", "toy/b", "other/a"]
    assert [row["id"] for row in read["unreadable"]] == ["toy/broken", "other/missing"]


def test_tables_have_a_cell_for_every_column(toy: Manifest) -> None:
    shown = {table.title: table for table in tables(describe(toy))}
    assert len(shown) == 5
    assert all(len(row) == len(table.columns) for table in shown.values() for row in table.rows)
    assert shown["Clips per class"].columns == ("emotion", "toy", "other")
    assert shown["Clips per class"].rows == (("anger", "2 (67 %)", "1 (100 %)"), ("sadness", "1 (33 %)", "0"))
    assert shown["Clips per speaker and class"].rows[1] == ("toy/b", "0", "1")
    speakers = shown["Speakers: medians over clips"]
    assert speakers.rows[1] == ("toy/b", "male", "1", "2.0", speakers.rows[1][4], "120")


def test_columns_of_a_sex_that_nobody_has_are_left_out(toy: Manifest) -> None:
    headings = tables(describe(toy.filter(lambda u: u.sex == "male")))[0].columns
    assert [heading for heading in headings if heading.startswith("f0")] == ["f0 male, Hz"]


# Real voices


@pytest.mark.parametrize("corpus", ["emodb", "ravdess"])
def test_every_real_woman_speaks_higher_than_every_man(real_corpora: Path, corpus: str) -> None:
    """By the medians of eight clips each; over all clips EmoDB has 130 to 167 and 212 to 234 Hz."""
    manifest = read_corpora([corpus], real_corpora)
    taken: Counter[str] = Counter()
    ids = []
    for u in sorted(manifest, key=lambda u: (u.emotion != "neutral", u.id)):
        if taken[u.speaker] < 8:
            taken[u.speaker] += 1
            ids.append(u.id)
    stats: CorpusStats = describe(manifest.subset(ids))
    medians = {sex: [g.pitch[sex].median for g in stats.by("speaker") if sex in g.pitch] for sex in ("female", "male")}
    assert len(medians["female"]) == len(medians["male"]) > 0
    assert max(medians["male"]) < min(medians["female"])
