import csv
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file
from sklearn.metrics import balanced_accuracy_score

from serkit.card import Card
from serkit.data.corpora import read_corpora
from serkit.data.manifest import Manifest
from serkit.errors import CorpusError, LeakageError, ProtocolError, RecipeError, RunError, SerkitError
from serkit.lab.audit.unseen_corpora import evaluate_model
from serkit.lab.features import build_front
from serkit.lab.measure import seal
from serkit.lab.measure.run_entry import read_entry
from serkit.lab.measure.run_folder import Row, read_json, read_predictions, write_json
from serkit.lab.models import build_body
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.splits.leakage import check_leakage
from serkit.lab.splits.protocols import make_split
from serkit.lab.splits.recording_groups import Sounds
from serkit.lab.training import hearing, prepare
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.run import fit_final, run_protocol
from serkit.lab.training.store import open_store
from serkit.labels import get_label_set
from serkit.progress import Progress
from serkit.types import Prediction
from serkit.writing import write_whole
from support.notes import Notes
from support.sealed_runs import reseal
from support.synthetic import write_corpus
from support.toy import sounds, tiny_recipe, tiny_settings

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")
Data = Mapping[str, Path]
FILES = (
    "recipe.yaml",
    "env.json",
    "folds.json",
    "predictions.csv",
    "validation.csv",
    "metrics.json",
    "fingerprints.json",
)
TWO_SEEDS = tiny_recipe(seeds=[0, 3], train={"epochs": 2})


class Killed(Exception):
    """Stands for whatever ends a process."""


def watched(
    run: Callable[..., dict[str, Any]],
    *args: Any,
    jobs: int = 1,
    at_note: str = "never",
    at_epoch: tuple[str, int] = ("never", 0),
) -> tuple[dict[str, Any], Notes]:
    """Run, and return the metrics and what was said on the way; end the process at a note, or at an epoch of a fit."""

    def note(text: str) -> None:
        if text.startswith(at_note):
            raise Killed

    def step(progress: Progress) -> None:
        if (progress.label, progress.done) == at_epoch:
            raise Killed

    with Notes(on_note=note, on_step=step) as seen:
        return run(*args, jobs=jobs, on_progress=seen), seen


@pytest.fixture(scope="module")
def data(ravdess_dir: Path) -> Data:
    return {"ravdess": ravdess_dir}


