"""What is committed in results/: its form, its weight, and docs/RESULTS.md and the pages of ablations made from it.

Intervals and p values are computed with as many resamples as were used to make the pages.
"""

from pathlib import Path

import pytest

import serkit
from serkit.lab.leaderboard import as_page, as_sections, compare, not_measured
from serkit.lab.leaderboard.headline_names import read_headline_names
from serkit.lab.measure.run_entry import RunEntry, read_entry
from serkit.lab.measure.run_folder import folds_file, read_folds, read_json, read_predictions
from serkit.lab.recipes.ablation import BASE
from serkit.lab.recipes.files import load_recipe
from serkit.lab.splits.folds import digest_of_folds

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "results"
RUNS = sorted(path.parent for path in RESULTS.glob("*/recipe.yaml"))
ABLATIONS = sorted(path.parent.parent for path in RESULTS.glob(f"ablations/*/{BASE}/recipe.yaml"))
VARIANTS = sorted(path.parent for path in RESULTS.glob("ablations/*/*/recipe.yaml"))
FILES = {"recipe.yaml", "env.json", "metrics.json", "predictions.csv.gz"}
MOST_BYTES = 15_000_000
each_run = pytest.mark.parametrize("folder", RUNS, ids=lambda folder: folder.name)
each_folder = pytest.mark.parametrize("folder", [*RUNS, *VARIANTS], ids=lambda folder: folder.name)


@pytest.fixture(scope="module")
def entries() -> list[RunEntry]:
    return [read_entry(folder) for folder in RUNS]


# Pages


def test_the_committed_page_is_what_the_committed_predictions_give(entries: list[RunEntry]) -> None:
    """Every number and p value of docs/RESULTS.md; where this fails, predictions have changed: run `make results`."""
    page = as_page(compare(entries), not_measured(entries))
    assert (ROOT / "docs" / "RESULTS.md").read_text("utf-8").splitlines() == page.splitlines()


@pytest.mark.parametrize("folder", ABLATIONS, ids=lambda folder: folder.name)
def test_a_committed_ablation_is_what_its_predictions_give(folder: Path) -> None:
    """Every number of its README.md, and of its metrics; where this fails, run `make results`."""
    runs = [read_entry(path.parent) for path in sorted(folder.glob("*/recipe.yaml"))]
    for run in runs:
        assert_metrics_follow(run)
    page = as_sections(compare(runs, against=folder / BASE))
    assert (folder / "README.md").read_text("utf-8").rstrip() == page.rstrip()


def test_metrics_follow_from_predictions(entries: list[RunEntry]) -> None:
    for run in entries:
        assert_metrics_follow(run)


def assert_metrics_follow(run: RunEntry) -> None:
    """Every number of metrics.json, to the second decimal that is stored."""
    stored = read_json(run.folder, "metrics.json")
    for name in ("uar", "uar_low", "uar_high", "interval_over", "wa", "macro_f1", "validation_uar", "per_corpus"):
        assert run.row[name] == stored[name], f"{run.name}: {name}"


@pytest.mark.parametrize("name", ["default", "emodb"])
def test_the_card_of_an_embedded_model_says_what_its_committed_runs_say(name: str) -> None:
    card = serkit.load(name).card
    assert card.evidence
    for evidence in card.evidence:
        metrics = read_json(RESULTS / evidence.run, "metrics.json")
        for fact in ("uar", "uar_low", "uar_high", "wa", "macro_f1", "speakers", "utterances"):
            assert getattr(evidence, fact) == metrics[fact], f"{evidence.run}: {fact}"
        assert {row["corpus"]: row["uar_low"] for row in evidence.per_corpus} == {
            corpus: row["uar_low"] for corpus, row in metrics["per_corpus"].items()
        }


# Runs


@each_run
def test_a_committed_run_is_complete_and_its_recipe_says_how_it_was_made(folder: Path) -> None:
    stored = read_json(folder, "metrics.json")
    recipe, environment = load_recipe(folder / "recipe.yaml"), read_json(folder, "env.json")
    assert stored["complete"]
    assert stored["name"] == folder.name
    assert {"manifest_digest", "split_digest", "serkit", "torch"} <= environment.keys()
    if stored["protocol"] != "unseen_corpus":  # the recipe of a model that is scored elsewhere is the model's
        assert recipe.name == stored["name"]
        assert stored["seeds"] == list(recipe.seeds)
        assert stored["corpora"] == list(recipe.corpora)


@each_folder
def test_a_committed_run_shares_no_speaker_and_tests_each_utterance_once(folder: Path) -> None:
    stored, folds = read_json(folder, "metrics.json"), read_folds(folder)
    assert digest_of_folds(folds) == read_json(folder, "env.json")["split_digest"]
    for fold in folds:
        seen = {*fold["train"]["speakers"], *fold["validation"]["speakers"]}
        if stored["is_speaker_independent"]:
            assert not seen & set(fold["test"]["speakers"])
        if stored["is_speaker_independent"] and stored["validation"] == "speakers":
            assert not set(fold["train"]["speakers"]) & set(fold["validation"]["speakers"])
    tested = [(fold["fold"], name) for fold in folds for name in fold["test"]["utterances"]]
    assert len({name for _, name in tested}) == len(tested)
    rows, _ = read_predictions(folder)
    assert sorted((row.seed, row.fold, row.utterance) for row in rows) == sorted(
        (seed, k, name) for seed in stored["seeds"] for k, name in tested
    )


# Weight


@each_folder
def test_a_committed_run_is_published_without_weights(folder: Path) -> None:
    """Where this fails, publish the run: `python tools/publish_run.py FOLDER`."""
    assert {path.name for path in folder.iterdir()} - {"validation.csv.gz", "report.html"} == FILES


def test_each_split_is_committed_once_and_used() -> None:
    used = {folds_file(read_json(folder, "env.json")["split_digest"]) for folder in [*RUNS, *VARIANTS]}
    assert {path.relative_to(RESULTS).as_posix() for path in RESULTS.glob("folds/*")} == used


def test_no_run_is_committed_twice() -> None:
    predictions = [(folder / "predictions.csv.gz").read_bytes() for folder in RUNS]
    assert len(set(predictions)) == len(predictions)


def test_headlines_name_committed_runs() -> None:
    named = read_headline_names(RESULTS)
    assert named
    assert set(named) <= {folder.name for folder in RUNS}


def test_the_results_are_light() -> None:
    files = [path for path in RESULTS.rglob("*") if path.is_file() and path.name != "report.html"]  # that is ignored
    assert sum(path.stat().st_size for path in files) <= MOST_BYTES
