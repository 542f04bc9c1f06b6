"""A file that is cut, refused, broken or too large: from a server on loopback."""

import errno
import hashlib
import io
import os
import shutil
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serkit.data.corpora import Corpus
from serkit.data.corpora.corpus_definition import Remote
from serkit.data.curation import download as module
from serkit.data.curation import http_fetch
from serkit.errors import CorpusError
from support.loopback import (
    BODY,
    CLIPS,
    Host,
    a_corpus,
    a_file,
    a_zip,
    failure,
    get,
    hidden,
    md5,
    release,
    running,
    visible,
)
from support.notes import Notes


@pytest.fixture
def host() -> Iterator[Host]:
    with running() as server:
        yield server


# The connection


def test_a_cut_connection_goes_on_where_it_was(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    host.cuts["/clips.bin"] = [100_000, 50_000]
    get(corpus, tmp_path)
    assert visible(tmp_path) == {"clips.bin": BODY}
    assert host.ranges == [None, "bytes=100000-", "bytes=150000-"]


@settings(max_examples=15)
@given(st.lists(st.integers(1, 120_000), max_size=6), st.booleans(), st.sampled_from(['"1"', 'W/"1"', ""]))
def test_wherever_it_is_cut_the_bytes_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], knows_ranges: bool, etag: str
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    with running() as host:
        corpus = a_file(host)
        host.cuts["/clips.bin"], host.knows_ranges, host.etag = cuts, knows_ranges, etag
        for _ in range(3):
            try:
                get(corpus, folder)
            except CorpusError:  # more cuts in a row than it is patient with
                continue
            break
        assert visible(folder) == {"clips.bin": BODY}


