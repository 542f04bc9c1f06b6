import base64
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from sklearn import metrics as oracle

from serkit.data.corpora import get_corpus
from serkit.errors import CorpusError, DrawingError, RunError
from serkit.lab.measure.intervals import bootstrap_interval
from serkit.lab.measure.metrics import brier_score, expected_calibration_error, macro_f1, weighted_accuracy
from serkit.lab.measure.run_folder import VALIDATED, Row, read_json, write_json, write_predictions
from serkit.lab.pages import markup
from serkit.lab.report import breakdown, run_contents, sections, write_figures, write_report
from serkit.lab.report.figures import draw_reliability, draw_risk_coverage, figures_of
from serkit.lab.report.first_screen import remarks, verdict
from serkit.lab.report.protocol_section import protocol_section
from serkit.lab.report.report_page import report_page
from serkit.lab.report.run_contents import RunContents, read_run
from support.bare import LAB, NOT_INSTALLED, python
from support.run_folders import CLASSES, EPOCHS, KEPT, predictions, write_run
from support.sealed_runs import reseal, rotated, settle

pytestmark = pytest.mark.usefixtures("quick_bootstrap", "quick_intervals")
RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture(scope="module")
def quick_intervals() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_contents, "bootstrap_interval", partial(bootstrap_interval, draws=50))
        yield


@pytest.fixture
def without_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are made without drawing, which takes most of the time."""
    monkeypatch.setattr(markup, "as_svg", lambda make, name, label: f"<svg aria-label='{label}'></svg>")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two seeds and histories. Read only."""
    return write_run(tmp_path_factory.mktemp("runs") / "toy", predictions(seeds=(0, 1)), epochs=EPOCHS)


@pytest.fixture(scope="module")
def run(folder: Path, quick_bootstrap: None) -> RunContents:
    return read_run(folder)


@pytest.fixture(scope="module")
def page(folder: Path, tmp_path_factory: pytest.TempPathFactory, quick_bootstrap: None, quick_intervals: None) -> str:
    path = write_report(folder, out=tmp_path_factory.mktemp("pages") / "page.html")
    return path.read_text("utf-8")


