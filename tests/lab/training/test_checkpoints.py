"""A checkpoint that is cut or of something else is one sentence, never a traceback."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from training.test_loop import examples, kill_after, tiny_body

from serkit.errors import ModelFileError, TrainingError
from serkit.lab.recipes.schema import Augment, Train
from serkit.lab.training.loop import fit
from support.toy import PLAIN

pytestmark = pytest.mark.usefixtures("one_thread")
TRAIN = Train(epochs=3, batch_size=8)


def interrupted(folder: Path) -> Path:
    """Leave the checkpoint of a training that was killed."""
    with pytest.raises(Exception, match=r"^$"):
        fit(tiny_body(), examples(), TRAIN, Augment(**PLAIN), seed=0, folder=folder, on_epoch=kill_after(0))
    (checkpoint,) = folder.glob("checkpoint-*")
    return checkpoint


def resume(folder: Path) -> None:
    fit(tiny_body(), examples(), TRAIN, Augment(**PLAIN), seed=0, folder=folder)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def other_moments(file: Path) -> None:
    save_file({key: torch.zeros(3, 5) if value.dim() else value for key, value in load_file(file).items()}, file)


def of_another_optimizer(file: Path) -> None:
    save_file({"0.momentum_buffer": torch.zeros(3)}, file)


def of_another_weight(file: Path) -> None:
    save_file({"9999.exp_avg": torch.zeros(3)}, file)


def with_other_names(file: Path) -> None:
    save_file({"x": torch.zeros(3)}, file)


CHANGES: list[tuple[str, Callable[[Path], None]]] = [
    *((f"{name}.safetensors", cut) for name in ("weights", "best", "optimizer")),
    *((f"{name}.safetensors", lambda file: file.write_bytes(b"\x80\x04pickle")) for name in ("weights", "optimizer")),
    *((f"{name}.safetensors", with_other_names) for name in ("weights", "best", "optimizer")),
    ("weights.safetensors", lambda file: file.unlink()),
    ("optimizer.safetensors", other_moments),
    ("optimizer.safetensors", of_another_optimizer),
    ("optimizer.safetensors", of_another_weight),
    ("state.json", cut),
    ("state.json", lambda file: file.write_text("[" * 100_000)),
    ("state.json", lambda file: file.write_text('{"history": [{"epoch": ' + "1" * 5000 + "}]}")),
    ("state.json", lambda file: file.write_text('{"history": [{"x": 1}]}')),
    ("state.json", lambda file: file.write_text('{"history": []}')),
    ("state.json", lambda file: file.write_bytes(b"\xff\xfe{\0")),
]


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_a_damaged_or_foreign_checkpoint_is_one_sentence(
    tmp_path: Path, name: str, change: Callable[[Path], None]
) -> None:
    change(interrupted(tmp_path) / name)
    with pytest.raises(TrainingError, match=r"remove (it|the checkpoint) to start anew") as caught:
        resume(tmp_path)
    assert len(str(caught.value)) < 600


def test_an_untouched_checkpoint_still_resumes(tmp_path: Path) -> None:
    checkpoint = interrupted(tmp_path)
    assert json.loads((checkpoint / "state.json").read_text())["history"]
    resume(tmp_path)
    assert (tmp_path / "weights.safetensors").is_file()


@pytest.mark.parametrize("change", [cut, with_other_names, lambda file: file.write_bytes(b"")])
def test_weights_that_are_cut_or_of_another_model_are_one_sentence(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    body = tiny_body()
    body.save(tmp_path)  # type: ignore[operator]
    change(tmp_path / "weights.safetensors")
    with pytest.raises(
        ModelFileError, match=r"weights\.safetensors' is .*: remove its folder, and fit the model again"
    ):
        tiny_body().load(tmp_path)  # type: ignore[operator]
