"""Archives that are damaged, hostile or interrupted."""

import io
import shutil
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from serkit.data.curation import download as module
from serkit.data.curation import unpacking
from serkit.errors import CorpusError
from serkit.writing import move_whole
from support.loopback import CLIPS, Host, a_zip, failure, get, hidden, release, running, visible, zipped


@pytest.fixture
def host() -> Iterator[Host]:
    with running() as server:
        yield server


@pytest.mark.parametrize(
    "name",
    ["../out.wav", "wav/../../out.wav", "/out.wav", "//host/out.wav", "C:/out.wav", "c:out.wav", "..\\out.wav",
     "\\\\host\\out.wav", "wav\\..\\..\\out.wav", "..", "a\0b"],
)  # fmt: skip
def test_a_member_that_leads_outside_is_refused_before_anything_is_written(
    host: Host, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "deep" / "corpus"
    message = failure(a_zip(host, zipped({**CLIPS, name: b"evil"}, zipfile.ZIP_STORED)), folder)
    assert repr(name) in message
    assert "nothing was unpacked" in message
    assert visible(tmp_path) == {}
    assert hidden(folder) == ["emodb.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_link_or_device_is_refused(host: Host, tmp_path: Path, kind: int) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("wav/link.wav")
        info.create_system, info.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert "'wav/link.wav', which is a link or device" in failure(a_zip(host, buffer.getvalue()), tmp_path)
    assert visible(tmp_path) == {}


def test_two_members_of_one_name_are_refused(host: Host, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.wav", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.wav", b"2")
    assert "two members 'a.wav'" in failure(a_zip(host, buffer.getvalue()), tmp_path)


def test_an_archive_that_grows_beyond_all_measure_is_refused(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "_SMALL_BYTES", 10**6)
    message = failure(a_zip(host, zipped({"a.wav": bytes(3_000_000), "b.wav": b"1"})), tmp_path)
    assert "would grow to 3.0 MB" in message
    assert visible(tmp_path) == {}


def test_a_member_that_is_longer_than_it_says_is_refused(host: Host, tmp_path: Path) -> None:
    body = bytearray(zipped({"a.wav": bytes(3_000_000)}))
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = body.index(signature) + offset
        body[at : at + 4] = (1000).to_bytes(4, "little")
    assert "damaged" in failure(a_zip(host, bytes(body)), tmp_path)
    assert visible(tmp_path) == {}


@pytest.mark.parametrize("damage", ["cut", "flipped", "page"])
def test_a_damaged_archive_is_deleted_so_that_it_comes_again(host: Host, tmp_path: Path, damage: str) -> None:
    good = release()
    bad = {
        "cut": good[:-100],
        "flipped": good[:2000] + bytes([good[2000] ^ 255]) + good[2001:],
        "page": b"<html>Log in to this network</html>",
    }[damage]
    assert "damaged" in failure(a_zip(host, bad, known_hash=""), tmp_path)
    assert hidden(tmp_path) == []
    get(a_zip(host, good, known_hash=""), tmp_path)
    assert visible(tmp_path) == CLIPS


def test_an_interrupted_unpacking_recovers_without_a_new_download(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, real, count = a_zip(host, release()), shutil.copyfileobj, iter(range(100))

    def interrupted(*arguments: Any) -> None:
        real(*arguments)
        if next(count) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfileobj", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get(corpus, tmp_path)
    assert visible(tmp_path) == {}
    asked = len(host.asked)
    leftover = module._work_folder(corpus.remotes[0], tmp_path) / ".files.1-00000000.tmp" / "half.wav"
    leftover.parent.mkdir()  # as a kill would leave it
    leftover.write_bytes(b"half")
    leftover.parent.with_name("tmp1234").write_bytes(b"pooch's")
    get(corpus, tmp_path)
    assert len(host.asked) == asked
    assert visible(tmp_path) == CLIPS
    assert hidden(tmp_path) == ["done.json"]


def test_an_interrupted_move_into_place_recovers(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, real, count = a_zip(host, release()), move_whole, iter(range(100))

    def interrupted(source: Path, path: Path) -> None:
        if next(count) == 2:
            raise KeyboardInterrupt
        real(source, path)

    with monkeypatch.context() as patch:
        patch.setattr(module, "move_whole", interrupted)
        with pytest.raises(KeyboardInterrupt):
            get(corpus, tmp_path)
    assert len(visible(tmp_path)) == 2
    get(corpus, tmp_path)
    assert visible(tmp_path) == CLIPS
    assert len(host.asked) == 1


def test_an_archive_of_countless_members_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpacking, "_MOST_MEMBERS", 3)
    (tmp_path / "a.zip").write_bytes(zipped({f"{n}.wav": b"" for n in range(4)}))
    with pytest.raises(CorpusError, match="holds more than 3 members: nothing was unpacked"):
        unpacking.unpack(tmp_path / "a.zip", tmp_path / "out")
