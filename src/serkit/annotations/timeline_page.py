"""A timeline as one HTML file that plays the recording, shows the position in it, and lists the segments.

The file loads nothing from elsewhere; its content security policy forbids it. The recording is embedded if browsers
can play its format and it is no larger than :data:`MOST_EMBEDDED`; otherwise the file links to it with a relative
address. The constants below limit the number of windows and peaks, so a page for ten hours stays below five megabytes.
"""

import base64
import html
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from serkit.annotations.timeline_data import TimelineData
from serkit.annotations.timeline_layout import bands, clock_face, colors_of, emotions_of, envelope, is_dark, thinned
from serkit.annotations.timeline_script import SCRIPT
from serkit.annotations.timeline_style import STYLE
from serkit.annotations.wording import one_line, reservations
from serkit.errors import AudioIsDirectoryError, AudioNotFoundError, AudioUnreadableError
from serkit.types import Segment

MOST_EMBEDDED = 20_000_000  # largest recording that is embedded, in bytes
MOST_WINDOWS = 24_000  # limit of windows over all channels; more windows are averaged
MOST_PEAKS = 240_000  # limit of peaks over all channels; more peaks are reduced to the loudest
_CROWDED = 300  # windows from which on the page notes that it shows means, as a phone has no room for more
LIMITS = "It hears how emotion is acted; not for decisions about people."
_KINDS = {  # formats that browsers play
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".webm": "audio/webm",
}
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; media-src data: 'self' file:; "
    "base-uri 'none'; form-action 'none'"
)
_CALL = 'showTimeline(JSON.parse(document.getElementById("data").textContent));'
_QUIET = 0.05  # smallest full scale of the waveform, which keeps the noise of a quiet recording small


