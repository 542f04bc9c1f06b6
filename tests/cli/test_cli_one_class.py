"""A model that learned nothing is told so by every command that makes or shows it; and so is a lack of memory."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from serkit.lab.models.crnn import Crnn
from support.calling import Call, assert_one_sentence

RECIPE = """
name: mine
corpora: [mine]
labels: [anger, neutral, sadness]
protocol: {name: leave_one_speaker_out}
model: crnn
train: {epochs: 1}
"""
SAID = "serkit: every answer is "
REST = ": the model has learned nothing (chance is 33.3); try more epochs (train.epochs)"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe, and noise with a folder for each emotion, from which nothing can be learned."""
    root = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    for emotion in ("angry", "neutral", "sad"):
        (root / "mine" / emotion).mkdir(parents=True)
        for speaker in ("anna", "bob", "cara", "dan"):
            for take in range(2):
                soundfile.write(root / "mine" / emotion / f"{speaker}_{take}.wav", rng.normal(0, 0.05, 4800), 16_000)
    (root / "mine.yaml").write_text(RECIPE, "utf-8")
    return root


@pytest.fixture
def constant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every model begin, and end, with an answer that the features do not change."""
    build = Crnn.__init__

    def init(self: Crnn, *arguments: object, **named: object) -> None:
        build(self, *arguments, **named)  # type: ignore[arg-type]
        with torch.no_grad():
            for weight in list(self.parameters())[-2:]:
                weight.zero_()
            list(self.parameters())[-1][1] = 5.0

    monkeypatch.setattr(Crnn, "__init__", init)


@pytest.mark.usefixtures("constant", "one_thread")
def test_evaluate_report_and_compare_say_it(call: Call, place: Path, tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    assert call("corpora", "manifest", "mine", place / "mine", "-o", table, "--speaker", "/([a-z]+)_").code == 0
    out = tmp_path / "run"
    done = call("evaluate", place / "mine.yaml", "--data", f"mine={table}", "--out", out)
    assert done.code == 0
    assert done.err.splitlines()[-1].startswith(f"{SAID}'neutral'{REST}")
    assert "| chance | UAR [95 %] |" in done.out
    assert "| 33.3 | 33.3 [33.3, 33.3]" in done.out
    assert "validation UAR 33.33 (chance 33.3; " in done.err
    assert "Every answer is &#x27;neutral&#x27;: the model has learned nothing" in (out / "report.html").read_text()
    assert "(one class for nearly every clip)" in call("compare", out).out
    assert "one class for nearly every clip" in call("compare", out, "--format", "html").out


@pytest.mark.usefixtures("constant", "one_thread")
def test_train_and_export_say_it(call: Call, place: Path, tmp_path: Path) -> None:
    table, out = tmp_path / "mine.csv", tmp_path / "final"
    assert call("corpora", "manifest", "mine", place / "mine", "-o", table, "--speaker", "/([a-z]+)_").code == 0
    done = call("train", place / "mine.yaml", "--data", f"mine={table}", "--out", out)
    assert done.err.splitlines()[-1].startswith(f"{SAID}'neutral'{REST}")
    assert "validation UAR 33.33 (chance 33.3); next: serkit export" in done.out
    done = call("export", out, "-o", tmp_path / "a.onnx")
    assert done.code == 0
    assert done.err.splitlines()[-1].startswith(f"{SAID}'neutral'{REST}")


@pytest.mark.usefixtures("one_thread")
def test_out_of_memory_in_a_training_is_one_sentence(
    call: Call, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mine.csv"
    assert call("corpora", "manifest", "mine", place / "mine", "-o", table, "--speaker", "/([a-z]+)_").code == 0

    def forward(self: Crnn, *_: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")

    monkeypatch.setattr(Crnn, "forward", forward)
    done = call("train", place / "mine.yaml", "--data", f"mine={table}", "--out", tmp_path / "out")
    assert_one_sentence(
        done, "out of memory in batch 1 of epoch 1 (", " s of sound, the longest 0.3 s)", "train.batch_size=16"
    )


def test_out_of_memory_elsewhere_is_one_sentence(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> object:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes.")

    monkeypatch.setattr("serkit.runtime.recognizer.Recognizer.load", fail)
    assert_one_sentence(call("predict", tmp_path / "a.wav"), "out of memory: close other programs")
