"""The pure parts of ``benchmarks/recording_format.py``, on synthetic data."""

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from sklearn.metrics import recall_score, roc_auc_score

FOLDER = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(FOLDER))
try:
    from _banglaser import Clips
    from _over_speakers import auc_within, difference, mean_score, pooled_auc, pooled_uar
    from _pauses import (
        FRAME,
        RATE,
        before_speech,
        cut_out,
        equalized,
        levels_db,
        masked,
        noise_like,
        pauses,
        rows_of,
        silenced,
    )
    from _source_formats import (
        ClipOfSpeaker,
        SourceFormat,
        formats_of_files,
        group_of,
        group_speakers,
        read_formats,
    )
    from recording_format import change_noise, permuted, trainings
finally:
    sys.path.remove(str(FOLDER))

MONO, STEREO, FAST = SourceFormat(44_100, 1), SourceFormat(44_100, 2), SourceFormat(48_000, 2)


def talk(rng: np.random.Generator, *, noise: float = 1e-4) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A second of noise, a second of a loud tone and a second of noise, with the probabilities of speech."""
    samples = noise * rng.standard_normal(3 * RATE)
    samples[RATE : 2 * RATE] += 0.3 * np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    speech = np.zeros(3 * RATE // FRAME)
    speech[50:100] = 0.99
    return samples.astype(np.float32), speech.astype(np.float32)


@pytest.mark.parametrize(
    ("neutral", "others", "group"),
    [
        ([STEREO, STEREO], [MONO, FAST], "differs"),
        ([STEREO, FAST], [MONO], "differs"),
        ([STEREO], [STEREO, STEREO], "same"),
        ([STEREO], [STEREO, MONO], "mixed"),
        ([STEREO, FAST], [FAST], "mixed"),
        ([], [MONO, STEREO], "no neutral"),
    ],
)
def test_a_speaker_differs_only_if_no_other_clip_has_a_format_of_neutral(
    neutral: list[SourceFormat], others: list[SourceFormat], group: str
) -> None:
    assert group_of(neutral, others) == group


def test_each_speaker_is_grouped_by_the_own_clips() -> None:
    clips = [
        ClipOfSpeaker("b", True, STEREO), ClipOfSpeaker("b", False, MONO), ClipOfSpeaker("a", True, MONO),
        ClipOfSpeaker("a", False, MONO), ClipOfSpeaker("c", False, FAST),
    ]  # fmt: skip
    assert group_speakers(clips) == {"a": "same", "b": "differs", "c": "no neutral"}


def test_formats_are_read_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "formats.csv"
    table.write_text("clip,source_sampling_rate,source_channels,duration\nx-1,44100,2,3.1\nx-2,48000,1,3.0\n")
    assert read_formats(table) == {"x-1": STEREO, "x-2": SourceFormat(48_000, 1)}


def test_formats_are_read_from_the_headers_of_original_files(tmp_path: Path) -> None:
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    soundfile.write(paths[0], np.zeros((10, 2)), 44_100)
    soundfile.write(paths[1], np.zeros(10), 44_100)
    assert formats_of_files(paths) == {"a": STEREO, "b": MONO}


def test_converted_files_do_not_pass_for_original_ones(tmp_path: Path) -> None:
    paths = [tmp_path / "a.wav", tmp_path / "b.wav", tmp_path / "c.flac"]
    for path in paths:
        soundfile.write(path, np.zeros(10), 16_000)
    with pytest.raises(ValueError, match="were converted"):
        formats_of_files(paths[:2])
    with pytest.raises(ValueError, match="not an original WAV file"):
        formats_of_files(paths)


def test_pauses_keep_100_ms_off_speech_and_take_all_the_rest() -> None:
    samples, speech = talk(np.random.default_rng(0))
    assert np.flatnonzero(~pauses(samples, speech)).tolist() == list(range(45, 105))


def test_clicks_breaths_and_undetected_speech_are_no_pauses() -> None:
    samples, speech = talk(np.random.default_rng(0))
    samples[10 * FRAME : 12 * FRAME] += 0.01  # an offset is no sound
    samples[20 * FRAME : 21 * FRAME] *= 10  # 20 dB above the other pauses
    samples[120 * FRAME : 125 * FRAME] = samples[60 * FRAME : 65 * FRAME]  # as loud as the speech
    speech[140] = 0.2
    kept = pauses(samples, speech)
    assert kept[[10, 11]].all()
    assert not kept[20]
    assert not kept[120:125].any()
    assert not kept[135:146].any()
    assert kept[[19, 21, 119, 126, 134, 146]].all()


def test_a_clip_as_noisy_as_its_speech_has_no_pauses() -> None:
    samples, speech = talk(np.random.default_rng(0), noise=0.05)
    assert not pauses(samples, speech).any()
    assert pauses(samples[:0], speech[:0]).shape == (0,)


def test_nothing_after_the_first_word_is_before_speech() -> None:
    samples, speech = talk(np.random.default_rng(0))
    assert np.flatnonzero(before_speech(pauses(samples, speech), speech)).tolist() == list(range(45))


def test_rows_of_a_spectrogram_are_those_of_the_kept_frames() -> None:
    logmel = np.arange(11.0)[:, None]  # hop of 10 ms, one row more than two for each frame
    kept = np.array([True, False, False, True, False])
    assert rows_of(logmel, kept).ravel().tolist() == [0, 1, 6, 7]


def test_silence_in_pauses_changes_no_speech() -> None:
    samples, speech = talk(np.random.default_rng(0))
    kept = pauses(samples, speech)
    quiet = silenced(samples, kept)
    outside = np.repeat(~kept, FRAME)
    np.testing.assert_array_equal(quiet[outside], samples[outside])
    assert not quiet[FRAME : 44 * FRAME].any()
    assert np.abs(np.diff(quiet[: 46 * FRAME])).max() < 1e-3  # no click


def test_noise_has_the_level_and_the_spectrum_of_the_pause() -> None:
    rng = np.random.default_rng(0)
    pause = np.convolve(1e-3 * rng.standard_normal(RATE), np.ones(8) / 8, "same").astype(np.float32)
    noise = noise_like(pause, 4 * RATE, rng)
    assert noise.shape == (4 * RATE,)
    assert 10 * np.log10(np.var(noise) / np.var(pause)) == pytest.approx(0, abs=0.5)
    low, high = (
        [np.abs(np.fft.rfft(x, RATE))[a:b].mean() for x in (pause, noise[:RATE])] for a, b in ((50, 500), (4000, 8000))
    )
    assert low[0] / high[0] == pytest.approx(low[1] / high[1], rel=0.2)


def test_noise_of_digital_silence_is_silence() -> None:
    assert not noise_like(np.zeros(RATE, np.float32), 100, np.random.default_rng(0)).any()


def test_cut_out_pauses_are_the_samples_of_the_kept_frames() -> None:
    samples = np.arange(3 * FRAME + 7, dtype=np.float32)
    found = cut_out(samples, np.array([True, False, True]))
    np.testing.assert_array_equal(found, [*range(FRAME), *range(2 * FRAME, 3 * FRAME)])


def test_masking_noise_has_its_level_below_the_clip() -> None:
    samples, _ = talk(np.random.default_rng(0), noise=0)
    noise = masked(samples, np.random.default_rng(0), snr_db=20) - samples
    assert 10 * np.log10(np.var(samples) / np.var(noise)) == pytest.approx(20, abs=0.1)


def test_equalized_clips_of_two_channels_are_alike() -> None:
    clip = (0.1 * np.random.default_rng(0).standard_normal(2 * RATE)).astype(np.float32)
    dull = np.convolve(clip, [0.2, 0.6, 0.2], "same").astype(np.float32)
    one, other = equalized(clip), equalized(0.1 * dull)
    assert np.var(one - other) < 0.01 * np.var(one)
    assert np.var(clip / clip.std() - dull / dull.std()) > 0.1


def test_level_of_a_full_scale_sine_is_minus_3_db() -> None:
    sine = np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)
    np.testing.assert_allclose(levels_db(sine), -3.01, atol=0.01)


def test_areas_under_the_curve_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 6, 60).astype(float), rng.random(60) < 0.4
    speakers = np.repeat(["a", "b", "c"], 20)
    each = [roc_auc_score(truth[speakers == name], scores[speakers == name]) for name in "abc"]
    np.testing.assert_allclose(auc_within(scores, truth, speakers), each, atol=1e-12)
    assert pooled_auc(scores, truth, speakers).value == pytest.approx(100 * roc_auc_score(truth, scores))


def test_a_speaker_with_one_kind_of_clips_has_no_area_of_the_own() -> None:
    scores, truth = np.arange(4.0), np.array([False, True, True, True])
    assert auc_within(scores, truth, np.array(["a", "a", "b", "b"])).tolist() == [1.0]


def test_pooled_recall_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 3, 90), rng.integers(0, 3, 90)
    expected = 100 * recall_score(truth, found, average="macro")
    score = pooled_uar(found, truth, np.repeat([f"{n}" for n in range(9)], 10))
    assert score.value == pytest.approx(expected)
    assert score.low < score.value < score.high


def test_intervals_hold_the_mean_and_shrink_with_equal_speakers() -> None:
    rng = np.random.default_rng(0)
    some = mean_score(rng.random(12))
    assert some.low < some.value < some.high
    assert mean_score([0.5] * 8) == (50, 50, 50)


def test_a_clear_difference_of_two_groups_excludes_zero() -> None:
    rng = np.random.default_rng(0)
    apart = difference(0.8 + 0.05 * rng.standard_normal(11), 0.5 + 0.05 * rng.standard_normal(9))
    assert 20 < apart.low < apart.value < apart.high < 40
    alike = difference([0.4, 0.5, 0.6, 0.5, 0.4, 0.6], [0.5, 0.4, 0.6, 0.6, 0.4, 0.5])
    assert alike.low < 0 < alike.high


def two_emotions(speakers: str, groups: list[str]) -> Clips:
    """Four clips of each speaker, in the order anger, sadness, neutral, neutral; one fold tests the first speaker."""
    count = 4 * len(speakers)
    return Clips(
        names=tuple(map(str, range(count))),
        speakers=np.repeat(list(speakers), 4),
        emotions=np.tile([0, 2, 1, 1], len(speakers)),
        sentences=np.repeat(["1"], count),
        groups=np.repeat(groups, 4),
        sources=np.tile([44_100, 1], (count, 1)),
        folds=((np.arange(8, count), np.arange(4, 8), np.arange(4)),),
        classes=("anger", "neutral", "sadness"),
    )


def test_permuted_labels_keep_each_speakers_numbers() -> None:
    clips = two_emotions("abcd", ["same"] * 4)
    usable = np.arange(16) != 2  # one neutral clip of a does not count
    found = permuted(clips.is_neutral, clips.speakers, usable, np.random.default_rng(0))
    assert [found[usable & (clips.speakers == name)].sum() for name in "abcd"] == [1, 2, 2, 2]
    assert found.tolist() != clips.is_neutral.tolist()


def test_neutral_clips_get_the_noise_of_other_emotions_and_the_control_does_not() -> None:
    rng = np.random.default_rng(0)
    clips = two_emotions("ab", ["same", "same"])
    levels = np.where(clips.is_neutral, 1e-4, 1e-2) * np.where(clips.speakers == "a", 1, 3)
    waveforms = [(level * rng.standard_normal(RATE)).astype(np.float32) for level in levels]
    changed = change_noise(clips, waveforms, [np.ones(RATE // FRAME, bool)] * 8)
    added = {
        name: np.array([np.std(new - old) for new, old in zip(some, waveforms, strict=True)])
        for name, some in changed.items()
    }
    neutral, own = clips.is_neutral, np.where(clips.speakers == "a", 1, 3)
    lent = added["neutral with noise of other emotions"]
    np.testing.assert_allclose(lent[neutral], 1e-2 * own[neutral], rtol=0.05)
    assert not lent[~neutral].any()
    control = next(some for name, some in added.items() if name.startswith("control"))
    np.testing.assert_allclose(control, levels, rtol=0.05)
    assert not added["as they are"].any()


def test_speakers_left_out_of_training_are_still_tested() -> None:
    clips = two_emotions("abcdef", ["differs", "same", "differs", "same", "mixed", "no neutral"])
    found = trainings(clips)
    train, validation, test = found["without the differing"].folds[0]
    assert set(clips.speakers[train]) == {"d", "e", "f"}
    assert set(clips.speakers[validation]) == {"b"}
    assert set(clips.speakers[test]) == {"a"}
    others = [set(clips.speakers[np.concatenate(one.folds[0][:2])]) for one in list(found.values())[2:]]
    assert len(others) == 5
    assert all("c" in some and len({"b", "d", "e"} - some) == 2 for some in others)
