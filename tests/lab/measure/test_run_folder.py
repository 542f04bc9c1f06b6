import gzip
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from serkit.errors import RunError
from serkit.lab.measure import run_folder
from serkit.lab.measure.pooled_metrics import measure, measure_validation
from serkit.lab.measure.run_folder import (
    Fit,
    Row,
    read_fit,
    read_fits,
    read_json,
    read_predictions,
    write_json,
    write_predictions,
)
from serkit.lab.measure.seeds import whole_seeds
from support.metrics_file import write_metrics

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
CLASSES = ("anger", "fear", "calm")
FACTS = {"name": "toy-loso-crnn", "complete": True}
FIT = Fit(fold=0, seed=0, kept=3, epochs=5, validation_uar=60.0, temperature=1.1, seconds=2.0)
# Corpus and fold, what was said, what was heard: six right answers of eight, calm heard but never said.
ANSWERS = (
    ("a", 0, "anger", "anger"),
    ("a", 0, "anger", "calm"),
    ("b", 1, "anger", "anger"),
    ("b", 1, "anger", "anger"),
    ("b", 1, "fear", "fear"),
    ("b", 1, "fear", "anger"),
    ("b", 1, "fear", "fear"),
)


def one_hot(name: str) -> tuple[float, ...]:
    return tuple(float(name == other) for other in CLASSES)


def run(seed: int = 0) -> list[Row]:
    return [
        Row(f"{corpus}/{i}", corpus, f"{corpus}/01", fold, seed, true, predicted, one_hot(predicted))
        for i, (corpus, fold, true, predicted) in enumerate(ANSWERS)
    ]


def all_right(seed: int) -> list[Row]:
    return [replace(row, predicted=row.true, probabilities=one_hot(row.true)) for row in run(seed)]


# predictions.csv

names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r"), min_size=1, max_size=8)
row = st.builds(
    Row,
    utterance=names,
    corpus=names,
    speaker=names,
    fold=st.integers(0, 30),
    seed=st.integers(0, 9),
    true=st.sampled_from(CLASSES),
    predicted=st.sampled_from(CLASSES),
    probabilities=st.tuples(*[st.floats(0, 1)] * 3),
)


