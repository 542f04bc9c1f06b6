"""The leakage guard: it proves that a split, a model file or an ensemble shares nothing with what it is tested on.

Names of speakers that differ by case, surrounding spaces or the coding of accents alone count as one speaker's: two
people so named are rarer than one person whose name was typed twice.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass

from serkit.data.manifest import Manifest
from serkit.data.name_spelling import spelling_key
from serkit.errors import LeakageError
from serkit.lab.splits.folds import Fold, Split
from serkit.types import Utterance

_OVERLAPPING = "; leave out one of two utterances of a file whose times overlap, or keep them in one part"
_ROUNDING_S = 1e-6  # a start and a duration do not add up to the next start exactly; one audio sample is longer


@dataclass(frozen=True)
class Shared:
    """Test utterances, of all folds and draws, that share something with their training or validation side.

    Attributes:
        test_utterances: All of them, an utterance that is tested twice counted twice.
        shared_speakers: Whose speaker is there too.
        identical_recordings: Whose audio is there too, whole or in part.
        shared_sentences: Whose sentence is there too: no leak, but a model may know the words.
    """

    test_utterances: int
    shared_speakers: int
    identical_recordings: int
    shared_sentences: int

    def as_json(self) -> dict[str, int]:
        """Return what ``metrics.json`` has of it."""
        return asdict(self)


def recordings(utterances: Iterable[Utterance], digests: Mapping[str, str]) -> dict[str, str]:
    """Find which utterances are of one recording: their audio is identical, or they are overlapping parts of one file.

    Both lead on from one utterance to the next: the parts of a file from 0 to 2 s, 1 to 3 s and 2 to 4 s are one
    recording. Parts that only touch are two.

    Args:
        utterances: In any order.
        digests: Utterance id to the digest of its decoded audio.

    Returns:
        Utterance id to the name of its recording, which is the first of its utterances' ids.
    """
    groups: dict[object, list[str]] = defaultdict(list)
    files: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
    for u in utterances:
        groups[digests[u.id]].append(u.id)
        files[u.corpus, u.path].append(u)
    for file, parts in files.items():
        latest, run = -math.inf, -1  # the end of what is heard so far, and how many stretches without overlap there are
        for u in sorted(parts, key=lambda u: u.start or 0.0):
            run += (u.start or 0.0) >= latest - _ROUNDING_S
            latest = max(latest, math.inf if u.end is None else u.end)
            groups[file, run].append(u.id)
    return _joined(groups.values())


def count_shared(split: Split, manifest: Manifest, digests: Mapping[str, str]) -> Shared:
    """Count what the test sides of a split share with their training sides.

    Args:
        split: The folds.
        manifest: Their utterances.
        digests: Utterance id to the digest of its decoded audio.
    """
    known = {u.id: u for u in manifest}
    speaker_of = {u.id: spelling_key(u.speaker) for u in manifest}
    recording_of = recordings(manifest, digests)
    tested = speakers = shared = sentences = 0
    for fold in split.folds:
        seen = [known[i] for i in (*fold.train, *fold.validation)]
        seen_speakers = {speaker_of[u.id] for u in seen}
        seen_recordings = {recording_of[u.id] for u in seen}
        seen_sentences = {(u.corpus, u.sentence) for u in seen if u.sentence}
        tested += len(fold.test)
        speakers += sum(speaker_of[i] in seen_speakers for i in fold.test)
        shared += sum(recording_of[i] in seen_recordings for i in fold.test)
        sentences += sum((known[i].corpus, known[i].sentence) in seen_sentences for i in fold.test)
    return Shared(tested, speakers, shared, sentences)


def check_leakage(split: Split, manifest: Manifest, digests: Mapping[str, str]) -> None:
    """Prove that no fold shares utterances, speakers or audio between its parts.

    Raises:
        LeakageError: With the fold, how many are shared, and the first of them.
    """
    speaker_of = {u.id: u.speaker for u in manifest}
    recording_of = recordings(manifest, digests)
    for fold in split.folds:
        seen = {*fold.train, *fold.validation}
        _refuse(fold, "utterances", seen & set(fold.test), "training and test")
        _refuse(fold, "utterances", set(fold.train) & set(fold.validation), "training and validation")
        parts = {name: getattr(fold, name) for name in ("train", "validation", "test")}
        speakers = {name: {speaker_of[i] for i in ids} for name, ids in parts.items()}
        if split.is_speaker_independent:
            seen_speakers = speakers["train"] | speakers["validation"]
            _refuse(fold, "speakers", seen_speakers & speakers["test"], "training and test")
            _refuse_alike(fold, seen_speakers, speakers["test"], "training and test")
            if split.validation == "speakers":
                _refuse(fold, "speakers", speakers["train"] & speakers["validation"], "training and validation")
                _refuse_alike(fold, speakers["train"], speakers["validation"], "training and validation")
        for what, of, advice in (("identical", digests, ""), ("overlapping", recording_of, _OVERLAPPING)):
            audio = {name: {of[i] for i in ids} for name, ids in parts.items()}
            shared = (audio["train"] | audio["validation"]) & audio["test"]
            _refuse(fold, f"{what} recordings", shared, "training and test", advice)
            shared = audio["train"] & audio["validation"]
            _refuse(fold, f"{what} recordings", shared, "training and validation", advice)


def check_unseen(seen_speakers: Collection[str], test_speakers: Collection[str], what: str = "the model") -> None:
    """Refuse to score a model, or a member of an ensemble, on speakers that it has seen.

    Args:
        seen_speakers: Of its training and validation sets.
        test_speakers: That it is to be scored on.
        what: Names it in the message.

    Raises:
        LeakageError: If they share a speaker.
    """
    seen = {spelling_key(name) for name in seen_speakers}
    shared = sorted({name for name in test_speakers if spelling_key(name) in seen})
    if shared:
        raise LeakageError(
            f"{what} was fitted on {len(shared)} of the test speakers ({', '.join(shared[:3])}"
            f"{', ...' if len(shared) > 3 else ''}): its score there would say nothing."
        )


def check_ensemble(members: Mapping[str, Collection[str]], test_speakers: Collection[str]) -> None:
    """Refuse to score an ensemble on a speaker that any of its members has seen.

    Args:
        members: Member name to the speakers of its training and validation sets.
        test_speakers: That the ensemble is to be scored on.

    Raises:
        LeakageError: Naming the first such member.
    """
    for name, seen in members.items():
        check_unseen(seen, test_speakers, what=f"ensemble member {name!r}")


def _joined(groups: Iterable[list[str]]) -> dict[str, str]:
    """Join groups that share an id, directly or through others: id to the first id of all that are joined to it."""
    above: dict[str, str] = {}

    def top(name: str) -> str:
        while (higher := above.setdefault(name, name)) != name:
            above[name] = above[higher]  # halves the way for the next one
            name = higher
        return name

    for first, *others in groups:
        for other in (first, *others):
            one, two = sorted((top(first), top(other)))
            above[two] = one
    return {name: top(name) for name in list(above)}


def _refuse(fold: Fold, what: str, shared: Iterable[str], sides: str, advice: str = "") -> None:
    names = sorted(shared)
    if names:
        raise LeakageError(
            f"fold {fold.fold}: {len(names)} {what} stand in both {sides}, the first is {names[0]!r}{advice}."
        )


def _refuse_alike(fold: Fold, seen: Iterable[str], other: Iterable[str], sides: str) -> None:
    """Refuse one speaker under two spellings."""
    spelling = {spelling_key(name): name for name in sorted(seen)}
    for name in sorted(other):
        if found := spelling.get(spelling_key(name)):
            raise LeakageError(
                f"fold {fold.fold}: {found!r} and {name!r} stand in {sides} and differ by case or spaces alone: give "
                "one person one name, or two people names that differ more."
            )
