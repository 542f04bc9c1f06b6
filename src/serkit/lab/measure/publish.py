"""Publishes a run: writes its folder in the compact form of ``results/``, without weights.

The metrics and tables of a published run equal those of the run, because its predictions are stored digit for digit.
"""

import gzip
import io
import json
from pathlib import Path
from typing import Any

from serkit.errors import RunError
from serkit.lab.measure.run_folder import (
    FOLDS,
    PACKED,
    TESTED,
    VALIDATED,
    folds_file,
    predictions_as_csv,
    read_folds,
    read_json,
    read_predictions,
    write_json,
)
from serkit.lab.splits.folds import digest_of_folds
from serkit.writing import write_whole

COPIED = ("recipe.yaml", "metrics.json")


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
            damaged, or its folds are not those of the digest in ``env.json``.
    """
    metrics, environment = _read_mapping(run, "metrics.json"), _read_mapping(run, "env.json")
    tested, classes = read_predictions(run)
    if not metrics.get("complete") or not tested:
        why = "it is not finished" if tested else "it holds no predictions"
        raise RunError(f"{str(run)!r} cannot be published: {why}. Run 'serkit evaluate' to the end first.")
    copies = {one: _read_bytes(run, one) for one in COPIED}
    folds = read_folds(run)
    digest = _check_digest(run, folds, environment)
    folder = results / (name or str(metrics["name"]))
    _write_packed(results / folds_file(digest), json.dumps(folds, ensure_ascii=False, separators=(",", ":")))
    validated, _ = read_predictions(run, VALIDATED)
    _write_packed(folder / (TESTED + PACKED), predictions_as_csv(tested, classes))
    if validated:
        _write_packed(folder / (VALIDATED + PACKED), predictions_as_csv(validated, classes))
    else:
        (folder / (VALIDATED + PACKED)).unlink(missing_ok=True)
    write_json(folder, "env.json", environment | {"split_digest": digest})
    for one, content in copies.items():
        write_whole(folder / one, content)
    for one in (TESTED, VALIDATED, FOLDS):
        (folder / one).unlink(missing_ok=True)
    return folder


def _check_digest(run: Path, folds: Any, environment: dict[str, Any]) -> str:
    """Return the digest of a run's folds; a finished model's run on an unseen corpus has not stored one."""
    try:
        digest = digest_of_folds(folds)
    except (KeyError, TypeError) as error:
        raise RunError(f"{str(run / FOLDS)!r} is damaged: expected a list of folds with their parts.") from error
    if environment.get("split_digest", digest) != digest:
        raise RunError(f"{str(run)!r} is damaged: its folds are not those of the split_digest in env.json.")
    return digest


def _read_mapping(run: Path, name: str) -> dict[str, Any]:
    content = read_json(run, name)
    if not isinstance(content, dict):
        raise RunError(f"{str(run / name)!r} is damaged: expected a JSON object.")
    return content


def _read_bytes(run: Path, name: str) -> bytes:
    if not (run / name).is_file():
        raise RunError(f"{str(run)!r} is not a run folder: it has no {name}.")
    return (run / name).read_bytes()


def _write_packed(path: Path, text: str) -> None:
    """Write a compressed file; the same text always gives the same bytes, as no name or time is stored in it."""
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text.encode())
    write_whole(path, buffer.getvalue())
