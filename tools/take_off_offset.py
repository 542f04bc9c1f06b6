"""``python tools/take_off_offset.py MODEL.onnx``: put the subtraction of the mean in front of a model file's graph.

Model files made before serkit took the offset off the waveform answer differently with one. Weights and card stay as
they are, so that the files need no new training. The nodes compute what
:func:`serkit.lab.signal.masking.without_offset` does.
"""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx
import typer
from onnx import helper, numpy_helper

from serkit.errors import ExportError
from serkit.writing import whole_file

_PREFIX = "offset/"
_CONSTANTS = {"zero": np.float32(0), "one": np.int64(1), "none": np.int64(0), "axis": np.array([1])}
_STEPS = (  # operator with attributes, inputs, output
    ("Shape start=1 end=2", "waveform", "shape"),
    ("Squeeze", "shape", "size"),
    ("Range", "none size one", "places"),
    ("Unsqueeze", "lengths axis", "ends"),  # (B, 1)
    ("Less", "places ends", "mask"),  # (B, T)
    ("Max", "ends one", "counts"),
    ("Cast to=1", "counts", "count"),
    *(step for before, after in (("waveform", "once"), ("once", "twice")) for step in (
        ("Where", f"mask {before} zero", f"{after}_held"),
        ("ReduceSum keepdims=1", f"{after}_held axis", f"{after}_sum"),
        ("Div", f"{after}_sum count", f"{after}_mean"),
        ("Sub", f"{after}_held {after}_mean", after),
    )),
    ("Where", "mask twice zero", "centered"),
)  # fmt: skip


def with_offset_taken_off(model: Any) -> Any:
    """Return a model, changed in place, that reads each waveform minus its mean over the valid samples.

    Args:
        model: ONNX model with the inputs ``waveform`` (B, T) and ``lengths`` (B,).

    Raises:
        ExportError: If the model lacks one of the inputs, or already takes the offset off.
    """
    graph = model.graph
    inputs = {entry.name for entry in graph.input}
    if not {"waveform", "lengths"} <= inputs:
        raise ExportError(f"the model has the inputs {', '.join(sorted(inputs))}; expected waveform and lengths.")
    if any(name.startswith(_PREFIX) for node in graph.node for name in node.output):
        raise ExportError("the model already takes the offset off.")
    for node in graph.node:
        node.input[:] = [f"{_PREFIX}centered" if name == "waveform" else name for name in node.input]
    nodes = []
    for operator, given, output in _STEPS:
        kind, *attributes = operator.split()
        values = {key: int(value) for key, _, value in (item.partition("=") for item in attributes)}
        names = [name if name in inputs else f"{_PREFIX}{name}" for name in given.split()]
        nodes.append(helper.make_node(kind, names, [f"{_PREFIX}{output}"], name=f"{_PREFIX}front/{output}", **values))
    rest = [*graph.node]
    del graph.node[:]
    graph.node.extend([*nodes, *rest])
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), f"{_PREFIX}{name}") for name, value in _CONSTANTS.items()
    )
    onnx.checker.check_model(model)
    return model


def main(file: Annotated[Path, typer.Argument(help="Model file to change in place.")]) -> None:
    """Take the offset off in front of the graph of a model file."""
    model = with_offset_taken_off(onnx.load(file))
    with whole_file(file) as temporary:
        onnx.save(model, temporary)
    print(f"{file}: takes the offset off")


if __name__ == "__main__":
    typer.run(main)
