"""``serkit export --transformers`` and ``serkit models convert``: there and back on the command line."""

from pathlib import Path

import pytest

from serkit.lab.recipes.schema import parse_recipe
from serkit.lab.training.run import fit_final
from support.calling import Call
from support.tiny_encoders import write_checkpoint

pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def test_there_and_back(call: Call, tmp_path: Path, emodb_dir: Path) -> None:
    model = {"name": "ssl", "model": str(write_checkpoint(tmp_path / "checkpoint", "wav2vec2")), "embedding": 8}
    recipe = parse_recipe(
        {
            "name": "emodb-tuned", "corpora": ["emodb"], "labels": "emodb", "model": model, "train": {"epochs": 1},
            "protocol": {"folds": 2, "validation_speakers": 1},
        }
    )  # fmt: skip
    fit_final(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    done = call("export", tmp_path / "run", "-o", tmp_path / "theirs", "--transformers")
    assert done.code == 0
    assert done.out == f"{tmp_path / 'theirs'}: pipeline('audio-classification', '{tmp_path / 'theirs'}') loads it\n"
    back = call("models", "convert", tmp_path / "theirs", "-o", tmp_path / "back.onnx")
    assert back.code == 0
    assert "its answers and those of transformers differ by" in back.out
    refused = call(
        "evaluate", tmp_path / "back.onnx", "--corpora", "emodb", "-o", tmp_path / "x", "--data", emodb_dir.parent
    )
    assert refused.code == 2
    assert "was fitted on 4 of the test speakers" in " ".join(refused.err.split())


def test_what_transformers_cannot_hold_is_refused_in_a_sentence(call: Call, trained_run: Path, tmp_path: Path) -> None:
    done = call("export", trained_run, "-o", tmp_path / "theirs", "--transformers")
    assert done.code == 2
    assert done.err.startswith("serkit: transformers has no class for the model")
    assert not (tmp_path / "theirs").exists()


def test_weights_alone_cannot_have_evidence(call: Call, trained_run: Path, tmp_path: Path) -> None:
    done = call("export", trained_run, "-o", tmp_path / "theirs", "--transformers", "--int8")
    assert done.code == 2
    assert "leave --int8 and --evidence out" in " ".join(done.err.split())
