"""Quantizes the linear layers of a model file to 8-bit integers, and measures the cost in UAR."""

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
# Parts of the names of nodes that stay float: those that compute features, and those around a classical model.
_KEPT = {"front", "loudness", "stft", "head", "calibrate", "spread"}


@dataclass(frozen=True)
class Cost:
    """The cost of quantization, in percent.

    Attributes:
        utterances: Number of utterances.
        uar: UAR of the quantized file.
        uar_before: UAR of the original file.
        changed: Share of the predictions that changed.
    """

    utterances: int
    uar: float
    uar_before: float
    changed: float


def quantize(file: Path, measure: Callable[[Path], Cost | None] = lambda path: None) -> Cost | None:
    """Quantize the linear layers of a model file in place, and note it on the card.

    Activations are quantized dynamically, by the range of a whole batch. The runtime therefore runs the utterances of
    a batch one by one, so that no prediction depends on another. Convolutions and recurrent layers stay float, because
    ONNX Runtime is slower with integers there.

    Args:
        file: Path of the model file.
        measure: Function that returns the cost of the quantized file, which is noted on the card.

    Returns:
        Cost from ``measure``.

    Raises:
        ExportError: If the model has no linear layers outside its front end.
    """
    graph = onnx.load(file)
    kept = [
        node.name for node in graph.graph.node
        if node.op_type in _LINEAR and _KEPT & {*node.name.replace(".", "/").split("/")}
    ]  # fmt: skip
    with whole_file(file) as temporary:
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it recommends a preprocessing pass that has no effect here
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
                "int8: quantization would not make this file smaller, because the model has no large linear layers "
                "outside its front end (the feature ssl is part of the front end)."
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
    """Return the cost of quantization from the predictions of both files.

    Args:
        found: Class indices predicted by the quantized file, shape (n,).
        before: Class indices predicted by the original file, shape (n,).
        truth: True class indices, shape (n,).
        classes: Number of classes.
    """
    now, then = (round(100 * uar(confusion_matrix(truth, answers, classes)), 2) for answers in (found, before))
    return Cost(len(truth), now, then, round(100 * float(np.mean(found != before)), 2))


def words_of(quantization: Mapping[str, Any]) -> str:
    """Return a card's ``quantization`` in words; empty if the model is not quantized."""
    if not quantization:
        return ""
    if "uar" not in quantization:
        return "int8: the cost was not measured; give the corpora with --data DIR to measure it"
    return (
        f"int8: UAR {quantization['uar']:.1f} on {quantization['utterances']} validation utterances "
        f"({quantization['uar_before']:.1f} before), {quantization['changed']:.1f} % of the predictions changed"
    )
