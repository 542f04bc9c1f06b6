"""Groups of speakers that are alike in corpus, sex and utterances."""

from collections import defaultdict

import numpy as np

from serkit.data.manifest import Manifest


def balanced_groups(manifest: Manifest, count: int, seed: int) -> list[list[str]]:
    """Spread speakers over groups that are alike in corpus, then sex, then utterances.

    Args:
        manifest: Whose speakers.
        count: How many groups.
        seed: Of the order in which speakers of one corpus and sex are taken.
    """
    rng = np.random.default_rng(seed)
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for u in manifest:
        if u.speaker not in counts:
            strata[u.corpus, u.sex].append(u.speaker)
        counts[u.speaker] += 1
    groups: list[list[str]] = [[] for _ in range(count)]
    load: dict[tuple[int, str], int] = defaultdict(int)  # utterances of a corpus in a fold
    for corpus, sex in sorted(strata):
        members = sorted(strata[corpus, sex])
        rng.shuffle(members)
        taken: dict[int, int] = defaultdict(int)
        for speaker in members:
            k = min(range(count), key=lambda k: (taken[k], load[k, corpus], len(groups[k])))
            groups[k].append(speaker)
            taken[k] += 1
            load[k, corpus] += counts[speaker]
    return groups
