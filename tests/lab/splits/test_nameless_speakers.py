from dataclasses import replace

import pytest

from serkit.data.manifest import Manifest
from serkit.errors import LeakageError
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.leakage import check_ensemble, check_leakage, check_unseen, without_nameless
from serkit.types import Utterance
from support.toy import sounds

PARTS = ("train", "validation", "test")


def said(speaker: str) -> Utterance:
    return Utterance(
        id=f"{speaker}-1", path=f"{speaker}.wav", corpus=speaker.partition("/")[0], speaker=speaker, emotion="fear"
    )


def check(train: str, validation: str, test: str) -> None:
    manifest = Manifest(tuple(said(speaker) for speaker in (train, validation, test)))
    ids = [(u.id,) for u in manifest]
    split = Split("speaker_kfold", True, "speakers", (Fold(0, *ids),))
    check_leakage(split, manifest, sounds(manifest))


def test_a_speaker_without_a_name_is_not_told_apart_from_the_named_ones_of_a_corpus() -> None:
    check("meld/ross", "meld/joey", "savee/DC")
    for train, validation, test, sides in (
        ("meld/unknown", "savee/DC", "meld/ross", "training and test"),
        ("savee/DC", "meld/ross", "meld/unknown", "training and test"),
        ("meld/unknown", "meld/ross", "savee/DC", "training and validation"),
    ):
        with pytest.raises(LeakageError, match=f"'meld/unknown' stands for all speakers without a name, .* {sides}"):
            check(train, validation, test)


def test_a_model_is_not_tested_on_speakers_without_a_name_of_a_corpus_that_it_knows() -> None:
    check_unseen(["meld/ross"], ["savee/DC", "msp-podcast/unknown"])
    for seen, tested in (("meld/ross", "meld/unknown"), ("meld/unknown", "meld/ross")):
        with pytest.raises(LeakageError, match="'meld/unknown' stands for all of its speakers without a name"):
            check_unseen([seen], [tested])
        with pytest.raises(LeakageError, match="ensemble member 'a' was fitted on speakers of the same corpus"):
            check_ensemble({"a": [seen]}, [tested])


def test_speakers_without_a_name_are_left_out_and_counted_where_others_have_names() -> None:
    speakers = ("meld/ross", "meld/unknown", "mine/unknown", "savee/DC")
    more = replace(said("meld/unknown"), id="meld/unknown-2")
    kept, gone = without_nameless(Manifest((*map(said, speakers), more)))
    assert kept.speakers == ("meld/ross", "mine/unknown", "savee/DC")
    assert gone == {"meld/unknown": 2}
    assert without_nameless(kept) == (kept, {})
