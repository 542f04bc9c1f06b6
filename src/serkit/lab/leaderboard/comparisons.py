"""Which runs are compared with each other, and how they differ.

Two runs are compared if they predicted the same utterances, once per seed, with the same classes, and their audio is
not known to differ (see :mod:`serkit.lab.leaderboard.same_audio`). A run that shares
speakers between training and test is never compared with a speaker-independent one as an equal: their difference is
the effect of the leak, and has its own table.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from serkit.lab.leaderboard.grouping import group_of, is_across
from serkit.lab.measure.run_entry import RunEntry
from serkit.lab.measure.run_folder import UNSEEN_CORPUS
from serkit.lab.measure.significance import Difference, holm, paired_difference

BY_VALIDATION = "the run with the highest validation UAR among complete, speaker-independent runs"
BY_VALIDATION_ACROSS = f"{BY_VALIDATION}; its validation corpora differ from the test corpora"
BY_VALIDATION_LEAKY = "the run with the highest validation UAR; all runs here share speakers"
BY_ORDER = "the first run; none has a validation UAR to choose by"
BY_ORDER_UNSEALED = "the first run; an unsealed run is never chosen by its validation UAR"
AS_ASKED = "as requested"


@dataclass(frozen=True)
class Comparison:
    """A run compared with its reference.

    Attributes:
        run: Compared run.
        difference: UAR of the run minus UAR of the reference.
        p_holm: P value corrected for the number of comparisons with the same reference.
    """

    run: RunEntry
    difference: Difference
    p_holm: float


@dataclass(frozen=True)
class Family:
    """Runs on the same utterances, either all speaker-independent or all sharing speakers.

    Attributes:
        reference: Run that the others are compared with.
        why: Reason for choosing this reference.
        comparisons: Comparison of each other run with the reference.
    """

    reference: RunEntry
    why: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True)
class Leak:
    """A run that shares speakers beside a speaker-independent one.

    Attributes:
        fair: Speaker-independent run.
        leaky: Run that shares speakers between training and test.
        is_twin: Whether both runs have the same model and settings.
        difference: UAR with the leak minus UAR without; None if the runs were tested on different utterances.
        p_holm: P value corrected for the number of leaks in the table; None without a difference.
    """

    fair: RunEntry
    leaky: RunEntry
    is_twin: bool
    difference: Difference | None
    p_holm: float | None


def difference_of(first: RunEntry, second: RunEntry) -> Difference | None:
    """Return the first run's UAR minus the second's; None if they were tested on different utterances."""
    a, b = first.answers, second.answers
    if a is None or b is None or a.digest != b.digest:
        return None
    return paired_difference(a.true, a.predicted, b.predicted, a.speakers, len(a.classes))


def families(entries: Sequence[RunEntry], against: RunEntry | None = None) -> list[Family]:
    """Compare the runs on the same utterances with one reference. A run on its own utterances is a family of one.

    Args:
        entries: Runs in the order of the table.
        against: Reference of its own family. The references of other families are chosen by validation UAR.
    """
    by_utterances: dict[tuple[str, bool], list[RunEntry]] = {}
    for entry in entries:
        if entry.answers is not None:
            by_utterances.setdefault((entry.answers.digest, entry.is_fair), []).append(entry)
    return [_family(members, against) for members in by_utterances.values()]


def leaks(entries: Sequence[RunEntry], found: Sequence[Family]) -> list[Leak]:
    """Pair each run that shares speakers with the speaker-independent runs of the same model and settings.

    A run without such a twin is paired with the speaker-independent reference on the same utterances.
    """
    pairs = []
    for leaky in (entry for entry in entries if not entry.is_fair):
        twins = [fair for fair in entries if _is_twin(fair, leaky)]
        strict = [fair for fair in twins if fair.row["validation"] != "random"]
        references = [family.reference for family in found if _is_fair_on_same(family.reference, leaky)]
        pairs += [(fair, leaky, bool(twins)) for fair in strict or twins or references[:1]]
    differences = [difference_of(leaky, fair) for fair, leaky, _ in pairs]
    corrected = iter(holm([one.p for one in differences if one]))
    return [Leak(*pair, one, next(corrected) if one else None) for pair, one in zip(pairs, differences, strict=True)]


def validation_pairs(entries: Iterable[RunEntry]) -> list[tuple[RunEntry, RunEntry]]:
    """Pair each run validated on new speakers with the same run validated on random clips of training speakers."""
    fair = [entry for entry in entries if entry.is_fair and entry.row["validation_uar"] is not None]
    return [
        (strict, loose)
        for strict in fair
        for loose in fair
        if (strict.row["validation"], loose.row["validation"]) == ("speakers", "random")
        and group_of(strict.row) == group_of(loose.row)
        and _is_same_fit(strict, loose)
        and _digest(strict) == _digest(loose)
    ]


def not_comparable(entries: Sequence[RunEntry]) -> list[RunEntry]:
    """Return the runs that no other run can be compared with, because none was tested on the same utterances."""
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
    sealed = [entry for entry in members if entry.is_sealed]
    complete = [entry for entry in sealed if entry.row["complete"] and entry.row["validation_uar"] is not None]
    if complete and not members[0].is_fair:
        return leader(complete), BY_VALIDATION_LEAKY
    return (sealed or members)[0], BY_ORDER if len(sealed) == len(members) else BY_ORDER_UNSEALED


def leader(entries: Sequence[RunEntry]) -> RunEntry:
    """Return the run with the highest validation UAR; of several equal ones, the first by name."""
    return min(entries, key=lambda entry: (-entry.row["validation_uar"], entry.name))


def _is_twin(fair: RunEntry, leaky: RunEntry) -> bool:
    """Whether two runs differ only in the leak. Runs across corpora must be tested on the same utterances too."""
    if not fair.is_fair or fair.row["protocol"] == UNSEEN_CORPUS or not _is_same_fit(fair, leaky):
        return False
    return _is_fair_on_same(fair, leaky) or not is_across(fair.row)


def _is_fair_on_same(fair: RunEntry, leaky: RunEntry) -> bool:
    return fair.is_fair and _digest(fair) is not None and _digest(fair) == _digest(leaky)


def _is_same_fit(one: RunEntry, other: RunEntry) -> bool:
    a, b = one.row, other.row
    return bool(a["fitted"] == b["fitted"] and a.get("train_speakers") == b.get("train_speakers"))


def _digest(entry: RunEntry) -> str | None:
    return entry.answers.digest if entry.answers else None
