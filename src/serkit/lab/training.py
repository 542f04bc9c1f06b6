"""One fit for every model: a plain loop, resumable to the same weights.

All that is random in an epoch (order, augmentation, dropout, mixup) is drawn from generators that are
seeded by (seed, epoch) alone. So the random state of a checkpoint is two integers, and a run that was
killed and resumed ends with the very weights of one that was not, given the same number of threads.
"""

import csv
import io
import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from serkit.errors import TrainingError
from serkit.files import write_whole
from serkit.lab.augment import mixup as mix
from serkit.lab.data import Batch, evaluation_batches, training_batches
from serkit.lab.metrics import confusion_matrix, uar
from serkit.lab.recipe import Augment, Train
from serkit.types import FloatArray

_EVALUATION_BATCH = 64


@dataclass(frozen=True)
class Examples:
    """What a body is fitted on.

    Attributes:
        rows: For each training speed, utterance id to frames (N, F).
        augmented: From seed and epoch to the frames of changed waveforms, which then take the place of ``rows``.
        plain: The same without augmentation.
        train: Utterance id to class index.
        validation: Likewise; empty where a protocol has none.
        classes: C.
    """

    rows: Sequence[Mapping[str, FloatArray]]
    plain: Mapping[str, FloatArray]
    train: Mapping[str, int]
    validation: Mapping[str, int]
    classes: int
    augmented: Callable[[int, int], Mapping[str, FloatArray]] | None = None


@dataclass(frozen=True)
class Epoch:
    """One row of ``history.csv``; losses per utterance, UAR from 0 to 1, NaN without validation."""

    epoch: int
    lr: float
    train_loss: float
    validation_loss: float
    validation_uar: float


@dataclass(frozen=True)
class Fitted:
    """What a fit gave.

    Attributes:
        history: Every epoch.
        kept: The epoch whose weights the body now has.
        validation_uar: Of that epoch, 0 to 1; NaN without validation.
        temperature: That the logits are divided by, fitted on validation; 1 without.
    """

    history: tuple[Epoch, ...]
    kept: int
    validation_uar: float
    temperature: float


def fit(
    body: nn.Module,
    examples: Examples,
    train: Train,
    augment: Augment,
    *,
    seed: int,
    folder: Path,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Fitted:
    """Train a body, in place; resume where ``folder`` holds a checkpoint.

    Args:
        body: From :func:`serkit.lab.models.build_body`, built after seeding torch.
        examples: Features and targets.
        train: Optimisation settings.
        augment: Augmentation settings.
        seed: Of everything random.
        folder: For the checkpoint, which is removed at the end, ``history.csv`` and ``weights.safetensors``.
        on_epoch: Called after each epoch.

    Raises:
        TrainingError: If the loss is no number any more, or the checkpoint is another model's.
    """
    accelerator = Accelerator(cpu=not torch.cuda.is_available())
    optimizer = torch.optim.AdamW(body.parameters(), lr=train.lr, weight_decay=train.weight_decay)
    weights = class_weights(examples).to(accelerator.device) if train.class_weights else None
    history, best = _resume(body, optimizer, folder)
    model, optimizer = accelerator.prepare(body, optimizer)
    steps_per_epoch = math.ceil(len(examples.train) / train.batch_size)

    for epoch in range(len(history), train.epochs):
        if _is_over(history, train.patience):
            break
        torch.manual_seed(int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0]))
        mixer = np.random.default_rng([seed, epoch, 1])
        model.train()
        total = 0.0
        rows = [examples.augmented(seed, epoch)] if examples.augmented else examples.rows
        batches = training_batches(rows, examples.train, augment, batch_size=train.batch_size, seed=seed, epoch=epoch)
        for step, batch in enumerate(batches, start=epoch * steps_per_epoch):
            lr = learning_rate(train, step, train.epochs * steps_per_epoch)
            for group in optimizer.param_groups:
                group["lr"] = lr
            loss = _loss(model, _to(batch, accelerator.device), weights, train=train, mixup=augment.mixup, rng=mixer)
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the loss is {loss.item()} at step {step} with a learning rate of {lr:.2g}: "
                    "try a lower train.lr, or precision fp32."
                )
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(model.parameters(), train.clip_norm)
            optimizer.step()
            optimizer.zero_grad()
            total += loss.item() * len(batch.ids)
        history.append(Epoch(epoch, lr, total / len(examples.train), *_validate(body, examples)))
        if _is_kept(history, train.keep):
            best = {name: value.detach().cpu().clone() for name, value in body.state_dict().items()}
        _save_checkpoint(folder, body, optimizer, best, history)
        on_epoch(history[-1])

    body.load_state_dict(best)
    kept = max(epoch.epoch for i, epoch in enumerate(history) if _is_kept(history[: i + 1], train.keep))
    logits, targets = predict_logits(body, examples.plain, examples.validation)
    fitted = Fitted(tuple(history), kept, history[kept].validation_uar, fit_temperature(logits, targets))
    _save_result(folder, body, fitted)
    return fitted


