"""What the card of a model takes over from the cards of its encoders: who and what they were trained on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

from serkit.card import Card
from serkit.data.corpora import corpus_of

_PUBLIC_DOMAIN = "CC0-1.0"


def inherit(card: Card, encoders: Mapping[str, Card | None]) -> Card:
    """Return the card of a model with the speakers, corpora, languages and licenses of its encoders.

    Everybody whom an encoder was trained or validated on counts as a training speaker of the model. Each license is
    named once, and public domain only if there is no other.

    Args:
        card: Card of the model as if its encoders had been random.
        encoders: Card of each encoder by name; None for an encoder without a card, whose license is unknown here.
    """
    known = [one for one in encoders.values() if one]
    trained = set(card.train_speakers).union(*(one.seen_speakers for one in known))
    licenses = dict.fromkeys(chain.from_iterable(one.license.split(" AND ") for one in (card, *known)))
    if len(licenses) > 1:
        licenses.pop(_PUBLIC_DOMAIN, None)  # it adds no condition to the other licenses
    unknown = [f"that of {name}, not known here" for name, one in encoders.items() if not one]
    corpora = {corpus["name"]: corpus for corpus in card.corpora}
    heard = card.seen_speakers
    for one in known:
        for corpus in one.corpora:
            name = corpus["name"]
            corpora[name] = _united(corpora.get(name), corpus, heard, one.seen_speakers)
        heard |= one.seen_speakers
    return replace(
        card,
        corpora=tuple(corpora.values()),
        languages=tuple(sorted({language for one in (card, *known) for language in one.languages})),
        train_speakers=tuple(sorted(trained)),
        validation_speakers=tuple(name for name in card.validation_speakers if name not in trained),
        license=" AND ".join([*licenses, *unknown]),
        is_commercial_use_allowed=not unknown and all(one.is_commercial_use_allowed for one in (card, *known)),
        is_sharing_allowed=not unknown and all(one.is_sharing_allowed for one in (card, *known)),
        fingerprints=_fingerprints((card, *known)),
    )


def _fingerprints(cards: Sequence[Card]) -> dict[str, tuple[str, ...]]:
    """Return the fingerprints of all cards by speaker, each once."""
    found: dict[str, dict[str, None]] = {}
    for card in cards:
        for speaker, codes in card.fingerprints.items():
            found.setdefault(speaker, {}).update(dict.fromkeys(codes))
    return {speaker: tuple(codes) for speaker, codes in found.items()}


def _united(
    ours: Mapping[str, Any] | None,
    theirs: Mapping[str, Any],
    our_speakers: Collection[str],
    their_speakers: Collection[str],
) -> Mapping[str, Any]:
    """Return what is said about a corpus, of which the model and an encoder may have heard different parts.

    Cards list no utterances. Those of the same speakers are taken to be the same, so the count is a lower bound.
    """
    if ours is None:
        return theirs
    voices = corpus_of(theirs["name"]).voices_of or theirs["name"]
    one, other = ({s for s in some if s.startswith(f"{voices}/")} for some in (our_speakers, their_speakers))
    counts = [corpus.get("utterances", 0) for corpus in (ours, theirs)]
    return {**theirs, **ours, "speakers": len(one | other), "utterances": max(counts) if one & other else sum(counts)}
