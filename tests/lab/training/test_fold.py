"""Ensembles: who their members are, whom each has seen, how they answer, and how they go on after a kill."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score

from serkit.data.corpora import read_corpora
from serkit.data.manifest import Manifest
from serkit.errors import ExportError, LeakageError, ProtocolError, RecipeError
from serkit.lab.exporting.model_file import export
from serkit.lab.measure.run_folder import VALIDATED, Fit, read_json, read_predictions
from serkit.lab.measure.seeds import seeds_together
from serkit.lab.recipes.schema import Protocol, Recipe, parse_recipe
from serkit.lab.splits.folds import Fold, Split
from serkit.lab.splits.protocols import make_split
from serkit.lab.splits.validation import rotate_validation
from serkit.lab.training import fold as fitting
from serkit.lab.training.ensemble_members import MemberJob, ensemble_jobs, member_weights
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.run import fit_final, run_protocol
from serkit.lab.training.workers import processes_for
from serkit.runtime.recognizer import Recognizer
from support.notes import Notes
from support.toy import TINY, manifest, sounds, speaker

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")
NETWORK = {"model": TINY, "train": {"epochs": 1, "batch_size": 8}, "features": {"name": "logmel", "bands": 16}}
FOREST = {
    "model": {"name": "random_forest", "trees": 8, "depth": 3},
    "features": [{"name": "statistics", "sampling_rate": 16_000}],
}


def ensemble(*members: Any, **settings: Any) -> Recipe:
    model = {"name": "ensemble", "members": list(members), **settings}
    protocol = {"folds": 2, "validation_speakers": 1}
    return parse_recipe(
        {"name": "emodb-2fold-vote", "corpora": ["emodb"], "labels": "emodb", "protocol": protocol, "model": model}
    )


@pytest.fixture(scope="module")
def voted(emodb_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of three members that vote."""
    folder = tmp_path_factory.mktemp("ensembles") / "voted"
    run_protocol(ensemble(NETWORK, FOREST, rule="majority", seeds=[0, 1]), {"emodb": emodb_dir}, folder)
    return folder


def test_an_ensemble_is_fitted_once_per_member_inner_fold_and_seed() -> None:
    people = manifest(*(speaker(f"toy/{i}") for i in range(6)))
    fold = Fold(0, tuple(u.id for u in people if u.speaker > "toy/1"), (), tuple(u.id for u in people.subset(())))
    split = Split("speaker_kfold", True, "speakers", (fold,))
    jobs = ensemble_jobs(resolve_recipe(ensemble(NETWORK, FOREST, inner_folds=2, seeds=[0, 5])), people, split, fold, 3)
    assert [(job.number, job.member, job.seed) for job in jobs] == [
        (0, 0, 3000), (1, 0, 3000), (2, 0, 3005), (3, 0, 3005), (4, 1, 3000), (5, 1, 3000), (6, 1, 3005), (7, 1, 3005)
    ]  # fmt: skip


def test_an_ensembles_seeds_take_the_draws_of_training_speakers_in_turn() -> None:
    people = manifest(*(speaker(f"toy/{i}") for i in range(9)))
    tenth = Protocol(
        name="fixed_test_speakers", test_speakers=("toy/8",), train_speakers=4, validation_speakers=1, draws=3
    )
    split = make_split(people, tenth, sounds(people))
    jobs = ensemble_jobs(resolve_recipe(ensemble(NETWORK, seeds=[0, 1, 2])), people, split, split.folds[0], 0)
    assert [job.fold.draw for job in jobs] == [0, 1, 2]
    assert len({job.fold.train for job in jobs}) == 3


