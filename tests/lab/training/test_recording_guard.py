"""The guard finds one recording under two names, however it was changed, wherever recordings are put together."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from serkit.data.curation.overlap import with_fingerprints
from serkit.data.manifest import Manifest
from serkit.errors import LeakageError, ManifestError
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.protocols import make_split
from serkit.lab.training.fold import Experiment
from serkit.lab.training.prepare import prepare
from serkit.lab.training.resolve import resolve_recipe
from serkit.types import FloatArray, Utterance
from support.talking import RATE
from support.talking_corpus import EMOTIONS, VOICES, said, talking_corpus, toy_recipe
from support.toy import TINY

Change = Callable[[Path, FloatArray], None]


def _write(path: Path, samples: FloatArray, rate: int = RATE, **form: str | float) -> None:
    soundfile.write(path, samples, rate, **form)


def _one_bit(path: Path, samples: FloatArray) -> None:
    changed = np.round(samples * 32_767).astype(np.int16)
    changed[len(changed) // 2] ^= 1
    soundfile.write(path, changed, RATE)


CHANGES: Mapping[str, Change] = {
    "one bit": _one_bit,
    "gain": lambda path, x: _write(path, x / 10),
    "polarity": lambda path, x: _write(path, -x),
    "trimmed start": lambda path, x: _write(path, x[len(x) // 5 :]),
    "trimmed end": lambda path, x: _write(path, x[: -len(x) // 5]),
    "padded": lambda path, x: _write(path, np.concatenate([np.zeros(3_000, np.float32), x])),
    "48 kHz and back": lambda path, x: _write(path, soxr.resample(soxr.resample(x, RATE, 48_000), 48_000, RATE)),
    "8 kHz": lambda path, x: _write(path, soxr.resample(x, RATE, 8_000), 8_000),
    "speed 1.01": lambda path, x: _write(path, soxr.resample(x, RATE * 1.01, RATE)),
    "MP3": lambda path, x: _write(path.with_suffix(".mp3"), x),
    "Opus": lambda path, x: _write(path.with_suffix(".opus"), x, format="OGG", subtype="OPUS"),
    "noise": lambda path, x: _write(path, x + np.random.default_rng(1).normal(0, 0.1 * x.std(), len(x)).astype("f4")),
}


def with_copies(manifest: Manifest, of: str, under: str, change: Change) -> Manifest:
    """Return a manifest in which one speaker's clips are changed copies of another one's."""
    name = manifest.corpora[0]
    others = []
    for u in manifest:
        if u.speaker != f"{name}/{under}":
            others.append(u)
            continue
        source = manifest.roots[name] / u.path.replace(under, of)
        target = manifest.roots[name] / f"copy-of-{u.path}"
        change(target, soundfile.read(source, dtype="float32")[0])
        (made,) = manifest.roots[name].glob(f"{target.stem}.*")
        others.append(replace(u, path=made.name))
    return replace(manifest, utterances=tuple(others))


def prepared(tmp_path: Path, manifest: Manifest, one: Recipe | None = None, **options: bool) -> Experiment:
    table = manifest.write(tmp_path / "toy.csv")
    return prepare(
        resolve_recipe(one or toy_recipe()), {"toy": table}, tmp_path / "run", split_by=make_split, **options
    )


def test_four_voices_without_a_copy_are_divided(tmp_path: Path) -> None:
    run = prepared(tmp_path, talking_corpus(tmp_path / "toy", "toy", VOICES))
    assert run.shared.identical_recordings == 0
    assert run.shared.are_fingerprints_compared
    assert run.sounds.near == ()


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_copies_under_another_speakers_name_are_refused(tmp_path: Path, change: Change) -> None:
    manifest = with_copies(talking_corpus(tmp_path / "toy", "toy", VOICES), "ann", "dee", change)
    everyone = toy_recipe(protocol={"name": "leave_one_speaker_out", "validation": "none"})
    expected = r"recordings are in both training and test under different names: .* share \d\.\d s"
    with pytest.raises(LeakageError, match=expected):
        prepared(tmp_path, manifest, everyone)
    assert not (tmp_path / "run").exists()


def test_audio_that_is_not_what_the_manifest_was_made_from_is_refused(tmp_path: Path) -> None:
    """Another format is the same sound; another recording is not."""
    manifest = with_fingerprints(talking_corpus(tmp_path / "toy", "toy", VOICES))
    path = tmp_path / "toy" / "ben-0.wav"
    _write(path, soundfile.read(path, dtype="float32")[0] / 2)
    prepared(tmp_path, manifest)
    _write(path, said("another recording"))
    with pytest.raises(ManifestError, match=r"the audio of 1 utterances is not what .* the first is 'toy/ben-0'"):
        prepared(tmp_path, manifest)


def test_without_fingerprints_only_identical_audio_is_compared(tmp_path: Path) -> None:
    everyone = toy_recipe(protocol={"name": "leave_one_speaker_out", "validation": "none"})
    manifest = with_copies(talking_corpus(tmp_path / "toy", "toy", VOICES), "ann", "dee", CHANGES["gain"])
    run = prepared(tmp_path, manifest, everyone, fingerprints=False)
    assert run.sounds.near is None
    assert not run.shared.are_fingerprints_compared
    assert not (tmp_path / "run" / "fingerprints.json").exists()


def test_a_random_split_keeps_a_copy_beside_its_original(tmp_path: Path) -> None:
    manifest = with_copies(
        talking_corpus(tmp_path / "toy", "toy", VOICES, clips=6), "ann", "dee", CHANGES["speed 1.01"]
    )
    run = prepared(tmp_path, manifest, toy_recipe(protocol={"name": "random", "speaker_dependent": True, "folds": 3}))
    for fold in run.split.folds:
        for part in (fold.train, fold.validation, fold.test):
            names = {name.rpartition("/")[2] for name in part}
            assert all((f"ann-{n}" in names) == (f"dee-{n}" in names) for n in range(6))


def windows_of(folder: Path, *, length: float = 2.0, hop: float = 1.0) -> Manifest:
    """Return windows that were cut beforehand from recordings of 8 s, each a file and an utterance of its own."""
    folder.mkdir()
    utterances = []
    for n in range(4):
        whole = said(f"whole {n}", seconds=8.0, pitch=100 + 20 * n)
        for k in range(int((8 - length) / hop) + 1):
            start = round(k * hop * RATE)
            _write(folder / f"{n}-{k}.wav", whole[start : start + round(length * RATE)])
            utterances.append(
                Utterance(
                    id=f"toy/{n}-{k}", path=f"{n}-{k}.wav", corpus="toy", speaker="toy/unknown", emotion=EMOTIONS[n % 2]
                )
            )  # fmt: skip
    return Manifest(tuple(utterances), {"toy": folder})


@pytest.mark.parametrize(("length", "hop"), [(2.0, 1.0), (3.0, 1.5), (1.0, 0.5)])
def test_windows_that_were_cut_beforehand_count_as_one_recording(tmp_path: Path, length: float, hop: float) -> None:
    manifest = windows_of(tmp_path / "toy", length=length, hop=hop)
    random = toy_recipe(protocol={"name": "random", "speaker_dependent": True, "folds": 2})
    run = prepared(tmp_path, manifest, random)
    for fold in run.split.folds:
        sides = [{name[:5] for name in part} for part in (fold.train + fold.validation, fold.test)]
        assert not sides[0] & sides[1]


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_parts_of_one_file_under_links_count_as_one_recording(
    tmp_path: Path, link: Callable[[Path, Path], None]
) -> None:
    """Even without fingerprints: the file's content is known."""
    folder = tmp_path / "toy"
    folder.mkdir()
    utterances = []
    for n in range(4):
        _write(folder / f"{n}.wav", said(f"whole {n}", seconds=4.0))
        for k in range(3):
            link(folder / f"{n}.wav", folder / f"{n}-{k}.wav")
            utterances.append(
                Utterance(
                    id=f"toy/{n}-{k}", path=f"{n}-{k}.wav", corpus="toy", speaker="toy/unknown",
                    emotion=EMOTIONS[n % 2], start=float(k), end=k + 2.0,
                )
            )  # fmt: skip
    random = toy_recipe(protocol={"name": "random", "speaker_dependent": True, "folds": 2})
    run = prepared(tmp_path, Manifest(tuple(utterances), {"toy": folder}), random, fingerprints=False)
    for fold in run.split.folds:
        assert not {name[:5] for name in fold.train} & {name[:5] for name in fold.test}


def test_a_first_training_on_the_same_recordings_under_another_name_is_refused(tmp_path: Path) -> None:
    manifest = talking_corpus(tmp_path / "toy", "toy", VOICES)
    other = tmp_path / "other"
    other.mkdir()
    copies = []
    for u in manifest:
        samples = soundfile.read(tmp_path / "toy" / u.path, dtype="float32")[0]
        _write(other / u.path, samples / 4)
        copies.append(
            replace(u, id=u.id.replace("toy", "other"), corpus="other", speaker=f"other/someone-{u.speaker[-3:]}")
        )
    tables = {
        "toy": manifest.write(tmp_path / "toy.csv"),
        "other": Manifest(tuple(copies), {"other": other}).write(tmp_path / "other.csv"),
    }
    first = {"corpora": ["other"], "labels": list(EMOTIONS), "epochs": 1}
    one = toy_recipe(model=TINY, features=["logmel"], pretrain=first)
    with pytest.raises(LeakageError, match=r"^pretrain: 16 recordings of the first training are also the recipe's own"):
        prepare(resolve_recipe(one), tables, tmp_path / "run", split_by=make_split)
