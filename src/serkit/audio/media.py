"""Audio from video and compressed containers, decoded by PyAV (extra ``media``).

libsndfile cannot read MP4, AVI, Matroska and others (:mod:`serkit.audio.containers`), and PyAV is imported only for
them. This module names the demuxer to FFmpeg, which then tries no other one: a playlist in disguise cannot open another
file or a connection. FFmpeg repairs damaged files silently; this module follows the rule of
:mod:`serkit.audio.damage`.

Times count from the first audio sample, even if the video starts earlier. A pause between two timestamps becomes
silence, as in a player, and is reported. The encoder's delay and padding are removed where the container states them
(MP4, and WebM with Opus) and kept elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from serkit.audio.containers import ASF, AVI, FLV, MATROSKA, MP4, Container, check_asf_size, check_boxes, check_segment
from serkit.audio.damage import TOLERANCE, DamageReport
from serkit.audio.sectioned_file import ForDecoder
from serkit.audio.tags import without_end_tags
from serkit.errors import (
    AudioShapeError,
    MissingExtraError,
    NoSamplesError,
    SamplingRateError,
    TruncatedAudioError,
    UnknownAudioFormatError,
)
from serkit.types import FloatArray

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.container import InputContainer
    from av.stream import Stream

_SHORTEST_GAP = 0.1  # seconds; a shorter gap is jitter of timestamps
_LONGEST_PAUSES = 3600.0  # seconds of pauses in a file; more come from wrong timestamps
_PROBED = 1 << 18  # bytes of frames that FFmpeg keeps before decoding; by default 5 MB, which tiny ones turn into 400
_MOST_BARREN = 20_000  # packets in a row without audio; six to ten minutes of most codecs
_SILENCE_SECONDS = 10.0  # length of a block of silence
_FILE_TOLERANCE = 0.05  # missing share of a duration that is the whole file's or estimated from the bit rate
_SAMPLE_KINDS: dict[str, tuple[type[np.generic], float]] = {  # by FFmpeg's name: the type, and its scale to [-1, 1)
    "u8": (np.uint8, 2.0**-7),
    "s16": (np.int16, 2.0**-15),
    "s32": (np.int32, 2.0**-31),
    "flt": (np.float32, 1.0),
    "dbl": (np.float64, 1.0),
}
_MAX_CHANNELS = 8  # PyAV does not safely expose more planes of a planar format


def decode_blocks(
    stream: BinaryIO, container: Container, *, name: str = "the file object", damage: DamageReport | None = None
) -> Iterator[tuple[FloatArray, int]]:
    """Decode the audio of a container block by block. Video is skipped.

    Of several audio streams, the first one marked as default is decoded, or else the first.

    Args:
        stream: Seekable binary file. It is read from its start and stays open.
        container: Container from :func:`container_of`.
        name: Name of the file for messages.
        damage: Report on the file. None refuses damaged files.

    Yields:
        Samples, shape (channels, T), and their sampling rate in Hz, which is the same for all blocks.

    Raises:
        MissingExtraError: If PyAV is not installed.
        TruncatedAudioError: If the file is damaged or incomplete. Missing audio may be noticed only at the end.
        UnknownAudioFormatError: If FFmpeg has no decoder for the audio.
        NoSamplesError: If there is no audio stream, or it is empty.
        SamplingRateError, AudioShapeError: If the sampling rate or the number of channels changes midway.
    """
    damage = damage or DamageReport()
    count, last, rate = 0, np.empty((1, 0), np.float32), 1
    announced: float | None = None
    try:
        with _opened(stream, container, name, damage) as file:
            sound = _audio_stream(file, container, name)
            announced = _announced_duration(sound, container)
            frames = _frames(_packets(file, sound, container, name, damage), container, name)
            for block, rate in _blocks(frames, container, name, damage):
                if count:
                    yield last, rate
                count, last = count + block.shape[1], block
    except TruncatedAudioError as error:
        if not count or not damage.does_skip:
            raise
        damage.cut(count / rate, announced, str(error))
    if announced is not None and count < announced * rate:
        message = f"{name} is damaged or cut off: it has {count / rate:.2f} of {announced:.2f} s of audio."
        damage.cut(count / rate, announced, message)
    if not count:
        raise NoSamplesError(f"{name} is a file ({container.title}) without samples.")
    damage.end(count / rate if announced is None else min(count / rate, announced))
    if announced is not None and 0 < (padding := count - round(announced * rate)) < last.shape[1]:
        last = last[:, :-padding]
    yield last, rate


def probe(stream: BinaryIO, container: Container, *, name: str = "the file object") -> tuple[int, int, float, str]:
    """Read the properties of a container's audio.

    MP4 and AVI state the duration; their audio is not decoded, so only :func:`decode_blocks` notices damage to it.
    Other containers are decoded to measure the duration.

    Returns:
        Sampling rate in Hz, number of channels, duration in seconds, title of the container.

    Raises:
        AudioError, MissingExtraError: Those of :func:`decode_blocks`.
    """
    damage = DamageReport()
    with _opened(stream, container, name, damage) as file:
        sound = _audio_stream(file, container, name)
        announced, rate, channels = _announced_duration(sound, container), sound.rate, sound.channels
    if announced is None:
        count = 0
        for block, own_rate in decode_blocks(stream, container, name=name):
            rate, channels, count = own_rate, len(block), count + block.shape[1]
        announced = count / rate
    return rate, channels, announced, container.title


@contextmanager
def _opened(stream: BinaryIO, container: Container, name: str, damage: DamageReport) -> Iterator["InputContainer"]:
    """Open a stream with PyAV. FFmpeg's errors inside the ``with`` block become serkit's own."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(f"reading {name} ({container.title})", "media") from error
    if container is MATROSKA:
        check_segment(stream, name, damage)
    if container is MP4:
        check_boxes(stream, name, damage)
    if container is ASF:
        check_asf_size(stream, name, damage)
    stream.seek(0)
    is_bare = container.slack is not None and not container.is_timed  # frames alone, of which a few tell everything
    options = {"probesize": str(_PROBED)} if is_bare else {}
    if not container.is_timed:  # FFmpeg takes the tags at the end of such a file for packets
        stream = without_end_tags(stream)
    try:
        # By default a tag that is not valid UTF-8 would make the file unreadable.
        with av.open(
            ForDecoder(stream), "r", format=container.demuxer, metadata_errors="replace", options=options
        ) as file:
            yield file
    except (av.error.PatchWelcomeError, av.error.LookupError) as error:
        raise UnknownAudioFormatError(
            f"{name} has audio that FFmpeg cannot decode: {error.strerror or error}."
        ) from error
    except av.FFmpegError as error:
        raise TruncatedAudioError(
            f"{name} is damaged or cut off ({container.title}): {error.strerror or error}."
        ) from error


