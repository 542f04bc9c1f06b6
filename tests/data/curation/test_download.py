"""Corpora from a server on loopback: nothing here reaches the network."""

import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serkit.data.corpora import Corpus
from serkit.data.corpora.corpus_definition import Remote
from serkit.data.curation import download as module
from serkit.data.curation.download import download
from serkit.data.curation.http_fetch import as_size
from serkit.errors import CorpusError, MissingExtraError
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
    pointer,
    release,
    running,
    visible,
    zipped,
)
from support.notes import Notes


@pytest.fixture
def host() -> Iterator[Host]:
    with running() as server:
        yield server


# What is asked before anything is fetched


def test_a_corpus_that_must_be_asked_for_says_where(tmp_path: Path) -> None:
    corpus = a_corpus()
    message = failure(corpus, tmp_path / "here")
    assert corpus.url in message
    assert "register" in message
    assert not (tmp_path / "here").exists()


def test_without_the_license_nothing_is_fetched_and_the_terms_are_said(host: Host, tmp_path: Path) -> None:
    corpus = a_zip(host, release())
    with pytest.raises(CorpusError) as caught:
        download(corpus, tmp_path / "here")
    for part in (corpus.title, corpus.license, corpus.citation, corpus.url, "--accept-license", "kB"):
        assert part in str(caught.value)
    assert host.asked == []
    assert not (tmp_path / "here").exists()


def test_without_pooch_the_extra_is_named(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = a_zip(host, release())
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(MissingExtraError, match=re.escape("serkit[data]")):
        get(corpus, tmp_path)


# A download that goes well


def test_a_corpus_is_unpacked_without_its_outer_folder_and_reads(host: Host, tmp_path: Path) -> None:
    corpus = a_zip(host, release())
    folder = get(corpus, tmp_path / "new" / "emodb")
    assert folder == tmp_path / "new" / "emodb"
    assert visible(folder) == CLIPS
    assert hidden(folder) == ["done.json"]
    assert len(corpus.manifest(folder)) == len(CLIPS)


def test_a_second_download_only_says_that_all_is_there(host: Host, tmp_path: Path) -> None:
    corpus = a_zip(host, release())
    get(corpus, tmp_path)
    asked = list(host.asked)
    with Notes() as seen:
        download(corpus, tmp_path)
    assert host.asked == asked
    assert len(seen.notes) == 1
    assert "already" in seen.notes[0]


def test_a_file_that_was_deleted_since_comes_again(host: Host, tmp_path: Path) -> None:
    corpus = a_zip(host, release())
    get(corpus, tmp_path)
    (tmp_path / "wav/03a01Fa.wav").unlink()
    get(corpus, tmp_path)
    assert visible(tmp_path) == CLIPS


def test_a_corpus_of_two_archives_becomes_one_folder(host: Host, tmp_path: Path) -> None:
    first, second = zipped({"Actor_01/a.wav": b"1", "Actor_02/a.wav": b"2"}), zipped({"Actor_01/b.wav": b"3", "x": b""})
    remotes = [
        Remote(host.serve(f"/{name}", body), md5(body), name, len(body))
        for name, body in (("speech.zip", first), ("song.zip", second))
    ]
    get(a_corpus(*remotes), tmp_path)
    assert visible(tmp_path) == {"Actor_01/a.wav": b"1", "Actor_02/a.wav": b"2", "Actor_01/b.wav": b"3", "x": b""}


def test_only_the_chosen_members_are_unpacked(host: Host, tmp_path: Path) -> None:
    body = zipped({"emodb/wav/a.wav": b"1", "emodb/labels/a.lab": b"2", "emodb/readme.txt": b"3"})
    url = host.serve("/emodb.zip", body)
    get(a_corpus(Remote(url, md5(body), "emodb.zip", members=("wav/*.wav", "*.txt"))), tmp_path)
    assert visible(tmp_path) == {"wav/a.wav": b"1", "readme.txt": b"3"}


def test_progress_is_shown_in_megabytes_and_ends_at_the_total(host: Host, tmp_path: Path) -> None:
    with Notes() as seen:
        get(a_file(host, BODY * 10), tmp_path, seen)
    total, shown = seen.tasks["clips.bin, MB"]
    assert total == 3
    assert shown == sorted(shown)
    assert shown[-1] == 3
    assert any("Cite" in note for note in seen.notes)


def test_pooch_says_nothing_of_its_own(host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    import pooch

    before = pooch.get_logger().level
    with caplog.at_level(logging.DEBUG):
        get(a_file(host), tmp_path)
    assert not [record for record in caplog.records if record.name == "pooch"]
    assert pooch.get_logger().level == before


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (208_468_073, "208 MB"), (10**9, "1.0 GB")],
)
def test_sizes_read_as_hosts_write_them(count: int, text: str) -> None:
    assert as_size(count) == text


