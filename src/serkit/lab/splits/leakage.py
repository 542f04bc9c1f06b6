"""Checks for leaks: refuses splits, model files and ensembles whose test speakers or recordings were trained on.

Speaker names that are spelled alike (:func:`serkit.data.name_spelling.spelling_key`) count as one speaker: one person
whose name was typed in two ways is more common than two people with such names.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass

from serkit.data.manifest import Manifest
from serkit.data.name_spelling import names_spelled_alike, spelling_key
from serkit.data.near_duplicates import NearDuplicate
from serkit.data.speaker_column import UNKNOWN
from serkit.errors import LeakageError
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.recording_groups import Sounds, recordings
from serkit.visible_text import side_by_side

_ONE_NAME = "give one person one name, or two people names that differ more"
_OVERLAPPING = "; leave out one of two overlapping utterances of a file, or keep both in one part"


@dataclass(frozen=True)
class Shared:
    """Numbers of test utterances that share something with the training or validation part of their fold.

    Attributes:
        test_utterances: Number of test utterances in all folds and draws; one that is tested twice counts twice.
        shared_speakers: Number whose speaker is also in training or validation.
        identical_recordings: Number whose recording, or part of it, is also in training or validation.
        shared_sentences: Number whose sentence is also in training or validation. This is not a leak, but the model
            may know the words.
        are_fingerprints_compared: Whether recordings were also compared by acoustic fingerprints.
    """

    test_utterances: int
    shared_speakers: int
    identical_recordings: int
    shared_sentences: int
    are_fingerprints_compared: bool = False

    def as_json(self) -> dict[str, int]:
        """Return the entry ``guard`` of ``metrics.json``."""
        return asdict(self)


def count_shared(split: Split, manifest: Manifest, sounds: Sounds) -> Shared:
    """Count the test utterances of a split that share speakers, recordings or sentences with their training side.

    Args:
        split: Folds to check.
        manifest: Utterances of the folds.
        sounds: What is known about the sound of the utterances.
    """
    known = {u.id: u for u in manifest}
    speaker_of = {u.id: spelling_key(u.speaker) for u in manifest}
    recording_of = recordings(manifest, sounds)
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
    return Shared(tested, speakers, shared, sentences, sounds.near is not None)


def check_leakage(split: Split, manifest: Manifest, sounds: Sounds) -> None:
    """Check that no fold shares utterances, speakers or audio between its parts.

    Speakers are checked for speaker-independent splits only.

    Raises:
        LeakageError: If a fold does; the message has the fold, the number of shared items and the first of them.
    """
    speaker_of = {u.id: u.speaker for u in manifest}
    recording_of = recordings(manifest, sounds)
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
            _refuse_nameless(fold, seen_speakers, speakers["test"], "training and test")
            if split.validation == "speakers":
                _refuse(fold, "speakers", speakers["train"] & speakers["validation"], "training and validation")
                _refuse_alike(fold, speakers["train"], speakers["validation"], "training and validation")
                _refuse_nameless(fold, speakers["train"], speakers["validation"], "training and validation")
        _check_recordings(fold, parts, sounds, recording_of)


def _check_recordings(
    fold: Fold, parts: Mapping[str, Collection[str]], sounds: Sounds, recording_of: Mapping[str, str]
) -> None:
    """Check that no recording is in two parts of a fold: identical audio first, then near-duplicates and overlaps."""
    seen = {*parts["train"], *parts["validation"]}
    for names, one, other in (
        ("training and test", seen, parts["test"]),
        ("training and validation", parts["train"], parts["validation"]),
    ):
        identical, overlapping = (
            {of[i] for i in one} & {of[i] for i in other} for of in (sounds.digests, recording_of)
        )
        if identical:
            ours, theirs = ({sounds.digests[i]: i for i in sorted(ids, reverse=True)} for ids in (one, other))
            twice = [ours[digest] for digest in identical]
            copy = theirs[sounds.digests[min(twice)]]
            _refuse(fold, "identical recordings", twice, names, _copied(copy))
        if overlapping and (pair := sounds.pair_of(one, other)):
            raise LeakageError(f"fold {fold.fold}: {_described(pair, len(overlapping), names)}")
        _refuse(fold, "overlapping recordings", overlapping, names, _OVERLAPPING)


def _copied(other: str) -> str:
    return f": it has the same audio as {other!r}; leave one of them out"


def _described(pair: NearDuplicate, count: int, sides: str) -> str:
    what = "one recording is" if count == 1 else f"{count} recordings are"
    return (
        f"{what} in both {sides} under different names: {pair.first!r} and {pair.second!r} share {pair.overlap:.1f} s "
        f"(similarity {pair.similarity:.2f}). See 'serkit corpora check', and leave one of two such utterances out."
    )


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


def check_unseen(
    seen_speakers: Collection[str],
    test_speakers: Collection[str],
    what: str = "the model",
    *,
    use: str = "test",
) -> None:
    """Check that a model, or a member of an ensemble, is not tested on speakers that it was fitted on.

    Args:
        seen_speakers: Speakers of its training and validation parts.
        test_speakers: Speakers it is tested on.
        what: Name of the model in the message.
        use: What the speakers are used for, in the message.

    Raises:
        LeakageError: If a test speaker was seen.
    """
    names, seen = frozenset(seen_speakers), {spelling_key(name): name for name in sorted(seen_speakers)}
    shared = sorted({name for name in test_speakers if spelling_key(name) in seen})
    if shared:
        first = (name if name in names else _both(seen[spelling_key(name)], name) for name in shared[:3])
        raise LeakageError(
            f"{what} was fitted on {len(shared)} of the {use} speakers ({', '.join(first)}"
            f"{', ...' if len(shared) > 3 else ''}): test it on other speakers."
        )
    if nameless := nameless_speaker(seen_speakers, test_speakers):
        raise LeakageError(
            f"{what} was fitted on speakers of the same corpus as the {use} speakers, and {nameless!r} stands for all "
            "of its speakers without a name, who may be the same people: test it on another corpus."
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


def nameless_speaker(seen: Collection[str], test: Collection[str]) -> str:
    """Return the speaker that stands for all without a name, where named ones of its corpus are on the other side.

    They may be the same people. Empty where there is no such speaker.
    """
    for one, other in ((seen, test), (test, seen)):
        for speaker in sorted(one):
            corpus, _, name = speaker.partition("/")
            if name == UNKNOWN and any(s != speaker and s.startswith(f"{corpus}/") for s in other):
                return speaker
    return ""


def without_nameless(manifest: Manifest) -> tuple[Manifest, dict[str, int]]:
    """Leave out the speaker that stands for all without a name, in corpora that have named speakers too.

    Returns:
        The manifest, and the number of utterances that were left out, by the name of that speaker.
    """
    speakers = Counter(u.speaker for u in manifest)
    nameless = [name for name in speakers if name.endswith(f"/{UNKNOWN}") and nameless_speaker([name], speakers)]
    gone = {name: speakers[name] for name in nameless}
    return (manifest.filter(lambda u: u.speaker not in gone), gone) if gone else (manifest, {})


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


def _refuse_nameless(fold: Fold, seen: Collection[str], other: Collection[str], sides: str) -> None:
    """Refuse to count speakers without a name as others than the named speakers of their corpus."""
    if name := nameless_speaker(seen, other):
        raise LeakageError(
            f"fold {fold.fold}: {name!r} stands for all speakers without a name, who may be among the named ones that "
            f"are on the other side of {sides}; leave its utterances out."
        )


def _both(seen: str, name: str) -> str:
    """Return a test speaker beside the differently spelled name that was seen."""
    one, two = side_by_side((seen, name))
    return f"{two}, seen as {one}"
