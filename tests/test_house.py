"""The house rules: names that differ, and files of a size that can be read at once."""

import ast
from collections import defaultdict
from collections.abc import Iterable
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

import serkit

SOURCE = Path(serkit.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST = 450  # lines
MEANINGLESS = {"utils", "util", "helpers", "helper", "core", "common", "misc"}


def repeated(named: Iterable[tuple[str, Path]]) -> dict[str, list[str]]:
    """Return the names that occur in more than one place, with their places."""
    places = defaultdict(list)
    for name, file in named:
        places[name].append(str(file.relative_to(SOURCE)))
    return {name: where for name, where in places.items() if len(where) > 1}


def test_no_two_modules_have_one_name() -> None:
    """Files of ``cli/`` are left out, since they are named after commands; so are the files that packages need."""
    modules = [file for file in FILES if file.parent.name != "cli" and not file.stem.startswith("__")]
    assert repeated((file.stem, file) for file in modules) == {}


def test_no_two_classes_have_one_name() -> None:
    classes = [
        (node.name, file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    assert len(classes) > 100
    assert repeated(classes) == {}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))
def test_a_file_is_short_enough_to_be_read_at_once(file: Path) -> None:
    assert len(file.read_text("utf-8").splitlines()) <= LONGEST


def test_a_file_says_in_its_name_what_it_holds() -> None:
    assert [str(file.relative_to(SOURCE)) for file in FILES if file.stem in MEANINGLESS] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and under ``TYPE_CHECKING`` count too."""
    graph = grimp.build_graph("serkit", cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert len(imported) > 100
    TopologicalSorter(imported).prepare()  # a CycleError names the modules
