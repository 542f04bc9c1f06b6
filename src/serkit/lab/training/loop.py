"""The training loop of every model; an interrupted training resumes and ends with the same weights.

Everything random in an epoch (order, augmentation, dropout, mixup) is drawn from generators that are seeded by
(seed, epoch) alone. So the random state of a checkpoint is two integers, and a training that was killed and resumed
ends with exactly the weights of one that was not, given the same number of threads.

Under ``accelerate launch`` or ``torchrun`` each process takes its share of each batch, and the gradients are those of
the whole batch. The losses then equal those of one process, except for dropout, which each process draws for its own
share, and batch norm, whose statistics are those of that share.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from serkit.errors import TrainingError
from serkit.lab.augment import mixup as mix
from serkit.lab.measure.metrics import confusion_matrix, uar, weighted_accuracy
from serkit.lab.models import Body, Output
from serkit.lab.models.blocks.scaling import fit_scalings
from serkit.lab.recipes.schema import Augment, Train
from serkit.lab.training import distributed as processes
from serkit.lab.training import trackers
from serkit.lab.training.batch_watch import BatchWatch
from serkit.lab.training.checkpoints import (
    Epoch,
    FitCheckpoint,
    is_kept,
    kept_weights,
    load_checkpoint,
    remove_checkpoints,
    restore_optimizer,
    save_checkpoint,
    score_of,
)
from serkit.lab.training.feature_batches import Batch, balanced_names, evaluation_batches, training_batches
from serkit.lab.training.losses import class_weights, penalty, summed_loss, summed_weight
from serkit.lab.training.schedules import learning_rate
from serkit.types import FloatArray
from serkit.writing import write_whole

_RMSPROP_MEMORY = 0.9  # the default of Keras, which the student reports use; torch's is 0.99


@dataclass(frozen=True)
class Examples:
    """The utterances that a body is fitted on.

    Attributes:
        rows: For each training speed, utterance id to frames (N, F).
        plain: Utterance id to frames without augmentation.
        train: Utterance id to class index, for training.
        validation: Utterance id to class index, for validation; empty without validation.
        classes: Number of classes C.
        augmented: Function from seed and epoch to the frames of augmented waveforms, which replace ``rows``; with
            ``augment.copies``, only its first epochs are used, one of them for each utterance. None without
            augmentation of waveforms.
        speakers: Utterance id to speaker, by which classical models split the utterances that they calibrate on.
        seconds: Utterance id to its duration, to say how much sound a batch holds that is too large for the memory.
        shares: Utterance id to soft target (C,), which training takes in place of the class index; validation does not.
    """

    rows: Sequence[Mapping[str, FloatArray]]
    plain: Mapping[str, FloatArray]
    train: Mapping[str, int]
    validation: Mapping[str, int]
    classes: int
    augmented: Callable[[int, int], Mapping[str, FloatArray]] | None = None
    speakers: Mapping[str, str] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    shares: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True)
class Fitted:
    """The result of a fit.

    Attributes:
        history: All epochs.
        kept: Epoch whose weights the body now has.
        validation_uar: Validation UAR of that epoch, 0 to 1; NaN without validation.
        temperature: Divisor of the logits, fitted on validation; 1 without validation.
    """

    history: tuple[Epoch, ...]
    kept: int
    validation_uar: float
    temperature: float


def fit(
    body: Body,
    examples: Examples,
    train: Train,
    augment: Augment,
    *,
    seed: int,
    folder: Path,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train a body, in place; resume if ``folder`` holds a checkpoint.

    Args:
        body: Body from :func:`serkit.lab.models.build_body`, built after seeding torch.
        examples: Features and targets.
        train: Optimization settings.
        augment: Augmentation settings.
        seed: Seed of everything random.
        folder: Folder for the checkpoint, which is removed at the end, ``history.csv`` and the body's file.
        on_epoch: Callback after each epoch.

    Raises:
        TrainingError: If the loss is NaN or infinite, memory runs out, the checkpoint is of another model or damaged,
            or there are more processes than half a batch has utterances.
    """
    watch = BatchWatch(train, body.config, examples.seconds)
    with watch.told():
        if body.is_fitted_at_once:
            return _fit_at_once(body, examples, train, augment, seed=seed, folder=folder)
        return _fit_in_epochs(body, examples, train, augment, seed=seed, folder=folder, on_epoch=on_epoch, watch=watch)