def _audio_stream(file: "InputContainer", container: Container, name: str) -> "AudioStream":
    from av.stream import Disposition

    if not len(file.streams):
        raise TruncatedAudioError(f"{name} is damaged or cut off ({container.title}): it has no stream.")
    sounds = file.streams.audio
    if not sounds:
        raise NoSamplesError(f"{name} is a video ({container.title}) without sound: it has no audio stream.")
    sound = next((s for s in sounds if s.disposition & Disposition.default), sounds[0])
    if sound.codec_context is None:
        raise UnknownAudioFormatError(f"{name} has audio that is encrypted, or in a codec that FFmpeg does not know.")
    if sound.codec_context.name == "flac":  # has a checksum, which FFmpeg ignores by default
        sound.codec_context.options = {"err_detect": "crccheck+explode"}
    return sound


def _announced_duration(sound: "AudioStream", container: Container) -> float | None:
    """Return the duration of the audio in seconds that the header states.

    Containers other than MP4 and AVI give None: FFmpeg's duration for them is an estimate, or that of the whole file.
    """
    length = {MP4: sound.duration, AVI: sound.frames}.get(container)  # AVI: its duration shrinks with the file
    return float(length * sound.time_base) if length and sound.time_base else None


@dataclass(frozen=True, slots=True)
class _Lost:
    """A packet that cannot be decoded.

    Attributes:
        seconds: Its duration; 0 if it is unknown.
    """

    seconds: float


class _Pace:
    """The mean duration of a byte of a stream without timestamps; 0 for a stream with timestamps."""

    def __init__(self) -> None:
        self._seconds, self._bytes = 0.0, 0

    def add(self, seconds: float, size: int) -> None:
        self._seconds, self._bytes = self._seconds + seconds, self._bytes + size

    def seconds_in(self, size: int) -> float:
        return size * self._seconds / self._bytes if self._bytes else 0.0


def _packets(
    file: "InputContainer", sound: "AudioStream", container: Container, name: str, damage: DamageReport
) -> Iterator["Packet[AudioStream] | _Lost"]:
    """Yield the packets of the audio stream, and check that no packets are missing at the end of the file."""
    end, position = 0.0, 0  # seconds; bytes
    pace = _Pace()
    for packet in _all_packets(file):
        if container.slack is not None and packet.pos is not None and packet.size:
            if position and packet.pos - position > container.slack:
                yield _Lost(pace.seconds_in(packet.pos - position))
            position = packet.pos + packet.size
            pace.add(0.0 if container.is_timed else _seconds(packet), packet.size)
        if packet.pts is not None and packet.time_base:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream.index != sound.index:
            continue
        yield _Lost(_seconds(packet)) if packet.is_corrupt else cast("Packet[AudioStream]", packet)
    rest = file.size - position
    if container.slack is not None and rest > container.slack and (seconds := pace.seconds_in(rest)):
        yield _Lost(seconds)
    if container in (ASF, FLV, MATROSKA) and file.duration:
        announced = file.duration / 1e6
        if end < announced * (1 - _FILE_TOLERANCE) - TOLERANCE:
            damage.cut(end, announced, f"{name} is cut off: it has {end:.2f} of {announced:.2f} s.")


