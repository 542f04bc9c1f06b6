import json
from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus
from serkit.lab.leaderboard import as_html, as_json, as_page, as_sections, compare
from serkit.lab.leaderboard.human_row import human_score_of
from serkit.lab.measure.run_entry import RunEntry
from support.leaderboard_runs import entry

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
SIX = dict.fromkeys(("anger", "disgust", "fear", "happiness", "neutral", "sadness"), 50.0)


@pytest.fixture
def runs(tmp_path: Path) -> list[RunEntry]:
    """Two runs of CREMA-D, one of EmoDB."""
    found = [entry(tmp_path / name, corpora=("crema-d",), labels="crema-d") for name in ("one", "other")]
    found.append(entry(tmp_path / "emodb", corpora=("emodb",), labels="emodb"))
    for run in found[:2]:
        run.row["recall"] = SIX
    return found


def row(**changes: object) -> dict[str, object]:
    return {"corpora": ["crema-d"], "labels": "crema-d", "recall": SIX} | changes


def test_a_listener_stands_below_the_runs_of_a_group_once(runs: list[RunEntry]) -> None:
    lines = as_sections(compare(runs)).splitlines()
    (place,) = (n for n, line in enumerate(lines) if line.startswith("| one listener |"))
    assert lines[place].split(" | ")[1:] == [
        "68440 answers about the voice alone", "6", "91", "7428", "", "16.7", "40.7 [39.1, 42.2]", "40.0", "40.0", " |"
    ]  # fmt: skip
    assert lines[place].count("|") == lines[place - 1].count("|")


def test_html_and_json_have_the_listener_too(runs: list[RunEntry]) -> None:
    board = compare(runs)
    assert as_html(board).count("one listener") == 1
    found = {one["folder"]: one["human"] for one in json.loads(as_json(board))}
    assert found["one"]["uar"] == 40.71
    assert found["emodb"] is None


def test_the_page_of_results_has_the_listener(runs: list[RunEntry]) -> None:
    assert as_page(compare(runs)).count("| one listener |") == 1


def test_a_listener_is_compared_on_the_acted_emotions_of_one_corpus_only() -> None:
    human = get_corpus("crema-d").human
    assert human_score_of(row()) == human
    assert human_score_of(row(labels="superset6")) == human
    assert human_score_of(row(labels="crema-d-heard")) is None
    assert human_score_of(row(recall={"anger": 50.0, "fear": 50.0})) is None
    assert human_score_of(row(corpora=["crema-d", "savee"])) is None
    assert human_score_of(row(corpora=["crema-d", "savee"]), "crema-d") == human
    assert human_score_of(row(corpora=["crema-d", "savee"], train_corpora=["savee"], test_corpora=["crema-d"])) == human
    assert human_score_of(row(corpora=["mine"])) is None
