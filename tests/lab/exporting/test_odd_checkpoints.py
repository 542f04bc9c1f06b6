"""Classifiers of transformers with something wrong in their files: each is refused in a sentence."""

import json
import pickle
import re
import shutil
from pathlib import Path

import pytest

from serkit.errors import SerkitError
from serkit.lab.exporting.checkpoint_labels import labels_of
from serkit.lab.exporting.transformers_folder import convert
from support.odd_checkpoints import GOOD, ODD, setting, write_classifier

pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_classifier(tmp_path_factory.mktemp("good") / "classifier")


@pytest.fixture
def copy(good: Path, tmp_path: Path) -> Path:
    return shutil.copytree(good, tmp_path / "checkpoint")


@pytest.mark.parametrize("name", ODD)
def test_it_is_refused_in_one_sentence(copy: Path, tmp_path: Path, name: str) -> None:
    damage, pattern = ODD[name]
    damage(copy)
    with pytest.raises(SerkitError) as refused:
        convert(copy, tmp_path / "model.onnx")
    assert re.search(pattern, str(refused.value)), str(refused.value)
    assert str(refused.value).isprintable()
    assert not (tmp_path / "model.onnx").exists()


def test_without_damage_it_is_converted(copy: Path, tmp_path: Path) -> None:
    assert convert(copy, tmp_path / "model.onnx") <= 1e-4


def test_code_of_a_checkpoint_is_not_run(copy: Path, tmp_path: Path) -> None:
    """transformers would ask on the terminal whether to run it."""
    setting("auto_map", {"AutoConfig": "evil.Config", "AutoModelForAudioClassification": "evil.Model"})(copy)
    (copy / "evil.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')", "utf-8")
    assert convert(copy, tmp_path / "model.onnx") <= 1e-4
    assert not (tmp_path / "run").exists()


class _Trap:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("has_index", [False, True])
def test_a_pickle_is_never_opened(copy: Path, tmp_path: Path, has_index: bool) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(pickle.dumps(_Trap(tmp_path / "run")))
    if has_index:
        index = {"metadata": {}, "weight_map": {"classifier.weight": "pytorch_model.bin"}}
        (copy / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")
    with pytest.raises(SerkitError, match=r"loads no pickle|is no safetensors file of this folder"):
        convert(copy, tmp_path / "model.onnx")
    assert not (tmp_path / "run").exists()


def test_labels_keep_the_order_of_their_numbers() -> None:
    found = {"id2label": {str(i): f"class {i}" for i in reversed(range(12))}}
    assert labels_of(found, 12, "x") == tuple(f"class {i}" for i in range(12))
    assert labels_of({"id2label": {**GOOD, "1": "fröhlich 😀"}}, 3, "x") == ("angry", "fröhlich 😀", "sad")
