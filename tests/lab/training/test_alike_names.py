"""Speakers whose names are one to a reader, in an experiment that is about to begin."""

from pathlib import Path
from typing import Any

import pytest

from serkit.errors import LeakageError
from serkit.lab.training.pretraining import check_apart
from serkit.lab.training.run import run_protocol
from support.toy import EMOTIONS, manifest, speaker, tiny_recipe

PROTOCOLS: list[dict[str, Any]] = [
    {"folds": 2},
    {"name": "random", "speaker_dependent": True, "folds": 2},
    {"name": "fixed_test_speakers", "test_speakers": ["own/Anna", "own/An_na"]},
]


def own_data(folder: Path, names: tuple[str, ...]) -> Path:
    """Write a table of utterances with those speakers; its files are empty."""
    rows = ["file,emotion,speaker"]
    for number, (name, emotion) in enumerate((name, emotion) for name in names for emotion in EMOTIONS):
        (folder / f"{number}.wav").touch()
        rows.append(f"{number}.wav,{emotion},{name}")
    (folder / "table.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder / "table.csv"


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.get("name", "speaker_kfold"))
def test_two_spellings_of_one_name_are_refused_before_audio_is_read(protocol: dict[str, Any], tmp_path: Path) -> None:
    table = own_data(tmp_path, ("Anna", "An_na", "Ben", "Cleo", "Dora"))
    recipe = tiny_recipe(corpora=["own"], labels=list(EMOTIONS), protocol=protocol)
    with pytest.raises(
        LeakageError, match=r"^the speakers 'own/An_na' and 'own/Anna' are one name .*: give one person"
    ):
        run_protocol(recipe, {"own": table}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_first_training_on_another_spelling_of_a_speaker_is_refused_with_both() -> None:
    check_apart(manifest(speaker("own/Anna")), manifest(speaker("own/Hanna")))
    with pytest.raises(
        LeakageError, match=r"the first is 'own/\\u0410nna' \(Cyrillic\) as 'own/Anna': the first train"
    ):
        check_apart(manifest(speaker("own/Anna")), manifest(speaker("own/\u0410nna")))
    with pytest.raises(LeakageError, match=r"the first is 'own/Anna': the first training"):
        check_apart(manifest(speaker("own/Anna")), manifest(speaker("own/Anna")))
