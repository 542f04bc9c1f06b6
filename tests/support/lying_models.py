"""Small model files that lie about themselves or do harm, made with the onnx package."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from serkit.card import METADATA_KEY, NOT_FOR, Card, write_card

CLASSES = ("anger", "fear")
CARD = Card(
    name="toy", serkit_version="0", classes=CLASSES, label_set="toy", label_note="", sampling_rate=16_000,
    inputs=("waveform", "lengths"), minimum_duration=0.1, parameters=0, corpora=(), languages=(), train_speakers=(),
    validation_speakers=(), split_digest="", temperature=1.0, validation_uar=None, evidence=(), license="",
    is_commercial_use_allowed=True, not_for=NOT_FOR, recipe={},
)  # fmt: skip
_INT64, _FLOAT = TensorProto.INT64, TensorProto.FLOAT


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def write_model(
    file: Path,
    nodes: Sequence[Any],
    constants: Mapping[str, Any],
    *,
    outputs: Mapping[str, tuple[int, Any]] | None = None,
    inputs: Mapping[str, tuple[int, Any]] | None = None,
    card: Card | str = CARD,
) -> Path:
    """Write a model file whose outputs, names to types and shapes, may be anything."""
    given = inputs or {"waveform": (_FLOAT, ["B", "T"]), "lengths": (_INT64, ["B"])}
    named = outputs or {"probabilities": (_FLOAT, None), "embedding": (_FLOAT, None)}
    infos = [[helper.make_tensor_value_info(name, *kind) for name, kind in part.items()] for part in (given, named)]
    tensors = [
        value if isinstance(value, TensorProto) else numpy_helper.from_array(np.asarray(value), name)
        for name, value in constants.items()
    ]
    graph = helper.make_graph(list(nodes), "toy", *infos, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    entries = write_card(card) if isinstance(card, Card) else {METADATA_KEY: card}
    helper.set_model_props(model, entries)
    file.write_bytes(model.SerializeToString())
    return file


def answering(file: Path, row: Sequence[float], **more: Any) -> Path:
    """Write a model that answers the same row for every utterance, with an embedding of zeros."""
    nodes = [
        node("ReduceMean", "waveform one", "mean", keepdims=1),
        node("Mul", "mean zero", "embedding"),
        node("Add", "embedding row", "probabilities"),
    ]
    constants = {"one": np.array([1]), "zero": np.float32(0), "row": np.array([row], np.float32)}
    return write_model(file, nodes, constants, **more)


def endless(file: Path) -> Path:
    """Write a model with a loop that never ends."""
    kinds = [("i", TensorProto.INT64), ("go", TensorProto.BOOL)]
    body = helper.make_graph(
        [node("Identity", "go", "go_on"), node("Identity", "x", "y")], "body",
        [*(helper.make_tensor_value_info(name, kind, []) for name, kind in kinds),
         helper.make_tensor_value_info("x", _FLOAT, None)],
        [helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
         helper.make_tensor_value_info("y", _FLOAT, None)],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["", "true", "embedding"], ["probabilities"], body=body)
    mean = node("ReduceMean", "waveform one", "embedding", keepdims=1)
    return write_model(file, [mean, loop], {"true": np.array(True), "one": np.array([1])})


def expanding(file: Path, shape: Sequence[int], *, is_constant: bool = False) -> Path:
    """Write a model that expands one number to a tensor of a shape."""
    big = node("ConstantOfShape", "shape", "big") if is_constant else node("Expand", "embedding shape", "big")
    nodes = [
        node("ReduceMean", "waveform one", "embedding", keepdims=1), big,
        node("ReduceSum", "big", "sum", keepdims=0), node("Add", "embedding sum", "shifted"),
        node("Add", "shifted row", "probabilities"),
    ]  # fmt: skip
    row = np.array([[0.5, 0.5]], np.float32)
    return write_model(file, nodes, {"one": np.array([1]), "shape": np.array(shape), "row": row})


def external(file: Path) -> Path:
    """Write a model with a constant in another file, beside it."""
    (file.parent / "secret.bin").write_bytes(np.array([0.5, 0.5], np.float32).tobytes())
    tensor = TensorProto(name="row", dims=[1, 2], data_type=_FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="secret.bin")
    return answering_with(file, tensor)


def answering_with(file: Path, row: Any) -> Path:
    nodes = [node("ReduceMean", "waveform one", "embedding", keepdims=1), node("Add", "embedding row", "probabilities")]
    return write_model(file, nodes, {"one": np.array([1]), "row": row})


def with_attribute_outside(file: Path) -> Path:
    """Write a model whose operator Constant has its value in another file."""
    tensor = TensorProto(name="row", dims=[1, 2], data_type=_FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    nodes = [
        node("ReduceMean", "waveform one", "embedding", keepdims=1),
        helper.make_node("Constant", [], ["row"], value=tensor), node("Add", "embedding row", "probabilities"),
    ]  # fmt: skip
    return write_model(file, nodes, {"one": np.array([1])})


def sparse(file: Path) -> Path:
    """Write a model with a sparse constant of 64 TB."""
    answering(file, (0.5, 0.5))
    model = onnx.load(file)
    values = numpy_helper.from_array(np.array([1], np.float32), "big")
    model.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([0]), "at"), [4_000_000, 4_000_000])
    )
    file.write_bytes(model.SerializeToString())
    return file


def card_text(**changes: Any) -> str:
    """Return the text of a card with some values changed."""
    return json.dumps(json.loads(write_card(replace(CARD))[METADATA_KEY]) | changes)
