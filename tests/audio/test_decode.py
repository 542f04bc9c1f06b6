import gzip
import io
import os
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from serkit.audio import decode, libsndfile
from serkit.audio.decode import AudioInfo, load_audio, load_clip, probe, read_file
from serkit.errors import (
    AudioError,
    AudioIsDirectoryError,
    AudioNotFoundError,
    AudioShapeError,
    AudioUnreadableError,
    EmptyAudioFileError,
    NonFiniteAudioError,
    NoSamplesError,
    SamplingRateError,
    SerkitError,
    TruncatedAudioError,
    UnknownAudioFormatError,
)
from support.synthetic import tone

RATE = 16_000
TONE = tone(440)
LOSSLESS = [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAVEX", "PCM_16"), ("FLAC", "PCM_16")]
LOSSY = [("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")]
every_format = pytest.mark.parametrize(("kind", "subtype"), LOSSLESS + LOSSY)


def encoded(
    samples: NDArray[Any] = TONE, kind: str = "WAV", subtype: str = "PCM_16", *, rate: int = RATE, **options: Any
) -> bytes:
    """Return samples, (T,) or (T, channels), as the bytes of a sound file."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, **options)
    return file.getvalue()


def patched(data: bytes, *changes: tuple[int, bytes]) -> bytes:
    """Return bytes, with some of them replaced at the given offsets."""
    copy = bytearray(data)
    for offset, new in changes:
        copy[offset : offset + len(new)] = new
    return bytes(copy)


WAV = encoded()
FLAC = encoded(kind="FLAC")
FLAC_OF_UNKNOWN_LENGTH = patched(FLAC, (21, bytes([FLAC[21] & 0xF0])), (22, bytes(4)))  # STREAMINFO's total samples


def loaded(source: Any, **options: Any) -> NDArray[np.float32]:
    return load_audio(source, target_rate=RATE, **options)


def loudest(samples: NDArray[np.float32]) -> tuple[float, float]:
    """Return frequency in Hz and amplitude of the strongest tone at 16 kHz, without the edges of the clip."""
    middle = samples[800:-800]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    return float(spectrum.argmax() * RATE / len(middle)), float(np.sqrt(2 * np.mean(middle**2)))


def assert_valid(samples: NDArray[np.float32]) -> None:
    assert samples.dtype == np.float32
    assert samples.ndim == 1
    assert len(samples)
    assert np.isfinite(samples).all()


# What can be read


@every_format
def test_a_tone_survives_every_format(kind: str, subtype: str) -> None:
    samples = loaded(io.BytesIO(encoded(kind=kind, subtype=subtype)))
    frequency, amplitude = loudest(samples)
    assert len(samples) == len(TONE)
    assert frequency == pytest.approx(440, abs=2.5)  # the bin of a spectrum of 0.4 s
    assert amplitude == pytest.approx(0.5, rel=0.05 if (kind, subtype) in LOSSY else 1e-3)


@pytest.mark.parametrize(("kind", "subtype"), LOSSLESS)
def test_a_lossless_format_gives_the_samples_back(kind: str, subtype: str) -> None:
    assert np.abs(loaded(io.BytesIO(encoded(kind=kind, subtype=subtype))) - TONE).max() <= 2**-15


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_tone_keeps_frequency_and_amplitude_through_resampling(kind: str, rate: int) -> None:
    samples = loaded(io.BytesIO(encoded(tone(1000, rate=rate), kind, rate=rate)))
    frequency, amplitude = loudest(samples)
    assert abs(len(samples) - RATE // 2) <= 1
    assert frequency == pytest.approx(1000, abs=2.5)
    assert amplitude == pytest.approx(0.5, rel=1e-3)


def test_what_lies_above_the_new_nyquist_frequency_does_not_fold_back() -> None:
    samples = loaded(tone(9_000, rate=48_000), sampling_rate=48_000)
    assert np.abs(samples[800:-800]).max() < 0.5e-4  # 80 dB below the tone


def test_resampling_takes_nothing_from_the_start_of_the_sound() -> None:
    click = np.zeros(48_000, np.float32)
    click[24_000] = 1
    assert loaded(click, sampling_rate=48_000).argmax() == 8_000


@pytest.mark.parametrize("channels", [2, 6])
@pytest.mark.parametrize(("kind", "subtype"), [("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")])
def test_channels_are_averaged(kind: str, subtype: str, channels: int) -> None:
    mix = np.zeros((len(TONE), channels), np.float32)
    mix[:, :2] = TONE[:, None]
    samples = loaded(io.BytesIO(encoded(mix, kind, subtype)))
    assert samples.shape == TONE.shape
    assert loudest(samples)[1] == pytest.approx(0.5 * 2 / channels, rel=0.02)


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_audio_without_remarks_costs_no_measurement_and_has_the_same_samples(
    monkeypatch: pytest.MonkeyPatch, rate: int
) -> None:
    sound = encoded(np.stack([TONE, TONE / 2], axis=1), rate=rate)
    expected = load_clip(io.BytesIO(sound), target_rate=RATE).samples
    monkeypatch.setattr(decode, "BandwidthMeter", lambda rate: pytest.fail("the bandwidth is measured"))
    np.testing.assert_array_equal(load_audio(sound, target_rate=RATE), expected)


def test_read_file_keeps_channels_apart_and_the_files_own_rate() -> None:
    samples, rate = read_file(io.BytesIO(encoded(np.stack([TONE, -TONE], axis=1), subtype="FLOAT", rate=44_100)))
    assert (samples.shape, rate) == ((2, len(TONE)), 44_100)
    assert samples.flags.c_contiguous
    np.testing.assert_array_equal(samples[0], -samples[1])


@every_format
def test_reading_in_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch, kind: str, subtype: str) -> None:
    data = encoded(np.stack([TONE, tone(700)], axis=1), kind, subtype)
    whole, _ = read_file(io.BytesIO(data))
    monkeypatch.setattr(libsndfile, "_BLOCK", 999)
    np.testing.assert_array_equal(read_file(io.BytesIO(data))[0], whole)


# Paths and file objects


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    path = tmp_path / "zażółć 😀, 1.wav"
    path.write_bytes(WAV)
    return path


class OwnPath(os.PathLike[str]):
    def __init__(self, path: Path) -> None:
        self.path = path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize("as_source", [Path, str, OwnPath, lambda path: io.BytesIO(path.read_bytes())])
def test_paths_and_bytes_in_memory_read_alike(wav: Path, as_source: Callable[[Path], Any]) -> None:
    np.testing.assert_array_equal(loaded(as_source(wav)), loaded(wav))


def test_an_open_file_is_read_and_stays_open(wav: Path) -> None:
    with wav.open("rb") as file:
        np.testing.assert_array_equal(loaded(file), loaded(wav))
        assert not file.closed


@every_format
def test_a_file_object_is_read_from_where_it_stands(kind: str, subtype: str) -> None:
    data = encoded(kind=kind, subtype=subtype)
    file = io.BytesIO(b"something else" + data)
    file.seek(len(b"something else"))
    np.testing.assert_array_equal(loaded(file), loaded(io.BytesIO(data)))


def test_a_file_object_at_its_end_is_refused_with_the_remedy() -> None:
    file = io.BytesIO(WAV)
    file.seek(0, os.SEEK_END)
    with pytest.raises(EmptyAudioFileError, match="the file object has no bytes after its current position"):
        loaded(file)


def test_a_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    os.write(writing, WAV)  # 16 kB, less than a pipe holds
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        assert len(loaded(pipe)) == len(TONE)


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "tone.wav.gz", "wb") as file:
        file.write(WAV)
    with gzip.open(tmp_path / "tone.wav.gz") as file:
        assert len(loaded(file)) == len(TONE)


def test_a_text_mode_file_is_refused(wav: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("plain words")
    for path in (wav, tmp_path / "words.txt"):
        with path.open(encoding="utf-8") as file, pytest.raises(UnknownAudioFormatError, match="open it in binary"):
            loaded(file)
    with pytest.raises(UnknownAudioFormatError, match="open it in binary"):
        loaded(io.StringIO("words"))


def test_a_closed_or_write_only_file_object_is_refused(tmp_path: Path) -> None:
    with (
        (tmp_path / "new.wav").open("wb") as file,
        pytest.raises(AudioUnreadableError, match=r"cannot read '.*new\.wav'"),
    ):
        loaded(file)
    with pytest.raises(AudioUnreadableError, match=r"cannot read .*closed"):
        loaded(file)


@pytest.mark.parametrize("source", [None, 3, (1, 2, 3), [0.1, 0.2], np.float32(0)])
def test_what_is_no_audio_at_all_is_a_type_error(source: Any) -> None:
    with pytest.raises(
        TypeError,
        match="audio must be a path, bytes, a binary file object, an array, or an array with",
    ):
        loaded(source)


def test_a_fifo_is_refused_rather_than_waited_for(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(AudioUnreadableError, match="is a pipe or a device, not a file"):
        loaded(tmp_path / "fifo")


# Faults: each its own class, in one sentence


def float_wav(value: float) -> bytes:
    return encoded(np.array([0, value, 0], np.float32), subtype="FLOAT")


UNDECODABLE = "not audio that can be decoded"
FAULTS = {
    "empty": (b"", EmptyAudioFileError, "is empty: zero bytes"),
    "text": (b"These are words, not sound. " * 9, UnknownAudioFormatError, UNDECODABLE),
    "riff alone": (b"RIFF", UnknownAudioFormatError, UNDECODABLE),
    "wav half": (WAV[:8022], TruncatedAudioError, "is cut off: it has 7978 of 16000 bytes of audio"),
    "wav header alone": (WAV[:30], TruncatedAudioError, "is cut off: it has 30 of 16044 bytes"),
    "wav 0 Hz": (patched(WAV, (24, bytes(4))), SamplingRateError, "a sampling rate of 0 Hz; expected 1000 to"),
    "wav 1 Hz": (patched(WAV, (24, b"\1\0\0\0")), SamplingRateError, "a sampling rate of 1 Hz"),
    "wav 4 GHz": (patched(WAV, (24, b"\xff" * 4)), SamplingRateError, "a sampling rate of 4294967295 Hz"),
    "wav 0 channels": (patched(WAV, (22, bytes(2))), UnknownAudioFormatError, UNDECODABLE),
    "wav 99 channels": (patched(WAV, (22, b"\x63\0")), AudioShapeError, "has 99 channels; expected at most 64"),
    "flac header alone": (FLAC[:50], UnknownAudioFormatError, UNDECODABLE),
    "opus half": (encoded(kind="OGG", subtype="OPUS")[:2000], TruncatedAudioError, "is damaged or cut off"),
}
FAULTS_WHEN_DECODED = {
    "no samples": (encoded(TONE[:0]), NoSamplesError, "is an audio file without samples"),
    "nan": (float_wav(np.nan), NonFiniteAudioError, "has NaN"),
    "infinity": (float_wav(np.inf), NonFiniteAudioError, "has NaN, infinite"),
    "flac half": (FLAC[:2000], TruncatedAudioError, "is damaged or cut off"),
    "flac flipped": (patched(FLAC, (2000, b"\x55\x55\x55")), TruncatedAudioError, "is damaged or cut off"),
    "flac streamed half": (FLAC_OF_UNKNOWN_LENGTH[:2000], TruncatedAudioError, "is damaged or cut off"),
    "flac of 46 days": (patched(FLAC, (21, b"\xff")), TruncatedAudioError, "it has 8000 of 64424517440 samples"),
    "mp3 half": (encoded(kind="MP3", subtype="MPEG_LAYER_III")[:900], TruncatedAudioError, "is cut off"),
}


def assert_one_sentence(error: BaseException) -> None:
    assert isinstance(error, ValueError)
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    assert not str(error).endswith("..")


@pytest.mark.parametrize("read", [loaded, probe])
@pytest.mark.parametrize(("data", "error", "said"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_header_has_its_own_error(
    tmp_path: Path, data: bytes, error: type[AudioError], said: str, read: Callable[[Path], Any]
) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(data)
    with pytest.raises(AudioError) as caught:
        read(path)
    assert type(caught.value) is error
    assert said in str(caught.value)
    assert str(caught.value).startswith(repr(str(path)))
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(("data", "error", "said"), FAULTS_WHEN_DECODED.values(), ids=FAULTS_WHEN_DECODED)
def test_a_fault_in_the_sound_has_its_own_error(data: bytes, error: type[AudioError], said: str) -> None:
    with pytest.raises(AudioError) as caught:
        loaded(io.BytesIO(data))
    assert type(caught.value) is error
    assert said in str(caught.value)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("read", [loaded, probe])
@pytest.mark.parametrize("as_source", [Path, str])
def test_a_fault_of_the_path_has_its_own_error_and_the_built_in_one(
    tmp_path: Path, as_source: Callable[[Path], Any], read: Callable[[Path], Any]
) -> None:
    (tmp_path / "file").touch()
    for path, error, builtin in (
        (tmp_path / "gone.wav", AudioNotFoundError, FileNotFoundError),
        (tmp_path, AudioIsDirectoryError, IsADirectoryError),
        (tmp_path / "file" / "clip.wav", AudioUnreadableError, PermissionError),
        (tmp_path / "zero\0byte.wav", AudioUnreadableError, PermissionError),
        (tmp_path / ("long" * 100), AudioUnreadableError, PermissionError),
    ):
        with pytest.raises(builtin) as caught:
            read(as_source(path))
        assert type(caught.value) is error
        assert repr(str(path)) in str(caught.value)
        assert_one_sentence(caught.value)


def test_a_file_without_permission_is_refused(wav: Path) -> None:
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        pytest.skip("root may read every file")
    wav.chmod(0)
    with pytest.raises(AudioUnreadableError, match=r"cannot open .*: Permission denied\."):
        loaded(wav)


def test_a_refusal_of_the_system_is_an_audio_error(wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioUnreadableError, match=r"cannot open .*: Permission denied\."):
        loaded(wav)


# WAV files as they are met


@pytest.mark.parametrize("riff_size", [0, 8, 36, 0x7FFFF024, 0x7FFFFFFF, 0xFFFFFFFF])
@pytest.mark.parametrize("data_size", [0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF - 44, 0xFFFFFFFF])
def test_a_streamed_or_unfinished_wav_is_read_to_its_end(tmp_path: Path, riff_size: int, data_size: int) -> None:
    path = tmp_path / "streamed.wav"
    path.write_bytes(patched(WAV, (4, struct.pack("<I", riff_size)), (40, struct.pack("<I", data_size))))
    np.testing.assert_array_equal(loaded(path), loaded(io.BytesIO(WAV)))
    with path.open("rb") as file:
        assert len(loaded(file)) == len(TONE)
    assert probe(path).duration == 0.5


def test_a_wav_without_sound_but_with_a_comment_has_no_samples() -> None:
    empty = encoded(TONE[:0])
    comment = b"LIST" + struct.pack("<I", 400) + bytes(400)
    with pytest.raises(NoSamplesError):
        loaded(io.BytesIO(patched(empty + comment, (4, struct.pack("<I", len(empty + comment) - 8)))))


@pytest.mark.parametrize("size", [7, 8, 5000])
def test_a_chunk_before_the_sound_is_passed_over(size: int) -> None:
    chunk = b"LIST" + struct.pack("<I", size) + bytes(size + size % 2)
    data = patched(WAV[:36] + chunk + WAV[36:], (4, struct.pack("<I", len(WAV) + len(chunk) - 8)))
    np.testing.assert_array_equal(loaded(io.BytesIO(data)), loaded(io.BytesIO(WAV)))
    for end in (40, 36 + len(chunk) // 2, len(data) - RATE // 4):
        with pytest.raises(TruncatedAudioError):
            loaded(io.BytesIO(data[:end]))


@pytest.mark.parametrize("riff_size", [len(WAV), len(WAV) + 100, 50])
def test_a_wrong_total_size_is_no_fault_while_the_sound_is_whole(riff_size: int) -> None:
    data = patched(WAV, (4, struct.pack("<I", riff_size)))
    np.testing.assert_array_equal(loaded(io.BytesIO(data)), loaded(io.BytesIO(WAV)))


def test_an_odd_number_of_bytes_needs_no_padding() -> None:
    data = encoded(TONE[:7999], subtype="PCM_U8")
    assert len(loaded(io.BytesIO(data[: 44 + 7999]))) == 7999
    assert len(loaded(io.BytesIO(data + b"junk"))) == 7999


# FLAC and MP3 as they are met


def test_a_flac_written_to_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "streamed.flac"
    path.write_bytes(FLAC_OF_UNKNOWN_LENGTH)
    np.testing.assert_array_equal(loaded(path), loaded(io.BytesIO(FLAC)))
    assert probe(path).duration == 0.5


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_a_streamed_mp3_of_constant_bitrate_is_read_whole(rate: int) -> None:
    """Without a Xing header the length is an estimate, which libsndfile rounds up past the last frame."""
    constant = {"bitrate_mode": "CONSTANT", "compression_level": 0.5}
    data = encoded(tone(440, rate=rate, seconds=2), "MP3", "MPEG_LAYER_III", rate=rate, **constant)
    samples, _ = read_file(io.BytesIO(data[data.index(data[:2], 4) :]))
    assert 0 <= samples.shape[1] - 2 * rate < 3 * 1152  # the encoder's delay and padding are heard


# Arrays


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", ">i2"])
def test_integers_are_scaled_to_full_scale(dtype: str) -> None:
    low = np.iinfo(np.dtype(dtype)).min
    samples = loaded(np.array([low, 0, -(low // 2)], dtype), sampling_rate=RATE)
    np.testing.assert_array_equal(samples, np.array([-1, 0, 0.5], np.float32))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_floats_are_taken_as_they_are(dtype: str) -> None:
    samples = loaded(np.array([-1, 0.25, 0.5], dtype), sampling_rate=RATE)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, np.array([-1, 0.25, 0.5], np.float32))


def test_an_array_and_a_file_of_the_same_samples_agree() -> None:
    whole = (TONE * 32768).astype(np.int16)
    np.testing.assert_array_equal(loaded(whole, sampling_rate=RATE), loaded(io.BytesIO(encoded(whole))))


def test_the_channels_of_an_array_are_averaged() -> None:
    np.testing.assert_allclose(loaded(np.stack([TONE, 0 * TONE]), sampling_rate=RATE), TONE / 2)


@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_an_array_with_strides_is_read_as_a_copy_would_be_and_not_changed(rate: int) -> None:
    for strided in (np.repeat(TONE, 2)[::2], TONE[::-1], np.stack([TONE, TONE], axis=1).T):
        before = strided.copy()
        strided.flags.writeable = False
        np.testing.assert_array_equal(loaded(strided, sampling_rate=rate), loaded(before, sampling_rate=rate))
        np.testing.assert_array_equal(strided, before)


@pytest.mark.parametrize(
    ("array", "error", "said"),
    [
        (np.zeros((100, 2)), AudioShapeError, r"shape \(100, 2\) looks like \(T, channels\); pass the transpose"),
        (np.zeros((2, 3, 4)), AudioShapeError, r"expected an array \(T,\) or \(channels, T\), got shape \(2, 3, 4\)"),
        (np.array(0.0), AudioShapeError, r"got shape \(\)"),
        (np.zeros(0), NoSamplesError, r"array of shape \(0,\) has no samples"),
        (np.zeros((2, 0)), NoSamplesError, "has no samples"),
        (
            np.zeros(9, np.uint8),
            AudioShapeError,
            "expected float or signed integer samples of at most 32 bits, got u",
        ),
        (np.zeros(9, bool), AudioShapeError, "got bool"),
        (np.zeros(9, complex), AudioShapeError, "got complex128"),
        (np.array(["a"]), AudioShapeError, "got <U1"),
        (np.array([None]), AudioShapeError, "got object"),
        (np.array([0, np.nan]), NonFiniteAudioError, "the array has NaN"),
        (np.array([0, -np.inf]), NonFiniteAudioError, "the array has NaN, infinite"),
        (np.array([0, 1e300]), NonFiniteAudioError, "absurdly large"),
        (np.full((3, 9), 3e38, np.float32), NonFiniteAudioError, "absurdly large"),
    ],
)
def test_an_array_that_is_no_audio_is_refused(array: Any, error: type[AudioError], said: str) -> None:
    with pytest.raises(error, match=said) as caught:
        loaded(array, sampling_rate=RATE)
    assert_one_sentence(caught.value)


WRONG_RATES = [0, -16_000, 999, 768_001, 16_000.5, float("nan"), float("inf"), "16000", True]


@pytest.mark.parametrize("rate", WRONG_RATES)
def test_a_wrong_sampling_rate_is_refused(rate: Any) -> None:
    with pytest.raises(SamplingRateError, match=rf"a sampling rate of {rate} Hz; expected 1000 to 768000 Hz\.$"):
        loaded(TONE, sampling_rate=rate)


@pytest.mark.parametrize("rate", [*WRONG_RATES, None])
def test_a_wrong_target_rate_is_refused(rate: Any) -> None:
    with pytest.raises(SamplingRateError, match=rf"the target has a sampling rate of {rate} Hz"):
        load_audio(TONE, sampling_rate=RATE, target_rate=rate)


@pytest.mark.parametrize("rate", [np.int64(RATE), np.float32(RATE), float(RATE)])
def test_a_whole_number_of_any_kind_is_a_sampling_rate(rate: Any) -> None:
    np.testing.assert_array_equal(loaded(TONE, sampling_rate=rate), TONE)


def test_an_array_without_a_sampling_rate_is_refused() -> None:
    with pytest.raises(SamplingRateError, match="pass sampling_rate= in Hz"):
        loaded(TONE)


def test_a_sampling_rate_beside_a_file_is_refused(wav: Path) -> None:
    for source in (wav, io.BytesIO(WAV)):
        with pytest.raises(SamplingRateError, match="sampling_rate= is for arrays only"):
            loaded(source, sampling_rate=RATE)


def test_audio_too_short_to_leave_a_sample_is_refused() -> None:
    with pytest.raises(NoSamplesError, match="1 samples at 96000 Hz leave no sample at 16000 Hz"):
        loaded(TONE[:1], sampling_rate=96_000)


# What a file says of itself


@every_format
def test_probe_says_what_reading_finds(tmp_path: Path, kind: str, subtype: str) -> None:
    path = tmp_path / "clip"
    path.write_bytes(encoded(np.stack([TONE, TONE], axis=1), kind, subtype, rate=48_000))
    samples, rate = read_file(path)
    assert probe(path) == probe(str(path)) == AudioInfo(48_000, 2, samples.shape[1] / 48_000, kind)
    assert (samples.shape, rate) == ((2, len(TONE)), 48_000)


def test_probe_of_a_file_without_samples_says_no_duration(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").write_bytes(encoded(TONE[:0]))
    assert probe(tmp_path / "empty.wav") == AudioInfo(RATE, 1, 0.0, "WAV")


# Anything at all

VORBIS = encoded(kind="OGG", subtype="VORBIS")
BEGINNINGS = [b"", WAV[:44], WAV[:12], FLAC[:42], VORBIS[:60], b"ID3\4", b"\xff\xfb\x90\x44"]
STEREO = np.stack([TONE, TONE], axis=1)[:1500]
CLIPS = {kind + subtype: encoded(STEREO, kind, subtype) for kind, subtype in LOSSLESS + LOSSY}


@given(st.sampled_from(BEGINNINGS), st.binary(max_size=400))
def test_random_bytes_are_refused_or_are_audio(beginning: bytes, rest: bytes) -> None:
    with suppress(SerkitError):
        assert_valid(loaded(io.BytesIO(beginning + rest)))


@given(
    st.sampled_from(sorted(CLIPS)),
    st.lists(st.tuples(st.integers(0, 200) | st.integers(0, 8000), st.binary(min_size=1, max_size=4)), max_size=4),
)
def test_damaged_files_are_refused_or_are_audio(clip: str, damage: list[tuple[int, bytes]]) -> None:
    data = CLIPS[clip]
    changes = [(offset % len(data), new) for offset, new in damage]
    with suppress(SerkitError):
        assert_valid(loaded(io.BytesIO(patched(data, *changes)[: len(data)])))


@given(st.sampled_from(LOSSLESS).map("".join), st.floats(0, 1, exclude_max=True))
def test_a_truncated_wav_or_flac_is_never_read_short(clip: str, part: float) -> None:
    data = CLIPS[clip]
    with suppress(AudioError):
        assert len(loaded(io.BytesIO(data[: int(part * len(data))]))) >= len(STEREO) - 0.1 * RATE


@given(st.sampled_from(LOSSY).map("".join), st.floats(0, 1))
def test_a_truncated_ogg_or_mp3_is_refused_or_is_audio(clip: str, part: float) -> None:
    data = CLIPS[clip]
    with suppress(AudioError):
        samples = loaded(io.BytesIO(data[: int(part * len(data))]))
        assert_valid(samples)
        assert len(samples) <= len(STEREO)


@given(
    hnp.arrays(
        st.sampled_from((np.float16, np.float32, np.float64, np.int16, np.int32)),
        hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=70),
    ),
    st.sampled_from((8_000, RATE, 44_100, 768_000)),
)
def test_any_array_is_refused_or_is_audio(array: NDArray[Any], rate: int) -> None:
    with suppress(SerkitError):
        samples = loaded(array, sampling_rate=rate)
        assert_valid(samples)
        assert abs(len(samples) - array.shape[-1] * RATE / rate) <= 1


@pytest.mark.parametrize("size", [1e7, 1e18, 1e38])
def test_absurdly_large_samples_are_refused_before_they_overflow_a_model(size: float) -> None:
    samples = np.zeros(16_000, np.float32)
    samples[5] = size
    with pytest.raises(NonFiniteAudioError, match="absurdly large"):
        load_audio(samples, sampling_rate=16_000, target_rate=16_000)


def test_a_list_is_no_audio_whatever_its_rate() -> None:
    for rate in (None, 16_000):
        with pytest.raises(TypeError, match=r"audio must be a path, bytes, .* not list"):
            load_audio([0.0] * 16_000, sampling_rate=rate, target_rate=16_000)  # type: ignore[arg-type]


def test_a_file_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path / "b") + b"\xff.wav"
    soundfile.write(name, np.zeros(1600), 16_000, format="WAV")
    assert load_audio(os.fsdecode(name), target_rate=16_000).shape == (1600,)
