"""The tool that seals published runs adds what the corpora confirm, and never confirms an edit."""

from pathlib import Path

import pytest

import seal_results
from serkit.data.manifest import Manifest
from serkit.lab.measure.run_checks import TESTED_LABELS, RunRecords
from serkit.lab.measure.run_entry import read_entry
from serkit.lab.measure.run_folder import read_json, read_predictions, write_json
from serkit.lab.measure.seal import SEAL
from serkit.labels import LabelSet
from serkit.types import Utterance
from support.leaderboard_runs import write_run
from support.run_folders import CLASSES
from support.sealed_runs import reseal, unseal

LABELS = LabelSet("toy", CLASSES, "")


class Corpora(seal_results.Corpora):
    """Corpora that have the utterances of the runs here, and this digest of their audio."""

    def __init__(self, folder: Path, audio: str) -> None:
        super().__init__("nowhere")
        rows = {row.utterance: row for row in read_predictions(folder)[0]}
        self.utterances = Manifest(
            tuple(
                Utterance(id=row.utterance, path=row.utterance, corpus="toy", speaker=row.speaker, emotion=row.true)  # type: ignore[arg-type]
                for row in rows.values()
            )
        )
        self.audio = audio

    def manifest_of(self, run: RunRecords) -> tuple[Manifest, LabelSet]:
        return self.utterances, LABELS

    def audio_of(self, manifest: Manifest, rate: int) -> str:
        return self.audio


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    """Two unsealed runs on one manifest, of which the first stored a digest of its audio."""
    folders = []
    for name, audio in (("with", {"audio_digest": "heard"}), ("without", {})):
        folder = write_run(tmp_path / name, name=name)
        recipe = folder / "recipe.yaml"
        recipe.write_text(recipe.read_text("utf-8") + "features:\n  sampling_rate: 16000\n", "utf-8")
        digest = Corpora(folder, "").utterances.digest
        split = read_json(folder, "env.json")["split_digest"]
        write_json(folder, "env.json", {"manifest_digest": digest, "split_digest": split, **audio})
        folders.append(folder)
    return folders


def test_a_run_gets_its_seal_and_the_digests_that_another_run_confirms(runs: list[Path]) -> None:
    assert seal_results.seal_all(runs, Corpora(runs[0], "heard")) == 0
    for folder in runs:
        known = read_json(folder, "env.json")
        assert (known["audio_digest"], known["audio_sampling_rate"]) == ("heard", 16000)
        assert {TESTED_LABELS, SEAL} <= known.keys()
        read_entry(folder)


def test_audio_that_no_run_confirms_is_not_guessed(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert seal_results.seal_all(runs[1:], Corpora(runs[0], "heard")) == 0
    known = read_json(runs[1], "env.json")
    assert known["audio_digest_note"] == "nothing confirms that the audio of toy at hand is that of this run"
    assert f"{runs[1]}: no audio_digest: nothing confirms" in capsys.readouterr().out
    assert seal_results.seal_all(runs, Corpora(runs[0], "changed since")) == 0
    known = read_json(runs[1], "env.json")
    assert "audio_digest" not in known
    assert known["audio_digest_note"].startswith("the corpora at hand give another digest than runs on these")


def test_an_edited_or_contradictory_run_is_refused_and_stays_as_it_is(
    runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    corpora = Corpora(runs[0], "heard")
    path = reseal(runs[1]) / "predictions.csv"
    path.write_text(path.read_text("utf-8").replace("0.7123,0.1438,0.1438", "0.7124,0.1438,0.1438", 1), "utf-8")
    before = (runs[1] / "env.json").read_bytes()
    assert seal_results.seal_all(runs, corpora) == 1
    assert f"{runs[1]}: REFUSED: predictions.csv was edited after serkit sealed the run" in capsys.readouterr().out
    assert (runs[1] / "env.json").read_bytes() == before
    path.write_text(path.read_text("utf-8").replace(",anger,anger,", ",anger,calm,", 1), "utf-8")
    unseal(runs[1])
    assert seal_results.seal_all(runs, corpora) == 1
    assert "and 'anger' is more probable there" in capsys.readouterr().out
    assert SEAL not in read_json(runs[1], "env.json")
