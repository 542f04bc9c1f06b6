"""Sound out of video and compressed containers, by PyAV: the optional extra ``media``.

libsndfile reads neither MP4 nor AVI nor Matroska. These are told by their first bytes, never by their
suffix, and PyAV is imported for them alone. The demuxer is named to FFmpeg, which then tries no other: a
playlist in disguise opens no further file and no connection. FFmpeg mends silently what it can; a file of
which sound is missing is refused here instead, as one is that libsndfile reads.

Times count from the first sample, whether or not the pictures begin sooner. A pause of a tenth to one
second between two timestamps is filled with silence, as a player does. The encoder's delay and padding are
left out where the container tells of them, as MP4 does, and WebM for Opus; elsewhere they are heard.
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

_SHORTEST_GAP = 0.1  # seconds: less is the jitter of timestamps
_LONGEST_GAP = 1.0  # seconds: Opus may send nothing for 0.4 s of silence; more is sound that was lost
_TOLERANCE = 0.1  # seconds that may be missing of what a container announces of its sound
_FILE_TOLERANCE = 0.05  # of the duration, where it is the whole file's, or FFmpeg's guess by the bit rate
_SAMPLE_KINDS: dict[str, tuple[type[np.generic], float]] = {  # FFmpeg's name to the type, and what brings it to [-1, 1)
    "u8": (np.uint8, 2.0**-7),
    "s16": (np.int16, 2.0**-15),
    "s32": (np.int32, 2.0**-31),
    "flt": (np.float32, 1.0),
    "dbl": (np.float64, 1.0),
}
_MAX_CHANNELS = 8  # beyond them PyAV does not say safely where a planar format's samples lie
_SEGMENT = b"\x18\x53\x80\x67"  # Matroska: all that follows the header


@dataclass(frozen=True, slots=True)
class Container:
    """A form of file that holds sound.

    Attributes:
        title: What a message calls it.
        demuxer: FFmpeg's name.
        is_timed: Whether its packets carry times of their own, not ones that are counted up from their sizes.
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
    """Recognize a container by its first bytes, and go back to the start.

    Returns:
        None for what is left to libsndfile.
    """
    stream.seek(0)
    head = stream.read(_LONGEST_SIGNATURE)
    stream.seek(0)
    return next((kind for pattern, kind in _SIGNATURES.items() if re.match(pattern, head, re.DOTALL)), None)


def decode(stream: BinaryIO, container: Container, *, name: str = "the file object") -> tuple[FloatArray, int]:
    """Decode the sound of a container; no picture is decoded or kept.

    Of several audio streams the first that the container marks as its default is taken, else the first.

    Args:
        stream: A seekable binary file, which is read from its start and stays open.
        container: What :func:`container_of` says of it.
        name: What a message calls the stream.

    Returns:
        Samples, shape (channels, T), and their sampling rate in Hz.

    Raises:
        MissingExtraError: If PyAV is not installed.
        TruncatedAudioError: If the file is damaged, or ends before it says.
        UnknownAudioFormatError: If FFmpeg has no decoder for the sound.
        NoSamplesError: If there is no audio stream, or no sample in it.
        SamplingRateError, AudioShapeError: If the rate or the channels change within the sound.
    """
    found = list(decode_blocks(stream, container, name=name))
    return np.concatenate([block for block, _ in found], axis=1), found[0][1]


def decode_blocks(
    stream: BinaryIO, container: Container, *, name: str = "the file object"
) -> Iterator[tuple[FloatArray, int]]:
    """Decode as :func:`decode` does, a little at a time.

    Yields:
        Samples, shape (channels, T), and their sampling rate in Hz, which never changes.

    Raises:
        AudioError, MissingExtraError: As :func:`decode` does; that sound is missing shows at the end.
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
            f"{name} is damaged or cut off: {count / rate:.2f} of {announced:.2f} s of sound are there."
        )
    if not count:
        raise NoSamplesError(f"{name} is a file ({container.title}) without a single sample.")
    if announced is not None and 0 < (padding := count - round(announced * rate)) < last.shape[1]:
        last = last[:, :-padding]
    yield last, rate


def probe(stream: BinaryIO, container: Container, *, name: str = "the file object") -> tuple[int, int, float, str]:
    """Read what a container says of its sound; only one that does not say how long it is is decoded for it.

    MP4 and AVI do say. The sound itself is then not looked at, so that damage to it shows in :func:`decode` alone.

    Returns:
        Sampling rate in Hz, channels, duration in seconds, the container's title.

    Raises:
        AudioError, MissingExtraError: As :func:`decode` does.
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
    """Open with PyAV, turning each of FFmpeg's faults, then and later, into our own."""
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(f"reading {name} ({container.title})", "media") from error
    if container is _MATROSKA:
        _check_segment(stream, name)
    stream.seek(0)
    try:
        # Tags are not ours to judge: by default one that is no UTF-8 would make the file unreadable.
        with av.open(stream, "r", format=container.demuxer, metadata_errors="replace") as file:
            yield file
    except (av.error.PatchWelcomeError, av.error.LookupError) as error:
        raise UnknownAudioFormatError(
            f"{name} holds sound that FFmpeg cannot decode: {error.strerror or error}."
        ) from error
    except av.FFmpegError as error:
        raise TruncatedAudioError(
            f"{name} is damaged or cut off ({container.title}): {error.strerror or error}."
        ) from error


