"""Holds validation out of the training side of a fold, and limits its training speakers."""

from collections import defaultdict

import numpy as np

from serkit.data.manifest import Manifest
from serkit.errors import ProtocolError
from serkit.lab.recipes.schema import Protocol
from serkit.lab.splits.folds import Fold
from serkit.lab.splits.random_split import draw_share
from serkit.lab.splits.recording_groups import Sounds
from serkit.lab.splits.speaker_groups import balanced_groups

_INSTEAD = "set validation: sentences, or validation: none with a fixed number of epochs."


def hold_out_validation(
    manifest: Manifest,
    protocol: Protocol,
    *,
    fold: int = 0,
    draw: int = 0,
    sounds: Sounds | None = None,
) -> tuple[list[str], list[str]]:
    """Divide the training side of a fold into training and validation.

    Args:
        manifest: Utterances of the training side.
        protocol: Protocol with the kind and size of validation, and the seed.
        fold: Number of the fold, which seeds the draw too.
        draw: Number of the draw, for a protocol with several draws.
        sounds: What is known about the sound of the utterances, for ``validation: random``; by default all
            recordings count as different.

    Returns:
        Ids for training, and ids for validation (empty for ``validation: none``).

    Raises:
        ProtocolError: If there are too few speakers, sentences or utterances.
    """
    rng = np.random.default_rng([protocol.seed, fold, draw] if draw else [protocol.seed, fold])
    if protocol.validation == "none":
        chosen: set[str] = set()
    elif protocol.validation == "random":
        chosen = draw_share(manifest, protocol.validation_share, sounds or Sounds({u.id: u.id for u in manifest}), rng)
        if len(chosen) >= len(manifest):
            raise ProtocolError(f"{len(manifest)} training utterances are too few to hold out a share for validation.")
    elif protocol.validation == "sentences":
        held_out = _validation_sentences(manifest, rng)
        chosen = {u.id for u in manifest if u.sentence in held_out}
    else:
        speakers = _validation_speakers(manifest, protocol.validation_speakers, rng)
        chosen = {u.id for u in manifest if u.speaker in speakers}
    train = manifest.filter(lambda u: u.id not in chosen)
    if protocol.train_speakers is not None:
        kept = _some_speakers(train, protocol.train_speakers, rng)
        train = train.filter(lambda u: u.speaker in kept)
    return [u.id for u in train], sorted(chosen)


def rotate_validation(manifest: Manifest, protocol: Protocol, fold: Fold, parts: int) -> list[Fold]:
    """Divide the training side of a fold into groups of speakers, and validate on each group once.

    Args:
        manifest: Utterances of the experiment.
        protocol: Protocol whose seed draws the groups.
        fold: Fold whose training and validation parts are divided anew; its test part stays as it is.
        parts: Number of groups.

    Returns:
        One fold per group.

    Raises:
        ProtocolError: If there are fewer speakers than groups.
    """
    side = manifest.subset((*fold.train, *fold.validation))
    if parts > len(side.speakers):
        raise ProtocolError(f"{parts} inner folds need as many training speakers, but there are {len(side.speakers)}.")
    groups = balanced_groups(side, parts, protocol.seed)
    speaker_of = {u.id: u.speaker for u in side}
    return [
        Fold(
            fold.fold,
            tuple(sorted(i for i, speaker in speaker_of.items() if speaker not in group)),
            tuple(sorted(i for i, speaker in speaker_of.items() if speaker in group)),
            fold.test,
            fold.draw,
        )
        for group in groups
    ]


def _some_speakers(manifest: Manifest, count: int, rng: np.random.Generator) -> set[str]:
    """Draw training speakers from all corpora together."""
    speakers = manifest.speakers
    if count > len(speakers):
        raise ProtocolError(f"train_speakers: {count} is more than the {len(speakers)} speakers left to train on.")
    return {str(name) for name in rng.permutation(np.array(speakers))[:count]}


def _validation_speakers(manifest: Manifest, wanted: int | None, rng: np.random.Generator) -> set[str]:
    """Draw validation speakers from each corpus, alternating between the sexes."""
    chosen: set[str] = set()
    for corpus in manifest.corpora:
        of_corpus = manifest.filter(lambda u, corpus=corpus: u.corpus == corpus)  # type: ignore[misc]
        sex_of = {u.speaker: u.sex for u in of_corpus}
        count = wanted or max(1, round(len(sex_of) / 8))
        if len(sex_of) <= count:
            if len(manifest.corpora) > 1 and wanted is None:
                continue  # train on all of a corpus with one speaker; the others give validation speakers
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
