import csv
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import serkit
from serkit.errors import CorpusError, LeakageError, RecipeError, RunError
from serkit.lab.audit.unseen_corpora import evaluate_model
from serkit.lab.exporting.model_file import export
from serkit.lab.features import build_front
from serkit.lab.leaderboard import as_csv, as_html, as_page, compare, read_entry
from serkit.lab.measure.run_entry import recompute, what_is_fitted
from serkit.lab.measure.run_folder import read_json
from serkit.lab.models import build_body
from serkit.lab.recipes.files import load_recipe, recipe_schema
from serkit.lab.recipes.schema import parse_recipe
from serkit.lab.report import write_report
from serkit.lab.training import fold as fitting
from serkit.lab.training import loop as training
from serkit.lab.training.checkpoints import save_checkpoint
from serkit.lab.training.ensemble_members import fit_seeds
from serkit.lab.training.pretraining import begin_with
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.run import fit_final, run_protocol
from support.synthetic import write_corpus
from support.toy import TINY, tiny_recipe

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")
FIRST = {"corpora": ["emodb"], "labels": "emodb", "epochs": 2}
RECIPE = tiny_recipe(pretrain=FIRST)
CLASSES, FIRST_CLASSES = 8, 7
LAST_LAYER = ("classify.3.weight", "classify.3.bias")
Data = dict[str, Path]
Begun = dict[str, dict[str, torch.Tensor]]


@pytest.fixture(scope="module")
def data(ravdess_dir: Path, emodb_dir: Path) -> Data:
    return {"ravdess": ravdess_dir, "emodb": emodb_dir}


@pytest.fixture(scope="module")
def run(data: Data, tmp_path_factory: pytest.TempPathFactory, one_thread: None, quick_bootstrap: None) -> Path:
    """A run whose two fits begin with a first training. Read only."""
    folder = tmp_path_factory.mktemp("pretrained") / "run"
    run_protocol(RECIPE, data, folder)
    return folder


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> Begun:
    """Fold and seed to the weights that a fit began with, in this process, first trainings left out."""
    found: Begun = {}

    def remember(body: Any, *args: Any, folder: Path, **settings: Any) -> Any:
        if "pretrained" not in folder.parts:
            weights = {name: value.clone() for name, value in body.state_dict().items()}
            found[folder.relative_to(folder.parents[1]).as_posix()] = weights
        return training.fit(body, *args, folder=folder, **settings)

    monkeypatch.setattr(fitting, "fit", remember)
    return found


def build(classes: int) -> Any:
    layout = build_front(resolve_recipe(RECIPE).recipe.named_features).layout
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


@pytest.mark.parametrize("first_classes", [FIRST_CLASSES, CLASSES], ids=["other classes", "as many classes"])
def test_the_last_layer_begins_anew_and_all_else_with_the_first_weights(tmp_path: Path, first_classes: int) -> None:
    torch.manual_seed(1)
    first, body = build(first_classes), build(CLASSES)
    first.save(tmp_path)
    before = {name: value.clone() for name, value in body.state_dict().items()}
    begin_with(body, tmp_path, first_classes, build)
    taken = first.state_dict()
    for name, value in body.state_dict().items():
        assert torch.equal(value, before[name] if name in LAST_LAYER else taken[name]), name
    assert not torch.equal(before[LAST_LAYER[0]][0], taken[LAST_LAYER[0]][0])


def test_every_seed_begins_with_a_first_training_of_its_own(data: Data, tmp_path: Path, begun: Begun) -> None:
    for seeds in ([0], [0, 3]):  # the second is added to a finished run
        run_protocol(tiny_recipe(pretrain=FIRST, seeds=seeds), data, tmp_path / "run")
    fits = [f"fold_{fold}/seed_{seed}" for seed in (0, 3) for fold in (0, 1)]
    for fit in fits:
        first = load_file(tmp_path / "run" / "pretrained" / "0" / "fold_0" / fit.split("/")[1] / "weights.safetensors")
        given = begun[fit]
        assert all(torch.equal(given[name], first[name]) for name in given if name not in LAST_LAYER), fit
    assert not torch.equal(begun[fits[0]]["stem.0.0.weight"], begun[fits[2]]["stem.0.0.weight"])


