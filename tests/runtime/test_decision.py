from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serkit.card import Card
from serkit.errors import SettingsError, UnknownNameError
from serkit.runtime.decision import check_coverage, classes_within, make_decider

CLASSES = ("anger", "fear", "calm")


def card(**calibration: Any) -> Card:
    return Card(
        name="toy", serkit_version="0", classes=CLASSES, label_set="toy", label_note="", sampling_rate=16_000,
        inputs=("waveform", "lengths"), minimum_duration=0.1, parameters=1, corpora=(), languages=(),
        train_speakers=(), validation_speakers=(), split_digest="", temperature=1.0, validation_uar=None, evidence=(),
        license="", is_commercial_use_allowed=True, not_for=(), recipe={}, calibration=calibration,
    )  # fmt: skip


def row(*values: float) -> Any:
    return np.array(values, np.float32)


def test_the_most_probable_class_is_the_answer() -> None:
    decide = make_decider(card())
    assert decide(row(0.2, 0.5, 0.3)) == "fear"
    assert list(decide.ranked(row(0.2, 0.5, 0.3))) == ["fear", "calm", "anger"]


def test_the_cards_threshold_holds_where_no_other_is_given() -> None:
    assert make_decider(card(threshold=0.6))(row(0.2, 0.5, 0.3)) == "uncertain"
    assert make_decider(card(threshold=0.6), 0.0)(row(0.2, 0.5, 0.3)) == "fear"
    assert make_decider(card(threshold=0.4))(row(0.2, 0.5, 0.3)) == "fear"


def test_without_a_threshold_that_keeps_the_error_rate_every_answer_is_uncertain_unless_you_set_one() -> None:
    about = card(threshold=None, error_rate=25.0)
    assert make_decider(about)(row(0.0, 1.0, 0.0)) == "uncertain"
    assert make_decider(about).least == (None, None, None)
    assert make_decider(about, 0.4)(row(0.2, 0.5, 0.3)) == "fear"
    assert make_decider(about, 0.0)(row(0.2, 0.5, 0.3)) == "fear"
    some = make_decider(about, {"fear": 0.5})
    assert some(row(0.2, 0.5, 0.3)) == "fear"
    assert some(row(1.0, 0.0, 0.0)) == "uncertain", "the others keep the card's"


def test_a_model_whose_card_promises_nothing_names_the_top_class() -> None:
    assert make_decider(card())(row(0.2, 0.5, 0.3)) == "fear"


def test_a_class_may_have_a_threshold_of_its_own() -> None:
    decide = make_decider(card(threshold=0.4), {"fear": 0.7})
    assert decide(row(0.2, 0.6, 0.2)) == "uncertain"
    assert decide(row(0.5, 0.3, 0.2)) == "anger", "the others keep the card's"
    assert decide(row(0.35, 0.3, 0.35)) == "uncertain"


@pytest.mark.parametrize("wrong", [-0.1, 1.5, float("nan"), {"fear": 2.0}, "0.9", [0.9], {"fear": "x"}])
def test_a_threshold_that_is_no_probability_is_refused(wrong: Any) -> None:
    with pytest.raises(SettingsError, match="between 0 and 1"):
        make_decider(card(), wrong)


def test_numbers_of_numpy_are_numbers() -> None:
    assert make_decider(card(threshold=0.6), np.int64(0))(row(0.2, 0.5, 0.3)) == "fear"  # type: ignore[arg-type]
    assert make_decider(card(), np.float32(0.9))(row(0.2, 0.5, 0.3)) == "uncertain"  # type: ignore[arg-type]


def test_a_class_that_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'fear'"):
        make_decider(card(), {"faer": 0.5})


def test_a_set_holds_the_classes_that_reach_what_validation_asks_for() -> None:
    about = card(conformal={"0.9": 0.25, "0.8": 0.45})
    probabilities = {"anger": 0.3, "fear": 0.5, "calm": 0.2}
    assert classes_within(about, probabilities, 0.9) == ("fear", "anger")
    assert classes_within(about, probabilities, 0.8) == ("fear",)


def test_a_set_is_never_empty() -> None:
    about = card(conformal={"0.8": 0.99})
    assert classes_within(about, {"anger": 0.3, "fear": 0.5, "calm": 0.2}, 0.8) == ("fear",)


def test_a_coverage_that_the_card_does_not_have_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"coverage of 0\.7; it has 0\.9"):
        classes_within(card(conformal={"0.9": 0.2}), {"anger": 1.0}, 0.7)
    with pytest.raises(UnknownNameError, match="its card says: nothing is promised"):
        classes_within(card(), {"anger": 1.0}, 0.9)
    with pytest.raises(UnknownNameError, match="coverage of x"):
        classes_within(card(conformal={"0.9": 0.2}), {"anger": 1.0}, "x")  # type: ignore[arg-type]


@given(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), st.floats(0, 1))
def test_an_answer_is_the_top_class_or_uncertain(values: list[float], threshold: float) -> None:
    probabilities = row(*values)
    answer = make_decider(card(), threshold)(probabilities)
    top = CLASSES[int(np.argmax(probabilities))]
    assert answer == (top if probabilities.max() >= threshold else "uncertain")


def test_a_coverage_is_checked_without_probabilities() -> None:
    assert check_coverage(card(conformal={"0.9": 0.2}), 0.9) == 0.2
    with pytest.raises(UnknownNameError, match=r"no prediction sets for a coverage of 0\.7; it has 0\.9"):
        check_coverage(card(conformal={"0.9": 0.2}), 0.7)
