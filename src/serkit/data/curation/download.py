"""A corpus from its official host into a folder, for those that can be had openly.

All that is unfinished lies in ``.serkit-download`` below the folder, in a folder for each remote that goes through
four states: ``NAME.part`` while it comes, ``NAME`` once its hash is right, ``files/`` once it is unpacked, and
``done.json`` (a list of what it brought) once its files are in place. A killed command goes on from the last of them.

Some hosts have no archive of the audio. GitHub's archive of a repository with Git LFS holds pointers, short
texts with the hash and size of what they stand for; a Dataverse lists its files with their MD5. Both become pointers
in ``files/``, and each is replaced by its clip, several at a time, so that what remains to fetch is on disk too.

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

from serkit.data.corpora.adapter import Corpus, Remote
from serkit.data.curation.transfer import as_size, disk_error, fetch, open_session
from serkit.data.curation.unpacking import is_chosen, safe_path, unpack
from serkit.errors import CorpusError, MissingExtraError
from serkit.progress import OnProgress, begin_task
from serkit.writing import write_whole

if TYPE_CHECKING:
    import requests

_log = logging.getLogger(__name__)
_WORK = ".serkit-download"
_AT_ONCE = 4  # clips; more would be impolite to a free host
_MOST_POINTER_BYTES = 1024
_POINTER = "version https://git-lfs.github.com/spec/v1\noid {}\nsize {}\nurl {}\n"  # the url is ours
_POINTER_FORM = re.compile(
    r"version https://git-lfs\.github\.com/spec/v1\noid ((?:sha256|md5):[0-9a-f]+)\nsize (\d+)\n(?:url (\S+)\n)?"
)


@dataclass(frozen=True, slots=True)
class _Clip:
    """What pointers of one hash stand for, and where it goes."""

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

    What is there already is not fetched again, an interrupted download goes on where it was, and no file that
    others put into the folder is changed.

    Args:
        corpus: What to download.
        folder: Where to; it is made. Its files lie in it as they do in the corpus, without an outer folder.
        accept_license: That whoever calls this has read the corpus's license and keeps to it.
        on_progress: Callback for the progress of downloading.

    Returns:
        The folder, which ``corpus.manifest`` reads.

    Raises:
        CorpusError: If the corpus is not to be had openly, the license is not accepted, a host refuses, a file is
            not what it should be, the disk is full, or a file of that name and other content is in the folder.
        MissingExtraError: If pooch is not installed.
    """
    folder = Path(folder)
    if not corpus.remotes:
        raise CorpusError(
            f"{corpus.title} is not to be had without asking: see {corpus.url} for how to register, unpack what you "
            f"are sent, and pass its folder with --data {corpus.name}=DIR."
        )
    missing = [remote for remote in corpus.remotes if not _is_done(remote, folder)]
    if not missing:
        _log.info(f"{corpus.title} is in {folder} already; nothing was fetched.")
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
        raise disk_error(error, corpus.title, "more room", "What was received is kept.") from error
    return folder


def _terms(corpus: Corpus) -> str:
    sizes = [remote.size for remote in corpus.remotes]
    size = as_size(sum(sizes)) if all(sizes) else "of unknown size"
    return (
        f"{corpus.title} ({size}, from {corpus.url}) is under {corpus.license} and asks to cite {corpus.citation}. "
        f"Nothing was fetched: read the license, and pass --accept-license if you keep to it."
    )


def _work_folder(remote: Remote, folder: Path) -> Path:
    """Return where a remote's unfinished files lie: no two versions of a corpus share it."""
    version = hashlib.sha256(f"{remote.url} {remote.known_hash}".encode()).hexdigest()[:8]
    return folder / _WORK / f"{remote.name}-{version}"


def _install(remote: Remote, folder: Path, session: "requests.Session", on_progress: OnProgress | None) -> None:
    """Bring one remote from wherever it is to its files in the folder."""
    work = _work_folder(remote, folder)
    work.mkdir(parents=True, exist_ok=True)
    tree = work / "files"
    if not tree.is_dir():
        _gather(remote, work, session, on_progress)
    here: list[str] = []
    if remote.media or remote.is_listing:
        clips, here = _find_clips(remote, tree, folder)
        _replace_pointers(clips, work, on_progress)
    files = sorted([*here, *_move_in(tree, folder)])
    done = {"url": remote.url, "known_hash": remote.known_hash, "files": files}
    write_whole(work / "done.json", json.dumps(done, indent=1))
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "done.json":  # what a kill left of pooch's own
            path.unlink()


