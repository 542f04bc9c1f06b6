"""Decoded audio and features, computed once and stored on disk.

A pack is a folder with one memory-mapped file of rows of different lengths. Its name is a digest of everything that its
content depends on, so a changed file or setting never gets an old row, and a second run starts in seconds.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from serkit.audio.decode import load_audio
from serkit.audio.resampling import resample
from serkit.data.cache_folder import cache_dir
from serkit.data.content_digests import decoder_digest, file_digest, file_digests, short_digest
from serkit.data.manifest import Manifest
from serkit.errors import ManifestError, RunError
from serkit.lab import features, signal
from serkit.lab.augment import AugmentedDataset, Chain
from serkit.lab.features import Front
from serkit.lab.features.extraction import frames_of_many
from serkit.parsing import parse_json
from serkit.types import SEX_VALUES, FloatArray, Utterance
from serkit.writing import whole_binary, whole_folder, write_whole

_BLOCK = 256  # utterances in a pack of features


@dataclass(frozen=True)
class Pack:
    """Rows of one memory-mapped file. Its pickle names the folder alone, which another process opens.

    Attributes:
        folder: Folder of the file and its index.
        values: All rows joined, shape (total, width).
        spans: Row name to (first, last + 1).
        digests: Row name to the SHA-256 of its bytes.
    """

    folder: Path
    values: NDArray[np.float32]
    spans: Mapping[str, tuple[int, int]]
    digests: Mapping[str, str]
    _verified: set[str] = field(default_factory=set, compare=False, repr=False)

    def row(self, name: str) -> FloatArray:
        """Return one row, shape (length, width). Its digest is compared when it is read for the first time.

        Raises:
            RunError: If the row is not what was written.
        """
        first, end = self.spans[name]
        row = self.values[first:end]
        if name not in self._verified:
            if hashlib.sha256(row.data).hexdigest() != self.digests[name]:
                raise RunError(
                    f"the cache {str(self.folder)!r} is damaged (the row of {name} is not what was written): remove "
                    "this folder, and run the same command again."
                )
            self._verified.add(name)
        return row

    @classmethod
    def open(cls, folder: Path) -> "Pack":
        """Open a pack that :func:`write_pack` wrote.

        Raises:
            RunError: If the pack is damaged.
        """
        try:
            index = parse_json((folder / "index.json").read_bytes())
            shape = (index["total"], index["width"])
            values = np.memmap(folder / "values.f32", np.float32, "r", shape=shape)
            spans = {name: (row[0], row[1]) for name, row in index["rows"].items()}
            return cls(folder, values, spans, {name: row[2] for name, row in index["rows"].items()})
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(
                f"the cache {str(folder)!r} is damaged ({error}): remove this folder, and run the same command again."
            ) from error

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the folder in place of gigabytes of rows."""
        return Pack.open, (self.folder,)