def _all_packets(file: "InputContainer") -> Iterator["Packet[Stream]"]:
    try:
        yield from file.demux()
    except IndexError:  # PyAV raises it at the end of a broadcast in which a stream started midway
        return


def _seconds(packet: "Packet[Any]") -> float:
    return float(packet.duration * packet.time_base) if packet.duration and packet.time_base else 0.0


def _frames(
    packets: Iterator["Packet[AudioStream] | _Lost"], container: Container, name: str
) -> Iterator["AudioFrame | _Lost"]:
    """Decode packets into frames. A file of packets without audio ends early, since each failure takes 0.1 ms."""
    from av.error import InvalidDataError

    barren = 0  # packets in a row that hold no audio
    for packet in packets:
        if isinstance(packet, _Lost):
            yield packet
            continue
        frames = []
        try:
            frames = packet.decode()
        except InvalidDataError:
            yield _Lost(_seconds(packet))
        yield from frames
        barren = 0 if frames else barren + 1
        if barren > _MOST_BARREN:
            raise TruncatedAudioError(
                f"{name} is damaged ({container.title}): {barren} packets in a row hold no audio that can be decoded."
            )


def _blocks(
    frames: Iterator["AudioFrame | _Lost"], container: Container, name: str, damage: DamageReport
) -> Iterator[tuple[FloatArray, int]]:
    """Convert frames to float32, and put silence in place of pauses between timestamps and of lost packets."""
    rate, channels, count, typical = 0, 0, 0, 0.0  # count: samples so far; typical: seconds in a frame
    expected: float | None = None  # timestamp of the next frame if there is no pause
    lost = paused = 0.0  # seconds
    for frame in frames:
        if isinstance(frame, _Lost):
            lost += frame.seconds or typical or TOLERANCE
            continue
        block = _floats(frame, name)
        if rate and frame.sample_rate != rate:
            raise SamplingRateError(f"{name} changes its sampling rate midway, from {rate} to {frame.sample_rate} Hz.")
        if channels and len(block) != channels:
            raise AudioShapeError(f"{name} changes midway from {channels} to {len(block)} channels.")
        rate, channels, typical = frame.sample_rate, len(block), block.shape[1] / frame.sample_rate
        end = count / rate
        time = frame.time if container.is_timed else None
        silence = 0.0 if time is None or expected is None else time - expected
        if lost:
            silence = silence if silence >= _SHORTEST_GAP else lost
            damage.lost(end, end + silence, _undecodable(name, end, end + silence))
        elif silence >= _SHORTEST_GAP:
            paused += silence
            if paused > _LONGEST_PAUSES:
                damage.cut(end, None, f"{name} is damaged: its timestamps leap from {end:.2f} s by {silence:.2f} s.")
                silence = 0.0
            else:
                damage.pause(end, end + silence)
        else:
            silence = 0.0
        lost, expected = 0.0, None if time is None else time + typical
        for zeros in _silence(channels, round(silence * rate), round(_SILENCE_SECONDS * rate)):
            count += zeros.shape[1]
            yield zeros, rate
        count += block.shape[1]
        yield block, rate
    if lost and not rate:
        raise TruncatedAudioError(
            f"{name} is damaged or cut off ({container.title}): none of its audio can be decoded."
        )
    if lost:
        end = count / rate
        announced = None if container in (ASF, FLV) else end + lost  # the two lose much more than the last packet
        damage.cut(end, announced, f"{name} is damaged or cut off ({container.title}): its last packet is incomplete.")


def _undecodable(name: str, start: float, end: float) -> str:
    return f"{name} is damaged: its audio from {start:.2f} s to {end:.2f} s cannot be decoded."


def _silence(channels: int, count: int, longest: int) -> Iterator[FloatArray]:
    for start in range(0, count, longest):
        yield np.zeros((channels, min(longest, count - start)), np.float32)


def _floats(frame: "AudioFrame", name: str) -> FloatArray:
    """Convert a frame of any sample format to float32, shape (channels, T). Integers are scaled to [-1, 1)."""
    kind, channels = frame.format.name.removesuffix("p"), frame.layout.nb_channels
    if kind not in _SAMPLE_KINDS:
        raise UnknownAudioFormatError(f"{name} has samples of the type {kind!r}, which cannot be read.")
    if channels > _MAX_CHANNELS:
        raise AudioShapeError(f"{name} has {channels} channels; expected at most {_MAX_CHANNELS}.")
    dtype, scale = _SAMPLE_KINDS[kind]
    if frame.format.is_planar:
        planes = frame.planes[:channels]  # beyond eight planes PyAV reads foreign memory, in to_ndarray too
        samples = np.stack([np.frombuffer(memoryview(plane), dtype, frame.samples) for plane in planes])
    else:
        samples = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * channels).reshape(-1, channels).T
    if kind == "u8":
        samples = samples.astype(np.int16) - 128
    with np.errstate(over="ignore", invalid="ignore"):  # load_audio refuses the infinite samples of an overflow
        return (samples * np.float64(scale)).astype(np.float32, order="C")
