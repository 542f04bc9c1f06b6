"""Parses YAML that others wrote: whatever is wrong with a text is a ``ValueError`` of one sentence.

PyYAML leaves some faults to crash later: nesting deeper than Python's stack, numbers with thousands of digits, a file
of a kilobyte whose aliases stand for a terabyte, and a key that is given twice, of which the last one silently wins.
"""

from collections.abc import Iterator
from itertools import chain
from typing import Any

import yaml

from serkit.parsing import MOST_BITS, MOST_LEVELS, checked_number, too_deep, too_large

_MOST_EXPANDED = 100_000  # values that the aliases of a file may stand for, and ten for each that is written


def parse_yaml(text: str | bytes) -> Any:
    """Parse a YAML document of plain values.

    Args:
        text: The document, in UTF-8 if bytes.

    Raises:
        ValueError: If it is not YAML, not text, has a key twice in one mapping, is nested more than 100 levels deep,
            refers to itself, has aliases that stand for too many values, or holds an impossible number or date.
    """
    if isinstance(text, bytes):
        text = _decoded(text)
    try:
        loader = _PlainLoader(text)
        try:
            root = loader.get_single_node()
            if root is None:
                return None
            _check_nodes(root)
            return loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError:
        raise ValueError(too_deep()) from None
    except (OverflowError, AttributeError, KeyError, TypeError) as error:  # what PyYAML raises for odd scalars
        raise ValueError(f"a value cannot be read ({error})") from error


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16; save it as UTF-8" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "not text in UTF-8"
        raise ValueError(f"it is {kind}") from error


class _PlainLoader(yaml.SafeLoader):
    """Loads plain values, and refuses whole numbers of more than 64 bits."""

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        """Return a whole number."""
        if len(node.value) > 4 * MOST_BITS:  # also in base 2; Python refuses to read thousands of decimal digits
            raise ValueError(too_large(node.value))
        return checked_number(self.construct_yaml_int(node), node.value)


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_whole)


def _check_nodes(root: yaml.Node) -> None:
    """Check the keys, the depth and the aliases of a YAML document before any of its values is made."""
    sizes: dict[int, int] = {}  # of a node with all that its aliases stand for
    under_way: set[int] = set()

    def size_of(node: yaml.Node, level: int) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in under_way:
            raise ValueError(f"line {node.start_mark.line + 1} refers to itself")
        if level > MOST_LEVELS:
            raise ValueError(too_deep())
        under_way.add(id(node))
        sizes[id(node)] = 1 + sum(size_of(child, level + 1) for child in _children(node))
        under_way.remove(id(node))
        return sizes[id(node)]

    expanded = size_of(root, 1)
    if expanded > max(_MOST_EXPANDED, 10 * len(sizes)):
        raise ValueError(f"its aliases stand for {min(expanded, 10**15)} values or more, which is too many")


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        yield from chain.from_iterable(node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_keys(mapping: yaml.MappingNode) -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key.value, str) or key.tag.endswith(":merge"):
            continue
        line, name = key.start_mark.line + 1, (key.tag, key.value)
        if name in lines:
            raise ValueError(f"the key {key.value!r} is given twice, in lines {lines[name]} and {line}; remove one")
        lines[name] = line
