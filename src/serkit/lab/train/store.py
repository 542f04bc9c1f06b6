"""Decoded audio and stored features on disk, and batches from them.

A pack is a folder with one memory-mapped file of rows of different lengths. Its name is a digest of
everything its content depends on, files and settings, so a changed file or setting never finds an old
row, and the second run of an experiment starts in seconds.
"""

import hashlib
import json
import os
import shutil
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, partial
from importlib.metadata import distributions
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from serkit.audio.decode import load_audio, resample
from serkit.audio.media import decode
from serkit.data.manifest import Manifest
from serkit.errors import ManifestError
from serkit.lab import features, signal
from serkit.lab.augment import AugmentedDataset, Chain, mask_spectrogram, random_of
from serkit.lab.features import Front
from serkit.lab.recipes.schema import Augment
from serkit.types import SEX_VALUES, FloatArray, Utterance

_VERSIONS = [soundfile.__libsndfile_version__, soxr.__version__, *(d.version for d in distributions(name="av"))]
_BLOCK = 256  # utterances of a pack of features
_AT_ONCE = 16  # of them go through a front end
_DECODERS = (load_audio.__module__, decode.__module__)


class Batch(NamedTuple):
    """A padded batch at the seam between front end and body.

    features (B, F, N) float32, lengths (B,) int64, targets (B,) int64, ids in the same order.
    """

    features: torch.Tensor
    lengths: torch.Tensor
    targets: torch.Tensor
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Pack:
    """Rows of one memory-mapped file.

    Attributes:
        values: All rows joined, shape (total, width).
        spans: Row name to (first, last + 1).
        digests: Row name to the SHA-256 of its bytes.
    """

    values: NDArray[np.float32]
    spans: Mapping[str, tuple[int, int]]
    digests: Mapping[str, str]

    def row(self, name: str) -> FloatArray:
        """Return one row, shape (length, width), read from disk when used."""
        first, end = self.spans[name]
        return self.values[first:end]

    @classmethod
    def open(cls, folder: Path) -> "Pack":
        """Open a pack that :func:`write_pack` wrote."""
        index = json.loads((folder / "index.json").read_text("utf-8"))
        shape = (index["total"], index["width"])
        values = np.memmap(folder / "values.f32", np.float32, "r", shape=shape)
        spans = {name: (row[0], row[1]) for name, row in index["rows"].items()}
        return cls(values, spans, {name: row[2] for name, row in index["rows"].items()})


