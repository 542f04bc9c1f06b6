"""Downloads a corpus from its official host into a folder, for corpora that anybody may download.

Unfinished downloads are kept in ``.serkit-download`` below the folder, in one work folder per remote with four states:
``NAME.part`` during the download, ``NAME`` once its hash is checked, ``files/`` once it is unpacked, and ``done.json``
(a list of the files) once the files are in place. A killed command resumes from the last state.

Some hosts have no archive of the audio. GitHub's archive of a repository with Git LFS holds pointers: short texts with
the hash and size of a clip. A Dataverse lists its files with their MD5. Both are stored as pointers in ``files/``, and
each pointer is replaced by its clip, several at a time. So the list of clips still to download is on disk too.

Source: git-lfs, docs/spec.md; Dataverse guides, API, "Data Access API" and "Native API".
"""

import filecmp
import hashlib
import json
import logging
import os
import re
import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from serkit.data.corpora.corpus_definition import Corpus, Remote
from serkit.data.curation.http_fetch import as_size, disk_error, fetch, open_session
from serkit.data.curation.unpacking import is_chosen, safe_path, unpack
from serkit.errors import CorpusError, MissingExtraError
from serkit.parsing import parse_json
from serkit.progress import OnProgress, begin_task
from serkit.writing import move_whole, remove_leftovers, whole_file, whole_folder, write_whole

if TYPE_CHECKING:
    import requests

_log = logging.getLogger(__name__)
_WORK = ".serkit-download"
_AT_ONCE = 4  # clips at a time; more would be impolite to a free host
_MOST_POINTER_BYTES = 1024
_POINTER = "version https://git-lfs.github.com/spec/v1\noid {}\nsize {}\nurl {}\n"  # the line with url is our addition
_MD5 = re.compile(r"[0-9a-f]{32}")
_POINTER_FORM = re.compile(
    r"version https://git-lfs\.github\.com/spec/v1\noid ((?:sha256|md5):[0-9a-f]+)\nsize (\d+)\n(?:url (\S+)\n)?"
)


@dataclass(frozen=True, slots=True)
class _Clip:
    """A clip to download, and the paths of all pointers with its hash."""

    url: str
    known_hash: str
    places: tuple[Path, ...]


def download(
    corpus: Corpus,
    folder: str | os.PathLike[str],
    *,
    accept_license: bool = False,
    on_progress: OnProgress | None = None,
) -> Path:
    """Download a corpus from its official host and unpack it.

    Files that are there already are not downloaded again, an interrupted download is resumed, and other files in the
    folder are not changed.

    Args:
        corpus: Corpus to download.
        folder: Folder to write to; it is made where it is missing. It gets the corpus without an outer folder.
        accept_license: Whether the user has read the corpus's license and agrees to it.
        on_progress: Callback for the progress of downloading.

    Returns:
        The folder, for ``corpus.manifest``.

    Raises:
        CorpusError: If the corpus must be requested, the license is not accepted, a host refuses, a hash is wrong, the
            disk is full, or the folder holds a file of the same name with other content.
        MissingExtraError: If pooch is not installed.
    """
    folder = Path(folder)
    if not corpus.remotes:
        raise CorpusError(
            f"serkit cannot download {corpus.title}: get it at {corpus.url}, which may ask you to register, unpack the "
            f"files, and pass their folder as --data {corpus.name}=DIR."
        )
    missing = [remote for remote in corpus.remotes if not _is_done(remote, folder)]
    if not missing:
        _log.info(f"{corpus.title} is in {folder} already; nothing was downloaded.")
        return folder
    if not accept_license:
        raise CorpusError(_terms(corpus))
    if find_spec("pooch") is None:
        raise MissingExtraError("downloading a corpus", "data")
    _log.info(f"{corpus.title}: {corpus.license}. Cite {corpus.citation}.")
    try:
        with open_session() as session:
            for remote in missing:
                _install(remote, folder, session, on_progress)
    except OSError as error:
        raise disk_error(error, corpus.title, "more room", "The received files are kept.") from error
    return folder


