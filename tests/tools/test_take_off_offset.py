"""The subtraction of the mean, put in front of a finished model file."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper

from serkit.errors import ExportError
from serkit.lab.signal.masking import without_offset
from take_off_offset import main, with_offset_taken_off


def passing_on(file: Path, inputs: tuple[str, ...] = ("waveform", "lengths")) -> Path:
    """Write a model that gives its waveform back."""
    kinds = {"waveform": (TensorProto.FLOAT, ["B", "T"]), "lengths": (TensorProto.INT64, ["B"])}
    graph = helper.make_graph(
        [helper.make_node("Identity", ["waveform"], ["found"])], "toy",
        [helper.make_tensor_value_info(name, *kinds[name]) for name in inputs],
        [helper.make_tensor_value_info("found", TensorProto.FLOAT, ["B", "T"])],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    helper.set_model_props(model, {"serkit_card": "as it was"})
    onnx.save(model, file)
    return file


def test_the_graph_computes_what_torch_computes(tmp_path: Path) -> None:
    file = passing_on(tmp_path / "m.onnx")
    main(file)
    assert {entry.key: entry.value for entry in onnx.load(file).metadata_props} == {"serkit_card": "as it was"}
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    for lengths in ([1], [5, 16_000, 7], [300_000], [0, 3]):
        waveform = (0.3 + 0.1 * rng.standard_normal((len(lengths), max(lengths) + 3))).astype(np.float32)
        given = {"waveform": waveform, "lengths": np.array(lengths, np.int64)}
        expected = without_offset(*(torch.from_numpy(value) for value in given.values())).numpy()
        np.testing.assert_allclose(session.run(None, given)[0], expected, atol=1e-7)


def test_it_is_put_in_front_only_once_and_only_of_a_model(tmp_path: Path) -> None:
    model = with_offset_taken_off(onnx.load(passing_on(tmp_path / "m.onnx")))
    with pytest.raises(ExportError, match="already takes the offset off"):
        with_offset_taken_off(model)
    with pytest.raises(ExportError, match="expected waveform and lengths"):
        with_offset_taken_off(onnx.load(passing_on(tmp_path / "m.onnx", ("waveform",))))
