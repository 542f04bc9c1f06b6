"""Every file here is made by PyAV itself, from samples that the test knows."""

import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serkit.audio import media
from serkit.audio.containers import container_of
from serkit.audio.decode import AudioInfo, load_audio, load_clip, probe, read_file
from serkit.errors import (
    AudioError,
    AudioShapeError,
    MissingExtraError,
    NoSamplesError,
    SamplingRateError,
    SerkitError,
    TruncatedAudioError,
    UnknownAudioFormatError,
)
from serkit.runtime.recognizer import Recognizer
from serkit.types import Gap, Prediction
from support.synthetic import tone, voice

av = pytest.importorskip("av", reason="needs PyAV: pip install 'serkit[media]'")

RATE = 16_000
CHUNK = 960  # samples, muxed in turn with one picture each


class Form(NamedTuple):
    """A container with a codec, by FFmpeg's names of the muxer and the encoders."""

    muxer: str
    codec: str
    video: str = ""
    rate: int = RATE
    options: tuple[tuple[str, str], ...] = ()


def speech(rate: int = RATE, channels: int = 1, seconds: float = 2.0) -> NDArray[np.int16]:
    """Return int16 samples (channels, T) whose autocorrelation has a single peak."""
    sound = np.stack([voice("anger", "a", name=str(n), seconds=seconds * rate / 16_000) for n in range(channels)])
    return (sound[:, : round(seconds * rate)] * 32767).astype(np.int16)


def packed(
    form: Form,
    samples: NDArray[Any] | None,
    *,
    start: int = 0,
    gap: tuple[int, int] = (0, 0),
    more: tuple[NDArray[Any], ...] = (),
    tags: dict[str, str] | None = None,
) -> bytes:
    """Return samples (channels, T) in a container.

    Args:
        form: Container and codecs.
        samples: None for a video without sound.
        start: First timestamp, in samples.
        gap: A sample, and how many timestamps are passed over before it.
        more: Further audio streams.
        tags: Of the container.
    """
    file = io.BytesIO()
    tracks = [track for track in (samples, *more) if track is not None]
    with av.open(file, "w", format=form.muxer, options=dict(form.options)) as container:
        container.metadata.update(tags or {})
        if form.video:
            video = container.add_stream(form.video, rate=25)
            video.width, video.height = 64, 48
            video.pix_fmt = "yuvj420p" if form.video == "mjpeg" else "yuv420p"
        streams = []
        for track in tracks:
            layout = {1: "mono", 2: "stereo", 8: "7.1"}[len(track)]
            stream = container.add_stream(form.codec, rate=form.rate, layout=layout)
            stream.bit_rate = {"libopencore_amrnb": 12_200}.get(form.codec, 128_000)
            streams.append((stream, track, layout))
        length = max((track.shape[1] for track in tracks), default=0) or 2 * form.rate
        for number, at in enumerate(range(0, length, CHUNK)):
            if form.video and number * CHUNK < length * 25 * CHUNK / form.rate:
                picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 256, np.uint8), format="rgb24")
                picture.pts = number
                container.mux(video.encode(picture))
            for stream, track, layout in streams:
                chunk = np.ascontiguousarray(track[:, at : at + CHUNK].T.reshape(1, -1))
                if not chunk.size:
                    continue
                frame = av.AudioFrame.from_ndarray(chunk, format=KINDS[track.dtype.name], layout=layout)
                frame.rate, frame.time_base = form.rate, Fraction(1, form.rate)
                frame.pts = start + at + (gap[1] if at >= gap[0] else 0)
                container.mux(stream.encode(frame))
        for stream in container.streams:
            container.mux(stream.encode())
    return file.getvalue()