def write_page(
    timeline: TimelineData, audio: str | os.PathLike[str] | None = None, *, folder: str | os.PathLike[str] | None = None
) -> str:
    """Return a timeline as an HTML document.

    Args:
        timeline: Timeline to show.
        audio: Recording to play. Without it the page has no player.
        folder: Folder of the document, for the address of a recording that is not embedded. None is the recording's
            own folder.

    Raises:
        AudioNotFoundError: If there is no file at ``audio``.
        AudioUnreadableError: If the recording cannot be read.
    """
    title = one_line(timeline.name) or "recording"
    head = (
        '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        f"<title>{html.escape(title)}: emotions</title><style>{STYLE}</style>"
    )
    body = "".join(
        (
            f"<header><h1>{html.escape(title)}</h1>{_facts(timeline)}</header>",
            "" if audio is None else _player(Path(audio), folder),
            _drawing(timeline, has_audio=audio is not None),
            _segments(timeline),
            '<noscript><p class="note">The drawing needs JavaScript.</p></noscript>',
            f'<script type="application/json" id="data">{_embedded(timeline)}</script><script>{SCRIPT}{_CALL}</script>',
        )
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>{body}</main></body></html>\n'


def drawing(timeline: TimelineData) -> str:
    """Return the parts of a timeline that another page needs, as a JSON document.

    Returns:
        An object with ``facts``, one line about the timeline; ``html``, markup for the drawing and the table of
        segments; and ``data``, the argument of the script's ``showTimeline``, which fills the markup. The markup has
        no scripts, and text from files is escaped.
    """
    parts = {
        "facts": _summary(timeline),
        "html": _drawing(timeline, has_audio=True) + _segments(timeline),
        "data": _content(timeline),
    }
    return json.dumps(parts, allow_nan=False)


def _facts(timeline: TimelineData) -> str:
    return f'<p>{html.escape(_summary(timeline))}</p><p class="limits">{LIMITS}</p>'


def _summary(timeline: TimelineData) -> str:
    parts = [_length(timeline.duration)]
    if timeline.channels > 1:
        parts.append(f"{timeline.channels} channels")
    parts.append(f"{len(timeline.segments)} segment{'' if len(timeline.segments) == 1 else 's'}")
    model = f" Recognized by the model {one_line(timeline.model)}." if timeline.model else ""
    remarks = "".join(f" {sentence}." for sentence in reservations(timeline))
    return f"{', '.join(parts)}.{model}{remarks}"


def _length(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{clock_face(seconds)} {'h' if seconds >= 3599.5 else 'min'}"


def _player(audio: Path, folder: str | os.PathLike[str] | None) -> str:
    kind = _KINDS.get(audio.suffix.lower())
    try:
        size = audio.stat().st_size
        content = audio.read_bytes() if kind and size <= MOST_EMBEDDED else None
    except FileNotFoundError as error:
        raise AudioNotFoundError(f"there is no file {os.fspath(audio)!r} to play on the page.") from error
    except IsADirectoryError as error:
        raise AudioIsDirectoryError(
            f"{os.fspath(audio)!r} is a folder, not a recording to play on the page."
        ) from error
    except OSError as error:
        raise AudioUnreadableError(f"cannot read {os.fspath(audio)!r}: {error.strerror}.") from error
    if content is not None:
        return _sound(f"data:{kind};base64,{base64.b64encode(content).decode()}")
    address = _address(audio, folder)
    name = html.escape(one_line(audio.name))
    link = f'<a href="{address}">{name}</a>'
    if kind is None:
        return f'<p class="note">Browsers cannot play {link}; open it with another program.</p>'
    note = f"The recording has {size / 1e6:.0f} MB and is not embedded in this page: keep {link} where it is."
    return f'{_sound(address)}<p class="note">{note}</p>'


def _sound(address: str) -> str:
    return f'<audio id="audio" controls preload="metadata" aria-label="The recording" src="{address}"></audio>'


def _address(audio: Path, folder: str | os.PathLike[str] | None) -> str:
    """Return the address of the recording: relative, or absolute if it is on another drive of Windows."""
    try:
        path = audio.name if folder is None else Path(os.path.relpath(audio, folder)).as_posix()
    except ValueError:
        return html.escape(audio.absolute().as_uri())
    return html.escape("./" + quote(path, errors="surrogateescape"))


def _drawing(timeline: TimelineData, *, has_audio: bool) -> str:
    tools = (
        '<button id="out" type="button" aria-label="Zoom out" title="Zoom out">&minus;</button>'
        '<button id="in" type="button" aria-label="Zoom in" title="Zoom in">+</button>'
        '<button id="fit" type="button" title="Show all">Fit</button>'
        '<span id="time" role="timer" aria-live="off">0:00.0</span>'
    )
    slider = (
        f'<div id="view" class="scroll fitted" role="slider" tabindex="0" aria-label="Position in the recording" '
        f'aria-valuemin="0" aria-valuemax="{timeline.duration:.1f}" aria-valuenow="0" aria-describedby="keys">'
        '<div id="spacer" class="spacer"><canvas id="canvas" aria-hidden="true"></canvas>'
        '<div id="cursor" class="cursor"></div></div></div>'
    )
    keys = "Click or drag to move; ← and → by a second, with Shift by ten; + and &minus; zoom, 0 shows all."
    return (
        '<section aria-label="Timeline">'
        f'<div class="tools" role="group" aria-label="Zoom">{tools}</div>{slider}'
        '<ul id="legend" class="legend" aria-label="Colors"></ul>'
        '<p class="note">From top to bottom: waveform, speech, probability of each emotion, segments.'
        f'{_remark(timeline)} <span id="keys" class="keys">{keys}{" Space plays." if has_audio else ""}</span></p>'
        '<div id="now" class="now" aria-label="At the cursor" role="group"></div></section>'
    )


def _remark(timeline: TimelineData) -> str:
    if len(timeline.windows) <= _CROWDED:
        return ""
    return " Where there is no room for all, the drawing shows mean probabilities and the emotion that lasts longest."


def _segments(timeline: TimelineData) -> str:
    names = ["start", "end", *(["channel"] if timeline.channels > 1 else []), "emotion", "probability"]
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    empty = "" if timeline.segments else '<p class="note">No speech was found.</p>'
    return (
        f'<section><h2>Segments</h2>{empty}<div class="wide"><table><thead><tr>{head}</tr></thead>'
        '<tbody id="rows"></tbody></table></div><p><button id="more" type="button" hidden></button></p></section>'
    )


def _embedded(timeline: TimelineData) -> str:
    """Return the script's data as JSON that an HTML parser cannot take for markup."""
    text = json.dumps(_content(timeline), separators=(",", ":"), allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _content(timeline: TimelineData) -> dict[str, Any]:
    """Return the script's data."""
    colors = colors_of(timeline.classes)
    names = emotions_of(timeline)
    step = envelope(timeline.peaks[0], MOST_PEAKS // timeline.channels)[1]
    ordered = sorted(timeline.segments, key=lambda segment: (segment.start, segment.channel))
    return {
        "duration": max(round(timeline.duration, 3), 0.001),
        "peak": step,
        "classes": timeline.classes,
        "emotions": [_look(name, colors.get(name)) for name in names],
        "channels": [_channel(timeline, channel) for channel in range(timeline.channels)],
        "segments": [_segment(segment, names) for segment in ordered],
    }


def _look(name: str, color: str | None) -> dict[str, Any]:
    if color is None:
        return {"name": one_line(name)}
    return {"name": one_line(name), "color": color, "ink": "#fff" if is_dark(color) else "#1b1f24"}


def _channel(timeline: TimelineData, channel: int) -> dict[str, Any]:
    shown = thinned(bands(timeline, channel), MOST_WINDOWS // timeline.channels, timeline.duration)
    heights, _ = envelope(timeline.peaks[channel], MOST_PEAKS // timeline.channels)
    reach = max(float(heights.max(initial=0.0)), _QUIET)
    peaks = np.rint(255 * heights / reach).astype(np.uint8)
    return {
        "peaks": base64.b64encode(peaks.tobytes()).decode(),
        "speech": [[round(s.start, 2), round(s.end, 2)] for s in timeline.speech if s.channel == channel],
        "starts": np.rint(100 * shown.starts).astype(int).tolist(),  # hundredths of a second
        "ends": np.rint(100 * shown.ends).astype(int).tolist(),
        "shares": np.rint(1000 * shown.shares).astype(int).ravel().tolist(),  # per mille, window by window
        "segments": [],  # filled by the script
    }


def _segment(segment: Segment, names: Sequence[str]) -> list[float]:
    """Return a segment as numbers for the script.

    Returns:
        Start and end in seconds, channel, index of the emotion, index of the emotion that the probability belongs to,
        and the probability in percent, or -1 if there is none.
    """
    place = names.index(segment.emotion)
    shares = segment.probabilities
    first = segment.emotion if segment.emotion in shares else max(shares, key=shares.__getitem__, default="")
    times = [round(segment.start, 2), round(segment.end, 2), segment.channel, place]
    return [*times, names.index(first), round(100 * shares[first])] if first in names else [*times, place, -1]
