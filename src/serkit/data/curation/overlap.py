"""Finds recordings that a corpus holds twice, or shares with another one, by fingerprints and equal samples."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from serkit.audio.fingerprint import unpack
from serkit.data.fingerprint_cache import as_text, fingerprints_of, from_text, runs_in, stored_near_duplicates
from serkit.data.manifest import Manifest
from serkit.data.near_duplicates import NearDuplicate
from serkit.data.shared_runs import NotedRuns, shared_runs
from serkit.errors import ManifestError
from serkit.progress import OnProgress, begin_task
from serkit.types import Utterance


@dataclass(frozen=True, slots=True)
class Overlap:
    """The recordings that two sets of utterances share.

    Attributes:
        utterances: Number of utterances that were compared, in the first and in the second set.
        not_compared: Number that could not be compared: the file is missing or cannot be decoded, and the manifest has
            no fingerprint of it.
        pairs: One utterance of each set, with the similarity of their fingerprints and the seconds that they share.
    """

    utterances: tuple[int, int]
    not_compared: tuple[int, int]
    pairs: tuple[NearDuplicate, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the overlap as values that ``json.dumps`` takes."""
        return asdict(self) | {"shared": len({pair.first for pair in self.pairs})}


def find_overlap(first: Manifest, second: Manifest, *, on_progress: OnProgress | None = None) -> Overlap:
    """Find the recordings that two corpora share, whatever their names are.

    Args:
        first: Utterances of one corpus. Where a file is missing, the fingerprint of the manifest is compared.
        second: Utterances of the other.
        on_progress: Callback for progress.
    """
    codes, others = (known_fingerprints(one, on_progress=on_progress) for one in (first, second))
    runs, other_runs = (_known_runs(one) for one in (first, second))
    pairs = _once(shared_runs(runs, other_runs), stored_near_duplicates(codes, others))
    not_compared = (len(first) - len(codes), len(second) - len(others))
    return Overlap((len(codes), len(others)), not_compared, tuple(pairs))


def known_fingerprints(manifest: Manifest, *, on_progress: OnProgress | None = None) -> dict[str, bytes]:
    """Return the fingerprints of all utterances whose file can be decoded, or that have one in the manifest.

    Raises:
        ManifestError: If a fingerprint of the manifest is damaged or of another version.
    """
    here = _with_files(manifest)
    step = begin_task("fingerprints", len(here), on_progress)
    stored = {u.id: _carried_by(u) for u in manifest if u.fingerprint}
    return stored | fingerprints_of(here, skip_undecodable=True, on_done=step)


def _carried_by(u: Utterance) -> bytes:
    code = from_text(u.fingerprint)
    try:
        unpack(code)
    except ValueError as error:
        raise ManifestError(f"{u.id}: {error} Write the manifest again with 'serkit corpora manifest'.") from error
    return code


def _once(*several: Iterable[NearDuplicate]) -> list[NearDuplicate]:
    """Return each pair once, sorted by names; what comes later replaces what came before."""
    found = {(pair.first, pair.second): pair for pairs in several for pair in pairs}
    return [pair for _, pair in sorted(found.items())]


def _known_runs(manifest: Manifest) -> dict[str, NotedRuns]:
    return runs_in(_with_files(manifest), skip_undecodable=True)


def _with_files(manifest: Manifest) -> Manifest:
    return manifest.filter(lambda u: u.corpus in manifest.roots and manifest.audio_path(u).is_file())


def with_fingerprints(manifest: Manifest, *, on_progress: OnProgress | None = None) -> Manifest:
    """Return a manifest whose utterances carry their fingerprints, as far as they can be decoded."""
    codes = known_fingerprints(manifest, on_progress=on_progress)
    utterances = (replace(u, fingerprint=as_text(codes[u.id])) if u.id in codes else u for u in manifest)
    return replace(manifest, utterances=tuple(utterances))


def duplicates_within(
    manifest: Manifest, digests: Mapping[str, str], *, on_progress: OnProgress | None = None
) -> list[NearDuplicate]:
    """Find the near-duplicates among the files of one corpus, without those whose samples are identical.

    Args:
        manifest: Utterances of the corpus.
        digests: Path to the digest of the decoded samples; empty for a file that cannot be decoded.
        on_progress: Callback for progress.

    Returns:
        Pairs of utterances of different files.
    """
    codes = known_fingerprints(manifest, on_progress=on_progress)
    path_of = {u.id: u.path for u in manifest}

    def is_same(pair: NearDuplicate) -> bool:
        one, other = path_of[pair.first], path_of[pair.second]
        return one == other or digests[one] == digests[other] != ""

    pairs = _once(shared_runs(_known_runs(manifest)), stored_near_duplicates(codes))
    return [pair for pair in pairs if not is_same(pair)]


def described(pairs: Sequence[NearDuplicate]) -> str:
    """Return the first pairs as a clause of a message."""
    each = "; ".join(
        f"{pair.first} and {pair.second} share {pair.overlap:.1f} s, similarity {pair.similarity:.2f}"
        for pair in pairs[:3]
    )
    return f"{each}{'; ...' if pairs[3:] else ''}"
