"""Parses JSON and YAML that others wrote: whatever is wrong with a text is a ``ValueError`` of one sentence.

The parsers of Python and PyYAML leave some faults to crash later: nesting deeper than Python's stack, numbers with
thousands of digits, a YAML file of a kilobyte whose aliases stand for a terabyte, and a key that is given twice, of
which the last one silently wins.
"""

import json
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

MOST_LEVELS = 100  # nesting of lists and mappings; a recipe has five
_MOST_BITS = 64  # of a whole number
_MOST_SHOWN = 20  # digits of a number in a message
_MOST_EXPANDED = 100_000  # values that the aliases of a YAML file may stand for, and ten for each that is written


def parse_json(text: str | bytes) -> Any:
    """Parse a JSON document.

    Args:
        text: The document, in UTF-8 if bytes.

    Raises:
        ValueError: If it is not JSON, not text, nested more than 100 levels deep, or holds a whole number of more
            than 64 bits.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig")
    try:
        content = _DECODER.decode(text)
    except RecursionError:
        raise ValueError(_too_deep()) from None
    if text.count("[") + text.count("{") > MOST_LEVELS:
        _check_levels(content)
    return content


def parse_yaml(text: str | bytes) -> Any:
    """Parse a YAML document of plain values.

    Args:
        text: The document, in UTF-8 if bytes.

    Raises:
        ValueError: If it is not YAML, not text, has a key twice in one mapping, is nested more than 100 levels deep,
            refers to itself, has aliases that stand for too many values, or holds an impossible number or date.
    """
    import yaml

    if isinstance(text, bytes):
        text = _decoded(text)
    try:
        loader = _loader_class()(text)
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
        raise ValueError(_too_deep()) from None
    except (OverflowError, AttributeError, KeyError, TypeError) as error:  # what PyYAML raises for odd scalars
        raise ValueError(f"a value cannot be read ({error})") from error


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "UTF-16; save it as UTF-8" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "not text in UTF-8"
        raise ValueError(f"it is {kind}") from error


def _loader_class() -> "type[yaml.SafeLoader]":
    import yaml

    class PlainLoader(yaml.SafeLoader):
        """Loads plain values, and refuses whole numbers of more than 64 bits."""

    def whole(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
        if len(node.value) > 4 * _MOST_BITS:  # also in base 2; Python refuses to read thousands of decimal digits
            raise ValueError(_too_large(node.value))
        number: int = loader.construct_yaml_int(node)
        return _checked(number, node.value)

    PlainLoader.add_constructor("tag:yaml.org,2002:int", whole)
    return PlainLoader


def _check_nodes(root: "yaml.Node") -> None:
    """Check the keys, the depth and the aliases of a YAML document before any of its values is made."""
    sizes: dict[int, int] = {}  # of a node with all that its aliases stand for
    under_way: set[int] = set()

    def size_of(node: "yaml.Node", level: int) -> int:
        if id(node) in sizes:
            return sizes[id(node)]
        if id(node) in under_way:
            raise ValueError(f"line {node.start_mark.line + 1} refers to itself")
        if level > MOST_LEVELS:
            raise ValueError(_too_deep())
        under_way.add(id(node))
        sizes[id(node)] = 1 + sum(size_of(child, level + 1) for child in _children(node))
        under_way.remove(id(node))
        return sizes[id(node)]

    expanded = size_of(root, 1)
    if expanded > max(_MOST_EXPANDED, 10 * len(sizes)):
        raise ValueError(f"its aliases stand for {min(expanded, 10**15)} values or more, which is too many")


def _children(node: "yaml.Node") -> Iterator["yaml.Node"]:
    import yaml

    if isinstance(node, yaml.MappingNode):
        _check_keys(node)
        yield from chain.from_iterable(node.value)
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _check_keys(mapping: "yaml.MappingNode") -> None:
    lines: dict[tuple[str, str], int] = {}
    for key, _ in mapping.value:
        if not isinstance(key.value, str) or key.tag.endswith(":merge"):
            continue
        line, name = key.start_mark.line + 1, (key.tag, key.value)
        if name in lines:
            raise ValueError(f"the key {key.value!r} is given twice, in lines {lines[name]} and {line}; remove one")
        lines[name] = line


def _check_levels(content: object) -> None:
    """Check the depth of a parsed document without recursion."""
    level: list[object] = [content]
    for _ in range(MOST_LEVELS + 1):
        level = [
            child
            for one in level
            if isinstance(one, dict | list)
            for child in (one.values() if isinstance(one, dict) else one)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError(_too_deep())


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_BITS:
        raise ValueError(_too_large(digits))
    return _checked(int(digits), digits)


def _checked(number: int, written: str) -> int:
    if number.bit_length() > _MOST_BITS:
        raise ValueError(_too_large(written))
    return number


def _too_large(written: str) -> str:
    shown = written if len(written) <= _MOST_SHOWN else f"{written[:_MOST_SHOWN]}..."
    return f"the number {shown} is too large"


def _too_deep() -> str:
    return f"it is nested more than {MOST_LEVELS} levels deep"


_DECODER = json.JSONDecoder(parse_int=_whole_number)  # json.loads would build one for each document
