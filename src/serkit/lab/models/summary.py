"""Summaries of models: tables of a network's layers, as Keras's ``model.summary()`` prints them, and one-line facts."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from serkit.errors import RecipeError
from serkit.lab.features import Layout, build_front
from serkit.lab.models import Body, build_body, get_class
from serkit.lab.recipes.registry import find_model, model_names

LICENSE = "Apache-2.0"  # license of the code
_PROBES = ((2, 32), (3, 64))  # batch size and frames of two dummy inputs; dimensions that differ depend on them


@dataclass(frozen=True)
class NetworkLayer:
    """One row of a table.

    Attributes:
        name: Path of the layer in the network.
        type: Name of the layer's class.
        shape: Shape of the layer's output, with None for batch and time; None for a layer that never ran.
        weights: Number of the layer's own weights.
    """

    name: str
    type: str
    shape: tuple[int | None, ...] | None
    weights: int


@dataclass(frozen=True)
class NetworkPart:
    """One table.

    Attributes:
        name: Name of the part of the network.
        layers: Layers in order.
        trainable: Number of weights that some stage of training changes.
        frozen: Number of weights that no stage changes.
        note: Text below the table.
    """

    name: str
    layers: tuple[NetworkLayer, ...]
    trainable: int
    frozen: int
    note: str = ""

    @property
    def weights(self) -> int:
        """Number of all weights; statistics of the training utterances, such as means, do not count."""
        return self.trainable + self.frozen


def summarize(body: Body, layout: Layout) -> list[NetworkPart]:
    """List a network's layers with their output shapes and numbers of weights.

    The shapes are those of a dummy batch in each stage of training. It runs through a copy that holds no weights in
    memory, so the network itself is not changed and a large network takes no longer.

    Args:
        body: Network. It may name its parts in a method ``parts() -> Mapping[str, Sequence[nn.Module]]``, and add notes
            to them in ``notes() -> Mapping[str, str]``. Without ``parts``, it is one part.
        layout: Layout of the features that the network reads.

    Returns:
        The parts in order. A weight that two parts share counts in the first.
    """
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    weightless = {id(tensor): mode.from_tensor(tensor) for tensor in (*body.parameters(), *body.buffers())}
    skeleton = copy.deepcopy(body, weightless)
    with mode:
        return _summarize(skeleton, layout, body.label)


def summarize_model(name: str, settings: dict[str, Any] | None = None, *, classes: int) -> list[NetworkPart]:
    """Summarize a model over its default features, without memory for its weights; see :func:`summarize`.

    Args:
        name: Name of the model in the registry.
        settings: Settings that differ from the defaults.
        classes: Number of classes C.

    Raises:
        UnknownNameError: If no model has this name.
        RecipeError: If the model is no network, a setting is unknown or has an invalid value, or the settings need
            other features.
    """
    if not find_model(name).is_network:
        raise RecipeError(
            f"{name} is not a network: it has no layers, and its size depends on the data that it is fitted on."
        )
    layout = build_front(find_model(name).features).layout
    with FakeTensorMode():
        return _summarize(build_body(name, settings or {}, layout=layout, classes=classes), layout, name)


def render(parts: Sequence[NetworkPart]) -> str:
    """Render the tables as text, one below the other."""
    return "\n\n".join("\n".join(_lines(part)) for part in parts)


def as_json(parts: Sequence[NetworkPart]) -> dict[str, Any]:
    """Return the tables as a JSON-compatible mapping."""
    return {
        "parts": [asdict(part) | {"weights": part.weights} for part in parts],
        "weights": sum(part.weights for part in parts),
    }


def about(name: str, *, classes: int) -> dict[str, Any]:
    """Describe a model with its default settings.

    Args:
        name: Name of the model in the registry.
        classes: Number of classes, which the number of weights depends on.

    Returns:
        A mapping with ``model``; ``weights``, None where the number depends on the training data or on a checkpoint;
        ``features``; ``source``, as in :class:`serkit.lab.recipes.registry.ModelEntry`; ``about``, the first line of
        the class's docstring; ``license`` of the code; and ``pretrained``, None because no weights come with a model.

    Raises:
        UnknownNameError: If no model has this name.
    """
    entry, weights = find_model(name), None
    if entry.is_network and name in model_names(from_scratch=True):
        layout = build_front(entry.features).layout
        with FakeTensorMode():
            body = build_body(name, {}, layout=layout, classes=classes)
        weights = sum(weight.numel() for weight in body.parameters())
    return {
        "model": name,
        "weights": weights,
        "features": [str(feature["name"]) for feature in entry.features],
        "source": entry.source,
        "about": (get_class(name).__doc__ or "").strip().splitlines()[0],
        "license": LICENSE,
        "pretrained": None,
    }


def _summarize(skeleton: Body, layout: Layout, name: str) -> list[NetworkPart]:
    names = {module: name for name, module in skeleton.named_modules()}
    shapes, trained = _probe(skeleton, layout)
    parts: Mapping[str, Sequence[nn.Module]] = getattr(skeleton, "parts", lambda: {name: (skeleton,)})()
    notes: Mapping[str, str] = getattr(skeleton, "notes", dict)()
    found, counted = list[NetworkPart](), set[nn.Parameter]()
    for part, modules in parts.items():
        layers, sizes = list[NetworkLayer](), {True: 0, False: 0}
        for layer in _layers(modules):
            own = [weight for weight in layer.parameters(recurse=False) if weight not in counted]
            counted.update(own)
            for weight in own:
                sizes[weight in trained] += weight.numel()
            kind, size = type(layer).__name__, sum(weight.numel() for weight in own)
            layers.append(NetworkLayer(names[layer] or kind, kind, shapes.get(layer), size))
        found.append(NetworkPart(part, tuple(layers), sizes[True], sizes[False], notes.get(part, "")))
    return found


def _probe(skeleton: Body, layout: Layout) -> tuple[dict[nn.Module, tuple[int | None, ...]], set[nn.Parameter]]:
    """Run each stage of training; return the output shape of each layer that ran, and all weights that are trained."""
    shapes: dict[nn.Module, tuple[int | None, ...]] = {}
    trained: set[nn.Parameter] = set()
    if not any(True for _ in skeleton.parameters()):  # no network
        return shapes, trained
    skeleton.eval()
    for stage in range(skeleton.stages):
        skeleton.start_stage(stage)
        trained.update(weight for weight in skeleton.parameters() if weight.requires_grad)
        one, other = (_run(skeleton, layout, batch, frames) for batch, frames in _PROBES)
        for layer, shape in one.items():
            same = tuple(a if a == b else None for a, b in zip(shape, other[layer], strict=True))
            shapes.setdefault(layer, same)
    return shapes, trained


def _run(skeleton: Body, layout: Layout, batch: int, frames: int) -> dict[nn.Module, tuple[int, ...]]:
    """Return the shape of each layer's first output for a dummy batch."""
    seen: dict[nn.Module, tuple[int, ...]] = {}

    def note(layer: nn.Module, given: Any, output: Any) -> None:
        tensor = output if isinstance(output, Tensor) else output[0]
        seen.setdefault(layer, tuple(tensor.shape))

    hooks = [layer.register_forward_hook(note) for layer in _layers((skeleton,))]
    columns = layout.columns or frames
    with torch.no_grad():
        skeleton(torch.zeros(batch, layout.size, columns), torch.full((batch,), columns))
    for hook in hooks:
        hook.remove()
    return seen


def _layers(modules: Sequence[nn.Module]) -> Iterator[nn.Module]:
    """Yield the modules that have no submodules or have weights of their own."""
    for module in modules:
        for inner in module.modules():
            if not any(True for _ in inner.children()) or any(True for _ in inner.parameters(recurse=False)):
                yield inner


def _lines(part: NetworkPart) -> Iterator[str]:
    rows = [("Layer (type)", "Output Shape", "Param #")]
    rows += [(f"{layer.name} ({layer.type})", _shape(layer), f"{layer.weights:,}") for layer in part.layers]
    wide, shaped, counted = (max(len(row[i]) for row in rows) for i in range(3))
    rule = "=" * (wide + shaped + counted + 4)
    yield f"{part.name}:"
    for i, (name, shape, weights) in enumerate(rows):
        yield f"{name:{wide}}  {shape:{shaped}}  {weights:>{counted}}"
        if i == 0:
            yield rule
    yield rule
    yield f"Total params: {part.weights:,}"
    yield f"Trainable params: {part.trainable:,}"
    yield f"Non-trainable params: {part.frozen:,}"
    if part.note:
        yield part.note


def _shape(layer: NetworkLayer) -> str:
    return "-" if layer.shape is None else str(layer.shape)
