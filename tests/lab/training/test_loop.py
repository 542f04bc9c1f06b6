import csv
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from serkit.errors import TrainingError
from serkit.lab.features import Layout
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.lab.models import Output, build_body
from serkit.lab.recipes.schema import Augment, Train
from serkit.lab.training import loop as training
from serkit.lab.training.loop import (
    Epoch,
    Examples,
    Fitted,
    class_weights,
    fit,
    fit_temperature,
    learning_rate,
    predict_logits,
)
from support.toy import PLAIN, TINY

pytestmark = pytest.mark.usefixtures("one_thread")
CLASSES, BANDS = 4, 8
SPEEDS = 2
QUIET = Augment(**PLAIN)
LOUD = Augment(band_masks=1, band_mask_size=2, frame_masks=1, mixup=0.3)
SHORT = Train(epochs=3, batch_size=8)


class Killed(Exception):
    """Stands for whatever ends a process."""


def kill_after(epoch: int) -> Callable[[Epoch], None]:
    def on_epoch(done: Epoch) -> None:
        if done.epoch == epoch:
            raise Killed

    return on_epoch


def examples(*, train: int = 20, validation: int = 12) -> Examples:
    """Noise, with two bands of each class louder."""
    rng = np.random.default_rng(0)
    targets = {f"toy/{i:02d}": i % CLASSES for i in range(train + validation)}
    rows = []
    for _ in range(SPEEDS):
        frames = {name: rng.standard_normal((rng.integers(12, 24), BANDS)).astype(np.float32) for name in targets}
        for name, target in targets.items():
            frames[name][:, 2 * target : 2 * target + 2] += 3
        rows.append(frames)
    names = list(targets)
    return Examples(
        rows=rows,
        plain=rows[0],
        train={name: targets[name] for name in names[:train]},
        validation={name: targets[name] for name in names[train:]},
        classes=CLASSES,
    )


def tiny_body(seed: int = 0, **changes: Any) -> nn.Module:
    torch.manual_seed(seed)
    settings = {name: value for name, value in TINY.items() if name != "name"} | changes
    return build_body("crnn", settings, layout=Layout("frames", (("logmel", BANDS),)), classes=CLASSES)


@dataclass(frozen=True)
class Result:
    body: nn.Module
    fitted: Fitted
    folder: Path

    @property
    def weights(self) -> dict[str, Tensor]:
        return self.body.state_dict()