@torch.inference_mode()
def predict_logits(
    body: nn.Module, rows: Mapping[str, FloatArray], targets: Mapping[str, int]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return logits (n, C) and targets (n,), in the order of ``targets``."""
    if not targets:
        return np.empty((0, 0), np.float32), np.empty(0, np.int64)
    body.eval()
    device = next(body.parameters()).device
    found: dict[str, NDArray[np.float32]] = {}
    for batch in evaluation_batches(rows, targets, batch_size=_EVALUATION_BATCH):
        output = body(batch.features.to(device), batch.lengths.to(device))
        found |= dict(zip(batch.ids, output.logits.float().cpu().numpy(), strict=True))
    return np.stack([found[name] for name in targets]), np.array(list(targets.values()))


def learning_rate(train: Train, step: int, total: int) -> float:
    """The rate at a step, a pure function, so that a schedule has no state to save.

    ``one_cycle`` rises on a cosine from lr / 25 over the warm-up and falls on one to lr / 250,000
    (Smith & Topin, 2018, as PyTorch has it); ``cosine`` rises in a line from 0 and falls to 0.
    """
    if train.scheduler == "constant":
        return train.lr
    if train.scheduler == "one_cycle":
        peak = train.warmup * total - 1
        if step <= peak:
            return _cosine(train.lr / 25, train.lr, step / max(peak, 1))
        return _cosine(train.lr, train.lr / 25e4, (step - peak) / max(total - 1 - peak, 1))
    rise = train.warmup * total
    if step < rise:
        return train.lr * min((step + 1) / rise, 1.0)
    return _cosine(train.lr, 0.0, (step - rise) / max(total - rise, 1))


def class_weights(examples: Examples) -> Tensor:
    """Weights inverse to the training counts, 1 on average over utterances; 0 for a class without any."""
    counts = np.bincount(list(examples.train.values()), minlength=examples.classes)
    present = counts > 0
    weights = np.zeros(examples.classes)
    weights[present] = len(examples.train) / (present.sum() * counts[present])
    return torch.tensor(weights, dtype=torch.float32)


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


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2


def _to(batch: Batch, device: torch.device) -> Batch:
    return Batch(batch.features.to(device), batch.lengths.to(device), batch.targets.to(device), batch.ids)


def _loss(
    model: nn.Module, batch: Batch, weights: Tensor | None, *, train: Train, mixup: float, rng: np.random.Generator
) -> Tensor:
    """Cross entropy, of the batch mixed with itself in another order where mixup is on."""
    features, lengths, share, order = mix(batch.features, batch.lengths, alpha=mixup, rng=rng)
    with torch.autocast(features.device.type, torch.bfloat16, enabled=train.precision == "bf16"):
        logits = model(features, lengths).logits
    logits = logits.float()
    parts = [
        functional.cross_entropy(logits, targets, weights, label_smoothing=train.label_smoothing)
        for targets in (batch.targets, batch.targets[order])
    ]
    return share * parts[0] + (1 - share) * parts[1]


def _validate(body: nn.Module, examples: Examples) -> tuple[float, float]:
    """Return the loss and the UAR on validation, NaN without one."""
    logits, targets = predict_logits(body, examples.plain, examples.validation)
    if not len(targets):
        return math.nan, math.nan
    loss = functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(targets)).item()
    return loss, uar(confusion_matrix(targets, logits.argmax(1), examples.classes))


def _is_kept(history: Sequence[Epoch], keep: str) -> bool:
    """Whether the last epoch's weights are the ones to keep so far; without validation they are."""
    last = history[-1]
    if keep == "last" or math.isnan(last.validation_uar):
        return True
    return last.validation_uar >= max(epoch.validation_uar for epoch in history)


def _is_over(history: Sequence[Epoch], patience: int | None) -> bool:
    if patience is None or not history or math.isnan(history[-1].validation_uar):
        return False
    best = max(range(len(history)), key=lambda i: history[i].validation_uar)
    return len(history) - 1 - best >= patience


def _save_checkpoint(
    folder: Path, body: nn.Module, optimizer: torch.optim.Optimizer, best: Mapping[str, Tensor], history: list[Epoch]
) -> None:
    """Write a checkpoint under a temporary name, rename it, then remove the older one."""
    target = folder / f"checkpoint-{len(history):05d}"
    temporary = folder / f".{target.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    state = optimizer.state_dict()["state"]
    tensors = {f"{i}.{name}": value.contiguous() for i, values in state.items() for name, value in values.items()}
    save_file(tensors, temporary / "optimizer.safetensors")
    save_file(
        {name: value.contiguous() for name, value in body.state_dict().items()}, temporary / "weights.safetensors"
    )
    save_file(dict(best), temporary / "best.safetensors")
    text = json.dumps({"history": [asdict(epoch) for epoch in history]})
    (temporary / "state.json").write_text(text, "utf-8")
    temporary.replace(target)
    for other in folder.glob("checkpoint-*"):
        if other != target:
            shutil.rmtree(other)


def _resume(body: nn.Module, optimizer: torch.optim.Optimizer, folder: Path) -> tuple[list[Epoch], dict[str, Tensor]]:
    """Load the newest checkpoint into body and optimizer; returns its history and kept weights."""
    checkpoints = sorted(folder.glob("checkpoint-*"))
    if not checkpoints:
        return [], {}
    newest = checkpoints[-1]
    try:
        body.load_state_dict(load_file(newest / "weights.safetensors"))
        best = load_file(newest / "best.safetensors")
    except RuntimeError as error:
        raise TrainingError(f"the checkpoint {newest} is of another model; remove it to start anew.") from error
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in load_file(newest / "optimizer.safetensors").items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    history = [Epoch(**row) for row in json.loads((newest / "state.json").read_text("utf-8"))["history"]]
    return history, best


def _save_result(folder: Path, body: nn.Module, fitted: Fitted) -> None:
    weights = folder / "weights.safetensors"
    temporary = folder / f".{weights.name}.tmp"
    save_file({name: value.detach().cpu().contiguous() for name, value in body.state_dict().items()}, temporary)
    temporary.replace(weights)
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(asdict(fitted.history[0])), lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in fitted.history)
    write_whole(folder / "history.csv", buffer.getvalue())
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
