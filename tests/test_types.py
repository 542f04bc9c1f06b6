"""Results and cards compare and hash without error, whatever they hold."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import serkit
from serkit.types import Prediction, Segment, Speech, StreamEvent, Utterance, Window
from support.timelines import segment, timeline

SHARES = {"anger": 0.7, "fear": 0.3}


def embedding(seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).normal(size=8).astype(np.float32)


def prediction(seed: int = 0) -> Prediction:
    return Prediction(emotion="anger", probabilities=dict(SHARES), embedding=embedding(seed), duration=1.5)


def window(seed: int = 0) -> Window:
    return Window(start=0.0, end=3.0, emotion="anger", probabilities=dict(SHARES), embedding=embedding(seed))


def event(seed: int = 0) -> StreamEvent:
    return StreamEvent(
        kind="emotion", start=0.0, end=3.0, emotion="anger", probabilities=dict(SHARES), embedding=embedding(seed)
    )


def of_file(seed: int = 0) -> Any:
    return serkit.load("emodb").card


MAKERS: list[Callable[[], Any]] = [
    prediction,
    window,
    event,
    lambda: Segment(start=0.0, end=3.0, emotion="anger", probabilities=dict(SHARES)),
    lambda: Speech(start=0.0, end=3.0),
    lambda: timeline([segment(0, 1)], settings={"speech": {"on": 0.6}, "threshold": [0.5]}),
    lambda: Utterance(id="a/1", path="1.wav", corpus="a", speaker="a/b", emotion="anger", extra={"label": "W"}),
    of_file,
]


@pytest.mark.parametrize("make", MAKERS)
def test_equal_values_are_equal_and_have_one_hash(make: Callable[[], Any]) -> None:
    one, other = make(), make()
    assert one is not other
    assert one == other
    assert len({one, other}) == 1
    assert one != "something else"


@pytest.mark.parametrize("make", [prediction, window, event])
def test_embeddings_are_not_compared(make: Callable[[int], Any]) -> None:
    assert make(0) == make(1)
    assert hash(make(0)) == hash(make(1))


@pytest.mark.parametrize("make", [prediction, window, event])
def test_other_probabilities_are_another_answer(make: Callable[[], Any]) -> None:
    one = make()
    assert one != replace(one, probabilities={"anger": 0.6, "fear": 0.4})
    assert one != replace(one, emotion="uncertain")


@pytest.mark.usefixtures("embedded")
def test_cards_of_two_models_differ() -> None:
    first, second = serkit.load("default").card, serkit.load("emodb").card
    assert first != second
    assert len({first, second, replace(first)}) == 2
