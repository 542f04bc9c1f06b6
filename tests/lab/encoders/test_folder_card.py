"""The card in an encoder's folder: read as strictly as that of a model file, and only for the weights it came with."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serkit.errors import RecipeError
from serkit.lab.encoders.checkpoint_files import CARD
from serkit.lab.encoders.folder_card import read_folder_card, write_folder_card
from serkit.lab.encoders.pretrained_checkpoint import open_checkpoint
from support.lying_models import CARD as ANY_CARD
from support.tiny_encoders import write_checkpoint

transformers = pytest.importorskip("transformers", reason="needs serkit[ssl]")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = write_checkpoint(tmp_path / "known", "wav2vec2", norm="layer")
    write_folder_card(found, replace(ANY_CARD, train_speakers=("emodb/03",)))
    return found


def text(content: bytes) -> Callable[[Path], Any]:
    return lambda folder: (folder / CARD).write_bytes(content)


def edited(**changes: Any) -> Callable[[Path], Any]:
    """Damage: these fields of the card; None for one that is missing."""

    def edit(folder: Path) -> None:
        content = json.loads((folder / CARD).read_text("utf-8")) | changes
        missing = {name for name, value in changes.items() if value is None}
        (folder / CARD).write_text(json.dumps({k: v for k, v in content.items() if k not in missing}), "utf-8")

    return edit


def test_a_card_is_read_as_it_was_written(folder: Path) -> None:
    assert open_checkpoint(str(folder)).card == replace(ANY_CARD, train_speakers=("emodb/03",))


def test_a_published_checkpoint_has_no_card(make: Callable[..., Path]) -> None:
    assert open_checkpoint(str(make("wav2vec2", norm="layer"))).card is None


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (text(b"{"), "has a damaged serkit card"),
        (text(b"[]"), "has a damaged serkit card"),
        (text(b""), "has a damaged serkit card"),
        (text(b"[" * 100_000), "has a damaged serkit card"),
        (text(b"\xff\xfe"), "cannot be read"),
        (edited(train_speakers=7), "has a damaged serkit card .train_speakers is 7; expected a list"),
        (edited(train_speakers=None), "has a damaged serkit card .train_speakers is missing"),
        (edited(classes=["anger"]), "has a damaged serkit card .a model has two classes or more"),
        (edited(weight_files=None), "is damaged .weight_files is null; expected an object"),
        (edited(weight_files={"model.safetensors": 1}), "is damaged .*weight_files.model.safetensors is 1"),
        (edited(format=99), "has a card of format 99, but .* upgrade serkit"),
    ],
)
def test_a_damaged_card_is_refused_by_name(folder: Path, damage: Callable[[Path], Any], why: str) -> None:
    damage(folder)
    with pytest.raises(
        RecipeError, match=rf"known/serkit_card\.json' {why}.*serkit export --transformers.* writes it anew"
    ):
        read_folder_card(folder)


def test_a_card_of_weights_that_were_trained_further_is_refused(folder: Path) -> None:
    """As transformers leaves it when it saves a network over an exported folder."""
    network = transformers.AutoModel.from_pretrained(folder)
    next(network.parameters()).data.add_(0.1)
    network.save_pretrained(folder)
    with pytest.raises(RecipeError, match="describes other weights than those in this folder: export the run again"):
        read_folder_card(folder)
    (folder / CARD).unlink()
    assert read_folder_card(folder) is None


def test_a_card_that_lacks_a_weights_file_is_refused(folder: Path) -> None:
    edited(weight_files={})(folder)
    with pytest.raises(RecipeError, match="describes other weights"):
        read_folder_card(folder)
