"""The leakage guard: it proves that a split, a model file or an ensemble shares nothing with what it is tested on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass

from serkit.errors import LeakageError
from serkit.lab.folds import Fold, Split
from serkit.manifest import Manifest


@dataclass(frozen=True)
class Shared:
    """Test utterances, of all folds and draws, that share something with their training or validation side.

    Attributes:
        test_utterances: All of them, an utterance that is tested twice counted twice.
        shared_speakers: Whose speaker is there too.
        identical_recordings: Whose audio is there too.
        shared_sentences: Whose sentence is there too: no leak, but a model may know the words.
    """

    test_utterances: int
    shared_speakers: int
    identical_recordings: int
    shared_sentences: int

    def as_json(self) -> dict[str, int]:
        """Return what ``metrics.json`` has of it."""
        return asdict(self)


def count_shared(split: Split, manifest: Manifest, digests: Mapping[str, str]) -> Shared:
    """Count what the test sides of a split share with their training sides.

    Args:
        split: The folds.
        manifest: Their utterances.
        digests: Utterance id to the digest of its decoded audio.
    """
    known = {u.id: u for u in manifest}
    tested = speakers = recordings = sentences = 0
    for fold in split.folds:
        seen = [known[i] for i in (*fold.train, *fold.validation)]
        seen_speakers = {u.speaker for u in seen}
        seen_audio = {digests[u.id] for u in seen}
        seen_sentences = {(u.corpus, u.sentence) for u in seen if u.sentence}
        tested += len(fold.test)
        speakers += sum(known[i].speaker in seen_speakers for i in fold.test)
        recordings += sum(digests[i] in seen_audio for i in fold.test)
        sentences += sum((known[i].corpus, known[i].sentence) in seen_sentences for i in fold.test)
    return Shared(tested, speakers, recordings, sentences)


def check_leakage(split: Split, manifest: Manifest, digests: Mapping[str, str]) -> None:
    """Prove that no fold shares utterances, speakers or identical audio between its parts.

    Raises:
        LeakageError: With the fold, how many are shared, and the first of them.
    """
    speaker_of = {u.id: u.speaker for u in manifest}
    for fold in split.folds:
        seen = {*fold.train, *fold.validation}
        _refuse(fold, "utterances", seen & set(fold.test), "training and test")
        _refuse(fold, "utterances", set(fold.train) & set(fold.validation), "training and validation")
        parts = {name: getattr(fold, name) for name in ("train", "validation", "test")}
        speakers = {name: {speaker_of[i] for i in ids} for name, ids in parts.items()}
        audio = {name: {digests[i] for i in ids} for name, ids in parts.items()}
        if split.is_speaker_independent:
            _refuse(
                fold, "speakers", (speakers["train"] | speakers["validation"]) & speakers["test"], "training and test"
            )
            if split.validation == "speakers":
                _refuse(fold, "speakers", speakers["train"] & speakers["validation"], "training and validation")
        _refuse(
            fold, "identical recordings", (audio["train"] | audio["validation"]) & audio["test"], "training and test"
        )
        _refuse(fold, "identical recordings", audio["train"] & audio["validation"], "training and validation")


def check_unseen(seen_speakers: Collection[str], test_speakers: Collection[str], what: str = "the model") -> None:
    """Refuse to score a model, or a member of an ensemble, on speakers that it has seen.

    Args:
        seen_speakers: Of its training and validation sets.
        test_speakers: That it is to be scored on.
        what: Names it in the message.

    Raises:
        LeakageError: If they share a speaker.
    """
    shared = sorted(set(seen_speakers) & set(test_speakers))
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


def _refuse(fold: Fold, what: str, shared: Iterable[str], sides: str) -> None:
    names = sorted(shared)
    if names:
        raise LeakageError(f"fold {fold.fold}: {len(names)} {what} stand in both {sides}, the first is {names[0]!r}.")
