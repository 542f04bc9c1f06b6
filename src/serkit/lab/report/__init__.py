"""The report of a run: one HTML file that loads nothing, and its figures as files.

Every metric is recomputed from the stored predictions. Only facts, such as the protocol and the kept epochs, come from
``metrics.json``, ``folds.json``, ``env.json`` and the ``history.csv`` of each fit. Nothing here needs torch.

report_page        the HTML page
first_screen       verdict, warnings, main metrics
protocol_section   how the data were split and validated
sections           the other sections
figures            the figures
audio_players      audio of the most confident errors
breakdown          scores of each class, speaker and fold; calibration; errors
run_contents       everything that is read of a run folder
"""

import os
from pathlib import Path
from typing import Literal

from serkit.data.corpora import Data
from serkit.data.curation.corpus_figure import check_picture
from serkit.errors import DrawingError
from serkit.lab.pages.drawing import write_figure
from serkit.lab.report.figures import figures_of
from serkit.lab.report.report_page import report_page
from serkit.lab.report.run_contents import RunContents, read_run
from serkit.writing import write_whole

__all__ = ["RunContents", "read_run", "write_figures", "write_report"]

Format = Literal["png", "svg"]


def write_report(
    run: str | os.PathLike[str] | RunContents,
    *,
    out: str | os.PathLike[str] | None = None,
    data: Data | None = None,
    unsealed: bool = False,
) -> Path:
    """Write the report of a run as one HTML file.

    Args:
        run: Run folder, or its contents from :func:`read_run`.
        out: Path of the file; by default ``report.html`` in the run folder.
        data: Folders of the corpora, in any form that :func:`serkit.data.corpora.read_corpora` takes. With it, the
            page embeds the audio of the most confident errors, and the corpora's licenses apply to the page.
        unsealed: Whether to read a run folder that was edited, contradicts itself, or has no seal. The page says so.

    Returns:
        Path of the file.

    Raises:
        RunError: If the folder is not a run folder, holds no predictions, one of its files is damaged, or it does not
            agree with its seal or with itself.
        CorpusError: If a corpus is not in ``data``.
        MissingExtraError: If matplotlib is not installed.
    """
    contents = _contents_of(run, unsealed=unsealed)
    path = Path(out) if out is not None else contents.folder / "report.html"
    check_picture("figure.svg")
    write_whole(path, report_page(contents, data))
    return path


def write_figures(
    run: str | os.PathLike[str] | RunContents,
    out_dir: str | os.PathLike[str],
    *,
    format: Format = "png",  # noqa: A002
    unsealed: bool = False,
) -> list[Path]:
    """Write each figure of a run's report to a file.

    Args:
        run: Run folder, or its contents from :func:`read_run`.
        out_dir: Folder for the files; it is created if it does not exist.
        format: File format.
        unsealed: Whether to read a run folder that was edited, contradicts itself, or has no seal.

    Returns:
        Paths of the files.

    Raises:
        RunError: If the folder is not a run folder, holds no predictions, one of its files is damaged, or it does not
            agree with its seal or with itself.
        DrawingError: If the format is neither png nor svg.
        MissingExtraError: If matplotlib is not installed.
    """
    if format not in ("png", "svg"):
        raise DrawingError(f"cannot draw figures as {format!r}: the format must be png or svg.")
    contents = _contents_of(run, unsealed=unsealed)
    check_picture(f"figure.{format}")
    return [write_figure(make, Path(out_dir) / f"{name}.{format}") for name, make in figures_of(contents).items()]


def _contents_of(run: str | os.PathLike[str] | RunContents, *, unsealed: bool) -> RunContents:
    return run if isinstance(run, RunContents) else read_run(Path(run), unsealed=unsealed)