# What is the user's


def test_the_users_own_files_stay_as_they_are(host: Host, tmp_path: Path) -> None:
    mine = {"notes.txt": b"mine", "wav/mine.wav": b"mine too", "emodb.zip": b"my zip"}
    for name, body in mine.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body)
    same = tmp_path / "wav/03a01Fa.wav"
    same.write_bytes(CLIPS["wav/03a01Fa.wav"])
    os.utime(same, (1, 1))
    get(a_zip(host, release()), tmp_path)
    assert visible(tmp_path) == mine | CLIPS
    assert same.stat().st_mtime == 1


def test_a_users_file_of_the_same_name_is_refused_and_nothing_moved(host: Host, tmp_path: Path) -> None:
    corpus = a_zip(host, release())
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav/03a07Fa.wav").write_bytes(b"mine")
    assert "03a07Fa.wav' exists with other content" in failure(corpus, tmp_path)
    assert visible(tmp_path) == {"wav/03a07Fa.wav": b"mine"}
    (tmp_path / "wav/03a07Fa.wav").unlink()
    get(corpus, tmp_path)
    assert visible(tmp_path) == CLIPS
    assert len(host.asked) == 1


# Git LFS pointers and Dataverse listings


def a_repository(host: Host, known_hash: str = "") -> Corpus:
    """A repository's archive whose clips are pointers, and its media."""
    top = "CREMA-D-0123abc"
    body = zipped(
        {f"{top}/{name}": pointer(clip) for name, clip in CLIPS.items()}
        | {f"{top}/VideoFlash/a.flv": pointer(b"video"), f"{top}/demographics.csv": b"ActorID,Age\n"}
    )
    for name, clip in CLIPS.items():
        host.serve(f"/media/{name}", clip)
    url, media = host.serve("/0123abc.zip", body), host.serve("/media/", b"")
    members = ("wav/*.wav", "*.csv")
    return a_corpus(Remote(url, known_hash, "crema-d.zip", 10**8, members=members, media=media))


def test_pointers_are_replaced_by_what_they_stand_for(host: Host, tmp_path: Path) -> None:
    corpus = a_repository(host)
    with Notes() as seen:
        get(corpus, tmp_path, seen)
    assert visible(tmp_path) == CLIPS | {"demographics.csv": b"ActorID,Age\n"}
    assert hidden(tmp_path) == ["done.json"]
    assert seen.tasks["clips"] == (len(CLIPS), list(range(1, len(CLIPS) + 1)))
    asked = len(host.asked)
    get(corpus, tmp_path)
    assert len(host.asked) == asked


def test_a_few_clips_come_at_once_and_no_more(host: Host, tmp_path: Path) -> None:
    corpus, host.delay = a_repository(host), 0.05
    get(corpus, tmp_path)
    assert 1 < host.busiest <= 4


def test_clips_that_came_are_not_fetched_again(host: Host, tmp_path: Path) -> None:
    corpus = a_repository(host)
    missing = "/media/wav/03a07Fa.wav"
    clip = host.files.pop(missing)
    assert "the host answered 404" in failure(corpus, tmp_path)
    assert visible(tmp_path) == {}
    host.serve(missing, clip)
    tree = module._work_folder(corpus.remotes[0], tmp_path) / "files"
    kept = {f"/media/{name}" for name, body in CLIPS.items() if (tree / name).read_bytes() == body}
    assert kept
    host.asked.clear()
    get(corpus, tmp_path)
    assert visible(tmp_path).keys() == CLIPS.keys() | {"demographics.csv"}
    assert sorted(dict(host.asked)) == sorted({f"/media/{name}" for name in CLIPS} - kept)


def test_a_clip_that_is_not_what_its_pointer_says_is_refused(host: Host, tmp_path: Path) -> None:
    corpus = a_repository(host)
    host.serve("/media/wav/03a02Fa.wav", b"other")
    message = failure(corpus, tmp_path)
    assert hashlib.sha256(b"other").hexdigest() in message
    assert hashlib.sha256(CLIPS["wav/03a02Fa.wav"]).hexdigest() in message
    assert visible(tmp_path) == {}


def test_a_clip_that_is_cut_goes_on_too(host: Host, tmp_path: Path) -> None:
    corpus = a_repository(host)
    host.cuts["/media/wav/03a02Fa.wav"] = [1000]
    get(corpus, tmp_path)
    assert ("/media/wav/03a02Fa.wav", "bytes=1000-") in host.asked
    assert visible(tmp_path)["wav/03a02Fa.wav"] == CLIPS["wav/03a02Fa.wav"]