def test_inner_folds_let_every_training_speaker_be_validation_once() -> None:
    people = manifest(*(speaker(f"toy/{i}") for i in range(7)))
    names = [u.id for u in people if u.speaker != "toy/6"]
    test = tuple(u.id for u in people if u.speaker == "toy/6")
    folds = rotate_validation(people, Protocol(), Fold(4, tuple(names[:9]), tuple(names[9:]), test), 3)
    assert sorted(i for fold in folds for i in fold.validation) == sorted(names)
    for fold in folds:
        assert (fold.fold, fold.test) == (4, test)
        assert sorted((*fold.train, *fold.validation)) == sorted(names)
        assert not {i.rsplit("-", 1)[0] for i in fold.train} & {i.rsplit("-", 1)[0] for i in fold.validation}


def test_more_inner_folds_than_speakers_are_refused() -> None:
    people = manifest(speaker("toy/0"), speaker("toy/1"))
    with pytest.raises(ProtocolError, match=r"^3 inner folds need as many training speakers, but there are 2\.$"):
        rotate_validation(people, Protocol(), Fold(0, tuple(u.id for u in people), (), ()), 3)


def test_members_have_their_own_features_and_what_the_recipe_says_for_all() -> None:
    first, second = resolve_recipe(ensemble(NETWORK, FOREST)).members
    assert first.features[0].settings["bands"] == 16
    assert second.model.name == "random_forest"
    assert second.features[0].name == "statistics"
    settings = ensemble("crnn").as_mapping() | {"train": {"epochs": 3}}
    fresh = {**settings, "model": {"name": "ensemble", "members": [{"model": "crnn"}]}}
    assert resolve_recipe(parse_recipe(fresh)).members[0].train.epochs == 3


def test_a_member_may_be_a_model_alone() -> None:
    short, named = resolve_recipe(ensemble("svm", {"name": "svm", "cost": 2})).members
    assert short.model.name == named.model.name == "svm"
    assert named.model.settings["cost"] == 2


def test_a_resolved_ensemble_says_everything_of_each_member_and_stays_as_it_is() -> None:
    resolved = resolve_recipe(ensemble(NETWORK, FOREST, rule="weighted"))
    assert resolved.recipe.model.settings["members"][1]["model"].keys() >= {"trees", "depth", "leaf"}
    assert [resolve_recipe(member).recipe for member in resolved.members] == list(resolved.members)
    assert resolve_recipe(resolved.recipe) == resolved


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({}, "an ensemble needs members"),
        ({"members": [{"features": "logmel"}]}, "an ensemble takes model, .*, pretrain; this one has no model"),
        ({"members": [{"model": "crnn", "seed": 1}]}, "this one has 'seed'"),
        ({"members": [{"model": "crnn"}], "rule": "median"}, "rule: Input should be"),
        ({"members": [{"model": "crnn"}], "seeds": [1, 1]}, "seeds must differ"),
        ({"members": [{"model": "crnn"}], "inner_folds": 1}, "inner_folds is out of range"),
        ({"members": [{"model": "ensemble"}]}, "an ensemble cannot be a member of another one"),
        ({"members": ["svm", "ensemble"]}, "an ensemble cannot be a member of another one"),
        ({"members": None}, "members: Input should be a list"),
        ({"members": "svm"}, "members: Input should be a list"),
    ],
)  # fmt: skip
def test_an_impossible_ensemble_is_refused(model: dict[str, Any], message: str) -> None:
    settings = {"name": "a", "corpora": ["emodb"], "labels": "emodb", "model": {"name": "ensemble", **model}}
    with pytest.raises(RecipeError, match=message):
        resolve_recipe(parse_recipe(settings))


def test_features_of_its_own_are_no_ensembles() -> None:
    with pytest.raises(RecipeError, match="none for an ensemble"):
        parse_recipe({"name": "a", "corpora": ["emodb"], "labels": "emodb", "features": []})


def test_a_majority_vote_gives_shares_of_the_members(voted: Path) -> None:
    rows, classes = read_predictions(voted)
    assert len(classes) == 7
    for row in rows:
        shares = np.array(row.probabilities) * 4
        assert np.abs(shares - shares.round()).max() < 1e-3
        assert row.probabilities[classes.index(row.predicted)] == max(row.probabilities)


