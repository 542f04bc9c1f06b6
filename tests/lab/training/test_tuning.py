import json
import re
from pathlib import Path
from typing import Any

import pytest

from serkit.errors import MissingExtraError, ProtocolError, RecipeError, RunError
from serkit.lab.exporting.model_file import export
from serkit.lab.measure.run_folder import read_json
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.splits.folds import Fold
from serkit.lab.training import hearing, tuning
from serkit.lab.training.prepare import check_recipe
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.run import fit_final, run_protocol
from serkit.lab.training.tuning import search, with_settings
from support.toy import manifest, speaker, tiny_recipe, tiny_settings

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")
PEOPLE = manifest(*(speaker(f"toy/{i}") for i in range(8)))
FOLD = Fold(
    0,
    tuple(u.id for u in PEOPLE if u.speaker < "toy/5"),
    tuple(u.id for u in PEOPLE if u.speaker == "toy/5"),
    tuple(u.id for u in PEOPLE if u.speaker > "toy/5"),
)
SPACE = {"train.lr": {"low": 1e-4, "high": 1e-1, "log": True}, "train.batch_size": [16, 32]}


def tuned_recipe(**changes: Any) -> Recipe:
    return resolve_recipe(tiny_recipe(tune={"space": SPACE, "trials": 4, "inner_folds": 2, **changes})).recipe


def hill(recipe: Recipe, fold: Fold, scratch: Path) -> float:
    """The best rate is a hundredth."""
    return 1 - abs(recipe.train.lr - 0.01) - (0.1 if recipe.train.batch_size == 32 else 0)


def test_the_search_finds_the_top_of_a_hill(tmp_path: Path) -> None:
    found = search(tuned_recipe(trials=40), PEOPLE, FOLD, seed=0, folder=tmp_path, score=hill)
    assert found["train.lr"] == pytest.approx(0.01, abs=0.005)
    assert found["train.batch_size"] == 16
    assert len(json.loads((tmp_path / "trials.json").read_text())) == 40


def test_no_trial_sees_a_test_speaker(tmp_path: Path) -> None:
    seen: list[Fold] = []

    def remember(recipe: Recipe, fold: Fold, scratch: Path) -> float:
        seen.append(fold)
        return 0.5

    search(tuned_recipe(), PEOPLE, FOLD, seed=0, folder=tmp_path, score=remember)
    side = {*FOLD.train, *FOLD.validation}
    assert len(seen) == 4 * 2
    for fold in seen:
        assert {*fold.train, *fold.validation} == side
        speakers = [{i.rsplit("-", 1)[0] for i in part} for part in (fold.train, fold.validation)]
        assert not speakers[0] & speakers[1]


@pytest.mark.parametrize("kill_at", [1, 3, 5])
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path: Path, kill_at: int) -> None:
    whole = search(tuned_recipe(trials=12), PEOPLE, FOLD, seed=3, folder=tmp_path / "whole", score=hill)
    left = [2 * kill_at + 1]

    def killed(recipe: Recipe, fold: Fold, scratch: Path) -> float:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return hill(recipe, fold, scratch)

    with pytest.raises(KeyboardInterrupt):
        search(tuned_recipe(trials=12), PEOPLE, FOLD, seed=3, folder=tmp_path / "killed", score=killed)
    assert search(tuned_recipe(trials=12), PEOPLE, FOLD, seed=3, folder=tmp_path / "killed", score=hill) == whole
    one, other = ((tmp_path / name / "trials.json").read_text() for name in ("whole", "killed"))
    assert one == other


def test_a_tuned_run_says_what_each_fold_chose_and_becomes_a_file(ravdess_dir: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        tune={"space": {"model.dropout": [0.1, 0.3], "train.lr": [1e-3, 1e-2]}, "trials": 2, "inner_folds": 2}
    )
    data = {"ravdess": ravdess_dir}
    metrics = run_protocol(recipe, data, tmp_path / "run")
    for fit in metrics["fits"]:
        assert set(fit["settings"]) == {"model.dropout", "train.lr"}
        folder = tmp_path / "run" / f"fold_{fit['fold']}" / "seed_0"
        trials = json.loads((folder / "trials.json").read_text())
        assert fit["settings"] in [trial["settings"] for trial in trials]
        assert not (folder / "trial").exists()
    again = run_protocol(recipe, data, tmp_path / "run")
    assert again["fits"] == metrics["fits"]
    fit_final(recipe, data, tmp_path / "final")
    assert read_json(tmp_path / "final", "metrics.json")["fits"][0]["settings"]
    assert export(tmp_path / "final", tmp_path / "model.onnx") < 1e-4


