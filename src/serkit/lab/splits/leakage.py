"""Checks for leaks: refuses splits, model files and ensembles whose test speakers or recordings were trained on.

Speaker names that are spelled alike (:func:`serkit.data.name_spelling.spelling_key`) count as one speaker: one person
whose name was typed in two ways is more common than two people with such names.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass

from serkit.data.manifest import Manifest
from serkit.data.name_spelling import names_spelled_alike, spelling_key
from serkit.errors import LeakageError
from serkit.lab.splits.folds import Fold, Split
from serkit.types import Utterance
from serkit.visible_text import side_by_side

_ONE_NAME = "give one person one name, or two people names that differ more"
_OVERLAPPING = "; leave out one of two overlapping utterances of a file, or keep both in one part"
_ROUNDING_S = 1e-6  # start plus duration differs from the next start by rounding; one audio sample is longer


@dataclass(frozen=True)
class Shared:
    """Numbers of test utterances that share something with the training or validation part of their fold.

    Attributes:
        test_utterances: Number of test utterances in all folds and draws; one that is tested twice counts twice.
        shared_speakers: Number whose speaker is also in training or validation.
        identical_recordings: Number whose audio, or part of it, is also in training or validation.
        shared_sentences: Number whose sentence is also in training or validation. This is not a leak, but the model
            may know the words.
    """

    test_utterances: int
    shared_speakers: int
    identical_recordings: int
    shared_sentences: int

    def as_json(self) -> dict[str, int]:
        """Return the entry ``guard`` of ``metrics.json``."""
        return asdict(self)


def recordings(utterances: Iterable[Utterance], digests: Mapping[str, str]) -> dict[str, str]:
    """Group utterances by recording: those with identical audio, and overlapping parts of one file.

    Groups are transitive: the parts of a file from 0 to 2 s, 1 to 3 s and 2 to 4 s are one recording. Parts that only
    touch are two recordings.

    Args:
        utterances: Utterances in any order.
        digests: Digest of the decoded audio, by utterance id.

    Returns:
        Name of the recording by utterance id; a recording is named by the first of its utterances' ids.
    """
    groups: dict[object, list[str]] = defaultdict(list)
    files: dict[tuple[str, str], list[Utterance]] = defaultdict(list)
    for u in utterances:
        groups[digests[u.id]].append(u.id)
        files[u.corpus, u.path].append(u)
    for file, parts in files.items():
        latest, run = -math.inf, -1  # end of the audio so far, and number of the current stretch
        for u in sorted(parts, key=lambda u: u.start or 0.0):
            run += (u.start or 0.0) >= latest - _ROUNDING_S
            latest = max(latest, math.inf if u.end is None else u.end)
            groups[file, run].append(u.id)
    return _joined(groups.values())


def count_shared(split: Split, manifest: Manifest, digests: Mapping[str, str]) -> Shared:
    """Count the test utterances of a split that share speakers, recordings or sentences with their training side.

    Args:
        split: Folds to check.
        manifest: Utterances of the folds.
        digests: Digest of the decoded audio, by utterance id.
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
    """Check that no fold shares utterances, speakers or audio between its parts.

    Speakers are checked for speaker-independent splits only.

    Raises:
        LeakageError: If a fold does; the message has the fold, the number of shared items and the first of them.
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


def check_names(speakers: Iterable[str]) -> None:
    """Check that no two speakers of an experiment have names that are one name to a reader, whatever the split is.

    Raises:
        LeakageError: If two are; the message shows both and what tells them apart.
    """
    if groups := names_spelled_alike(speakers):
        more = f", and {sum(map(len, groups[1:]))} other names are alike too" if groups[1:] else ""
        raise LeakageError(
            f"the speakers {' and '.join(side_by_side(groups[0]))} are one name to a reader{more}: {_ONE_NAME}."
        )


def check_unseen(seen_speakers: Collection[str], test_speakers: Collection[str], what: str = "the model") -> None:
    """Check that a model, or a member of an ensemble, is not tested on speakers that it was fitted on.

    Args:
        seen_speakers: Speakers of its training and validation parts.
        test_speakers: Speakers it is tested on.
        what: Name of the model in the message.

    Raises:
        LeakageError: If a test speaker was seen.
    """
    names, seen = frozenset(seen_speakers), {spelling_key(name): name for name in sorted(seen_speakers)}
    shared = sorted({name for name in test_speakers if spelling_key(name) in seen})
    if shared:
        first = (name if name in names else _both(seen[spelling_key(name)], name) for name in shared[:3])
        raise LeakageError(
            f"{what} was fitted on {len(shared)} of the test speakers ({', '.join(first)}"
            f"{', ...' if len(shared) > 3 else ''}): test it on other speakers."
        )


def check_ensemble(members: Mapping[str, Collection[str]], test_speakers: Collection[str]) -> None:
    """Check that an ensemble is not tested on speakers that one of its members was fitted on.

    Args:
        members: Speakers of the training and validation parts of each member, by its name.
        test_speakers: Speakers the ensemble is tested on.

    Raises:
        LeakageError: If a member has seen a test speaker; the message names the first such member.
    """
    for name, seen in members.items():
        check_unseen(seen, test_speakers, what=f"ensemble member {name!r}")


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


def _refuse(fold: Fold, what: str, shared: Iterable[str], sides: str, advice: str = "") -> None:
    names = sorted(shared)
    if names:
        raise LeakageError(
            f"fold {fold.fold}: {len(names)} {what} are in both {sides}, the first is {names[0]!r}{advice}."
        )


def _refuse_alike(fold: Fold, seen: Iterable[str], other: Iterable[str], sides: str) -> None:
    """Refuse a speaker who is in both sides under two spellings."""
    spelling = {spelling_key(name): name for name in sorted(seen)}
    for name in sorted(other):
        if found := spelling.get(spelling_key(name)):
            one, two = side_by_side((found, name))
            raise LeakageError(
                f"fold {fold.fold}: the speakers {one} in one and {two} in the other of {sides} are one name to a "
                f"reader: {_ONE_NAME}."
            )


def _both(seen: str, name: str) -> str:
    """Return a test speaker beside the differently spelled name that was seen."""
    one, two = side_by_side((seen, name))
    return f"{two}, seen as {one}"
