from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soxr

from serkit.audio.bandwidth import BandwidthMeter
from serkit.audio.decode import load_clip
from serkit.audio.mixing import Mixer, mix_down
from serkit.data.audio_files import sound_files
from serkit.runtime.recognizer import Recognizer
from serkit.runtime.session import ModelSession
from serkit.types import FloatArray
from support.synthetic import voice

RATE = 16_000
VOICE = voice("anger", "a", seconds=2.0)


def test_channels_that_cancel_are_heard() -> None:
    pair = np.stack([VOICE, -VOICE])
    np.testing.assert_array_equal(mix_down(pair, RATE), VOICE)


def test_channels_that_cancel_are_heard_beside_a_constant_offset() -> None:
    mixer = Mixer(RATE)
    mono = np.concatenate([mixer.push(np.stack([VOICE + 0.3, 0.3 - VOICE]).astype(np.float32)), mixer.flush()])
    np.testing.assert_allclose(mono, VOICE + 0.3, atol=1e-6)
    assert mixer.has_cancelled


def test_the_louder_of_two_channels_that_nearly_cancel_is_heard() -> None:
    pair = np.stack([-0.95 * VOICE, VOICE])
    np.testing.assert_array_equal(mix_down(pair, RATE), VOICE)


@pytest.mark.parametrize("second", [VOICE, 0.3 * VOICE, 0 * VOICE, -0.5 * VOICE, np.roll(VOICE, 4_000)])
def test_channels_that_do_not_cancel_are_averaged(second: FloatArray) -> None:
    pair = np.stack([VOICE, second])
    np.testing.assert_array_equal(mix_down(pair, RATE), pair.mean(axis=0))


def test_many_channels_of_which_one_speaks_are_averaged() -> None:
    channels = np.zeros((16, len(VOICE)), np.float32)
    channels[3] = VOICE
    np.testing.assert_allclose(mix_down(channels, RATE), VOICE / 16, atol=1e-7)


@pytest.mark.parametrize("step", [1, 77, 320, 5_000, 100_000])
def test_the_size_of_the_pieces_does_not_change_the_mix(step: int) -> None:
    pair = np.stack([VOICE, np.where(np.arange(len(VOICE)) % 9_000 < 4_000, -VOICE, VOICE)]).astype(np.float32)
    mixer = Mixer(RATE)
    pieces = [mixer.push(pair[:, start : start + step]) for start in range(0, pair.shape[1], step)]
    np.testing.assert_array_equal(np.concatenate([*pieces, mixer.flush()]), mix_down(pair, RATE))


def test_mono_is_ready_at_once() -> None:
    assert len(Mixer(RATE).push(VOICE[None, :7])) == 7


def test_a_voice_whose_channels_cancel_gets_the_answer_of_one_channel(embedded: Path) -> None:
    recognizer = Recognizer.load(embedded)
    pair = np.stack([VOICE, -VOICE])
    one, both = (recognizer.predict(sound, sampling_rate=RATE) for sound in (VOICE, pair))
    assert (both.emotion, both.probabilities) == (one.emotion, one.probabilities)
    assert (one.remarks, both.remarks) == ((), ("cancelled",))
    timeline = recognizer.timeline(pair, sampling_rate=RATE)
    assert timeline.windows == recognizer.timeline(VOICE, sampling_rate=RATE).windows
    assert timeline.remarks == ("cancelled",)
    stream = recognizer.stream(sampling_rate=RATE)
    events = [*stream.push(pair[:, :999]), *stream.push(pair[:, 999:]), *stream.flush()]
    assert [e.probabilities for e in events if e.kind == "emotion"] == [w.probabilities for w in timeline.windows]
    assert stream.remarks == ("cancelled",)


# Bandwidth


def telephone(sound: FloatArray, rate: int) -> FloatArray:
    """Return the sound as it is after a telephone, at its own rate."""
    narrow = soxr.resample(sound, rate, 8_000)
    return np.asarray(soxr.resample(narrow, 8_000, rate), np.float32)


@pytest.mark.parametrize("rate", [8_000, 11_025])
def test_a_low_sampling_rate_is_narrowband(rate: int) -> None:
    assert load_clip(VOICE, sampling_rate=rate, target_rate=RATE).remarks == ("narrowband",)


def test_a_telephone_is_heard_at_any_sampling_rate() -> None:
    for rate in (16_000, 44_100, 48_000):
        sound = soxr.resample(VOICE, RATE, rate)
        sound += 0.02 * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
        assert load_clip(sound, sampling_rate=rate, target_rate=RATE).remarks == ()
        assert load_clip(telephone(sound, rate), sampling_rate=rate, target_rate=RATE).remarks == ("narrowband",)


def test_a_model_that_has_learned_telephones_makes_no_remark_on_them(embedded: Path) -> None:
    model = ModelSession.load(embedded)
    learned = Recognizer(ModelSession(model._session, replace(model.card, recipe={"augment": ["telephone"]})))
    for recognizer, remarks in ((Recognizer(model), ("narrowband",)), (learned, ())):
        assert recognizer.predict(VOICE, sampling_rate=8_000).remarks == remarks
        assert recognizer.timeline(VOICE, sampling_rate=8_000).remarks == remarks
        stream = recognizer.stream(sampling_rate=8_000)
        stream.push(VOICE)
        assert stream.remarks == remarks


@pytest.mark.long
def test_clips_of_corpora_are_not_called_narrowband(real_corpora: Path) -> None:
    for corpus in filter(Path.is_dir, sorted(real_corpora.iterdir())):
        files = list(sound_files(corpus))
        chosen = np.random.default_rng(0).permutation(len(files))[:300]
        clips = [load_clip(corpus / files[number], target_rate=RATE) for number in chosen]
        narrow = [clip.name for clip in clips if "narrowband" in clip.remarks]
        assert not narrow, corpus.name


def test_silence_has_no_bandwidth() -> None:
    meter = BandwidthMeter(RATE)
    assert not meter.is_narrow
    meter.push(np.zeros(RATE, np.float32))
    assert not meter.is_narrow


@pytest.mark.parametrize("step", [1, 333, 1024, 50_000])
def test_the_size_of_the_pieces_does_not_change_the_bandwidth(step: int) -> None:
    sound = telephone(VOICE, RATE)
    meter = BandwidthMeter(RATE)
    for start in range(0, len(sound), step):
        meter.push(sound[start : start + step])
    assert meter.is_narrow