KINDS = {"uint8": "u8", "int16": "s16", "int32": "s32", "float32": "flt", "float64": "dbl"}
M4A = Form("ipod", "aac", rate=44_100)
MP4 = Form("mp4", "aac", "mpeg4", 48_000)
AVI = Form("avi", "pcm_s16le", "mjpeg")
AVI_MP3 = Form("avi", "libmp3lame", "mpeg4", 48_000)
WEBM = Form("webm", "libopus", "libvpx", 48_000)
LIVE_WEBM = Form("webm", "libopus", rate=48_000, options=(("live", "1"),))
MKV = Form("matroska", "flac")
FRAGMENTED = Form("mp4", "aac", "mpeg4", 48_000, (("movflags", "frag_keyframe+empty_moov"),))
ADTS = Form("adts", "aac")
EXACT = [
    AVI,
    Form("avi", "pcm_s16le", "mpeg4", 48_000),
    Form("avi", "pcm_u8"),
    Form("mov", "pcm_s16be", "mjpeg", 44_100),
    Form("mov", "alac", rate=44_100),
    MKV,
    Form("matroska", "pcm_s16le", "mpeg4"),
    Form("matroska", "pcm_s24le"),
    Form("matroska", "pcm_f32le"),
    Form("matroska", "pcm_f64le"),
]
LOSSY = {  # to the most samples that the encoder's delay and padding add where the container does not tell of them
    M4A: 0,
    MP4: 0,
    Form("mov", "aac", "mjpeg", 48_000): 0,
    Form("3gp", "aac", "mpeg4"): 0,
    Form("3gp", "libopencore_amrnb", rate=8_000): 0,
    FRAGMENTED: 2 * 1024,
    WEBM: 0,
    LIVE_WEBM: 0,
    Form("matroska", "aac", "mpeg4"): 2 * 1024,
    AVI_MP3: 3 * 1152,
    Form("asf", "wmav2", "msmpeg4", 44_100): 2 * 2048,
    Form("flv", "aac", "flv1", 44_100): 2 * 1024,
    Form("flv", "libmp3lame", rate=44_100): 3 * 1152,
    Form("mpeg", "mp2", "mpeg1video", 44_100): 2 * 1152,
    Form("mpegts", "aac", "mpeg4", 44_100): 2 * 1024,
    Form("mpegts", "mp2", rate=44_100): 2 * 1152,
    Form("mpegts", "aac", rate=44_100, options=(("mpegts_m2ts_mode", "1"),)): 2 * 1024,
    ADTS: 2 * 1024,
    Form("amr", "libopencore_amrnb", rate=8_000): 2 * 160,
}
FORMS = [*EXACT, *LOSSY]
any_form = pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(filter(None, map(str, form[:3]))))
MADE: dict[Form, bytes] = {}


def made(form: Form) -> bytes:
    """Return two seconds of mono in a container; each is made once."""
    if form not in MADE:
        MADE[form] = packed(form, speech(form.rate))
    return MADE[form]


def read(data: bytes) -> NDArray[np.float32]:
    return read_file(io.BytesIO(data))[0]


def aligned(samples: NDArray[np.float32], original: NDArray[np.float32]) -> tuple[int, float]:
    """Return the lag of the samples against the original, and the correlation at that lag."""
    size = len(samples) + len(original)
    cross = np.fft.irfft(np.fft.rfft(samples, size) * np.conj(np.fft.rfft(original, size)), size)
    lag = int(cross.argmax())
    lag = lag - size if lag > size // 2 else lag
    samples, original = samples[max(lag, 0) :], original[max(-lag, 0) :]
    length = min(len(samples), len(original))
    return lag, float(np.corrcoef(samples[:length], original[:length])[0, 1])


def assert_one_sentence(error: BaseException) -> None:
    assert "\n" not in str(error)
    assert str(error).endswith(".")
    assert not str(error).endswith("..")


# What can be read


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("video", ["mjpeg", "mpeg4"])
def test_a_video_with_pcm_sound_equals_the_wav_of_the_same_samples(tmp_path: Path, video: str, channels: int) -> None:
    sound = speech(48_000, channels)
    sound[:, :2] = [-32768, 32767]
    soundfile.write(tmp_path / "a.wav", sound.T, 48_000)
    (tmp_path / "a.avi").write_bytes(packed(Form("avi", "pcm_s16le", video, 48_000), sound))
    samples, rate = read_file(tmp_path / "a.avi")
    assert rate == 48_000
    assert samples.dtype == np.float32
    assert samples.flags.c_contiguous
    np.testing.assert_array_equal(samples, read_file(tmp_path / "a.wav")[0])


