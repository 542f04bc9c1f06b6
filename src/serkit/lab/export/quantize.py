"""Smaller model files: the matrices of linear layers as 8-bit integers, and what that costs in right answers."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from serkit.card import read_card, write_card
from serkit.errors import ExportError
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.writing import whole_file

_LINEAR = ("MatMul", "Gemm")
# parts of the names of what must not become coarse: what computes features, and what stands around a classical model
_KEPT = {"front", "loudness", "stft", "head", "calibrate", "spread"}


@dataclass(frozen=True)
class Cost:
    """What a quantized file answers beside the one it was made of; UAR in percent.

    Attributes:
        utterances: How many were asked.
        uar: Of the quantized file.
        uar_before: Of the other.
        changed: Percent of the answers that are another class.
    """

    utterances: int
    uar: float
    uar_before: float
    changed: float


def quantize(file: Path, measure: Callable[[Path], Cost | None] = lambda path: None) -> Cost | None:
    """Make a model file's linear layers 8-bit integers, in place; the card says so.

    Activations become integers as they come (dynamic quantization), by the range of all that goes through at once; so
    the runtime runs a batch of such a file one by one, and no answer depends on another. Convolutions and recurrent
    layers stay float: ONNX Runtime is slower with their integers.

    Args:
        file: A model file.
        measure: From the quantized file to what it cost, which then stands on the card.

    Raises:
        ExportError: If it has no linear layers outside of its front end.
    """
    graph = onnx.load(file)
    kept = [
        node.name for node in graph.graph.node
        if node.op_type in _LINEAR and _KEPT & {*node.name.replace(".", "/").split("/")}
    ]  # fmt: skip
    with whole_file(file) as temporary:
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it advises a pass over the graph that would change nothing here
        try:
            quantize_dynamic(
                file, temporary, weight_type=QuantType.QInt8, op_types_to_quantize=[*_LINEAR], nodes_to_exclude=kept,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )  # fmt: skip
        finally:
            logging.disable(before)
        small = onnx.load(temporary)
        is_smaller = temporary.stat().st_size < file.stat().st_size
        if not is_smaller or not any(node.op_type.endswith("MatMulInteger") for node in small.graph.node):
            raise ExportError(
                "int8: this model has no linear layers that would make the file smaller as integers (its front end, "
                "and with it the feature ssl, stays as it is)."
            )
        properties = {entry.key: entry.value for entry in graph.metadata_props}
        card = replace(read_card(properties, file.name), quantization={"weights": "int8"})
        onnx.helper.set_model_props(small, write_card(card))
        onnx.save(small, temporary)
        cost = measure(temporary)
        if cost:
            card = replace(card, quantization={"weights": "int8", **asdict(cost)})
            onnx.helper.set_model_props(small, write_card(card))
            onnx.save(small, temporary)
    return cost


def cost_of(found: NDArray[np.int64], before: NDArray[np.int64], truth: NDArray[np.int64], classes: int) -> Cost:
    """Compare the answers of a quantized file with those of the file that it was made of.

    Args:
        found: Class indices that the quantized file answers, shape (n,).
        before: Those of the other.
        truth: Those that are right.
        classes: C.
    """
    now, then = (round(100 * uar(confusion_matrix(truth, answers, classes)), 2) for answers in (found, before))
    return Cost(len(truth), now, then, round(100 * float(np.mean(found != before)), 2))


def words_of(quantization: Mapping[str, Any]) -> str:
    """Say what a card's ``quantization`` holds; empty for none."""
    if not quantization:
        return ""
    if "uar" not in quantization:
        return "int8: what it costs was not measured; say where the corpora lie: --data DIR"
    return (
        f"int8: UAR {quantization['uar']:.1f} on {quantization['utterances']} validation utterances "
        f"({quantization['uar_before']:.1f} before), {quantization['changed']:.1f} % of the answers are others"
    )