def cache_dir() -> Path:
    """Return where packs are kept: ``SERKIT_CACHE``, else the user's cache folder."""
    if "SERKIT_CACHE" in os.environ:
        return Path(os.environ["SERKIT_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "serkit"


def write_pack(folder: Path, rows: Iterable[tuple[str, FloatArray]]) -> Pack:
    """Write rows (length, width) under a temporary name, then rename; of two writers the first wins."""
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        index: dict[str, tuple[int, int, str]] = {}
        total, width = 0, 1
        with (temporary / "values.f32").open("wb") as file:
            for name, row in rows:
                content = np.ascontiguousarray(row, np.float32).tobytes()
                file.write(content)
                index[name] = (total, total + len(row), hashlib.sha256(content).hexdigest())
                total, width = total + len(row), row.shape[1]
        text = json.dumps({"total": total, "width": width, "rows": index})
        (temporary / "index.json").write_text(text, "utf-8")
        try:
            temporary.replace(folder)
        except OSError:
            if not folder.is_dir():  # where it is, another writer was first
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Pack.open(folder)


@dataclass(frozen=True)
class Store:
    """Where the audio and features of a manifest are found, per corpus.

    Attributes:
        audio: Corpus to its decoded audio, rows (T, 1).
        sexes: Utterance id to the speaker's sex as models take it.
    """

    audio: Mapping[str, Pack]
    sexes: Mapping[str, float]

    @property
    def digests(self) -> dict[str, str]:
        """Utterance id to the digest of its decoded audio, for the leakage guard."""
        return {name: digest for pack in self.audio.values() for name, digest in pack.digests.items()}

    def waveform(self, utterance: Utterance) -> FloatArray:
        """Return decoded audio, shape (T,)."""
        return self.audio[utterance.corpus].row(utterance.id)[:, 0]

    def features(self, front: Front, speed: float, progress: Callable[[int], None]) -> dict[str, FloatArray]:
        """Return ``front``'s output for every utterance, computed at the first call and read afterwards.

        It is kept in packs of some hundred utterances, each named by the digests of their audio, the settings and the
        code: another setting or file never finds an old row, and what was interrupted goes on at the pack it was in.

        Args:
            front: Its settings are part of the packs' names.
            speed: Resampling factor that is applied to the waveform before.
            progress: Called with the number of utterances done.

        Returns:
            Utterance id to frames, shape (N, F).
        """
        about = [type(front).__name__, asdict(front.config), speed, front.version, _features_code()]
        sexes = self.sexes if front.uses_sex else {}
        rows: dict[str, FloatArray] = {}
        for pack in self.audio.values():
            names = list(pack.spans)
            for start in range(0, len(names), _BLOCK):
                block = names[start : start + _BLOCK]
                content = [(name, pack.digests[name], sexes.get(name)) for name in block]
                folder = cache_dir() / "features" / _digest(json.dumps([about, content]))
                if not folder.exists():
                    count = partial(_advance, progress, len(rows))
                    write_pack(folder, _front_rows(pack, block, front, speed=speed, sexes=sexes, progress=count))
                stored = Pack.open(folder)
                rows |= {name: stored.row(name) for name in block}
                progress(len(rows))
        return rows


def open_store(manifest: Manifest, sampling_rate: int, progress: Callable[[int], None] = lambda done: None) -> Store:
    """Decode the audio of a manifest once, to float32 mono at one rate, and keep it.

    Args:
        manifest: With the roots of its corpora.
        sampling_rate: In Hz.
        progress: Called with the number of utterances done.

    Raises:
        AudioError: If a file cannot be read; the message names it.
    """
    audio = {}
    by_corpus: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in manifest:
        by_corpus[utterance.corpus].append(utterance)
    before = 0
    for corpus, utterances in by_corpus.items():
        files = {u.path: manifest.audio_path(u) for u in utterances}
        with ThreadPoolExecutor() as pool:
            hashes = dict(zip(files, pool.map(_file_digest, files.values()), strict=True))
        content = sorted((u.id, hashes[u.path], u.start, u.end) for u in utterances)
        key = _digest(json.dumps([*map(_code_of, _DECODERS), _VERSIONS, sampling_rate, content]))
        folder = cache_dir() / "audio" / key
        if not folder.exists():
            write_pack(folder, _decoded(manifest, utterances, sampling_rate, partial(_advance, progress, before)))
        audio[corpus] = Pack.open(folder)
        before += len(utterances)
        progress(before)
    return Store(audio, {u.id: SEX_VALUES[u.sex] for u in manifest})


def training_batches(
    rows: Sequence[Mapping[str, FloatArray]],
    targets: Mapping[str, int],
    augment: Augment,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    is_balanced: bool = False,
) -> Iterator[Batch]:
    """Yield one epoch of augmented batches of similar lengths, in an order drawn from (seed, epoch).

    Args:
        rows: For each speed, utterance id to frames (N, F).
        targets: Utterance id to class index; says which utterances are used.
        augment: Settings; each utterance's draws depend on (seed, epoch, id) alone.
        batch_size: B; a last batch of one is joined to the one before, since batch norm needs two.
        seed: Of the run.
        epoch: From 0.
        is_balanced: As many utterances as there are, drawn with replacement so that classes occur alike.
    """
    order = np.random.default_rng([seed, epoch])
    names = (
        balanced_names(targets, order) if is_balanced else [str(name) for name in order.permutation(sorted(targets))]
    )
    frames = {}
    for name in sorted(set(names)):
        rng = random_of(seed, epoch, name)
        row = rows[int(rng.integers(len(rows)))][name]
        frames[name] = mask_spectrogram(row, augment, rng)
    pool = batch_size * 8
    batches = []
    for start in range(0, len(names), pool):
        alike = sorted(names[start : start + pool], key=lambda name: len(frames[name]))
        batches += [alike[i : i + batch_size] for i in range(0, len(alike), batch_size)]
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [batches[-2] + batches[-1]]
    for i in order.permutation(len(batches)):
        yield _collate(batches[i], frames, targets)


def balanced_names(targets: Mapping[str, int], rng: np.random.Generator) -> list[str]:
    """Draw as many names as there are targets: classes in turn, and within a class any of its utterances."""
    of_class: dict[int, list[str]] = defaultdict(list)
    for name in sorted(targets):
        of_class[targets[name]].append(name)
    classes = sorted(of_class)
    drawn = [str(rng.choice(of_class[classes[i % len(classes)]])) for i in range(len(targets))]
    rng.shuffle(drawn)
    return drawn


def augmented_rows(
    waveforms: Mapping[str, FloatArray],
    chain: Chain,
    front: Front,
    sexes: Mapping[str, float],
    *,
    seed: int,
    epoch: int,
    workers: int = 0,
) -> dict[str, FloatArray]:
    """Return one epoch's frames (N, F) of changed waveforms (T,), the same for any number of workers."""
    utterances = AugmentedDataset(waveforms, chain, sampling_rate=front.config.sampling_rate, seed=seed, epoch=epoch)
    source = iter(DataLoader(utterances, batch_size=None, num_workers=workers))
    rows = {}
    while some := list(islice(source, _BLOCK)):
        changed = [samples.numpy() for _, samples in some]
        for place, row in frames_of_many(front, changed, [sexes.get(name) for name, _ in some]):
            rows[some[place].name] = row
    return rows


def evaluation_batches(
    rows: Mapping[str, FloatArray], targets: Mapping[str, int], *, batch_size: int
) -> Iterator[Batch]:
    """Yield batches without augmentation, shortest utterances first."""
    names = sorted(targets, key=lambda name: (len(rows[name]), name))
    for start in range(0, len(names), batch_size):
        yield _collate(names[start : start + batch_size], rows, targets)


def _collate(names: Sequence[str], frames: Mapping[str, FloatArray], targets: Mapping[str, int]) -> Batch:
    lengths = [len(frames[name]) for name in names]
    size = frames[names[0]].shape[1]
    padded = np.zeros((len(names), size, max(lengths)), np.float32)
    for i, name in enumerate(names):
        padded[i, :, : lengths[i]] = frames[name].T
    classes = torch.tensor([targets[name] for name in names])
    return Batch(torch.from_numpy(padded), torch.tensor(lengths), classes, tuple(names))


def _decoded(
    manifest: Manifest, utterances: Sequence[Utterance], rate: int, progress: Callable[[int], None]
) -> Iterator[tuple[str, FloatArray]]:
    def decode(u: Utterance) -> FloatArray:
        samples = load_audio(manifest.audio_path(u), target_rate=rate)
        end = len(samples) if u.end is None else round(u.end * rate)
        cut = samples[round(u.start * rate) : end]
        if not len(cut):
            raise ManifestError(f"{u.id}: {u.path} holds nothing between {u.start} and {u.end} s.")
        return cut[:, None]

    with ThreadPoolExecutor() as pool:
        for done, (utterance, samples) in enumerate(zip(utterances, pool.map(decode, utterances), strict=True), 1):
            yield utterance.id, samples
            progress(done)


def _front_rows(
    pack: Pack,
    names: Sequence[str],
    front: Front,
    *,
    speed: float,
    sexes: Mapping[str, float],
    progress: Callable[[int], None],
) -> Iterator[tuple[str, FloatArray]]:
    rate = front.config.sampling_rate
    waveforms = [resample(pack.row(name)[:, 0], round(rate * speed), rate) for name in names]
    for done, (i, row) in enumerate(frames_of_many(front, waveforms, [sexes.get(name) for name in names]), 1):
        yield names[i], row
        progress(done)


def frames_of_many(
    front: Front, waveforms: Sequence[FloatArray], sexes: Sequence[float | None] | None = None
) -> Iterator[tuple[int, FloatArray]]:
    """Yield the place and the frames (N, F) of each waveform (T,), the shortest first.

    A few of similar lengths go through at once, on one thread each: the operations of a front end are too small to be
    shared among threads, and too many for one clip at a time.
    """
    order = sorted(range(len(waveforms)), key=lambda i: len(waveforms[i]))
    batches = [order[start : start + _AT_ONCE] for start in range(0, len(order), _AT_ONCE)]
    known = sexes or [None] * len(waveforms)

    def compute(batch: Sequence[int]) -> list[FloatArray]:
        return frames_of_batch(front, [waveforms[i] for i in batch], [known[i] for i in batch])

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # each thread says so for itself: until it has, its small operations may take several all the same
        with ThreadPoolExecutor(before, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for batch, rows in zip(batches, pool.map(compute, batches), strict=True):
                yield from zip(batch, rows, strict=True)
    finally:
        torch.set_num_threads(before)


def frames_of_batch(
    front: Front, waveforms: Sequence[FloatArray], sexes: Sequence[float | None] | None = None
) -> list[FloatArray]:
    """Return the frames (N, F) of each waveform (T,), computed together.

    Args:
        front: A front end.
        waveforms: At its sampling rate.
        sexes: Of the speakers, for a front end that takes them; None where unknown.
    """
    sex = None
    if front.uses_sex:
        known = sexes or [None] * len(waveforms)
        sex = torch.tensor([SEX_VALUES["unknown"] if value is None else value for value in known])
    with torch.inference_mode():
        return front.compute_many(waveforms, sex)


@cache
def _features_code() -> str:
    """Return a digest of the source of all front ends and of the signal processing they are made of."""
    folders = [Path(str(package.__file__)).parent for package in (features, signal)]
    return _digest("".join(_file_digest(file) for folder in folders for file in sorted(folder.glob("*.py"))))


def _advance(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)


def _code_of(module: str) -> str:
    """Return a digest of a module's source: edited code never finds what the older code made."""
    return _file_digest(Path(str(sys.modules[module].__file__)))


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
