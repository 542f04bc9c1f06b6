"""Compare two models on EmoDB: run both through the same folds, print their scores, and write a report of each.

    python examples/compare_models.py corpora/EmoDB --out runs/compare

'serkit corpora download emodb DIR' leaves such a folder. Add --quick to see within a minute how it works; the scores
then mean nothing. If you stop it, run the same command again to resume.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from serkit.lab import Run, evaluate, load_recipe
from serkit.progress import Progress

MODELS = ("crnn", "logistic")
QUICK = {  # changes of each model's recipe, as --set takes them on the command line
    "crnn": ["train.epochs=2", "model.channels=16", "model.recurrent=8", "model.stem=[4, 8]"],
    "logistic": [],
}
TWO_FOLDS = "protocol={name: speaker_kfold, folds: 2, validation_speakers: 1}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("corpus", type=Path, help="folder of EmoDB")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run folders")
    parser.add_argument("--jobs", type=int, default=1, help="processes that fit folds side by side")
    parser.add_argument("--quick", action="store_true", help="two folds and a tiny network")
    given = parser.parse_args(arguments)
    logging.basicConfig(format="%(message)s", level=logging.INFO)  # serkit's messages, on stderr

    runs = [compare(model, given.corpus, given.out / model, jobs=given.jobs, quick=given.quick) for model in MODELS]
    print("model      validation UAR  UAR")
    for model, run in zip(MODELS, runs, strict=True):
        low, high = run.interval
        print(f"{model:<10} {run.validation_uar:>14}  {run.uar} [{low}, {high}]")
    for run in runs:
        wrong = run.predictions.query("true != predicted")
        pairs = wrong.groupby(["true", "predicted"]).size().sort_values(ascending=False)
        if len(pairs):
            print(f"{run.name} takes {pairs.index[0][0]} for {pairs.index[0][1]} most often; see {run.report()}")


def compare(model: str, corpus: Path, out: Path, *, jobs: int, quick: bool) -> Run:
    """Evaluate one model on every speaker of EmoDB in turn, or on two folds."""
    changes = [TWO_FOLDS, *QUICK[model], f"name=quick-{model}"] if quick else []
    recipe = load_recipe(f"emodb-loso-{model}", changes)
    return evaluate(recipe, data={"emodb": corpus}, out=out, jobs=jobs, on_progress=show)


def show(progress: Progress) -> None:
    """Show the latest step on one line of stderr."""
    if sys.stderr.isatty():
        print(
            f"\r{progress.label}: {progress.done} of {progress.total} {progress.remark}",
            end="\033[K\r",
            file=sys.stderr,
        )


if __name__ == "__main__":  # --jobs starts processes that import this file again
    main()