@pytest.mark.parametrize(
    ("tune", "message"),
    [
        ({"space": {}}, "tune.space: Dictionary should have at least 1 item"),
        ({"space": {"features.bands": [1, 2]}}, "'features.bands' cannot be searched"),
        ({"space": {"augment.speeds": [1, 2]}}, "'augment.speeds' cannot be searched"),
        ({"space": {"train.lr": [1e-3]}}, "train.lr: name at least two values, or low and high"),
        ({"space": {"train.lr": {"low": 1, "high": 0.1}}}, "low must be below high"),
        ({"space": {"train.lr": {"low": 0, "high": 0.1, "log": True}}}, "above 0 with log: true"),
        ({"space": SPACE, "inner_folds": 1}, "tune.inner_folds: Input should be greater than or equal to 2"),
    ],
)
def test_an_impossible_search_is_refused_by_the_recipe(tune: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        parse_recipe(tiny_settings() | {"tune": tune})


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"train.lrr": [1, 2]}, "tune.space: train.lrr cannot be 1: train has no key 'lrr'; did you mean 'lr'?"),
        ({"train.lr": [1, -1]}, "tune.space: train.lr cannot be -1: train.lr: Input should be greater than 0"),
        ({"model.kernels": [1, 2]}, "tune.space: model.kernels cannot be 1: model: crnn has no setting 'kernels'"),
    ],
)
def test_an_impossible_value_is_refused_before_audio_is_read(space: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        check_recipe(resolve_recipe(tiny_recipe(tune={"space": space})))


def test_two_values_that_exclude_each_other_score_nothing(tmp_path: Path) -> None:
    space = {"train.class_weights": [True, False], "train.sampling": ["natural", "balanced"]}
    found = search(tuned_recipe(space=space, trials=12), PEOPLE, FOLD, seed=0, folder=tmp_path, score=hill)
    trials = json.loads((tmp_path / "trials.json").read_text())
    excluded = [t for t in trials if t["settings"] == {"train.class_weights": True, "train.sampling": "balanced"}]
    assert excluded
    assert all(trial["uar"] == 0 for trial in excluded)
    assert found not in [trial["settings"] for trial in excluded]


def test_what_a_model_ignores_or_speakers_do_not_allow_is_refused_before_audio_is_read(
    emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any) -> Any:
        raise AssertionError("nothing may be decoded yet")

    monkeypatch.setattr(hearing, "open_store", fail)
    settings = tiny_settings(corpora=["emodb"], labels="emodb", protocol={"validation_speakers": 1})
    many = parse_recipe(settings | {"tune": {"space": SPACE, "inner_folds": 50}})
    with pytest.raises(ProtocolError, match="50 inner folds need as many training speakers"):
        run_protocol(many, {"emodb": emodb_dir}, tmp_path / "run")
    ignored = {"model": "svm", "features": "statistics", "tune": {"space": {"train.lr": [1e-3, 1e-2]}}}
    plain = {key: settings[key] for key in ("name", "corpora", "labels", "protocol")}
    with pytest.raises(RecipeError, match="svm is fitted at once and would ignore it"):
        run_protocol(parse_recipe(plain | ignored), {"emodb": emodb_dir}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_ensemble_is_not_tuned() -> None:
    ensemble = {"name": "ensemble", "members": ["crnn"]}
    with pytest.raises(RecipeError, match="an ensemble cannot be tuned"):
        parse_recipe(tiny_settings() | {"model": ensemble, "tune": {"space": SPACE}})


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'serkit[tune]'")):
        list(tuning.ends_of_space(tuned_recipe()))


def test_a_setting_of_a_model_that_stands_by_its_name_can_change() -> None:
    recipe = parse_recipe({"name": "a", "corpora": ["emodb"], "labels": "emodb", "model": "crnn"})
    assert with_settings(recipe, {"model.recurrent": 0}).model.settings == {"recurrent": 0}
    assert with_settings(recipe, {}) == recipe


@pytest.mark.parametrize("content", ["[{", "[" * 100_000, '[{"settings": 1}]', '{"a": 1}', "[1]", '[{"uar": "x"}]'])
def test_damaged_trials_are_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "trials.json").write_text(content, "utf-8")
    with pytest.raises(RunError, match=r"trials\.json' is damaged .*: remove it to begin the search anew"):
        tuning._read_trials(tmp_path / "trials.json")
