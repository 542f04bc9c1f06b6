"""Small files made to crash, hang or fill the memory; `benchmarks/fuzz.py` has the large ones."""

import io
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from serkit.audio import containers, media, mpeg_frames
from serkit.audio.damage import DamageReport
from serkit.audio.decode import load_audio, load_clip, open_audio
from serkit.audio.file_window import FileWindow
from serkit.audio.ogg_pages import find_links
from serkit.audio.sectioned_file import ForDecoder, read_at
from serkit.audio.tags import without_id3
from serkit.errors import AudioError, SerkitError, TruncatedAudioError, UnknownAudioFormatError
from support.mutants import mutants, sound_files
from support.synthetic import tone

RATE = 16_000


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    return sound_files(tone(440, seconds=0.5, rate=48_000))


@pytest.fixture
def printed() -> Iterator[list[Any]]:
    """Exceptions in callbacks, which Python prints since it cannot raise them."""
    found: list[Any] = []
    before, sys.unraisablehook = sys.unraisablehook, found.append
    yield found
    sys.unraisablehook = before


def encoded(kind: str, subtype: str | None = None, *, seconds: float = 0.1) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, tone(440, seconds=seconds), RATE, format=kind, subtype=subtype)
    return file.getvalue()


@pytest.mark.parametrize("count", [200, pytest.param(5000, marks=pytest.mark.long)])
def test_a_broken_file_is_heard_or_refused_by_path_and_from_memory(
    tmp_path: Path, files: dict[str, bytes], printed: list[Any], count: int
) -> None:
    path = tmp_path / "clip"
    for number, (name, content) in enumerate(mutants(files, count, seed=count)):
        path.write_bytes(content)
        for source in (path, io.BytesIO(content)):
            try:
                samples = load_audio(source, target_rate=RATE, damaged="skip" if number // len(files) % 2 else "refuse")
            except SerkitError:
                continue
            assert np.isfinite(samples).all(), name
    assert not printed


# A file that asks for a seek before its start, or behind the largest file there can be


def test_a_failed_seek_is_a_number_to_a_decoder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcdef")
    with (tmp_path / "a").open("rb") as file:
        for stream in (ForDecoder(file), ForDecoder(io.BytesIO(b"abcdef"))):
            assert stream.seek(-1) < 0
            assert stream.tell() == -1
            assert stream.seek(-2, 2) == stream.tell() == 4
            assert stream.read(9) == b"ef"


def test_an_alac_file_of_an_exabyte_is_refused(
    tmp_path: Path, files: dict[str, bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'serkit[media]'")
    data = files["caf-alac"]
    at = data.index(b"data") + 4
    path = tmp_path / "clip.caf"
    path.write_bytes(data[:at] + (1 << 62).to_bytes(8) + data[at + 8 :])
    with pytest.raises(AudioError):
        load_audio(path, target_rate=RATE)
    assert capfd.readouterr().err == ""


def test_behind_the_end_of_a_file_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abcdef")
    with (tmp_path / "a").open("rb") as file:
        for position in (6, 1 << 50, 1 << 62, 1 << 80):
            assert read_at(file, position, 4) == read_at(io.BytesIO(b"abcdef"), position, 4) == b""


def test_a_matroska_file_of_a_petabyte_is_refused_or_heard(tmp_path: Path, files: dict[str, bytes]) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'serkit[media]'")
    data = files["mkv-pcm"]
    at = data.index(b"\x18\x53\x80\x67") + 4
    path = tmp_path / "clip.mkv"
    path.write_bytes(data[:at] + b"\x01\0" + b"\xff" * 5 + b"\xfe" + data[at + 8 :])
    with pytest.raises(TruncatedAudioError, match="is cut off"):
        load_audio(path, target_rate=RATE)
    assert len(load_audio(path, target_rate=RATE, damaged="skip")) == RATE // 2


# Files that would take endless time


def takes_at_most(seconds: float, action: Callable[[], object]) -> None:
    start = time.perf_counter()
    action()
    assert time.perf_counter() - start < seconds


@pytest.mark.parametrize("damaged", ["refuse", "skip"])
def test_a_file_of_packets_without_audio_ends_early(monkeypatch: pytest.MonkeyPatch, damaged: Any) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'serkit[media]'")
    monkeypatch.setattr(media, "_MOST_BARREN", 100)
    for data in (b"#!AMR\n" + b"\x7c" * 1000, b"\xff\xf1\x60\x40\0\xff\xfc" * 1000):
        with pytest.raises(TruncatedAudioError, match="101 packets in a row hold no audio"):
            load_clip(io.BytesIO(data), target_rate=RATE, damaged=damaged)


def test_what_was_heard_before_packets_without_audio_is_kept(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]
) -> None:
    pytest.importorskip("av", reason="needs PyAV: pip install 'serkit[media]'")
    monkeypatch.setattr(media, "_MOST_BARREN", 100)
    clip = load_clip(io.BytesIO(files["amr"] + b"\x7c" * 1000), target_rate=RATE, damaged="skip")
    assert len(clip.samples) == pytest.approx(RATE // 2, abs=RATE // 20)
    assert clip.gaps[-1].end is None


def test_many_tags_chunks_and_boxes_are_not_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = io.BytesIO(b"ID3\4\0\0\0\0\0\0" * 300_000)
    takes_at_most(0.5, lambda: without_id3(tags))
    chunks = encoded("WAV")[:40] + bytes(4) + b"LIST\0\0\0\0" * 300_000
    with pytest.raises(AudioError):
        takes_at_most(0.5, lambda: load_audio(io.BytesIO(chunks), target_rate=RATE))
    monkeypatch.setattr(containers, "_MOST_BOXES", 10)
    boxes = io.BytesIO(b"\0\0\0\x08free" * 300_000)
    with pytest.raises(UnknownAudioFormatError, match="more than 10 MP4 boxes"):
        containers.check_boxes(boxes, "clip", DamageReport())


def test_an_mp3_that_is_not_looked_at_to_its_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpeg_frames, "_MOST_SKIPS", 10)
    data = encoded("MP3", seconds=0.5) + b"\1"
    assert len(load_audio(io.BytesIO(data * 10), target_rate=RATE, damaged="skip")) >= 5 * RATE
    with pytest.raises(TruncatedAudioError, match="interrupted 11 times"):
        load_audio(io.BytesIO(data * 12), target_rate=RATE, damaged="skip")


def test_what_only_looks_like_ogg_pages_takes_no_read_each() -> None:
    one = encoded("OGG", "OPUS")
    stream = CountingFile(one + b"OggS" * 100_000 + b"OggS\0" * 100_000 + one)
    assert len(find_links(stream)) == 2
    assert stream.reads < 5


def test_what_follows_the_last_ogg_page_is_kept_from_libsndfile() -> None:
    """It takes 4 s for a megabyte of words that begin like pages."""
    one = encoded("OGG", "OPUS")
    words = io.BytesIO(one + b"OggS" * 250_000)
    expected = load_audio(io.BytesIO(one), target_rate=RATE)
    takes_at_most(1.0, lambda: np.testing.assert_array_equal(load_audio(words, target_rate=RATE), expected))


def test_a_file_is_found_behind_the_end_of_another_among_much_else() -> None:
    one = encoded("FLAC")
    for between in (bytes(3 << 20), b"fLaC" * 1000, b"\1" * ((1 << 20) - len(one) + 7)):
        with pytest.raises(TruncatedAudioError, match=f"{len(one)} bytes follow"):
            load_audio(io.BytesIO(one + between + one), target_rate=RATE)


def test_a_window_gives_every_byte_once_wherever_it_is_asked() -> None:
    data = np.random.default_rng(0).bytes(3 << 20)
    window = FileWindow(io.BytesIO(data), len(data))
    for position in (*range(0, len(data), 100_003), len(data) - 1, 5):
        chunk, at = window.at(position)
        assert chunk[at : at + 2048] == data[position : position + 2048]


class CountingFile(io.BytesIO):
    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


# Files that would fill the memory


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory as Linux tells it")
def test_the_parts_of_a_joined_file_need_no_buffer_each() -> None:
    """Each buffer of 8 kB is small, but a file of 14 MB may have 100,000 parts."""
    data = encoded("OGG", "OPUS") * 4000
    before = resident_mb()
    with open_audio(io.BytesIO(data)) as sound:
        blocks = sum(1 for _ in sound.blocks)
        after = resident_mb()
    assert blocks == 4000
    assert after - before < 10  # buffers would take 33


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory as Linux tells it")
def test_tiny_frames_are_not_all_kept_before_decoding() -> None:
    """FFmpeg would keep those of the first 5 MB, which take 80 times as much."""
    pytest.importorskip("av", reason="needs PyAV: pip install 'serkit[media]'")
    stream = io.BytesIO(b"\xff\xf1\x60\x40\0\xff\xfc" * 700_000)
    container = containers.container_of(stream)
    assert container is not None
    before = resident_mb()
    with media._opened(stream, container, "clip", DamageReport()):
        assert resident_mb() - before < 100


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def test_many_tags_before_a_file_are_no_reason_to_read_on() -> None:
    with pytest.raises(UnknownAudioFormatError):
        load_audio(io.BytesIO(b"ID3\4\0\0\0\0\0\0" * 2000 + encoded("FLAC")), target_rate=RATE)