def run(
    folder: Path,
    train: Train = SHORT,
    *,
    augment: Augment = QUIET,
    seed: int = 0,
    data: Examples | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Result:
    body = tiny_body(seed)
    fitted = fit(body, data or examples(), train, augment, seed=seed, folder=folder, on_epoch=on_epoch)
    return Result(body, fitted, folder)


def interrupted(folder: Path, epoch: int, train: Train = SHORT, **options: Any) -> None:
    with pytest.raises(Killed):
        run(folder, train, on_epoch=kill_after(epoch), **options)


def same_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def same_result(one: Result, other: Result) -> bool:
    assert same_weights(one.weights, other.weights)
    assert one.fitted == other.fitted
    for name in ("weights.safetensors", "history.csv"):
        assert (one.folder / name).read_bytes() == (other.folder / name).read_bytes()
    return True


def validation_uar(script: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each epoch have the validation UAR of a script."""
    values = iter(script)
    monkeypatch.setattr(training, "uar", lambda confusion: next(values))


# Learning


@pytest.mark.parametrize(
    ("train", "augment"),
    [
        (Train(epochs=10, batch_size=4, lr=1e-2), QUIET),
        (Train(epochs=10, batch_size=4, lr=1e-2, scheduler="cosine", label_smoothing=0), LOUD),
        (Train(epochs=10, batch_size=4, lr=1e-2, scheduler="constant", class_weights=False, precision="bf16"), QUIET),
    ],
)
def test_what_can_be_told_apart_is_learned(tmp_path: Path, train: Train, augment: Augment) -> None:
    """Chance is 25 %."""
    data = examples(train=40, validation=16)
    result = run(tmp_path, train, augment=augment, data=data)
    logits, targets = predict_logits(result.body, data.plain, data.train)
    assert (logits.argmax(1) == targets).mean() > 0.7
    assert result.fitted.validation_uar > 0.6
    assert result.fitted.history[-1].train_loss < result.fitted.history[0].train_loss


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    first, second = (run(tmp_path / name, augment=LOUD) for name in "ab")
    assert same_result(first, second)


def test_the_random_state_before_does_not_matter(tmp_path: Path) -> None:
    first = run(tmp_path / "a", augment=LOUD)
    body = tiny_body()
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    fit(body, examples(), SHORT, LOUD, seed=0, folder=tmp_path / "b")
    assert same_weights(body.state_dict(), first.weights)


def test_another_seed_gives_other_weights(tmp_path: Path) -> None:
    body, other = tiny_body(), tiny_body()
    fit(body, examples(), SHORT, QUIET, seed=0, folder=tmp_path / "a")
    fit(other, examples(), SHORT, QUIET, seed=1, folder=tmp_path / "b")
    assert not same_weights(body.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    "change",
    [{"mixup": 0.5}, {"band_masks": 2}, {"frame_masks": 2, "frame_mask_share": 0.5}],
    ids=lambda change: next(iter(change)),
)
def test_each_augmentation_changes_what_is_learned(tmp_path: Path, change: dict[str, Any]) -> None:
    plain, augmented = run(tmp_path / "a"), run(tmp_path / "b", augment=Augment(**(PLAIN | change)))
    assert not same_weights(plain.weights, augmented.weights)


@dataclass
class Changing:
    """Frames that say by which call they were made, and what asked for them."""

    plain: Mapping[str, NDArray[np.float32]]
    asked: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, seed: int, epoch: int) -> dict[str, NDArray[np.float32]]:
        self.asked.append((seed, epoch))
        return {name: np.full_like(row, epoch) for name, row in self.plain.items()}


def test_changed_waveforms_are_made_anew_in_each_epoch_or_as_so_many_copies(tmp_path: Path) -> None:
    data = examples()
    fresh, kept = (Changing({name: data.plain[name] for name in data.train}) for _ in range(2))
    chain = PLAIN | {"waveform": [{"name": "noise"}]}
    run(tmp_path / "a", data=replace(data, augmented=fresh), augment=Augment(**chain), seed=3)
    assert fresh.asked == [(3, 0), (3, 1), (3, 2)]
    body = tiny_body()
    heard: list[set[float]] = []
    body.register_forward_hook(
        lambda module, inputs, _: heard.append(set(inputs[0][:, 0, 0].tolist())) if module.training else None
    )
    fit(body, replace(data, augmented=kept), SHORT, Augment(**chain, copies=2), seed=3, folder=tmp_path / "b")
    assert kept.asked == [(3, 0), (3, 1)]
    assert set().union(*heard) == {0, 1}
    assert len(heard) == SHORT.epochs * 3


def test_a_run_on_copies_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    data = examples()
    data = replace(data, augmented=Changing({name: data.plain[name] for name in data.train}))
    augment = Augment(**PLAIN | {"waveform": [{"name": "noise"}], "copies": 2})
    whole = run(tmp_path / "a", data=data, augment=augment)
    with pytest.raises(Killed):
        run(tmp_path / "b", data=data, augment=augment, on_epoch=kill_after(1))
    assert same_weights(run(tmp_path / "b", data=data, augment=augment).weights, whole.weights)


@pytest.mark.parametrize(("copies", "rows"), [(None, 40), (1, 40), (3, 80)])
def test_what_is_fitted_at_once_hears_each_utterance_and_its_copies(
    tmp_path: Path, copies: int | None, rows: int
) -> None:
    data = examples()
    means = {name: row.mean(0, keepdims=True) for name, row in data.plain.items()}
    body = build_body("logistic", {}, layout=Layout("vector", (("statistics", BANDS),)), classes=CLASSES)
    heard: list[int] = []
    fit_on = body.fit_on
    body.fit_on = lambda found, *others, **options: (heard.append(len(found)), fit_on(found, *others, **options))[1]
    augment = Augment(**PLAIN | {"waveform": [{"name": "noise"}], "copies": copies})
    some = replace(data, rows=[means], plain=means, augmented=Changing({name: means[name] for name in data.train}))
    fit(body, some, Train(class_weights=False), augment, seed=0, folder=tmp_path)
    assert heard == [rows]


def test_mixup_mixes_features_and_targets_of_a_pair_by_one_share(tmp_path: Path) -> None:
    """A pair is as long as its longer one, behind the shorter one's end the longer one alone is heard."""
    body = tiny_body()
    heard: list[tuple[Tensor, Tensor, Tensor]] = []
    body.register_forward_hook(lambda module, inputs, output: heard.append((*inputs, output.logits.detach())))
    rows = {"toy/short": np.ones((4, BANDS), np.float32), "toy/long": np.full((9, BANDS), 3, np.float32)}
    data = Examples([rows], rows, {"toy/short": 0, "toy/long": 1}, {}, CLASSES)
    train = Train(epochs=6, batch_size=2, label_smoothing=0, class_weights=False)
    fitted = fit(body, data, train, Augment(**(PLAIN | {"mixup": 0.5})), seed=0, folder=tmp_path)
    pairs = [(*batch, epoch.train_loss) for batch, epoch in zip(heard, fitted.history, strict=True)]
    mixed = [pair for pair in pairs if pair[1].tolist() == [9, 9]]  # the others drew themselves as their partner
    assert mixed
    for features, _, logits, loss in mixed:
        share = (features[:, :, 8] / 3).mean(dim=1)  # of the long one, in either order
        torch.testing.assert_close(features[:, :, 0], (3 * share + 1 - share)[:, None].expand(2, BANDS))
        torch.testing.assert_close(share.sum(), torch.tensor(1.0))
        short, long = -logits.log_softmax(1)[:, :2].T
        assert loss == pytest.approx(float((share * long + (1 - share) * short).mean()), rel=1e-5)


def test_the_mean_loss_of_a_bodys_parts_counts_as_much_as_it_says(tmp_path: Path) -> None:
    body = tiny_body()
    body.parts_loss = 0.5
    expected: list[float] = []

    def answer(module: nn.Module, inputs: tuple[Tensor, ...], output: Output) -> Output:
        parts = (2 * output.logits, -output.logits)
        targets = (inputs[0][:, 0, 0] > 2).long()
        whole, *others = (float(cross_entropy(logits.detach(), targets)) for logits in (output.logits, *parts))
        expected.append(whole + 0.5 * sum(others) / 2)
        return output._replace(parts=parts)

    body.register_forward_hook(answer)
    rows = {"toy/a": np.ones((4, BANDS), np.float32), "toy/b": np.full((4, BANDS), 3, np.float32)}
    data = Examples([rows], rows, {"toy/a": 0, "toy/b": 1}, {}, CLASSES)
    train = Train(epochs=1, batch_size=2, label_smoothing=0, class_weights=False)
    fitted = fit(body, data, train, Augment(**PLAIN), seed=0, folder=tmp_path)
    assert [fitted.history[0].train_loss] == pytest.approx(expected, rel=1e-5)


# Interrupted and resumed


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, epoch: int) -> None:
    interrupted(tmp_path / "resumed", epoch, augment=LOUD)
    told: list[int] = []
    resumed = run(tmp_path / "resumed", augment=LOUD, on_epoch=lambda done: told.append(done.epoch))
    assert told == list(range(epoch + 1, SHORT.epochs))
    assert same_result(resumed, run(tmp_path / "whole", augment=LOUD))


def test_killed_after_every_epoch_equals_uninterrupted(tmp_path: Path) -> None:
    for epoch in range(SHORT.epochs):
        interrupted(tmp_path / "resumed", epoch, augment=LOUD)
    assert same_result(run(tmp_path / "resumed", augment=LOUD), run(tmp_path / "whole", augment=LOUD))


def test_killed_within_an_epoch_equals_uninterrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batches = training.training_batches

    def broken(*args: Any, **options: Any) -> Iterator[Any]:
        for i, batch in enumerate(batches(*args, **options)):
            if options["epoch"] == 1 and i == 2:
                raise Killed
            yield batch

    monkeypatch.setattr(training, "training_batches", broken)
    with pytest.raises(Killed):
        run(tmp_path / "resumed", augment=LOUD)
    monkeypatch.undo()
    assert same_result(run(tmp_path / "resumed", augment=LOUD), run(tmp_path / "whole", augment=LOUD))


def test_the_kept_weights_survive_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best epoch lies before the kill."""
    script, results = [0.6, 0.5, 0.4], []
    for name, kill in (("resumed", True), ("whole", False)):
        validation_uar(script, monkeypatch)
        if kill:
            interrupted(tmp_path / name, 1)
        results.append(run(tmp_path / name))
    assert same_result(*results)
    assert results[0].fitted.kept == 0


def test_a_half_written_checkpoint_is_ignored(tmp_path: Path) -> None:
    interrupted(tmp_path / "resumed", 0)
    half = tmp_path / "resumed" / ".checkpoint-00002.tmp"
    shutil.copytree(tmp_path / "resumed" / "checkpoint-00001", half)
    (half / "state.json").unlink()
    (half / "weights.safetensors").write_bytes(b"cut")
    assert same_result(run(tmp_path / "resumed"), run(tmp_path / "whole"))


def test_the_newer_of_two_checkpoints_is_resumed(tmp_path: Path) -> None:
    """Killed after the new one had its name, before the older one was removed."""
    interrupted(tmp_path / "resumed", 0)
    shutil.copytree(tmp_path / "resumed" / "checkpoint-00001", tmp_path / "older")
    interrupted(tmp_path / "resumed", 1)
    shutil.move(tmp_path / "older", tmp_path / "resumed" / "checkpoint-00001")
    told: list[int] = []
    resumed = run(tmp_path / "resumed", on_epoch=lambda done: told.append(done.epoch))
    assert told == [2]
    assert same_result(resumed, run(tmp_path / "whole"))


@pytest.mark.parametrize("change", [{"channels": 24}, {"recurrent": 0}, {"dilations": [1, 2, 4]}])
def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    interrupted(tmp_path, 0)
    with pytest.raises(TrainingError, match=r"checkpoint-00001 is of another model; remove it to start anew\.$"):
        fit(tiny_body(**change), examples(), SHORT, QUIET, seed=0, folder=tmp_path)


@pytest.mark.long
def test_a_process_that_is_killed_and_started_again_ends_with_the_same_weights(tmp_path: Path) -> None:
    script = """
import os, signal, sys
from pathlib import Path
import torch
from test_loop import LOUD, run
torch.set_num_threads(1)
last = int(sys.argv[2])
kill = lambda done: os.kill(os.getpid(), signal.SIGKILL) if done.epoch == last else None
run(Path(sys.argv[1]), augment=LOUD, on_epoch=kill)
"""
    paths = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2])])
    for last, code in ((0, -signal.SIGKILL), (1, -signal.SIGKILL), (99, 0)):
        started = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "killed"), str(last)],
            env=os.environ | {"PYTHONPATH": paths},
            check=False,
        )
        assert started.returncode == code
    whole = run(tmp_path / "whole", augment=LOUD)
    for name in ("weights.safetensors", "history.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (whole.folder / name).read_bytes()


# What is kept, and when it ends


@pytest.mark.parametrize(
    ("keep", "script", "kept"),
    [
        ("best", [0.2, 0.6, 0.4], 1),
        ("best", [0.2, 0.6, 0.6], 2),  # the later one wins a tie
        ("best", [0.6, 0.6, 0.4], 1),
        ("best", [0.6, 0.5, 0.4], 0),
        ("last", [0.6, 0.5, 0.4], 2),
    ],
)
def test_the_kept_weights_are_those_of_the_kept_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: Any, script: list[float], kept: int
) -> None:
    validation_uar(script, monkeypatch)
    body, after = tiny_body(), []

    def remember(epoch: Epoch) -> None:
        after.append({name: value.clone() for name, value in body.state_dict().items()})

    train = SHORT.model_copy(update={"keep": keep})
    fitted = fit(body, examples(), train, QUIET, seed=0, folder=tmp_path, on_epoch=remember)
    assert (fitted.kept, fitted.validation_uar) == (kept, script[kept])
    assert same_weights(body.state_dict(), after[kept])
    assert same_weights(load_file(tmp_path / "weights.safetensors"), after[kept])


def test_the_validation_uar_is_that_of_the_returned_body(tmp_path: Path) -> None:
    result, data = run(tmp_path), examples()
    logits, targets = predict_logits(result.body, data.plain, data.validation)
    assert result.fitted.validation_uar == uar(confusion_matrix(targets, logits.argmax(1), CLASSES))
    assert result.fitted.temperature == fit_temperature(logits, targets)


@pytest.mark.parametrize(
    ("patience", "script", "epochs"),
    [
        (2, [0.5, 0.4, 0.4, 0.9, 0.9, 0.9], 3),
        (2, [0.4, 0.5, 0.4, 0.6, 0.5, 0.5], 6),
        (1, [0.5, 0.5, 0.6, 0.7, 0.8, 0.9], 2),  # the same is not better
        (None, [0.5, 0.4, 0.3, 0.2, 0.1, 0.0], 6),
    ],
)
def test_patience_ends_after_so_many_epochs_without_a_better_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, patience: int | None, script: list[float], epochs: int
) -> None:
    validation_uar(script, monkeypatch)
    result = run(tmp_path, Train(epochs=6, batch_size=16, patience=patience))
    assert len(result.fitted.history) == epochs


def test_patience_that_has_run_out_stays_so_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train = SHORT.model_copy(update={"patience": 1})
    validation_uar([0.5, 0.4, 0.9], monkeypatch)
    interrupted(tmp_path, 1, train)
    assert len(run(tmp_path, train).fitted.history) == 2


@pytest.mark.parametrize("keep", ["best", "last"])
def test_without_validation_the_last_epoch_is_kept(tmp_path: Path, keep: Any) -> None:
    train = SHORT.model_copy(update={"keep": keep, "patience": 1})
    fitted = run(tmp_path, train, data=examples(validation=0)).fitted
    assert (fitted.kept, fitted.temperature, len(fitted.history)) == (2, 1.0, 3)
    assert math.isnan(fitted.validation_uar)


def test_a_class_that_nobody_speaks_in_training_is_no_obstacle(tmp_path: Path) -> None:
    data = examples()
    fitted = run(tmp_path, data=replace(data, train={n: t for n, t in data.train.items() if t})).fitted
    assert all(math.isfinite(epoch.train_loss) for epoch in fitted.history)


def test_a_loss_that_is_no_number_ends_training_with_step_and_rate(tmp_path: Path) -> None:
    data = examples()
    rows = [{name: np.full_like(row, np.nan) for name, row in frames.items()} for frames in data.rows]
    with pytest.raises(TrainingError, match=r"^the loss is nan at step 0 with a learning rate of 8e-05: try a lower "):
        run(tmp_path, data=replace(data, rows=rows))
    interrupted(tmp_path, 1)
    with pytest.raises(TrainingError, match="at step 6 with a learning rate of"):  # three steps an epoch
        run(tmp_path, data=replace(data, rows=rows))


# What a fit leaves


def test_a_fit_leaves_its_weights_and_its_history(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["history.csv", "weights.safetensors"]
    assert same_weights(load_file(tmp_path / "weights.safetensors"), result.weights)
    with (tmp_path / "history.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [{name: float(value) for name, value in row.items()} for row in rows] == [
        asdict(epoch) for epoch in result.fitted.history
    ]


def test_no_pickle_is_written(tmp_path: Path) -> None:
    suffixes = set()
    run(tmp_path, on_epoch=lambda epoch: suffixes.update(p.suffix for p in tmp_path.rglob("*") if p.is_file()))
    suffixes.update(path.suffix for path in tmp_path.rglob("*"))
    assert suffixes == {".safetensors", ".json", ".csv"}


def test_only_one_checkpoint_is_kept(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    run(tmp_path, on_epoch=lambda epoch: seen.append(sorted(path.name for path in tmp_path.iterdir())))
    assert seen == [["checkpoint-00001"], ["checkpoint-00002"], ["checkpoint-00003"]]


def test_predictions_are_in_the_order_of_the_targets() -> None:
    body, data = tiny_body().eval(), examples()
    logits, targets = predict_logits(body, data.plain, data.validation)
    backwards, reversed_targets = predict_logits(body, data.plain, dict(reversed(data.validation.items())))
    np.testing.assert_allclose(backwards[::-1], logits, atol=1e-5)
    assert targets.tolist() == reversed_targets[::-1].tolist() == list(data.validation.values())


# Schedules, against PyTorch


def one_cycle(total: int, warmup: float) -> list[float]:
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=2e-3, total_steps=total, pct_start=warmup, anneal_strategy="cos",
        cycle_momentum=False, div_factor=25, final_div_factor=1e4,
    )  # fmt: skip
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < total:
            schedule.step()
    return rates


@pytest.mark.parametrize("warmup", [0.0, 0.1, 0.3, 0.77])
@pytest.mark.parametrize("total", [20, 37, 400])
def test_one_cycle_is_that_of_pytorch(total: int, warmup: float) -> None:
    """At every step, to 1e-9 of the peak."""
    train = Train(lr=2e-3, warmup=warmup)
    rates = [learning_rate(train, step, total) for step in range(total)]
    assert rates == pytest.approx(one_cycle(total, warmup), rel=0, abs=2e-12)


def test_cosine_rises_in_a_line_and_falls_on_a_cosine() -> None:
    train = Train(lr=1.0, warmup=0.2, scheduler="cosine")
    rates = [learning_rate(train, step, 50) for step in range(50)]
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[10:] == pytest.approx([(1 + math.cos(math.pi * i / 40)) / 2 for i in range(40)])


def test_cosine_without_warm_up_starts_at_the_peak() -> None:
    assert learning_rate(Train(lr=1.0, warmup=0.0, scheduler="cosine"), 0, 10) == 1.0


def test_constant_is_constant() -> None:
    assert {learning_rate(Train(lr=0.5, scheduler="constant"), step, 10) for step in range(10)} == {0.5}


@pytest.mark.parametrize("scheduler", ["one_cycle", "cosine", "constant"])
@pytest.mark.parametrize("total", [1, 2, 3])
def test_the_rate_is_positive_in_the_shortest_training(scheduler: Any, total: int) -> None:
    train = Train(scheduler=scheduler)
    assert all(0 < learning_rate(train, step, total) <= train.lr for step in range(total))


def test_the_history_tells_the_rate_of_each_epochs_last_step(tmp_path: Path) -> None:
    result, steps = run(tmp_path), 3  # 20 utterances in batches of 8
    expected = [learning_rate(SHORT, (epoch + 1) * steps - 1, SHORT.epochs * steps) for epoch in range(SHORT.epochs)]
    assert [epoch.lr for epoch in result.fitted.history] == expected


# Class weights and temperature


@pytest.mark.parametrize("targets", [[0, 0, 0, 1, 2, 2, 3], [0, 0, 0, 3], [2], list(range(4))])
def test_class_weights_are_the_balanced_ones_of_scikit_learn(targets: list[int]) -> None:
    present = np.unique(targets)
    expected = np.zeros(CLASSES)
    expected[present] = compute_class_weight("balanced", classes=present, y=targets)
    found = class_weights({str(i): t for i, t in enumerate(targets)}, CLASSES)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-6)


def scored(temperature: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Draw targets from the probabilities of logits, and return the logits multiplied by a temperature."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (20_000, CLASSES))
    targets = (logits + rng.gumbel(size=logits.shape)).argmax(1)  # which draws from their softmax
    return (logits * temperature).astype(np.float32), targets


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature: float) -> None:
    """Within 3 %: a step of the grid is 1.2 %, the rest is the error of 20,000 draws."""
    assert fit_temperature(*scored(temperature)) == pytest.approx(temperature, rel=0.03)


def test_without_data_the_temperature_is_one() -> None:
    assert fit_temperature(np.empty((0, 0), np.float32), np.empty(0, np.int64)) == 1.0
