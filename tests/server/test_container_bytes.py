"""Files where raw samples are wanted are named."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serkit.server.container_bytes import container_at, how_to_send_samples

EXAMPLES = Path(__file__).parents[2] / "examples"
SOUND = np.zeros(8000)


def written(form: str, subtype: str | None = None) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, SOUND, 16_000, format=form, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize(
    ("form", "what"),
    [
        ("WAV", "a WAV file"), ("RF64", "a WAV file"), ("AIFF", "an AIFF file"), ("OGG", "an Ogg file"),
        ("FLAC", "a FLAC file"), ("CAF", "a CAF file"), ("AU", "an AU file"),
    ],
)  # fmt: skip
def test_files_as_libsndfile_writes_them_are_told(form: str, what: str) -> None:
    assert container_at(written(form)) == what


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01", "a WebM or Matroska file"),
        (b"\x1f\x43\xb6\x75\x01\xff\xff", "the middle of a WebM or Matroska recording"),
        (b"\0\0\0\x20ftypM4A \0\0\2\0", "an MP4 or M4A file"),
        (b"#!AMR\n<\x91\x17", "an AMR file"),
        (b"wvpk\x8e\x07\0\0\x10\x04", "a WavPack file"),
        (b"ID3\x04\x00\x00\x00\x00\x0a\x5b", "an MP3 file"),
    ],
)
def test_files_of_browsers_and_phones_are_told(start: bytes, what: str) -> None:
    assert container_at(start) == what


def test_samples_are_taken_for_samples() -> None:
    rng = np.random.default_rng(0)
    for _ in range(2000):
        assert container_at(rng.bytes(64)) is None
    for sound in (b"", b"\0" * 20, b"RIFF", b"RIFF\0\0\0\0AVI LIST", b"ID3\xff\xff\0\0\0\0\0", b"ID3"):
        assert container_at(sound) is None


def test_one_sentence_says_how_to_get_to_samples() -> None:
    said = how_to_send_samples("an Ogg file", "pcm_f32le", 48_000, 2)
    assert said == (
        "the stream begins with an Ogg file, but raw samples are wanted (pcm_f32le, 48000 Hz, 2 channels): decode it, "
        "for example with 'ffmpeg -i FILE -f f32le -ar 48000 -ac 2 -', or send the whole file to /v1/timeline."
    )
    middle = how_to_send_samples(str(container_at(b"\x1f\x43\xb6\x75")), "pcm_s16le", 16_000, 1)
    assert "the beginning is missing; join the pieces of one recording" in middle
