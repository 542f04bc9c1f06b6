"""Checkpoints of a training: tensors as safetensors, everything else as JSON. There is no pickle."""

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from serkit.errors import TrainingError
from serkit.parsing import parse_json
from serkit.writing import move_whole, whole_folder, write_whole

_HALF_WRITTEN = ".checkpoint-*.tmp"  # what a killed training leaves
_STATE = {  # names of the state that each optimizer of a recipe keeps for a weight
    "AdamW": ("step", "exp_avg", "exp_avg_sq"),
    "Adam": ("step", "exp_avg", "exp_avg_sq"),
    "SGD": ("momentum_buffer",),
    "RMSprop": ("step", "square_avg"),
}


@dataclass(frozen=True)
class Epoch:
    """One row of ``history.csv``: losses per utterance, accuracy and UAR from 0 to 1, NaN without validation.

    Training accuracy is measured on the epoch's own batches, with augmentation and dropout, while the weights change,
    as notebooks print it. Under mixup the class with the larger share counts.
    """

    epoch: int
    lr: float
    train_loss: float
    validation_loss: float
    validation_uar: float
    stage: int = 0
    train_accuracy: float = math.nan
    validation_accuracy: float = math.nan


@dataclass(frozen=True)
class FitCheckpoint:
    """The state that a killed training resumes from.

    Attributes:
        history: All epochs so far.
        best: Kept weights so far.
        optimizer: Parameter number to the optimizer's state of it.
    """

    history: tuple[Epoch, ...] = ()
    best: Mapping[str, Tensor] | None = None
    optimizer: Mapping[int, Mapping[str, Tensor]] | None = None


def save_checkpoint(folder: Path, body: nn.Module, optimizer: torch.optim.Optimizer, checkpoint: FitCheckpoint) -> None:
    """Write a checkpoint under a temporary name, rename it, then remove the older one."""
    target = folder / f"checkpoint-{len(checkpoint.history):05d}"
    state = optimizer.state_dict()["state"]
    moments = {f"{i}.{name}": value for i, values in state.items() for name, value in _tensors(values).items()}
    with whole_folder(target) as temporary:
        _save(moments, temporary / "optimizer.safetensors")
        _save(body.state_dict(), temporary / "weights.safetensors")
        _save(checkpoint.best or {}, temporary / "best.safetensors")
        write_whole(temporary / "state.json", json.dumps({"history": [asdict(epoch) for epoch in checkpoint.history]}))
    for other in [*folder.glob("checkpoint-*"), *folder.glob(_HALF_WRITTEN)]:
        if other != target:
            shutil.rmtree(other)


def load_checkpoint(folder: Path, body: nn.Module) -> FitCheckpoint:
    """Load the weights of the newest checkpoint into a body and return the rest; empty without a checkpoint.

    Raises:
        TrainingError: If it is the checkpoint of another model, or damaged.
    """
    checkpoints = sorted(folder.glob("checkpoint-*"))
    if not checkpoints:
        return FitCheckpoint()
    newest = checkpoints[-1]
    try:
        best = load_file(newest / "best.safetensors")
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in load_file(newest / "optimizer.safetensors").items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        history = parse_json((newest / "state.json").read_bytes())["history"]
        found = FitCheckpoint(tuple(Epoch(**row) for row in history), best, state)
        weights = load_file(newest / "weights.safetensors")
    except (SafetensorError, OSError, ValueError, TypeError, KeyError) as error:
        raise TrainingError(f"the checkpoint {newest} is damaged ({error}); remove it to start anew.") from error
    if not found.history or (best and best.keys() != weights.keys()):
        raise TrainingError(f"the checkpoint {newest} is damaged; remove it to start anew.")
    try:
        body.load_state_dict(best or weights)  # the kept weights must fit as well
        body.load_state_dict(weights)
    except RuntimeError as error:
        raise TrainingError(f"the checkpoint {newest} is of another model; remove it to start anew.") from error
    return found


def restore_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Load the state of a checkpoint into an optimizer.

    Raises:
        TrainingError: If it is the state of another optimizer or of other weights.
    """
    groups = optimizer.state_dict()["param_groups"]
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    known = _STATE[type(optimizer).__name__]
    for index, values in state.items():
        is_fitting = index in range(len(weights)) and all(
            name in known and value.shape in ((), weights[index].shape) for name, value in values.items()
        )
        if not is_fitting:
            raise TrainingError(
                f"the checkpoint's optimizer is not the {type(optimizer).__name__} of this model; remove the "
                "checkpoint to start anew."
            )
    optimizer.load_state_dict({"state": dict(state), "param_groups": groups})


def remove_checkpoints(folder: Path) -> None:
    """Remove all checkpoints. Each is renamed first, so a half removed one is never loaded."""
    for checkpoint in [*folder.glob("checkpoint-*")]:
        move_whole(checkpoint, folder / f".{checkpoint.name}.gone")
    for gone in [*folder.glob(".checkpoint-*.gone"), *folder.glob(_HALF_WRITTEN)]:
        shutil.rmtree(gone)


def kept_weights(body: nn.Module) -> dict[str, Tensor]:
    """Copy a body's weights off its device."""
    return {name: value.detach().cpu().clone() for name, value in body.state_dict().items()}


def is_kept(history: Sequence[Epoch], *, keep: str, best: str) -> bool:
    """Whether to keep the weights of the last epoch, of all in its stage so far; always without validation."""
    scores = [score_of(epoch, best) for epoch in history]
    return keep == "last" or math.isnan(scores[-1]) or scores[-1] >= max(scores)


def score_of(epoch: Epoch, best: str) -> float:
    """Return the score by which the best epoch is chosen; NaN without validation."""
    return epoch.validation_uar if best == "validation_uar" else -epoch.validation_loss


def _save(tensors: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: value.contiguous() for name, value in tensors.items()}, path)


def _tensors(values: Mapping[str, object]) -> dict[str, Tensor]:
    """Leave out state that is not a tensor: SGD has None before its first step with momentum."""
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}
