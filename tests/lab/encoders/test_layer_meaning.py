"""A run records what the last layer of its encoder means, and one without this record is not used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serkit.errors import RunError
from serkit.lab.encoders.layer_meaning import KEY, encoders_of, meaning_of_layers
from serkit.lab.exporting.model_file import export
from serkit.lab.exporting.transformers_folder import save_classifier
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.training.run import fit_final
from support.sealed_runs import reseal

pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
Make = Callable[..., Path]


def recipe_of(folder: Path) -> Recipe:
    return parse_recipe(
        {
            "name": "emodb-tuned", "corpora": ["emodb"], "labels": "emodb", "train": {"epochs": 1},
            "model": {"name": "ssl", "model": str(folder), "embedding": 8},
            "protocol": {"folds": 2, "validation_speakers": 1},
        }
    )  # fmt: skip


def forget(run: Path) -> None:
    """Make a run one of before the record."""
    content: dict[str, Any] = json.loads((run / "env.json").read_text("utf-8"))
    del content[KEY]
    (run / "env.json").write_text(json.dumps(content), "utf-8")
    reseal(run)


def test_a_run_without_the_record_is_neither_exported_nor_resumed(make: Make, emodb_dir: Path, tmp_path: Path) -> None:
    recipe, run = recipe_of(make("wav2vec2", norm="layer", stable=True)), tmp_path / "run"
    fit_final(recipe, {"emodb": emodb_dir}, run)
    export(run, tmp_path / "model.onnx")
    forget(run)
    for use in (
        lambda: export(run, tmp_path / "again.onnx"),
        lambda: save_classifier(run, tmp_path / "theirs"),
        lambda: fit_final(recipe, {"emodb": emodb_dir}, run),
    ):
        with pytest.raises(RunError, match=r"begun by an older serkit.* train it again in another folder"):
            use()
    assert not (tmp_path / "again.onnx").exists()


@pytest.mark.parametrize(
    ("family", "stable", "is_affected"),
    [
        ("wav2vec2", False, False),
        ("hubert", True, True),
        ("wav2vec2-conformer", False, True),
        ("whisper", False, False),
    ],
)
def test_encoders_whose_layers_never_changed_need_no_record(
    make: Make, family: str, stable: bool, is_affected: bool
) -> None:
    recipe = recipe_of(make(family, norm="layer", **({"stable": True} if stable else {})))
    assert (KEY in meaning_of_layers(recipe.as_mapping())) is is_affected


def test_encoders_are_found_wherever_a_recipe_names_them() -> None:
    recipe = {
        "features": [{"name": "ssl", "model": "a"}, {"name": "logmel"}],
        "model": {"name": "ensemble", "members": [{"name": "coattention", "encoder": "b", "revision": "v1"},
                                                  {"name": "ssl", "model": "a"}, {"name": "coattention"}]},
    }  # fmt: skip
    assert encoders_of(recipe) == [("a", ""), ("b", "v1")]
