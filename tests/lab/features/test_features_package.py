"""The rules that keep front ends independent of each other."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from serkit.lab import features, signal

FRONT_ENDS = sorted(
    file for file in Path(str(features.__file__)).parent.glob("*.py") if file.stem not in ("__init__", "front")
)
SIGNAL = sorted(Path(str(signal.__file__)).parent.glob("*.py"))


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("file", FRONT_ENDS, ids=lambda file: file.stem)
def test_a_front_end_imports_no_other_front_end(file: Path) -> None:
    of_features = {name for name in imported(file) if name.startswith("serkit.lab.features")}
    assert of_features == {"serkit.lab.features.front"}


@pytest.mark.parametrize("file", FRONT_ENDS, ids=lambda file: file.stem)
def test_a_front_end_is_built_from_signal_and_encoders(file: Path) -> None:
    rooms = {".".join(name.split(".")[:3]) for name in imported(file) if name.startswith("serkit.lab")}
    assert rooms <= {"serkit.lab.features", "serkit.lab.signal", "serkit.lab.encoders", "serkit.lab.recipes"}


@pytest.mark.parametrize("file", SIGNAL, ids=lambda file: file.stem)
def test_signal_imports_only_signal_and_recipes(file: Path) -> None:
    rooms = {".".join(name.split(".")[:3]) for name in imported(file) if name.startswith("serkit.lab")}
    assert rooms <= {"serkit.lab.signal", "serkit.lab.recipes"}
