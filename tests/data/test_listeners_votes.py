from dataclasses import replace

import pytest

from serkit.data.listeners_votes import votes_of
from serkit.errors import ManifestError
from serkit.types import Utterance

CLIP = Utterance(id="toy/1", path="1.wav", corpus="toy", speaker="toy/1", emotion="anger")


def heard(votes: str) -> Utterance:
    return replace(CLIP, extra={"votes": votes})


def test_votes_are_counted_by_emotion() -> None:
    assert votes_of(heard("anger=1 neutral=8")) == {"anger": 1, "neutral": 8}


def test_an_utterance_that_nobody_was_asked_about_has_no_votes() -> None:
    assert votes_of(CLIP) == votes_of(heard("")) == {}


@pytest.mark.parametrize(
    "votes",
    ["anger", "anger=", "anger=-1", "anger=1.5", "rage=3", "anger:2", "anger=²", "anger=10001", "anger=00000000001"],
)
def test_votes_that_are_no_numbers_are_named(votes: str) -> None:
    with pytest.raises(
        ManifestError, match=r"toy/1: .* is not a number of votes up to 10000; write votes as anger=1 neutral=8\."
    ):
        votes_of(heard(votes))
