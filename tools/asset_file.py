"""Writing of the ONNX files in ``src/serkit/assets`` that are no emotion models."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn

from serkit.errors import ExportError
from serkit.lab.graphs.onnx_graph import OPSET
from serkit.writing import whole_file

TOLERANCE = 1e-4  # largest difference between torch and ONNX Runtime, relative to values above 1


def write_asset(
    network: nn.Module, output: Path, *, example: Tensor, axes: Mapping[str, str], about: Mapping[str, str],
    checked: Sequence[Tensor],
) -> float:  # fmt: skip
    """Export a network that reads one waveform as an ONNX file, and compare the file to the network.

    Args:
        network: Network from a waveform (B, T) to one output, or a tuple of outputs, each (B, N).
        output: File to write. It is replaced only once the new file is complete and checked.
        example: Waveforms (B, T) to trace the network with.
        axes: Names of the outputs and of their second axis.
        about: Metadata of the file.
        checked: Waveforms (B, T) on which the file is compared to the network.

    Returns:
        Largest difference between torch and ONNX Runtime.

    Raises:
        ExportError: If the difference is larger than :data:`TOLERANCE`.
    """
    network.eval()
    with whole_file(output) as path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # this exporter is deprecated, but the lab's model files come from it too
            torch.onnx.export(
                network, (example,), path, dynamo=False, opset_version=OPSET,
                do_constant_folding=False,  # ONNX Runtime folds constants, and the file stays small
                input_names=["waveform"], output_names=list(axes),
                dynamic_axes={"waveform": {0: "B", 1: "T"}, **{name: {0: "B", 1: axis} for name, axis in axes.items()}},
            )  # fmt: skip
        graph = onnx.load(path)
        onnx.helper.set_model_props(graph, dict(about))
        onnx.checker.check_model(graph)
        onnx.save(graph, path)
        difference = float(np.max([_difference(network, path, waveform) for waveform in checked]))
        if not difference <= TOLERANCE:  # not >, which is false for NaN
            raise ExportError(f"ONNX Runtime and torch differ by {difference:.1e}, more than {TOLERANCE}.")
    return difference


def _difference(network: nn.Module, path: Path, waveform: Tensor) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        answer = network(waveform)
    expected = [part.numpy() for part in (answer if isinstance(answer, tuple) else (answer,))]
    found = session.run(None, {"waveform": waveform.numpy()})
    pairs = zip(found, expected, strict=True)
    return float(np.max([np.max(np.abs(a - b) / np.maximum(np.abs(b), 1)) for a, b in pairs]))
