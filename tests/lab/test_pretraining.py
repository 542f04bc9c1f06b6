import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy import TINY, tiny_recipe

import serkit
from serkit.errors import CorpusError, LeakageError, RecipeError
from serkit.lab.evaluation import evaluate, resolve_recipe, train
from serkit.lab.export import export
from serkit.lab.features import build_front
from serkit.lab.leaderboard import recompute, what_is_fitted
from serkit.lab.models import build_body
from serkit.lab.pretraining import begin_with, first_recipe
from serkit.lab.recipe import parse_recipe
from serkit.lab.recipe_files import load_recipe
from serkit.lab.runs import read_json
from serkit.watch import Watch

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")
FIRST = {"corpora": ["emodb"], "labels": "emodb", "epochs": 2}
RECIPE = tiny_recipe(pretrain=FIRST)
CLASSES, FIRST_CLASSES = 8, 7


class Notes(Watch):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.fixture(scope="module")
def data(ravdess_dir: Path, emodb_dir: Path) -> dict[str, Path]:
    return {"ravdess": ravdess_dir, "emodb": emodb_dir}


@pytest.fixture(scope="module")
def run(
    data: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, one_thread: None, quick_bootstrap: None
) -> Path:
    """A run whose two fits begin with a first training. Read only."""
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    evaluate(RECIPE, data, folder)
    return folder


def build(classes: int) -> Any:
    layout = build_front(resolve_recipe(RECIPE).named_features).layout
    return build_body("crnn", RECIPE.model.settings, layout=layout, classes=classes)


# What is trained first


def test_the_first_training_is_a_run_of_all_speakers_of_the_other_corpora(run: Path, emodb_dir: Path) -> None:
    first = run / "pretrained" / "0"
    (fold,) = read_json(first, "folds.json")
    assert {name.split("/")[0] for name in fold["train"]["speakers"]} == {"emodb"}
    assert not fold["validation"]["utterances"] + fold["test"]["utterances"]
    recipe = load_recipe(first / "recipe.yaml")
    assert (recipe.corpora, recipe.labels, recipe.train.epochs, recipe.pretrain) == (("emodb",), "emodb", 2, None)
    assert recipe.model == load_recipe(run / "recipe.yaml").model
    assert read_json(first, "metrics.json")["complete"]


def test_each_seed_of_a_recipe_has_a_first_training_of_its_own() -> None:
    assert first_recipe(resolve_recipe(RECIPE), (0, 3)).seeds == (0, 3)


