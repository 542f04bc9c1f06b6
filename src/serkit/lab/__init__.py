"""The lab: run experiments from Python, and make model files of their results.

    >>> from serkit.lab import evaluate, load_recipe
    >>> recipe = load_recipe("emodb-loso-crnn", ["train.epochs=5"])
    >>> recipe.train.epochs
    5
    >>> run = evaluate(recipe, data="corpora", out="runs/emodb")  # doctest: +SKIP
    >>> run.uar, run.interval, run.report()  # doctest: +SKIP

================ =============================================================
evaluate         run a recipe through its protocol, and return the ``Run``
train            fit a recipe's final model, and return the ``Run``
export           write the model of a run as one ONNX file
load_recipe      read a recipe by its name, or from a YAML file
Run              a run folder: its scores, its predictions, its report
================ =============================================================

Importing it is cheap: each public name is loaded when it is first used, and torch when a function needs it. While a
function works, it logs messages under ``serkit`` at level INFO and calls ``on_progress``, if you pass one, with a
:class:`serkit.progress.Progress` for each step.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serkit.lab.experiments import Run, evaluate, export, train
    from serkit.lab.recipes.files import load_recipe

__all__ = ["Run", "evaluate", "export", "load_recipe", "train"]

# No package here may have the name of a function: importing it would replace the function. Hence training, exporting.
_HOMES = {
    "Run": "serkit.lab.experiments",
    "evaluate": "serkit.lab.experiments",
    "export": "serkit.lab.experiments",
    "load_recipe": "serkit.lab.recipes.files",
    "train": "serkit.lab.experiments",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'serkit.lab' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
