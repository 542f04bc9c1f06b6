from pathlib import Path

import numpy as np
import pytest

import serkit
from serkit.errors import RunError
from serkit.lab.leaderboard import as_markdown, recompute
from serkit.lab.measure.intervals import bootstrap_interval
from serkit.lab.measure.metrics import confusion_matrix, macro_f1, uar, weighted_accuracy
from serkit.lab.measure.pooled_metrics import write_metrics
from serkit.lab.measure.run_folder import read_json, read_predictions, write_predictions
from serkit.lab.recipes.files import load_recipe
from support.leaderboard_runs import write_run
from support.run_folders import CLASSES, facts

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
RESULTS = Path(__file__).parents[3] / "results"
COMMITTED = sorted(path.parent for path in RESULTS.glob("*/metrics.json"))
each_result = pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.name)


# Recomputing


def test_numbers_recomputed_from_predictions_are_those_of_the_metrics(tmp_path: Path) -> None:
    found, stored = recompute(write_run(tmp_path)), read_json(tmp_path, "metrics.json")
    for name in stored.keys() - {"fits"}:
        assert found[name] == (pytest.approx(stored[name], abs=0.02) if name == "ece" else stored[name]), name


def test_predictions_decide_and_not_the_metrics(tmp_path: Path) -> None:
    write_run(tmp_path)
    changed = (tmp_path / "predictions.csv").read_text("utf-8").replace(",anger,anger,", ",anger,fear,")
    (tmp_path / "predictions.csv").write_text(changed, "utf-8")
    assert recompute(tmp_path)["uar"] < read_json(tmp_path, "metrics.json")["uar"]


def test_a_run_without_predictions_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run folder: it has no metrics\.json"):
        recompute(tmp_path)
    write_metrics(tmp_path, [], CLASSES, [], facts(protocol="all_speakers"))
    with pytest.raises(RunError, match=r"holds no predictions: it was trained, not evaluated\.$"):
        recompute(tmp_path)
    write_metrics(tmp_path, [], CLASSES, [], facts())
    with pytest.raises(RunError, match=r"holds no predictions: no fold is done yet\.$"):
        recompute(tmp_path)


def test_damaged_metrics_are_named(tmp_path: Path) -> None:
    write_run(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "toy"}', "utf-8")
    with pytest.raises(RunError, match=r"has a metrics\.json without protocol, is_speaker_independent"):
        recompute(tmp_path)
    (tmp_path / "metrics.json").write_text('{"name": "to', "utf-8")
    with pytest.raises(RunError, match=r"metrics\.json' is damaged"):
        recompute(tmp_path)


# Tables


