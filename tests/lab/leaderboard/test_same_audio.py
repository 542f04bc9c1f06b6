"""Runs whose audio is known to differ are not on the same clips, and audio that is not known is said."""

from pathlib import Path
from typing import Any

import pytest

from serkit.errors import RunError
from serkit.lab.leaderboard import as_html, as_page, compare
from serkit.lab.measure.run_entry import RunEntry, read_entry
from serkit.lab.measure.run_folder import read_json, write_json
from support.leaderboard_runs import entry
from support.sealed_runs import reseal

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
APART = "because the digests of their audio differ: a, c; b."
UNKNOWN = "compared with: b."


def run_of(folder: Path, *, audio: str | None, **known: Any) -> RunEntry:
    """Write a run with this digest of its audio, and read it."""
    entry(folder, wrong=3 + len(folder.name + "abc") % 3)
    facts = {name: value for name, value in read_json(folder, "env.json").items() if name != "audio_digest"}
    write_json(folder, "env.json", facts | known | ({"audio_digest": audio} if audio else {}))
    return read_entry(reseal(folder))


def compared(entries: list[RunEntry]) -> list[list[str]]:
    return [
        [family.reference.name, *(one.run.name for one in family.comparisons)] for family in compare(entries).families
    ]


def test_runs_whose_audio_differs_are_not_compared_and_the_page_says_why(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, audio=audio) for name, audio in (("a", "one"), ("b", "two"), ("c", "one"))]
    assert compared(runs) == [["a", "c"], ["b"]]
    board = compare(runs)
    assert [one.name for one in board.uncompared] == ["b"]
    assert APART in as_page(board)
    assert APART in as_html(board)


def test_a_reference_with_other_audio_is_refused(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, audio=name) for name in "ab"]
    with pytest.raises(RunError, match="no other run was tested on the same utterances and audio"):
        compare(runs, against="b")


def test_a_run_whose_audio_is_not_known_is_compared_with_a_mark(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, audio=audio) for name, audio in (("a", "one"), ("b", None))]
    assert compared(runs) == [["a", "b"]]
    board = compare(runs)
    assert UNKNOWN in as_page(board)
    assert UNKNOWN in as_html(board)
    assert "digest of their audio" not in as_page(compare(runs[1:])), "it is compared with nobody"


def test_where_audio_differs_a_run_of_unknown_audio_stands_alone(tmp_path: Path) -> None:
    audios = (("a", "one"), ("b", None), ("c", "one"), ("d", "two"))
    runs = [run_of(tmp_path / name, audio=audio) for name, audio in audios]
    assert compared(runs) == [["a", "c"], ["b"], ["d"]]


@pytest.mark.parametrize("known", [{"audio_sampling_rate": 22050}, {"manifest_digest": "of more corpora"}])
def test_digests_of_another_rate_or_of_more_utterances_say_nothing(tmp_path: Path, known: dict[str, Any]) -> None:
    runs = [run_of(tmp_path / "a", audio="one"), run_of(tmp_path / "b", audio="two", **known)]
    assert compared(runs) == [["a", "b"]]


def test_the_rate_of_an_older_run_is_that_of_its_recipe(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, audio=name) for name in "ab"]
    for run in runs:
        recipe = run.folder / "recipe.yaml"
        recipe.write_text(recipe.read_text("utf-8") + "features:\n  sampling_rate: 16000\n", "utf-8")
        facts = read_json(run.folder, "env.json")
        write_json(run.folder, "env.json", {name: facts[name] for name in facts if name != "audio_sampling_rate"})
        assert read_entry(reseal(run.folder)).audio.sampling_rate == 16000
    assert compared(runs) == [["a"], ["b"]]
