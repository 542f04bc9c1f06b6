"""Publish runs: write finished run folders to results/ in compact form, without weights.

python tools/publish_run.py runs/emodb-loso-crnn      writes results/emodb-loso-crnn
python tools/publish_run.py runs/ABLATION             writes results/ablations/ABLATION/VARIANT for each variant

Run `make results` afterwards.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from serkit.errors import SerkitError
from serkit.lab.measure.publish import publish


def main(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders, or folders of ablations.")],
    results: Annotated[Path, typer.Option(help="Folder of the published runs.")] = Path("results"),
) -> None:
    """Write finished run folders to results/ in compact form, without weights."""
    try:
        for run in runs:
            for folder in publish_all(run, results):
                print(folder)
    except SerkitError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def publish_all(run: Path, results: Path) -> list[Path]:
    """Publish a run folder, or each variant in the folder of an ablation; returns the published folders."""
    variants = sorted(path.parent for path in run.glob("*/recipe.yaml"))
    if (run / "recipe.yaml").is_file() or not variants:
        return [publish(run, results)]
    return [publish(variant, results, name=f"ablations/{run.resolve().name}/{variant.name}") for variant in variants]


if __name__ == "__main__":
    typer.run(main)
