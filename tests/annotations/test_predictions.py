import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from serkit.annotations.predictions import Answers, answers_as_csv, answers_as_json
from serkit.errors import AudioError, SerkitError
from support.answers import ANSWERS, CLASSES, NEUTRAL, ODD_NAMES


def test_json_has_one_object_per_file_in_order_and_an_error_where_one_failed() -> None:
    rows = json.loads(answers_as_json(ANSWERS, None))
    assert rows == [
        {
            "file": "a.wav",
            "emotion": "neutral",
            "probabilities": {"neutral": 0.7, "fear": 0.2, "anger": 0.1},
            "duration": 1.25,
            "remarks": [],
            "gaps": [],
        },
        {"file": "b, c.wav", "error": 'b, c.wav is "empty", it\'s zero bytes.'},
        {
            "file": "d.wav",
            "emotion": "anger",
            "probabilities": {"anger": 0.987654, "fear": 0.0123, "neutral": 0.000046},
            "duration": 1.25,
            "remarks": [],
            "gaps": [],
        },
    ]
    assert list(rows[0]["probabilities"]) == ["neutral", "fear", "anger"]  # the order is kept


@pytest.mark.parametrize("top", [1, 2, 3, 9])
def test_top_keeps_the_most_probable(top: int) -> None:
    probabilities = json.loads(answers_as_json(ANSWERS[:1], top))[0]["probabilities"]
    assert list(probabilities) == ["neutral", "fear", "anger"][:top]


def test_csv_has_one_row_per_file_and_one_column_per_class() -> None:
    rows = list(csv.DictReader(io.StringIO(answers_as_csv(ANSWERS, CLASSES, None))))
    assert list(rows[0]) == ["file", "emotion", "duration", *CLASSES, "remarks", "error"]
    assert [row["file"] for row in rows] == ["a.wav", "b, c.wav", "d.wav"]
    assert [row["emotion"] for row in rows] == ["neutral", "", "anger"]
    assert [rows[2][name] for name in CLASSES] == ["0.987654", "0.012300", "0.000046"]
    assert [rows[1][name] for name in ("duration", *CLASSES)] == [""] * 4
    assert [row["error"] for row in rows] == ["", 'b, c.wav is "empty", it\'s zero bytes.', ""]


def test_csv_leaves_the_classes_beyond_top_empty() -> None:
    row = next(csv.DictReader(io.StringIO(answers_as_csv(ANSWERS[:1], CLASSES, 2))))
    assert [row[name] for name in CLASSES] == ["", "0.200000", "0.700000"]


@pytest.mark.parametrize("name", [*ODD_NAMES, "new\nline.wav", "bytes\udcff.wav"])
def test_any_file_name_survives_json_and_csv(name: str) -> None:
    answers: Answers = [(Path(name), NEUTRAL), (Path(name), SerkitError("no."))]
    text = answers_as_json(answers, None)
    assert text.isascii()
    assert [row["file"] for row in json.loads(text)] == [name, name]
    rows = list(csv.DictReader(io.StringIO(answers_as_csv(answers, CLASSES, None), newline="")))
    assert [row["file"] for row in rows] == [name, name]


def test_a_spreadsheet_runs_no_name_and_numbers_stay_numbers() -> None:
    odd = replace(NEUTRAL, emotion="=neutral", probabilities={"=neutral": 0.7, "@x": 0.2})
    answers: Answers = [(Path("=cmd|' /C calc'!A0.wav"), odd), (Path("-x.wav"), AudioError("+1+1 is no audio."))]
    text = answers_as_csv(answers, ("=neutral", "@x"), None, lambda answer: ("@x", "=y"))
    head, first, second = csv.reader(io.StringIO(text))
    assert head == ["file", "emotion", "duration", "'=neutral", "'@x", "set", "remarks", "error"]
    assert first == ["'=cmd|' /C calc'!A0.wav", "'=neutral", "1.25", "0.700000", "0.200000", "'@x;'=y", "", ""]
    assert (second[0], second[-1]) == ("'-x.wav", "'+1+1 is no audio.")