@pytest.fixture(scope="module")
def whole(data: Data, tmp_path_factory: pytest.TempPathFactory, one_thread: None, quick_bootstrap: None) -> Path:
    """A run of two folds and two seeds that nothing disturbed. Read only."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run_protocol(TWO_SEEDS, data, folder)
    return folder


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(metrics: dict[str, Any]) -> dict[str, Any]:
    """Leave out how long it took, and what the rounding of stored probabilities touches."""
    fits = [{name: value for name, value in fit.items() if name != "seconds"} for fit in metrics["fits"]]
    return {name: value for name, value in metrics.items() if name != "ece"} | {"fits": fits}


def same_run(one: Path, other: Path) -> bool:
    """Whether two run folders hold the same predictions, weights and numbers."""
    assert (one / "predictions.csv").read_bytes() == (other / "predictions.csv").read_bytes()
    return same_model(one, other)


def same_model(one: Path, other: Path) -> bool:
    """Whether two run folders hold the same weights and numbers."""
    assert fit_folders(one) == fit_folders(other)
    weights = [f"{fit}/weights.safetensors" for fit in fit_folders(one)]
    for name in ("folds.json", "recipe.yaml", *weights):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert numbers(read_json(one, "metrics.json")) == numbers(read_json(other, "metrics.json"))
    return True


def fit_folders(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("fold_*/seed_*"))


# What a run leaves


def test_a_run_leaves_its_recipe_environment_folds_predictions_and_metrics(whole: Path) -> None:
    assert sorted(path.name for path in whole.iterdir() if path.is_file()) == sorted(FILES)
    assert fit_folders(whole) == ["fold_0/seed_0", "fold_0/seed_3", "fold_1/seed_0", "fold_1/seed_3"]
    for fit in fit_folders(whole):
        assert sorted(path.name for path in (whole / fit).iterdir()) == [
            "fit.json",
            "history.csv",
            "weights.safetensors",
        ]


def test_the_recipe_is_written_with_every_setting(whole: Path) -> None:
    recipe = load_recipe(whole / "recipe.yaml")
    assert recipe == resolve_recipe(TWO_SEEDS).recipe
    assert recipe.features[0].settings["sampling_rate"] == 16_000
    assert recipe.model.settings["halvings"] == 3


def test_the_folds_are_written_with_utterances_and_speakers(whole: Path, data: Data) -> None:
    manifest, folds = read_corpora(["ravdess"], data), read_json(whole, "folds.json")
    assert [fold["fold"] for fold in folds] == [0, 1]
    for fold in folds:
        assert list(fold) == ["fold", "train", "validation", "test"]
        for part in ("train", "validation", "test"):
            assert list(fold[part]) == ["speakers", "utterances"]
            assert fold[part]["speakers"] == list(manifest.subset(fold[part]["utterances"]).speakers)
        assert sum(len(fold[part]["utterances"]) for part in ("train", "validation", "test")) == len(manifest)


def test_the_environment_is_written(whole: Path, data: Data) -> None:
    environment = read_json(whole, "env.json")
    manifest = read_corpora(["ravdess"], data)
    assert environment["torch"] == torch.__version__
    assert environment["threads"] == 1
    assert environment["manifest_digest"] == manifest.digest
    split = make_split(manifest, TWO_SEEDS.protocol, sounds(manifest))
    assert environment["split_digest"] == split.digest
    assert environment["dropped"] == {}


def test_every_utterance_is_predicted_once_per_seed_in_its_own_fold(whole: Path, data: Data) -> None:
    utterances = {u.id: u for u in read_corpora(["ravdess"], data)}
    tested = {i: fold["fold"] for fold in read_json(whole, "folds.json") for i in fold["test"]["utterances"]}
    rows = table(whole)
    expected = Counter((seed, name) for seed in "03" for name in utterances)
    assert Counter((row["seed"], row["utterance"]) for row in rows) == expected
    for row in rows:
        u = utterances[row["utterance"]]
        assert (row["corpus"], row["speaker"], row["true"]) == (u.corpus, u.speaker, u.emotion)
        assert int(row["fold"]) == tested[u.id]


def test_the_predicted_class_is_the_most_probable_one(whole: Path) -> None:
    classes = get_label_set("ravdess").classes
    for row in table(whole):
        probabilities = {name: float(row[name]) for name in classes}
        assert list(row)[7:] == list(classes)
        assert sum(probabilities.values()) == pytest.approx(1, abs=4e-4)
        assert probabilities[row["predicted"]] == max(probabilities.values())


def test_the_metrics_have_the_documented_names(whole: Path) -> None:
    metrics = read_json(whole, "metrics.json")
    expected = {
        "name": "ravdess-2fold-tiny", "protocol": "speaker_kfold", "is_speaker_independent": True, "model": "crnn",
        "validation": "speakers", "labels": "ravdess", "corpora": ["ravdess"], "complete": True, "seeds": [0, 3],
        "utterances": 96, "speakers": 6, "interval_over": "speakers",
    }  # fmt: skip
    assert {name: metrics[name] for name in expected} == expected
    for name in ("uar", "uar_low", "uar_high", "wa", "macro_f1", "validation_uar"):
        assert 0 <= metrics[name] <= 100
    assert [(fit["seed"], fit["fold"], fit["epochs"]) for fit in metrics["fits"]] == [
        (0, 0, 2), (0, 1, 2), (3, 0, 2), (3, 1, 2),
    ]  # fmt: skip
    assert metrics["is_validation_pooled"] is True


def test_validation_answers_are_those_that_a_fit_scored(whole: Path) -> None:
    """Each fold's own rows give the UAR that its fit says, and all of a seed's together the run's."""
    metrics, (rows, _) = read_json(whole, "metrics.json"), read_predictions(whole, "validation.csv")
    folds = {fold["fold"]: fold["validation"]["utterances"] for fold in read_json(whole, "folds.json")}
    for fit in metrics["fits"]:
        own = [row for row in rows if (row.fold, row.seed) == (fit["fold"], fit["seed"])]
        assert sorted(row.utterance for row in own) == sorted(folds[fit["fold"]])
        assert fit["validation_uar"] == pytest.approx(recall(own), abs=0.01)
    of_seeds = [recall([row for row in rows if row.seed == seed]) for seed in (0, 3)]
    assert metrics["validation_uar"] == pytest.approx(np.mean(of_seeds), abs=0.01)


def recall(rows: list[Row]) -> float:
    """Return UAR in percent."""
    return 100 * float(balanced_accuracy_score([row.true for row in rows], [row.predicted for row in rows]))