def test_a_seed_that_comes_later_has_its_first_training_alone(data: Data, tmp_path: Path) -> None:
    trained = tmp_path / "run" / "pretrained" / "0"
    run_protocol(tiny_recipe(pretrain=FIRST, seeds=[0]), data, tmp_path / "run")
    shutil.rmtree(trained)  # as of a run whose folds alone were kept
    for seeds in ([0, 3], [0, 3, 5]):
        run_protocol(tiny_recipe(pretrain=FIRST, seeds=seeds), data, tmp_path / "run")
        assert [fit["seed"] for fit in read_json(trained, "metrics.json")["fits"]] == seeds[1:]


def test_members_of_an_ensemble_share_one_where_their_seeds_meet() -> None:
    members = [{"model": TINY, "augment": {"speeds": [1.0]}, "pretrain": FIRST}]
    recipe = parse_recipe(
        {"name": "one", "corpora": ["ravdess"], "labels": "ravdess", "seeds": [0, 1]}
        | {"model": {"name": "ensemble", "members": members, "seeds": [0, 1000]}}
    )
    assert fit_seeds(resolve_recipe(recipe), recipe.seeds) == (0, 1000, 2000)


# What is said of it


def test_metrics_say_what_was_trained_on_first(run: Path) -> None:
    assert read_json(run, "metrics.json")["pretraining"] == {"corpora": ["emodb"], "speakers": 4, "utterances": 56}
    assert recompute(run)["pretraining"]["corpora"] == ["emodb"]


def test_a_run_with_another_first_training_fits_something_else(run: Path, data: Data, tmp_path: Path) -> None:
    run_protocol(tiny_recipe(), data, tmp_path / "plain")
    assert what_is_fitted(run) != what_is_fitted(tmp_path / "plain")