def _terms(corpus: Corpus) -> str:
    sizes = [remote.size for remote in corpus.remotes]
    size = as_size(sum(sizes)) if all(sizes) else "of unknown size"
    return (
        f"{corpus.title} ({size}, from {corpus.url}) has the license {corpus.license} and asks you to cite "
        f"{corpus.citation}. Nothing was downloaded: read the license, and pass --accept-license if you agree to it."
    )


def _work_folder(remote: Remote, folder: Path) -> Path:
    """Return the work folder of a remote; every version of a corpus has its own."""
    version = hashlib.sha256(f"{remote.url} {remote.known_hash}".encode()).hexdigest()[:8]
    return folder / _WORK / f"{remote.name}-{version}"


def _install(remote: Remote, folder: Path, session: "requests.Session", on_progress: OnProgress | None) -> None:
    """Bring one remote from its last state to its files in the folder."""
    work = _work_folder(remote, folder)
    work.mkdir(parents=True, exist_ok=True)
    tree = work / "files"
    if not tree.is_dir():
        _gather(remote, work, session, on_progress)
    here: list[str] = []
    if remote.media or remote.is_listing:
        clips, here = _find_clips(remote, tree, folder)
        _replace_pointers(clips, work, remote.hosts, on_progress)
    files = sorted([*here, *_move_in(tree, folder)])
    done = {"url": remote.url, "known_hash": remote.known_hash, "files": files}
    write_whole(work / "done.json", json.dumps(done, indent=1))
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "done.json":  # temporary files of pooch after a kill
            path.unlink()


