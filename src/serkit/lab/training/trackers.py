"""Experiment trackers: TensorBoard, MLflow and Weights & Biases, through accelerate, in addition to ``history.csv``."""

import math
import os
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import torch
from accelerate import Accelerator

from serkit.errors import MissingExtraError
from serkit.lab.recipes.schema import Train
from serkit.lab.training.checkpoints import Epoch

_PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow", "wandb": "wandb"}


def check(train: Train) -> None:
    """Check that the packages of a recipe's trackers are installed, before any training.

    Raises:
        MissingExtraError: If one is not installed.
    """
    for name in train.trackers:
        if find_spec(_PACKAGES[name]) is None:
            raise MissingExtraError(f"the tracker {name}", "tracking")


def start(train: Train, folder: Path) -> Accelerator:
    """Return the accelerator of one fit, with its trackers open.

    Trackers write into ``trackers`` in the fit's folder, and send nothing by default: Weights & Biases is offline
    unless ``WANDB_MODE`` is set, and MLflow writes into the folder unless ``MLFLOW_TRACKING_URI`` names a server.
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

        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # MLflow 3 requires a database otherwise
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