def _fit_in_epochs(
    body: Body, examples: Examples, train: Train, augment: Augment, *, seed: int, folder: Path,
    on_epoch: Callable[[Epoch], None], watch: BatchWatch,
) -> Fitted:  # fmt: skip
    if examples.augmented and augment.copies:
        copies = [examples.augmented(seed, number) for number in range(augment.copies)]
        examples = replace(examples, rows=copies, augmented=None)
    run = _Run(body, examples, train, augment, seed, folder, trackers.start(train, folder), watch)
    checkpoint = load_checkpoint(folder, body)
    if not checkpoint.history:
        fit_scalings(body, [examples.plain[name] for name in examples.train])
    for stage in range(body.stages):
        checkpoint = run.stage(stage, checkpoint, on_epoch)
    trackers.stop(run.accelerator)
    history, last = checkpoint.history, body.stages - 1
    body.load_state_dict(dict(checkpoint.best or {}))
    kept = max(
        i for i, epoch in enumerate(history)
        if epoch.stage == last and is_kept(_of_stage(history[: i + 1], last), keep=train.keep, best=train.best)
    )  # fmt: skip
    logits, targets = predict_logits(body, examples.plain, examples.validation)
    fitted = Fitted(history, kept, history[kept].validation_uar, fit_temperature(logits, targets))
    _save_result(folder, body, fitted)
    return fitted


