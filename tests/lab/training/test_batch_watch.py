"""Out of memory in a training is one sentence that names the batch and what needs less memory."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from training.test_loop import examples, tiny_body

from serkit.errors import TrainingError
from serkit.lab.recipes.schema import Augment, Train
from serkit.lab.training.batch_watch import BatchWatch
from serkit.lab.training.loop import fit
from support.toy import PLAIN

pytestmark = pytest.mark.usefixtures("one_thread")
CUDA = "CUDA out of memory. Tried to allocate 20.00 MiB."
CPU = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception, *, after: int) -> None:
    """Let linear layers fail as an allocator does, after some calls."""
    calls, forward = iter(range(10**6)), nn.Linear.forward

    def run(self: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        if next(calls) >= after:
            raise error
        return forward(self, x)

    monkeypatch.setattr(nn.Linear, "forward", run)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError(CUDA), RuntimeError(CPU), MemoryError()], ids=["gpu", "cpu", "python"]
)
def test_out_of_memory_names_the_batch_its_sound_and_the_way_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception
) -> None:
    given = examples()
    for number, name in enumerate(given.train):
        given.seconds[name] = 1.0 + number  # type: ignore[index]
    failing(monkeypatch, error, after=2)
    train = Train(epochs=2, batch_size=8)
    with pytest.raises(TrainingError) as caught:
        fit(tiny_body(), given, train, Augment(**PLAIN), seed=0, folder=tmp_path)
    message = str(caught.value)
    assert message.startswith("out of memory in batch ")
    assert " of epoch 1 (8 clips, " in message
    assert " s of sound, the longest " in message
    assert "run the same command, which resumes after the last finished epoch" in message
    assert "'train.batch_size=4' --set 'train.accumulate=2'" in message
    assert "\n" not in message


def test_a_training_that_ran_out_of_memory_resumes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    train, given = Train(epochs=3, batch_size=8), examples()
    whole = fit(tiny_body(), given, train, Augment(**PLAIN), seed=0, folder=tmp_path / "whole")
    with monkeypatch.context() as patch:
        failing(patch, torch.OutOfMemoryError(CUDA), after=8)
        with pytest.raises(TrainingError, match=r"of epoch 2|of epoch 3"):
            fit(tiny_body(), given, train, Augment(**PLAIN), seed=0, folder=tmp_path / "cut")
    assert fit(tiny_body(), given, train, Augment(**PLAIN), seed=0, folder=tmp_path / "cut") == whole


def test_other_errors_stay_what_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing(monkeypatch, RuntimeError("shapes differ"), after=0)
    with pytest.raises(RuntimeError, match="shapes differ"):
        fit(tiny_body(), examples(), Train(epochs=1, batch_size=8), Augment(**PLAIN), seed=0, folder=tmp_path)


@pytest.mark.parametrize(
    ("train", "config", "named", "not_named"),
    [
        (Train(batch_size=4), SimpleNamespace(tuning="full", checkpointing=False),
         ("train.batch_size=2", "model.checkpointing=true", "train.precision=bf16", "model.tuning=lora"), ()),
        (Train(batch_size=2, precision="bf16"), SimpleNamespace(tuning="lora", checkpointing=True),
         (), ("batch_size", "checkpointing", "bf16", "lora", "--set")),
        (Train(batch_size=2), SimpleNamespace(tuning="frozen", checkpointing=False),
         ("train.precision=bf16",), ("batch_size", "checkpointing", "lora")),
        (Train(batch_size=64, accumulate=2), SimpleNamespace(),
         ("train.batch_size=32' --set 'train.accumulate=4",), ("checkpointing", "lora")),
    ],
)  # fmt: skip
def test_only_settings_that_the_training_has_and_has_not_made_yet_are_named(
    train: Train, config: object, named: tuple[str, ...], not_named: tuple[str, ...]
) -> None:
    with pytest.raises(TrainingError) as caught, BatchWatch(train, config).told():
        raise MemoryError
    assert all(word in str(caught.value) for word in named)
    assert not any(word in str(caught.value) for word in not_named)
