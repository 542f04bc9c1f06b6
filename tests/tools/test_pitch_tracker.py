"""The pitch tracker's file; test_f0.py compares the one in the package to the lab's tracker."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import serkit
from asset_file import write_asset
from pitch_tracker import export_tracker
from serkit.errors import ExportError

ASSET = Path(serkit.__file__).parent / "assets" / "pitch.onnx"


def test_the_file_says_what_a_caller_must_know_as_the_one_in_the_package_does(tmp_path: Path) -> None:
    file = tmp_path / "pitch.onnx"
    assert export_tracker(file) < 1e-4
    made, kept = ({entry.key: entry.value for entry in onnx.load(path).metadata_props} for path in (file, ASSET))
    assert made == kept
    assert (made["sampling_rate"], made["hop"], made["license"]) == ("16000", "160", "Apache-2.0")


class Unlike(nn.Module):
    """A network whose file differs from itself, because tracing keeps only one branch."""

    def forward(self, waveform: Tensor) -> Tensor:
        return waveform + (1.0 if torch.onnx.is_in_onnx_export() else np.nan)


def test_a_file_that_differs_from_its_network_is_not_written(tmp_path: Path) -> None:
    example = torch.zeros(1, 100)
    with pytest.raises(ExportError, match=r"^ONNX Runtime and torch differ by nan, more than 0.0001\.$"):
        write_asset(Unlike(), tmp_path / "a.onnx", example=example, axes={"x": "N"}, about={}, checked=[example])
    assert list(tmp_path.iterdir()) == []