@dataclass(frozen=True)
class _Run:
    """The settings and data that all stages of one fit share."""

    body: Body
    examples: Examples
    train: Train
    augment: Augment
    seed: int
    folder: Path
    accelerator: Accelerator
    watch: BatchWatch

    def stage(self, stage: int, checkpoint: FitCheckpoint, on_epoch: Callable[[Epoch], None]) -> FitCheckpoint:
        """Train one stage, or the epochs that a checkpoint lacks, and return the checkpoint at its end."""
        history, best, train = list(checkpoint.history), checkpoint.best, self.train
        if history and history[-1].stage > stage:
            return checkpoint
        past = _of_stage(history, stage)
        if history and not past:
            self.body.load_state_dict(dict(best or {}))  # the result of the stage before
        self.body.start_stage(stage)
        optimizer = build_optimizer(self.body.rates(), train)
        if past and checkpoint.optimizer:
            restore_optimizer(optimizer, checkpoint.optimizer)
        model, optimizer = self.accelerator.prepare(self.body, optimizer)
        for epoch in range(len(history), len(history) - len(past) + train.epochs):
            if _is_over(_of_stage(history, stage), train):
                break
            history.append(self._epoch(model, optimizer, epoch, _of_stage(history, stage), stage))
            if is_kept(_of_stage(history, stage), keep=train.keep, best=train.best):
                best = kept_weights(self.body)
            if processes.is_main():
                save_checkpoint(self.folder, self.body, optimizer, FitCheckpoint(tuple(history), best))
            trackers.log(self.accelerator, history[-1])
            on_epoch(history[-1])
        return FitCheckpoint(tuple(history), best)

    def _epoch(self, model: nn.Module, optimizer: Any, epoch: int, past: Sequence[Epoch], stage: int) -> Epoch:
        """Train on all batches once. ``past`` are the epochs of the stage so far."""
        examples, train, seed, device = self.examples, self.train, self.seed, self.accelerator.device
        rank = processes.rank()
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch, *([rank] if rank else [])]).generate_state(1)[0]))
        mixer = np.random.default_rng([seed, epoch, 1])
        weights = class_weights(examples.train, examples.classes).to(device) if train.class_weights else None
        steps = math.ceil(math.ceil(len(examples.train) / train.batch_size) / train.accumulate)
        watched = [e.train_loss if math.isnan(e.validation_loss) else e.validation_loss for e in past]
        model.train()
        total = torch.zeros(2, device=device)  # of the loss, and of correct answers
        rows = [examples.augmented(seed, epoch)] if examples.augmented else examples.rows
        size = train.batch_size
        batches = training_batches(
            rows, examples.train, self.augment, batch_size=size, seed=seed, epoch=epoch,
            is_balanced=train.sampling == "balanced", shares=examples.shares,
        )  # fmt: skip
        numbers = count(1)
        for step, some in enumerate(_grouped(batches, train.accumulate), start=len(past) * steps):
            lr = learning_rate(train, step, train.epochs * steps, watched)
            for group in optimizer.param_groups:
                group["lr"] = lr * group["share"]
            for batch in some:
                self.watch.note(f"batch {next(numbers)} of epoch {epoch + 1}", batch.ids)
                loss, right = _loss(
                    model, _to(batch, device), weights, train=train, mixup=self.augment.mixup, rng=mixer,
                    parts_loss=self.body.parts_loss,
                )  # fmt: skip
                if not torch.isfinite(loss):
                    instead = ", or precision fp32" if train.precision != "fp32" else ""
                    raise TrainingError(
                        f"the loss is {loss.item()} at step {step} with a learning rate of {lr:.2g}: "
                        f"try a lower train.lr{instead}."
                    )
                # processes average their gradients, and the loss is a share of the batch's
                whole = processes.count() * loss + penalty(self.body, train)
                self.accelerator.backward(whole / len(some))
                total += torch.stack([loss.detach() * len(batch.ids), right])
            self.accelerator.clip_grad_norm_(model.parameters(), train.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
        mean_loss, accuracy = (self.accelerator.reduce(total, "sum") / len(examples.train)).tolist()
        self.watch.note(f"the validation of epoch {epoch + 1}", list(examples.validation))
        loss_now, uar_now, accuracy_now = processes.from_main(validate(self.body, examples))
        return Epoch(epoch, lr, mean_loss, loss_now, uar_now, stage, accuracy, accuracy_now)


def build_optimizer(rates: Sequence[tuple[float, Sequence[Tensor]]], train: Train) -> torch.optim.Optimizer:
    """Return the optimizer of groups of weights, each with the share of the learning rate that it takes."""
    weights = [{"params": some, "lr": share * train.lr, "share": share} for share, some in rates]
    common: dict[str, Any] = {"lr": train.lr, "weight_decay": train.weight_decay}
    match train.optimizer:
        case "adamw":
            return torch.optim.AdamW(weights, **common)
        case "adam":
            return torch.optim.Adam(weights, **common)
        case "sgd":
            return torch.optim.SGD(weights, momentum=train.momentum, **common)
        case "rmsprop":
            return torch.optim.RMSprop(weights, alpha=_RMSPROP_MEMORY, **common)


@torch.inference_mode()
def predict_logits(
    body: nn.Module, rows: Mapping[str, FloatArray], targets: Mapping[str, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return logits (n, C) and targets (n,), in the order of ``targets``."""
    if not targets:
        return np.empty((0, 0), np.float32), np.empty(0, np.int64)
    body.eval()
    weight = next(body.parameters(), None)
    device = torch.device("cpu") if weight is None else weight.device
    found: dict[str, NDArray[np.float32]] = {}
    for batch in evaluation_batches(rows, targets, batch_size=getattr(body, "evaluation_batch", 64)):
        output = body(batch.features.to(device), batch.lengths.to(device))
        found |= dict(zip(batch.ids, output.logits.float().cpu().numpy(), strict=True))
    return np.stack([found[name] for name in targets]), np.array(list(targets.values()))


def fit_temperature(logits: NDArray[np.float32], targets: NDArray[np.int64]) -> float:
    """Return the temperature with the lowest mean negative log-likelihood; 1 without data.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    if not len(targets):
        return 1.0
    scores, truth = torch.from_numpy(logits).double(), torch.from_numpy(targets)
    grid = torch.logspace(-1, 1, 401, dtype=torch.float64)
    losses = torch.stack([functional.cross_entropy(scores / t, truth) for t in grid])
    return float(grid[losses.argmin()])


def validate(body: nn.Module, examples: Examples) -> tuple[float, float, float]:
    """Return the loss, the UAR and the accuracy on validation, NaN without one."""
    logits, targets = predict_logits(body, examples.plain, examples.validation)
    if not len(targets):
        return math.nan, math.nan, math.nan
    loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(targets)).item()
    confusion = confusion_matrix(targets, logits.argmax(1), examples.classes)
    return loss, uar(confusion), weighted_accuracy(confusion)


def _fit_at_once(body: Body, examples: Examples, train: Train, augment: Augment, *, seed: int, folder: Path) -> Fitted:
    """Fit a model without epochs on the training utterances and one augmented copy of each, or ``augment.copies``."""
    rows, targets = {name: examples.plain[name] for name in examples.train}, dict(examples.train)
    speakers = dict(examples.speakers or {name: name for name in targets})
    if examples.augmented:
        for number in range(augment.copies or 1):
            for name, row in examples.augmented(seed, number).items():
                copy = f"{name}#changed{number}"
                rows[copy], targets[copy], speakers[copy] = row, targets[name], speakers[name]
    if train.sampling == "balanced":
        names = enumerate(balanced_names(targets, np.random.default_rng(seed)))
        drawn = {f"{name}#{number}": name for number, name in names}
        rows = {new: rows[name] for new, name in drawn.items()}
        targets = {new: targets[name] for new, name in drawn.items()}
        speakers = {new: speakers[name] for new, name in drawn.items()}
    body.fit_on(rows, targets, speakers, class_weights=train.class_weights, seed=seed)
    logits, truth = predict_logits(body, examples.plain, examples.train)
    loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(truth)).item()
    accuracy = float(np.mean(logits.argmax(1) == truth))
    loss_now, uar_now, accuracy_now = validate(body, examples)
    epoch = Epoch(0, 0.0, loss, loss_now, uar_now, 0, accuracy, accuracy_now)
    logits, truth = predict_logits(body, examples.plain, examples.validation)
    fitted = Fitted((epoch,), 0, epoch.validation_uar, fit_temperature(logits, truth))
    _save_result(folder, body, fitted)
    return fitted


def _grouped(batches: Iterable[Batch], size: int) -> Iterator[list[Batch]]:
    source = iter(batches)
    while some := list(islice(source, size)):
        yield some


def _of_stage(history: Sequence[Epoch], stage: int) -> list[Epoch]:
    return [epoch for epoch in history if epoch.stage == stage]


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(batch.features.to(device), batch.lengths.to(device), batch.targets.to(device), batch.ids)


def _loss(
    model: nn.Module, batch: Batch, weights: Tensor | None, *, train: Train, mixup: float, rng: np.random.Generator,
    parts_loss: float,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the loss and the number of correct answers of this process's share of a batch, after mixup."""
    features, lengths, share, order = mix(batch.features, batch.lengths, alpha=mixup, rng=rng)
    mine = processes.share_of(len(batch.ids))
    with torch.autocast(features.device.type, torch.bfloat16, enabled=train.precision == "bf16"):
        output: Output = model(features[mine], lengths[mine])

    def mixed(logits: Tensor) -> Tensor:
        one, other = (
            summed_loss(logits.float(), targets[mine], weights, train) / summed_weight(targets, weights)
            for targets in (batch.targets, batch.targets[order])
        )
        return share * one + (1 - share) * other

    heard = batch.targets if share >= 0.5 else batch.targets[order]
    heard = heard if heard.ndim == 1 else heard.argmax(1)
    right = (output.logits.detach().argmax(1) == heard[mine]).sum()
    loss = mixed(output.logits)
    if output.parts:
        loss = loss + parts_loss * torch.stack([mixed(logits) for logits in output.parts]).mean()
    return loss, right


def _is_over(history: Sequence[Epoch], train: Train) -> bool:
    scores = [score_of(epoch, train.best) for epoch in history]
    if train.patience is None or not scores or math.isnan(scores[-1]):
        return False
    return len(scores) - 1 - scores.index(max(scores)) >= train.patience


def _save_result(folder: Path, body: Body, fitted: Fitted) -> None:
    if processes.is_main():
        folder.mkdir(parents=True, exist_ok=True)
        body.save(folder)
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(asdict(fitted.history[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(epoch) for epoch in fitted.history)
        write_whole(folder / "history.csv", buffer.getvalue())
        remove_checkpoints(folder)
    processes.wait()
