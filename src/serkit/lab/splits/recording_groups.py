"""Groups utterances by recording. All utterances of one recording must stay on one side of a split.

Two utterances are of one recording if their audio is identical, if they are overlapping parts of one file (or of copies
of one file, or of links to it), if they share runs of samples, or if their acoustic fingerprints match.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from serkit.data.near_duplicates import NearDuplicate
from serkit.types import Utterance

_ROUNDING_S = 1e-6  # start plus duration differs from the next start by rounding; one audio sample is longer


@dataclass(frozen=True)
class Sounds:
    """What is known about the sound of an experiment's utterances.

    Attributes:
        digests: Utterance id to the digest of its decoded audio.
        files: Utterance id to the digest of its file. Where it is missing, a file is known by corpus and path.
        near: Pairs of utterances whose fingerprints match; None if fingerprints were not compared.
        cuts: Pairs of utterances that share runs of equal samples, as windows of one file do.
    """

    digests: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    near: tuple[NearDuplicate, ...] | None = None
    cuts: tuple[NearDuplicate, ...] = ()

    @property
    def alike(self) -> tuple[NearDuplicate, ...]:
        """All pairs of utterances that share sound."""
        return (*(self.near or ()), *self.cuts)

    def pair_of(self, ids: Iterable[str], others: Iterable[str]) -> NearDuplicate | None:
        """Return the first pair of near-duplicates with one utterance in each of two collections; None without."""
        some, rest = set(ids), set(others)
        for pair in self.alike:
            if (pair.first in some and pair.second in rest) or (pair.second in some and pair.first in rest):
                return pair
        return None


def recordings(utterances: Iterable[Utterance], sounds: Sounds) -> dict[str, str]:
    """Group utterances by recording.

    Groups are transitive: the parts of a file from 0 to 2 s, 1 to 3 s and 2 to 4 s are one recording. Parts that only
    touch are two recordings.

    Args:
        utterances: Utterances in any order.
        sounds: Digests and near-duplicates of these utterances, and perhaps of others.

    Returns:
        Name of the recording by utterance id; a recording is named by the first of its utterances' ids.
    """
    groups: dict[object, list[str]] = defaultdict(list)
    files: dict[object, list[Utterance]] = defaultdict(list)
    for u in utterances:
        groups[sounds.digests[u.id]].append(u.id)
        files[sounds.files.get(u.id) or (u.corpus, u.path)].append(u)
    for file, parts in files.items():
        latest, run = -math.inf, -1  # end of the audio so far, and number of the current stretch
        for u in sorted(parts, key=lambda u: u.start or 0.0):
            run += (u.start or 0.0) >= latest - _ROUNDING_S
            latest = max(latest, math.inf if u.end is None else u.end)
            groups[file, run].append(u.id)
    known = {name for group in groups.values() for name in group}
    alike = ([pair.first, pair.second] for pair in sounds.alike if {pair.first, pair.second} <= known)
    return _joined([*groups.values(), *alike])


def _joined(groups: Iterable[list[str]]) -> dict[str, str]:
    """Merge groups that share an id, directly or through others.

    Returns:
        The first id of the merged group, by id.
    """
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (higher := above.setdefault(name, name)) != name:
            above[name] = above[higher]  # shortens the path for the next lookup
            name = higher
        return name

    for first, *others in groups:
        for other in (first, *others):
            one, two = sorted((top(first), top(other)))
            above[two] = one
    return {name: top(name) for name in list(above)}
