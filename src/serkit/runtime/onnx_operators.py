"""Looks through the operators of an ONNX file before ONNX Runtime opens it, without the onnx package.

An ONNX file is a protobuf message. Only the fields that can do harm are read: references to other files, sparse
tensors, which a few bytes make as large as one likes, and loops, which may never end.

Source: onnx.proto of ONNX 1.17, and the protobuf encoding, https://protobuf.dev/programming-guides/encoding.
"""

from collections.abc import Iterator

# Field numbers of onnx.proto.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_FUNCTION_NODE = 7
_NODE_TYPE, _NODE_ATTRIBUTE = 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_ATTRIBUTE_SPARSE = (22, 23)
_TENSOR_EXTERNAL = (13, 14)  # external_data, and data_location, which the default leaves out
_LOOPS = (b"Loop", b"Scan")
_DEEPEST = 16  # graphs within graphs


class HarmfulFileError(ValueError):
    """A file with a part that serkit never writes and that could do harm; the message names the part."""


def has_loops(content: bytes) -> bool:
    """Return whether a model has operators that repeat a part of the graph.

    Args:
        content: ONNX file.

    Raises:
        HarmfulFileError: If the file refers to other files, or has sparse tensors or too many graphs within graphs.
        ValueError: If the content is not a protobuf message.
    """
    found = False
    for number, value in _fields(memoryview(content)):
        if number == _MODEL_GRAPH:
            found |= _graph_has_loops(value, _GRAPH_NODE, 0)
        elif number == _MODEL_FUNCTIONS:
            found |= _graph_has_loops(value, _FUNCTION_NODE, 0)
    return found


def _graph_has_loops(graph: memoryview, node_field: int, depth: int) -> bool:
    if depth > _DEEPEST:
        raise HarmfulFileError("it has too many graphs within graphs")
    found = False
    for number, value in _fields(graph):
        if number == node_field:
            found |= _node_has_loops(value, depth)
        elif node_field == _GRAPH_NODE and number == _GRAPH_INITIALIZER:
            _check_tensor(value)
        elif node_field == _GRAPH_NODE and number == _GRAPH_SPARSE:
            raise HarmfulFileError("it has sparse tensors")
    return found


def _node_has_loops(node: memoryview, depth: int) -> bool:
    found = False
    for number, value in _fields(node):
        if number == _NODE_TYPE:
            found |= bytes(value) in _LOOPS
        elif number == _NODE_ATTRIBUTE:
            for inner, part in _fields(value):
                if inner in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                    _check_tensor(part)
                elif inner in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                    found |= _graph_has_loops(part, _GRAPH_NODE, depth + 1)
                elif inner in _ATTRIBUTE_SPARSE:
                    raise HarmfulFileError("it has sparse tensors")
    return found


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number in _TENSOR_EXTERNAL and bytes(value) != b"\0":
            raise HarmfulFileError("it refers to other files")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and the bytes of each field of a message; a number's bytes are its lowest seven bits."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        kind = key & 7
        if kind == 0:
            value, end = _varint(message, place)
            yield key >> 3, memoryview(bytes([value & 127]))
        else:
            size, place = _varint(message, place) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), place)
            end = place + size
            if size < 0 or end > len(message):
                raise ValueError("not a protobuf message")
            yield key >> 3, message[place:end]
        place = end


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("not a protobuf message")