def cells(markdown: str, name: str) -> list[str]:
    (line,) = (line for line in markdown.splitlines() if line.startswith(f"| {name}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_holds_protocol_classes_speakers_clips_seeds_and_numbers(tmp_path: Path) -> None:
    run = recompute(write_run(tmp_path))
    interval = f"{run['uar']:.1f} [{run['uar_low']:.1f}, {run['uar_high']:.1f}]"
    assert cells(as_markdown([run]), "toy-loso-crnn") == [
        "toy-loso-crnn", "leave one speaker out", "2", "7", "56", "2", interval,
        f"{run['wa']:.1f}", f"{run['macro_f1']:.1f}", "61.3~",
    ]  # fmt: skip


def test_a_table_has_as_many_cells_in_every_row(tmp_path: Path) -> None:
    table = as_markdown([recompute(write_run(tmp_path / name, name=name)) for name in ("a", "b")])
    assert {line.count("|") for line in table.splitlines()} == {11}
    assert table.splitlines()[1] == "|" + " --- |" * 10


def test_a_run_that_shares_speakers_is_marked(tmp_path: Path) -> None:
    fair = recompute(write_run(tmp_path / "fair"))
    leaky = write_run(tmp_path / "leaky", name="toy-random-crnn", protocol="random", is_speaker_independent=False)
    table = as_markdown([fair, recompute(leaky)])
    assert cells(table, "toy-random-crnn")[1] == "random **(shares speakers)**"
    assert table.count("shares speakers") == 1


def test_validation_on_sentences_of_training_speakers_is_marked(tmp_path: Path) -> None:
    table = as_markdown([recompute(write_run(tmp_path, validation="sentences"))])
    assert cells(table, "toy-loso-crnn")[1].endswith("(validated on held-out sentences of training speakers)")


def test_a_run_that_is_not_finished_is_marked(tmp_path: Path) -> None:
    table = as_markdown([recompute(write_run(tmp_path, complete=False))])
    assert cells(table, "toy-loso-crnn")[0] == "toy-loso-crnn (unfinished)"


def test_an_interval_that_tells_nothing_of_new_speakers_is_marked(tmp_path: Path) -> None:
    few, many = recompute(write_run(tmp_path / "few", name="few", speakers=2)), recompute(write_run(tmp_path / "many"))
    table = as_markdown([few, many])
    assert cells(table, "few")[6].endswith("]\\*")
    assert cells(table, "toy-loso-crnn")[6].endswith("]")
    assert table.endswith("\\* resampled over utterances within speakers: it tells nothing about new speakers.")
    assert "\\*" not in as_markdown([many])


def test_a_validation_uar_is_computed_anew_from_its_answers(tmp_path: Path) -> None:
    """And no longer marked as a mean over folds."""
    folder = write_run(tmp_path)
    rows, classes = read_predictions(folder)
    write_predictions(folder, rows, classes, "validation.csv")
    run = recompute(folder)
    assert run["validation_uar"] == run["uar"] != read_json(folder, "metrics.json")["validation_uar"]
    assert cells(as_markdown([run]), "toy-loso-crnn")[-1] == f"{run['uar']:.1f}"


def test_a_run_without_validation_has_an_empty_cell(tmp_path: Path) -> None:
    run = recompute(write_run(tmp_path)) | {"validation_uar": None}
    assert cells(as_markdown([run]), "toy-loso-crnn")[-1] == ""


# The committed runs


def is_saved_again(folder: Path, name: str) -> bool:
    """Whether a folder holds the headline that stands beside it under its own name, file by file."""
    original = folder.with_name(name)
    return folder.name.endswith("-best") and all(
        (original / file.name).read_bytes() == file.read_bytes() for file in folder.iterdir()
    )


@each_result
def test_a_committed_runs_numbers_follow_from_its_predictions(folder: Path) -> None:
    """Anew from the table, by the metrics alone; to the second decimal that is stored."""
    stored = read_json(folder, "metrics.json")
    if not stored["complete"]:
        pytest.skip(f"{folder.name} is not finished")
    rows, classes = read_predictions(folder)
    seeds = sorted({row.seed for row in rows})
    by_seed = [sorted((row for row in rows if row.seed == seed), key=lambda row: row.utterance) for seed in seeds]
    index = {name: i for i, name in enumerate(classes)}
    true = np.array([index[row.true] for row in by_seed[0]])
    predicted = np.array([[index[row.predicted] for row in of_seed] for of_seed in by_seed])
    speakers = np.array([row.speaker for row in by_seed[0]])
    confusions = [confusion_matrix(true, row, len(classes)) for row in predicted]
    for name, metric in (("uar", uar), ("wa", weighted_accuracy), ("macro_f1", macro_f1)):
        assert stored[name] == pytest.approx(100 * np.mean([metric(c) for c in confusions]), abs=0.0051)
    interval = bootstrap_interval(true, predicted, speakers, len(classes))
    assert stored["uar_low"] == pytest.approx(100 * interval.low, abs=0.0051)
    assert stored["uar_high"] == pytest.approx(100 * interval.high, abs=0.0051)
    assert stored["interval_over"] == interval.over


@each_result
def test_a_committed_run_is_complete_and_its_recipe_says_how_it_was_made(folder: Path) -> None:
    stored = read_json(folder, "metrics.json")
    if not stored["complete"]:
        pytest.skip(f"{folder.name} is not finished")
    recipe, environment = load_recipe(folder / "recipe.yaml"), read_json(folder, "env.json")
    assert stored["name"] == folder.name or is_saved_again(folder, stored["name"])
    assert {"manifest_digest", "serkit", "torch"} <= environment.keys()
    if stored["protocol"] != "unseen_corpus":  # the recipe of a model that is scored elsewhere is the model's
        assert recipe.name == stored["name"]
        assert stored["seeds"] == list(recipe.seeds)
        assert stored["corpora"] == list(recipe.corpora)


@each_result
def test_a_committed_run_shares_no_speaker_and_tests_each_utterance_once(folder: Path) -> None:
    stored = read_json(folder, "metrics.json")
    if not stored["complete"]:
        pytest.skip(f"{folder.name} is not finished")
    folds = read_json(folder, "folds.json")
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
