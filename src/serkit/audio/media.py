"""Audio from video and compressed containers, decoded by PyAV (extra ``media``).

libsndfile cannot read MP4, AVI, Matroska and others. This module recognizes such files by their first bytes, never by
their suffix, and imports PyAV only for them. It names the demuxer to FFmpeg, which then tries no other one: a playlist
in disguise cannot open another file or a connection. FFmpeg repairs damaged files silently; this module refuses a file
whose audio is incomplete, as :mod:`serkit.audio.decode` does.

Times count from the first audio sample, even if the video starts earlier. A pause of 0.1 to 1 second between two
timestamps becomes silence, as in a player. The encoder's delay and padding are removed where the container states them
(MP4, and WebM with Opus) and kept elsewhere.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

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
_LONGEST_GAP = 1.0  # seconds; Opus may send nothing for 0.4 s of silence, and a longer gap means lost audio
_TOLERANCE = 0.1  # seconds of the announced duration of the audio that may be missing
_FILE_TOLERANCE = 0.05  # missing share of a duration that is the whole file's or estimated from the bit rate
_SAMPLE_KINDS: dict[str, tuple[type[np.generic], float]] = {  # by FFmpeg's name: the type, and its scale to [-1, 1)
    "u8": (np.uint8, 2.0**-7),
    "s16": (np.int16, 2.0**-15),
    "s32": (np.int32, 2.0**-31),
    "flt": (np.float32, 1.0),
    "dbl": (np.float64, 1.0),
}
_MAX_CHANNELS = 8  # PyAV does not safely expose more planes of a planar format
_SEGMENT = b"\x18\x53\x80\x67"  # Matroska: ID of the element that holds everything after the header


@dataclass(frozen=True, slots=True)
class Container:
    """A container format.

    Attributes:
        title: Name for messages.
        demuxer: FFmpeg's name.
        is_timed: Whether packets carry their own timestamps, rather than ones computed from their sizes.
    """

    title: str
    demuxer: str
    is_timed: bool = True


_AVI = Container("AVI", "avi", is_timed=False)
_MP4 = Container("MP4", "mov")
_MATROSKA = Container("Matroska", "matroska")
_ASF = Container("ASF", "asf")
_FLV = Container("FLV", "flv")
_MPEG_TS = Container("MPEG-TS", "mpegts")
_SIGNATURES = {
    rb"RIFF.{4}AVI ": _AVI,
    rb"\0.{3}(ftyp|moov|free|skip|wide|pnot)|.{4}mdat": _MP4,  # MOV, M4A and 3GP too
    rb"\x1a\x45\xdf\xa3": _MATROSKA,  # WebM too
    rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11": _ASF,  # WMA and WMV
    rb"FLV\x01": _FLV,
    rb"\0\0\x01\xba": Container("MPEG-PS", "mpeg"),
    rb"(G.{187}){2}G": _MPEG_TS,
    rb".{4}(G.{191}){2}G": _MPEG_TS,  # with a timestamp before each packet, as cameras write it
    rb"\xff[\xf0\xf1\xf8\xf9]": Container("AAC", "aac", is_timed=False),  # MP3 differs in the next two bits
    rb"#!AMR": Container("AMR", "amr", is_timed=False),
}
_LONGEST_SIGNATURE = 389


def container_of(stream: BinaryIO) -> Container | None:
    """Recognize a container by its first bytes, and rewind the stream.

    Returns:
        The container, or None for a file that libsndfile should read.
    """
    stream.seek(0)
    head = stream.read(_LONGEST_SIGNATURE)
    stream.seek(0)
    return next((kind for pattern, kind in _SIGNATURES.items() if re.match(pattern, head, re.DOTALL)), None)


def decode(stream: BinaryIO, container: Container, *, name: str = "the file object") -> tuple[FloatArray, int]:
    """Decode the audio of a container. Video is skipped.

    Of several audio streams, the first one marked as default is decoded, or else the first.

    Args:
        stream: Seekable binary file. It is read from its start and stays open.
        container: Container from :func:`container_of`.
        name: Name of the file for messages.

    Returns:
        Samples, shape (channels, T), and their sampling rate in Hz.

    Raises:
        MissingExtraError: If PyAV is not installed.
        TruncatedAudioError: If the file is damaged or incomplete.
        UnknownAudioFormatError: If FFmpeg has no decoder for the audio.
        NoSamplesError: If there is no audio stream, or it is empty.
        SamplingRateError, AudioShapeError: If the sampling rate or the number of channels changes midway.
    """
    found = list(decode_blocks(stream, container, name=name))
    return np.concatenate([block for block, _ in found], axis=1), found[0][1]


def decode_blocks(
    stream: BinaryIO, container: Container, *, name: str = "the file object"
) -> Iterator[tuple[FloatArray, int]]:
    """Decode the audio of a container block by block; see :func:`decode`.

    Yields:
        Samples, shape (channels, T), and their sampling rate in Hz, which is the same for all blocks.

    Raises:
        AudioError, MissingExtraError: Those of :func:`decode`. Missing audio is noticed only at the end.
    """
    with _opened(stream, container, name) as file:
        sound = _audio_stream(file, container, name)
        announced = _announced_duration(sound, container)
        count, last, rate = 0, np.empty((1, 0), np.float32), 1
        for block, rate in _blocks(_frames(_packets(file, sound, container, name), announced), container, name):
            if count:
                yield last, rate
            count, last = count + block.shape[1], block
    if announced is not None and count < (announced - _TOLERANCE) * rate:
        raise TruncatedAudioError(
            f"{name} is damaged or cut off: it has {count / rate:.2f} of {announced:.2f} s of audio."
        )
    if not count:
        raise NoSamplesError(f"{name} is a file ({container.title}) without samples.")
    if announced is not None and 0 < (padding := count - round(announced * rate)) < last.shape[1]:
        last = last[:, :-padding]
    yield last, rate


def probe(stream: BinaryIO, container: Container, *, name: str = "the file object") -> tuple[int, int, float, str]:
    """Read the properties of a container's audio.

    MP4 and AVI state the duration; their audio is not decoded, so only :func:`decode` notices damage to it. Other
    containers are decoded to measure the duration.

    Returns:
        Sampling rate in Hz, number of channels, duration in seconds, title of the container.

    Raises:
        AudioError, MissingExtraError: Those of :func:`decode`.
    """
    with _opened(stream, container, name) as file:
        sound = _audio_stream(file, container, name)
        announced, rate, channels = _announced_duration(sound, container), sound.rate, sound.channels
    if announced is None:
        samples, rate = decode(stream, container, name=name)
        channels, announced = len(samples), samples.shape[1] / rate
    return rate, channels, announced, container.title


@contextmanager
def _opened(stream: BinaryIO, container: Container, name: str) -> Iterator["InputContainer"]:
    """Open a stream with PyAV. FFmpeg's errors inside the ``with`` block become serkit's own."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(f"reading {name} ({container.title})", "media") from error
    if container is _MATROSKA:
        _check_segment(stream, name)
    stream.seek(0)
    try:
        # By default a tag that is not valid UTF-8 would make the file unreadable.
        with av.open(stream, "r", format=container.demuxer, metadata_errors="replace") as file:
            yield file
    except (av.error.PatchWelcomeError, av.error.LookupError) as error:
        raise UnknownAudioFormatError(
            f"{name} has audio that FFmpeg cannot decode: {error.strerror or error}."
        ) from error
    except av.FFmpegError as error:
        raise TruncatedAudioError(
            f"{name} is damaged or cut off ({container.title}): {error.strerror or error}."
        ) from error


