"""The report of a run: one HTML file that needs nothing else, and its figures as files.

Every number is computed again from ``predictions.csv``; only facts, such as the protocol's name and the kept epochs,
come from ``metrics.json``, ``folds.json``, ``env.json`` and the fits' ``history.csv``. Nothing here needs torch.
"""

import os
from pathlib import Path
from typing import Literal

from serkit.data.corpora import Data
from serkit.writing import write_whole

__all__ = ["write_figures", "write_report"]

Format = Literal["png", "svg"]


def write_report(
    folder: str | os.PathLike[str], *, out: str | os.PathLike[str] | None = None, data: Data | None = None
) -> Path:
    """Write the report of a run.

    Args:
        folder: The run.
        out: The file; ``report.html`` in the run folder by default.
        data: Where the corpora lie, as :func:`serkit.data.corpora.read_corpora` takes it. Where it is given, the page
            holds the audio of the most confident errors, and the corpora's licenses apply to it.

    Returns:
        The file.

    Raises:
        RunError: If the folder is not a run, holds no predictions, or one of its files is damaged.
        CorpusError: If a corpus is not in ``data``.
        MissingExtraError: If matplotlib is not installed.
    """
    from serkit.data.curation.corpus_figure import check_picture
    from serkit.lab.report.document import as_page
    from serkit.lab.report.reading import read_run

    folder = Path(folder)
    path = Path(out) if out is not None else folder / "report.html"
    run = read_run(folder)
    check_picture("figure.svg")
    write_whole(path, as_page(run, data))
    return path


def write_figures(
    folder: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    format: Format = "png",  # noqa: A002
) -> list[Path]:
    """Write the figures of a run's report, each to a file of its own.

    Args:
        folder: The run.
        out_dir: Made where it is not there.
        format: Of the files.

    Returns:
        The files.

    Raises:
        RunError: As for :func:`write_report`.
        DrawingError: If the format is not known.
        MissingExtraError: If matplotlib is not installed.
    """
    from serkit.data.curation.corpus_figure import check_picture
    from serkit.errors import DrawingError
    from serkit.lab.pages.drawing import write_figure
    from serkit.lab.report.figures import figures_of
    from serkit.lab.report.reading import read_run

    if format not in ("png", "svg"):
        raise DrawingError(f"cannot draw figures as {format!r}: the format must be png or svg.")
    run = read_run(Path(folder))
    check_picture(f"figure.{format}")
    return [write_figure(make, Path(out_dir) / f"{name}.{format}") for name, make in figures_of(run).items()]
