"""Experiment trackers beside ``history.csv``: TensorBoard, MLflow and Weights & Biases, through accelerate."""

import math
import os
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import Accelerator

from serkit.errors import MissingExtraError
from serkit.lab.recipes.schema import Train
from serkit.lab.train.checkpoints import Epoch

_PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}


def check(train: Train) -> None:
    """Look for the packages of a recipe's trackers, before hours are spent.

    Raises:
        MissingExtraError: If one is not installed.
    """
    for name in train.trackers:
        if find_spec(_PACKAGES[name]) is None:
            raise MissingExtraError(f"the tracker {name}", "tracking")


def start(train: Train, folder: Path) -> Accelerator:
    """Return the accelerator of one fit, with its trackers open.

    They write into ``trackers`` in the fit's folder, and nothing leaves the machine: Weights & Biases is offline unless
    ``WANDB_MODE`` says otherwise, MLflow goes where ``MLFLOW_TRACKING_URI`` says or into the folder.
    """
    check(train)
    cpu = not torch.cuda.is_available()
    if not train.trackers:
        return Accelerator(cpu=cpu)
    place = folder.resolve() / "trackers"
    place.mkdir(parents=True, exist_ok=True)
    accelerator = Accelerator(cpu=cpu, log_with=list(train.trackers), project_dir=place)
    if "mlflow" in train.trackers and "MLFLOW_TRACKING_URI" not in os.environ:
        import mlflow

        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # else MLflow 3 asks for a database
        mlflow.set_tracking_uri((place / "mlflow").as_uri())
    config = {name: value for name, value in train.model_dump().items() if isinstance(value, int | float | str)}
    options = {"wandb": {"dir": str(place), "mode": os.environ.get("WANDB_MODE", "offline")}}
    accelerator.init_trackers("serkit", config, init_kwargs=options)
    return accelerator


def log(accelerator: Accelerator, epoch: Epoch) -> None:
    """Write one epoch to all open trackers."""
    if accelerator.trackers:
        row = {name: value for name, value in asdict(epoch).items() if name != "epoch" and not math.isnan(value)}
        accelerator.log(row, step=epoch.epoch)


def stop(accelerator: Accelerator) -> None:
    """Close the trackers."""
    if accelerator.trackers:
        accelerator.end_training()
