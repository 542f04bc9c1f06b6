"""docs/RESULTS.md against the predictions it is made from, with the full bootstrap that made it."""

from pathlib import Path

import pytest

from serkit.lab.leaderboard import as_page, compare, not_measured, read_entry

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_what_the_committed_predictions_give() -> None:
    """Every number and p value of docs/RESULTS.md; where this fails, predictions have changed: run `make results`."""
    folders = sorted(path.parent for path in (ROOT / "results").glob("*/metrics.json"))
    entries = [read_entry(folder) for folder in folders if (folder / "predictions.csv").is_file()]
    if not all(run.row["complete"] for run in entries):
        pytest.skip("a run in results/ is not finished")
    page = as_page(compare(entries), not_measured(entries))
    assert (ROOT / "docs" / "RESULTS.md").read_text("utf-8").splitlines() == page.splitlines()
