"""Linear layers as 8-bit integers: what stays as it was, and what the card says of the cost."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from serkit.errors import ExportError
from serkit.lab.exporting.model_file import export
from serkit.lab.exporting.quantize import quantize, words_of
from serkit.lab.measure.run_folder import read_json
from serkit.lab.recipes.schema import parse_recipe
from serkit.lab.training.run import fit_final
from serkit.runtime.recognizer import Recognizer

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def run(emodb_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    recipe = parse_recipe(
        {
            "name": "emodb-tiny", "corpora": ["emodb"], "labels": "emodb",
            "model": {"name": "transformer", "width": 128, "heads": 2, "layers": 2},
            "protocol": {"folds": 2, "validation_speakers": 1}, "train": {"epochs": 1},
            "features": {"name": "logmel", "bands": 16},
        }
    )  # fmt: skip
    fit_final(recipe, {"emodb": emodb_dir}, folder)
    return folder


def test_the_file_is_smaller_and_its_card_says_what_that_costs(run: Path, emodb_dir: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "whole.onnx")
    export(run, tmp_path / "small.onnx", int8=True, data={"emodb": emodb_dir})
    whole, small = (tmp_path / f"{name}.onnx" for name in ("whole", "small"))
    assert small.stat().st_size < 0.75 * whole.stat().st_size
    cost = Recognizer.load(small).card.quantization
    validated = read_json(run, "folds.json")[0]["validation"]["utterances"]
    assert (cost["weights"], cost["utterances"]) == ("int8", len(validated))
    assert cost["uar_before"] == pytest.approx(read_json(run, "metrics.json")["validation_uar"], abs=0.01)
    assert 0 <= cost["changed"] <= 100
    assert "validation utterances" in words_of(cost)
    assert Recognizer.load(whole).card.quantization == {}


@pytest.mark.long
def test_its_answers_are_near_and_depend_on_no_batch(
    run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    export(run, tmp_path / "whole.onnx")
    export(run, tmp_path / "small.onnx", int8=True)
    assert caplog.records == []
    whole, small = (Recognizer.load(tmp_path / f"{name}.onnx") for name in ("whole", "small"))
    scales = np.array([[0.01], [0.1], [0.5]])
    waveform = (scales * np.random.default_rng(0).normal(size=(3, 32_000))).astype(np.float32)
    lengths = np.array([32_000, 32_000, 20_000])
    expected, found = (model.run(waveform, lengths)[0] for model in (whole, small))
    np.testing.assert_allclose(found, expected, atol=0.05)
    for i, length in enumerate(lengths.tolist()):
        np.testing.assert_array_equal(small.run(waveform[i : i + 1, :length], lengths[i : i + 1])[0][0], found[i])
    assert "was not measured" in words_of(small.card.quantization)


@pytest.mark.long
def test_what_computes_features_stays_as_it_is(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "small.onnx", int8=True)
    graph = onnx.load(tmp_path / "small.onnx").graph
    assert any("front" in node.name and node.op_type == "MatMul" for node in graph.node)
    assert not any("front" in node.name and "Integer" in node.op_type for node in graph.node)
    assert any("Integer" in node.op_type for node in graph.node)


@pytest.mark.parametrize("model", ["logistic", "mlp"])
def test_a_classical_model_says_that_it_gains_nothing(emodb_dir: Path, tmp_path: Path, model: str) -> None:
    recipe = parse_recipe(
        {
            "name": "emodb-classical", "corpora": ["emodb"], "labels": "emodb", "model": model,
            "protocol": {"folds": 2, "validation_speakers": 1},
            "features": {"name": "statistics", "sampling_rate": 16_000},
        }
    )  # fmt: skip
    fit_final(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    with pytest.raises(ExportError, match="quantization would not make this file smaller"):
        export(tmp_path / "run", tmp_path / "small.onnx", int8=True)
    assert not (tmp_path / "small.onnx").exists()


def test_a_model_without_linear_layers_is_refused(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    from serkit.card import write_card
    from serkit.runtime.session import embedded_models

    card = Recognizer.load(next(iter(embedded_models()))).card
    node = helper.make_node("Identity", ["waveform"], ["probabilities"])
    shape = ("B", "T")
    graph = helper.make_graph(
        [node], "g", [helper.make_tensor_value_info("waveform", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, shape)],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, write_card(card))
    onnx.save(model, tmp_path / "model.onnx")
    before = (tmp_path / "model.onnx").read_bytes()
    with pytest.raises(ExportError, match="no large linear layers"):
        quantize(tmp_path / "model.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]
    assert (tmp_path / "model.onnx").read_bytes() == before
