import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serkit.data.cache_folder import cache_dir
from serkit.data.corpora import read_corpora
from serkit.data.manifest import Manifest
from serkit.errors import AudioError, ManifestError, RunError
from serkit.lab.augment import mask_spectrogram
from serkit.lab.features import LogMel, LogMelConfig, build_feature, build_front, extraction
from serkit.lab.recipes.schema import Augment
from serkit.lab.training import store as data
from serkit.lab.training.feature_batches import Batch, evaluation_batches, training_batches
from serkit.lab.training.store import Pack, open_store, write_pack
from serkit.types import FloatArray, Utterance
from support.synthetic import SAMPLING_RATE, tone
from support.toy import PLAIN

FRONT = LogMel(LogMelConfig(bands=8))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the test's own."""
    monkeypatch.setenv("SERKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "toy"
    folder.mkdir()
    return folder


def clip(root: Path, name: str, *, frequency: float = 440.0, seconds: float = 0.3, **fields: Any) -> Utterance:
    """Write a tone, unless the file is there, and return its utterance."""
    if not (root / name).is_file():
        soundfile.write(root / name, tone(frequency, seconds=seconds), SAMPLING_RATE)
    made = Utterance(id=f"toy/{Path(name).stem}", path=name, corpus="toy", speaker="toy/1", emotion="anger")
    return replace(made, **fields)


def toys(root: Path, *utterances: Utterance) -> Manifest:
    return Manifest(utterances, {"toy": root})


def packs(cache: Path, kind: str) -> set[str]:
    return {folder.name for folder in (cache / kind).iterdir()} if (cache / kind).is_dir() else set()


def rows(**lengths: int) -> Iterator[tuple[str, FloatArray]]:
    for i, (name, length) in enumerate(lengths.items(), 1):
        yield name, np.full((length, 2), i, np.float32)


def fail(*args: Any, **options: Any) -> Any:
    raise AssertionError("this was to be read from the cache")


# Packs


def test_a_pack_gives_back_the_rows_that_were_written(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    written = {name: rng.standard_normal((length, 3)).astype(np.float32) for name, length in (("a", 4), ("b", 1))}
    for pack in (write_pack(tmp_path / "pack", written.items()), Pack.open(tmp_path / "pack")):
        assert list(pack.spans) == ["a", "b"]
        for name, row in written.items():
            np.testing.assert_array_equal(pack.row(name), row)
            assert pack.digests[name] == hashlib.sha256(row.tobytes()).hexdigest()


def test_rows_of_any_layout_are_written_by_their_values(tmp_path: Path) -> None:
    row = np.arange(12, dtype=np.float64).reshape(3, 4).T  # transposed and of another type
    np.testing.assert_array_equal(write_pack(tmp_path / "pack", [("a", row)]).row("a"), row)


def test_a_pack_cannot_be_written_through_its_rows(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="read-only"):
        write_pack(tmp_path / "pack", rows(a=2)).row("a")[0] = 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, AudioError])