def test_clips_that_the_folder_has_are_not_fetched(host: Host, tmp_path: Path) -> None:
    corpus = a_repository(host)
    (tmp_path / "wav").mkdir()
    (tmp_path / "wav/03a02Fa.wav").write_bytes(CLIPS["wav/03a02Fa.wav"])
    get(corpus, tmp_path)
    assert "/media/wav/03a02Fa.wav" not in dict(host.asked)
    assert len(visible(tmp_path)) == len(CLIPS) + 1
    (tmp_path / "wav/03a02Fa.wav").unlink()
    assert not module._is_done(corpus.remotes[0], tmp_path), "it belongs to the corpus all the same"


def test_equal_clips_come_once_and_stand_in_every_place(host: Host, tmp_path: Path) -> None:
    names = [f"take {n}#.wav" for n in range(3)]  # names that an address must quote
    url = host.serve("/twins.zip", zipped({f"top/{name}": pointer(b"same") for name in names}))
    host.serve("/media/take%200%23.wav", b"same")
    media = host.serve("/media/", b"")
    get(a_corpus(Remote(url, "", "twins.zip", media=media)), tmp_path)
    assert visible(tmp_path) == dict.fromkeys(names, b"same")
    assert len(host.asked) == 2


def a_dataverse(host: Host, names: dict[str, bytes]) -> Corpus:
    files = []
    for number, (name, body) in enumerate(names.items()):
        host.serve(f"/api/access/datafile/{number}", body)
        label, _, filename = name.rpartition("/")
        data = {"id": number, "filename": filename, "filesize": len(body), "md5": hashlib.md5(body).hexdigest()}
        files.append({"label": filename, "dataFile": data} | ({"directoryLabel": label} if label else {}))
    body = json.dumps({"status": "OK", "data": {"latestVersion": {"files": files}}}).encode()
    url = host.serve("/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF", body)
    return a_corpus(Remote(url, "", "tess.json", 10**8, members=("*.wav",), is_listing=True))


def test_the_files_of_a_dataverse_come_one_by_one_checked_by_their_md5(host: Host, tmp_path: Path) -> None:
    corpus = a_dataverse(host, CLIPS | {"readme.pdf": b"%PDF"})
    with Notes() as seen:
        get(corpus, tmp_path, seen)
    assert visible(tmp_path) == CLIPS
    assert not any("No hash" in note for note in seen.notes)
    host.serve("/api/access/datafile/2", b"other")
    assert md5(b"other") in failure(corpus, tmp_path / "second")


def test_a_dataverse_cannot_write_outside_the_folder(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "corpus"
    corpus = a_dataverse(host, CLIPS | {"../../out.wav": b"evil"})
    assert "outside its folder" in failure(corpus, folder)
    assert visible(tmp_path) == {}


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data": {"latestVersion": {"files": [{"dataFile": {}}]}}}'])
def test_what_is_no_listing_is_one_sentence(host: Host, tmp_path: Path, body: bytes) -> None:
    corpus = a_corpus(Remote(host.serve("/list", body), "", "tess.json", is_listing=True))
    assert "file list" in failure(corpus, tmp_path)
    assert hidden(tmp_path) == [], "it is asked for again"


def test_a_listing_without_the_corpus_is_one_sentence(host: Host, tmp_path: Path) -> None:
    assert "lists no file of the corpus" in failure(a_dataverse(host, {"readme.pdf": b"%PDF"}), tmp_path)


# No pointer and no redirect names another host


def test_a_pointer_in_an_archive_cannot_say_where_its_clip_is(host: Host, tmp_path: Path) -> None:
    planted = pointer(b"clip") + f"url http://127.0.0.1:{host.server_port}/inside\n".encode()
    url = host.serve("/planted.zip", zipped({"top/a.wav": planted}))
    corpus = a_corpus(Remote(url, "", "planted.zip", media=host.serve("/media/", b"")))
    assert "names an address" in failure(corpus, tmp_path)
    assert [path for path, _ in host.asked] == ["/planted.zip"]


@pytest.mark.parametrize("md5_hash", ["aa\nsize 1\nurl http://example.org/", "xyz", "a" * 31])
def test_a_listing_with_a_planted_hash_is_refused(host: Host, tmp_path: Path, md5_hash: str) -> None:
    entry = {"dataFile": {"id": 1, "filename": "a.wav", "filesize": 1, "md5": md5_hash}}
    body = json.dumps({"data": {"latestVersion": {"files": [entry]}}}).encode()
    corpus = a_corpus(Remote(host.serve("/list", body), "", "tess.json", is_listing=True))
    assert "did not answer with the file list of a Dataverse" in failure(corpus, tmp_path)


def test_a_listing_that_is_nested_without_end_is_refused(host: Host, tmp_path: Path) -> None:
    corpus = a_corpus(Remote(host.serve("/list", b"[" * 100_000), "", "tess.json", is_listing=True))
    assert "did not answer with the file list of a Dataverse" in failure(corpus, tmp_path)
