"""Smaller model files: the matrices of linear layers as 8-bit integers, and what that costs in right answers."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from serkit.card import write_card
from serkit.errors import ExportError
from serkit.lab.metrics import confusion_matrix, uar
from serkit.runtime.recognizer import Recognizer
from serkit.types import FloatArray

_LINEAR = ("MatMul", "Gemm")
# parts of the names of what must not become coarse: what computes features, and what stands around a classical model
_KEPT = {"front", "loudness", "stft", "head", "calibrate", "spread"}


@dataclass(frozen=True)
class Cost:
    """What a quantised file answers beside the one it was made of; UAR in percent.

    Attributes:
        utterances: How many were asked.
        uar: Of the quantised file.
        uar_before: Of the other.
        changed: Percent of the answers that are another class.
    """

    utterances: int
    uar: float
    uar_before: float
    changed: float


def quantise(file: Path, measure: Callable[[Path], Cost | None] = lambda path: None) -> Cost | None:
    """Make a model file's linear layers 8-bit integers, in place; the card says so.

    Activations become integers as they come (dynamic quantisation), by the range of all that goes through at once; so
    the runtime runs a batch of such a file one by one, and no answer depends on another. Convolutions and recurrent
    layers stay float: ONNX Runtime is slower with their integers.

    Args:
        file: A model file.
        measure: From the quantised file to what it cost, which then stands on the card.

    Raises:
        ExportError: If it has no linear layers outside of its front end.
    """
    graph = onnx.load(file)
    kept = [
        node.name for node in graph.graph.node
        if node.op_type in _LINEAR and _KEPT & {*node.name.replace(".", "/").split("/")}
    ]  # fmt: skip
    temporary = file.with_name(f".{file.name}.{os.getpid()}.int8.tmp")
    try:
        quantize_dynamic(
            file, temporary, weight_type=QuantType.QInt8, op_types_to_quantize=[*_LINEAR], nodes_to_exclude=kept,
            extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
        )  # fmt: skip
        small = onnx.load(temporary)
        is_smaller = temporary.stat().st_size < file.stat().st_size
        if not is_smaller or not any(node.op_type.endswith("MatMulInteger") for node in small.graph.node):
            raise ExportError(
                "int8: this model has no linear layers that would make the file smaller as integers (its front end, "
                "and with it the feature ssl, stays as it is)."
            )
        card = replace(Recognizer.load(file).card, quantisation={"weights": "int8"})
        onnx.helper.set_model_props(small, write_card(card))
        onnx.save(small, temporary)
        cost = measure(temporary)
        if cost:
            card = replace(card, quantisation={"weights": "int8", **asdict(cost)})
            onnx.helper.set_model_props(small, write_card(card))
            onnx.save(small, temporary)
        temporary.replace(file)
    finally:
        temporary.unlink(missing_ok=True)
    return cost


def compare(small: Path, whole: Path, waveforms: Sequence[FloatArray], truth: NDArray[np.int64]) -> Cost:
    """Ask two model files the same.

    Args:
        small: The quantised one.
        whole: The other.
        waveforms: Each of shape (T,), at their sampling rate.
        truth: Class indices.
    """
    answers = [_answers(Recognizer.load(file), waveforms) for file in (small, whole)]
    classes = len(Recognizer.load(whole).card.classes)
    found, before = (round(100 * uar(confusion_matrix(truth, answer, classes)), 2) for answer in answers)
    return Cost(len(truth), found, before, round(100 * float(np.mean(answers[0] != answers[1])), 2))


def _answers(recognizer: Recognizer, waveforms: Sequence[FloatArray]) -> NDArray[np.int64]:
    rows = [recognizer.run(samples[None], np.array([len(samples)]))[0][0] for samples in waveforms]
    answers: NDArray[np.int64] = np.array(rows).argmax(1)
    return answers


def words_of(quantisation: Mapping[str, Any]) -> str:
    """Say what a card's ``quantisation`` holds; empty for none."""
    if not quantisation:
        return ""
    if "uar" not in quantisation:
        return "int8: what it costs was not measured; say where the corpora lie: --data DIR"
    return (
        f"int8: UAR {quantisation['uar']:.1f} on {quantisation['utterances']} validation utterances "
        f"({quantisation['uar_before']:.1f} before), {quantisation['changed']:.1f} % of the answers are others"
    )
