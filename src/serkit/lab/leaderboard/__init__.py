"""Runs compared with each other, from their stored predictions. Nothing here needs torch.

board                 all runs in order, with headlines and comparisons
grouping              groups of runs, and their order
headline_names        lasting names of headlines, from headlines.yaml
same_audio            whether runs on utterances of the same names heard the same audio
comparisons           which runs are compared, and how they differ
human_row             what listeners reach on the same labels
table_text            texts of cells, captions and notes that Markdown and HTML share
markdown_page         Markdown: tables, and the page docs/RESULTS.md
calibration_section   the calibration table of that page
html_page             one HTML page
json_csv              JSON and CSV
"""

from serkit.lab.leaderboard.board import Board, compare, not_measured
from serkit.lab.leaderboard.html_page import as_html
from serkit.lab.leaderboard.json_csv import as_csv, as_json
from serkit.lab.leaderboard.markdown_page import as_markdown, as_page, as_sections
from serkit.lab.measure.run_entry import RunEntry, read_entry

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
]