@given(rows=st.lists(row, max_size=5, unique_by=lambda r: (r.seed, r.fold, r.utterance)))
def test_predictions_are_read_back_with_four_decimals(
    rows: list[Row], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_predictions(folder, rows, CLASSES)
    found, classes = read_predictions(folder)
    expected = [replace(r, probabilities=tuple(float(f"{p:.4f}") for p in r.probabilities)) for r in rows]
    assert found == sorted(expected, key=lambda r: (r.seed, r.fold, r.utterance))
    assert classes == CLASSES


def row_of(utterance: str, *, fold: int = 0, seed: int = 0, true: str = "fear") -> Row:
    return Row(utterance, "a", "a/01", fold, seed, true, true, (0.2, 0.6, 0.2))


def test_seeds_that_tested_other_folds_are_not_scored_against_each_other(tmp_path: Path) -> None:
    """Two folds side by side, and two seeds each of which has finished another of them."""
    rows = [
        *(row_of(f"a/{i}", fold=0, seed=0, true="fear") for i in range(4)),
        *(row_of(f"b/{i}", fold=1, seed=1, true="anger") for i in range(4)),
    ]
    found = measure(rows, CLASSES)
    assert (found["seeds"], found["uar"], found["utterances"]) == ([0], 100.0, 4)
    assert [*whole_seeds([*rows, row_of("b/9", fold=1, seed=1)])] == [1]
    assert whole_seeds([]) == {}


@pytest.mark.parametrize(("text", "message"), [
    ("{row}\n{row}\n", r"predictions\.csv' is damaged: it has two rows for a/0 in fold 0 of seed 0\.$"),
    ("a/0,a,a/01,0,0,fear,fear,0.2,nan,0.2\n", r"row 1: a probability is not between 0 and 1\.$"),
    ("a/0,a,a/01,0,0,fear,fear,0.2,1.6,0.2\n", r"row 1: a probability is not between 0 and 1\.$"),
    ("a/\xe9,a,a/01,0,0,fear,fear,0.2,0.6,0.2\n", r"predictions\.csv' is damaged \('utf-8' codec can't decode"),
])  # fmt: skip
def test_a_damaged_table_of_predictions_is_named(tmp_path: Path, text: str, message: str) -> None:
    write_predictions(tmp_path, [row_of("a/0")], CLASSES)
    path = tmp_path / "predictions.csv"
    head, row = path.read_text("utf-8").splitlines()
    path.write_text(head + "\n" + text.format(row=row), "latin-1")
    with pytest.raises(RunError, match=message):
        read_predictions(tmp_path)


@pytest.mark.parametrize("fits", [None, 3, [{"fold": 0, "of a newer serkit": 1}], ["a"]])
def test_fits_that_cannot_be_read_are_named(tmp_path: Path, fits: Any) -> None:
    assert read_fits(tmp_path) == []
    (tmp_path / "metrics.json").write_text(json.dumps({"fits": fits}), "utf-8")
    with pytest.raises(RunError, match=r"metrics\.json' is damaged, or written by another version of serkit"):
        read_fits(tmp_path)


def test_predictions_are_a_table_with_one_column_per_class(tmp_path: Path) -> None:
    write_predictions(tmp_path, [Row("a/0", "a", "a/01", 2, 1, "fear", "anger", (0.61239, 0.3, 0.08761))], CLASSES)
    assert (tmp_path / "predictions.csv").read_text("utf-8") == (
        "utterance,corpus,speaker,fold,seed,true,predicted,anger,fear,calm\n"
        "a/0,a,a/01,2,1,fear,anger,0.6124,0.3000,0.0876\n"
    )


def test_predictions_are_sorted_by_seed_fold_and_utterance(tmp_path: Path) -> None:
    rows = run(0) + run(1)
    write_predictions(tmp_path, rows[::-1], CLASSES)
    assert read_predictions(tmp_path)[0] == rows


def test_a_run_without_predictions_has_none(tmp_path: Path) -> None:
    assert read_predictions(tmp_path) == ([], ())


@pytest.mark.parametrize("text", ["", "file,emotion\na.wav,anger\n", "utterance,corpus,speaker,fold,true\n"])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "predictions.csv").write_text(text, "utf-8")
    with pytest.raises(RunError, match="is not a table of predictions: its columns must begin utterance,corpus,"):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "a/0,a,a/01,0,0,fear,anger,0.6,0.3",  # cut off
        "a/0,a,a/01,0,0,fear,anger,0.6,0.3,0.1,0.0",
        "a/0,a,a/01,0,zero,fear,anger,0.6,0.3,0.1",
        "a/0,a,a/01,0,0,fear,anger,0.6,0.3,much",
        "a/0,a,a/01,0,0,fear,angry,0.6,0.3,0.1",
        "a/0,a,a/01,0,0,surprise,anger,0.6,0.3,0.1",
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, line: str) -> None:
    write_predictions(tmp_path, run()[:1], CLASSES)
    with (tmp_path / "predictions.csv").open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(RunError, match=r"predictions\.csv, row 2: "):
        read_predictions(tmp_path)


# Other files of a run


def test_a_folder_that_is_no_run_says_what_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"is not a run folder: it has no metrics\.json\.$"):
        read_json(tmp_path, "metrics.json")


def test_json_is_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "new folder", "env.json", {"speaker": "Müller", "numbers": [1, 2.5, None]})
    assert read_json(tmp_path / "new folder", "env.json") == {"speaker": "Müller", "numbers": [1, 2.5, None]}
    assert [path.name for path in (tmp_path / "new folder").iterdir()] == ["env.json"]


