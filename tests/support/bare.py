"""Python processes in which optional packages cannot be imported, as in an installation without extras."""

import os
import subprocess
import sys
from collections.abc import Iterable

LAB = (
    "torch",
    "accelerate",
    "safetensors",
    "onnx",
    "onnxscript",
    "yaml",
)  # pydantic is left out, since typer may bring it
NOT_INSTALLED = (
    *LAB,
    "pandas",
    "librosa",
    "scipy",
    "sklearn",
    "transformers",
    "matplotlib",
)  # missing where only serkit's base is installed

_BLOCKER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def python(
    code: str, *arguments: object, without: Iterable[str] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a new process in which the packages of ``without`` cannot be imported."""
    command = [sys.executable, "-c", _BLOCKER.format(names=tuple(without)) + code, *map(str, arguments)]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=os.environ | environment
    )