@pytest.mark.parametrize("form", EXACT, ids=lambda form: f"{form.muxer}-{form.codec}")
def test_a_lossless_codec_gives_the_samples_back(form: Form) -> None:
    np.testing.assert_allclose(
        read(made(form)), speech(form.rate) / 32768, rtol=0, atol=2**-7 if form.codec == "pcm_u8" else 0
    )


@pytest.mark.parametrize(
    ("codec", "subtype", "dtype"),
    [
        ("pcm_s16le", "PCM_16", "int16"),
        ("pcm_s32le", "PCM_32", "int32"),
        ("pcm_f32le", "FLOAT", "float32"),
        ("pcm_f64le", "DOUBLE", "float64"),
    ],
)
def test_every_kind_of_sample_is_scaled_as_libsndfile_does(codec: str, subtype: str, dtype: str) -> None:
    sound = np.random.default_rng(0).uniform(-1, 1, (2, 5000))
    if dtype.startswith("int"):
        sound *= np.iinfo(dtype).max
    wav = io.BytesIO()
    soundfile.write(wav, sound.astype(dtype).T, RATE, subtype, format="WAV")
    np.testing.assert_array_equal(read(packed(Form("matroska", codec), sound.astype(dtype))), read(wav.getvalue()))


def test_bytes_are_scaled_as_libsndfile_does() -> None:
    """PyAV writes the WAV too, since soundfile does not write unsigned bytes."""
    sound = np.tile(np.arange(256, dtype=np.uint8), (1, 9))
    whole, wav = (read(packed(Form(muxer, "pcm_u8"), sound)) for muxer in ("matroska", "wav"))
    np.testing.assert_array_equal(whole, wav)
    np.testing.assert_array_equal(whole[0, :256], np.arange(-128, 128) / 128)


@pytest.mark.parametrize(
    ("form", "slack"), LOSSY.items(), ids=lambda value: "-".join(map(str, value[:2])) if isinstance(value, Form) else ""
)
def test_a_lossy_codec_gives_the_sound_back_at_its_length(form: Form, slack: int) -> None:
    original = (speech(form.rate) / 32768)[0].astype(np.float32)
    samples, rate = read_file(io.BytesIO(made(form)))
    lag, correlation = aligned(samples[0], original)
    assert rate == form.rate
    shortest = -2048 if form.codec == "wmav2" else 0  # FFmpeg's encoder drops what fills no frame
    assert shortest <= samples.shape[1] - len(original) <= slack
    assert correlation > (0.9 if "amr" in form.codec else 0.99)  # AMR: a telephone's 12.2 kbit/s
    assert abs(lag) <= max(slack, 60 if "amr" in form.codec else 0)