def text_of(content: str) -> str:
    """Return what is read of a piece of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", content)).strip()


def cells(table: str) -> dict[str, list[str]]:
    """Return the rows of the tables in a piece of a page by their first cells."""
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table)]
    return {text_of(first): [text_of(cell) for cell in rest] for first, *rest in rows}


def marks_of(run: RunContents) -> dict[str, str]:
    """Return the marks of a run: text to tone."""
    return {text_of(str(text)): tone for tone, text in remarks(run)}


# The Brier score


def test_the_brier_score_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    probabilities, true = rng.dirichlet(np.ones(5), 200), rng.integers(0, 5, 200)
    expected = oracle.brier_score_loss(true, probabilities, labels=range(5))
    assert brier_score(probabilities, true) == pytest.approx(expected, abs=1e-12)


def test_the_brier_score_is_0_for_sure_and_right_and_2_for_sure_and_wrong() -> None:
    sure = np.eye(3)
    assert brier_score(sure, np.arange(3)) == 0
    assert brier_score(sure, np.array([1, 2, 0])) == 2
    assert np.isnan(brier_score(np.empty((0, 3)), np.empty(0, np.int64)))


# Numbers


def test_scores_of_classes_are_those_of_scikit_learns_report(run: RunContents) -> None:
    """Mean over seeds, over the two classes of the reference, to 1e-12."""
    reports = [
        oracle.classification_report(run.answers.true, row, labels=[0, 1], target_names=CLASSES[:2], output_dict=True)
        for row in run.answers.predicted
    ]
    found, macro, weighted = breakdown.per_class(run.answers)
    assert [score.name for score in found] == ["anger", "fear"], "calm is never spoken"
    for score in (*found, macro, weighted):
        theirs = [report[score.name.replace("average", "avg")] for report in reports]
        for name, key in (("precision", "precision"), ("recall", "recall"), ("f1", "f1-score")):
            assert getattr(score, name) == pytest.approx(np.mean([one[key] for one in theirs]), abs=1e-12)
        assert score.support == theirs[0]["support"]


def test_the_macro_averages_are_uar_and_macro_f1_of_the_tables(run: RunContents) -> None:
    _, macro, weighted = breakdown.per_class(run.answers)
    assert 100 * macro.recall == pytest.approx(run.numbers["uar"], abs=0.0051)
    assert 100 * macro.f1 == pytest.approx(run.numbers["macro_f1"], abs=0.0051)
    assert 100 * weighted.recall == pytest.approx(run.numbers["wa"], abs=0.0051)


def test_a_class_that_is_never_answered_has_precision_0(tmp_path: Path) -> None:
    rows = [Row(f"toy/{i}", "toy", f"toy/{i}", i, 0, CLASSES[i % 2], "anger", (0.8, 0.1, 0.1)) for i in range(8)]
    (_, fear), _, _ = breakdown.per_class(read_run(write_run(tmp_path, rows)).answers)
    assert (fear.precision, fear.recall, fear.f1, fear.support) == (0, 0, 0, 4)


def test_scores_of_speakers_are_those_of_scikit_learn(run: RunContents) -> None:
    speakers = run.answers.each("speaker")
    for group in breakdown.per_group(run.answers, "speaker"):
        own = speakers == group.name
        assert group.clips == own.sum() == 6
        right = [oracle.accuracy_score(run.answers.true[own], row[own]) for row in run.answers.predicted]
        recall = [
            oracle.recall_score(run.answers.true[own], row[own], labels=[0, 1], average="macro", zero_division=0)
            for row in run.answers.predicted
        ]
        assert group.accuracy == pytest.approx(np.mean(right), abs=1e-12)
        assert group.uar == pytest.approx(np.mean(recall), abs=1e-12)


def test_folds_stand_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, predictions(speakers=11, each=2)))
    assert [group.name for group in breakdown.per_group(run.answers, "fold")] == [str(n) for n in range(11)]


def test_the_gaps_of_the_diagram_add_up_to_the_calibration_error(run: RunContents) -> None:
    """Over the answers of all seeds together, to 1e-12."""
    bins = breakdown.reliability(run.answers)
    gaps = np.nansum(np.abs(bins.confidence - bins.accuracy) * bins.share)
    together = run.answers.probabilities.reshape(-1, len(CLASSES)), np.tile(run.answers.true, 2)
    assert gaps == pytest.approx(expected_calibration_error(*together), abs=1e-12)
    assert bins.share.sum() == pytest.approx(1)


def test_intervals_are_those_of_the_bootstrap(run: RunContents) -> None:
    for name, metric in (("wa", weighted_accuracy), ("macro_f1", macro_f1)):
        found = run.intervals[name]
        speakers = run.answers.each("speaker")
        expected = bootstrap_interval(run.answers.true, run.answers.predicted, speakers, 3, metric=metric, draws=50)
        assert found == expected


def test_the_confusion_matrix_is_the_mean_over_seeds(run: RunContents) -> None:
    theirs = [oracle.confusion_matrix(run.answers.true, row, labels=range(3)) for row in run.answers.predicted]
    assert (breakdown.mean_confusion(run.answers) == np.mean(theirs, axis=0)).all()


def test_the_errors_shown_are_the_surest_and_each_utterance_stands_once(run: RunContents) -> None:
    found = breakdown.confident_errors(run.answers, 5)
    wrong = [row for rows in run.answers.by_seed for row in rows if row.true != row.predicted]
    assert max(found[0].probabilities) == max(max(row.probabilities) for row in wrong)
    assert [max(row.probabilities) for row in found] == sorted((max(row.probabilities) for row in found), reverse=True)
    assert len({row.utterance for row in found}) == 5


def test_the_drawn_answers_are_always_the_same(run: RunContents) -> None:
    first = breakdown.drawn_answers(run.answers, 20)
    assert first == breakdown.drawn_answers(run.answers, 20)
    assert len(first) == 20
    assert len(breakdown.drawn_answers(run.answers, 1000)) == len(run.answers.rows)


def test_predictions_decide_and_not_the_metrics(tmp_path: Path) -> None:
    before = read_run(write_run(tmp_path))
    stored = read_json(tmp_path, "metrics.json")
    write_json(tmp_path, "metrics.json", stored | {"uar": 99.9, "wa": 99.9, "confusion": []})
    after = read_run(tmp_path, unsealed=True)
    assert "99.9" not in verdict(after)
    assert after.numbers == before.numbers | {"unsealed": "metrics.json was edited after serkit sealed the run"}


# What validation promised


def with_validation(folder: Path, *, temperature: float = 1.0, is_wrong: bool = False) -> Path:
    """Write a run that validated each fold on the clips of the next, each fit with this temperature."""
    rows = predictions()
    if is_wrong:
        rows = [replace(row, true="fear" if row.predicted == "anger" else "anger") for row in rows]
    write_run(folder, rows)
    write_predictions(folder, [replace(row, fold=(row.fold - 1) % 7) for row in rows], CLASSES, VALIDATED)
    settle(folder)
    stored = read_json(folder, "metrics.json")
    fits = [fit | {"temperature": temperature} for fit in stored["fits"]]
    write_json(folder, "metrics.json", stored | {"fits": fits})
    return reseal(folder)


def calibration_of(run: RunContents) -> str:
    return text_of(sections.calibration(run, figures_of(run)))


@pytest.mark.usefixtures("without_figures")
def test_calibration_before_the_temperature_is_told_where_there_was_one(tmp_path: Path) -> None:
    run = read_run(with_validation(tmp_path, temperature=2.0))
    before = run.before_temperature
    assert before is not None
    error = expected_calibration_error(before.probabilities[0], before.true)
    expected = f"calibration error {100 * error:.1f} %, Brier score {breakdown.brier_of(before):.3f}."
    assert (
        f"Before temperature scaling, which each fit learned on its validation speakers: {expected}"
        in calibration_of(run)
    )
    labels = [text.get_text() for text in draw_reliability(run).legends[0].get_texts()]
    assert "before temperature scaling" in labels


@pytest.mark.usefixtures("without_figures")
def test_where_no_temperature_changed_anything_there_is_no_before(tmp_path: Path) -> None:
    run = read_run(with_validation(tmp_path))
    assert run.before_temperature is None
    assert "Before temperature scaling" not in calibration_of(run)
    labels = [text.get_text() for text in draw_reliability(run).legends[0].get_texts()]
    assert labels == ["perfect calibration", "mean confidence of a bar"]


def test_the_curve_of_errors_ends_at_the_error_rate_of_all_answers(run: RunContents) -> None:
    curve = breakdown.error_curve(run.answers)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(1 - run.numbers["wa"] / 100, abs=1e-4)


@pytest.mark.usefixtures("without_figures")
def test_the_threshold_of_validation_is_marked_and_told(tmp_path: Path) -> None:
    run = read_run(with_validation(tmp_path))
    found = run.transfer.selection
    assert found is not None
    told = (
        f"{100 * found.coverage:.1f} % of the test predictions reach it, "
        f"and {100 * found.error:.1f} % of these are wrong."
    )
    assert told in calibration_of(run)
    (axes,) = draw_risk_coverage(run).axes
    (mark,) = (line for line in axes.lines if line.get_label() == "threshold from validation")
    assert [*mark.get_xdata(), *mark.get_ydata()] == [100 * found.coverage, 100 * found.error]


@pytest.mark.usefixtures("without_figures")
def test_without_a_threshold_or_validation_answers_none_is_marked(tmp_path: Path) -> None:
    poor = read_run(with_validation(tmp_path / "poor", is_wrong=True))
    assert "No such threshold exists, or no test prediction reaches it." in calibration_of(poor)
    bare = read_run(write_run(tmp_path / "bare"))
    assert "The run did not store its validation predictions, so there is no threshold to test." in calibration_of(bare)
    for run, labels in ((poor, {"by confidence", "goal: 25 % error"}), (bare, {"by confidence"})):
        assert {text.get_text() for text in draw_risk_coverage(run).legends[0].get_texts()} == labels


def test_damaged_validation_answers_are_named(tmp_path: Path) -> None:
    folder = with_validation(tmp_path)
    path = folder / VALIDATED
    path.write_text(path.read_text("utf-8").replace(",calm\n", ",joy\n", 1).replace("calm", "joy"), "utf-8")
    with pytest.raises(RunError, match=r"validation\.csv' is damaged: its classes differ from those of predictions"):
        read_run(folder)


# The first screen


def test_the_verdict_names_score_interval_speakers_utterances_classes_protocol_and_seeds(run: RunContents) -> None:
    n = run.numbers
    assert text_of(verdict(run)) == (
        f"UAR {n['uar']:.1f} % [{n['uar_low']:.1f}, {n['uar_high']:.1f}] (chance 50.0 %) on 7 unseen speakers, "
        "42 utterances, 2 classes, toy, leave one speaker out, mean over seeds 0, 1."
    )


def test_a_run_without_a_leak_says_what_was_checked(run: RunContents) -> None:
    assert marks_of(run) == {"No leak found: no test speaker or utterance is in training or validation.": "good"}


def test_a_run_that_shares_speakers_is_marked_loudly(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, is_speaker_independent=False, protocol="random", validation="random"))
    assert "unseen" not in verdict(run)
    assert "on 7 speakers who are also in training" in verdict(run)
    (leak, validation), tones = marks_of(run), list(marks_of(run).values())
    assert leak.startswith("Not speaker-independent.")
    assert validation.startswith("Validated on random clips of training speakers")
    assert tones == ["bad", "warn"]


def test_speakers_that_the_folds_share_are_found_whatever_the_metrics_say(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, leaking=["toy/03"]), unsealed=True)
    assert "Leak. 1 test speaker is also in training or validation: toy/03." in marks_of(run)
    assert "unseen" not in verdict(run)


def test_utterances_that_the_folds_share_are_found(tmp_path: Path) -> None:
    write_run(tmp_path)
    folds = read_json(tmp_path, "folds.json")
    folds[0]["train"]["utterances"] += folds[0]["test"]["utterances"][:2]
    write_json(tmp_path, "folds.json", folds)
    found = marks_of(read_run(tmp_path, unsealed=True))
    assert "Leak. 2 test utterances are also in training or validation: toy/00-000, toy/00-001." in found


def test_what_the_guard_counted_is_shown_and_shared_sentences_are_no_leak(tmp_path: Path) -> None:
    guard = {"shared_speakers": 0, "identical_recordings": 0, "shared_sentences": 42, "test_utterances": 42}
    run = read_run(write_run(tmp_path, guard=guard))
    assert list(marks_of(run).values()) == ["good"]
    card = cells(protocol_section(run))
    assert card["test clips whose sentence is also there"] == ["42 of 42 (not a leak, but the words are known)"]
    assert card["test clips whose audio is also there"] == ["0 of 42"]
    heard = read_run(write_run(tmp_path, guard=guard | {"are_fingerprints_compared": True}))
    assert cells(protocol_section(heard))["test clips whose audio is also there"] == [
        "0 of 42 (by acoustic fingerprints)"
    ]
    assert "utterance or recording (by acoustic fingerprint)" in " ".join(marks_of(heard))
    copied = read_run(write_run(tmp_path, guard=guard | {"identical_recordings": 3}))
    assert "Leak. The audio of 3 test utterances is in training or validation." in marks_of(copied)


def test_what_was_not_recorded_is_said(run: RunContents) -> None:
    card = cells(protocol_section(run))
    assert card["test clips whose audio is also there"] == ["not recorded"]
    assert card["split digest"] == [run.environment["split_digest"]]
    assert card["manifest digest"] == ["f00d"]
    assert card["folds"] == ["7; speakers per fold: training 5, validation 1, test 1"]


def test_validation_on_sentences_or_none_is_marked(tmp_path: Path) -> None:
    for validation, words in (("sentences", "held-out sentences"), ("none", "No validation")):
        found = marks_of(read_run(write_run(tmp_path, validation=validation)))
        assert [tone for text, tone in found.items() if words in text] == ["warn"]


def test_few_speakers_are_marked(tmp_path: Path) -> None:
    found = marks_of(read_run(write_run(tmp_path, predictions(speakers=3))))
    assert (
        found["Fewer than six speakers: the interval is resampled over clips and does not cover new speakers."]
        == "warn"
    )


@pytest.mark.usefixtures("without_figures")
def test_an_unfinished_run_is_reported_with_a_mark(tmp_path: Path) -> None:
    rows = [row for row in predictions(seeds=(0, 1)) if row.seed == 0 or row.fold < 3]
    run = read_run(write_run(tmp_path, rows, complete=False))
    assert marks_of(run)["Unfinished: 7 of 7 folds are finished, and seed 1 is left out. The numbers will change."]
    assert text_of(verdict(run)).endswith("seed 0.")
    assert "Unfinished" in report_page(run)


def test_best_and_worst_class_and_the_most_frequent_confusion_are_told(tmp_path: Path) -> None:
    answers = ["anger"] * 7 + ["fear"] + ["fear"] * 5 + ["anger"] * 3
    true = ["anger"] * 8 + ["fear"] * 8
    rows = [
        Row(f"toy/{i:02d}", "toy", f"toy/{i}", i, 0, is_true, answer, (0.4, 0.4, 0.2))
        for i, (is_true, answer) in enumerate(zip(true, answers, strict=True))
    ]
    assert sections.words(read_run(write_run(tmp_path, rows))) == (
        "The best recognized class is anger (recall 87.5 %), the worst fear (62.5 %). The most frequent confusion: 3 "
        "of 8 clips of fear are predicted as anger (38 %)."
    )


# The details


def test_training_validation_and_test_accuracy_stand_in_one_table(run: RunContents) -> None:
    """The histories grow to their end; the kept epoch is the third of four."""
    rows = cells(sections.accuracies(run))
    grown = (KEPT + 1) / (EPOCHS + 1)
    assert rows["training"][:2] == [f"{100 * grown:.1f}", "–"]  # noqa: RUF001
    assert rows["validation"][:2] == [f"{100 * (0.9 * grown + 0.003):.1f}", "60.0"]
    assert rows["test"][:2] == [f"{run.numbers['wa']:.1f}", f"{run.numbers['uar']:.1f}"]
    assert rows["validation"][2] == "mean of 14 fits at the kept epoch, which was chosen by validation"


def test_stored_validation_answers_say_what_validation_was(tmp_path: Path) -> None:
    """Of an ensemble they are the common answer's, and its members' histories say nothing of that."""
    folder, rows = write_run(tmp_path, epochs=EPOCHS, members=2, model="ensemble"), predictions(skill=0.9)
    write_predictions(folder, rotated(rows), CLASSES, VALIDATED)
    row = cells(sections.accuracies(read_run(settle(folder))))["validation"]
    assert row[0] == f"{100 * np.mean([row.true == row.predicted for row in rows]):.1f}"
    assert row[2] == "pooled over folds, at the kept epoch, which was chosen by validation"


@pytest.mark.usefixtures("without_figures")
def test_without_histories_their_numbers_are_not_recorded(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path))
    rows = cells(sections.accuracies(run))
    assert rows["training"][0] == rows["validation"][0] == "not recorded"
    assert text_of(sections.curves(run, {})) == "Not recorded: the run folder holds no training histories."
    assert "Training curves" in report_page(run)


@pytest.mark.usefixtures("without_figures")
def test_histories_without_accuracy_have_curves_of_the_rest(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, epochs=EPOCHS, is_measured=False))
    assert cells(sections.accuracies(run))["training"][0] == "not recorded"
    page = report_page(run)
    assert "Accuracy by epoch was not recorded." in page
    assert "Loss by epoch" in page
    assert "<figcaption>Accuracy by epoch." not in page


def test_a_classical_model_has_no_curves(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, epochs=1, model="svm"))
    assert text_of(sections.curves(run, {})).startswith("No curves: the model was fitted in a single step")
    assert cells(sections.accuracies(run))["training"][0] == "50.0"


@pytest.mark.usefixtures("without_figures")
def test_an_ensembles_members_each_have_a_history(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, epochs=EPOCHS, members=3, model="ensemble"))
    assert len(run.histories) == 21
    assert {history.kept for history in run.histories} == {KEPT}
    assert "Each thin line is one of 21 fits" in report_page(run)


@pytest.mark.usefixtures("without_figures")
def test_a_run_without_validation_has_no_validation_numbers(tmp_path: Path) -> None:
    write_run(tmp_path, epochs=EPOCHS, validation="none")
    for path in tmp_path.rglob("history.csv"):
        table = [line.split(",") for line in path.read_text("utf-8").splitlines()]
        for row in table[1:]:
            row[3] = row[4] = row[7] = "nan"
        path.write_text("\n".join(map(",".join, table)), "utf-8")
    stored = read_json(tmp_path, "metrics.json")
    fits = [fit | {"validation_uar": None} for fit in stored["fits"]]
    write_json(tmp_path, "metrics.json", stored | {"validation_uar": None, "fits": fits})
    run = read_run(reseal(tmp_path))
    assert cells(sections.accuracies(run))["validation"][0] == "not recorded"
    page = report_page(run)
    assert "UAR by epoch" not in page
    assert "Loss by epoch" in page


@pytest.mark.usefixtures("without_figures")
def test_several_corpora_each_have_a_row(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, predictions(corpora=("toy", "ravdess")), corpora=["toy", "ravdess"]))
    assert "RAVDESS + toy" in verdict(run)
    assert cells(sections.per_corpus(run))["RAVDESS"][:2] == ["7", "42"]
    assert ">Corpora</h2>" in report_page(run)


def test_long_tables_are_folded_away(tmp_path: Path) -> None:
    run = read_run(write_run(tmp_path, predictions(speakers=40, each=2)))
    content = sections.speakers_and_folds(run, empty_figure)
    assert "<summary>all 40 speakers</summary>" in content


def empty_figure() -> Any:
    from serkit.lab.pages.drawing import new_figure

    return new_figure(1)


# The page


def test_a_page_needs_nothing_else(page: str) -> None:
    assert "http:" not in page
    assert "https:" not in page
    assert not re.search(r"<(script|link|iframe|object|img)\b|@import|url\((?!#)", page)
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert targets
    assert all(target.startswith("#") for target in targets)
    ids = set(re.findall(r'\bid="([^"]*)"', page))
    assert {target[1:] for target in targets} <= ids
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= ids


def test_a_page_has_every_section_and_figure(page: str) -> None:
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == [
        "Protocol", "Training, validation, test", "Classes", "Speakers and folds", "Training curves", "Calibration",
        "Most confident errors", "Predicted and true class",
    ]  # fmt: skip
    assert page.count("<svg") == 8
    assert page.count("<svg") == page.count('role="img" aria-label="')


def test_figures_follow_the_readers_colors(page: str) -> None:
    """No color of the palette is left in a figure, and each is a variable of the style sheet in both modes."""
    figures = "".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    used = set(re.findall(r"var\(--(\w+)\)", figures))
    assert used >= {"ink", "muted", "grid", "right", "wrong", "first", "second"}
    assert not re.findall(r"#[0-9a-f]{6}\b(?!\")", re.sub(r"#000000", "", figures))
    assert all(markup.STYLE.count(f"--{name}:") == 2 for name in used)


def test_a_page_is_well_formed(page: str) -> None:
    """Each element is closed, as XML has it."""
    body = page[page.index("<main>") : page.index("</main>") + len("</main>")]
    ElementTree.fromstring(body.replace("xlink:href", "href"))


def test_a_report_is_the_same_each_time(folder: Path, page: str, tmp_path: Path) -> None:
    assert write_report(folder, out=tmp_path / "again.html").read_text("utf-8") == page


def test_names_are_escaped_and_mathematics_is_text(tmp_path: Path) -> None:
    classes = ("<b>anger</b>", "a & b", "$x$")
    rows = [
        Row(f"toy/<{i}>", "toy", f"toy/$s_{i}&", i, 0, classes[i % 2], classes[i % 3], (0.3333,) * 3) for i in range(7)
    ]
    write_run(tmp_path, rows, classes=classes, name="<script>alert(1)</script>")
    page = write_report(tmp_path).read_text("utf-8")
    assert "<script" not in page
    assert "<b>anger" not in page
    assert "&lt;b&gt;anger&lt;/b&gt;" in page
    ElementTree.fromstring(page[page.index("<main>") : page.index("</main>") + 7].replace("xlink:href", "href"))


# Figures as files


def test_figures_are_written_as_files(folder: Path, tmp_path: Path) -> None:
    names = [
        "confusion_shares", "confusion_counts", "curves_loss", "curves_accuracy", "curves_uar", "speakers",
        "reliability", "risk_coverage",
    ]  # fmt: skip
    paths = write_figures(folder, tmp_path / "new", format="svg")
    assert [path.name for path in paths] == [f"{name}.svg" for name in names]
    assert all(ElementTree.parse(path).getroot().tag.endswith("svg") for path in paths)
    with pytest.raises(DrawingError, match=r"cannot draw figures as 'gif': the format must be png or svg\."):
        write_figures(folder, tmp_path, format="gif")  # type: ignore[arg-type]


def test_figures_are_png_by_default(tmp_path: Path) -> None:
    paths = write_figures(write_run(tmp_path / "run"), tmp_path)
    assert [path.suffix for path in paths] == [".png"] * 5
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)


# Players


@pytest.fixture(scope="module")
def emodb_run(emodb_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on synthetic EmoDB in which every answer is anger, but for one utterance that is not there. Read only."""
    manifest = get_corpus("emodb").manifest(emodb_dir)
    classes = tuple(sorted({u.emotion for u in manifest}))
    given = tuple(0.9 if name == "anger" else 0.1 / (len(classes) - 1) for name in classes)
    rows = [Row(u.id, "emodb", u.speaker, 0, 0, u.emotion, "anger", given) for u in manifest]
    sure = tuple(1.0 if name == "anger" else 0.0 for name in classes)
    rows.append(Row("emodb/gone", "emodb", "emodb/03", 0, 0, "fear", "anger", sure))
    return write_run(tmp_path_factory.mktemp("runs") / "emodb", rows, classes=classes, corpora=["emodb"])


