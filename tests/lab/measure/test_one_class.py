"""A model that answers one class for nearly everything is said to have learned nothing."""

from pathlib import Path

import pytest

from serkit.lab.measure.one_class import chance_of, one_class_remark, remark_on_run
from serkit.lab.measure.run_folder import VALIDATED, Row, write_predictions

CLASSES = ("anger", "neutral", "sadness")


def rows(*answers: tuple[str, str], fold: int = 0, seed: int = 0) -> list[Row]:
    """Return a prediction for each pair of true and predicted class."""
    return [
        Row(f"own/{fold}-{i}", "own", f"own/{fold}", fold, seed, true, predicted, (0.2, 0.5, 0.3))
        for i, (true, predicted) in enumerate(answers)
    ]


def balanced(answer: str, *, count: int = 4, fold: int = 0) -> list[Row]:
    return rows(*((true, answer) for true in CLASSES for _ in range(count)), fold=fold)


def test_one_class_for_everything_is_said_with_chance_and_what_to_try() -> None:
    remark = one_class_remark(balanced("neutral"))
    assert remark.startswith("every answer is 'neutral': the model has learned nothing (chance is 33.3); ")
    for setting in ("train.epochs", "train.lr", "train.class_weights", "normalized features"):
        assert setting in remark


def test_nine_in_ten_answers_are_said_with_their_number() -> None:
    found = balanced("neutral", count=10)
    found[:2] = rows(("anger", "anger"), ("anger", "sadness"))
    assert one_class_remark(found).startswith("28 of 30 answers are 'neutral': the model has learned next to nothing")


def test_each_fold_with_another_class_is_said() -> None:
    """Pooled over folds, such a run names every class."""
    found = [row for fold, answer in enumerate(CLASSES) for row in balanced(answer, fold=fold)]
    assert one_class_remark(found).startswith(
        "3 of 3 models answer one class for nine in ten clips or more, such as 'anger' in fold 0 of seed 0: "
        "they have learned nothing (chance is 33.3)"
    )


def test_a_model_without_epochs_is_not_told_to_train_longer() -> None:
    remark = one_class_remark(balanced("neutral"), model="svm")
    assert "train.epochs" not in remark
    assert "train.class_weights" in remark


@pytest.mark.parametrize(
    "found",
    [
        [],
        rows(*((name, name) for name in CLASSES for _ in range(4))),
        rows(*(("neutral", "neutral"),) * 38, ("anger", "anger"), ("sadness", "sadness")),  # most clips are neutral
        rows(*(("neutral", "neutral"),) * 12),  # all clips are
        rows(("anger", "neutral"), ("anger", "neutral"), ("sadness", "sadness")),
    ],
    ids=["none", "right", "imbalanced", "one true class", "few"],
)
def test_what_is_right_or_too_little_is_not_said(found: list[Row]) -> None:
    assert one_class_remark(found) == ""


def test_a_run_without_a_test_is_judged_by_its_validation(tmp_path: Path) -> None:
    write_predictions(tmp_path, balanced("sadness"), CLASSES, VALIDATED)
    assert "every answer is 'sadness'" in remark_on_run(tmp_path)
    write_predictions(tmp_path, balanced("anger", fold=1), CLASSES)
    assert "every answer is 'anger'" in remark_on_run(tmp_path)
    assert "every answer is 'sadness'" in remark_on_run(tmp_path, fold=0, seed=0)
    assert remark_on_run(tmp_path, fold=5, seed=0) == ""


def test_chance_is_one_of_the_classes_that_occur() -> None:
    assert chance_of(["a", "b", "a", "c"]) == pytest.approx(100 / 3)
