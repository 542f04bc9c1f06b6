"""Decodes the audio of an experiment, and finds out which of its utterances are of one recording."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serkit.data.fingerprint_cache import Codes, check_carried, fingerprints_of, runs_in, stored_near_duplicates
from serkit.data.manifest import Manifest
from serkit.data.shared_runs import shared_runs
from serkit.lab.splits.recording_groups import Sounds
from serkit.lab.training.pretraining import check_heard_apart
from serkit.lab.training.store import Store, open_store
from serkit.progress import OnProgress, begin_task


@dataclass(frozen=True)
class Heard:
    """The audio of an experiment.

    Attributes:
        stores: Sampling rate in Hz to the decoded audio.
        sounds: What is known about the sound of the utterances.
        codes: Utterance id to acoustic fingerprint; None if fingerprints are not wanted.
        first: Decoded audio of the first trainings.
    """

    stores: Mapping[int, Store]
    sounds: Sounds
    codes: Codes | None
    first: Store

    @property
    def sampling_rate(self) -> int:
        """Sampling rate in Hz of the audio that digests are computed from."""
        return next(iter(self.stores))


def hear(
    manifest: Manifest, first: Manifest, rates: Sequence[int], *, fingerprints: bool, on_progress: OnProgress | None
) -> Heard:
    """Decode audio and compute fingerprints, or open what is stored.

    Args:
        manifest: Utterances of the experiment.
        first: Utterances of its first trainings, if any.
        rates: Sampling rates in Hz to decode at; digests are computed at the first one.
        fingerprints: Whether to compare recordings by acoustic fingerprints too.
        on_progress: Callback for progress.

    Raises:
        AudioError: If a file cannot be decoded.
        LeakageError: If a first training has a recording of the experiment.
        ManifestError: If the audio is not what a manifest with fingerprints was made from.
    """
    stores = {rate: _open_store(manifest, rate, on_progress) for rate in rates}
    store, first_store = stores[rates[0]], _open_store(first, rates[0], on_progress)
    codes = _fingerprints(manifest, store, on_progress) if fingerprints else None
    runs, first_runs = runs_in(manifest, files=store.files), runs_in(first, files=first_store.files)
    shared = shared_runs(runs, first_runs)
    if codes is not None and len(first):
        shared += stored_near_duplicates(codes, _fingerprints(first, first_store, on_progress))
    near = None if codes is None else stored_near_duplicates(codes)
    sounds = Sounds(store.digests, store.files, near, tuple(shared_runs(runs)))
    check_heard_apart(sounds, Sounds(first_store.digests, first_store.files), shared)
    return Heard(stores, sounds, codes, first_store)


def _open_store(manifest: Manifest, sampling_rate: int, on_progress: OnProgress | None) -> Store:
    return open_store(manifest, sampling_rate, begin_task("decoding", len(manifest), on_progress))


def _fingerprints(manifest: Manifest, store: Store, on_progress: OnProgress | None) -> dict[str, bytes]:
    step = begin_task("fingerprints", len(manifest), on_progress)
    codes = fingerprints_of(manifest, files=store.files, on_done=step)
    check_carried(manifest, codes)
    return codes