@pytest.mark.usefixtures("without_figures")
def test_players_hold_the_audio_itself(emodb_run: Path, emodb_dir: Path) -> None:
    page = report_page(read_run(emodb_run), {"emodb": emodb_dir})
    sources = re.findall(r'<audio[^>]* src="data:audio/ogg;base64,([^"]+)"', page)
    assert len(sources) == 9, "ten errors are shown, and one is not there"
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sources[0])))
    assert rate == 16_000
    assert samples.ndim == 1
    assert np.abs(samples).max() > 0.01
    assert "1 recording could not be found or decoded." in page
    assert "Contains audio of EmoDB, license CC0-1.0." in page


@pytest.mark.usefixtures("without_figures")
def test_without_data_the_table_says_how_to_get_players(emodb_run: Path) -> None:
    page = report_page(read_run(emodb_run))
    assert "<audio" not in page
    assert "Contains audio" not in page
    assert "To add audio players: <code>serkit report RUN --audio --data DIR</code>" in page
    assert "emodb/gone" in page


def test_a_license_that_forbids_is_told(tmp_path: Path, ravdess_dir: Path) -> None:
    from serkit.lab.report.audio_players import embed_audio

    manifest = get_corpus("ravdess").manifest(ravdess_dir)
    rows = [Row(u.id, "ravdess", u.speaker, 0, 0, "anger", "fear", (0.1, 0.9)) for u in manifest.utterances[:2]]
    sounds = embed_audio(rows, ["ravdess"], {"ravdess": ravdess_dir})
    assert sections.license_remarks(sounds) == [
        ("bad", "Contains audio of RAVDESS, license CC-BY-NC-SA-4.0: do not redistribute.")
    ]
    assert sounds.missing == 0


