"""Stages, optimizers, what is kept, trackers, and several processes."""

import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from serkit.errors import MissingExtraError, TrainingError
from serkit.lab.features import Layout
from serkit.lab.models import Body, Output
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.recipes.schema import Augment, Train
from serkit.lab.training import distributed as processes
from serkit.lab.training import trackers
from serkit.lab.training.checkpoints import Epoch, is_kept
from serkit.lab.training.loop import Examples, build_optimizer, fit

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES, BANDS = 3, 4
QUIET = Augment(speeds=(1.0,), band_masks=0, frame_masks=0, mixup=0)


class TwoStages(Body):
    """A deep part with a head, then a classifier on the frozen deep part."""

    stages = 2
    embedding_size = 5

    def __init__(self) -> None:
        super().__init__(Layout("frames", (("logmel", BANDS),)), CLASSES, None)
        self.scale = Scaling(BANDS)
        self.deep, self.head, self.classifier = nn.Linear(BANDS, 5), nn.Linear(5, CLASSES), nn.Linear(5, CLASSES)
        self.started: list[int] = []
        self.start_stage(1)

    def start_stage(self, stage: int) -> None:
        self.started.append(stage)
        self.stage = stage
        for module in (self.deep, self.head):
            module.requires_grad_(stage == 0)
        self.classifier.requires_grad_(stage == 1)

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        x = self.deep(self.scale(features, lengths).sum(2) / lengths[:, None])
        return Output((self.head if self.stage == 0 else self.classifier)(x), x)