def _check_segment(stream: BinaryIO, name: str) -> None:
    """Check that a Matroska file is as long as it says, which FFmpeg does not.

    Source: RFC 8794, section 4 (the length of a number is told by its leading zeros) and 6.2 (unknown sizes).
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
    if size != limit - 1 and there < expected:  # all ones: written live, without a length
        raise TruncatedAudioError(f"{name} is cut off: {there} of {expected} bytes are there.")


def _audio_stream(file: "InputContainer", container: Container, name: str) -> "AudioStream":
    from av.stream import Disposition

    if not len(file.streams):
        raise TruncatedAudioError(f"{name} is damaged or cut off ({container.title}): not a single stream is there.")
    sounds = file.streams.audio
    if not sounds:
        raise NoSamplesError(f"{name} is a video ({container.title}) without sound: it has no audio stream.")
    sound = next((s for s in sounds if s.disposition & Disposition.default), sounds[0])
    if sound.codec_context is None:
        raise UnknownAudioFormatError(f"{name} holds sound that is encrypted, or of a codec that FFmpeg lacks.")
    if sound.codec_context.name == "flac":  # the one common codec with a checksum; FFmpeg does not look at it unasked
        sound.codec_context.options = {"err_detect": "crccheck+explode"}
    return sound


def _announced_duration(sound: "AudioStream", container: Container) -> float | None:
    """Return how many seconds of sound the header announces.

    Elsewhere FFmpeg's number is an estimate from the file itself, or it is the whole file's.
    """
    length = {_MP4: sound.duration, _AVI: sound.frames}.get(container)  # AVI: its duration shrinks with the file
    return float(length * sound.time_base) if length and sound.time_base else None


def _packets(
    file: "InputContainer", sound: "AudioStream", container: Container, name: str
) -> Iterator["Packet[AudioStream]"]:
    """Yield the sound's packets; pass over the others, but for where the file ends."""
    end = 0.0
    for packet in _all_packets(file):
        if packet.pts is not None and packet.time_base:
            end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream.index != sound.index:
            continue
        if packet.is_corrupt:
            raise TruncatedAudioError(f"{name} is damaged or cut off: a packet of its sound is incomplete.")
        yield cast("Packet[AudioStream]", packet)
    if container in (_ASF, _FLV) and file.duration:
        announced = file.duration / 1e6
        if end < announced * (1 - _FILE_TOLERANCE) - _TOLERANCE:
            raise TruncatedAudioError(f"{name} is cut off: {end:.2f} of {announced:.2f} s are there.")


def _all_packets(file: "InputContainer") -> Iterator["Packet[Stream]"]:
    try:
        yield from file.demux()
    except IndexError:  # PyAV trips at the very end over a stream that a broadcast has brought in midway
        return


def _frames(packets: Iterator["Packet[AudioStream]"], announced: float | None) -> Iterator["AudioFrame"]:
    """Decode; a packet that the decoder refuses is a fault.

    But for the very last one where the header says how much sound there must be: tools that cut an AVI leave a
    part of an MP3 frame at its end.
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
    """Convert frames of one form, and put silence into the gaps between their times."""
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
                raise TruncatedAudioError(f"{name} is damaged: its sound stops at {end:.2f} s until {time:.2f} s.")
            yield np.zeros((len(block), round((time - end) * rate)), np.float32), rate
        if time is not None:
            end = time
        end = end + block.shape[1] / rate if end is not None else None
        yield block, rate


def _floats(frame: "AudioFrame", name: str) -> FloatArray:
    """Convert a frame of any sample format to float32, shape (channels, T), in [-1, 1) for integers."""
    kind, channels = frame.format.name.removesuffix("p"), frame.layout.nb_channels
    if kind not in _SAMPLE_KINDS:
        raise UnknownAudioFormatError(f"{name} holds samples of the kind {kind!r}, which cannot be read.")
    if channels > _MAX_CHANNELS:
        raise AudioShapeError(f"{name} has {channels} channels; expected {_MAX_CHANNELS} at most.")
    dtype, scale = _SAMPLE_KINDS[kind]
    if frame.format.is_planar:
        planes = frame.planes[:channels]  # after eight PyAV goes on into other memory, and so does its to_ndarray
        samples = np.stack([np.frombuffer(memoryview(plane), dtype, frame.samples) for plane in planes])
    else:
        samples = np.frombuffer(memoryview(frame.planes[0]), dtype, frame.samples * channels).reshape(-1, channels).T
    if kind == "u8":
        samples = samples.astype(np.int16) - 128
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused by load_audio as infinite
        return (samples * np.float64(scale)).astype(np.float32, order="C")
