"""The file ``metrics.json`` of a run, computed from its predictions."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serkit.lab.measure.pooled_metrics import metrics_of
from serkit.lab.measure.run_folder import Fit, Row, write_json


def write_metrics(
    folder: Path,
    rows: Sequence[Row],
    classes: Sequence[str],
    fits: Sequence[Fit],
    facts: Mapping[str, Any],
    *,
    validated: Sequence[Row] = (),
) -> dict[str, Any]:
    """Write the content of ``metrics.json``, and return it; the arguments are those of ``metrics_of``."""
    content = metrics_of(rows, classes, fits, facts, validated=validated)
    write_json(folder, "metrics.json", content)
    return content
