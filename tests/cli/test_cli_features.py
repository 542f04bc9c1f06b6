"""``serkit features`` and ``serkit augment``, as their users call them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from serkit.data.tables import read_rows
from serkit.lab.augment import augmentation_names
from serkit.lab.features import feature_names
from serkit.runtime.recognizer import Recognizer
from support.calling import Call, assert_one_sentence
from support.synthetic import voice
from support.tiny_encoders import write_checkpoint


def test_features_are_listed_with_kind_and_size(call: Call) -> None:
    rows = {row["feature"]: row for row in json.loads(call("features", "list", "--json").out)}
    assert tuple(rows) == feature_names()
    assert (rows["notebook162"]["kind"], rows["notebook162"]["size"]) == ("vector", 162)
    assert rows["notebook162"]["sampling_rate"] == 22_050
    assert rows["vector848"]["size"] == 848


def test_vectors_are_extracted_to_a_table(call: Call, corpora_dir: Path, tmp_path: Path) -> None:
    table = tmp_path / "statistics.csv"
    done = call("features", "extract", "emodb", "--feature", "statistics", "--data", corpora_dir, "-o", table)
    assert done.code == 0, done.err
    rows = list(read_rows(table))
    assert len(rows) == 56
    assert list(rows[0]) == ["id", "corpus", "speaker", "sex", "emotion", *(f"f{i}" for i in range(6))]
    assert all(np.isfinite([float(row[f"f{i}"]) for i in range(6)]).all() for row in rows)


def test_opensmiles_functionals_are_extracted_under_their_names(call: Call, corpora_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("opensmile", reason="needs openSMILE, which is optional")
    table = tmp_path / "egemaps.parquet"
    done = call("features", "extract", "tess", "--feature", "egemaps", "--data", corpora_dir, "-o", table)
    assert done.code == 0, done.err
    rows = list(read_rows(table))
    assert len(rows) == 28
    assert len(rows[0]) == 5 + 88
    assert rows[0]["F0semitoneFrom27.5Hz_sma3nz_amean"] > 10
    done = call("features", "extract", "tess", "--feature", "egemaps", "--feature", "prosody", "--data", corpora_dir)
    assert "egemaps+prosody, 178 dimensions, 28 utterances" in done.out


def test_frames_are_extracted_to_arrays(call: Call, corpora_dir: Path, tmp_path: Path) -> None:
    file = tmp_path / "mfcc.npz"
    done = call("features", "extract", "emodb", "--feature", "mfcc", "--data", corpora_dir, "-o", file)
    assert done.code == 0, done.err
    with np.load(file) as arrays:
        assert len(arrays.files) == 56
        assert arrays[arrays.files[0]].shape[1] == 40
    done = call("features", "extract", "emodb", "--feature", "mfcc", "--data", corpora_dir, "-o", tmp_path / "mfcc.csv")
    assert_one_sentence(done, "cannot write frames or images to 'mfcc.csv'; the suffix must be .npz.")


def test_every_augmentation_that_needs_nothing_is_shown(call: Call, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice("anger", "emodb/03", seconds=0.5), 16_000)
    done = call("augment", tmp_path / "a.wav", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    written = {Path(line).name for line in done.out.splitlines()}
    assert {"clean.wav", "spectrograms.png"} < written
    assert {f"{name}.wav" for name in augmentation_names() if name != "background"} == written - {
        "clean.wav", "spectrograms.png"
    }  # fmt: skip
    assert all((tmp_path / "out" / name).is_file() for name in written)
    assert_one_sentence(
        call("augment", tmp_path / "a.wav", "--out", tmp_path, "--name", "nois"), "did you mean 'noise'"
    )


def test_a_model_with_sex_trained_on_changed_waveforms_uses_the_sex(
    call: Call, small_recipe: dict[str, Any], corpora_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab.exporting import model_file as export

    monkeypatch.setattr(export, "_PARITY_SECONDS", (0.2, 1.0))
    recipe = tmp_path / "sex.yaml"
    settings = {
        "features": [{"name": "logmel", "bands": 63}, "sex"],  # an even number: the network halves it
        "augment": ["noise", {"name": "pitch", "p": 1}],
        "train": {"epochs": 2, "batch_size": 8, "lr": 0.01, "keep": "last"},
    }
    recipe.write_text(yaml.safe_dump(small_recipe | settings), "utf-8")
    done = call("evaluate", recipe, "--data", corpora_dir, "--out", tmp_path / "scored")
    assert done.code == 0, done.err
    done = call("train", recipe, "--data", corpora_dir, "--out", tmp_path / "run")
    assert done.code == 0, done.err
    done = call("export", tmp_path / "run", "-o", tmp_path / "m.onnx")
    assert done.code == 0, done.err
    recognizer = Recognizer.load(tmp_path / "m.onnx")
    assert recognizer.card.inputs == ("waveform", "lengths", "sex")
    clip = voice("anger", "emodb/03", seconds=1.0)
    answers = [
        recognizer.predict(clip, sampling_rate=16_000, sex=sex).probabilities["anger"]
        for sex in ("male", "female", "unknown")
    ]
    assert len(set(answers)) == 3
    assert recognizer.predict(clip, sampling_rate=16_000).probabilities["anger"] == answers[2]


def test_frames_of_an_encoder_are_extracted_by_its_folder(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="needs serkit[ssl]")
    folder = write_checkpoint(tmp_path / "encoder", "wav2vec2")
    output = tmp_path / "means.npz"
    done = call(
        "features", "extract", "emodb", "--feature", f"ssl:{folder}", "--data", f"emodb={emodb_dir}", "-o", output
    )
    assert done.code == 0, done.err
    with np.load(output) as rows:
        assert len(rows) == 56
        assert {rows[name].shape for name in rows} == {(1, 32)}
    assert_one_sentence(
        call("features", "extract", "emodb", "--feature", "ssl:", "--data", f"emodb={emodb_dir}"), "ssl"
    )
