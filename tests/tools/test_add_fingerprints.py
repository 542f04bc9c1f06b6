"""The fingerprints of a model's training clips, put on the card of a finished model file."""

from pathlib import Path

import onnx
import pytest

from add_fingerprints import main
from serkit.errors import ExportError
from serkit.lab.exporting.model_file import export
from serkit.lab.training.run import fit_final
from serkit.runtime.recognizer import Recognizer
from support.talking_corpus import VOICES, talking_corpus, toy_recipe

pytestmark = pytest.mark.usefixtures("one_thread")


def trained(folder: Path, *, fingerprints: bool) -> Path:
    recipe = toy_recipe(protocol={"validation": "none"})
    run = folder / f"run-{fingerprints}"
    fit_final(recipe, {"toy": folder / "toy.csv"}, run, fingerprints=fingerprints)
    export(run, folder / f"{fingerprints}.onnx")
    return folder / f"{fingerprints}.onnx"


def test_a_finished_file_gets_the_card_that_an_export_writes(tmp_path: Path) -> None:
    talking_corpus(tmp_path / "toy", "toy", VOICES).write(tmp_path / "toy.csv")
    bare, whole = (trained(tmp_path, fingerprints=given) for given in (False, True))
    graph = onnx.load(bare).graph.SerializeToString()
    main(bare, [f"toy={tmp_path / 'toy.csv'}"])
    assert Recognizer.load(bare).card.fingerprints == Recognizer.load(whole).card.fingerprints != {}
    assert onnx.load(bare).graph.SerializeToString() == graph


def test_another_corpus_than_that_of_the_training_is_refused(tmp_path: Path) -> None:
    manifest = talking_corpus(tmp_path / "toy", "toy", VOICES)
    manifest.write(tmp_path / "toy.csv")
    file = trained(tmp_path, fingerprints=False)
    manifest.filter(lambda u: not u.id.endswith("-0")).write(tmp_path / "less.csv")
    with pytest.raises(ExportError, match=r"toy has 12 utterances .* but the model was fitted on 16"):
        main(file, [f"toy={tmp_path / 'less.csv'}"])


@pytest.mark.parametrize(("name", "clips"), [("default", 1_500), ("emodb", 500)])
def test_the_embedded_models_know_the_recordings_of_all_their_speakers(name: str, clips: int) -> None:
    card = Recognizer.load(name).card
    assert card.fingerprints.keys() == card.seen_speakers
    assert sum(map(len, card.fingerprints.values())) > clips
