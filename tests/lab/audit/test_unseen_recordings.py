"""A model file knows its training recordings by sound: under other names they are refused as an unseen corpus."""

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
import soundfile

from serkit.audio.fingerprint import fingerprint
from serkit.data.curation.check import check_manifest
from serkit.data.curation.overlap import find_overlap
from serkit.data.fingerprint_file import read_fingerprints
from serkit.data.manifest import Manifest
from serkit.errors import LeakageError, ManifestError, ModelFileError, RunError
from serkit.lab.audit.unseen_corpora import evaluate_model
from serkit.lab.exporting.card_fingerprints import some_excerpts
from serkit.lab.exporting.model_file import export
from serkit.lab.splits.seen_recordings import check_recordings_unseen
from serkit.lab.training.run import fit_final
from serkit.runtime.recognizer import Recognizer
from serkit.types import Utterance
from support.talking import RATE
from support.talking_corpus import VOICES, said, talking_corpus, toy_recipe

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, the final model of a recipe on it, and its model file."""
    folder = tmp_path_factory.mktemp("trained")
    table = talking_corpus(folder / "toy", "toy", VOICES).write(folder / "toy.csv")
    fit_final(toy_recipe(protocol={"validation": "none"}), {"toy": table}, folder / "run")
    export(folder / "run", folder / "toy.onnx")
    return folder


def renamed(folder: Path, source: Path, *, speaker: str, gain: float = 0.25) -> Path:
    """Write one training speaker's clips, softer, as a corpus of somebody else, and return its manifest."""
    folder.mkdir()
    utterances = []
    for u in Manifest.read(source / "toy.csv"):
        if u.speaker != speaker:
            continue
        samples, rate = soundfile.read(source / u.path)
        soundfile.write(folder / Path(u.path).name, gain * samples, rate)
        path = Path(u.path).name
        utterances.append(replace(u, id=f"other/{path}", path=path, corpus="other", speaker="other/somebody"))
    return Manifest(tuple(utterances), {"other": folder}).write(folder / "other.csv")


def score(model: Path, table: Path, out: Path, *, fingerprints: bool = True) -> dict[str, object]:
    recognizer = Recognizer.load(model)
    return evaluate_model(
        recognizer.card, lambda path: recognizer.predict(path, reject=False), ("other",), {"other": table}, out,
        fingerprints=fingerprints,
    )  # fmt: skip


def test_the_card_has_excerpts_of_all_training_clips(trained: Path) -> None:
    card = Recognizer.load(trained / "toy.onnx").card
    assert {name: len(codes) for name, codes in card.fingerprints.items()} == {f"toy/{name}": 4 for name in VOICES}
    assert max(len(code) for codes in card.fingerprints.values() for code in codes) <= 248  # base64 of 186 bytes
    assert card.to_dict()["fingerprints"] == 16
    assert read_fingerprints(trained / "run").keys() == card.fingerprints.keys()


def test_a_training_speaker_under_another_name_is_no_unseen_corpus(trained: Path, tmp_path: Path) -> None:
    table = renamed(tmp_path / "other", trained, speaker="toy/ann")
    with pytest.raises(LeakageError, match=r"^the model was fitted on 4 of these recordings.* of 'toy/ann'"):
        score(trained / "toy.onnx", table, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_recordings_are_scored_and_their_fingerprints_kept(trained: Path, tmp_path: Path) -> None:
    table = talking_corpus(tmp_path / "other", "other", {"eva": 200}).write(tmp_path / "other.csv")
    found = score(trained / "toy.onnx", table, tmp_path / "run")
    assert found["guard"] == {"are_fingerprints_compared": True}
    assert read_fingerprints(tmp_path / "run").keys() == {"other/eva"}


def test_a_model_file_without_fingerprints_says_that_recordings_were_not_compared(
    trained: Path, tmp_path: Path
) -> None:
    fit_final(
        toy_recipe(protocol={"validation": "none"}), {"toy": trained / "toy.csv"}, tmp_path / "run", fingerprints=False
    )
    export(tmp_path / "run", tmp_path / "bare.onnx")
    assert Recognizer.load(tmp_path / "bare.onnx").card.fingerprints == {}
    table = renamed(tmp_path / "other", trained, speaker="toy/ann")
    found = score(tmp_path / "bare.onnx", table, tmp_path / "scored")
    assert found["guard"] == {"are_fingerprints_compared": False}


def test_a_damaged_fingerprint_on_a_card_is_one_sentence(trained: Path) -> None:
    card = Recognizer.load(trained / "toy.onnx").card
    damaged = replace(card, fingerprints={"toy/ann": ("AAAA",)})
    with pytest.raises(ModelFileError, match=r"^the card of the model has a fingerprint that cannot be compared"):
        check_recordings_unseen(damaged, {"a": b""}, {"a": "b"}, "the model")


def test_a_damaged_fingerprint_in_a_manifest_whose_audio_is_gone_is_one_sentence(tmp_path: Path) -> None:
    manifest = talking_corpus(tmp_path / "toy", "toy", {"ann": 200})
    gone = replace(manifest, utterances=(replace(manifest.utterances[0], path="gone.wav", fingerprint="AAAA"),))
    with pytest.raises(ManifestError, match=r"^toy/ann-0: .* Write the manifest again"):
        find_overlap(gone, manifest)


def test_a_check_lists_short_windows_of_another_corpus(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    manifest = talking_corpus(whole, "whole", {"ann": 200}, clips=2)
    cut.mkdir()
    samples, rate = soundfile.read(whole / "ann-0.wav", dtype="int16")
    soundfile.write(cut / "a.wav", samples[16_000:24_000], rate)
    window = Utterance(id="cut/a", path="a.wav", corpus="cut", speaker="cut/b", emotion="anger")
    report = check_manifest("whole", manifest, others=[Manifest((window,), {"cut": cut})])
    assert [(found.kind, found.files) for found in report.problems] == [("near-duplicates", ("ann-0.wav",))]


def test_scores_without_a_comparison_of_recordings_are_no_evidence(trained: Path, tmp_path: Path) -> None:
    table = renamed(tmp_path / "other", trained, speaker="toy/ann")
    score(trained / "toy.onnx", table, tmp_path / "scored", fingerprints=False)
    with pytest.raises(RunError, match=r"were not compared with those of the training, .* without --no-fingerprints"):
        export(trained / "run", tmp_path / "toy.onnx", evidence=(tmp_path / "scored",))
    assert not (tmp_path / "toy.onnx").exists()


def test_weights_of_another_fit_are_not_exported(trained: Path, tmp_path: Path) -> None:
    run = shutil.copytree(trained / "run", tmp_path / "run")
    (weights,) = (run / "fold_0" / "seed_0").glob("model.onnx")
    other = onnx.load(weights)
    other.doc_string = "another fit"
    onnx.save(other, weights)
    with pytest.raises(RunError, match="holds other weights than this fit wrote"):
        export(run, tmp_path / "toy.onnx")


def test_a_card_takes_from_all_speakers_in_turn() -> None:
    codes = {f"s{n}": {f"s{n}/{k}": fingerprint(said(f"{n} {k}"), RATE) for k in range(4 - n)} for n in range(3)}
    size = len(codes["s0"]["s0/0"])
    kept = some_excerpts(codes, 6 * size)
    assert {name: len(some) for name, some in kept.items()} == {"s0": 2, "s1": 2, "s2": 2}
    assert kept == some_excerpts({name: dict(reversed(codes[name].items())) for name in reversed(codes)}, 6 * size)
