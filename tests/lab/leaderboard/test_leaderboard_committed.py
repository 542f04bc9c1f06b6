"""docs/RESULTS.md and ablations against the predictions they are made from, with the full bootstrap that made them."""

from pathlib import Path

import pytest

from serkit.lab.leaderboard import as_page, as_sections, compare, not_measured, read_entry
from serkit.lab.recipes.ablation import BASE

ROOT = Path(__file__).parents[3]


def test_the_committed_page_is_what_the_committed_predictions_give() -> None:
    """Every number and p value of docs/RESULTS.md; where this fails, predictions have changed: run `make results`."""
    folders = sorted(path.parent for path in (ROOT / "results").glob("*/metrics.json"))
    entries = [read_entry(folder) for folder in folders if (folder / "predictions.csv").is_file()]
    if not all(run.row["complete"] for run in entries):
        pytest.skip("a run in results/ is not finished")
    page = as_page(compare(entries), not_measured(entries))
    assert (ROOT / "docs" / "RESULTS.md").read_text("utf-8").splitlines() == page.splitlines()


@pytest.mark.parametrize("recipe", sorted(path.parent.name for path in (ROOT / "ablations").glob("*/base")))
def test_the_committed_ablations_are_what_their_predictions_give(recipe: str) -> None:
    """Every number of ablations/*/README.md; where this fails, run `make results`."""
    folder = ROOT / "ablations" / recipe
    entries = [read_entry(path.parent) for path in sorted(folder.glob("*/metrics.json"))]
    assert all(run.row["complete"] for run in entries)
    board = compare(entries, against=folder / BASE)
    assert (folder / "README.md").read_text("utf-8").rstrip() == as_sections(board).rstrip()
