"""Divides speakers into groups with similar corpora, sexes and numbers of utterances."""

from collections import defaultdict

import numpy as np

from serkit.data.manifest import Manifest


def balanced_groups(manifest: Manifest, count: int, seed: int) -> list[list[str]]:
    """Divide speakers into groups balanced by corpus, then sex, then number of utterances.

    Args:
        manifest: Utterances whose speakers are divided.
        count: Number of groups.
        seed: Random seed of the order in which speakers of one corpus and sex are assigned.
    """
    rng = np.random.default_rng(seed)
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for u in manifest:
        if u.speaker not in counts:
            strata[u.corpus, u.sex].append(u.speaker)
        counts[u.speaker] += 1
    groups: list[list[str]] = [[] for _ in range(count)]
    load: dict[tuple[int, str], int] = defaultdict(int)  # number of utterances, by group and corpus
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
