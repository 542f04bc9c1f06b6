"""Protocols: how speakers are divided into training, validation and test, and the leakage guard.

No speaker stands on both sides of a split, and identical audio always stays on one side. A random split
exists only where its recipe says ``speaker_dependent: true``, which lifts the speaker rule alone.
Validation speakers are taken from the training side. Nothing here needs torch.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serkit.errors import LeakageError, ProtocolError, nearest
from serkit.lab.recipe import Protocol
from serkit.manifest import Manifest
from serkit.types import Utterance

_INSTEAD = "set validation: sentences, or validation: none with the epochs fixed beforehand."


@dataclass(frozen=True)
class Fold:
    """Utterance ids, sorted, of the three parts of one fold."""

    fold: int
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """All folds of a protocol, and what can be said of it.

    Attributes:
        protocol: Its name.
        is_speaker_independent: Whether no test speaker is ever trained on.
        validation: What validation was taken from: ``speakers``, ``sentences``, ``random`` or ``none``.
        folds: In order.
    """

    protocol: str
    is_speaker_independent: bool
    validation: str
    folds: tuple[Fold, ...]

    @property
    def digest(self) -> str:
        """SHA-256 over all ids of all folds."""
        text = json.dumps([[f.train, f.validation, f.test] for f in self.folds])
        return hashlib.sha256(text.encode()).hexdigest()


def make_split(manifest: Manifest, protocol: Protocol, digests: Mapping[str, str]) -> Split:
    """Divide utterances by a protocol, and prove that nothing leaks.

    Args:
        manifest: The utterances.
        protocol: From a recipe.
        digests: Utterance id to the digest of its decoded audio.

    Raises:
        ProtocolError: If the speakers do not suffice.
        LeakageError: If a speaker or identical audio would stand on both sides.
    """
    if protocol.name == "random":
        folds = _random_folds(manifest, protocol, digests)
        split = Split("random", False, "random", folds)
    else:
        groups = _test_groups(manifest, protocol)
        folds = tuple(_speaker_fold(manifest, protocol, k, set(group)) for k, group in enumerate(groups))
        split = Split(protocol.name, True, protocol.validation, folds)
    check_leakage(split, manifest, digests)
    return split


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


def hold_out_validation(manifest: Manifest, protocol: Protocol, *, fold: int = 0) -> tuple[list[str], list[str]]:
    """Divide the training side of a fold.

    Returns:
        Ids for training, and ids for validation (none for ``validation: none``).

    Raises:
        ProtocolError: If there are too few speakers or sentences for it.
    """
    if protocol.validation == "none":
        return [u.id for u in manifest], []
    rng = np.random.default_rng([protocol.seed, fold])
    if protocol.validation == "sentences":
        held_out = _validation_sentences(manifest, rng)
        chosen = {u.id for u in manifest if u.sentence in held_out}
    else:
        speakers = _validation_speakers(manifest, protocol.validation_speakers, rng)
        chosen = {u.id for u in manifest if u.speaker in speakers}
    return [u.id for u in manifest if u.id not in chosen], sorted(chosen)


def rotate_validation(manifest: Manifest, protocol: Protocol, fold: Fold, parts: int) -> list[Fold]:
    """Divide the training side of a fold by speakers, and let each part be validation once.

    Args:
        manifest: All utterances of the experiment.
        protocol: Its seed draws the parts.
        fold: Training and validation are put together; the test side stays as it is.
        parts: How many.

    Raises:
        ProtocolError: If there are fewer speakers than parts.
    """
    side = manifest.subset((*fold.train, *fold.validation))
    if parts > len(side.speakers):
        raise ProtocolError(f"{parts} inner folds need as many training speakers, and there are {len(side.speakers)}.")
    groups = _balanced_groups(side, protocol.model_copy(update={"folds": parts}))
    speaker_of = {u.id: u.speaker for u in side}
    return [
        Fold(
            fold.fold,
            tuple(sorted(i for i, speaker in speaker_of.items() if speaker not in group)),
            tuple(sorted(i for i, speaker in speaker_of.items() if speaker in group)),
            fold.test,
        )
        for group in groups
    ]


def folds_as_json(split: Split, manifest: Manifest) -> list[dict[str, Any]]:
    """Return the content of ``folds.json``: per fold and part its utterances and speakers."""
    speaker_of = {u.id: u.speaker for u in manifest}

    def part(ids: Sequence[str]) -> dict[str, list[str]]:
        return {"speakers": sorted({speaker_of[i] for i in ids}), "utterances": list(ids)}

    return [
        {"fold": f.fold, "train": part(f.train), "validation": part(f.validation), "test": part(f.test)}
        for f in split.folds
    ]


def _refuse(fold: Fold, what: str, shared: Iterable[str], sides: str) -> None:
    names = sorted(shared)
    if names:
        raise LeakageError(f"fold {fold.fold}: {len(names)} {what} stand in both {sides}, the first is {names[0]!r}.")


def _test_groups(manifest: Manifest, protocol: Protocol) -> list[list[str]]:
    """Return the test speakers of each fold."""
    speakers = list(manifest.speakers)
    if protocol.name == "fixed_test_speakers":
        for speaker in protocol.test_speakers:
            if speaker not in speakers:
                raise ProtocolError(f"no speaker {speaker!r} to test on{nearest(speaker, speakers) or '.'}")
        if set(protocol.test_speakers) == set(speakers):
            raise ProtocolError("every speaker is a test speaker: nobody is left to train on.")
        return [list(protocol.test_speakers)]
    if len(speakers) < 2:
        raise ProtocolError(f"{protocol.name} needs two speakers or more, and there is {len(speakers)}.")
    if protocol.name == "leave_one_speaker_out":
        return [[speaker] for speaker in speakers]
    if protocol.folds > len(speakers):
        raise ProtocolError(f"{protocol.folds} folds need as many speakers, and there are {len(speakers)}.")
    if protocol.order == "consecutive":
        return [list(group) for group in np.array_split(np.array(speakers), protocol.folds)]
    return _balanced_groups(manifest, protocol)


def _balanced_groups(manifest: Manifest, protocol: Protocol) -> list[list[str]]:
    """Spread speakers so that folds are alike in corpus, then sex, then utterances."""
    rng = np.random.default_rng(protocol.seed)
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    counts: dict[str, int] = defaultdict(int)
    for u in manifest:
        if u.speaker not in counts:
            strata[u.corpus, u.sex].append(u.speaker)
        counts[u.speaker] += 1
    groups: list[list[str]] = [[] for _ in range(protocol.folds)]
    load: dict[tuple[int, str], int] = defaultdict(int)  # utterances of a corpus in a fold
    for corpus, sex in sorted(strata):
        members = sorted(strata[corpus, sex])
        rng.shuffle(members)
        taken: dict[int, int] = defaultdict(int)
        for speaker in members:
            k = min(range(protocol.folds), key=lambda k: (taken[k], load[k, corpus], len(groups[k])))
            groups[k].append(speaker)
            taken[k] += 1
            load[k, corpus] += counts[speaker]
    return groups


def _speaker_fold(manifest: Manifest, protocol: Protocol, k: int, test_speakers: set[str]) -> Fold:
    test = [u.id for u in manifest if u.speaker in test_speakers]
    train, validation = hold_out_validation(manifest.filter(lambda u: u.speaker not in test_speakers), protocol, fold=k)
    return Fold(k, tuple(sorted(train)), tuple(sorted(validation)), tuple(sorted(test)))


def _validation_speakers(manifest: Manifest, wanted: int | None, rng: np.random.Generator) -> set[str]:
    """Draw speakers of each corpus, sexes in turn."""
    chosen: set[str] = set()
    for corpus in manifest.corpora:
        of_corpus = manifest.filter(lambda u, corpus=corpus: u.corpus == corpus)  # type: ignore[misc]
        sex_of = {u.speaker: u.sex for u in of_corpus}
        count = wanted or max(1, round(len(sex_of) / 8))
        if len(sex_of) <= count:
            if len(manifest.corpora) > 1 and wanted is None:
                continue  # a corpus of one speaker is trained on whole; the others give validation speakers
            raise ProtocolError(
                f"{corpus} has {len(sex_of)} training speakers, too few to hold out {count} for validation: {_INSTEAD}"
            )
        by_sex: dict[str, list[str]] = defaultdict(list)
        for speaker in rng.permutation(sorted(sex_of)):
            by_sex[sex_of[speaker]].append(str(speaker))
        sexes = [str(sex) for sex in rng.permutation(sorted(by_sex))]
        in_turn = [by_sex[sex][i] for i in range(len(sex_of)) for sex in sexes if i < len(by_sex[sex])]
        chosen.update(in_turn[:count])
    if not chosen:
        raise ProtocolError(f"each corpus has one training speaker, too few to hold out 1 for validation: {_INSTEAD}")
    return chosen


def _validation_sentences(manifest: Manifest, rng: np.random.Generator) -> set[str]:
    sentences = sorted({u.sentence for u in manifest} - {""})
    if len(sentences) < 2:
        raise ProtocolError("validation: sentences needs two known sentences or more among the training utterances.")
    return {str(s) for s in rng.permutation(sentences)[: max(1, len(sentences) // 8)]}


def _random_folds(manifest: Manifest, protocol: Protocol, digests: Mapping[str, str]) -> tuple[Fold, ...]:
    """Deal utterances, class by class, to folds; identical audio goes together."""
    rng = np.random.default_rng(protocol.seed)
    part = _deal(list(manifest), protocol.folds, digests, rng)
    folds = []
    for k in range(protocol.folds):
        rest = [u for u in manifest if part[u.id] != k]
        inner = _deal(rest, 10, digests, rng)  # a tenth of the training side for validation
        folds.append(
            Fold(
                k,
                tuple(sorted(u.id for u in rest if inner[u.id] != 0)),
                tuple(sorted(u.id for u in rest if inner[u.id] == 0)),
                tuple(sorted(i for i, fold in part.items() if fold == k)),
            )
        )
    if not all(fold.train and fold.validation and fold.test for fold in folds):
        raise ProtocolError(f"{len(manifest)} utterances are too few for {protocol.folds} random folds.")
    return tuple(folds)


def _deal(
    utterances: list[Utterance], parts: int, digests: Mapping[str, str], rng: np.random.Generator
) -> dict[str, int]:
    recordings: dict[str, list[str]] = defaultdict(list)
    emotion_of: dict[str, str] = {}
    for u in sorted(utterances, key=lambda u: u.id):
        recordings[digests[u.id]].append(u.id)
        emotion_of.setdefault(digests[u.id], u.emotion)
    keys = sorted(recordings, key=lambda d: recordings[d][0])
    order = sorted(rng.permutation(len(keys)), key=lambda i: emotion_of[keys[i]])  # shuffled within each class
    return {i: place % parts for place, k in enumerate(order) for i in recordings[keys[k]]}
