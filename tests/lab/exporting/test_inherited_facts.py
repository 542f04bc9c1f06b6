"""A card takes over whom and what the encoders were trained on, and their licenses."""

from dataclasses import replace

from serkit.lab.exporting.inherited_facts import inherit
from support.lying_models import CARD

OWN = replace(
    CARD,
    corpora=({"name": "emodb", "license": "CC0-1.0", "speakers": 2, "utterances": 100},),
    languages=("de",),
    train_speakers=("emodb/03",),
    validation_speakers=("emodb/08",),
    license="CC0-1.0",
    is_sharing_allowed=True,
)
RAVDESS = replace(
    CARD,
    corpora=({"name": "ravdess", "license": "CC-BY-NC-SA-4.0", "speakers": 2, "utterances": 60},),
    languages=("en",),
    train_speakers=("ravdess/01",),
    validation_speakers=("ravdess/02",),
    license="CC-BY-NC-SA-4.0",
    is_commercial_use_allowed=False,
)
EMODB = replace(OWN, train_speakers=("emodb/09", "emodb/10"), validation_speakers=())


def test_a_model_without_encoders_keeps_its_card() -> None:
    assert inherit(OWN, {}) == OWN


def test_whoever_an_encoder_was_trained_or_validated_on_counts_as_trained_on() -> None:
    card = inherit(OWN, {"a": RAVDESS})
    assert card.train_speakers == ("emodb/03", "ravdess/01", "ravdess/02")
    assert card.validation_speakers == ("emodb/08",)  # on whom this model's calibration was chosen
    assert [corpus["name"] for corpus in card.corpora] == ["emodb", "ravdess"]
    assert card.languages == ("de", "en")


def test_the_licenses_of_known_encoders_apply_in_place_of_unknown_ones() -> None:
    card = inherit(OWN, {"a": RAVDESS})
    assert (card.license, card.is_commercial_use_allowed, card.is_sharing_allowed) == ("CC-BY-NC-SA-4.0", False, True)
    free = inherit(OWN, {"a": EMODB})
    assert (free.license, free.is_commercial_use_allowed, free.is_sharing_allowed) == ("CC0-1.0", True, True)
    both = inherit(OWN, {"a": RAVDESS, "hub/b": None})
    assert both.license == "CC-BY-NC-SA-4.0 AND that of hub/b, not known here"
    assert (both.is_commercial_use_allowed, both.is_sharing_allowed) == (False, False)


def test_speakers_of_a_corpus_that_both_know_count_once() -> None:
    apart, same = inherit(OWN, {"a": EMODB}), inherit(OWN, {"a": replace(EMODB, train_speakers=("emodb/03",))})
    assert [(corpus["speakers"], corpus["utterances"]) for corpus in apart.corpora] == [(4, 200)]
    assert [(corpus["speakers"], corpus["utterances"]) for corpus in same.corpora] == [(2, 100)]
