"""Run folders for the tests of the leaderboard, with recipes that can be compared."""

from itertools import product
from pathlib import Path
from typing import Any

from serkit.lab.leaderboard import RunEntry, read_entry
from serkit.lab.measure.run_folder import Fit, Row, write_predictions
from serkit.lab.recipes.files import dump_recipe
from serkit.lab.recipes.schema import parse_recipe
from support.metrics_file import write_metrics
from support.run_folders import CLASSES, facts
from support.sealed_runs import settle


def write_run(
    folder: Path, *, speakers: int = 7, corpora: tuple[str, ...] = ("toy",), wrong: int = 5,
    seeds: tuple[int, ...] = (0, 1), **changes: Any,
) -> Path:  # fmt: skip
    """Write a run in which every ``wrong``-th prediction is fear; probabilities have more decimals than are stored."""
    rows = []
    seeds = (0,) if changes.get("protocol") == "unseen_corpus" else seeds  # a finished model is one fit
    for i, (corpus, speaker, true, seed) in enumerate(product(corpora, range(speakers), ("anger", "fear"), seeds)):
        for take in range(4):
            predicted = "fear" if (i + take) % wrong == 0 else true
            probabilities = tuple(0.712345678 if name == predicted else 0.143827161 for name in CLASSES)
            name = f"{corpus}/{speaker}-{true}-{take}"
            rows.append(Row(name, corpus, f"{corpus}/{speaker}", speaker, seed, true, predicted, probabilities))
    fits = [Fit(fold, seed, 1, 2, 61.26, 1.0, 3.0) for fold in range(speakers) for seed in seeds]
    write_predictions(folder, rows, CLASSES)
    write_metrics(folder, rows, CLASSES, fits, facts(corpora=list(corpora), **changes))
    write_recipe(folder, train={"lr": 1e-3 if corpora == ("other",) else 2e-3})
    return settle(folder)


def write_recipe(folder: Path, **settings: Any) -> None:
    recipe = {"name": "toy", "corpora": ["emodb"], "labels": "emodb"} | settings
    (folder / "recipe.yaml").write_text(dump_recipe(parse_recipe(recipe)), "utf-8")


def entry(folder: Path, *, seen: float | None = 61.26, lr: float = 2e-3, wrong: int = 5, **changes: Any) -> RunEntry:
    """Write a run named as its folder and read it; ``seen`` is its validation UAR, ``lr`` its learning rate."""
    write_run(folder, wrong=wrong, **{"name": folder.name} | changes)
    write_recipe(folder, train={"lr": lr})
    settle(folder)
    found = read_entry(folder)
    found.row.update({"validation_uar": seen, "is_validation_pooled": seen is not None})
    return found
