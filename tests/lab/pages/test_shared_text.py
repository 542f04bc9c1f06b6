"""Short texts that leaderboard and report share."""

import pytest

from serkit.lab.pages.shared_text import count_of, number, protocol_name, uar_of


@pytest.mark.parametrize(
    ("protocol", "name"),
    [
        ("leave_one_speaker_out", "leave one speaker out"),
        ("speaker_kfold", "speaker k-fold"),
        ("random", "random split"),
    ],
)
def test_protocols_have_readable_names(protocol: str, name: str) -> None:
    assert protocol_name(protocol) == name


@pytest.mark.parametrize(("over", "text"), [("speakers", "71.0 [60.1, 80.0]"), ("utterances", "71.0 [60.1, 80.0]*")])
def test_an_interval_that_was_not_resampled_over_speakers_has_a_star(over: str, text: str) -> None:
    assert uar_of({"uar": 71.0, "uar_low": 60.12, "uar_high": 80.0, "interval_over": over}, "*") == text


def test_a_missing_number_is_an_empty_cell() -> None:
    assert (number(None), number(3.14)) == ("", "3.1")


def test_one_thing_is_singular() -> None:
    assert (count_of(1, "clip"), count_of(2, "clip")) == ("1 clip", "2 clips")