def examples(count: int = 24) -> Examples:
    rng = np.random.default_rng(0)
    targets = {f"toy/{i:02d}": i % CLASSES for i in range(count)}
    rows = {name: rng.standard_normal((rng.integers(3, 9), BANDS)).astype(np.float32) for name in targets}
    for name, target in targets.items():
        rows[name][:, target] += 2
    names = list(targets)
    train, validation = names[: count // 2], names[count // 2 :]
    return Examples([rows], rows, {n: targets[n] for n in train}, {n: targets[n] for n in validation}, CLASSES)


def train_two(folder: Path, train: Train, on_epoch: Any = lambda epoch: None) -> tuple[TwoStages, Any]:
    torch.manual_seed(0)
    body = TwoStages()
    return body, fit(body, examples(), train, QUIET, seed=0, folder=folder, on_epoch=on_epoch)


def test_each_stage_trains_its_own_weights_for_all_epochs(tmp_path: Path) -> None:
    body, fitted = train_two(tmp_path, Train(epochs=4, batch_size=6))
    assert [epoch.stage for epoch in fitted.history] == [0] * 4 + [1] * 4
    assert [epoch.epoch for epoch in fitted.history] == list(range(8))
    assert fitted.kept >= 4
    assert body.started == [1, 0, 1]


def test_the_second_stage_starts_from_the_best_epoch_of_the_first_and_leaves_it_alone(tmp_path: Path) -> None:
    seen: list[tuple[float, Tensor]] = []
    torch.manual_seed(0)
    body = TwoStages()

    def on_epoch(epoch: Epoch) -> None:
        seen.append((epoch.validation_uar, body.deep.weight.detach().clone()))

    fit(body, examples(), Train(epochs=5, batch_size=6, lr=0.3), QUIET, seed=0, folder=tmp_path, on_epoch=on_epoch)
    first = seen[:5]
    best = max(range(5), key=lambda i: (first[i][0], i))
    assert all(torch.equal(weight, first[best][1]) for _, weight in seen[5:])


@pytest.mark.parametrize("killed_after", [1, 3, 4, 6])
def test_a_run_killed_in_any_stage_ends_with_the_weights_of_one_that_was_not(tmp_path: Path, killed_after: int) -> None:
    settings = Train(epochs=4, batch_size=6, scheduler="plateau", plateau_patience=0, optimizer="adam")

    def kill(epoch: Epoch) -> None:
        if epoch.epoch == killed_after:
            raise KeyboardInterrupt

    whole, fitted = train_two(tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train_two(tmp_path / "killed", settings, kill)
    resumed, again = train_two(tmp_path / "killed", settings)
    assert again == fitted
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())


def test_the_scaling_is_fitted_on_training_utterances_alone(tmp_path: Path) -> None:
    body, data = train_two(tmp_path, Train(epochs=1, batch_size=6))[0], examples()
    expected = np.concatenate([data.plain[name] for name in data.train]).mean(0)
    np.testing.assert_allclose(body.scale.mean, expected, atol=1e-6)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd", "rmsprop"])
def test_every_optimizer_resumes_to_the_same_weights(name: str, tmp_path: Path) -> None:
    settings = Train.model_validate({"optimizer": name, "epochs": 3, "batch_size": 6, "lr": 0.01})

    def kill(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            raise KeyboardInterrupt

    whole, fitted = train_two(tmp_path / "whole", settings)
    with pytest.raises(KeyboardInterrupt):
        train_two(tmp_path / "killed", settings, kill)
    resumed, again = train_two(tmp_path / "killed", settings)
    assert again == fitted
    assert all(torch.equal(value, resumed.state_dict()[key]) for key, value in whole.state_dict().items())


def test_optimizers_are_torchs_with_the_recipes_numbers() -> None:
    rates = [(1.0, [*nn.Linear(2, 2).parameters()])]
    made = build_optimizer(rates, Train(optimizer="sgd", lr=0.2, momentum=0.7, weight_decay=0.1))
    assert isinstance(made, torch.optim.SGD)
    group = made.param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (0.2, 0.7, 0.1)
    kinds = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}
    for name, kind in kinds.items():
        assert type(build_optimizer(rates, Train.model_validate({"optimizer": name}))) is kind


@pytest.mark.parametrize(("batch_size", "accumulate"), [(6, 2), (4, 3), (5, 7)])
def test_accumulated_batches_make_the_step_of_one_large_batch(tmp_path: Path, batch_size: int, accumulate: int) -> None:
    """All 12 training utterances, in batches of 5 too, of which the last is smaller and its utterances weigh more."""
    settings = {"epochs": 3, "optimizer": "sgd", "lr": 0.1, "class_weights": False, "scheduler": "linear"}
    whole, _ = train_two(tmp_path / "whole", Train(batch_size=12, **settings))
    parts, _ = train_two(tmp_path / "parts", Train(batch_size=batch_size, accumulate=accumulate, **settings))
    tolerance = 1e-6 if 12 % batch_size == 0 else 0.05
    for name, value in whole.state_dict().items():
        torch.testing.assert_close(value, parts.state_dict()[name], atol=tolerance, rtol=tolerance)


def test_the_best_epoch_may_be_that_of_the_lowest_validation_loss() -> None:
    history = [Epoch(0, 1, 1, 0.9, 0.5), Epoch(1, 1, 1, 0.7, 0.4), Epoch(2, 1, 1, 0.8, 0.6)]
    assert not is_kept(history, keep="best", best="validation_loss")
    assert is_kept(history, keep="best", best="validation_uar")
    assert is_kept(history[:2], keep="best", best="validation_loss")


def test_stopping_early_goes_by_what_is_best(tmp_path: Path) -> None:
    settings = Train(epochs=30, batch_size=6, lr=1.0, optimizer="sgd", best="validation_loss", patience=2)
    _, fitted = train_two(tmp_path, settings)
    losses = [e.validation_loss for e in fitted.history if e.stage == 1]
    assert len(losses) - 1 - losses.index(min(losses)) in (2, 29 - losses.index(min(losses)))


def test_an_l1_penalty_makes_weights_small(tmp_path: Path) -> None:
    plain, _ = train_two(tmp_path / "plain", Train(epochs=20, batch_size=6, keep="last"))
    pressed, _ = train_two(tmp_path / "pressed", Train(epochs=20, batch_size=6, keep="last", l1=0.1))
    assert pressed.deep.weight.abs().sum() < 0.9 * plain.deep.weight.abs().sum()


# Trackers


@pytest.mark.parametrize("name", ["tensorboard", "mlflow", "wandb"])
@pytest.mark.filterwarnings("ignore")  # of the trackers' own making
def test_a_tracker_leaves_its_record_in_the_fits_folder(name: str, tmp_path: Path) -> None:
    pytest.importorskip(name)
    train_two(tmp_path, Train.model_validate({"epochs": 2, "batch_size": 6, "trackers": [name]}))
    files = [file for file in (tmp_path / "trackers").rglob("*") if file.is_file()]
    assert files
    assert (tmp_path / "history.csv").is_file()


def test_a_tracker_that_is_not_installed_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'serkit\[tracking\]'"):
        trackers.check(Train(trackers=("wandb",)))


# Several processes

SCRIPT = """
import sys
from pathlib import Path
import torch
sys.path[:0] = sys.argv[2:]
torch.set_num_threads(1)
from test_training_options import QUIET, TwoStages, examples
from serkit.lab.recipes.schema import Train
from serkit.lab.training.loop import fit

torch.manual_seed(0)
fit(TwoStages(), examples(30), Train(epochs=3, batch_size=7, lr=0.02), QUIET, seed=0, folder=Path(sys.argv[1]))
"""


def losses(folder: Path, *launcher: str) -> list[float]:
    script = folder.parent / "script.py"
    script.write_text(SCRIPT)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    command = [sys.executable, *launcher, str(script), str(folder), *paths]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with (folder / "history.csv").open() as file:
        return [float(row[name]) for row in csv.DictReader(file) for name in ("train_loss", "validation_loss")]


@pytest.mark.long
def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    one = losses(tmp_path / "one")
    two = losses(tmp_path / "two", "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    assert len(one) == len(two) == 12
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-4


def test_more_processes_than_utterances_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "count", lambda: 8)
    with pytest.raises(TrainingError, match=r"^a batch of 3 utterances cannot be shared by 8 processes: start fewer"):
        processes.share_of(3)


def test_one_process_is_the_main_one_and_takes_all() -> None:
    assert processes.is_main()
    assert (processes.rank(), processes.count()) == (0, 1)
    assert list(range(5))[processes.share_of(5)] == list(range(5))
    assert processes.from_main((1.0, math.inf)) == (1.0, math.inf)
