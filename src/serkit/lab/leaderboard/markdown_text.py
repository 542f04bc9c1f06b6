"""Texts of runs for Markdown: no name of a run, corpus or class is markup, HTML or a link there.

Names come from run folders and model cards, which others may have written. They are escaped here once, in the rows
themselves, since the pages add markup of their own to them.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from serkit.visible_text import in_markdown

_Content = TypeVar("_Content")


def escaped(content: _Content) -> _Content:
    """Return rows, runs or a whole board with every text in them escaped for Markdown.

    Args:
        content: Nested dataclasses, mappings and sequences; other values stay as they are.
    """
    found: Any = content
    if isinstance(content, str):
        found = in_markdown(content)
    elif isinstance(content, Mapping):
        found = {escaped(key): escaped(value) for key, value in content.items()}
    elif isinstance(content, list | tuple):
        found = type(content)(map(escaped, content))
    elif is_dataclass(content) and not isinstance(content, type):
        found = replace(content, **{f.name: escaped(getattr(content, f.name)) for f in fields(content) if f.init})
    return found  # type: ignore[no-any-return]
