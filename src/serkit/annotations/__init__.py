"""Writers for timelines: one module for each text format, pictures, and an HTML page.

To add a format, add a module here with a function ``write(timeline)``, and its name and ending to ``_SUFFIXES``.
Writers take :class:`serkit.annotations.timeline_data.TimelineData`.
"""

import os
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from serkit.annotations.timeline_data import TimelineData
from serkit.errors import AudioNotFoundError, UnknownNameError, nearest
from serkit.writing import write_whole

__all__ = ["DRAWINGS", "FORMATS", "check_ending", "format_of", "plot", "render", "save", "suffix_of"]

_SUFFIXES = {
    "json": ".json",
    "csv": ".csv",
    "windows-csv": ".windows.csv",
    "textgrid": ".TextGrid",
    "elan": ".eaf",
    "audacity": ".txt",
    "srt": ".srt",
    "vtt": ".vtt",
    "rttm": ".rttm",
}
FORMATS = tuple(_SUFFIXES)
DRAWINGS = (".png", ".svg", ".html")  # endings for plot()


def render(timeline: TimelineData, format: str) -> str:  # noqa: A002
    """Return a timeline as text in a format.

    Args:
        timeline: Timeline to write.
        format: Name of the format, one of :data:`FORMATS`.

    Raises:
        UnknownNameError: If there is no format of that name.
    """
    _check_format(format)
    text = import_module(f"serkit.annotations.{format.replace('-', '_')}").write(timeline)
    assert isinstance(text, str)
    return text


def suffix_of(format: str) -> str:  # noqa: A002
    """Return the ending of file names in a format.

    Raises:
        UnknownNameError: If there is no format of that name.

    Example:
        >>> suffix_of("textgrid")
        '.TextGrid'
    """
    _check_format(format)
    return _SUFFIXES[format]


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format of a file by its ending, ignoring case.

    Raises:
        UnknownNameError: If no format has this ending.

    Example:
        >>> format_of("call.eaf"), format_of("call.csv"), format_of("call.windows.csv")
        ('elan', 'csv', 'windows-csv')
    """
    ending = check_ending(path, _SUFFIXES.values())
    return next(name for name, suffix in _SUFFIXES.items() if suffix == ending)


def check_ending(path: str | os.PathLike[str], endings: Iterable[str] | None = None) -> str:
    """Return the ending of a file name that selects the format.

    Call it to refuse a file name before the work begins.

    Args:
        path: File to write.
        endings: Allowed endings. None allows all endings that :func:`save` knows.

    Raises:
        UnknownNameError: If the file has another ending.
    """
    known = tuple((*_SUFFIXES.values(), *DRAWINGS) if endings is None else endings)
    name = Path(path).name
    for ending in sorted(known, key=len, reverse=True):  # '.windows.csv' before '.csv'
        if name.lower().endswith(ending.lower()):
            return ending
    suffix = Path(path).suffix
    what = f"no format has the ending {suffix!r}" if suffix else f"{name!r} has no ending"
    hint = nearest(suffix, known) or ";"
    raise UnknownNameError(f"{what}{hint} the name must end in one of {', '.join(known)}.")


def save(timeline: TimelineData, path: str | os.PathLike[str]) -> Path:
    """Write a timeline to a file, in the format of its ending.

    Args:
        timeline: Timeline to write.
        path: File to write. Its ending is that of a format (see :func:`suffix_of`) or one of :data:`DRAWINGS`.

    Returns:
        The path.

    Raises:
        UnknownNameError: If the file has another ending.
        MissingExtraError: If you ask for a picture and matplotlib is not installed.
    """
    path = Path(path)
    if check_ending(path) in DRAWINGS:
        return plot(timeline, path)
    write_whole(path, render(timeline, format_of(path)))
    return path


def plot(timeline: TimelineData, path: str | os.PathLike[str], *, audio: str | os.PathLike[str] | None = None) -> Path:
    """Draw a timeline as a picture, or as a page that plays the recording.

    Args:
        timeline: Timeline to draw.
        path: File to write. Its ending is .png or .svg for a picture, .html for a page.
        audio: Recording for a page. Pictures ignore it.

    Returns:
        The path.

    Raises:
        UnknownNameError: If the file has another ending.
        MissingExtraError: If you ask for a picture and matplotlib is not installed.
        AudioNotFoundError: If there is no file at ``audio``.
    """
    path = Path(path)
    ending = check_ending(path, DRAWINGS)
    if audio is not None and not Path(audio).is_file():
        raise AudioNotFoundError(f"there is no file {os.fspath(audio)!r} to play on the page.")
    if ending == ".html":
        from serkit.annotations.timeline_page import write_page

        write_whole(path, write_page(timeline, audio, folder=path.parent))
        return path
    from serkit.annotations.timeline_picture import draw

    return draw(timeline, path)


def _check_format(name: str) -> None:
    if name not in FORMATS:
        hint = nearest(name, FORMATS) or "."
        raise UnknownNameError(f"no format {name!r}{hint} There are {', '.join(FORMATS)}.")
