import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from serkit.data.manifest import Manifest
from serkit.errors import ManifestError, RecipeError, RunError
from serkit.lab import evaluate
from serkit.lab.measure.run_folder import read_json
from serkit.lab.recipes.schema import Recipe, Train, parse_recipe
from serkit.lab.training.feature_batches import training_batches
from serkit.lab.training.losses import summed_loss, summed_weight
from serkit.lab.training.pretraining import first_recipe
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.vote_targets import vote_targets
from serkit.labels import LabelSet
from serkit.types import Utterance
from support.synthetic import TITLES, write_corpus

LABELS = LabelSet("toy", ("anger", "calm"), "two classes", {"neutral": "calm"})
TINY = {
    "name": "crnn", "stem": [4], "channels": 8, "dilations": [1], "recurrent": 0, "embedding": 8, "halvings": 1
}  # fmt: skip


def clips(*votes: str) -> Manifest:
    return Manifest(
        tuple(
            Utterance(id=f"toy/{n}", path="", corpus="toy", speaker="toy/1", emotion="anger", extra={"votes": some})
            for n, some in enumerate(votes)
        )
    )


def recipe(**changes: object) -> Recipe:
    content = {
        "name": "toy-votes", "corpora": ["crema-d"], "labels": "crema-d", "targets": "votes", "model": TINY,
        "protocol": {"folds": 2}, "augment": {"speeds": [1.0]}, "train": {"epochs": 2},
    }  # fmt: skip
    return parse_recipe(content | changes)


@pytest.fixture(scope="module")
def crema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny CREMA-D whose listeners all heard neutral voices, but for one in five."""
    root = tmp_path_factory.mktemp("data") / TITLES["crema-d"]
    write_corpus("crema-d", root, speakers=4, per_class=1)
    files = sorted(path.stem for path in root.rglob("*.flac"))
    with (root / "processedResults" / "tabulatedVotes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "A", "D", "F", "H", "N", "S", "fileName"])
        for place, start in ((8, 100_000), (3, 200_000)):  # voices, then faces
            rows = ([*(["1"] + ["0"] * 3), str(place), "0"] for _ in files)
            writer.writerows(
                [str(start + n), *row, name] for n, (row, name) in enumerate(zip(rows, files, strict=True))
            )
    return {"crema-d": root}


# Targets


def test_a_target_is_the_share_of_votes_of_each_class() -> None:
    found = vote_targets(clips("anger=1 calm=1 neutral=2", "anger=3"), LABELS)
    assert {name: list(shares) for name, shares in found.items()} == {"toy/0": [0.25, 0.75], "toy/1": [1, 0]}


def test_votes_for_emotions_without_a_class_are_not_counted() -> None:
    found = vote_targets(clips("anger=1 fear=9", "fear=9"), LABELS)
    assert list(found["toy/0"]) == [1, 0]
    assert "toy/1" not in found


def test_a_corpus_without_votes_is_refused_in_a_sentence() -> None:
    with pytest.raises(
        ManifestError, match="targets: votes needs listeners' votes, and no utterance of toy has one for anger, calm"
    ):
        vote_targets(clips("", ""), LABELS)


# Loss


def test_a_soft_target_of_one_class_costs_what_the_class_costs() -> None:
    logits = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    hard = torch.tensor([0, 1, 2, 2, 1, 0])
    soft = torch.nn.functional.one_hot(hard, 3).float()
    for weights in (None, torch.tensor([0.5, 1.0, 2.0])):
        train = Train(label_smoothing=0.1)
        one, other = (summed_loss(logits, t, weights, train) / summed_weight(t, weights) for t in (hard, soft))
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_an_utterance_without_votes_keeps_its_label_in_a_batch_of_votes() -> None:
    frames = {name: np.ones((4, 2), np.float32) for name in "ab"}
    (batch,) = training_batches(
        [frames], {"a": 0, "b": 1}, recipe().augment, batch_size=2, seed=0, epoch=0,
        shares={"a": np.array([0.25, 0.75], np.float32)},
    )  # fmt: skip
    assert dict(zip(batch.ids, batch.targets.tolist(), strict=True)) == {"a": [0.25, 0.75], "b": [0.0, 1.0]}


# Recipes


def test_only_networks_learn_from_votes() -> None:
    with pytest.raises(RecipeError, match="targets: votes is for networks; logistic learns from labels only"):
        recipe(model="logistic", features=["prosody"], augment={}, train={})
    ensemble = recipe(model={"name": "ensemble", "members": ["crnn", "logistic"]}, augment={}, train={})
    with pytest.raises(RecipeError, match="logistic learns from labels only"):
        resolve_recipe(ensemble)


def test_focal_loss_is_refused_with_votes() -> None:
    with pytest.raises(RecipeError, match="focal loss is defined for one label"):
        recipe(train={"loss": "focal"})


def test_a_recipe_without_votes_does_not_mention_them() -> None:
    assert recipe().as_mapping()["targets"] == "votes"
    assert "targets" not in recipe(targets="labels").as_mapping()


def test_a_first_training_learns_labels() -> None:
    pretrain = {"corpora": ["savee"], "labels": "savee", "epochs": 1}
    assert first_recipe(recipe(pretrain=pretrain), [0]).targets == "labels"


# Runs


@pytest.mark.usefixtures("quick_bootstrap", "one_thread")
def test_a_network_trained_on_votes_answers_what_listeners_heard(crema: dict[str, Path], tmp_path: Path) -> None:
    settings = {"epochs": 12, "lr": 0.02, "batch_size": 4, "scheduler": "constant", "class_weights": False}
    run = evaluate(recipe(train=settings), data=crema, out=tmp_path / "votes")
    assert (run.predictions["predicted"] == "neutral").mean() > 0.8
    assert run.predictions["true"].nunique() == 6  # it is scored against what was acted
    facts = read_json(tmp_path / "votes", "env.json")
    assert (len(facts["targets_digest"]), facts["targets"]) == (64, 24)


@pytest.mark.usefixtures("quick_bootstrap", "one_thread")
def test_other_votes_are_other_data(crema: dict[str, Path], tmp_path: Path) -> None:
    evaluate(recipe(), data=crema, out=tmp_path / "run")
    table = crema["crema-d"] / "processedResults" / "tabulatedVotes.csv"
    text = table.read_text()
    try:
        table.write_text(text.replace(",8,0,", ",7,1,"))
        with pytest.raises(RunError):
            evaluate(recipe(), data=crema, out=tmp_path / "run")
    finally:
        table.write_text(text)