def test_metrics_hold_the_facts_the_numbers_and_every_fit(tmp_path: Path) -> None:
    fits = [replace(FIT, fold=1, seed=0, validation_uar=70.0), FIT]
    content = write_metrics(tmp_path, run(), CLASSES, fits, FACTS)
    assert read_json(tmp_path, "metrics.json") == content
    rows = [
        {name: value for name, value in asdict(fit).items() if name not in ("members", "settings")}
        for fit in (FIT, fits[0])
    ]
    means = {"validation_uar": 65.0, "is_validation_pooled": False, "is_epoch_chosen": True}
    assert content == FACTS | measure(run(), CLASSES) | means | {"fits": rows}


def test_metrics_without_validation_say_so(tmp_path: Path) -> None:
    content = write_metrics(tmp_path, run(), CLASSES, [replace(FIT, validation_uar=None)], FACTS)
    assert content["validation_uar"] is None


def test_metrics_of_a_trained_model_have_no_test_numbers(tmp_path: Path) -> None:
    nothing = {"validation_uar": None, "is_validation_pooled": False, "is_epoch_chosen": False, "fits": []}
    assert write_metrics(tmp_path, [], CLASSES, [], FACTS) == FACTS | nothing


def test_validation_is_pooled_over_folds_and_its_mean_taken_over_seeds() -> None:
    """Two folds whose validation speakers lack a class each: the mean of their UARs would be another number."""
    fits = [replace(FIT, fold=fold, seed=seed, validation_uar=10.0) for fold in (0, 1) for seed in (0, 1)]
    true, answered = ["a", "a", "b", "b", "b", "c"], {0: ["a", "b", "b", "c", "b", "c"], 1: ["a"] * 6}
    rows = [
        Row(f"u{i}", "toy", "s", i // 3, seed, true[i], predicted[i], (0.5, 0.3, 0.2))
        for seed, predicted in answered.items() for i in range(6)
    ]  # fmt: skip
    found = measure_validation(rows, ("a", "b", "c"), fits)
    scores = [100 * balanced_accuracy_score(true, predicted) for predicted in answered.values()]
    assert found["validation_uar"] == round(sum(scores) / 2, 2)
    assert found["is_validation_pooled"]
    lacking = measure_validation([row for row in rows if row.seed == 0], ("a", "b", "c"), fits)
    assert (lacking["validation_uar"], lacking["is_validation_pooled"]) == (10.0, False)


def test_metrics_are_json_for_everyone(tmp_path: Path) -> None:
    """No NaN, which JSON does not have."""
    write_metrics(tmp_path, run()[:1], CLASSES, [FIT], FACTS)

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((tmp_path / "metrics.json").read_text("utf-8"), parse_constant=refuse)


# Numbers


def test_numbers_of_one_seed_are_pooled_over_folds() -> None:
    found = measure(run(), CLASSES)
    # anger 3 of 4, fear 2 of 3; calm does not count, since nobody said it
    assert found["uar"] == pytest.approx(100 * (3 / 4 + 2 / 3) / 2, abs=0.005)
    assert found["wa"] == pytest.approx(100 * 5 / 7, abs=0.005)
    assert found["macro_f1"] == pytest.approx(100 * (6 / 8 + 4 / 5) / 2, abs=0.005)
    assert found["ece"] == pytest.approx(100 * 2 / 7, abs=0.005)  # always sure
    assert found["recall"] == {"anger": 75.0, "fear": 66.67}
    assert found["confusion"] == [[3, 0, 1], [1, 2, 0], [0, 0, 0]]
    assert (found["classes"], found["seeds"]) == (list(CLASSES), [0])
    assert (found["utterances"], found["speakers"]) == (7, 2)


def test_each_fold_and_corpus_has_its_own_numbers() -> None:
    found = measure(run(), CLASSES)
    assert found["uar_per_fold"] == [50.0, 83.33]
    assert (found["uar_fold_mean"], found["uar_fold_deviation"]) == (66.67, 16.67)
    assert {name: row["uar"] for name, row in found["per_corpus"].items()} == {"a": 50.0, "b": 83.33}
    assert {name: row["utterances"] for name, row in found["per_corpus"].items()} == {"a": 2, "b": 5}


def test_the_interval_says_what_it_is_over() -> None:
    found = measure(run(), CLASSES)
    assert found["uar_low"] <= found["uar"] <= found["uar_high"]
    assert found["interval_over"] == "utterances within speakers"
    rows = [replace(row, speaker=f"a/{i}") for i, row in enumerate(run())]
    assert measure(rows, CLASSES)["interval_over"] == "speakers"


def test_numbers_of_several_seeds_are_averaged() -> None:
    one, found = measure(run(), CLASSES), measure(run(0) + all_right(4), CLASSES)
    assert found["seeds"] == [0, 4]
    for name in ("uar", "wa", "macro_f1"):
        assert found[name] == pytest.approx((one[name] + 100) / 2, abs=0.011)
    assert found["uar_deviation_over_seeds"] == pytest.approx((100 - one["uar"]) / 2, abs=0.011)
    assert found["uar_per_fold"] == pytest.approx([75.0, 91.67], abs=0.011)
    assert found["utterances"] == 7, "utterances are counted once"
    assert found["recall"]["anger"] == 87.5


def test_a_seed_that_is_not_done_is_left_out() -> None:
    assert measure(run(0) + all_right(1)[:-1], CLASSES) == measure(run(0), CLASSES)


def test_an_unfinished_run_is_measured_on_what_there_is() -> None:
    found = measure(run()[:2], CLASSES)
    assert (found["uar"], found["utterances"], found["recall"]) == (50.0, 2, {"anger": 50.0})


def test_numbers_do_not_depend_on_the_order_of_rows() -> None:
    rows = run(0) + all_right(1)
    assert measure(rows[::-1], CLASSES) == measure(rows, CLASSES)


# What others could plant


def test_a_spreadsheet_runs_no_name_and_predictions_come_back(tmp_path: Path) -> None:
    classes = ("=1+1", "@x")
    rows = [Row("-own/a", "own", "+anna", 0, 0, "=1+1", "@x", (0.25, 0.75))]
    write_predictions(tmp_path, rows, classes)
    text = (tmp_path / "predictions.csv").read_text("utf-8")
    assert text.splitlines()[1] == "'-own/a,own,'+anna,0,0,'=1+1,'@x,0.2500,0.7500"
    assert read_predictions(tmp_path) == (rows, classes)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"temperature": float("nan")}, "temperature is nan, not a number"),
        ({"temperature": float("inf")}, "temperature is inf, not a number"),
        ({"validation_uar": "60"}, "validation_uar is '60', not a number"),
        ({"seconds": None}, "seconds is None, not a number"),
        ({"kept": 1.5}, "kept is 1.5, not a whole number"),
        ({"epochs": True}, "epochs is True, not a whole number"),
        ({"members": 3}, "members is 3"),
    ],
)
def test_a_fit_whose_numbers_are_none_is_one_sentence(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    write_json(tmp_path, "metrics.json", {"fits": [asdict(FIT) | change]})
    with pytest.raises(RunError, match=rf"metrics\.json' is damaged, or .*its fits: {why}"):
        read_fits(tmp_path)
    write_json(tmp_path, "fit.json", asdict(FIT) | change)
    with pytest.raises(RunError, match=rf"fit\.json' is damaged \({why}"):
        read_fit(tmp_path / "fit.json")


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"fits": ' + b"1" * 5000 + b"}", b"\xff\xfe{\0", b"\x89PNG"])
def test_json_that_would_crash_python_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "metrics.json").write_bytes(content)
    with pytest.raises(RunError, match=r"metrics\.json' is damaged"):
        read_fits(tmp_path)


def test_a_packed_table_that_would_fill_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_folder, "_MOST_UNPACKED", 10**6)
    (tmp_path / "predictions.csv.gz").write_bytes(gzip.compress(b"0" * (10**6 + 1)))
    with pytest.raises(RunError, match="grows to more than"):
        read_predictions(tmp_path)