def test_predictions_are_those_of_the_stored_weights_and_temperature(whole: Path, data: Data) -> None:
    """To the four decimals that are stored."""
    recipe, labels = load_recipe(whole / "recipe.yaml"), get_label_set("ravdess")
    front = build_front(recipe.named_features)
    body = build_body(recipe.model.name, recipe.model.settings, layout=front.layout, classes=len(labels.classes)).eval()
    body.load_state_dict(load_file(whole / "fold_1" / "seed_3" / "weights.safetensors"))
    (fit,) = (fit for fit in read_json(whole, "metrics.json")["fits"] if (fit["fold"], fit["seed"]) == (1, 3))
    manifest = read_corpora(["ravdess"], data)
    store, utterances = open_store(manifest, 16_000), {u.id: u for u in manifest}
    rows = [row for row in table(whole) if (row["fold"], row["seed"]) == ("1", "3")]
    for row in rows[::6]:
        samples = torch.from_numpy(np.array(store.waveform(utterances[row["utterance"]])))[None]
        with torch.inference_mode():
            logits = body(*front(samples, torch.tensor([samples.shape[1]]))).logits[0]
        expected = (logits / fit["temperature"]).softmax(0).numpy()
        np.testing.assert_allclose([float(row[name]) for name in labels.classes], expected, atol=6e-5)


def test_the_same_recipe_gives_the_same_run(whole: Path, data: Data, tmp_path: Path) -> None:
    run_protocol(TWO_SEEDS, data, tmp_path / "again")
    assert same_run(tmp_path / "again", whole)


def test_seeds_differ(whole: Path) -> None:
    rows, _ = read_predictions(whole)
    one, other = ([row.probabilities for row in rows if row.seed == seed] for seed in (0, 3))
    assert one != other


# Interrupted and resumed


@pytest.mark.parametrize(("last", "todo"), [("fold 0 seed 0", 3), ("fold 1 seed 0", 2), ("fold 1 seed 3", 0)])
def test_killed_after_a_fold_and_resumed_equals_uninterrupted(
    whole: Path, data: Data, tmp_path: Path, last: str, todo: int
) -> None:
    with pytest.raises(Killed):
        watched(run_protocol, TWO_SEEDS, data, tmp_path, at_note=last)
    assert read_json(tmp_path, "metrics.json")["complete"] is (todo == 0)
    metrics, seen = watched(run_protocol, TWO_SEEDS, data, tmp_path)
    assert len(seen.fits) == todo, "what is done is not done again"
    assert seen.notes[0] == "ravdess has 96 utterances here, and 1440 officially"
    assert seen.notes[1] == f"{4 - todo} fits are done already, {todo} to go"
    assert metrics["complete"] is True
    assert same_run(tmp_path, whole)