def test_a_connection_that_brings_nothing_ends_with_the_byte_that_comes_next(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    host.cuts["/clips.bin"] = [1000, 0, 0, 0, 0, 0]
    message = failure(corpus, tmp_path)
    assert "the connection was lost. Run the same command to resume from byte 1000." in message
    assert visible(tmp_path) == {}
    host.cuts.clear()
    host.asked.clear()
    get(corpus, tmp_path)
    assert host.ranges == ["bytes=1000-"]
    assert visible(tmp_path) == {"clips.bin": BODY}


def test_a_host_without_ranges_starts_over(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    host.knows_ranges, host.cuts["/clips.bin"] = False, [100_000]
    get(corpus, tmp_path)
    assert visible(tmp_path) == {"clips.bin": BODY}


def test_another_version_is_never_joined_to_the_first(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host, known_hash="")
    host.cuts["/clips.bin"] = [1000, 0, 0, 0, 0]
    failure(corpus, tmp_path)
    host.cuts.clear()
    host.etag = '"2"'
    host.serve("/clips.bin", BODY[::-1])
    get(corpus, tmp_path)
    assert visible(tmp_path) == {"clips.bin": BODY[::-1]}


def test_with_neither_hash_nor_version_a_part_is_not_trusted(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host, known_hash="")
    host.etag, host.cuts["/clips.bin"] = "", [1000]
    get(corpus, tmp_path)
    assert host.ranges == [None, None]
    assert visible(tmp_path) == {"clips.bin": BODY}


def part_of(corpus: Corpus, folder: Path, body: bytes) -> None:
    """Leave the partial file of a killed command."""
    work = module._work_folder(corpus.remotes[0], folder)
    work.mkdir(parents=True)
    (work / "clips.bin.part").write_bytes(body)


def test_a_part_that_is_the_whole_is_taken(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    part_of(corpus, tmp_path, BODY)
    get(corpus, tmp_path)
    assert host.ranges == [f"bytes={len(BODY)}-"]
    assert visible(tmp_path) == {"clips.bin": BODY}


def test_a_part_that_is_too_long_is_fetched_anew(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    part_of(corpus, tmp_path, BODY + b"x")
    get(corpus, tmp_path)
    assert host.ranges == [f"bytes={len(BODY) + 1}-", None]
    assert visible(tmp_path) == {"clips.bin": BODY}


def test_a_range_that_was_not_asked_for_is_not_joined(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    part_of(corpus, tmp_path, BODY[:100])
    host.answers["/clips.bin"] = [(206, {"Content-Range": f"bytes 0-{len(BODY) - 1}/{len(BODY)}"})]
    get(corpus, tmp_path)
    assert visible(tmp_path) == {"clips.bin": BODY}


@pytest.mark.parametrize("status", [403, 404, 410, 418])
def test_a_refusal_is_one_sentence_and_is_not_repeated(host: Host, tmp_path: Path, status: int) -> None:
    corpus = a_file(host)
    host.answers["/clips.bin"] = [(status, {})]
    assert f"the host answered {status}" in failure(corpus, tmp_path)
    assert len(host.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_trouble_is_waited_out(host: Host, tmp_path: Path, status: int) -> None:
    corpus = a_file(host)
    host.answers["/clips.bin"] = [(status, {"Retry-After": "0"})] * 3
    get(corpus, tmp_path)
    assert visible(tmp_path) == {"clips.bin": BODY}
    host.answers["/clips.bin"] = [(status, {})] * 4
    assert f"the host answered {status}" in failure(corpus, tmp_path / "other")


def test_a_host_may_ask_for_a_longer_pause(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, pauses = a_file(host), []
    monkeypatch.setattr(threading.Event, "wait", lambda _, pause=None: pauses.append(pause))
    host.answers["/clips.bin"] = [(429, {"Retry-After": "7"}), (503, {"Retry-After": "9999"}), (429, {})]
    receive = http_fetch.fetch
    with http_fetch.open_session() as session:
        receive(corpus.remotes[0].url, tmp_path / "clips.bin", session=session)
    assert [pause for pause in pauses if pause is not None] == [7.0, 60.0, 0.0]


def test_a_name_that_is_not_known_is_one_sentence(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    corpus = a_corpus(Remote("http://corpus.invalid/a.zip", md5(b""), "a.zip"))
    assert "the host's name cannot be resolved; check this machine's network connection." in failure(corpus, tmp_path)


def test_a_host_that_is_not_there_is_one_sentence(host: Host, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.zip"
        message = failure(a_corpus(Remote(url, md5(b""), "a.zip")), tmp_path)
    assert "the host cannot be reached. Nothing was received" in message


def test_a_host_that_is_silent_is_one_sentence(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_fetch, "_PATIENCE", (0.05, 0.05))
    corpus, host.delay = a_file(host), 0.3
    assert "the host did not answer in time" in failure(corpus, tmp_path)


# The hash


def test_a_broken_hash_deletes_the_file_and_names_both(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host, known_hash=md5(b"another"))
    message = failure(corpus, tmp_path)
    assert md5(BODY) in message
    assert md5(b"another") in message
    assert visible(tmp_path) == {}
    assert hidden(tmp_path) == []


def test_a_file_without_a_published_hash_says_so_and_names_its_own(host: Host, tmp_path: Path) -> None:
    with Notes() as seen:
        get(a_file(host, known_hash=""), tmp_path)
    assert any("No hash is published" in n and hashlib.sha256(BODY).hexdigest() in n for n in seen.notes)


# The disk


def test_a_full_disk_keeps_what_came_and_says_how_much_is_missing(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.open

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > 10_000:
                super().write(data[: 10_000 - self.tell()])
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def full(self: Path, mode: str = "r", *rest: Any, **more: Any) -> Any:
        return Full(self, mode) if self.suffix == ".part" else real(self, mode, *rest, **more)

    corpus = a_file(host)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        message = failure(corpus, tmp_path)
    assert "the disk is full: clips.bin needs 290 kB more. The first 10000 bytes are kept." in message
    get(corpus, tmp_path)
    assert host.ranges == [None, "bytes=10000-"]
    assert visible(tmp_path) == {"clips.bin": BODY}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_must_not_be_written_to_is_one_sentence(host: Host, tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert "cannot write" in failure(a_file(host), tmp_path)
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_file_in_the_folders_place_is_one_sentence(host: Host, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("mine")
    assert "cannot write" in failure(a_file(host), tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_too_little_room_to_unpack_is_known_beforehand(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = a_zip(host, release())
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
        assert "it needs 35.0 kB" in failure(corpus, tmp_path)
    asked = len(host.asked)
    get(corpus, tmp_path)
    assert len(host.asked) == asked, "the archive was kept"
    assert visible(tmp_path) == CLIPS


def test_a_disk_that_fills_while_unpacking_leaves_no_half_corpus(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = a_zip(host, release())

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", full)
        assert "unpacking emodb.zip needs 35.0 kB" in failure(corpus, tmp_path)
    assert visible(tmp_path) == {}
    assert hidden(tmp_path) == ["emodb.zip"]
    get(corpus, tmp_path)
    assert visible(tmp_path) == CLIPS


# Redirects


@pytest.mark.parametrize(
    "place",
    ["http://localhost:1/x", "https://example.org/x", "http://169.254.169.254/latest", "file:///etc/passwd"],
)
def test_a_redirect_to_another_host_is_refused_and_not_followed(host: Host, tmp_path: Path, place: str) -> None:
    corpus = a_file(host)
    host.answers["/clips.bin"] = [(302, {"Location": place})]
    message = failure(corpus, tmp_path)
    assert "which is not one of the corpus's hosts; nothing was read from it" in message
    assert [path for path, _ in host.asked] == ["/clips.bin"]


def test_a_redirect_to_nowhere_is_one_sentence(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    host.answers["/clips.bin"] = [(302, {"Location": "//[x"})]
    assert "redirects to an address that cannot be read" in failure(corpus, tmp_path)


def test_a_redirect_on_the_same_host_is_followed(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    host.serve("/moved.bin", BODY)
    host.answers["/clips.bin"] = [(302, {"Location": "/moved.bin"})]
    assert (get(corpus, tmp_path) / "clips.bin").read_bytes() == BODY


def test_redirects_without_end_are_one_sentence(host: Host, tmp_path: Path) -> None:
    corpus = a_file(host)
    host.answers["/clips.bin"] = [(302, {"Location": "/clips.bin"})] * 20
    assert "redirects more than 5 times" in failure(corpus, tmp_path)


@pytest.mark.parametrize(
    ("place", "is_allowed"),
    [
        ("https://codeload.github.com/x", True),
        ("https://objects.githubusercontent.com/x", True),
        ("https://github.com/other", True),
        ("http://codeload.github.com/x", False),
        ("https://codeload.github.com.example.org/x", False),
        ("https://githubusercontent.com.example.org/x", False),
        ("https://github.com@example.org/x", False),
        ("https://codeload.github.com:8443/x", False),
        ("http://github.com/x", False),
    ],
)
def test_a_redirect_stays_on_the_hosts_of_the_corpus(place: str, is_allowed: bool) -> None:
    hosts = ("codeload.github.com", ".githubusercontent.com")
    assert http_fetch._is_allowed(place, "https://github.com/a.zip", hosts) == is_allowed
