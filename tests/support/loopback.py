"""A web server on loopback, corpora that it serves, and queries about the folder of a download."""

import hashlib
import io
import threading
import time
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from serkit.data.corpora import Corpus, get_corpus
from serkit.data.corpora.corpus_definition import Remote
from serkit.data.curation import http_fetch
from serkit.data.curation.download import download
from serkit.errors import CorpusError
from serkit.progress import OnProgress

BODY = np.random.default_rng(0).bytes(300_000)
CLIPS = {f"wav/03a0{n}Fa.wav": BODY[n * 1000 : n * 1000 + 5000] for n in range(1, 8)}


class Host(ThreadingHTTPServer):
    """A web server whose behavior a test chooses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.etag = '"1"'
        self.knows_ranges = True
        self.says_length = True
        self.cuts: dict[str, list[int]] = defaultdict(list)  # bytes after which the next answers end
        self.answers: dict[str, list[tuple[int, dict[str, str]]]] = defaultdict(list)
        self.asked: list[tuple[str, str | None]] = []
        self.delay = 0.0
        self.busy = self.busiest = 0
        self.lock = threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore connections that the client closed."""

    def serve(self, path: str, body: bytes) -> str:
        self.files[path] = body
        return f"http://127.0.0.1:{self.server_port}{path}"

    @property
    def ranges(self) -> list[str | None]:
        return [asked for _, asked in self.asked]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Host

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        host = self.server
        with host.lock:
            host.asked.append((self.path, self.headers["Range"]))
            host.busy += 1
            host.busiest = max(host.busy, host.busiest)
        try:
            time.sleep(host.delay)
            self.answer()
        finally:
            with host.lock:
                host.busy -= 1

    def answer(self) -> None:
        host, body = self.server, self.server.files.get(self.path)
        if host.answers[self.path]:
            status, headers = host.answers[self.path].pop(0)
            return self.send(status, b"", headers)
        if body is None:
            return self.send(404, b"gone")
        headers = {"ETag": host.etag} if host.etag else {}
        wanted = self.headers["Range"]
        if not wanted or not host.knows_ranges or self.headers.get("If-Range", host.etag) != host.etag:
            return self.send(200, body, headers)
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            return self.send(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        return self.send(206, body[start:], headers | {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"})

    def send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        host = self.server
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if host.says_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        cut = host.cuts[self.path].pop(0) if host.cuts[self.path] else len(body)
        self.wfile.write(body[:cut])
        self.close_connection = cut < len(body) or not host.says_length


@contextmanager
def running() -> Iterator[Host]:
    """Run a server, without pauses between attempts and with small pieces, so that small files have many."""
    with Host() as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(http_fetch, "_PAUSES", (0.0, 0.0, 0.0))
        patch.setattr(http_fetch, "_PIECE_BYTES", 500)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def zipped(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name  # the constructor would tidy it
            info.compress_type = compression
            archive.writestr(info, content)
    return buffer.getvalue()


def release() -> bytes:
    """Return an archive of the clips below an outer folder."""
    return zipped({f"emodb/{name}": clip for name, clip in CLIPS.items()} | {"__MACOSX/._emodb": b""})


def md5(body: bytes) -> str:
    return f"md5:{hashlib.md5(body).hexdigest()}"


def pointer(body: bytes) -> bytes:
    oid = hashlib.sha256(body).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(body)}\n".encode()


def a_corpus(*remotes: Remote) -> Corpus:
    return replace(get_corpus("emodb"), remotes=remotes)


def a_zip(host: Host, body: bytes, known_hash: str | None = None) -> Corpus:
    url = host.serve("/emodb.zip", body)
    return a_corpus(Remote(url, md5(body) if known_hash is None else known_hash, "emodb.zip", len(body)))


def a_file(host: Host, body: bytes = BODY, known_hash: str | None = None) -> Corpus:
    url = host.serve("/clips.bin", body)
    return a_corpus(Remote(url, md5(body) if known_hash is None else known_hash, "clips.bin", len(body)))


def get(corpus: Corpus, folder: Path, on_progress: OnProgress | None = None) -> Path:
    return download(corpus, folder, accept_license=True, on_progress=on_progress)


def visible(folder: Path) -> dict[str, bytes]:
    """Return the visible files of a folder, path to content."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".serkit-download" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / ".serkit-download").rglob("*") if path.is_file())


def failure(corpus: Corpus, folder: Path) -> str:
    with pytest.raises(CorpusError) as caught:
        get(corpus, folder)
    message = str(caught.value)
    assert "\n" not in message
    return message
