"""Downloads one file over HTTP, resumes it after an interruption, and checks its hash.

pooch checks hashes and moves the file into place, but starts again after every lost connection. So serkit downloads
by itself: received bytes go to ``NAME.part``, and the next attempt or the next command requests the rest with a
``Range`` header. ``NAME.etag`` holds the version of the received bytes; a server with a newer version sends the whole
file.

Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 14.4 (Content-Range) and 15.5.17 (416).
"""

import errno
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from serkit.errors import CorpusError
from serkit.writing import move_whole, write_whole

if TYPE_CHECKING:
    import requests

_PAUSES = (1.0, 4.0, 15.0)  # seconds before the next attempt, by failures in a row; received bytes reset the count
_LONGEST_PAUSE = 60.0  # seconds; limits the Retry-After of a host
_PATIENCE = (15, 60)  # timeouts in seconds: to connect, and between two pieces
_MOST_REDIRECTS = 5
_PIECE_BYTES = 1 << 14  # an interruption loses at most one piece
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})  # status codes that are worth another attempt
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)")


class _CutError(Exception):
    """A failed attempt that may be repeated."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


@contextmanager
def open_session() -> Iterator["requests.Session"]:
    """Open a session for several files; log messages of pooch below warnings are suppressed."""
    import pooch
    import requests

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with requests.Session() as session:
            session.headers["User-Agent"] = "serkit"
            session.headers["Accept-Encoding"] = "identity"  # no compression: byte counts and hashes are the host's
            yield session
    finally:
        logger.setLevel(level)


def fetch(
    url: str,
    target: Path,
    *,
    session: "requests.Session",
    known_hash: str = "",
    hosts: Sequence[str] = (),
    tell: Callable[[int], None] = lambda done: None,
    stop: threading.Event | None = None,
) -> str:
    """Download a file, resuming an earlier attempt.

    Args:
        url: Address of the file.
        target: File to write, in an existing folder. An existing file with the right hash is not downloaded again.
        session: Session from :func:`open_session`.
        known_hash: Expected hash, ``md5:...`` or ``sha256:...``; empty to check nothing.
        hosts: Hosts to which the address's own host may redirect, see
            :class:`serkit.data.corpora.corpus_definition.Remote`.
        tell: Callback for progress, called with the number of bytes received so far.
        stop: Event that ends the download at its next piece.

    Returns:
        Hash of the file after its algorithm, that of ``known_hash`` or else SHA-256.

    Raises:
        CorpusError: If the host refuses, cannot be reached or redirects to a strange host, the disk is full, or the
            hash is wrong.
    """
    import pooch

    receive = _Receiver(session, target, known_hash, tuple(hosts), tell, stop or threading.Event())
    try:
        pooch.retrieve(url, known_hash or None, fname=target.name, path=target.parent, downloader=receive)
    except CorpusError:
        raise
    except ValueError as error:  # pooch raises it after deleting the file
        raise CorpusError(
            f"{url} has the wrong hash: expected {known_hash}, got {receive.hash}. The file was deleted. Run the same "
            f"command again; if the hash stays wrong, the host has changed the file."
        ) from error
    return receive.hash or _hash(target, known_hash)


def disk_error(error: OSError, what: str, needed: str, kept: str) -> CorpusError:
    """Return an error whose message says why something could not be written.

    Args:
        error: Error of the operating system.
        what: Name of the thing that was being written.
        needed: Amount of disk space that it needs.
        kept: Sentence on the fate of the files written so far.
    """
    if error.errno in _FULL:
        again = "Free some disk space and run the same command again."
        return CorpusError(f"the disk is full: {what} needs {needed}. {kept} {again}")
    place = f" {str(error.filename)!r}" if error.filename else ""
    return CorpusError(f"cannot write{place} for {what}: {error.strerror or error}.")


def as_size(count: int) -> str:
    """Return a number of bytes in decimal units, such as ``208 MB``."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= scale:
            return f"{count / scale:.{1 if count < 100 * scale else 0}f} {unit}"
    return f"{count} bytes"