def test_what_depends_on_the_classes_begins_anew_and_all_else_with_the_first_weights(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first, body = build(FIRST_CLASSES), build(CLASSES)
    first.save(tmp_path)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    begin_with(body, tmp_path, FIRST_CLASSES, build)
    after, taken = body.state_dict(), first.state_dict()
    heads = {name for name in after if after[name].shape != taken[name].shape}
    assert heads
    for name, value in after.items():
        assert torch.equal(value, before[name] if name in heads else taken[name]), name


def test_a_last_layer_of_as_many_other_classes_begins_anew_too(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first, body = build(CLASSES), build(CLASSES)
    first.save(tmp_path)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    begin_with(body, tmp_path, CLASSES, build)
    kept = [name for name, value in body.state_dict().items() if torch.equal(value, before[name])]
    assert [name for name in kept if before[name].shape[:1] == (CLASSES,)]


def test_a_fit_begins_with_it(run: Path, data: dict[str, Path], tmp_path: Path) -> None:
    evaluate(tiny_recipe(), data, tmp_path / "plain")
    assert (run / "predictions.csv").read_bytes() != (tmp_path / "plain" / "predictions.csv").read_bytes()


# What is said of it


def test_metrics_say_what_was_trained_on_first(run: Path) -> None:
    assert read_json(run, "metrics.json")["pretraining"] == {"corpora": ["emodb"], "speakers": 4, "utterances": 56}
    assert recompute(run)["pretraining"]["corpora"] == ["emodb"]


def test_a_run_with_another_first_training_fits_something_else(
    run: Path, data: dict[str, Path], tmp_path: Path
) -> None:
    evaluate(tiny_recipe(), data, tmp_path / "plain")
    assert what_is_fitted(run) != what_is_fitted(tmp_path / "plain")


def test_the_card_names_corpora_and_speakers_of_the_first_training(data: dict[str, Path], tmp_path: Path) -> None:
    train(RECIPE, data, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model.onnx")
    card = serkit.load(tmp_path / "model.onnx").card
    assert {c["name"] for c in card.corpora} == {"ravdess", "emodb"}
    assert {c["name"]: c["utterances"] for c in card.corpora}["emodb"] == 56
    assert any(name.startswith("emodb/") for name in card.train_speakers)


# Going on


def test_a_finished_first_training_is_not_done_again(run: Path, data: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "predictions.csv").unlink()
    (tmp_path / "run" / "metrics.json").unlink()
    shutil.rmtree(tmp_path / "run" / "fold_0")
    shutil.rmtree(tmp_path / "run" / "fold_1")
    weights = tmp_path / "run" / "pretrained" / "0" / "fold_0" / "seed_0" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    evaluate(RECIPE, data, tmp_path / "run")
    assert weights.stat().st_mtime_ns == before
    assert (tmp_path / "run" / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()


def test_two_processes_begin_with_the_same_first_training(run: Path, data: dict[str, Path], tmp_path: Path) -> None:
    evaluate(RECIPE, data, tmp_path / "run", jobs=2)
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["pretraining"]["utterances"] == 56
    assert len(list((tmp_path / "run" / "pretrained").glob("*/fold_0/seed_0"))) == 1


def test_members_of_an_ensemble_have_their_own(data: dict[str, Path], tmp_path: Path) -> None:
    members = [
        {"model": TINY, "train": {"epochs": 1}, "augment": {"speeds": [1.0]}, "pretrain": FIRST},
        {"model": "logistic"},
    ]
    recipe = parse_recipe(
        {"name": "pair", "corpora": ["ravdess"], "labels": "ravdess", "protocol": {"folds": 2}}
        | {"model": {"name": "ensemble", "members": members, "seeds": [0, 1]}}
    )
    metrics = evaluate(recipe, data, tmp_path / "run")
    assert metrics["pretraining"]["corpora"] == ["emodb"]
    assert sorted(p.name for p in (tmp_path / "run" / "pretrained" / "0" / "fold_0").iterdir()) == ["seed_0", "seed_1"]
    assert not (tmp_path / "run" / "pretrained" / "1").exists()
    assert np.isfinite(metrics["uar"])


def test_what_an_ensemble_says_of_it_holds_for_its_networks(data: dict[str, Path]) -> None:
    recipe = parse_recipe(
        {"name": "pair", "corpora": ["ravdess"], "labels": "ravdess", "pretrain": FIRST}
        | {"model": {"name": "ensemble", "members": [{"model": TINY}, "logistic"]}}
    )
    first, second = recipe.model.settings["members"]
    assert first["pretrain"] == FIRST
    assert "pretrain" not in second


# What is refused


def test_a_corpus_of_the_recipe_itself_is_refused() -> None:
    with pytest.raises(RecipeError, match="ravdess is a corpus of the recipe itself"):
        tiny_recipe(pretrain={**FIRST, "corpora": ["ravdess"], "labels": "ravdess"})


def test_a_model_that_is_fitted_at_once_is_refused() -> None:
    with pytest.raises(RecipeError, match="logistic is fitted at once and has no weights"):
        parse_recipe({"name": "a", "corpora": ["ravdess"], "labels": "ravdess", "model": "logistic", "pretrain": FIRST})


def test_tuning_and_a_first_training_exclude_each_other() -> None:
    with pytest.raises(RecipeError, match="pretrain: weights of a first training fit one size of a model"):
        tiny_recipe(pretrain=FIRST, tune={"space": {"train.lr": [0.1, 0.2]}})


def test_a_corpus_that_is_not_there_is_missed_before_anything_is_trained(ravdess_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="EmoDB"):
        evaluate(RECIPE, {"ravdess": ravdess_dir}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_speakers_that_are_tested_may_not_be_trained_on_first(ravdess_dir: Path, tmp_path: Path) -> None:
    songs = tmp_path / "songs"
    for actor in sorted(path.name for path in ravdess_dir.iterdir() if path.is_dir()):
        for file in sorted((ravdess_dir / actor).iterdir()):
            if file.name.split("-")[2] in ("01", "02", "03", "04"):
                (songs / actor).mkdir(parents=True, exist_ok=True)
                (songs / actor / file.name.replace("03-01-", "03-02-", 1)).write_bytes(file.read_bytes())
    recipe = tiny_recipe(pretrain={"corpora": ["ravdess-song"], "labels": ["calm", "happiness", "neutral", "sadness"]})
    with pytest.raises(LeakageError, match=r"fold 0: .* speakers stand in both training and test"):
        evaluate(recipe, {"ravdess": ravdess_dir, "ravdess-song": songs}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