def _gather(remote: Remote, work: Path, session: "requests.Session", on_progress: OnProgress | None) -> None:
    """Download a remote and unpack it into ``files/``, which appears when it is complete."""
    file, tree = work / remote.name, work / "files"
    size = 0 if remote.media or remote.is_listing else remote.size  # for those two it includes the clips
    step = begin_task(f"{remote.name}, MB", max(1, size // 10**6), on_progress)
    found = fetch(
        remote.url,
        file,
        session=session,
        known_hash=remote.known_hash,
        hosts=remote.hosts,
        tell=lambda done: step(done // 10**6, as_size(done)),
    )
    if not remote.known_hash and not remote.is_listing:
        rest = "; each of its clips is checked by the hash in its pointer" if remote.media else ""
        _log.info(f"No hash is published for {remote.name}, so it was not checked{rest}. Its hash is {found}.")
    remove_leftovers(tree)  # before the next unpacking needs the room
    if remote.is_listing:
        _write_pointers(remote, file, tree)
    elif file.suffix.lower() == ".zip":
        unpack(file, tree, remote.members)
    else:
        with whole_folder(tree) as scratch:
            move_whole(file, scratch / remote.name)
    file.unlink(missing_ok=True)


def _write_pointers(remote: Remote, listing: Path, folder: Path) -> None:
    """Write a pointer for each file that a Dataverse lists."""
    pointers: dict[str, str] = {}
    try:
        for entry in parse_json(listing.read_bytes())["data"]["latestVersion"]["files"]:
            data = entry["dataFile"]
            path = safe_path(f"{entry.get('directoryLabel') or '.'}/{data['filename']}", remote.url)
            if not _MD5.fullmatch(digest := data["md5"].lower()):
                raise ValueError(f"{digest!r} is no MD5 hash")
            pointers[path] = _POINTER.format(
                f"md5:{digest}", int(data["filesize"]), f"{_files_of(remote)}{int(data['id'])}"
            )
    except CorpusError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        listing.unlink()
        raise CorpusError(f"{remote.url} did not answer with the file list of a Dataverse: {error!r}.") from error
    chosen = {path: text for path, text in pointers.items() if is_chosen(path, remote.members)}
    if not chosen:
        listing.unlink()
        raise CorpusError(f"{remote.url} lists no file of the corpus; check whether the corpus has moved.")
    with whole_folder(folder) as scratch:
        for path, text in chosen.items():
            write_whole(scratch / path, text)


def _find_clips(remote: Remote, tree: Path, folder: Path) -> tuple[list[_Clip], list[str]]:
    """Return the clips still to download, and the paths of those in the folder already, whose pointers are removed."""
    import pooch

    urls: dict[str, str] = {}
    places: dict[str, list[Path]] = {}
    here = []
    for file in _files(tree):
        match = file.stat().st_size <= _MOST_POINTER_BYTES and _POINTER_FORM.fullmatch(
            file.read_bytes().decode("utf-8", "replace")
        )
        if not match:
            continue
        path = file.relative_to(tree).as_posix()
        known_hash, size, url = match[1], int(match[2]), _address(match[3], path, remote)
        there = folder / path
        if there.is_file() and there.stat().st_size == size and pooch.hashes.hash_matches(str(there), known_hash):
            file.unlink()
            here.append(path)
            continue
        urls.setdefault(known_hash, url)
        places.setdefault(known_hash, []).append(file)
    return [_Clip(urls[known], known, tuple(places[known])) for known in urls], here


def _address(named: str | None, path: str, remote: Remote) -> str:
    """Return the address of a pointer's clip.

    Raises:
        CorpusError: If the pointer names an address, and it is none that serkit wrote for a file of a listing: a
            pointer from an archive must not choose what is fetched.
    """
    if not remote.is_listing:
        if named:
            raise CorpusError(
                f"the pointer {path!r} in {remote.name} names an address, {named!r}; nothing was fetched."
            )
        return remote.media + quote(path)
    if not (named or "").startswith(_files_of(remote)):
        raise CorpusError(
            f"the pointer {path!r} names {named!r}, which is not on the corpus's host; nothing was fetched."
        )
    return str(named)


def _files_of(remote: Remote) -> str:
    """Return the address before the number of a file in a Dataverse."""
    host = urlsplit(remote.url)
    return f"{host.scheme}://{host.netloc}/api/access/datafile/"


def _replace_pointers(clips: Sequence[_Clip], work: Path, hosts: Sequence[str], on_progress: OnProgress | None) -> None:
    """Replace each pointer by its clip. The first failure stops the rest; clips downloaded so far are kept."""
    stop, scratch = threading.Event(), work / "clips"
    sessions: SimpleQueue[requests.Session] = SimpleQueue()
    scratch.mkdir(exist_ok=True)

    def replace(clip: _Clip) -> None:
        session = sessions.get()
        try:
            file = scratch / clip.known_hash.replace(":", "-")
            fetch(clip.url, file, session=session, known_hash=clip.known_hash, hosts=hosts, stop=stop)
            for place in clip.places[1:]:
                with whole_file(place) as temporary:
                    shutil.copyfile(file, temporary)
            move_whole(file, clip.places[0])
        finally:
            sessions.put(session)

    with ExitStack() as opened:
        for _ in range(_AT_ONCE):
            sessions.put(opened.enter_context(open_session()))
        step = begin_task("clips", len(clips), on_progress)
        pool = opened.enter_context(ThreadPoolExecutor(_AT_ONCE))
        try:
            for done, job in enumerate(as_completed([pool.submit(replace, clip) for clip in clips]), 1):
                job.result()
                step(done)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    shutil.rmtree(scratch)


def _move_in(tree: Path, folder: Path) -> list[str]:
    """Move all files of a tree into a folder and return their paths there.

    Raises:
        CorpusError: If the folder holds a file of the same name with other content; then nothing is moved.
    """
    files = [(file, folder / file.relative_to(tree)) for file in _files(tree)]
    for file, place in files:
        if os.path.lexists(place) and not (place.is_file() and filecmp.cmp(file, place, shallow=False)):
            raise CorpusError(
                f"{str(place)!r} exists with other content and was not changed: choose an empty folder for the corpus, "
                f"or move that file away and run the command again."
            )
    for file, place in files:
        if not place.exists():
            move_whole(file, place)
    return [place.relative_to(folder).as_posix() for _, place in files]


def _files(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if path.is_file())


def _is_done(remote: Remote, folder: Path) -> bool:
    """Whether a remote was installed here and all of its files are still here."""
    try:
        done = parse_json((_work_folder(remote, folder) / "done.json").read_bytes())
        return all((folder / path).is_file() for path in done["files"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
