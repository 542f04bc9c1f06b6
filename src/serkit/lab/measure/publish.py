"""Publishes a run: writes its folder in the compact form of ``results/``, without weights.

The metrics and tables of a published run equal those of the run, because its predictions are stored digit for digit.
"""

import gzip
import io
import json
from pathlib import Path

from serkit.data.fingerprint_file import FINGERPRINTS_SHA
from serkit.errors import RunError
from serkit.lab.measure.run_entry import measure_records
from serkit.lab.measure.run_folder import (
    FOLDS,
    PACKED,
    TESTED,
    VALIDATED,
    folds_file,
    json_text,
    predictions_as_csv,
)
from serkit.lab.measure.run_records import check_run
from serkit.lab.measure.seal import SEALED, sealing
from serkit.lab.splits.folds import digest_of_folds
from serkit.writing import write_whole


def publish(run: Path, results: Path, *, name: str | None = None) -> Path:
    """Write a finished run to the folder of published runs.

    Args:
        run: Run folder. It may be the published folder itself, if a run was continued there.
        results: Folder of the published runs. The folds go to ``folds`` in it, once per split.
        name: Name of the published folder, with slashes for folders in between; by default the run's own name.

    Returns:
        The folder of the published run.

    Raises:
        RunError: If the folder is not a run folder, the run is not finished or was not tested, one of its files is
            damaged, or it does not agree with its seal or with itself.
    """
    records = check_run(run)
    metrics, environment, tested, classes = records.facts, records.environment, records.tested, records.classes
    if not metrics.get("complete") or not tested:
        why = "it is not finished" if tested else "it holds no predictions"
        raise RunError(f"{str(run)!r} cannot be published: {why}. Run 'serkit evaluate' to the end first.")
    measure_records(records)  # refuses metrics.json if the predictions give other numbers
    digest = digest_of_folds(records.folds)  # a finished model's run on an unseen corpus has not stored it
    folder = results / (name or str(metrics["name"]))
    tables = {"predictions": predictions_as_csv(tested, classes)}
    if records.validated:
        tables["validation"] = predictions_as_csv(records.validated, classes)
    folds = json.dumps(records.folds, ensure_ascii=False, separators=(",", ":"))
    copies = {"metrics": json_text(metrics), "recipe": records.recipe}
    known = {name: value for name, value in environment.items() if name != FINGERPRINTS_SHA}  # they stay in the run
    with sealing(folder, {**tables, "folds": folds, **copies}, known | {"split_digest": digest}):
        _write_packed(results / folds_file(digest), folds)
        for one, text in tables.items():
            _write_packed(folder / (SEALED[one] + PACKED), text)
        if not records.validated:
            (folder / (VALIDATED + PACKED)).unlink(missing_ok=True)
        for one, text in copies.items():
            write_whole(folder / SEALED[one], text)
        for one in (TESTED, VALIDATED, FOLDS):
            (folder / one).unlink(missing_ok=True)
    return folder


def _write_packed(path: Path, text: str) -> None:
    """Write a compressed file; the same text always gives the same bytes, as no name or time is stored in it."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    write_whole(path, buffer.getvalue())