def test_a_fit_says_what_each_member_said(voted: Path) -> None:
    fits = read_json(voted, "metrics.json")["fits"]
    assert [len(fit["members"]) for fit in fits] == [4, 4]
    for fit in fits:
        assert all(member["validation_uar"] is not None for member in fit["members"])


def test_an_ensembles_validation_is_of_its_common_answer(
    emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[NDArray[np.float64]] = []
    plain = fitting._probabilities

    def remember(run: Any, body: Any, member: Any, names: Any, temperature: float) -> NDArray[np.float64]:
        if tuple(names) == run.split.folds[0].validation:
            heard.append(plain(run, body, member, names, temperature))
        return plain(run, body, member, names, temperature)

    monkeypatch.setattr(fitting, "_probabilities", remember)
    recipe = ensemble(FOREST, rule="mean", seeds=[0, 1, 2])
    metrics = run_protocol(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    fold = json.loads((tmp_path / "run" / "folds.json").read_text())[0]
    emotion_of = {u.id: u.emotion for u in read_corpora(["emodb"], {"emodb": emodb_dir})}
    truth = [emotion_of[i] for i in fold["validation"]["utterances"]]
    classes = np.array(metrics["classes"])
    predicted = classes[np.mean(heard, axis=0).argmax(1)]
    expected = 100 * balanced_accuracy_score(truth, predicted)
    assert metrics["fits"][0]["validation_uar"] == pytest.approx(expected, abs=0.01)


def test_inner_folds_answer_for_every_training_utterance(emodb_dir: Path, tmp_path: Path) -> None:
    """Each by the members that have not been trained on its speaker."""
    metrics = run_protocol(ensemble(FOREST, rule="mean", inner_folds=2, seeds=[0, 1]), {"emodb": emodb_dir}, tmp_path)
    rows = read_predictions(tmp_path, VALIDATED)[0]
    folds = json.loads((tmp_path / "folds.json").read_text())
    for fold, fit in zip(folds, metrics["fits"], strict=True):
        of_fold = [row for row in rows if row.fold == fold["fold"]]
        side = [*fold["train"]["utterances"], *fold["validation"]["utterances"]]
        assert sorted(row.utterance for row in of_fold) == sorted(side)
        right = balanced_accuracy_score([row.true for row in of_fold], [row.predicted for row in of_fold])
        assert fit["validation_uar"] == pytest.approx(100 * right, abs=0.01)
    assert metrics["is_validation_pooled"]


def test_every_member_leaves_its_weights(voted: Path) -> None:
    folder = voted / "fold_0" / "seed_0"
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".csv"]
    names = sorted(f"{file.parent.name}/{file.name}" for file in files)
    assert names == [
        "member_00/fit.json", "member_00/weights.safetensors", "member_01/fit.json", "member_01/weights.safetensors",
        "member_02/fit.json", "member_02/model.onnx", "member_03/fit.json", "member_03/model.onnx",
    ]  # fmt: skip


def test_a_killed_ensemble_goes_on_at_its_member(
    voted: Path, emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted, fit = list[str](), fitting.fit

    def watched(*arguments: Any, folder: Path, **options: Any) -> Any:
        if len(fitted) == 2:
            fitted.append("killed")
            raise KeyboardInterrupt
        fitted.append(f"{folder.parents[1].name}/{folder.name}")
        return fit(*arguments, folder=folder, **options)

    monkeypatch.setattr(fitting, "fit", watched)
    recipe = ensemble(NETWORK, FOREST, rule="majority", seeds=[0, 1])
    with pytest.raises(KeyboardInterrupt):
        run_protocol(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    run_protocol(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    assert fitted == [
        "fold_0/member_00", "fold_0/member_01", "killed", "fold_0/member_02", "fold_0/member_03",
        *(f"fold_1/member_0{i}" for i in range(4)),
    ]  # fmt: skip
    assert (tmp_path / "run" / "predictions.csv").read_bytes() == (voted / "predictions.csv").read_bytes()


@pytest.mark.long
def test_members_are_fitted_side_by_side_to_the_same_answers(
    voted: Path, emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one thread each, as one process has here; more processes than folds."""
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    recipe = ensemble(NETWORK, FOREST, rule="majority", seeds=[0, 1])
    with Notes() as seen:
        run_protocol(recipe, {"emodb": emodb_dir}, tmp_path / "run", jobs=3)
    for name in ("predictions.csv", "validation.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (voted / name).read_bytes()
    assert read_json(tmp_path / "run", "env.json")["threads"] == 1
    said = [note.rpartition(":")[0] for note in seen.notes if "member" in note]
    assert sorted(said) == sorted(
        f"fold {fold} seed 0 member {number} of 4, {'crnn' if number < 3 else 'random_forest'}"
        for fold in (0, 1)
        for number in (1, 2, 3, 4)
    )


def test_one_folds_members_are_work_for_several_processes() -> None:
    people = manifest(*(speaker(f"toy/{i}") for i in range(9)))
    protocol = {"name": "fixed_test_speakers", "test_speakers": ["toy/8"]}
    recipe = ensemble(NETWORK, FOREST, seeds=[0, 1, 2])
    recipe = parse_recipe(recipe.as_mapping() | {"protocol": protocol})
    split = make_split(people, recipe.protocol, sounds(people))
    assert [processes_for(resolve_recipe(recipe), people, split, asked) for asked in (1, 4, 20)] == [1, 4, 6]


def test_a_member_that_has_seen_a_test_speaker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    people = manifest(*(speaker(f"toy/{i}") for i in range(4)))
    ids = [u.id for u in people]
    bad = Fold(0, tuple(ids[:8]), (), tuple(ids[6:]))
    split = Split("speaker_kfold", True, "speakers", (bad,))
    resolved = resolve_recipe(ensemble(NETWORK))
    run = fitting.Experiment(
        resolved,
        people,
        split,
        sounds(people),
        None,
        (),
        {},
        Path(),
        Manifest(()),
    )  # type: ignore[arg-type]
    with pytest.raises(LeakageError):
        fitting._check_members(run, [MemberJob(0, 0, 0, bad)])


def test_a_member_without_validation_weighs_as_much_as_the_others() -> None:
    fits = [Fit(0, 0, 0, 1, value, 1.0, 1.0) for value in (50.0, None)]
    assert member_weights(fits) == [1.0, 1.0]
    assert member_weights(fits[:1]) == [50.0]


def test_an_ensembles_outer_folds_share_no_speaker(voted: Path) -> None:
    fold = json.loads((voted / "folds.json").read_text())[0]
    assert not set(fold["train"]["speakers"]) & set(fold["test"]["speakers"])


# One file of all members


@pytest.fixture(scope="module")
def final(emodb_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an ensemble for use."""
    folder = tmp_path_factory.mktemp("ensembles") / "final"
    fit_final(ensemble(NETWORK, FOREST, rule="majority", seeds=[0, 1]), {"emodb": emodb_dir}, folder)
    return folder


def test_an_ensemble_becomes_one_file_that_votes(final: Path, tmp_path: Path) -> None:
    assert export(final, tmp_path / "vote.onnx") < 1e-4
    recognizer = Recognizer.load(tmp_path / "vote.onnx")
    rng = np.random.default_rng(0)
    waveform = (0.1 * rng.standard_normal((4, 20_000))).astype(np.float32)
    probabilities, embedding = recognizer.run(waveform, np.array([20_000, 9000, 16_000, 4000]))
    shares = probabilities * 4
    assert np.abs(shares - shares.round()).max() < 1e-3
    assert embedding.shape == (4, 16 + 16 + 6 + 6)


@pytest.mark.long
def test_a_mean_has_a_temperature_of_its_own_fitted_on_validation_and_kept_in_the_file(
    emodb_dir: Path, tmp_path: Path
) -> None:
    """It changes no answer, and lowers the validation's negative log-likelihood or leaves it."""
    recipe = ensemble(NETWORK, FOREST, rule="mean", seeds=[0, 1])
    fit_final(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    (fit,) = read_json(tmp_path / "run", "metrics.json")["fits"]
    rows, classes = read_predictions(tmp_path / "run", "validation.csv")
    answers = np.array([row.probabilities for row in rows])
    truth = np.array([classes.index(row.true) for row in rows])
    assert fit["temperature"] != 1
    plain = np.clip(answers, 1e-4, 1) ** fit["temperature"]
    plain /= plain.sum(1, keepdims=True)
    before, after = (-np.log(np.clip(p, 1e-4, 1))[np.arange(len(truth)), truth].mean() for p in (plain, answers))
    assert after <= before + 1e-3
    assert export(tmp_path / "run", tmp_path / "mean.onnx") < 1e-4
    recognizer = Recognizer.load(tmp_path / "mean.onnx")
    assert recognizer.card.temperature == fit["temperature"]
    utterances = {u.id: u for u in read_corpora(["emodb"], {"emodb": emodb_dir})}
    for row in rows[::5]:
        answer = recognizer.predict(emodb_dir / utterances[row.utterance].path, reject=False)
        found = [answer.probabilities[name] for name in classes]
        np.testing.assert_allclose(found, row.probabilities, atol=3e-4)


def test_its_card_knows_whom_any_member_has_seen(final: Path, tmp_path: Path) -> None:
    export(final, tmp_path / "vote.onnx")
    card = Recognizer.load(tmp_path / "vote.onnx").card
    assert len(card.seen_speakers) == 4
    assert (card.temperature, card.sampling_rate) == (1.0, 16_000)
    assert len(card.recipe["model"]["members"]) == 2


def test_members_at_different_rates_are_refused_before_hours_are_spent(emodb_dir: Path, tmp_path: Path) -> None:
    fast = {"model": "svm", "features": "notebook162"}
    with pytest.raises(RecipeError, match=r"^members at 16000 and 22050 Hz cannot be one model file"):
        fit_final(ensemble(NETWORK, fast), {"emodb": emodb_dir}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_has_no_graph_is_evaluated_but_never_trained_for_a_file(emodb_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("opensmile", reason="needs openSMILE, which is optional")
    recipe = parse_recipe(
        {
            "name": "emodb-2fold-svm", "corpora": ["emodb"], "labels": "emodb", "features": "egemaps",
            "model": {"name": "logistic"}, "protocol": {"folds": 2, "validation_speakers": 1},
        }
    )  # fmt: skip
    assert run_protocol(recipe, {"emodb": emodb_dir}, tmp_path / "evaluated")["uar"] > 20
    with pytest.raises(ExportError, match=r"^openSMILE is a program and has no graph"):
        fit_final(recipe, {"emodb": emodb_dir}, tmp_path / "trained")
    assert not (tmp_path / "trained").exists()


def test_an_ensemble_over_seeds_answers_as_the_seeds_of_its_members_recipe_do_together(
    emodb_dir: Path, tmp_path: Path
) -> None:
    over_seeds = ensemble(NETWORK, rule="mean", seeds=[0, 1])
    (member,) = resolve_recipe(over_seeds).members
    for recipe in (over_seeds, member.model_copy(update={"name": "alone", "seeds": (0, 1)})):
        run_protocol(recipe, {"emodb": emodb_dir}, tmp_path / recipe.name)
    together = seeds_together(*read_predictions(tmp_path / "alone"))
    answered, _ = read_predictions(tmp_path / over_seeds.name)
    assert [(row.utterance, row.predicted) for row in together] == [
        (row.utterance, row.predicted) for row in sorted(answered, key=lambda row: (row.utterance, row.fold))
    ]
