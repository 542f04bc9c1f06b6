"""Unpacks zip archives from untrusted hosts; every member is checked before anything is written."""

import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from serkit.data.curation.http_fetch import as_size, disk_error
from serkit.errors import CorpusError
from serkit.writing import whole_binary, whole_folder

_MOST_GROWTH = 20  # limit on unpacked over packed size; speech has about 2, a zip bomb up to 1000
_SMALL_BYTES = 10**8  # unpacked size below which any growth is allowed: short texts pack better than speech
_MOST_MEMBERS = 1_000_000  # a corpus has thousands; each member costs the disk a block, be it empty
_DRIVE = re.compile(r"[A-Za-z]:")
_MAC_FOLDER = "__MACOSX"  # what macOS adds to an archive


def unpack(archive: Path, folder: Path, members: Sequence[str] = ()) -> None:
    """Unpack a zip archive into a new folder.

    An outer folder that holds all members is dropped from their paths. The new folder appears when all members are
    unpacked.

    Args:
        archive: Zip archive.
        folder: Folder to make.
        members: Patterns of the members to unpack, without the outer folder (``AudioWAV/*.wav``); empty for all.

    Raises:
        CorpusError: If the archive is damaged or grows too much; if a member would be written outside the folder, is a
            link or a device, or has the name of another one; or if the disk is full.
    """
    total = 0
    try:
        with zipfile.ZipFile(archive) as opened:
            chosen = dict(_choose(opened, archive, members))
            total = sum(info.file_size for info in chosen.values())
            _refuse_without_room(archive, total)
            with whole_folder(folder) as scratch:
                for path, info in chosen.items():
                    with opened.open(info) as source, whole_binary(scratch / path) as file:
                        shutil.copyfileobj(source, file, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        archive.unlink(missing_ok=True)
        raise CorpusError(
            f"{archive.name} is not a zip archive, or is damaged ({error}). It was deleted; run the same command to "
            f"download it again."
        ) from error
    except OSError as error:
        raise disk_error(error, f"unpacking {archive.name}", as_size(total), "The archive is kept.") from error


def safe_path(name: str, where: str) -> str:
    """Return the path of a member of an archive or listing, with forward slashes.

    Args:
        name: Path in the archive or listing.
        where: Name of the archive or listing in the error message.

    Raises:
        CorpusError: If the path is absolute, has a drive, or leads out of its folder.
    """
    path = name.replace("\\", "/")
    parts = path.rstrip("/").split("/")
    if path.startswith("/") or _DRIVE.match(path) or {"..", "\0"} & {*parts, *path} or not any(parts):
        raise CorpusError(f"{where} holds {name!r}, which would be written outside its folder: nothing was unpacked.")
    return str(PurePosixPath(*parts))


def is_chosen(path: str, members: Sequence[str]) -> bool:
    """Whether a path matches one of the patterns, or there are no patterns."""
    return not members or any(fnmatchcase(path, pattern) for pattern in members)


def _choose(opened: zipfile.ZipFile, archive: Path, members: Sequence[str]) -> Iterator[tuple[str, zipfile.ZipInfo]]:
    """Check all members, and yield the path and member of each one to unpack."""
    files: dict[str, zipfile.ZipInfo] = {}
    if len(opened.infolist()) > _MOST_MEMBERS:
        raise CorpusError(f"{archive.name} holds more than {_MOST_MEMBERS} members: nothing was unpacked.")
    for info in opened.infolist():
        path = safe_path(info.orig_filename, archive.name)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise CorpusError(f"{archive.name} holds {path!r}, which is a link or device: nothing was unpacked.")
        if info.is_dir() or path.split("/")[0] == _MAC_FOLDER:
            continue
        if path in files:
            raise CorpusError(f"{archive.name} holds two members {path!r}: nothing was unpacked.")
        files[path] = info
    grown, packed = sum(info.file_size for info in files.values()), archive.stat().st_size
    if grown > max(_SMALL_BYTES, _MOST_GROWTH * packed):
        raise CorpusError(
            f"{archive.name} has {as_size(packed)} and would grow to {as_size(grown)}, more than {_MOST_GROWTH} "
            f"times its size: nothing was unpacked."
        )
    tops = {path.partition("/")[0] for path in files}
    outer = f"{tops.pop()}/" if len(tops) == 1 and all("/" in path for path in files) else ""
    for path, info in files.items():
        if is_chosen(inner := path.removeprefix(outer), members):
            yield inner, info


def _refuse_without_room(archive: Path, total: int) -> None:
    free = shutil.disk_usage(archive.parent).free
    if total > free:
        raise CorpusError(
            f"the disk is too full to unpack {archive.name}: it needs {as_size(total)}, and {as_size(free)} are free. "
            f"The archive is kept; free some disk space and run the command again."
        )