def test_the_card_names_corpora_and_speakers_of_the_first_training(data: Data, tmp_path: Path) -> None:
    fit_final(RECIPE, data, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model.onnx")
    card = serkit.load(tmp_path / "model.onnx").card
    assert {c["name"] for c in card.corpora} == {"ravdess", "emodb"}
    assert {c["name"]: c["utterances"] for c in card.corpora}["emodb"] == 56
    assert any(name.startswith("emodb/") for name in card.train_speakers)


def test_the_report_and_the_tables_say_it(run: Path, tmp_path: Path) -> None:
    page = write_report(run, out=tmp_path / "report.html").read_text("utf-8")
    assert "ravdess; pretrained on emodb (4 speakers, 56 utterances)" in page
    board = compare([read_entry(run)])
    assert "(pretrained on emodb)" in as_page(board)
    assert '<span class="mark plain">pretrained on emodb</span>' in as_html(board)
    assert next(csv.DictReader(io.StringIO(as_csv(board))))["first_corpora"] == "emodb"


def test_no_model_file_comes_of_a_run_that_has_lost_its_first_training(data: Data, tmp_path: Path) -> None:
    fit_final(RECIPE, data, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "pretrained")
    with pytest.raises(RunError, match="pretrained"):
        export(tmp_path / "run", tmp_path / "model.onnx")


def test_a_model_file_knows_its_first_training_when_it_is_scored(data: Data, tmp_path: Path) -> None:
    fit_final(RECIPE, data, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model.onnx")
    model = serkit.load(tmp_path / "model.onnx")
    with pytest.raises(LeakageError, match="4 of the test speakers"):
        evaluate_model(model.card, model.predict, ("emodb",), data, tmp_path / "scored")
    unseen = {"savee": write_corpus("savee", tmp_path / "savee", per_class=1)}
    scored = evaluate_model(model.card, model.predict, ("savee",), unseen, tmp_path / "scored")
    assert scored["pretraining"] == {"corpora": ["emodb"], "speakers": 4, "utterances": 56}
    assert "pretrained on emodb" in as_page(compare([read_entry(tmp_path / "scored")]))


# Going on


def test_a_finished_first_training_is_not_done_again(run: Path, data: Data, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "predictions.csv").unlink()
    (tmp_path / "run" / "metrics.json").unlink()
    shutil.rmtree(tmp_path / "run" / "fold_0")
    shutil.rmtree(tmp_path / "run" / "fold_1")
    weights = tmp_path / "run" / "pretrained" / "0" / "fold_0" / "seed_0" / "weights.safetensors"
    before = weights.stat().st_mtime_ns
    run_protocol(RECIPE, data, tmp_path / "run")
    assert weights.stat().st_mtime_ns == before
    assert (tmp_path / "run" / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()


def test_a_first_training_that_was_killed_goes_on_to_the_same_weights(
    run: Path, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "run" / "pretrained" / "0" / "fold_0" / "seed_0"

    def killed(folder: Path, *args: Any) -> None:
        save_checkpoint(folder, *args)
        if folder == first:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            run_protocol(RECIPE, data, tmp_path / "run")
    assert list(first.glob("checkpoint-*"))
    run_protocol(RECIPE, data, tmp_path / "run")
    assert (tmp_path / "run" / "predictions.csv").read_bytes() == (run / "predictions.csv").read_bytes()


def test_a_run_does_not_go_on_with_a_first_training_on_other_files(run: Path, data: Data, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    shutil.copytree(data["emodb"], tmp_path / "emodb")
    next(iter(sorted((tmp_path / "emodb" / "wav").iterdir()))).unlink()
    before = (tmp_path / "run" / "metrics.json").read_bytes()
    with pytest.raises(RunError, match="a run on other files"):
        run_protocol(RECIPE, {**data, "emodb": tmp_path / "emodb"}, tmp_path / "run")
    assert (tmp_path / "run" / "metrics.json").read_bytes() == before


@pytest.mark.long
def test_two_processes_begin_with_the_same_first_training(run: Path, data: Data, tmp_path: Path) -> None:
    run_protocol(RECIPE, data, tmp_path / "run", jobs=2)
    same = [(folder / "predictions.csv").read_text("utf-8").splitlines() for folder in (run, tmp_path / "run")]
    assert sorted(same[0]) == sorted(same[1])
    assert len(list((tmp_path / "run" / "pretrained").glob("*/fold_0/seed_0"))) == 1


def test_members_of_an_ensemble_have_their_own(data: Data, tmp_path: Path) -> None:
    members = [
        {"model": TINY, "train": {"epochs": 1}, "augment": {"speeds": [1.0]}, "pretrain": FIRST},
        {"model": "logistic"},
    ]
    recipe = parse_recipe(
        {"name": "pair", "corpora": ["ravdess"], "labels": "ravdess", "protocol": {"folds": 2}}
        | {"model": {"name": "ensemble", "members": members, "seeds": [0, 1]}}
    )
    metrics = run_protocol(recipe, data, tmp_path / "run")
    assert metrics["pretraining"]["corpora"] == ["emodb"]
    assert sorted(p.name for p in (tmp_path / "run" / "pretrained" / "0" / "fold_0").iterdir()) == ["seed_0", "seed_1"]
    assert not (tmp_path / "run" / "pretrained" / "1").exists()
    assert np.isfinite(metrics["uar"])


def test_what_an_ensemble_says_of_it_holds_for_its_networks(data: Data) -> None:
    recipe = parse_recipe(
        {"name": "pair", "corpora": ["ravdess"], "labels": "ravdess", "pretrain": FIRST}
        | {"model": {"name": "ensemble", "members": [{"model": TINY}, "logistic"]}}
    )
    first, second = recipe.model.settings["members"]
    assert first["pretrain"] == FIRST
    assert "pretrain" not in second


# What is refused


def test_a_corpus_of_the_recipe_itself_is_refused() -> None:
    with pytest.raises(RecipeError, match="ravdess is one of the recipe's own corpora"):
        tiny_recipe(pretrain={**FIRST, "corpora": ["ravdess"], "labels": "ravdess"})


def test_a_model_that_is_fitted_at_once_is_refused() -> None:
    with pytest.raises(RecipeError, match="logistic is not trained in epochs and has no weights"):
        parse_recipe({"name": "a", "corpora": ["ravdess"], "labels": "ravdess", "model": "logistic", "pretrain": FIRST})


def test_tuning_and_a_first_training_exclude_each_other() -> None:
    with pytest.raises(RecipeError, match="pretrain: the weights of a first training fit one model size only"):
        tiny_recipe(pretrain=FIRST, tune={"space": {"train.lr": [0.1, 0.2]}})


def test_a_corpus_that_is_not_there_is_missed_before_anything_is_trained(ravdess_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="EmoDB"):
        run_protocol(RECIPE, {"ravdess": ravdess_dir}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_corpus_that_holds_one_of_the_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match="ravdess is one of the recipe's own corpora"):
        tiny_recipe(pretrain={"corpora": ["kaggle-ser-en"], "labels": "kaggle-ser-en"})


def test_a_corpus_that_stands_twice_is_refused() -> None:
    with pytest.raises(RecipeError, match="emodb is repeated"):
        tiny_recipe(pretrain={**FIRST, "corpora": ["emodb", "emodb"]})


def test_labels_that_no_utterance_has_are_missed_before_anything_is_read(data: Data, tmp_path: Path) -> None:
    recipe = tiny_recipe(pretrain={**FIRST, "labels": ["calm", "surprise"]})
    with pytest.raises(RecipeError, match=r"^pretrain: label set .*there are no utterances"):
        run_protocol(recipe, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_an_ensemble_of_none_that_has_weights_is_refused() -> None:
    with pytest.raises(RecipeError, match="no member of the ensemble has weights to begin with"):
        parse_recipe(
            {"name": "a", "corpora": ["ravdess"], "labels": "ravdess", "pretrain": FIRST}
            | {"model": {"name": "ensemble", "members": ["svm", "logistic"]}}
        )


def test_a_member_may_change_one_setting_of_its_ensembles() -> None:
    recipe = parse_recipe(
        {"name": "a", "corpora": ["ravdess"], "labels": "ravdess", "pretrain": FIRST}
        | {"model": {"name": "ensemble", "members": [{"model": TINY, "pretrain": {"epochs": 3}}]}}
    )
    assert recipe.model.settings["members"][0]["pretrain"] == {**FIRST, "epochs": 3}


@pytest.mark.parametrize("validation", ["speakers", "none"])
def test_who_is_trained_on_first_has_no_part_in_any_fold(ravdess_dir: Path, tmp_path: Path, validation: str) -> None:
    songs = tmp_path / "songs"
    for actor in sorted(path.name for path in ravdess_dir.iterdir() if path.is_dir()):
        for file in sorted((ravdess_dir / actor).iterdir()):
            if file.name.split("-")[2] in ("01", "02", "03", "04"):
                (songs / actor).mkdir(parents=True, exist_ok=True)
                (songs / actor / file.name.replace("03-01-", "03-02-", 1)).write_bytes(file.read_bytes())
    recipe = tiny_recipe(
        pretrain={"corpora": ["ravdess-song"], "labels": ["calm", "happiness", "neutral", "sadness"]},
        protocol={"validation": validation},
    )
    with pytest.raises(LeakageError, match=r"^pretrain: 6 speakers of the first training are also the recipe's own"):
        run_protocol(recipe, {"ravdess": ravdess_dir, "ravdess-song": songs}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_recording_under_another_name_is_found(data: Data, tmp_path: Path) -> None:
    shutil.copytree(data["emodb"], tmp_path / "emodb")
    clip = min((tmp_path / "emodb" / "wav").iterdir())
    clip.write_bytes(min(data["ravdess"].rglob("*.flac")).read_bytes())
    with pytest.raises(LeakageError, match="1 recordings of the first training are also the recipe's own"):
        run_protocol(RECIPE, {**data, "emodb": tmp_path / "emodb"}, tmp_path / "run")


def test_the_schema_knows_corpora_and_labels_of_a_first_training() -> None:
    first = recipe_schema()["$defs"]["Pretrain"]["properties"]
    assert "tess" in first["corpora"]["items"]["anyOf"][0]["enum"]
    assert "emodb" in first["labels"]["anyOf"][0]["enum"]
