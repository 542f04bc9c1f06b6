"""Files that clients send where raw samples are wanted, told by their first bytes.

Sources: RFC 8794 (EBML) and the Matroska element list, RFC 3533 (Ogg), the RIFF and EA IFF 85 specifications,
ISO/IEC 14496-12 (file type box), id3.org's ID3v2, RFC 9639 (FLAC), Apple's Core Audio Format.
"""

_EBML = b"\x1a\x45\xdf\xa3"
_CLUSTER = b"\x1f\x43\xb6\x75"
_FORMS = {b"RIFF": b"WAVE", b"RF64": b"WAVE", b"RIFX": b"WAVE", b"FORM": b"AIF"}  # first bytes to the form at byte 8
_BEGINNINGS = {
    _EBML: "a WebM or Matroska file",
    _CLUSTER: "the middle of a WebM or Matroska recording",
    b"OggS": "an Ogg file",
    b"ID3": "an MP3 file",
    b"fLaC": "a FLAC file",
    b"caff": "a CAF file",
    b".snd": "an AU file",
    b"wvpk": "a WavPack file",
    b"#!AMR": "an AMR file",
}


def container_at(start: bytes) -> str | None:
    """Return what kind of file begins with these bytes; None if they may be raw samples.

    MP3 and AAC files without a tag are not told from samples.

    Args:
        start: First bytes of a stream, 12 or more if there are so many.

    Example:
        >>> container_at(b"OggS" + bytes(24))
        'an Ogg file'
    """
    if start[4:8] == b"ftyp":
        return "an MP4 or M4A file"
    form = _FORMS.get(start[:4])
    if form and start[8:12].startswith(form):
        return "an AIFF file" if form == b"AIF" else "a WAV file"
    for beginning, what in _BEGINNINGS.items():
        if start.startswith(beginning) and (beginning != b"ID3" or _is_tag(start)):
            return what
    return None


def how_to_send_samples(what: str, encoding: str, sampling_rate: int, channels: int) -> str:
    """Return one sentence that says how to get from a file to the raw samples that a stream wants.

    Args:
        what: What the client sent, as :func:`container_at` names it.
        encoding: Wanted encoding.
        sampling_rate: Wanted sampling rate in Hz.
        channels: Wanted number of channels.
    """
    wanted = f"{encoding}, {sampling_rate} Hz, {channels} channel{'' if channels == 1 else 's'}"
    kind = encoding.removeprefix("pcm_")
    how = f"decode it, for example with 'ffmpeg -i FILE -f {kind} -ar {sampling_rate} -ac {channels} -',"
    if what == _BEGINNINGS[_CLUSTER]:
        how = "the beginning is missing; join the pieces of one recording, decode them,"
    return (
        f"the stream begins with {what}, but raw samples are wanted ({wanted}): {how} or send the whole file to "
        "/v1/timeline."
    )


def _is_tag(start: bytes) -> bool:
    """Whether an ID3v2 header follows: version bytes below 0xFF, and four size bytes below 0x80."""
    return len(start) >= 10 and 0xFF not in start[3:5] and all(byte < 0x80 for byte in start[6:10])
