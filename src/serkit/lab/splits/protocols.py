"""Makes the folds of a protocol: which speakers, corpora or utterances are tested, and which are trained on.

No speaker is on both sides of a split. Identical audio, and overlapping parts of one file, always stay on one side. A
random split, or published folds that share speakers, need ``speaker_dependent: true`` in the recipe, which lifts the
rule on speakers only. Validation parts are held out of the training side, see :mod:`serkit.lab.splits.validation`.
"""

from collections.abc import Sequence

import numpy as np

from serkit.data.manifest import Manifest
from serkit.errors import LeakageError, ProtocolError, nearest
from serkit.lab.recipes.schema import Protocol
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.leakage import check_leakage, nameless_speaker
from serkit.lab.splits.published_folds import published_folds
from serkit.lab.splits.random_split import deal, draw_share
from serkit.lab.splits.recording_groups import Sounds, recordings
from serkit.lab.splits.speaker_groups import balanced_groups
from serkit.lab.splits.validation import hold_out_validation
from serkit.labels import LabelSet
from serkit.types import Utterance


def make_split(manifest: Manifest, protocol: Protocol, sounds: Sounds) -> Split:
    """Divide utterances into the folds of a protocol, and check that nothing leaks.

    Args:
        manifest: Utterances to divide.
        protocol: Protocol of a recipe.
        sounds: What is known about the sound of the utterances.

    Raises:
        ProtocolError: If there are too few speakers, sessions or corpora, or not those that the protocol names.
        LeakageError: If a speaker, or identical or overlapping audio, would be on both sides.
    """
    if protocol.name == "random":
        split = Split("random", False, "random", _random_folds(manifest, protocol, sounds))
    else:
        tests = _test_sides(manifest, protocol)
        folds = tuple(
            _fold(manifest, protocol, sounds, test=tests[k], number=k, draw=draw)
            for draw in range(protocol.draws)
            for k in range(len(tests))
        )
        is_independent = not (protocol.speaker_dependent and _share_speakers(folds, manifest))
        split = Split(protocol.name, is_independent, protocol.validation, folds)
    try:
        check_leakage(split, manifest, sounds)
    except LeakageError as error:
        if protocol.name == "published_folds" and not protocol.speaker_dependent:
            raise LeakageError(
                f"{error} Published folds that share speakers need speaker_dependent: true, which marks them."
            ) from error
        raise
    return split


SHARING_SPEAKERS = ("random", "published_folds")  # protocols whose folds may share speakers


def check_classes(split: Split, manifest: Manifest, labels: LabelSet, protocol: Protocol) -> None:
    """Check that a model tested on other corpora than it is trained on knows their classes.

    Raises:
        ProtocolError: If no training utterance has a class that is tested; or, with ``intersect: both``, no test
            utterance has a class that is trained.
    """
    if protocol.name not in ("cross_corpus", "leave_one_corpus_out"):
        return
    class_of = {u.id: labels.class_of(u.emotion) for u in manifest}
    for fold in (fold for fold in split.folds if fold.test):  # a final model has no test part
        trained, tested = ({class_of[i] for i in ids} for ids in (fold.train, fold.test))
        unknown, untested = sorted(map(str, tested - trained)), sorted(map(str, trained - tested))
        if unknown:
            raise ProtocolError(
                f"fold {fold.fold} tests on {', '.join(unknown)}, which its training corpora lack: use labels: common."
            )
        if untested and protocol.name == "cross_corpus" and protocol.intersect == "both":
            raise ProtocolError(
                f"{', '.join(untested)}: trained and never tested. Use labels: common, or intersect: test, where "
                "predictions of classes that the test corpora lack count as wrong."
            )


def _share_speakers(folds: Sequence[Fold], manifest: Manifest) -> bool:
    speaker_of = {u.id: u.speaker for u in manifest}
    sides = [({speaker_of[i] for i in (*f.train, *f.validation)}, {speaker_of[i] for i in f.test}) for f in folds]
    return any(seen & test or nameless_speaker(seen, test) for seen, test in sides)


def _fold(
    manifest: Manifest, protocol: Protocol, sounds: Sounds, *, test: frozenset[str], number: int, draw: int
) -> Fold:
    is_cross = protocol.name == "cross_corpus"
    side = manifest.filter(lambda u: u.id not in test and (not is_cross or u.corpus in protocol.train_corpora))
    if not len(side) or not test:
        what = "train on" if test else "test"
        raise ProtocolError(f"{protocol.name}: fold {number} leaves nothing to {what}.")
    train, validation = hold_out_validation(side, protocol, fold=number, draw=draw, sounds=sounds)
    return Fold(number, tuple(sorted(train)), tuple(sorted(validation)), tuple(sorted(test)), draw)


