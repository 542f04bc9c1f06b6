"""Which runs meet: on the same utterances, with and without shared speakers, with one validation and another.

Runs are compared where they answered the same utterances, once for each seed, choosing among the same classes. A run
that shares speakers is never called better than one that does not: what it gains is the leak, and stands apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serkit.lab.leaderboard.rows import RunEntry, group_of, is_across
from serkit.lab.measure.run_folder import UNSEEN_CORPUS
from serkit.lab.measure.significance import Difference, holm, paired_difference

BY_VALIDATION = "the highest validation UAR among complete, speaker-independent runs"
BY_VALIDATION_ACROSS = f"{BY_VALIDATION}; it was measured on other corpora than these"
BY_VALIDATION_LEAKY = "the highest validation UAR; all of these share speakers"
BY_ORDER = "the first: none has a validation UAR that may choose it"
AS_ASKED = "as asked"


@dataclass(frozen=True)
class Comparison:
    """A run minus the reference; ``p_holm`` is corrected for the number of comparisons with that reference."""

    run: RunEntry
    difference: Difference
    p_holm: float


@dataclass(frozen=True)
class Family:
    """Runs on the same utterances, all speaker-independent or none, and the one that each is compared with."""

    reference: RunEntry
    why: str  # this one
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Leak:
    """What sharing speakers gains.

    ``is_twin`` where both fit the same; without a difference they were tested on different utterances.
    """

    fair: RunEntry
    leaky: RunEntry
    is_twin: bool
    difference: Difference | None
    p_holm: float | None


def difference_of(first: RunEntry, second: RunEntry) -> Difference | None:
    """Return the first run's UAR minus the second's; None where they were not tested on the same utterances."""
    a, b = first.answers, second.answers
    if a is None or b is None or a.digest != b.digest:
        return None
    return paired_difference(a.true, a.predicted, b.predicted, a.speakers, len(a.classes))


def families(entries: Sequence[RunEntry], against: RunEntry | None = None) -> list[Family]:
    """Compare runs with the reference of those on the same utterances; a run without a companion is a family too.

    Args:
        entries: In the order of the table.
        against: The reference of its family; of others it is chosen by validation.
    """
    together: dict[tuple[str, bool], list[RunEntry]] = {}
    for entry in entries:
        if entry.answers is not None:
            together.setdefault((entry.answers.digest, entry.is_fair), []).append(entry)
    return [_family(members, against) for members in together.values()]


def leaks(entries: Sequence[RunEntry], found: Sequence[Family]) -> list[Leak]:
    """Set each run that shares speakers beside those that fit the same and do not.

    Without such a twin it stands beside the speaker-independent reference on the same utterances.
    """
    pairs = []
    for leaky in (entry for entry in entries if not entry.is_fair):
        twins = [fair for fair in entries if _is_twin(fair, leaky)]
        strict = [fair for fair in twins if fair.row["validation"] != "random"]
        references = [family.reference for family in found if _meet(family.reference, leaky)]
        pairs += [(fair, leaky, bool(twins)) for fair in strict or twins or references[:1]]
    differences = [difference_of(leaky, fair) for fair, leaky, _ in pairs]
    corrected = iter(holm([one.p for one in differences if one]))
    return [Leak(*pair, one, next(corrected) if one else None) for pair, one in zip(pairs, differences, strict=True)]


def promises(entries: Iterable[RunEntry]) -> list[tuple[RunEntry, RunEntry]]:
    """Return runs validated on new speakers, each with one that differs in being validated on those trained on."""
    fair = [entry for entry in entries if entry.is_fair and entry.row["validation_uar"] is not None]
    return [
        (strict, loose)
        for strict in fair
        for loose in fair
        if (strict.row["validation"], loose.row["validation"]) == ("speakers", "random")
        and group_of(strict.row) == group_of(loose.row)
        and _fit_the_same(strict, loose)
        and _digest(strict) == _digest(loose)
    ]


def without_companion(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Return the runs on whose utterances no other was tested."""
    digests = [_digest(entry) for entry in entries]
    return [
        entry for entry, digest in zip(entries, digests, strict=True) if digest is None or digests.count(digest) == 1
    ]


def _family(members: Sequence[RunEntry], against: RunEntry | None) -> Family:
    reference, why = _reference(members, against)
    others = [entry for entry in members if entry is not reference]
    differences = [difference_of(entry, reference) for entry in others]
    known = [one for one in differences if one is not None]
    corrected = holm([one.p for one in known])
    return Family(reference, why, tuple(map(Comparison, others, known, corrected)))


def _reference(members: Sequence[RunEntry], against: RunEntry | None) -> tuple[RunEntry, str]:
    if against is not None and any(entry is against for entry in members):
        return against, AS_ASKED
    leaders = [entry for entry in members if entry.may_lead]
    within = [entry for entry in leaders if not is_across(entry.row)]
    if within:
        return leader(within), BY_VALIDATION
    if leaders:
        return leader(leaders), BY_VALIDATION_ACROSS
    complete = [entry for entry in members if entry.row["complete"] and entry.row["validation_uar"] is not None]
    if complete and not members[0].is_fair:
        return leader(complete), BY_VALIDATION_LEAKY
    return members[0], BY_ORDER


def leader(entries: Sequence[RunEntry]) -> RunEntry:
    """Return the run with the highest validation UAR, of equal ones the first by name."""
    return min(entries, key=lambda entry: (-entry.row["validation_uar"], entry.name))


def _is_twin(fair: RunEntry, leaky: RunEntry) -> bool:
    """Whether two runs fit the same, one without sharing speakers; across corpora they must test the same too."""
    if not fair.is_fair or fair.row["protocol"] == UNSEEN_CORPUS or not _fit_the_same(fair, leaky):
        return False
    return _meet(fair, leaky) or not is_across(fair.row)


def _meet(fair: RunEntry, leaky: RunEntry) -> bool:
    return fair.is_fair and _digest(fair) is not None and _digest(fair) == _digest(leaky)


def _fit_the_same(one: RunEntry, other: RunEntry) -> bool:
    a, b = one.row, other.row
    return bool(a["fitted"] == b["fitted"] and a.get("train_speakers") == b.get("train_speakers"))


def _digest(entry: RunEntry) -> str | None:
    return entry.answers.digest if entry.answers else None