class StoredRows(Mapping[str, FloatArray]):
    """Rows of several packs as one mapping from row name to frames (N, F), in the order given.

    Args:
        packs: The packs.
        names: Names of the rows, each of them in one of the packs.
    """

    def __init__(self, packs: Sequence[Pack], names: Sequence[str]) -> None:
        self._packs = tuple(packs)
        found = {name: pack for pack in packs for name in pack.spans}
        self._pack_of = {name: found[name] for name in names}

    def __getitem__(self, name: str) -> FloatArray:
        return self._pack_of[name].row(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pack_of)

    def __len__(self) -> int:
        return len(self._pack_of)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the folders of the packs in place of their rows."""
        return StoredRows, (self._packs, tuple(self._pack_of))


def write_pack(folder: Path, rows: Iterable[tuple[str, FloatArray]]) -> Pack:
    """Write rows (length, width) into a new folder; the first of two writers wins."""
    index: dict[str, tuple[int, int, str]] = {}
    total, width = 0, 1
    with suppress(FileExistsError), whole_folder(folder) as temporary:
        with whole_binary(temporary / "values.f32") as file:
            for name, row in rows:
                content = np.ascontiguousarray(row, np.float32).data
                file.write(content)
                index[name] = (total, total + len(row), hashlib.sha256(content).hexdigest())
                total, width = total + len(row), row.shape[1]
        write_whole(temporary / "index.json", json.dumps({"total": total, "width": width, "rows": index}))
    return Pack.open(folder)


@dataclass(frozen=True)
class Store:
    """The stored audio of a manifest, and the features that are computed from it.

    Attributes:
        audio: Corpus to the pack of its decoded audio, rows (T, 1).
        sexes: Utterance id to the speaker's sex as a number, see :data:`serkit.types.SEX_VALUES`.
        files: Utterance id to the SHA-256 of its file.
    """

    audio: Mapping[str, Pack]
    sexes: Mapping[str, float]
    files: Mapping[str, str]

    @property
    def digests(self) -> dict[str, str]:
        """Utterance id to the digest of its decoded audio, for the leakage guard."""
        return {name: digest for pack in self.audio.values() for name, digest in pack.digests.items()}

    def seconds(self, sampling_rate: int) -> dict[str, float]:
        """Return the duration of each utterance, whose audio is stored at this sampling rate."""
        spans = [span for pack in self.audio.values() for span in pack.spans.items()]
        return {name: (end - first) / sampling_rate for name, (first, end) in spans}

    def waveform(self, utterance: Utterance) -> FloatArray:
        """Return decoded audio, shape (T,)."""
        return self.audio[utterance.corpus].row(utterance.id)[:, 0]

    def features(self, front: Front, speed: float, progress: Callable[[int], None]) -> StoredRows:
        """Return the features of every utterance: computed by the first call, read from disk by later ones.

        They are stored in packs of at most 256 utterances, each named by a digest of their audio, the front end's
        settings and its code. An interrupted computation resumes at the pack that was under way.

        Args:
            front: Front end.
            speed: Resampling factor that is applied to the waveform first.
            progress: Callback for the number of utterances done.

        Returns:
            Utterance id to frames, shape (N, F).
        """
        about = [front.label, asdict(front.config), speed, front.version, _features_code()]
        sexes = self.sexes if front.uses_sex else {}
        names: list[str] = []
        stored: list[Pack] = []
        for pack in self.audio.values():
            own = list(pack.spans)
            for start in range(0, len(own), _BLOCK):
                block = own[start : start + _BLOCK]
                content = [(name, pack.digests[name], sexes.get(name)) for name in block]
                folder = cache_dir() / "features" / short_digest(json.dumps([about, content]))
                if not folder.exists():
                    count = partial(_advance, progress, len(names))
                    write_pack(folder, _front_rows(pack, block, front, speed=speed, sexes=sexes, progress=count))
                stored.append(Pack.open(folder))
                names += block
                progress(len(names))
        return StoredRows(stored, names)


def open_store(manifest: Manifest, sampling_rate: int, progress: Callable[[int], None] = lambda done: None) -> Store:
    """Decode the audio of a manifest to float32 mono at one rate and store it, or open what is stored already.

    Args:
        manifest: Manifest with the roots of its corpora.
        sampling_rate: Sampling rate in Hz.
        progress: Callback for the number of utterances done.

    Raises:
        AudioError: If a file cannot be read; the message names it.
    """
    audio = {}
    files = file_digests(manifest)
    by_corpus: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in manifest:
        by_corpus[utterance.corpus].append(utterance)
    before = 0
    for corpus, utterances in by_corpus.items():
        content = sorted((u.id, files[u.id], u.start, u.end) for u in utterances)
        key = short_digest(json.dumps([decoder_digest(), sampling_rate, content]))
        folder = cache_dir() / "audio" / key
        if not folder.exists():
            write_pack(folder, _decoded(manifest, utterances, sampling_rate, partial(_advance, progress, before)))
        audio[corpus] = Pack.open(folder)
        before += len(utterances)
        progress(before)
    return Store(audio, {u.id: SEX_VALUES[u.sex] for u in manifest}, files)


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
    """Return the frames (N, F) of augmented waveforms (T,) for one epoch; the same for any number of workers."""
    utterances = AugmentedDataset(waveforms, chain, sampling_rate=front.config.sampling_rate, seed=seed, epoch=epoch)
    source = iter(DataLoader(utterances, batch_size=None, num_workers=workers))
    rows = {}
    while some := list(islice(source, _BLOCK)):
        changed = [samples.numpy() for _, samples in some]
        for place, row in frames_of_many(front, changed, [sexes.get(name) for name, _ in some]):
            rows[some[place].name] = row
    return rows


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

    def waveform(name: str) -> FloatArray:
        return resample(pack.row(name)[:, 0], round(rate * speed), rate)

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        waveforms = list(pool.map(waveform, names))
    for done, (i, row) in enumerate(frames_of_many(front, waveforms, [sexes.get(name) for name in names]), 1):
        yield names[i], row
        progress(done)


@cache
def _features_code() -> str:
    """Return a digest of the source code of all front ends and of the signal processing that they use."""
    folders = [Path(str(package.__file__)).parent for package in (features, signal)]
    return short_digest("".join(file_digest(file) for folder in folders for file in sorted(folder.glob("*.py"))))


def _advance(progress: Callable[[int], None], before: int, done: int) -> None:
    progress(before + done)
