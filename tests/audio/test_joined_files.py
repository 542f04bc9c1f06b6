"""Several recordings in one file are heard whole, or refused; never the first alone."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from serkit.audio.damage import DamageReport
from serkit.audio.decode import load_clip, read_file
from serkit.audio.mpeg_frames import find_parts, frame_header
from serkit.audio.ogg_pages import find_links
from serkit.audio.sectioned_file import sectioned
from serkit.errors import TruncatedAudioError, UnknownAudioFormatError
from serkit.types import FloatArray
from support.synthetic import tone, voice

RATE = 16_000
FIRST, SECOND = tone(440, seconds=1.0), tone(700, seconds=1.5)
OTHERS = ["WAV", "FLAC", "RF64", "AU", "CAF", "AIFF"]  # libsndfile reads the first alone, or nothing


def encoded(samples: FloatArray, kind: str, subtype: str | None = None, *, rate: int = RATE, **options: Any) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype, **options)
    return file.getvalue()


def read(data: bytes) -> FloatArray:
    return read_file(io.BytesIO(data))[0][0]


def without_header(mp3: bytes) -> bytes:
    """Return an MP3 without the frame of its Xing header."""
    header = frame_header(mp3, 0)
    assert header is not None
    return mp3[header.size :]


@pytest.mark.parametrize(("kind", "subtype"), [("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")])
def test_joined_files_are_heard_one_after_another(kind: str, subtype: str) -> None:
    first, second = (encoded(sound, kind, subtype) for sound in (FIRST, SECOND))
    expected = np.concatenate([read(first), read(second)])
    np.testing.assert_array_equal(read(first + second), expected)
    assert read(first * 5 + second).shape == (5 * RATE + len(SECOND),)


@pytest.mark.parametrize("kind", OTHERS)
def test_what_follows_the_end_of_a_file_is_refused(kind: str) -> None:
    data = encoded(FIRST, kind)
    with pytest.raises((TruncatedAudioError, UnknownAudioFormatError)):
        read(data + encoded(SECOND, kind))
    assert len(read(data)) == len(FIRST)


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_the_refusal_tells_how_many_bytes_follow(kind: str) -> None:
    behind = encoded(SECOND, kind)
    with pytest.raises(TruncatedAudioError, match=rf"several .* files in one: (about )?{len(behind)} bytes follow"):
        read(encoded(FIRST, kind) + behind)


@pytest.mark.parametrize("first", ["FLAC", "OGG", "MP3", "AIFF", "WAV"])
@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_no_file_of_another_format_may_follow(first: str, kind: str) -> None:
    if first == kind == "OGG":
        return  # is heard
    with pytest.raises((TruncatedAudioError, UnknownAudioFormatError)):
        read(encoded(FIRST, first) + encoded(SECOND, kind))


def test_the_first_of_several_files_is_heard_where_damage_is_skipped() -> None:
    data = encoded(FIRST, "FLAC") + encoded(SECOND, "FLAC")
    clip = load_clip(io.BytesIO(data), target_rate=RATE, damaged="skip")
    assert len(clip.samples) == len(FIRST)
    assert [(gap.start, gap.end) for gap in clip.gaps] == [(1.0, None)]


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AU"])
def test_what_follows_the_end_is_one_gap(kind: str) -> None:
    data = encoded(FIRST, kind) + encoded(SECOND, kind)
    clip = load_clip(io.BytesIO(data), target_rate=RATE, damaged="skip")
    assert [(gap.start, gap.end) for gap in clip.gaps] == [(1.0, None)]


@pytest.mark.parametrize("kind", ["AIFF", "AU", "RF64", "W64", "WAV"])
def test_a_file_that_is_shorter_than_its_header_says_is_cut_off(kind: str) -> None:
    data = encoded(FIRST, kind, "PCM_16")
    assert len(read(data)) == len(FIRST)
    cut = data[: len(data) // 2]
    with pytest.raises(TruncatedAudioError, match=r"is cut off: it has \d+ of 32000 bytes of audio"):
        read(cut)
    clip = load_clip(io.BytesIO(cut), target_rate=RATE, damaged="skip")
    (gap,) = clip.gaps
    assert (gap.start, gap.end) == (pytest.approx(0.5, abs=0.01), pytest.approx(1.0, abs=0.01))


def test_an_au_file_from_a_pipe_states_no_length() -> None:
    data = bytearray(encoded(FIRST, "AU", "PCM_16"))
    data[8:12] = b"\xff" * 4
    assert len(read(bytes(data))) == len(FIRST)


def test_a_file_of_tags_alone_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "tags.mp3"
    file.write_bytes(b"ID3\4\0\0\0\0\0\0" * 1000)
    with pytest.raises(UnknownAudioFormatError, match="is not audio that can be decoded"):
        read_file(file)
    assert capfd.readouterr().err == ""  # libmpg123 would print a warning for each


def test_a_tag_at_the_end_is_no_sound() -> None:
    tag = b"TAG" + bytes(125)
    for kind in ("MP3", "FLAC", "WAV", "OGG"):
        data = encoded(FIRST, kind)
        np.testing.assert_array_equal(read(data + tag), read(data))


# MP3


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_a_header_is_heard_whole(mode: str) -> None:
    """libsndfile estimates the length of one of variable bit rate from the first frame, and stops in the middle."""
    rng = np.random.default_rng(0)
    sound = np.concatenate([np.zeros(RATE, np.float32), 0.3 * rng.standard_normal(3 * RATE).astype(np.float32)])
    data = without_header(encoded(sound, "MP3", bitrate_mode=mode, compression_level=0.5))
    heard = read(data)
    assert 0 <= len(heard) - len(sound) <= 4 * 576  # the encoder's delay and padding
    assert heard[-RATE // 2 : -RATE // 4].std() > 0.1


def test_joined_mp3_of_other_bit_rates_and_without_headers_are_heard_whole() -> None:
    parts = [
        without_header(encoded(FIRST, "MP3", bitrate_mode="CONSTANT", compression_level=level))
        for level in (0.0, 0.9, 0.5)
    ]
    assert 3 * len(FIRST) <= len(read(b"".join(parts))) <= 3 * len(FIRST) + 12 * 576


def test_tags_between_joined_mp3_are_passed_over() -> None:
    tag = b"ID3\4\0\0" + bytes([0, 0, 1, 72]) + bytes(200)
    data = encoded(FIRST, "MP3")
    expected = np.concatenate([read(data), read(data)])
    np.testing.assert_array_equal(read(data + tag + data), expected)
    np.testing.assert_array_equal(read(tag + data + b"TAG" + bytes(125) + data), expected)


def test_bytes_lost_in_an_mp3_are_silence_or_an_error() -> None:
    sound = voice("anger", "a", seconds=4.0)
    data = encoded(sound, "MP3", bitrate_mode="CONSTANT", compression_level=0.5)
    hole = bytearray(data)
    middle, size = len(data) // 2, len(data) // 10
    hole[middle : middle + size] = b"\x55" * size
    with pytest.raises(TruncatedAudioError, match="is damaged"):
        read(bytes(hole))
    clip = load_clip(io.BytesIO(bytes(hole)), target_rate=RATE, damaged="skip")
    assert len(clip.samples) == pytest.approx(len(sound), abs=0.2 * RATE)
    assert len(clip.gaps) == 1
    assert clip.gaps[0].start == pytest.approx(2.0, abs=0.2)
    assert clip.gaps[0].end is not None
    assert clip.gaps[0].end - clip.gaps[0].start == pytest.approx(0.4, abs=0.15)


def test_joined_mp3_of_different_rates_are_refused() -> None:
    data = encoded(FIRST, "MP3") + encoded(tone(440, rate=24_000), "MP3", rate=24_000)
    with pytest.raises(ValueError, match="changes its sampling rate midway, from 16000 to 24000 Hz"):
        read(data)


def test_the_frames_of_an_mp3_are_counted() -> None:
    data = encoded(FIRST, "MP3")
    (part,) = find_parts(io.BytesIO(data), len(data))
    assert (part.start, part.end, part.announced) == (0, len(data), part.frames)
    assert part.seconds == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("byte", [b"\xff", b"\0", b"\xff\xfb"])
def test_a_file_without_frames_costs_no_search(byte: bytes) -> None:
    data = byte * (20 << 20)
    assert find_parts(io.BytesIO(data), len(data)) == []


# Ogg


def test_the_links_of_an_ogg_are_found() -> None:
    first, second = encoded(FIRST, "OGG", "VORBIS"), encoded(SECOND, "OGG", "OPUS")
    links = find_links(io.BytesIO(first + second))
    assert [(link.start, link.end) for link in links] == [(0, len(first)), (len(first), len(first) + len(second))]
    assert all(link.is_for_libsndfile for link in links)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_padding_behind_an_ogg_is_no_sound(subtype: str) -> None:
    data = encoded(FIRST, "OGG", subtype)
    np.testing.assert_array_equal(read(data + bytes(4096)), read(data))


def test_what_ffmpeg_decodes_of_a_damaged_opus_file_keeps_its_speed() -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'serkit[media]'")
    data = bytearray(encoded(voice("anger", "a", seconds=8.0), "OGG", "OPUS"))
    page = data.index(b"OggS", len(data) // 2)
    data[page + 30 : page + 90] = b"\x55" * 60
    clip = load_clip(io.BytesIO(bytes(data)), target_rate=RATE, damaged="skip")
    assert len(clip.samples) == pytest.approx(8 * RATE, rel=0.2)


def test_an_ogg_without_its_beginning_is_called_so() -> None:
    data = encoded(voice("anger", "a", seconds=30.0), "OGG", "VORBIS")
    later = data[data.rindex(b"OggS") :]
    with pytest.raises(UnknownAudioFormatError, match="is a later piece of an Ogg recording, and the"):
        read(later)


# Pieces of files


def test_a_sectioned_file_reads_like_its_sections_joined() -> None:
    whole = bytes(range(256)) * 40
    base = io.BytesIO(whole)
    file = sectioned(b"abc", (base, 10, 5_000), (base, 0, 0), b"", (base, 9_000, 9_001), b"z")
    expected = b"abc" + whole[10:5_000] + whole[9_000:9_001] + b"z"
    assert file.read() == expected
    for position, count in ((0, 5), (2, 3), (4_990, 100), (len(expected), 1)):
        file.seek(position)
        assert file.read(count) == expected[position : position + count]
    assert file.seek(-1, io.SEEK_END) == len(expected) - 1
    with pytest.raises(ValueError, match="cannot seek"):
        file.raw.seek(-1)  # type: ignore[attr-defined]


# WAV headers as tools write them


def wav(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def chunk(name: bytes, data: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(data) if size is None else size) + data


PCM = (FIRST * 32767).astype("<i2").tobytes()
FORM = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
ID3 = b"ID3\4\0\0\0\0\1\x48" + bytes(200)
REPAIRED = {
    "2 bytes too many in the header": wav(FORM, chunk(b"data", PCM, len(PCM) + 2)),
    "44 bytes too many in the header": wav(FORM, chunk(b"data", PCM, len(PCM) + 44)),
    "data size 0 and a right total": wav(FORM, chunk(b"data", PCM, 0)),
    "both sizes 0 behind a tag": ID3 + wav(FORM, chunk(b"data", PCM, 0), size=0),
    "a chunk of odd length without padding": wav(FORM, chunk(b"LIST", b"INFOISFT\1\0\0\0a"), chunk(b"data", PCM)),
}


@pytest.mark.parametrize("data", REPAIRED.values(), ids=REPAIRED)
def test_a_wav_that_players_play_is_read(data: bytes) -> None:
    np.testing.assert_array_equal(read(data), read(wav(FORM, chunk(b"data", PCM))))


@pytest.mark.parametrize("missing", [1, 2, 1000, 3200])
def test_a_tenth_of_a_second_may_be_missing(missing: int) -> None:
    clip = load_clip(io.BytesIO(wav(FORM, chunk(b"data", PCM))[:-missing]), target_rate=RATE)
    assert len(clip.samples) == (len(PCM) - missing) // 2
    assert clip.gaps == ()


def test_a_short_clip_may_not_lack_most_of_its_sound() -> None:
    data = wav(FORM, chunk(b"data", PCM[:2_000], 2_000))
    assert len(read(data[:-900])) == 550
    with pytest.raises(TruncatedAudioError, match="it has 900 of 2000 bytes"):
        read(data[:-1_100])


def test_more_is_refused_or_reported() -> None:
    data = wav(FORM, chunk(b"data", PCM))[:-16_000]
    with pytest.raises(TruncatedAudioError, match="is cut off: it has 16000 of 32000 bytes of audio"):
        read(data)
    clip = load_clip(io.BytesIO(data), target_rate=RATE, damaged="skip")
    assert len(clip.samples) == 8_000
    assert [(gap.start, gap.end) for gap in clip.gaps] == [(0.5, 1.0)]


def test_the_header_cannot_hide_what_is_missing() -> None:
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 0xFFFFFFFF, 2, 16))  # 4 GB a second
    with pytest.raises(TruncatedAudioError, match="is cut off"):
        read(wav(form, chunk(b"data", PCM))[:-16_000])


# The rule


def test_missing_audio_adds_up() -> None:
    damage = DamageReport()
    damage.lost(0.0, 0.06, "damaged.")
    with pytest.raises(TruncatedAudioError, match=r"damaged\."):
        damage.lost(1.0, 1.06, "damaged.")


def test_a_pause_is_no_fault() -> None:
    damage = DamageReport()
    damage.pause(1.0, 31.0)
    assert [(gap.start, gap.end) for gap in damage.gaps] == [(1.0, 31.0)]


def test_a_wrong_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="damaged must be 'refuse' or 'skip', not 'maybe'"):
        DamageReport("maybe")  # type: ignore[arg-type]