def test_a_writer_that_fails_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def broken() -> Iterator[tuple[str, FloatArray]]:
        yield from rows(a=3)
        raise error

    with pytest.raises(error):
        write_pack(tmp_path / "pack", broken())
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_nothing_that_is_taken_for_a_pack(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
import numpy as np
from serkit.lab.training.store import write_pack

def rows():
    yield "a", np.ones((100_000, 2), np.float32)
    os.kill(os.getpid(), signal.SIGKILL)

write_pack(Path(sys.argv[1]) / "pack", rows())
"""
    killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (tmp_path / "pack").exists()
    assert list(write_pack(tmp_path / "pack", rows(a=2)).spans) == ["a"]


def test_of_two_writers_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken() -> Iterator[tuple[str, FloatArray]]:
        yield from rows(second=1)
        monkeypatch.setattr(os, "getpid", lambda: -1)  # another process
        write_pack(tmp_path / "pack", rows(first=1))
        monkeypatch.undo()

    assert list(write_pack(tmp_path / "pack", overtaken()).spans) == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_a_pack_that_cannot_be_put_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pack").write_text("in the way")
    with pytest.raises(OSError, match="pack"):
        write_pack(tmp_path / "pack", rows(a=1))


# The place of the cache


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SERKIT_CACHE", str(tmp_path))
    assert cache_dir() == tmp_path
    monkeypatch.delenv("SERKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "serkit"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir() == Path.home() / ".cache" / "serkit"


def test_nothing_is_written_outside_the_cache(cache: Path, root: Path) -> None:
    manifest = toys(root, clip(root, "a.wav"))
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    open_store(manifest, SAMPLING_RATE).features(FRONT, 1.0, lambda done: None)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert {path.name for path in cache.iterdir()} == {"audio", "features"}


# Decoded audio


def test_audio_is_decoded_once(cache: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = toys(root, clip(root, "a.wav"), clip(root, "b.wav", frequency=220))
    first = open_store(manifest, SAMPLING_RATE)
    monkeypatch.setattr(data, "write_pack", fail)
    second = open_store(manifest, SAMPLING_RATE)
    for u in manifest:
        np.testing.assert_array_equal(second.waveform(u), first.waveform(u))
        np.testing.assert_allclose(second.waveform(u), soundfile.read(root / u.path)[0], atol=1e-7)


def test_a_corpus_that_was_moved_is_not_decoded_again(
    cache: Path, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    u = clip(root, "a.wav")
    open_store(toys(root, u), SAMPLING_RATE)
    shutil.move(root, tmp_path / "elsewhere")
    monkeypatch.setattr(data, "write_pack", fail)
    assert len(open_store(toys(tmp_path / "elsewhere", u), SAMPLING_RATE).waveform(u))


def test_a_changed_file_is_decoded_again(cache: Path, root: Path) -> None:
    """The same name, size and time of change: its content tells."""
    u = clip(root, "a.wav", frequency=440)
    before, stat = open_store(toys(root, u), SAMPLING_RATE).waveform(u), (root / "a.wav").stat()
    (root / "a.wav").unlink()
    clip(root, "a.wav", frequency=220)
    os.utime(root / "a.wav", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (root / "a.wav").stat().st_size == stat.st_size
    assert np.abs(open_store(toys(root, u), SAMPLING_RATE).waveform(u) - before).max() > 0.1


@pytest.mark.parametrize("change", [{"start": 0.1}, {"end": 0.2}, {"id": "toy/other"}])
def test_other_utterances_of_the_same_files_are_another_pack(cache: Path, root: Path, change: dict[str, Any]) -> None:
    u = clip(root, "a.wav")
    open_store(toys(root, u), SAMPLING_RATE)
    open_store(toys(root, replace(u, **change)), SAMPLING_RATE)
    assert len(packs(cache, "audio")) == 2


def test_another_rate_is_another_pack(cache: Path, root: Path) -> None:
    u = clip(root, "a.wav", seconds=0.3)
    lengths = [len(open_store(toys(root, u), rate).waveform(u)) for rate in (16_000, 8_000)]
    assert lengths == [4800, 2400]
    assert len(packs(cache, "audio")) == 2


def test_a_label_is_not_part_of_the_audio(cache: Path, root: Path) -> None:
    u = clip(root, "a.wav")
    for emotion in ("anger", "fear"):
        open_store(toys(root, replace(u, emotion=emotion)), SAMPLING_RATE)
    assert len(packs(cache, "audio")) == 1


def test_an_utterance_is_cut_out_of_its_file(cache: Path, root: Path) -> None:
    whole = clip(root, "a.wav", seconds=1.0)
    spans = [(0.25, 0.5), (0.75, None), (0.0, 9.0)]
    cuts = [replace(whole, id=f"toy/{i}", start=start, end=end) for i, (start, end) in enumerate(spans)]
    store = open_store(toys(root, whole, *cuts), SAMPLING_RATE)
    samples = store.waveform(whole)
    for u, expected in zip(cuts, (samples[4000:8000], samples[12_000:], samples), strict=True):
        np.testing.assert_array_equal(store.waveform(u), expected)


def test_an_utterance_without_audio_is_named(cache: Path, root: Path) -> None:
    u = clip(root, "a.wav", start=2.0, end=3.0)
    with pytest.raises(ManifestError, match=r"^toy/a: a\.wav holds nothing between 2\.0 and 3\.0 s\.$"):
        open_store(toys(root, u), SAMPLING_RATE)
    assert packs(cache, "audio") == set()


def test_a_broken_file_is_named(cache: Path, root: Path) -> None:
    (root / "b.wav").write_bytes(b"not audio at all")
    with pytest.raises(AudioError, match=r"b\.wav"):
        open_store(toys(root, clip(root, "a.wav"), clip(root, "b.wav")), SAMPLING_RATE)
    assert packs(cache, "audio") == set()


def test_identical_audio_has_one_digest_whatever_it_is_called(cache: Path, root: Path) -> None:
    names = ("a.wav", "copy.wav", "lossless.flac", "other.wav")
    samples = np.random.default_rng(0).integers(-3000, 3000, 4800, dtype=np.int16)
    for name in names:
        soundfile.write(root / name, samples[::-1] if name == "other.wav" else samples, SAMPLING_RATE)
    clips = [clip(root, name) for name in names]
    digests = open_store(toys(root, *clips), SAMPLING_RATE).digests
    assert digests["toy/a"] == digests["toy/copy"] == digests["toy/lossless"] != digests["toy/other"]


def test_each_corpus_has_a_pack_of_its_own(cache: Path, root: Path) -> None:
    """So that two experiments which share a corpus decode it once."""
    toy, other = clip(root, "a.wav"), replace(clip(root, "b.wav"), corpus="other", id="other/b")
    open_store(Manifest((toy, other), {"toy": root, "other": root}), SAMPLING_RATE)
    open_store(toys(root, toy), SAMPLING_RATE)
    assert len(packs(cache, "audio")) == 2


def test_decoding_says_how_far_it_is(cache: Path, root: Path) -> None:
    told: list[int] = []
    open_store(toys(root, clip(root, "a.wav"), clip(root, "b.wav")), SAMPLING_RATE, told.append)
    assert told[:2] == [1, 2]
    assert told[-1] == 2


# Stored features


def test_stored_features_are_those_of_the_front_end(cache: Path, root: Path) -> None:
    manifest = toys(root, clip(root, "a.wav"), clip(root, "b.wav", seconds=0.5))
    store = open_store(manifest, SAMPLING_RATE)
    found = store.features(FRONT, 1.0, lambda done: None)
    assert set(found) == {"toy/a", "toy/b"}
    for u in manifest:
        samples = torch.from_numpy(np.array(store.waveform(u)))
        expected, lengths = FRONT(samples[None], torch.tensor([len(samples)]))
        assert found[u.id].shape == (int(lengths[0]), 8)
        np.testing.assert_allclose(found[u.id], expected[0].T.numpy(), rtol=0, atol=1e-5)  # they round in other orders


@pytest.mark.parametrize("speed", [0.9, 1.0])
def test_stored_features_do_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, root: Path, speed: float
) -> None:
    manifest = toys(root, *(clip(root, f"{i}.wav", frequency=200 + i, seconds=0.2 + i / 100) for i in range(40)))
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 3):
            monkeypatch.setenv("SERKIT_CACHE", str(tmp_path / f"{threads}"))
            torch.set_num_threads(threads)
            found.append(open_store(manifest, SAMPLING_RATE).features(FRONT, speed, lambda done: None))
    finally:
        torch.set_num_threads(before)
    for u in manifest:
        np.testing.assert_array_equal(found[0][u.id], found[1][u.id])


def test_features_are_computed_once(cache: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = toys(root, clip(root, "a.wav"))
    first = open_store(manifest, SAMPLING_RATE).features(FRONT, 1.0, lambda done: None)
    monkeypatch.setattr(LogMel, "compute_many", fail)
    second = open_store(manifest, SAMPLING_RATE).features(LogMel(FRONT.config), 1.0, lambda done: None)
    np.testing.assert_array_equal(second["toy/a"], first["toy/a"])


def test_a_changed_setting_speed_or_file_gives_other_features(cache: Path, root: Path) -> None:
    def features(config: LogMelConfig, speed: float) -> FloatArray:
        store = open_store(toys(root, clip(root, "a.wav")), SAMPLING_RATE)
        return store.features(LogMel(config), speed, lambda done: None)["toy/a"]

    plain = features(FRONT.config, 1.0)
    assert features(replace(FRONT.config, bands=10), 1.0).shape == (len(plain), 10)
    assert not np.array_equal(features(replace(FRONT.config, normalize="band"), 1.0), plain)
    assert len(features(FRONT.config, 1.25)) == pytest.approx(len(plain) / 1.25, abs=1)
    (root / "a.wav").unlink()
    clip(root, "a.wav", frequency=220)
    assert not np.array_equal(features(FRONT.config, 1.0), plain)
    assert len(packs(cache, "features")) == 5


def test_a_faster_speed_is_a_shorter_and_higher_sound(cache: Path, root: Path) -> None:
    store = open_store(toys(root, clip(root, "a.wav", frequency=500, seconds=1.0)), SAMPLING_RATE)
    front = LogMel(LogMelConfig(bands=64))
    loudest = {}
    for speed in (0.5, 1.0, 2.0):
        frames = store.features(front, speed, lambda done: None)["toy/a"]
        assert len(frames) == pytest.approx(100 / speed, abs=2)
        loudest[speed] = int(frames.mean(0).argmax())
    assert loudest[0.5] < loudest[1.0] < loudest[2.0]


# Training batches


BANDS = 6
SPEEDS = (1.0, 2.0)  # the value of every frame
lengths = st.lists(st.integers(1, 30), min_size=2, max_size=60)


def frames_of(lengths: list[int]) -> list[dict[str, FloatArray]]:
    return [
        {f"toy/{i:03d}": np.full((length, BANDS), speed, np.float32) for i, length in enumerate(lengths)}
        for speed in SPEEDS
    ]


def epoch(lengths: list[int], *, size: int = 4, seed: int = 0, epoch: int = 0, **augment: Any) -> list[Batch]:
    targets = {name: i % 3 for i, name in enumerate(frames_of(lengths)[0])}
    settings = Augment(**(PLAIN | augment))
    return list(training_batches(frames_of(lengths), targets, settings, batch_size=size, seed=seed, epoch=epoch))


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        a.ids == b.ids and all(torch.equal(x, y) for x, y in zip(a[:3], b[:3], strict=True))
        for a, b in zip(one, other, strict=True)
    )


@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=5), seed=st.integers(0, 3))
def test_a_balanced_epoch_has_every_class_alike_and_is_as_long(counts: list[int], seed: int) -> None:
    targets = {f"{c}/{i}": c for c, count in enumerate(counts) for i in range(count)}
    frames = {name: np.ones((3, BANDS), np.float32) for name in targets}
    settings = {"batch_size": 4, "seed": seed, "epoch": 1, "is_balanced": True}
    batches = list(training_batches([frames], targets, Augment(**PLAIN), **settings))
    drawn = [name for batch in batches for name in batch.ids]
    of_each = Counter(targets[name] for name in drawn)
    assert len(drawn) == len(targets)
    assert max(of_each.values()) - min(of_each[c] for c in range(len(counts))) <= 1
    again = list(training_batches([frames], targets, Augment(**PLAIN), **settings))
    assert [batch.ids for batch in again] == [batch.ids for batch in batches]


@given(lengths=lengths, size=st.integers(2, 9), number=st.integers(0, 3))
def test_an_epoch_has_each_utterance_once_with_its_own_frames(lengths: list[int], size: int, number: int) -> None:
    batches = epoch(lengths, size=size, epoch=number)
    assert Counter(i for batch in batches for i in batch.ids) == Counter(list(frames_of(lengths)[0]))
    for batch in batches:
        assert batch.features.shape == (len(batch.ids), BANDS, max(batch.lengths))
        for i, name in enumerate(batch.ids):
            number = int(name.removeprefix("toy/"))
            assert batch.lengths[i] == lengths[number]
            assert batch.targets[i] == number % 3
            valid, padding = batch.features[i, :, : batch.lengths[i]], batch.features[i, :, batch.lengths[i] :]
            assert not padding.any()
            assert any((valid == speed).all() for speed in SPEEDS)


@given(lengths=lengths, size=st.integers(2, 9))
def test_no_batch_is_of_one_utterance(lengths: list[int], size: int) -> None:
    """Batch norm needs two."""
    sizes = [len(batch.ids) for batch in epoch(lengths, size=size)]
    assert min(sizes) > 1
    assert max(sizes) <= size + 1


@pytest.mark.parametrize(("utterances", "sizes"), [(9, [4, 5]), (13, [4, 4, 5]), (33, [4] * 7 + [5])])
def test_an_utterance_that_is_left_over_joins_the_last_batch(utterances: int, sizes: list[int]) -> None:
    batches = epoch([5] * utterances, size=4)
    assert sorted(len(batch.ids) for batch in batches) == sizes
    assert len({name for batch in batches for name in batch.ids}) == utterances


def test_batches_are_of_similar_lengths() -> None:
    batches = epoch(list(range(1, 65)), size=8)
    assert max(int(batch.lengths.max() - batch.lengths.min()) for batch in batches) == 7


MASKED = {"band_masks": 2, "band_mask_size": 2, "frame_masks": 1, "frame_mask_share": 0.3}


def test_an_epoch_is_the_same_for_the_same_seed_and_number() -> None:
    lengths = list(range(2, 40))
    first = epoch(lengths, seed=1, epoch=2, **MASKED)
    assert same(epoch(lengths, seed=1, epoch=2, **MASKED), first)
    assert not same(epoch(lengths, seed=1, epoch=3, **MASKED), first)
    assert not same(epoch(lengths, seed=2, epoch=2, **MASKED), first)


def drawn(lengths: list[int], **options: int) -> dict[str, torch.Tensor]:
    """Return the masked frames of each utterance."""
    batches = epoch(lengths, **options, **MASKED)
    return {name: batch.features[i, :, : batch.lengths[i]] for batch in batches for i, name in enumerate(batch.ids)}


def test_what_is_drawn_for_an_utterance_does_not_depend_on_the_others() -> None:
    among_others, among_few = drawn(list(range(10, 40))), drawn(list(range(10, 20)))
    assert all(torch.equal(features, among_others[name]) for name, features in among_few.items())


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}])
def test_what_is_drawn_for_an_utterance_differs_between_seeds_and_epochs(other: dict[str, int]) -> None:
    one, two = drawn([20] * 30), drawn([20] * 30, **other)
    assert sum(torch.equal(features, two[name]) for name, features in one.items()) < 3


def test_every_speed_is_drawn_and_no_other() -> None:
    drawn = Counter(float(value) for batch in epoch([5] * 60) for value in batch.features[:, 0, 0])
    assert set(drawn) == set(SPEEDS)
    assert min(drawn.values()) > 15


masks = st.builds(
    Augment,
    band_masks=st.integers(0, 3),
    band_mask_size=st.integers(1, 9),
    frame_masks=st.integers(0, 3),
    frame_mask_share=st.floats(0, 1),
)


@given(length=st.integers(1, 60), augment=masks, seed=st.integers(0, 10))
def test_masks_take_no_more_than_their_share(length: int, augment: Augment, seed: int) -> None:
    masked = mask_spectrogram(np.ones((length, BANDS), np.float32), augment, np.random.default_rng(seed))
    kept_bands, kept_frames = masked.any(0), masked.any(1)
    if masked.any():  # a mask of everything hides how the rest was masked
        assert (~kept_bands).sum() <= augment.band_masks * min(augment.band_mask_size, BANDS)
        assert (~kept_frames).sum() <= augment.frame_masks * int(length * augment.frame_mask_share)
        assert (masked[np.ix_(kept_frames, kept_bands)] == 1).all()


def test_masks_do_mask_and_leave_the_stored_frames_alone() -> None:
    row = np.ones((50, BANDS), np.float32)
    settings = Augment(band_masks=1, band_mask_size=2, frame_masks=1, frame_mask_share=0.2)
    zeros = [(mask_spectrogram(row, settings, np.random.default_rng(seed)) == 0).mean() for seed in range(40)]
    assert 0.05 < np.mean(zeros) < 0.4
    assert row.all()


def test_without_masks_frames_are_as_stored() -> None:
    row = np.random.default_rng(0).standard_normal((9, BANDS)).astype(np.float32)
    np.testing.assert_array_equal(mask_spectrogram(row, Augment(**PLAIN), np.random.default_rng(0)), row)


# Evaluation batches


@given(lengths=st.lists(st.integers(1, 30), max_size=40), size=st.integers(1, 9))
def test_evaluation_has_each_utterance_once_unchanged(lengths: list[int], size: int) -> None:
    stored = frames_of(lengths)[0]
    batches = list(evaluation_batches(stored, dict.fromkeys(stored, 0), batch_size=size))
    assert Counter(i for batch in batches for i in batch.ids) == Counter(list(stored))
    assert max((len(batch.ids) for batch in batches), default=0) <= size
    for batch in batches:
        for features, length, name in zip(batch.features, batch.lengths, batch.ids, strict=True):
            np.testing.assert_array_equal(features[:, :length].T, stored[name])


def test_evaluation_uses_the_utterances_that_it_is_given() -> None:
    stored = frames_of([3, 4, 5])[0]
    (batch,) = evaluation_batches(stored, {"toy/002": 1, "toy/000": 2}, batch_size=4)
    assert (batch.ids, batch.targets.tolist()) == (("toy/000", "toy/002"), [2, 1])


# The store of features


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many utterances went through a front end, call by call."""
    calls: list[int] = []
    compute = extraction.frames_of_batch

    def count(front: Any, waveforms: Any, sexes: Any = None) -> Any:
        calls.append(len(waveforms))
        return compute(front, waveforms, sexes)

    monkeypatch.setattr(extraction, "frames_of_batch", count)
    return calls


def test_an_interrupted_extraction_goes_on_at_the_pack_it_was_in(
    emodb_dir: Path, counted: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SERKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(data, "_BLOCK", 16)
    store = data.open_store(read_corpora(["emodb"], {"emodb": emodb_dir}), 16_000)
    front = build_feature("statistics", {})

    def stop(done: int) -> None:
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.features(front, 1.0, stop)
    before = sum(counted)
    rows = store.features(front, 1.0, lambda done: None)
    assert len(rows) == 56
    assert sum(counted) - before == 56 - 16, "the first pack was whole"
    assert store.features(front, 1.0, lambda done: None).keys() == rows.keys()
    assert sum(counted) - before == 56 - 16, "nothing is computed twice"


def test_another_setting_or_file_never_finds_an_old_row(emodb_dir: Path, counted: list[int], tmp_path: Path) -> None:
    root = tmp_path / "EmoDB"
    shutil.copytree(emodb_dir, root)
    manifest = read_corpora(["emodb"], {"emodb": root})

    def mean(settings: dict[str, Any]) -> NDArray[np.float32]:
        store = data.open_store(manifest, 16_000)
        return np.array(store.features(build_feature("mfcc", settings), 1.0, lambda done: None)[first.id])

    first = manifest.utterances[0]
    plain = mean({})
    assert mean({"n_mfcc": 20}).shape[1] == 20
    np.testing.assert_array_equal(mean({}), plain)
    samples, rate = soundfile.read(manifest.audio_path(first))
    soundfile.write(manifest.audio_path(first), 0.5 * samples, rate)
    assert np.abs(mean({}) - plain).max() > 1


def test_the_sex_of_a_speaker_is_part_of_the_rows_name(emodb_dir: Path) -> None:
    manifest = read_corpora(["emodb"], {"emodb": emodb_dir})
    front = build_front([{"name": "statistics"}, {"name": "sex"}])
    for sex, value in (("male", 1.0), ("female", 0.0), ("unknown", 0.5)):
        told = replace(manifest, utterances=tuple(replace(u, sex=sex) for u in manifest))
        rows = data.open_store(told, 16_000).features(front, 1.0, lambda done: None)
        assert {float(row[0, -1]) for row in rows.values()} == {value}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("index.json", b"{"),
        ("index.json", b"[" * 100_000),
        ("index.json", b'{"total": 9, "width": 1, "rows": {"a": 3}}'),
        ("index.json", b"\xff\xfe"),
        ("values.f32", b"1234"),
        ("values.f32", b""),
    ],
)
def test_a_damaged_pack_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "pack"
    write_pack(folder, [("a", np.zeros((9, 1), np.float32))])
    (folder / name).write_bytes(content)
    with pytest.raises(RunError, match=r"the cache .*pack' is damaged .*: remove this folder"):
        Pack.open(folder)
