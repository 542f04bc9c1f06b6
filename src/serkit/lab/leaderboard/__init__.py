"""Runs side by side, recomputed from their predictions. Nothing here needs torch.

leaderboard_rows      a run as tables show it
leaderboard_pairs     which runs meet on the same utterances, and how they differ
leaderboard_board     all of it: runs in order, headlines, comparisons
leaderboard_words     what a table says of a run, in words and numbers
leaderboard_tables    Markdown: tables, and the page docs/RESULTS.md
leaderboard_html      one HTML page
leaderboard_records   JSON and CSV
"""

from serkit.lab.leaderboard.board import Board, compare, not_measured
from serkit.lab.leaderboard.html import as_html
from serkit.lab.leaderboard.markdown import as_markdown, as_page, as_sections
from serkit.lab.leaderboard.records import as_csv, as_json
from serkit.lab.leaderboard.rows import RunEntry, read_entry, recompute, what_is_fitted

__all__ = [
    "Board",
    "RunEntry",
    "as_csv",
    "as_html",
    "as_json",
    "as_markdown",
    "as_page",
    "as_sections",
    "compare",
    "not_measured",
    "read_entry",
    "recompute",
    "what_is_fitted",
]