@dataclass(slots=True)
class _Receiver:
    """Downloader for pooch that keeps received bytes between attempts and between commands."""

    session: "requests.Session"
    target: Path
    known_hash: str
    hosts: tuple[str, ...]
    tell: Callable[[int], None]
    stop: threading.Event
    hash: str = ""
    part: Path = field(init=False)
    etag: Path = field(init=False)

    def __post_init__(self) -> None:
        self.part = self.target.with_name(f"{self.target.name}.part")
        self.etag = self.target.with_name(f"{self.target.name}.etag")

    def __call__(self, url: str, output_file: str, _pooch: object = None) -> None:
        """Download the whole file to the path that pooch names."""
        failures = 0
        while True:
            before = self._received()
            try:
                self._attempt(url, before)
                break
            except _CutError as cut:
                failures = 1 if self._received() > before else failures + 1
                if failures > len(_PAUSES):
                    raise CorpusError(f"{url}: {cut}. {self._next()}") from cut
                pause = max(_PAUSES[failures - 1], min(cut.wait, _LONGEST_PAUSE))
            self.stop.wait(pause)
        self.hash = _hash(self.part, self.known_hash)
        move_whole(self.part, Path(output_file))
        self.etag.unlink(missing_ok=True)

    def _attempt(self, url: str, received: int) -> None:
        """Request the missing bytes and store them.

        Raises:
            _CutError: If the attempt failed and may be repeated.
            CorpusError: If another attempt would fail too.
        """
        import requests

        etag = self.etag.read_text("utf-8") if self.etag.is_file() else ""
        start = received if etag or self.known_hash else 0  # without both, a mix of two versions would go unnoticed
        headers = {"Range": f"bytes={start}-"} if start else {}
        if start and etag:
            headers["If-Range"] = etag
        try:
            with self._get(url, headers) as answer:
                total = self._read_head(url, answer, start)
                if answer.status_code != 416:  # here: everything was received already
                    self._store(answer, total)
        except requests.RequestException as error:
            reason, is_passing = _reason(error)
            if is_passing:
                raise _CutError(reason) from error
            raise CorpusError(f"{url}: {reason}. {self._next()}") from error
        if total is not None and self._received() != total:
            raise _CutError("the connection was lost")

    def _get(self, url: str, headers: Mapping[str, str]) -> "requests.Response":
        """Request an address and follow redirects that stay on the allowed hosts."""
        import requests

        place = url
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                answer = self.session.get(place, headers=headers, stream=True, timeout=_PATIENCE, allow_redirects=False)
                if not answer.is_redirect:
                    return answer
                answer.close()
                place = urljoin(place, answer.headers["Location"])
            except requests.RequestException:  # some of which are a ValueError too
                raise
            except ValueError as error:  # requests reads the next address even where it does not go there
                raise CorpusError(f"{url} redirects to an address that cannot be read ({error}).") from error
            if not _is_allowed(place, url, self.hosts):
                raise CorpusError(
                    f"{url} redirects to {place!r}, which is not one of the corpus's hosts; nothing was read from it. "
                    "Check whether the corpus has moved."
                )
        raise CorpusError(f"{url}: the host redirects more than {_MOST_REDIRECTS} times.")

    def _read_head(self, url: str, answer: "requests.Response", start: int) -> int | None:
        """Prepare the partial file for an answer and return the size of the whole file, where the host tells it."""
        match = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        total = int(match[2]) if match and match[2] != "*" else None
        if answer.status_code == 206 and match and match[1] == str(start):
            return total
        if answer.status_code == 416 and start and total == start:
            return total
        if answer.status_code in (206, 416) and start:
            self.part.unlink()
            raise _CutError("the host has no such part of the file")
        if answer.status_code in _PASSING:
            wait = answer.headers.get("Retry-After", "")
            raise _CutError(_status(answer), float(wait) if wait.isdecimal() else 0.0)
        if answer.status_code != 200:
            raise CorpusError(f"{url}: {_status(answer)}. {self._next()}")
        self.part.unlink(missing_ok=True)  # before the new tag, so that a kill in between cannot mix two versions
        etag = answer.headers.get("ETag", "")
        if etag.startswith('"'):  # weak tags may not be used in If-Range
            write_whole(self.etag, etag)
        else:
            self.etag.unlink(missing_ok=True)
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None

    def _store(self, answer: "requests.Response", total: int | None) -> None:
        import requests

        done = self._received()
        try:
            with self.part.open("ab") as file:
                for piece in answer.iter_content(_PIECE_BYTES):
                    if self.stop.is_set():
                        raise CorpusError("stopped, because another file could not be downloaded.")
                    file.write(piece)
                    done += len(piece)
                    self.tell(done)
        except requests.RequestException:  # a subclass of OSError
            raise
        except OSError as error:
            missing = f"{as_size(total - self._received())} more" if total else "more room"
            kept = f"The first {self._received()} bytes are kept."
            raise disk_error(error, self.target.name, missing, kept) from error

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _next(self) -> str:
        received = self._received()
        if received:
            return f"Run the same command to resume from byte {received}."
        return "Nothing was received; run the same command to try again."


def _is_allowed(place: str, url: str, hosts: Sequence[str]) -> bool:
    """Whether a redirect leads to the host of the address, or over HTTPS to one of other hosts."""
    try:
        to, own = urlsplit(place), urlsplit(url)
        port = to.port
    except ValueError:
        return False
    if to.netloc == own.netloc and to.scheme in {own.scheme, "https"}:
        return True
    name = (to.hostname or "").lower()
    is_known = any(name.endswith(host) if host.startswith(".") else name == host for host in hosts)
    return is_known and to.scheme == "https" and port in (None, 443)


def _hash(file: Path, known_hash: str) -> str:
    import pooch

    algorithm = known_hash.partition(":")[0] if ":" in known_hash else "sha256"
    return f"{algorithm}:{pooch.file_hash(str(file), alg=algorithm)}"


def _status(answer: "requests.Response") -> str:
    """Return a clause that describes an answer without the file."""
    said = f"the host answered {answer.status_code} {answer.reason or ''}".rstrip()
    if answer.status_code in (404, 410):
        return f"{said}: the file is no longer there"
    return f"{said}: it allows no further downloads for now" if answer.status_code in (403, 429) else said


def _reason(error: "requests.RequestException") -> tuple[str, bool]:
    """Return the reason why there was no answer, and whether another attempt may succeed."""
    import requests

    text = repr(error)
    if "NameResolution" in text or "getaddrinfo" in text:
        return "the host's name cannot be resolved; check this machine's network connection", False
    if isinstance(error, requests.exceptions.SSLError):
        return "the host's certificate is not trusted", False
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return "the host did not answer in time", True
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "aborted" in text or "reset" in text:
        return "the connection was lost", True
    if isinstance(error, requests.ConnectionError):
        return "the host cannot be reached", True
    return f"it cannot be downloaded ({error})", False