def _test_sides(manifest: Manifest, protocol: Protocol) -> list[frozenset[str]]:
    """Return the ids of the test utterances of each fold."""
    if protocol.name == "published_folds":
        return [frozenset(ids) for ids in published_folds(manifest, protocol.table)]
    if protocol.name == "cross_corpus":
        for corpus in (*protocol.train_corpora, *protocol.test_corpora):
            if corpus not in manifest.corpora:
                hint = nearest(corpus, manifest.corpora) or "."
                raise ProtocolError(f"no utterances of {corpus!r}{hint} The corpora are {_listed(manifest.corpora)}.")
        strangers = set(manifest.corpora) - {*protocol.train_corpora, *protocol.test_corpora}
        if strangers:
            raise ProtocolError(
                f"{_listed(sorted(strangers))} would be neither trained on nor tested: add them to train_corpora or "
                "test_corpora, or leave them out of corpora."
            )
        groups, key = [list(protocol.test_corpora)], _corpus
    elif protocol.name == "leave_one_corpus_out":
        groups, key = [[corpus] for corpus in _several(manifest.corpora, protocol, "corpora")], _corpus
    elif protocol.name == "leave_one_session_out":
        without = [u.id for u in manifest if not u.session]
        if without:
            raise ProtocolError(
                f"leave_one_session_out: {len(without)} utterances have no session, the first is {without[0]!r}."
            )
        sessions = sorted({_session(u) for u in manifest})
        groups, key = [[session] for session in _several(sessions, protocol, "sessions")], _session
    else:
        groups, key = _test_groups(manifest, protocol), _speaker
    return [frozenset(u.id for u in manifest if key(u) in group) for group in groups]


def _corpus(utterance: Utterance) -> str:
    return utterance.corpus


def _session(utterance: Utterance) -> str:
    return f"{utterance.corpus}/{utterance.session}"


def _speaker(utterance: Utterance) -> str:
    return utterance.speaker


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _several(found: Sequence[str], protocol: Protocol, what: str) -> Sequence[str]:
    if len(found) < 2:
        raise ProtocolError(f"{protocol.name} needs two {what} or more, but there is {len(found)}.")
    return found


def _test_groups(manifest: Manifest, protocol: Protocol) -> list[list[str]]:
    """Return the test speakers of each fold."""
    speakers = list(manifest.speakers)
    if protocol.name == "fixed_test_speakers":
        for speaker in protocol.test_speakers:
            if speaker not in speakers:
                raise ProtocolError(f"no speaker {speaker!r} to test on{nearest(speaker, speakers) or '.'}")
        if set(protocol.test_speakers) == set(speakers):
            raise ProtocolError("test_speakers are all speakers: nobody is left to train on.")
        return [list(protocol.test_speakers)]
    _several(speakers, protocol, "speakers")
    if protocol.name == "leave_one_speaker_out":
        return [[speaker] for speaker in speakers]
    if protocol.folds > len(speakers):
        raise ProtocolError(f"{protocol.folds} folds need as many speakers, but there are {len(speakers)}.")
    if protocol.order == "consecutive":
        return [list(group) for group in np.array_split(np.array(speakers), protocol.folds)]
    return balanced_groups(manifest, protocol.folds, protocol.seed)


def _random_folds(manifest: Manifest, protocol: Protocol, sounds: Sounds) -> tuple[Fold, ...]:
    """Deal utterances to folds, or draw one test part; then draw a validation part from each training side."""
    rng = np.random.default_rng(protocol.seed)
    if protocol.test_share is None:
        part = deal(manifest, protocol.folds, sounds, rng)
        tests = [{i for i, fold in part.items() if fold == k} for k in range(protocol.folds)]
    else:
        tests = [draw_share(manifest, protocol.test_share, sounds, rng)]
    folds = []
    for k, test in enumerate(tests):
        rest = [u for u in manifest if u.id not in test]
        validation = draw_share(rest, protocol.validation_share, sounds, rng)
        train = {u.id for u in rest} - validation
        folds.append(Fold(k, tuple(sorted(train)), tuple(sorted(validation)), tuple(sorted(test))))
    if not all(fold.train and fold.validation and fold.test for fold in folds):
        count = len(set(recordings(manifest, sounds).values()))
        why = f": identical and overlapping ones count as one, and leave {count}" if count < len(manifest) else ""
        raise ProtocolError(f"{len(manifest)} utterances are too few for {len(folds)} random folds{why}.")
    return tuple(folds)