def test_a_player_holds_ten_seconds_at_most(tmp_path: Path) -> None:
    from serkit.lab.report.audio_players import embed_audio

    (tmp_path / "anger").mkdir()
    soundfile.write(tmp_path / "anger" / "long.wav", np.full(12 * 8_000, 0.1), 8_000)
    row = Row("own/anger/long", "own", "own/unknown", 0, 0, "anger", "fear", (0.1, 0.9))
    from serkit.data.corpora import read_corpora

    (utterance,) = read_corpora(["own"], {"own": tmp_path})
    row = Row(utterance.id, "own", utterance.speaker, 0, 0, "anger", "fear", (0.1, 0.9))
    sounds = embed_audio([row], ["own"], {"own": tmp_path})
    (source,) = sounds.sources.values()
    samples, _ = soundfile.read(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    assert len(samples) == pytest.approx(160_000, abs=2_000)


def test_data_that_is_not_there_is_named(emodb_run: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no folder for EmoDB"):
        write_report(emodb_run, out=tmp_path / "page.html", data=tmp_path)
    assert not (tmp_path / "page.html").exists()


# What is no run


def test_what_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run folder: there is no such folder\.$"):
        write_report(tmp_path / "absent")
    with pytest.raises(RunError, match=r"is not a run folder: it has no metrics\.json\.$"):
        write_report(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"is not a run folder: it is a file\.$"):
        write_report(tmp_path / "file")


def test_a_run_without_predictions_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no predictions: no fold is finished yet\.$"):
        write_report(write_run(tmp_path, [], complete=False))
    with pytest.raises(RunError, match=r"it was trained, not evaluated\.$"):
        write_report(write_run(tmp_path, [], protocol="all_speakers"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("predictions.csv", b"\xff\xfe\x00", r"predictions\.csv' is damaged"),
        ("predictions.csv", b"a,b\n1,2\n", "is not a table of predictions"),
        ("predictions.csv", b"utterance,corpus,speaker,fold,seed,true,predicted,anger\nx,t,t/1,0,0,anger,anger,nan\n",
         "a probability is not between 0 and 1"),
        ("predictions.csv", b"utterance,corpus,speaker,fold,seed,true,predicted,anger\nx,t,t/1,0,0,anger\n", "row 1"),
        ("metrics.json", b"[]", r"metrics\.json' is damaged"),
        ("metrics.json", b"{", r"metrics\.json' is damaged"),
        ("folds.json", b"[{}]", r"folds\.json' is damaged"),
        ("env.json", b"3", r"env\.json' is damaged"),
        ("fold_0/seed_0/history.csv", b"epoch,lr\n0,x\n", r"history\.csv' is damaged"),
        ("fold_0/seed_0/history.csv", b"", r"history\.csv' is damaged"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    write_run(tmp_path, epochs=2)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError, match=words) as caught:
        write_report(tmp_path)
    assert str(caught.value).count("\n") == 0
    assert not (tmp_path / "report.html").exists()


def test_a_seed_that_tested_other_utterances_than_the_first_is_left_out(tmp_path: Path) -> None:
    write_run(tmp_path, predictions(seeds=(0, 1)))
    path = tmp_path / "predictions.csv"
    text = path.read_text("utf-8")
    path.write_text(text.replace("toy/00-000,toy,toy/00,0,1", "toy/00-zzz,toy,toy/00,0,1"), "utf-8")
    run = read_run(tmp_path, unsealed=True)
    assert (run.answers.seeds, run.left_out, run.numbers["seeds"]) == ((0,), (1,), [0])


# Without optional packages


def test_a_report_needs_matplotlib_and_no_lab(folder: Path, tmp_path: Path) -> None:
    code = "import sys; from serkit.lab.report import write_report; print(write_report(sys.argv[1], out=sys.argv[2]))"
    done = python(code, folder, tmp_path / "a.html", without=(*LAB, "pandas", "sklearn", "librosa"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "a.html").is_file()
    done = python(code, folder, tmp_path / "b.html", without=NOT_INSTALLED)
    assert done.stderr.strip().endswith("drawing needs an optional part: pip install 'serkit[plot]'")
    assert not (tmp_path / "b.html").exists()


# The committed runs


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("place", sorted(RESULTS.glob("*/metrics.json")), ids=lambda place: place.parent.name)
def test_a_committed_run_can_be_reported(place: Path) -> None:
    run = read_run(place.parent)
    page = report_page(run)
    assert f"UAR {run.numbers['uar']:.1f} %" in page
    is_marked = "Not speaker-independent." in page
    assert is_marked is not run.numbers["is_speaker_independent"]