def _check_segment(stream: BinaryIO, name: str) -> None:
    """Check that a Matroska file is as long as its header says, since FFmpeg does not.

    Source: RFC 8794, section 4 (the leading zeros of a number give its length) and 6.2 (unknown sizes).
    """
    stream.seek(0)
    head = stream.read(4096)
    at = head.find(_SEGMENT) + len(_SEGMENT)
    if at < len(_SEGMENT) or not head[at : at + 1]:
        return
    width = 9 - head[at].bit_length()
    limit = 1 << 7 * width
    size = int.from_bytes(head[at : at + width]) % limit
    there, expected = stream.seek(0, os.SEEK_END), at + width + size
    if size != limit - 1 and there < expected:  # all ones: a live recording without a length
        raise TruncatedAudioError(f"{name} is cut off: it has {there} of {expected} bytes.")


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
    length = {_MP4: sound.duration, _AVI: sound.frames}.get(container)  # AVI: its duration shrinks with the file
    return float(length * sound.time_base) if length and sound.time_base else None


def _packets(
    file: "InputContainer", sound: "AudioStream", container: Container, name: str
) -> Iterator["Packet[AudioStream]"]:
    """Yield the packets of the audio stream, and check that no packets are missing at the end of the file."""
    end = 0.0
    for packet in _all_packets(file):
        if packet.pts is not None and packet.time_base:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream.index != sound.index:
            continue
        if packet.is_corrupt:
            raise TruncatedAudioError(f"{name} is damaged or cut off: a packet of its audio is incomplete.")
        yield cast("Packet[AudioStream]", packet)
    if container in (_ASF, _FLV) and file.duration:
        announced = file.duration / 1e6
        if end < announced * (1 - _FILE_TOLERANCE) - _TOLERANCE:
            raise TruncatedAudioError(f"{name} is cut off: it has {end:.2f} of {announced:.2f} s.")


def _all_packets(file: "InputContainer") -> Iterator["Packet[Stream]"]:
    try:
        yield from file.demux()
    except IndexError:  # PyAV raises it at the end of a broadcast in which a stream started midway
        return


def _frames(packets: Iterator["Packet[AudioStream]"], announced: float | None) -> Iterator["AudioFrame"]:
    """Decode packets into frames. A packet that the decoder refuses is an error.

    The last packet may be refused if the header states the duration: tools that cut an AVI leave a partial MP3 frame
    at its end.
    """
    from av.error import InvalidDataError

    refusal = None
    for packet in packets:
        try:
            frames = packet.decode()
        except InvalidDataError as error:
            if refusal is not None:
                raise
            refusal = error
            continue
        if refusal is not None and frames:
            raise refusal
        yield from frames
    if refusal is not None and announced is None:
        raise refusal


def _blocks(frames: Iterator["AudioFrame"], container: Container, name: str) -> Iterator[tuple[FloatArray, int]]:
    """Convert frames to float32, and fill gaps between their timestamps with silence."""
    rate, channels, end = 0, 0, None
    for frame in frames:
        block = _floats(frame, name)
        if rate and frame.sample_rate != rate:
            raise SamplingRateError(f"{name} changes its sampling rate midway, from {rate} to {frame.sample_rate} Hz.")
        if channels and len(block) != channels:
            raise AudioShapeError(f"{name} changes midway from {channels} to {len(block)} channels.")
        rate, channels = frame.sample_rate, len(block)
        time = frame.time if container.is_timed else None
        if time is not None and end is not None and time - end >= _SHORTEST_GAP:
            if time - end > _LONGEST_GAP:
                raise TruncatedAudioError(f"{name} is damaged: it has no audio from {end:.2f} s to {time:.2f} s.")
            yield np.zeros((len(block), round((time - end) * rate)), np.float32), rate
        if time is not None:
            end = time
        end = end + block.shape[1] / rate if end is not None else None
        yield block, rate


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
