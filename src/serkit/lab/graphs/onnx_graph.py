"""Operations on ONNX graphs: build one from operators, connect several, and remove repeated or unused parts.

Connected graphs keep their names apart: a value of a part is renamed to ``part/name``, in subgraphs too.
``onnx.compose.add_prefix`` would miss initializers that a subgraph reads from outside.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from serkit.errors import ExportError

OPSET = 18
ML_DOMAIN = "ai.onnx.ml"
ML_OPSET = 3

_IR = 8  # the first IR version for opset 18
_INPUTS = ("waveform", "lengths", "sex")

Proto = Any  # onnx.ModelProto; onnx has no types for mypy


def connect(parts: Mapping[str, Proto], *, wires: Mapping[str, str], outputs: Mapping[str, tuple[str, int]]) -> Proto:
    """Connect graphs to one graph.

    Args:
        parts: Graphs by name; each reads only from those before it.
        wires: Inputs and the outputs that they read, both written ``part/name``. Inputs without a wire become inputs of
            the whole graph; inputs of the same name become one.
        outputs: Outputs of the whole graph: the name, and the output of a part with its width.

    Raises:
        ExportError: If the parts do not fit together, or their opsets differ.
    """
    public = {full: name for name, (full, _) in outputs.items()}
    graph = onnx.GraphProto(name="serkit")
    for part, model in parts.items():
        copy = copy_of(model).graph
        inputs = {entry.name for entry in copy.input}

        def rename(name: str, part: str = part, inputs: set[str] = inputs) -> str:
            full = f"{part}/{name}"
            full = wires.get(full, name if name in inputs else full)
            return public.get(full, full)

        _rename(copy, rename)
        free = [entry for entry in copy.input if "/" not in entry.name and entry.name not in public.values()]
        known = {entry.name for entry in graph.input}
        graph.input.extend(entry for entry in free if entry.name not in known)
        graph.node.extend(copy.node)
        graph.initializer.extend(copy.initializer)
    graph.output.extend(_value(name, width) for name, (_, width) in outputs.items())
    ordered = sorted(graph.input, key=lambda entry: _INPUTS.index(entry.name) if entry.name in _INPUTS else 0)
    del graph.input[:]
    graph.input.extend(ordered)
    return check(prune(_model(graph, _common_opsets(parts))))


def build(
    steps: Sequence[tuple[str, str, str]],
    inputs: Mapping[str, int],
    outputs: Mapping[str, int],
    constants: Mapping[str, Any],
) -> Proto:
    """Build a graph from operators.

    Args:
        steps: Operators in order: the type with its attributes, such as ``Softmax axis=-1``, the names of the inputs,
            separated by spaces, and the name of the output.
        inputs: Width of each input, by name.
        outputs: Width of each output, by name.
        constants: Values of the constants, by name.
    """
    nodes = []
    for operator, given, output in steps:
        kind, *attributes = operator.split()
        values = {name: int(value) for name, _, value in (item.partition("=") for item in attributes)}
        nodes.append(helper.make_node(kind, given.split(), [output], **values))
    graph = helper.make_graph(
        nodes, "part", [_value(*item) for item in inputs.items()], [_value(*item) for item in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )  # fmt: skip
    return _model(graph, {"": OPSET})


def _model(graph: Any, opsets: Mapping[str, int]) -> Proto:
    imports = [helper.make_opsetid(domain, version) for domain, version in sorted(opsets.items())]
    return helper.make_model(graph, ir_version=_IR, opset_imports=imports, producer_name="serkit")


def with_opset(model: Proto) -> Proto:
    """Declare our opsets; skl2onnx declares the lowest that would do, and some twice."""
    return _model(copy_of(model).graph, {"": OPSET, ML_DOMAIN: ML_OPSET})


def _common_opsets(parts: Mapping[str, Proto]) -> dict[str, int]:
    opsets: dict[str, int] = {}
    for model in parts.values():
        assert not model.functions
        for entry in model.opset_import:
            domain = "" if entry.domain == "ai.onnx" else entry.domain
            if opsets.setdefault(domain, entry.version) != entry.version:
                raise ExportError(
                    f"models with opset {opsets[domain]} and opset {entry.version} cannot be merged: "
                    "export them with the same version of serkit."
                )
    return opsets


def _rename(graph: Any, rename: Callable[[str], str]) -> None:
    """Rename all values of a graph and of its subgraphs, and remove the names of nodes."""
    for node in graph.node:
        node.name = ""  # optional, and two nodes must not share a name
        node.input[:] = [rename(name) if name else "" for name in node.input]
        node.output[:] = [rename(name) if name else "" for name in node.output]
        for subgraph in _subgraphs(node):
            _rename(subgraph, rename)
    for entry in chain(graph.input, graph.output, graph.initializer):
        entry.name = rename(entry.name)
    del graph.value_info[:]  # ONNX Runtime infers shapes, and symbols of two parts may collide


def prune(model: Proto) -> Proto:
    """Remove the operators and initializers that no output needs."""
    graph, kept = model.graph, []
    needed = {output.name for output in graph.output}
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= {name for inner in _with_inner(node) for name in inner.input}
    kept.reverse()
    held = [tensor for tensor in graph.initializer if tensor.name in needed]
    for field, values in ((graph.node, kept), (graph.initializer, held)):
        copies = [copy_of(value) for value in values]
        del field[:]
        field.extend(copies)
    return model


def without_repetition(model: Proto) -> Proto:
    """Merge equal initializers, and operators that compute the same from the same inputs; those with subgraphs stay."""
    graph = model.graph
    public = {output.name for output in graph.output}
    same: dict[str, str] = {}
    seen: dict[bytes, Sequence[str]] = {}
    tensors = []
    for tensor in graph.initializer:
        content = copy_of(tensor)
        content.ClearField("name")
        known = seen.setdefault(b"0" + content.SerializeToString(deterministic=True), [tensor.name])
        same[tensor.name] = known[0]
        if known[0] == tensor.name:
            tensors.append(copy_of(tensor))
    nodes = []
    for node in graph.node:
        for inner in _with_inner(node):
            inner.input[:] = [same.get(name, name) for name in inner.input]
        content = copy_of(node)
        content.ClearField("output")
        is_alone = any(_subgraphs(node)) or bool(public & set(node.output)) or node.op_type.startswith("Random")
        key = b"1" + content.SerializeToString(deterministic=True) + bytes([len(node.output)])
        known = node.output if is_alone else seen.setdefault(key, list(node.output))
        if list(known) == list(node.output):
            nodes.append(copy_of(node))
        same |= dict(zip(node.output, known, strict=True))
    for field, values in ((graph.node, nodes), (graph.initializer, tensors)):
        del field[:]
        field.extend(values)
    return model


def all_nodes(graph: Any) -> Iterator[Any]:
    """Yield the operators of a graph and of its subgraphs."""
    for node in graph.node:
        yield from _with_inner(node)


def _with_inner(node: Any) -> Iterator[Any]:
    """Yield an operator and the operators of its subgraphs."""
    yield node
    for subgraph in _subgraphs(node):
        yield from all_nodes(subgraph)


def _subgraphs(node: Any) -> Iterator[Any]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _value(name: str, width: int) -> Any:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["B", width])


def width_of(value: Any) -> int:
    """Return the last dimension of an input or output."""
    return int(value.type.tensor_type.shape.dim[-1].dim_value)


def copy_of(message: Any) -> Any:
    """Return a copy of a protobuf message, such as a graph or a node."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def check(model: Proto) -> Proto:
    """Return a graph after checking that it is valid.

    Raises:
        ExportError: If the graph is not valid.
    """
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"the parts of the model do not fit together: {error}") from error
    return model
