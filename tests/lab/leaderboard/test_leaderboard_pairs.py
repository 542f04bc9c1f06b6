"""Which runs meet, which of them leads, and how they differ."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serkit.errors import RunError
from serkit.lab.leaderboard import Board, as_markdown, as_sections, compare, not_measured, read_entry
from serkit.lab.measure.run_folder import read_json, read_predictions, write_json, write_predictions
from serkit.lab.measure.significance import paired_difference
from support.leaderboard_runs import entry, write_recipe, write_run
from support.run_folders import CLASSES
from support.sealed_runs import reseal, settle

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
LEAKY: dict[str, Any] = {"protocol": "random", "is_speaker_independent": False, "validation": "random"}


def names(board: Board) -> list[str]:
    return [one.name for one in board.entries]


def headlines(board: Board) -> list[str]:
    return [one.name for one in board.entries if board.is_headline(one)]


# Order and headline


def test_runs_of_one_group_stand_together_by_validation_uar(tmp_path: Path) -> None:
    board = compare([
        entry(tmp_path / "b", seen=50.0),
        entry(tmp_path / "leaky", seen=90.0, **LEAKY),
        entry(tmp_path / "kfold", seen=99.0, protocol="speaker_kfold"),
        entry(tmp_path / "none", seen=None),
        entry(tmp_path / "a", seen=70.0),
        entry(tmp_path / "other", seen=99.0, labels="others"),
    ])  # fmt: skip
    assert names(board) == ["other", "a", "b", "none", "kfold", "leaky"]
    assert [len(group) for group in board.groups()] == [1, 3, 1, 1]


def test_the_headline_has_the_highest_validation_uar_and_not_the_best_test(tmp_path: Path) -> None:
    best_tested = entry(tmp_path / "tested", seen=50.0, wrong=9)
    chosen = entry(tmp_path / "chosen", seen=60.0, wrong=3)
    assert best_tested.row["uar"] > chosen.row["uar"]
    board = compare([best_tested, chosen])
    assert headlines(board) == ["chosen"]
    assert board.families[0].reference is chosen
    assert "| **chosen** |" in as_sections(board)
    assert "highest validation UAR among complete, speaker-independent runs" in as_sections(board)


def test_a_leaking_an_unfinished_and_a_loosely_validated_run_lead_nothing(tmp_path: Path) -> None:
    not_pooled = entry(tmp_path / "mean", seen=96.0)
    not_pooled.row["is_validation_pooled"] = False
    board = compare([
        entry(tmp_path / "leaky", seen=99.0, is_speaker_independent=False),
        entry(tmp_path / "begun", seen=98.0, complete=False),
        entry(tmp_path / "loose", seen=97.0, validation="random"),
        entry(tmp_path / "words", seen=96.5, validation="sentences"),
        not_pooled,
        entry(tmp_path / "unseen", seen=None),
        entry(tmp_path / "fair", seen=60.0),
        entry(tmp_path / "worse", seen=50.0),
    ])  # fmt: skip
    assert headlines(board) == ["fair"]
    (fair,) = (family for family in board.families if family.comparisons)
    assert fair.reference.name == "fair"
    assert len(fair.comparisons) == 6


def test_of_equal_runs_and_of_runs_on_other_clips_none_leads(tmp_path: Path) -> None:
    one, two, worse = (entry(tmp_path / name, seen=seen) for name, seen in (("a", 70.0), ("b", 70.0), ("c", 60.0)))
    assert headlines(compare([one, two, worse])) == []
    elsewhere = entry(tmp_path / "d", seen=90.0, speakers=8)
    assert headlines(compare([one, elsewhere])) == []


def test_where_there_is_nothing_to_choose_there_is_no_headline(tmp_path: Path) -> None:
    one = entry(tmp_path / "one")
    assert headlines(compare([one])) == []
    assert headlines(compare([one, one])) == []
    assert "**" not in as_sections(compare([one]))


def test_a_headlines_name_stands_beside_its_run(tmp_path: Path) -> None:
    (tmp_path / "headlines.yaml").write_text("# comment\n\ntoy-best: crnn\nother-best: elsewhere\n", "utf-8")
    board = compare([entry(tmp_path / "crnn", seen=60.0), entry(tmp_path / "svm", seen=50.0, wrong=3)])
    assert names(board) == ["crnn", "svm"]
    assert "| **crnn (saved as toy-best)** |" in as_sections(board)
    assert "saved_as" not in board.entries[1].row


def test_a_run_may_be_asked_for_by_its_name_as_a_headline(tmp_path: Path) -> None:
    (tmp_path / "headlines.yaml").write_text("toy-best: crnn\n", "utf-8")
    runs = [entry(tmp_path / "crnn"), entry(tmp_path / "svm", seen=90.0, wrong=3)]
    assert compare(runs, against="toy-best").families[0].reference.name == "crnn"


@pytest.mark.parametrize("content", [b"- crnn\n", b"toy-best:\n  run: crnn\n", b"\xff"])
def test_headline_names_that_cannot_be_read_are_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "headlines.yaml").write_bytes(content)
    with pytest.raises(RunError, match=r"headlines\.yaml'"):
        compare([entry(tmp_path / "crnn")])


def test_cross_corpus_runs_are_grouped_by_what_is_trained_and_tested(tmp_path: Path) -> None:
    def across(name: str, train: str, test: str) -> Any:
        run = entry(tmp_path / name, protocol="cross_corpus")
        run.row.update(corpora=["emodb", "ravdess"], train_corpora=[train], test_corpora=[test])
        return run

    board = compare([across("a", "emodb", "ravdess"), across("b", "ravdess", "emodb"), across("c", "emodb", "ravdess")])
    assert [[one.name for one in group] for group in board.groups()] == [["a", "c"], ["b"]]
    assert "| cross corpus, emodb to ravdess |" in as_sections(board)


def test_the_sides_of_a_cross_corpus_run_are_read_from_its_metrics(tmp_path: Path) -> None:
    run = write_run(tmp_path, protocol="cross_corpus", train_corpora=["emodb"], test_corpora=["toy"])
    assert "| cross corpus, emodb to toy |" in as_markdown([read_entry(run).row])


@pytest.mark.parametrize(
    ("protocol", "shown"),
    [
        ("published_folds", "published folds"),
        ("leave_one_corpus_out", "leave one corpus out"),
        ("leave_one_session_out", "leave one session out"),
    ],
)
def test_other_protocols_are_named(tmp_path: Path, protocol: str, shown: str) -> None:
    assert f"| {shown} |" in as_sections(compare([entry(tmp_path / "one", protocol=protocol)]))


def test_fewer_training_speakers_are_said_and_are_no_twin_of_all(tmp_path: Path) -> None:
    few, leaky = entry(tmp_path / "few"), entry(tmp_path / "leaky", **LEAKY)
    write_recipe(few.folder, train={"lr": 2e-3}, protocol={"train_speakers": 4, "validation_speakers": 1})
    few = read_entry(settle(few.folder))
    assert "(4 training speakers)" in as_sections(compare([few]))
    assert few.row["fitted"] == leaky.row["fitted"]
    assert [leak.is_twin for leak in compare([few, leaky]).leaks] == [False]


# Differences


def test_a_run_is_compared_with_the_reference_on_the_same_utterances(tmp_path: Path) -> None:
    reference, other = entry(tmp_path / "ref", seen=70.0), entry(tmp_path / "other", seen=60.0, wrong=3)
    board = compare([other, reference])
    (family,) = board.families
    (found,) = family.comparisons
    assert (family.reference.name, found.run.name) == ("ref", "other")
    assert 100 * found.difference.value == pytest.approx(other.row["uar"] - reference.row["uar"], abs=0.02)
    a, b = other.answers, reference.answers
    assert a is not None
    assert b is not None
    expected = paired_difference(a.true, a.predicted, b.predicted, a.speakers, len(CLASSES))
    assert found.difference == expected
    assert found.p_holm == expected.p


def test_the_number_of_comparisons_is_said_and_p_corrected_for_it(tmp_path: Path) -> None:
    board = compare([entry(tmp_path / f"run{k}", seen=60.0 - k, wrong=5 - k) for k in range(4)])
    comparisons = board.families[0].comparisons
    assert "The last column is p corrected for 3 comparisons by Holm's method." in as_sections(board)
    p = [one.difference.p for one in comparisons]
    assert min(one.p_holm for one in comparisons) == pytest.approx(min(1.0, 3 * min(p)))
    assert all(one.p_holm >= one.difference.p for one in comparisons)


def test_one_comparison_needs_no_correction(tmp_path: Path) -> None:
    text = as_sections(compare([entry(tmp_path / "a"), entry(tmp_path / "b", wrong=3)]))
    assert "There is 1 comparison, so p needs no correction." in text


def test_protocols_may_differ_where_the_utterances_do_not(tmp_path: Path) -> None:
    board = compare([entry(tmp_path / "loso"), entry(tmp_path / "kfold", protocol="speaker_kfold", wrong=3)])
    assert len(board.families[0].comparisons) == 1


def test_a_reference_validated_on_other_corpora_gives_way(tmp_path: Path) -> None:
    far = entry(tmp_path / "far", seen=95.0, protocol="leave_one_corpus_out")
    near = entry(tmp_path / "near", seen=60.0, wrong=3)
    assert compare([far, near]).families[0].reference is near
    family = compare([far, entry(tmp_path / "far2", seen=90.0, protocol="leave_one_corpus_out")]).families[0]
    assert family.reference.name == "far"
    assert "validation corpora differ from the test corpora" in family.why


def test_runs_on_other_utterances_are_named_and_not_compared(tmp_path: Path) -> None:
    board = compare([entry(tmp_path / "a"), entry(tmp_path / "b"), entry(tmp_path / "fewer", speakers=6)])
    assert [one.name for one in board.uncompared] == ["fewer"]
    assert as_sections(board).count("no other run predicted the same clips with the same classes: fewer.") == 1
    assert "Not compared" not in as_sections(compare([entry(tmp_path / "a")]))


def test_other_classes_are_not_compared(tmp_path: Path) -> None:
    one, other = entry(tmp_path / "one"), entry(tmp_path / "other")
    text = (other.folder / "predictions.csv").read_text("utf-8").replace("calm", "boredom")
    (other.folder / "predictions.csv").write_text(text, "utf-8")
    board = compare([one, read_entry(settle(other.folder))])
    assert not any(family.comparisons for family in board.families)
    assert len(board.uncompared) == 2


def test_the_order_of_classes_is_no_difference(tmp_path: Path) -> None:
    one, other = entry(tmp_path / "one"), entry(tmp_path / "other")
    rows, _ = read_predictions(other.folder)
    rows = [replace(row, probabilities=row.probabilities[::-1]) for row in rows]
    write_predictions(other.folder, rows, tuple(reversed(CLASSES)))
    (found,) = compare([one, read_entry(settle(other.folder))]).families[0].comparisons
    assert (found.difference.value, found.difference.p) == (0, 1)


def test_utterances_tested_in_several_folds_are_not_compared(tmp_path: Path) -> None:
    one, twice = entry(tmp_path / "one"), entry(tmp_path / "twice")
    lines = (twice.folder / "predictions.csv").read_text("utf-8").splitlines()
    again = [re.sub(r"^(([^,]*,){3})\d+", r"\g<1>99", line) for line in lines[1:]]  # in one more fold
    (twice.folder / "predictions.csv").write_text("\n".join([*lines, *again, ""]), "utf-8")
    read = read_entry(settle(twice.folder))
    assert read.answers is None
    assert [run.name for run in compare([one, read]).uncompared] == ["one", "twice"]


def test_few_speakers_are_marked(tmp_path: Path) -> None:
    text = as_sections(compare([entry(tmp_path / "a", speakers=2), entry(tmp_path / "b", speakers=2, wrong=3)]))
    section = text.split("## Differences on the same clips")[1]
    assert "]\\* |" in section
    assert "\\* resampled over utterances within speakers: this interval does not cover new speakers." in section


def test_runs_without_validation_are_compared_with_the_first(tmp_path: Path) -> None:
    family = compare([entry(tmp_path / name, seen=None) for name in "ba"]).families[0]
    assert (family.reference.name, family.why) == ("a", "the first run; none has a validation UAR to choose by")


# --against


def test_the_reference_may_be_chosen_by_name_or_folder(tmp_path: Path) -> None:
    runs = [entry(tmp_path / "a", seen=70.0), entry(tmp_path / "b", wrong=3), entry(tmp_path / "c", wrong=4)]
    for against in ("b", tmp_path / "b", str(tmp_path / "b")):
        (family,) = compare(runs, against=against).families
        assert (family.reference.name, family.why) == ("b", "as requested")
        assert [one.run.name for one in family.comparisons] == ["a", "c"]


def test_a_reference_outside_joins_the_runs(tmp_path: Path) -> None:
    write_run(tmp_path / "more", name="more", wrong=3)
    board = compare([entry(tmp_path / "a")], against=tmp_path / "more")
    assert sorted(names(board)) == ["a", "more"]
    assert board.families[0].reference.name == "more"


def test_a_reference_that_nothing_can_be_compared_with_is_refused(tmp_path: Path) -> None:
    runs = [entry(tmp_path / "a"), entry(tmp_path / "b")]
    with pytest.raises(RunError, match=r"^--against 'c': no run has this name\. Name one of the runs, or a run folder"):
        compare(runs, against="c")
    with pytest.raises(RunError, match=r"no run has this name; did you mean 'alpha'"):
        compare([*runs, entry(tmp_path / "alpha")], against="alpa")
    other = entry(tmp_path / "other", speakers=6, labels="strange")
    same = r"same utterances and audio with the same classes \(label set 'strange', 48 utterances\)"
    with pytest.raises(RunError, match=same):
        compare([*runs, other], against="other")
    with pytest.raises(RunError, match=r"this run shares speakers .* is in the table of speaker leaks\.$"):
        compare([*runs, entry(tmp_path / "leaky", **LEAKY)], against="leaky")
    with pytest.raises(RunError, match="is not a run folder"):
        compare(runs, against=tmp_path)


# The leak


def test_the_leak_is_told_with_its_paired_interval_and_is_no_improvement(tmp_path: Path) -> None:
    fair, leaky = entry(tmp_path / "fair", wrong=3), entry(tmp_path / "leaky", wrong=9, **LEAKY)
    board = compare([fair, leaky, entry(tmp_path / "other", lr=1e-3)])
    (leak,) = board.leaks
    assert (leak.fair.name, leak.leaky.name, leak.is_twin) == ("fair", "leaky", True)
    assert leak.difference is not None
    assert 100 * leak.difference.value == pytest.approx(leaky.row["uar"] - fair.row["uar"], abs=0.02)
    text = as_sections(board)
    section = text.split("## Effect of shared speakers")[1].split("##")[0]
    gap = f"{leaky.row['uar'] - fair.row['uar']:+.1f} ["
    assert f"| fair | leaky | {fair.row['uar']:.1f} | {leaky.row['uar']:.1f} | {gap}" in section
    assert "not an improvement" in section
    assert "leaky" not in text.split("## Differences on the same clips")[1].split("\n## ")[0]


def test_a_leak_that_does_not_help_has_its_sign(tmp_path: Path) -> None:
    text = as_sections(compare([entry(tmp_path / "fair", wrong=9), entry(tmp_path / "leaky", wrong=3, **LEAKY)]))
    assert "+-" not in text
    assert "| -" in text.split("## Effect of shared speakers")[1]


@pytest.mark.parametrize(("key", "before"), [
    ("accumulate", "accumulate: 1\n"), ("sampling", "sampling: natural\n"), ("copies", "copies: null\n"),
    ("workers", "workers: 0\n"), ("trackers", "trackers: []\n"),
])  # fmt: skip
def test_an_older_recipe_without_a_setting_is_the_twin_of_a_newer_one_with_its_default(
    tmp_path: Path, key: str, before: str
) -> None:
    fair, leaky = entry(tmp_path / "fair"), entry(tmp_path / "leaky", wrong=3, **LEAKY)
    recipe = leaky.folder / "recipe.yaml"
    lines = recipe.read_text("utf-8").splitlines(keepends=True)
    older = [line for line in lines if line.strip() != before.strip()]
    assert len(older) == len(lines) - 1
    recipe.write_text("".join(older), "utf-8")
    (leak,) = compare([fair, read_entry(reseal(leaky.folder))]).leaks
    assert leak.is_twin
    recipe.write_text("".join(lines).replace(before, f"{key}: 7\n"), "utf-8")
    (leak,) = compare([fair, read_entry(reseal(leaky.folder))]).leaks
    assert leak.is_twin == (key == "workers")


@pytest.mark.parametrize("trackers", ["trackers:\n  - mlflow\n", "trackers:\n  - mlflow\n  - wandb\n"])
def test_who_tracks_a_run_changes_no_fit(tmp_path: Path, trackers: str) -> None:
    fair, leaky = entry(tmp_path / "fair"), entry(tmp_path / "leaky", wrong=3, **LEAKY)
    recipe = leaky.folder / "recipe.yaml"
    recipe.write_text(recipe.read_text("utf-8").replace("trackers: []\n", trackers), "utf-8")
    assert read_entry(reseal(leaky.folder)).row["fitted"] == fair.row["fitted"]


def test_without_a_twin_the_leak_is_set_against_the_reference_and_says_so(tmp_path: Path) -> None:
    runs = [entry(tmp_path / "a", seen=50.0, lr=1e-3), entry(tmp_path / "b", seen=60.0, lr=5e-3, wrong=3)]
    board = compare([*runs, entry(tmp_path / "leaky", **LEAKY)])
    (leak,) = board.leaks
    assert (leak.fair.name, leak.is_twin) == ("b", False)
    assert "other model or settings" in as_sections(board)


def test_a_twin_on_other_clips_has_no_interval(tmp_path: Path) -> None:
    board = compare([entry(tmp_path / "fair", speakers=6), entry(tmp_path / "leaky", **LEAKY)])
    (leak,) = board.leaks
    assert leak.is_twin
    assert leak.difference is None
    assert "| tested on other clips of the same corpora |" in as_sections(board)


def test_across_corpora_a_twin_must_have_the_same_clips(tmp_path: Path) -> None:
    far = entry(tmp_path / "far", speakers=6, protocol="leave_one_corpus_out")
    assert not compare([far, entry(tmp_path / "leaky", **LEAKY)]).leaks


def test_runs_that_all_leak_are_compared_among_themselves(tmp_path: Path) -> None:
    board = compare([entry(tmp_path / "a", seen=50.0, **LEAKY), entry(tmp_path / "b", seen=60.0, wrong=3, **LEAKY)])
    (family,) = board.families
    assert family.reference.name == "b"
    assert "sharing speakers" in as_sections(board)
    assert not board.leaks
    assert not board.headlines


# What validation promises


def test_validation_on_training_speakers_is_set_beside_validation_on_new_ones(tmp_path: Path) -> None:
    strict = entry(tmp_path / "strict", seen=60.0)
    loose = entry(tmp_path / "loose", seen=99.0, validation="random", wrong=4)
    board = compare([strict, loose, entry(tmp_path / "other", lr=1e-3, validation="random")])
    assert [(a.name, b.name) for a, b in board.validation_pairs] == [("strict", "loose")]
    section = as_sections(board).split("## Validation on training speakers")[1]
    for run, speakers in ((strict, "new speakers"), (loose, "training speakers")):
        seen, uar = run.row["validation_uar"], run.row["uar"]
        assert f"| {run.name} | {speakers} | {seen:.1f} | {uar:.1f} | {seen - uar:+.1f} |" in section


# What could not be measured


def test_what_is_not_measured_is_read_beside_the_runs(tmp_path: Path) -> None:
    run = entry(tmp_path / "here")
    assert not_measured([run]) == []
    table = tmp_path / "not-measured.csv"
    table.write_text("recipe,why\n", "utf-8")
    assert not_measured([run]) == []
    table.write_text('recipe,why\niemocap-crnn,"no IEMOCAP, no access"\nhere,measured since\n', "utf-8")
    assert not_measured([run]) == [("iemocap-crnn", "no IEMOCAP, no access")]


@pytest.mark.parametrize("text", ["name,why\na,b\n", "recipe,why\na\n", "recipe,why\na,\n"])
def test_a_damaged_table_of_what_is_not_measured_is_named(tmp_path: Path, text: str) -> None:
    run = entry(tmp_path / "here")
    (tmp_path / "not-measured.csv").write_text(text, "utf-8")
    with pytest.raises(RunError, match=r"not-measured\.csv' is damaged: expected the columns recipe,why"):
        not_measured([run])


def test_answers_are_those_of_whole_seeds(tmp_path: Path) -> None:
    run = entry(tmp_path / "run")
    lines = (run.folder / "predictions.csv").read_text("utf-8").splitlines()
    (run.folder / "predictions.csv").write_text("\n".join([*lines[:-8], ""]), "utf-8")  # the last seed lacks a fold
    write_json(run.folder, "metrics.json", read_json(run.folder, "metrics.json") | {"complete": False})
    answers = read_entry(settle(run.folder)).answers
    assert answers is not None
    assert run.answers is not None
    assert np.array_equal(answers.predicted, run.answers.predicted[:1])