def _gather(remote: Remote, work: Path, session: "requests.Session", on_progress: OnProgress | None) -> None:
    """Fetch a remote and spread what it holds into ``files/``, which is there once it is whole."""
    file, scratch = work / remote.name, work / "unpacking"
    size = 0 if remote.media or remote.is_listing else remote.size  # else it counts the clips too
    step = begin_task(f"{remote.name}, MB", max(1, size // 10**6), on_progress)
    found = fetch(
        remote.url,
        file,
        session=session,
        known_hash=remote.known_hash,
        tell=lambda done: step(done // 10**6, as_size(done)),
    )
    if not remote.known_hash and not remote.is_listing:
        rest = "; each of its clips is checked by the hash in its pointer" if remote.media else ""
        _log.info(f"No hash is published for {remote.name}, so it was not checked{rest}. What came has {found}.")
    shutil.rmtree(scratch, ignore_errors=True)  # of a killed command
    if remote.is_listing:
        _write_pointers(remote, file, scratch)
    elif file.suffix.lower() == ".zip":
        unpack(file, scratch, remote.members)
    else:
        scratch.mkdir()
        file.replace(scratch / remote.name)
    scratch.rename(work / "files")
    file.unlink(missing_ok=True)


def _write_pointers(remote: Remote, listing: Path, folder: Path) -> None:
    """Write a pointer for each file that a Dataverse lists."""
    host = urlsplit(remote.url)
    pointers: dict[str, str] = {}
    try:
        for entry in json.loads(listing.read_bytes())["data"]["latestVersion"]["files"]:
            data = entry["dataFile"]
            path = safe_path(f"{entry.get('directoryLabel') or '.'}/{data['filename']}", remote.url)
            url = f"{host.scheme}://{host.netloc}/api/access/datafile/{int(data['id'])}"
            pointers[path] = _POINTER.format(f"md5:{data['md5'].lower()}", int(data["filesize"]), url)
    except CorpusError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        listing.unlink()
        raise CorpusError(f"{remote.url} did not answer with a Dataverse's list of files: {error!r}.") from error
    chosen = {path: text for path, text in pointers.items() if is_chosen(path, remote.members)}
    if not chosen:
        listing.unlink()
        raise CorpusError(f"{remote.url} lists no file of the corpus; see whether it has moved.")
    for path, text in chosen.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8", newline="\n")


def _find_clips(remote: Remote, tree: Path, folder: Path) -> tuple[list[_Clip], list[str]]:
    """Find what is left to fetch; pointers to what the folder has already are taken away, and their paths returned."""
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
        known_hash, size, url = match[1], int(match[2]), match[3] or remote.media + quote(path)
        there = folder / path
        if there.is_file() and there.stat().st_size == size and pooch.hashes.hash_matches(str(there), known_hash):
            file.unlink()
            here.append(path)
            continue
        urls.setdefault(known_hash, url)
        places.setdefault(known_hash, []).append(file)
    return [_Clip(urls[known], known, tuple(places[known])) for known in urls], here


def _replace_pointers(clips: Sequence[_Clip], work: Path, on_progress: OnProgress | None) -> None:
    """Put each clip into its pointer's place; the first that fails ends it, and what is there stays."""
    stop, scratch = threading.Event(), work / "clips"
    sessions: SimpleQueue[requests.Session] = SimpleQueue()
    scratch.mkdir(exist_ok=True)

    def replace(clip: _Clip) -> None:
        session = sessions.get()
        try:
            file = scratch / clip.known_hash.replace(":", "-")
            fetch(clip.url, file, session=session, known_hash=clip.known_hash, stop=stop)
            for place in clip.places[1:]:
                shutil.copyfile(file, twin := file.with_suffix(".twin"))
                twin.replace(place)
            file.replace(clip.places[0])
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
        CorpusError: If the folder holds another file of one of the names; then nothing was moved.
    """
    files = [(file, folder / file.relative_to(tree)) for file in _files(tree)]
    for file, place in files:
        if os.path.lexists(place) and not (place.is_file() and filecmp.cmp(file, place, shallow=False)):
            raise CorpusError(
                f"{str(place)!r} is there already with other content, and is left as it is: choose a folder of its "
                f"own for the corpus, or move that file away and run the command again."
            )
    for file, place in files:
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            file.rename(place)
    return [place.relative_to(folder).as_posix() for _, place in files]


def _files(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if path.is_file())


def _is_done(remote: Remote, folder: Path) -> bool:
    """Whether a remote was installed here and all that it brought is still here."""
    try:
        done = json.loads((_work_folder(remote, folder) / "done.json").read_text("utf-8"))
        return all((folder / path).is_file() for path in done["files"])
    except (OSError, ValueError, LookupError, TypeError):
        return False
