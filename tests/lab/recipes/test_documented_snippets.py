"""Every YAML snippet of the documentation is a recipe, or a part of one, that can be resolved."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from serkit.lab.recipes.schema import parse_recipe
from serkit.lab.training.resolve import resolve_recipe

ROOT = Path(__file__).parents[3]
SNIPPETS = [
    pytest.param(text, id=f"{path.name}-{number}")
    for path in [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
    for number, text in enumerate(re.findall(r"^```yaml\n(.*?)^```$", path.read_text("utf-8"), re.M | re.S))
]
BASE = {"name": "snippet", "corpora": ["emodb"], "labels": "emodb"}


def whole(snippet: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe from a part of one; what it tunes is a setting of ``svm`` unless it names a model."""
    return BASE | ({"model": "svm"} if "tune" in snippet else {}) | snippet


@pytest.mark.parametrize("text", SNIPPETS)
def test_a_snippet_is_a_recipe(text: str) -> None:
    snippet = yaml.safe_load(text)
    resolved = resolve_recipe(parse_recipe(whole(snippet)))
    assert resolved.recipe.model.settings


@pytest.mark.parametrize("expected", ["sgd", "cosine", "focal", "tensorboard", "tune", "band_mask_size"])
def test_what_users_expect_stands_in_a_snippet(expected: str) -> None:
    assert any(re.search(rf"\b{expected}\b", str(snippet.values[0])) for snippet in SNIPPETS)