@any_form
def test_channels_are_kept_apart_and_in_order(form: Form) -> None:
    if form.codec == "libopencore_amrnb":
        pytest.skip("AMR is mono")
    left = speech(form.rate)
    samples = read(packed(form, np.concatenate([left, left // 4])))
    assert len(samples) == 2
    assert aligned(samples[0], samples[1])[1] > 0.95
    assert samples[0].std() == pytest.approx(4 * samples[1].std(), rel=0.1)


@pytest.mark.parametrize("form", [MP4, Form("matroska", "pcm_s16le")])
def test_eight_channels_are_eight(form: Form) -> None:
    """In planar formats, such as AAC's, PyAV 18 lists a ninth plane that points outside the frame."""
    for _ in range(5):
        samples = read(packed(form, speech(form.rate).repeat(8, axis=0)))
        assert samples.shape == (8, 2 * form.rate)
        assert np.abs(samples).max() <= 1.1


def test_an_m4a_is_resampled_and_mixed_as_anything_else() -> None:
    samples = load_audio(io.BytesIO(packed(M4A, speech(44_100, 2))), target_rate=RATE)
    expected = load_audio(speech(44_100, 2), sampling_rate=44_100, target_rate=RATE)
    assert samples.shape == expected.shape == (2 * RATE,)
    lag, correlation = aligned(samples, expected)
    assert lag == 0
    assert correlation > 0.99


@pytest.mark.parametrize("as_source", [Path, str, lambda path: io.BytesIO(path.read_bytes())])
def test_paths_and_bytes_in_memory_read_alike(tmp_path: Path, as_source: Callable[[Path], Any]) -> None:
    path = tmp_path / "12:30 zażółć.mp4"  # to FFmpeg what stands before a colon is a protocol
    path.write_bytes(made(MP4))
    np.testing.assert_array_equal(read_file(as_source(path))[0], read(made(MP4)))


def test_an_open_file_is_read_from_where_it_stands_and_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "clip"
    path.write_bytes(b"something else" + made(MP4))
    with path.open("rb") as file:
        file.seek(len(b"something else"))
        np.testing.assert_array_equal(read_file(file)[0], read(made(MP4)))
        assert not file.closed


def test_what_decode_is_given_stays_open() -> None:
    stream = io.BytesIO(made(MP4))
    container = container_of(stream)
    assert container is not None
    assert sum(block.shape[1] for block, _ in media.decode_blocks(stream, container)) == 96_000
    assert not stream.closed


@any_form
def test_the_content_says_what_a_file_is_not_its_name(tmp_path: Path, form: Form) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(made(form))
    np.testing.assert_array_equal(read_file(path)[0], read(made(form)))


@pytest.mark.parametrize("kind", ["AIFF", "WAV", "FLAC", "OGG", "MP3", "CAF", "W64", "AU"])
@pytest.mark.parametrize("suffix", [".wav", ".m4a"])
def test_what_libsndfile_reads_is_left_to_it_under_any_name(tmp_path: Path, kind: str, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    soundfile.write(path.with_suffix(".tmp"), tone(440), RATE, format=kind)
    path.with_suffix(".tmp").rename(path)
    with path.open("rb") as file:
        assert container_of(file) is None
        assert file.tell() == 0
    assert read_file(path)[0].shape == (1, RATE // 2)


def test_reading_what_libsndfile_can_never_imports_av(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440), RATE)
    script = (
        "import sys, serkit.audio.decode as a; a.load_audio(sys.argv[1], target_rate=8000); a.probe(sys.argv[1]); "
        "print('av' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.wav")], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


@any_form
def test_probe_says_what_reading_finds(tmp_path: Path, form: Form) -> None:
    path = tmp_path / "clip"
    path.write_bytes(made(form))
    samples, rate = read_file(path)
    info = probe(path)
    assert (info.sampling_rate, info.channels) == (rate, 1)
    assert info.duration == pytest.approx(samples.shape[1] / rate, abs=1e-6 if form != FRAGMENTED else 0.05)


def test_probe_names_the_container(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(made(MP4))
    assert probe(tmp_path / "a") == AudioInfo(48_000, 1, 2.0, "MP4")


def test_ffmpeg_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    for data in (made(AVI_MP3), made(ADTS), made(AVI_MP3)[:9999], made(ADTS)[:999], made(MP4)[:999]):
        with suppress(AudioError):
            read(data)
    assert capfd.readouterr() == ("", "")


def test_damaged_pictures_do_not_matter_since_none_is_decoded() -> None:
    data = bytearray(made(AVI))
    at = data.index(b"00dc", data.index(b"movi"))
    while at >= 0:  # each picture's bytes, after its chunk's name and size
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        data[at + 8 : at + 8 + size] = bytes(size)
        at = data.find(b"00dc", at + 8 + size, data.index(b"idx1"))
    np.testing.assert_array_equal(read(bytes(data)), speech() / np.float32(32768))


def test_a_tag_that_is_not_utf8_makes_no_file_unreadable() -> None:
    data = packed(AVI, speech(), tags={"title": "QQQQ"}).replace(b"QQQQ", b"\xb3\xf3d\xbc")
    assert read(data).shape == (1, 2 * RATE)


# Which stream, and when


def test_of_several_sounds_the_containers_default_is_taken_else_the_first() -> None:
    first, second = speech(), speech() // 2
    data = packed(MKV, first, more=(second,))
    np.testing.assert_array_equal(read(data), first / np.float32(32768))


def test_the_second_sound_is_taken_where_it_alone_is_the_default() -> None:
    first, second = speech(), speech() // 2
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        streams = [container.add_stream("flac", rate=RATE, layout="mono") for _ in range(2)]
        streams[1].disposition = av.stream.Disposition.default.value
        for stream, sound in zip(streams, (first, second), strict=True):
            frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
            frame.rate, frame.pts = RATE, 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode())
    np.testing.assert_array_equal(read(file.getvalue()), second / np.float32(32768))


@pytest.mark.parametrize("form", [MP4, WEBM, Form("matroska", "flac", "mpeg4")])
def test_times_count_from_the_first_sample_where_the_sound_starts_late(form: Form) -> None:
    original = (speech(form.rate) / 32768)[0].astype(np.float32)
    lag, correlation = aligned(read(packed(form, speech(form.rate), start=form.rate // 2))[0], original)
    assert abs(lag) <= 1024  # MP4 tells of no priming beside a late start
    assert correlation > 0.99


@pytest.mark.parametrize("form", [MP4, Form("matroska", "pcm_s16le"), Form("matroska", "flac", "mjpeg")])
def test_a_short_pause_between_timestamps_is_silence(form: Form) -> None:
    sound, middle, pause = speech(form.rate), CHUNK * 20, form.rate // 2
    samples = read(packed(form, sound, gap=(middle, pause)))[0]
    assert abs(len(samples) - sound.shape[1] - pause) <= form.rate // 500  # milliseconds are Matroska's unit
    assert np.abs(samples[middle + 3000 : middle + pause - 3000]).max() == 0
    assert samples[: middle - 3000].std() > 0.01
    assert samples[middle + pause + 3000 :].std() > 0.01


@pytest.mark.parametrize("kind", ["mp4", "matroska"])
def test_the_first_of_several_files_is_heard_where_damage_is_skipped(kind: str) -> None:
    data = packed(Form(kind, "aac"), speech())
    with pytest.raises(TruncatedAudioError, match="files in one"):
        read(data + data)
    clip = load_clip(io.BytesIO(data + data), target_rate=RATE, damaged="skip")
    assert len(clip.samples) >= 2 * RATE
    assert [gap.end for gap in clip.gaps] == [None]


@pytest.mark.parametrize("form", [Form("wv", "wavpack"), Form("adts", "aac"), Form("ac3", "ac3", rate=48_000)])
def test_tags_at_the_end_are_no_sound(form: Form) -> None:
    data = packed(form, speech(form.rate) if form.rate != RATE else speech())
    item = b"\x40\x06\0\0" + bytes(4) + b"Title\0" + b"a" * 1600
    tag = b"APETAGEX" + struct.pack("<4I", 2000, len(item) + 32, 1, 0x80000000) + bytes(8)
    ape = tag[:23] + b"\xa0" + tag[24:] + item + tag
    expected = read(data)[0]
    for end in (b"TAG" + bytes(125), ape, ape + b"TAG" + bytes(125)):
        np.testing.assert_array_equal(read(data + end)[0], expected)


def test_a_pause_is_reported() -> None:
    data = packed(Form("matroska", "pcm_s16le"), speech(), gap=(CHUNK * 20, 40 * RATE))
    clip = load_clip(io.BytesIO(data), target_rate=RATE)
    assert len(clip.samples) == 42 * RATE
    assert clip.gaps == (Gap(start=1.2, end=41.2),)


def test_timestamps_that_leap_by_hours_are_damage() -> None:
    data = packed(Form("matroska", "pcm_s16le"), speech(), gap=(CHUNK * 20, 7200 * RATE))
    with pytest.raises(TruncatedAudioError, match=r"is damaged: its timestamps leap from 1\.20 s by 7200\.00 s\.$"):
        read(data)
    assert len(load_clip(io.BytesIO(data), target_rate=RATE, damaged="skip").samples) == 2 * RATE


# Faults: each its own class, in one sentence


def test_a_video_without_sound_has_its_own_error() -> None:
    for form in (AVI, MP4, WEBM):
        with pytest.raises(NoSamplesError, match=r"is a video \(\w+\) without sound: it has no audio stream\.$"):
            read(packed(form, None))


def test_sound_without_a_sample_has_its_own_error() -> None:
    with pytest.raises(NoSamplesError, match=r"is a file \(AVI\) without samples\.$"):
        read(packed(AVI, np.zeros((1, 0), np.int16)))


@any_form
def test_a_missing_extra_names_the_file_and_the_pip_command(
    tmp_path: Path, form: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.m4a"
    path.write_bytes(made(form))
    monkeypatch.setitem(sys.modules, "av", None)
    for function in (read_file, probe):
        with pytest.raises(MissingExtraError, match=r"clip\.m4a' \(.*\) needs .*: pip install 'serkit\[media\]'$"):
            function(path)


def test_one_m4a_among_many_files_fails_alone(tmp_path: Path, embedded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, seconds=1), RATE)
    (tmp_path / "b.m4a").write_bytes(made(M4A))
    monkeypatch.setitem(sys.modules, "av", None)
    files = [tmp_path / "a.wav", tmp_path / "b.m4a", tmp_path / "a.wav"]
    answers = list(Recognizer.load(embedded).predict_many(files, on_error="return"))
    assert [type(answer) for answer in answers] == [Prediction, MissingExtraError, Prediction]


@pytest.mark.parametrize("form", [M4A, AVI, WEBM, ADTS], ids=lambda form: form.muxer)
def test_garbage_behind_a_right_signature_is_refused(form: Form) -> None:
    junk = np.random.default_rng(0).integers(0, 256, 20_000, np.uint8).tobytes()
    for rest in (junk, bytes(20_000), b""):
        with pytest.raises(AudioError) as caught:
            read(made(form)[:16] + rest)
        assert_one_sentence(caught.value)


ENDLESS = {"mpeg", "mpegts", "adts", "amr"}  # say no length, as LIVE_WEBM and FRAGMENTED do not
TELLING = [form for form in FORMS if form.muxer not in ENDLESS and form not in (LIVE_WEBM, FRAGMENTED)]


@pytest.mark.parametrize("form", TELLING, ids=lambda form: f"{form.muxer}-{form.codec}")
@pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.8])
def test_a_file_that_is_cut_off_is_refused_where_it_says_its_length(form: Form, part: float) -> None:
    data = made(form)
    with pytest.raises(TruncatedAudioError, match=r"cut off") as caught:
        read(data[: int(part * len(data))])
    assert_one_sentence(caught.value)


@given(st.sampled_from(TELLING), st.floats(0, 1, exclude_max=True))
def test_a_file_that_says_its_length_is_never_read_short(form: Form, part: float) -> None:
    whole = read(made(form)).shape[1]
    slack = 0.05 * 2 + 0.1 if form.muxer in ("flv", "asf") else 0.1  # seconds
    with suppress(AudioError):
        assert read(made(form)[: int(part * len(made(form)))]).shape[1] >= whole - slack * form.rate


@pytest.mark.parametrize("form", [M4A, MP4])
def test_a_cut_mp4_is_refused_wherever_its_index_stands(tmp_path: Path, form: Form) -> None:
    path = tmp_path / "streamable.mp4"
    with av.open(io.BytesIO(made(form))) as old, av.open(path, "w", options={"movflags": "faststart"}) as new:
        streams = {stream.index: new.add_stream_from_template(stream) for stream in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                new.mux(packet)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert read(data).shape == read(made(form)).shape
    for part in (0.05, 0.3, 0.5, 0.8):
        with pytest.raises(TruncatedAudioError, match="cut off"):
            read(data[: int(part * len(data))])


@pytest.mark.parametrize("form", [MKV, M4A, ADTS, AVI_MP3], ids=lambda form: form.muxer)
def test_a_hole_in_the_sound_is_refused(form: Form) -> None:
    data = bytearray(made(form))
    middle, size = len(data) // 2, len(data) // 5
    data[middle : middle + size] = np.random.default_rng(0).integers(0, 256, size, np.uint8).tobytes()
    with pytest.raises(TruncatedAudioError, match=r"is damaged|is cut off"):
        read(bytes(data))
    clip = load_clip(io.BytesIO(bytes(data)), target_rate=RATE, damaged="skip")
    assert clip.gaps
    assert 0.4 * RATE < len(clip.samples) <= len(load_audio(io.BytesIO(made(form)), target_rate=RATE)) + 0.1 * RATE


def test_a_single_damaged_packet_is_silence_and_reported() -> None:
    """The packet has 72 ms, and FLAC's checksum tells of the wrong bit."""
    whole, data = made(MKV), bytearray(made(MKV))
    data[len(data) // 2] ^= 4
    clip = load_clip(io.BytesIO(bytes(data)), target_rate=RATE)
    (gap,) = clip.gaps
    assert gap.end is not None
    assert gap.end - gap.start == pytest.approx(0.072)
    lost = slice(round(gap.start * RATE), round(gap.end * RATE))
    expected = load_audio(io.BytesIO(whole), target_rate=RATE)
    expected[lost] = 0
    np.testing.assert_array_equal(clip.samples, expected)


def test_two_damaged_packets_are_too_many() -> None:
    data = bytearray(made(MKV))
    for place in (len(data) // 3, len(data) // 2):
        data[place] ^= 4
    with pytest.raises(TruncatedAudioError, match=r"is damaged: its audio from .* s to .* s cannot be decoded"):
        read(bytes(data))
    assert len(load_clip(io.BytesIO(bytes(data)), target_rate=RATE, damaged="skip").gaps) == 2


def test_an_mp3_that_was_cut_out_of_a_longer_one_is_read() -> None:
    """The first frame refers to bits that are missing, and the last may be incomplete."""
    file = io.BytesIO()
    with av.open(io.BytesIO(made(AVI_MP3))) as old, av.open(file, "w", format="avi") as new:
        stream = new.add_stream_from_template(old.streams.audio[0])
        for number, packet in enumerate(old.demux(old.streams.audio[0])):
            if packet.size and number >= 20:
                packet.stream = stream
                packet.pts = packet.dts = number - 20
                new.mux(packet)
    cut = file.getvalue()
    assert read(cut).shape[1] == read(made(AVI_MP3)).shape[1] - 20 * 1152


def test_a_sampling_rate_that_changes_midway_is_refused() -> None:
    with pytest.raises(SamplingRateError, match=r"changes its sampling rate midway, from 16000 to 44100 Hz\.$"):
        read(made(ADTS) + packed(Form("adts", "aac", rate=44_100), speech(44_100)))


def test_channels_that_change_midway_are_refused() -> None:
    with pytest.raises(AudioShapeError, match=r"changes midway from 1 to 2 channels\.$"):
        read(made(ADTS) + packed(ADTS, speech(channels=2)))


def test_an_unknown_codec_is_named_as_such() -> None:
    data = packed(MKV, speech()).replace(b"A_FLAC", b"A_WHAT")
    with pytest.raises(UnknownAudioFormatError, match=r"encrypted, or in a codec that FFmpeg does not know\.$"):
        read(data)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 91\n"
PAGES = [b"<!DOCTYPE html><html>...", b"<html><body>Not found", b"\n  <!doctype HTML>", b"\xef\xbb\xbf<HTML lang='en'>"]


@pytest.mark.parametrize("suffix", [".wav", ".mp4"])
def test_what_a_download_left_in_place_of_sound_is_called_by_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip{suffix}"
    expected = {POINTER: "is a Git LFS pointer, not sound: fetch the file itself with 'git lfs pull'."} | dict.fromkeys(
        PAGES, "is a web page, not sound: download the file again."
    )
    for (data, said), function in product(expected.items(), (read_file, probe)):
        path.write_bytes(data)
        with pytest.raises(UnknownAudioFormatError) as caught:
            function(path)
        assert str(caught.value) == f"{str(path)!r} {said}"


# Several recordings in one file, and later pieces of one


@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(filter(None, map(str, form[:3]))))
def test_joined_files_are_heard_whole_or_refused(form: Form) -> None:
    whole = read(made(form)).shape[1]
    with suppress(AudioError):
        assert read(made(form) + made(form)).shape[1] >= 2 * whole - 0.1 * form.rate


@pytest.mark.parametrize(
    ("form", "beginning"),
    [(LIVE_WEBM, b"\x1f\x43\xb6\x75"), (WEBM, b"\x1f\x43\xb6\x75"), (FRAGMENTED, b"moof")],
    ids=["live", "webm", "mp4"],
)
def test_a_later_piece_of_a_recording_is_called_so(form: Form, beginning: bytes) -> None:
    at = made(form).index(beginning) - (4 if beginning == b"moof" else 0)
    with pytest.raises(UnknownAudioFormatError, match=r"is a later piece of an? .* recording, and the beginning is"):
        read(made(form)[at:])


# Formats that libsndfile does not read

RARER = [
    Form("caf", "alac", rate=44_100),
    Form("caf", "libopencore_amrnb", rate=8_000),
    Form("wav", "g726", rate=8_000),
    Form("wav", "g722"),
    Form("ogg", "flac"),
    Form("ac3", "ac3", rate=48_000),
    Form("wv", "wavpack"),
    Form("tta", "tta"),
]


@pytest.mark.parametrize("form", RARER, ids=lambda form: f"{form.muxer}-{form.codec}")
def test_a_format_that_only_ffmpeg_reads_is_left_to_it(form: Form) -> None:
    original = (speech(form.rate) / 32768)[0].astype(np.float32)
    samples = read(made(form))[0]
    assert abs(len(samples) - len(original)) <= 0.06 * form.rate
    assert aligned(samples, original)[1] > (0.8 if form.rate == 8_000 else 0.95)
    with suppress(AudioError):
        assert read(made(form) * 2).shape[1] >= 1.9 * len(samples)


@pytest.mark.parametrize("form", [ADTS, *RARER[:1]], ids=lambda form: form.muxer)
def test_a_tag_before_the_sound_is_passed_over(form: Form) -> None:
    tag = b"ID3\4\0\0" + bytes([0, 0, 0, 63]) + bytes(63)
    np.testing.assert_array_equal(read(tag + made(form)), read(made(form)))


# Anything at all


@given(
    st.sampled_from(FORMS),
    st.lists(st.tuples(st.integers(0, 600) | st.integers(0, 60_000), st.binary(min_size=1, max_size=6)), max_size=6),
)
def test_damaged_files_are_refused_or_are_audio(form: Form, damage: list[tuple[int, bytes]]) -> None:
    data = bytearray(made(form))
    for offset, new in damage:
        data[offset % len(data) : offset % len(data) + len(new)] = new
    with suppress(SerkitError):
        samples = load_audio(io.BytesIO(bytes(data)), target_rate=RATE)
        assert samples.dtype == np.float32
        assert len(samples)
        assert np.isfinite(samples).all()


def test_no_handle_is_left_open(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("this system does not list its open files")
    (tmp_path / "whole.mp4").write_bytes(made(MP4))
    (tmp_path / "half.mp4").write_bytes(made(MP4)[: len(made(MP4)) // 2])
    before = len(os.listdir(descriptors))  # noqa: PTH208 (a listing of its own handles is off by one each way)
    for name in ("whole.mp4", "half.mp4"):
        with suppress(AudioError):
            read_file(tmp_path / name)
        with suppress(AudioError):
            probe(tmp_path / name)
    assert len(os.listdir(descriptors)) == before  # noqa: PTH208