def test_killed_within_a_fold_and_resumed_equals_uninterrupted(whole: Path, data: Data, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        watched(run_protocol, TWO_SEEDS, data, tmp_path, at_epoch=("fold 1 seed 0", 1))
    assert [path.name for path in (tmp_path / "fold_1" / "seed_0").iterdir()] == ["checkpoint-00001"]
    run_protocol(TWO_SEEDS, data, tmp_path)
    assert same_run(tmp_path, whole)


def test_killed_between_predictions_and_metrics_and_resumed_equals_uninterrupted(
    whole: Path, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The predictions of the fold that is computed again do not stand twice."""

    def killed(path: Path, text: str) -> None:
        if path.name == "metrics.json" and '"seconds"' in text:
            raise Killed
        write_whole(path, text)

    monkeypatch.setattr(seal, "write_whole", killed)
    with pytest.raises(Killed):
        run_protocol(TWO_SEEDS, data, tmp_path)
    monkeypatch.undo()
    assert len(table(tmp_path)) == 48
    run_protocol(TWO_SEEDS, data, tmp_path)
    assert same_run(tmp_path, whole)


@pytest.mark.parametrize("writes", [2, 6, 8, 10, 12])  # test_seal.py has each place
def test_killed_between_any_two_writes_a_run_is_sealed_and_resumed(
    whole: Path, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Claiming the folder takes four writes, the empty record three, and that of each fit five."""
    left = [writes]

    def counted(path: Path, text: str) -> None:
        if not left[0]:
            raise Killed
        left[0] -= 1
        write_whole(path, text)

    monkeypatch.setattr(seal, "write_whole", counted)
    with pytest.raises(Killed):
        run_protocol(TWO_SEEDS, data, tmp_path)
    monkeypatch.undo()
    run_protocol(TWO_SEEDS, data, tmp_path)
    assert same_run(tmp_path, whole)
    read_entry(tmp_path)


@pytest.mark.parametrize("name", ["predictions.csv", "validation.csv", "metrics.json", "folds.json"])
@pytest.mark.parametrize("more", [(), (7,)])
def test_a_run_over_an_edited_file_is_not_resumed_and_gets_no_seeds(
    whole: Path, data: Data, tmp_path: Path, name: str, more: tuple[int, ...]
) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    path = tmp_path / "copy" / name
    text = path.read_text("utf-8")
    edited = text.replace("anger", "Anger", 1) if path.suffix == ".csv" else text.replace("0", "7", 1)
    assert edited != text
    path.write_text(edited, "utf-8")
    recipe = TWO_SEEDS.model_copy(update={"seeds": (*TWO_SEEDS.seeds, *more)})
    with pytest.raises(RunError, match=rf"cannot be resumed: {name} was edited after serkit sealed the run"):
        run_protocol(recipe, data, tmp_path / "copy")
    assert path.read_text("utf-8") == edited


def test_two_processes_give_the_run_of_one(
    whole: Path, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One begins where a killed run stopped, within a fold; both have one thread, as the run of one has here."""
    with pytest.raises(Killed):
        watched(run_protocol, TWO_SEEDS, data, tmp_path, at_epoch=("fold 1 seed 0", 1))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    run_protocol(TWO_SEEDS, data, tmp_path, jobs=2)
    assert same_run(tmp_path, whole)


def test_a_cross_corpus_recipe_trains_a_model_on_its_training_corpora_alone(corpora_dir: Path, tmp_path: Path) -> None:
    protocol = {"name": "cross_corpus", "train_corpora": ["ravdess"], "test_corpora": ["emodb"], "folds": 5}
    recipe = tiny_recipe(corpora=["ravdess", "emodb"], labels="common", protocol=protocol)
    fit_final(recipe, corpora_dir, tmp_path)
    (fold,) = read_json(tmp_path, "folds.json")
    assert all(u.startswith("ravdess/") for part in ("train", "validation") for u in fold[part]["utterances"])


@pytest.mark.parametrize("changes", [{}, {"model": "logistic", "features": "statistics", "augment": {}, "train": {}}])
def test_a_fit_without_its_predictions_is_asked_again_and_not_fitted(
    changes: dict[str, Any], data: Data, tmp_path: Path
) -> None:
    """As where only the process that was to write them was killed."""
    recipe = parse_recipe(tiny_settings() | changes)
    before = run_protocol(recipe, data, tmp_path)
    answers = {name: (tmp_path / name).read_bytes() for name in ("predictions.csv", "validation.csv")}
    for name in answers:
        (tmp_path / name).unlink()
    after, seen = watched(run_protocol, recipe, data, tmp_path)
    assert seen.fits == []
    assert after == before, "the seconds too"
    assert answers == {name: (tmp_path / name).read_bytes() for name in answers}


def test_a_fit_without_its_predictions_and_weights_is_fitted_again(whole: Path, data: Data, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    (run / "predictions.csv").unlink()
    (run / "fold_1" / "seed_0" / "weights.safetensors").unlink()
    _, seen = watched(run_protocol, TWO_SEEDS, data, run)
    assert seen.fits == ["fold 1 seed 0"]
    assert same_run(run, whole)


@pytest.mark.long
def test_what_runs_beside_a_fold_that_fails_is_kept(
    whole: Path, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    (tmp_path / "fold_1").write_text("in the way", "utf-8")
    with pytest.raises(OSError, match="fold_1"):
        run_protocol(TWO_SEEDS, data, tmp_path, jobs=2)
    assert {row["fold"] for row in table(tmp_path)} == {"0"}
    (tmp_path / "fold_1").unlink()
    run_protocol(TWO_SEEDS, data, tmp_path)
    assert same_run(tmp_path, whole)


def test_a_finished_run_is_only_read(whole: Path, data: Data, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    metrics, seen = watched(run_protocol, TWO_SEEDS, data, tmp_path / "copy")
    assert numbers(metrics) == numbers(read_json(whole, "metrics.json"))
    assert seen.fits == []
    assert same_run(tmp_path / "copy", whole)


def test_a_recipe_made_in_python_goes_on_like_one_from_a_file(data: Data, tmp_path: Path) -> None:
    """Its tuples are lists in the YAML that it is compared with."""
    recipe = tiny_recipe(model={"stem": (4, 8)})
    for _ in range(2):
        assert run_protocol(recipe, data, tmp_path)["complete"]


@pytest.mark.parametrize("first", [[0], [3]])
def test_seeds_are_added_to_a_run(whole: Path, data: Data, tmp_path: Path, first: list[int]) -> None:
    run_protocol(tiny_recipe(seeds=first, train={"epochs": 2}), data, tmp_path)
    _, seen = watched(run_protocol, TWO_SEEDS, data, tmp_path)
    assert "2 fits are done already, 2 to go" in seen.notes
    assert same_run(tmp_path, whole)


@pytest.mark.parametrize(
    "change", [{"train": {"epochs": 3}}, {"seeds": [0]}, {"seeds": [0, 1]}, {"model": {"channels": 24}}, {"name": "b"}]
)
def test_the_folder_of_another_recipe_is_refused(
    whole: Path, data: Data, tmp_path: Path, change: dict[str, Any]
) -> None:
    other = tiny_recipe(**({"seeds": [0, 3], "train": {"epochs": 2}} | change))
    shutil.copytree(whole, tmp_path / "copy")
    with pytest.raises(
        RunError, match=r"copy' holds a run of another recipe or other settings: choose another output folder\.$"
    ):
        run_protocol(other, data, tmp_path / "copy")
    assert same_run(tmp_path / "copy", whole)


def test_the_folder_of_other_files_is_refused(whole: Path, tmp_path: Path) -> None:
    fewer = write_corpus("ravdess", tmp_path / "fewer", speakers=5)
    shutil.copytree(whole, tmp_path / "copy")
    with pytest.raises(RunError, match=r"holds a run on other files or folds: choose another output folder\.$"):
        run_protocol(TWO_SEEDS, {"ravdess": fewer}, tmp_path / "copy")


@pytest.mark.parametrize("last", ["fold 0 seed 0", "fold 1 seed 3"])
def test_the_folder_of_other_sound_under_the_same_names_is_refused(data: Data, tmp_path: Path, last: str) -> None:
    corpus = tmp_path / "RAVDESS"
    shutil.copytree(data["ravdess"], corpus)
    with pytest.raises(Killed):
        watched(run_protocol, TWO_SEEDS, {"ravdess": corpus}, tmp_path / "run", at_note=last)
    path = sorted(path for path in corpus.rglob("*") if path.is_file())[-1]
    samples, rate = soundfile.read(path)
    soundfile.write(path, samples / 2, rate)
    with pytest.raises(RunError, match=r"holds a run on other files or folds: choose another output folder\.$"):
        run_protocol(TWO_SEEDS, {"ravdess": corpus}, tmp_path / "run")


def test_a_run_from_before_sound_was_compared_goes_on(whole: Path, data: Data, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    facts = read_json(tmp_path / "copy", "env.json")
    write_json(tmp_path / "copy", "env.json", {name: facts[name] for name in facts if name != "audio_digest"})
    reseal(tmp_path / "copy")
    assert run_protocol(TWO_SEEDS, data, tmp_path / "copy")["complete"]


def test_other_versions_and_threads_than_a_run_began_with_are_said(whole: Path, data: Data, tmp_path: Path) -> None:
    shutil.copytree(whole, tmp_path / "copy")
    facts = read_json(tmp_path / "copy", "env.json")
    write_json(tmp_path / "copy", "env.json", facts | {"torch": "1.0", "threads": 9})
    reseal(tmp_path / "copy")
    _, seen = watched(run_protocol, TWO_SEEDS, data, tmp_path / "copy")
    assert seen.notes[1] == (
        f"begun with torch 1.0, now {torch.__version__}, threads 9, now 1: the remaining fits may differ slightly"
    )


def test_one_class_is_nothing_to_tell_apart(data: Data, tmp_path: Path) -> None:
    recipe = tiny_recipe(labels=["anger", "boredom"])
    with pytest.raises(RecipeError, match=r"all 12 utterances are of anger, and a model needs two classes"):
        run_protocol(recipe, data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_class_that_nobody_speaks_is_said(data: Data, tmp_path: Path) -> None:
    _, seen = watched(
        run_protocol, tiny_recipe(labels=["anger", "fear", "boredom"], train={"epochs": 1}), data, tmp_path
    )
    assert any("has the class boredom, of which there is no utterance" in note for note in seen.notes)


def test_the_folder_of_other_labels_is_refused(
    whole: Path, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def relabeled(*args: Any, **options: Any) -> Manifest:
        first, *others = read_corpora(*args, **options)
        return Manifest((replace(first, emotion="fear"), *others), data)

    shutil.copytree(whole, tmp_path / "copy")
    monkeypatch.setattr(prepare, "read_corpora", relabeled)
    with pytest.raises(RunError, match="holds a run on other files or folds"):
        run_protocol(TWO_SEEDS, data, tmp_path / "copy")


def test_a_checkpoint_without_its_recipe_is_not_resumed(data: Data, tmp_path: Path) -> None:
    """Nothing says which settings it was trained with."""
    with pytest.raises(Killed):
        watched(run_protocol, TWO_SEEDS, data, tmp_path, at_epoch=("fold 0 seed 0", 1))
    for name in ("recipe.yaml", "metrics.json"):
        (tmp_path / name).unlink()
    with pytest.raises(
        RunError, match=r"holds parts of a run but no recipe\.yaml: remove them or choose another output folder"
    ):
        run_protocol(TWO_SEEDS, data, tmp_path)


# Refused before anything is computed


@pytest.mark.parametrize("run", [run_protocol, fit_final])
def test_a_missing_corpus_is_named_before_anything_is_decoded(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Any
) -> None:
    def fail(*args: Any) -> Any:
        raise AssertionError("nothing may be decoded yet")

    monkeypatch.setattr(hearing, "open_store", fail)
    recipe = tiny_recipe(corpora=["ravdess", "emodb"], labels="basic7")
    with pytest.raises(
        CorpusError, match=r"^no folder is given for EmoDB: .* get it with 'serkit corpora download emodb DIR'"
    ):
        run(recipe, data, tmp_path / "run")
    with pytest.raises(
        CorpusError, match=r"^no folder for RAVDESS in .* get it with 'serkit corpora download ravdess DIR'"
    ):
        run(recipe, tmp_path, tmp_path / "run")
    with pytest.raises(CorpusError, match=r"^no data folder '.*nowhere'\.$"):
        run(recipe, tmp_path / "nowhere", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_too_many_folds_leave_no_run_folder(data: Data, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="7 folds need as many speakers, but there are 6"):
        run_protocol(tiny_recipe(protocol={"folds": 7}), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_copied_clip_is_refused(tmp_path: Path) -> None:
    """The same recording under the names of two speakers."""
    root = write_corpus("ravdess", tmp_path / "ravdess", speakers=6)
    name = "03-01-05-01-01-01-{}.flac"
    shutil.copy(root / "Actor_01" / name.format("01"), root / "Actor_06" / name.format("06"))
    recipe = tiny_recipe(protocol={"name": "leave_one_speaker_out"})
    with pytest.raises(LeakageError, match="fold 0: 1 identical recordings are in both training and test"):
        run_protocol(recipe, {"ravdess": root}, tmp_path / "run")


# Labels and protocols


def test_what_a_label_set_leaves_out_is_counted(emodb_dir: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(name="emodb-2fold-tiny", corpora=["emodb"], labels="basic7")
    metrics, seen = watched(run_protocol, recipe, {"emodb": emodb_dir}, tmp_path)
    assert seen.notes[0] == "emodb has 56 utterances here, and 535 officially"
    assert seen.notes[1] == "label set basic7 leaves out 8 utterances of boredom"
    assert read_json(tmp_path, "env.json")["dropped"] == {"boredom": 8}
    assert metrics["utterances"] == 56 - 8
    assert "surprise" not in metrics["recall"], "a class that the corpus lacks has no recall"


def test_a_merged_emotion_counts_as_its_class(data: Data, tmp_path: Path) -> None:
    recipe = tiny_recipe(labels="basic7")
    run_protocol(recipe, data, tmp_path)
    calm = {u.id for u in read_corpora(["ravdess"], data) if u.emotion == "calm"}
    assert {row["true"] for row in table(tmp_path) if row["utterance"] in calm} == {"neutral"}


def test_a_random_split_is_marked_as_such(data: Data, tmp_path: Path) -> None:
    metrics = run_protocol(tiny_recipe(protocol={"name": "random", "speaker_dependent": True}), data, tmp_path)
    assert metrics["protocol"] == metrics["validation"] == "random"
    assert metrics["is_speaker_independent"] is False


def test_without_validation_nothing_is_said_of_it(data: Data, tmp_path: Path) -> None:
    metrics = run_protocol(tiny_recipe(protocol={"validation": "none"}), data, tmp_path)
    assert metrics["validation_uar"] is None
    assert {(fit["validation_uar"], fit["temperature"]) for fit in metrics["fits"]} == {(None, 1.0)}


def test_several_corpora_and_speeds_run_together(corpora_dir: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(corpora=["emodb", "ravdess"], labels="basic7", augment={"speeds": [0.9, 1.1]})
    metrics = run_protocol(recipe, corpora_dir, tmp_path)
    assert {name: row["utterances"] for name, row in metrics["per_corpus"].items()} == {"emodb": 48, "ravdess": 96}


# The final model


@pytest.fixture(scope="module")
def final(data: Data, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A final model's run folder."""
    folder = tmp_path_factory.mktemp("final")
    fit_final(TWO_SEEDS, data, folder)
    return folder


def test_training_tests_nobody(final: Path, data: Data) -> None:
    metrics = read_json(final, "metrics.json")
    (fold,) = read_json(final, "folds.json")
    assert fold["test"] == {"speakers": [], "utterances": []}
    manifest = read_corpora(["ravdess"], data)
    assert sorted(fold["train"]["speakers"] + fold["validation"]["speakers"]) == list(manifest.speakers)
    assert len(fold["validation"]["speakers"]) == 1
    assert not (final / "predictions.csv").exists()
    assert "uar" not in metrics
    assert (metrics["protocol"], metrics["complete"], len(metrics["fits"])) == ("all_speakers", True, 2)
    assert metrics["validation_uar"] > 0
    assert fit_folders(final) == ["fold_0/seed_0", "fold_0/seed_3"]


def test_training_that_was_killed_goes_on_with_the_next_seed(final: Path, data: Data, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        watched(fit_final, TWO_SEEDS, data, tmp_path, at_note="fold 0 seed 0")
    assert read_json(tmp_path, "metrics.json")["complete"] is False
    _, seen = watched(fit_final, TWO_SEEDS, data, tmp_path)
    assert seen.fits == ["fold 0 seed 3"]
    assert same_model(tmp_path, final)


@pytest.mark.long
def test_seeds_of_a_final_model_are_fitted_side_by_side(
    final: Path, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    _, seen = watched(fit_final, TWO_SEEDS, data, tmp_path, jobs=2)
    assert seen.fits == []  # in this process
    assert same_model(tmp_path, final)


def test_a_trained_folder_is_not_evaluated_in(data: Data, tmp_path: Path) -> None:
    fit_final(tiny_recipe(), data, tmp_path)
    with pytest.raises(RunError, match="holds a run on other files or folds"):
        run_protocol(tiny_recipe(), data, tmp_path)


# A finished model on unseen speakers


def card(recipe: Recipe, *, train_speakers: tuple[str, ...], validation_speakers: tuple[str, ...] = ()) -> Card:
    labels = get_label_set(recipe.labels)
    return Card(
        name=recipe.name, serkit_version="0", classes=labels.classes, label_set=labels.name, label_note=labels.why,
        sampling_rate=16_000, inputs=("waveform", "lengths"), minimum_duration=0.1, parameters=1, corpora=(),
        languages=("en",), train_speakers=train_speakers, validation_speakers=validation_speakers, split_digest="",
        temperature=1.0, validation_uar=None, evidence=(), license="CC0-1.0", is_commercial_use_allowed=True,
        not_for=(), recipe=recipe.model_dump(mode="json"),
    )  # fmt: skip


def oracle(manifest: Manifest, labels: str) -> Callable[[Path], Prediction]:
    """Answer what is right, but take every fear for anger; the most probable class comes first."""
    answers = {manifest.audio_path(u): get_label_set(labels).class_of(u.emotion) for u in manifest}

    def predict(path: Path) -> Prediction:
        answer = "anger" if answers[path] == "fear" else str(answers[path])
        others = [name for name in get_label_set(labels).classes if name != answer]
        probabilities = {answer: 0.7} | {name: 0.3 / len(others) for name in others}
        return Prediction(
            emotion="uncertain", probabilities=probabilities, embedding=np.zeros(1, np.float32), duration=1.0
        )

    return predict


def test_a_model_is_scored_on_a_corpus_that_it_has_never_seen(emodb_dir: Path, tmp_path: Path) -> None:
    data, recipe = {"emodb": emodb_dir}, tiny_recipe(labels="basic7")
    manifest = read_corpora(["emodb"], data)
    model = card(recipe, train_speakers=("ravdess/01", "ravdess/03"), validation_speakers=("ravdess/02",))
    out = tmp_path / "emodb-unseen-tiny"
    metrics = evaluate_model(model, oracle(manifest, "basic7"), ("emodb",), data, out)
    assert {path.name for path in out.iterdir()} == {*FILES} - {"validation.csv"}
    assert metrics["name"] == "emodb-unseen-tiny"
    assert metrics["protocol"] == "unseen_corpus"
    assert metrics["is_speaker_independent"] is metrics["complete"] is True
    assert (metrics["corpora"], metrics["speakers"], metrics["utterances"]) == (["emodb"], 4, 48)
    assert metrics["recall"]["fear"] == 0
    assert metrics["uar"] == pytest.approx(100 * 5 / 6, abs=0.01)
    assert read_json(out, "env.json")["dropped"] == {"boredom": 8}
    (fold,) = read_json(out, "folds.json")
    assert fold["train"]["speakers"] == ["ravdess/01", "ravdess/03"]
    assert fold["validation"]["speakers"] == ["ravdess/02"]
    assert fold["test"]["speakers"] == list(manifest.speakers)
    for row in table(out):
        assert float(row[row["predicted"]]) == 0.7
    assert load_recipe(out / "recipe.yaml") == recipe


def test_scoring_a_model_never_overwrites_another_run(emodb_dir: Path, tmp_path: Path) -> None:
    data, recipe = {"emodb": emodb_dir}, tiny_recipe(labels="basic7")
    answer = oracle(read_corpora(["emodb"], data), "basic7")
    model = replace(card(recipe, train_speakers=("ravdess/01",)), weights_digest="one")
    evaluate_model(model, answer, ("emodb",), data, tmp_path)
    evaluate_model(model, answer, ("emodb",), data, tmp_path)
    with pytest.raises(RunError, match="holds another run: choose another output folder"):
        evaluate_model(replace(model, weights_digest="two"), answer, ("emodb",), data, tmp_path)
    kfold = tiny_recipe(name="emodb-2fold-tiny", corpora=["emodb"], labels="basic7")
    run_protocol(kfold, data, tmp_path / "kfold")
    with pytest.raises(RunError, match="holds another run"):
        evaluate_model(model, answer, ("emodb",), data, tmp_path / "kfold")


@pytest.mark.parametrize("side", ["train_speakers", "validation_speakers"])
def test_a_model_is_not_scored_on_a_speaker_that_it_has_seen(emodb_dir: Path, tmp_path: Path, side: str) -> None:
    data = {"emodb": emodb_dir}
    model = card(tiny_recipe(labels="basic7"), **({"train_speakers": ("ravdess/01",)} | {side: ("emodb/08",)}))

    def fail(path: Path) -> Prediction:
        raise AssertionError("nothing may be heard yet")

    with pytest.raises(LeakageError, match=r"^the model was fitted on 1 of the test speakers \(emodb/08\)"):
        evaluate_model(model, fail, ("emodb",), data, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_folds_of_a_finished_run_pass_the_leakage_guard_again(whole: Path, data: Data) -> None:
    manifest = read_corpora(["ravdess"], data)
    sounds = Sounds(open_store(manifest, 16_000).digests)
    split = make_split(manifest, TWO_SEEDS.protocol, sounds)
    check_leakage(split, manifest, sounds)
    folds = read_json(whole, "folds.json")
    written = [[fold[part]["utterances"] for part in ("train", "validation", "test")] for fold in folds]
    assert written == [[list(f.train), list(f.validation), list(f.test)] for f in split.folds]


def test_waveforms_are_changed_of_the_training_side_alone(
    small_recipe: dict[str, Any], emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab.training import fold as fitting

    changed: list[set[str]] = []
    rows = fitting.augmented_rows

    def counted(waveforms: Any, *arguments: Any, **options: Any) -> Any:
        changed.append(set(waveforms))
        return rows(waveforms, *arguments, **options)

    monkeypatch.setattr(fitting, "augmented_rows", counted)
    recipe = parse_recipe(small_recipe | {"augment": ["gain"], "train": {"epochs": 1, "batch_size": 8}})
    run_protocol(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    folds = json.loads((tmp_path / "run" / "folds.json").read_text())
    assert changed == [set(fold["train"]["utterances"]) for fold in folds]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"train": {"loss": "focal"}},
            "train.loss: logistic is fitted at once and would ignore it; of train it reads cl",
        ),
        ({"augment": {"speeds": [1], "mixup": 0.5}}, "augment."),
        ({"protocol": {"folds": 50}}, "50 folds need as many speakers"),
        ({"protocol": {"folds": 2, "validation_speakers": 9}}, "too few to hold out 9 for validation"),
    ],
)
def test_what_nobody_would_do_is_refused_before_audio_is_read(
    emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(hearing, "open_store", None)
    recipe = {"name": "a", "corpora": ["emodb"], "labels": "emodb", "model": "logistic", "features": "statistics"}
    with pytest.raises(SerkitError, match=message):
        run_protocol(parse_recipe(recipe | change), {"emodb": emodb_dir}, tmp_path / "run")
    assert not (tmp_path / "run").exists()
