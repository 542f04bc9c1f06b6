"""Model files assembled from several graphs: a front end and a scikit-learn head, or the members of an ensemble.

Inputs and outputs have the names and shapes that :class:`serkit.runtime.recognizer.Recognizer` expects.
"""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from serkit.errors import ExportError
from serkit.lab.graphs.onnx_graph import (
    Proto,
    all_nodes,
    build,
    check,
    connect,
    copy_of,
    prune,
    width_of,
    with_opset,
    without_repetition,
)
from serkit.lab.measure.voting import FLOOR, TOWARDS_MEAN, Rule, normalize


def build_head(
    classifier: Proto,
    mean: NDArray[np.float32],
    deviation: NDArray[np.float32],
    *,
    present: Sequence[int],
    classes: int,
    temperature: float,
    gives_scores: bool,
) -> Proto:
    """Extend the graph of a scikit-learn classifier by the scaling before it and the calibration after it.

    Args:
        classifier: Graph from standardized ``rows`` (n, F) to ``probabilities`` (n, K), which hold scores with
            ``gives_scores``.
        mean: Mean of each feature, shape (F,).
        deviation: Deviation of each feature, shape (F,).
        present: Indices of the K classes that the classifier knows; the other classes get a probability of 0.
        classes: Number of classes C.
        temperature: Divisor of the scores, or of the log-probabilities, before the softmax.
        gives_scores: Whether the classifier gives scores in place of probabilities.

    Returns:
        A graph from ``features`` (n, F) to ``probabilities`` (n, C) and ``embedding`` (n, F), the standardized
        features.
    """
    size, known = len(mean), len(present)
    scale = build(
        [("Sub", "features mean", "centered"), ("Div", "centered deviation", "rows")],
        {"features": size}, {"rows": size}, {"mean": mean, "deviation": deviation},
    )  # fmt: skip
    places = np.zeros((known, classes), np.float32)
    places[np.arange(known), list(present)] = 1
    spread = build(
        [("MatMul", "known places", "probabilities")], {"known": known}, {"probabilities": classes}, {"places": places}
    )
    return connect(
        {
            "scale": scale,
            "classifier": with_opset(classifier),
            "calibrate": _calibration(known, temperature, gives_scores=gives_scores),
            "spread": spread,
        },
        wires={
            "classifier/rows": "scale/rows",
            "calibrate/given": "classifier/probabilities",
            "spread/known": "calibrate/probabilities",
        },
        outputs={"probabilities": ("spread/probabilities", classes), "embedding": ("scale/rows", size)},
    )


def behind_embedding(head: Proto) -> Proto:
    """Return the part of a head from ``embedding`` (n, F) to ``probabilities`` (n, C)."""
    part = copy_of(head)
    del part.graph.input[:]
    outputs = {output.name: output for output in part.graph.output}
    part.graph.input.append(outputs["embedding"])
    del part.graph.output[:]
    part.graph.output.append(outputs["probabilities"])
    kept = [node for node in part.graph.node if "embedding" not in node.output]
    del part.graph.node[:]
    part.graph.node.extend(kept)
    return check(prune(part))


def join(front: Proto, head: Proto, temperature: float) -> Proto:
    """Merge a front end and a head that was fitted on its features into one model file.

    Args:
        front: Graph from ``waveform`` (B, T), ``lengths`` (B,) and perhaps ``sex`` (B,) to ``vector`` (B, F).
        head: Graph from ``features`` (B, F) to ``probabilities`` (B, C) and ``embedding`` (B, D).
        temperature: Divisor of the log-probabilities before the softmax.

    Returns:
        A graph from the front end's inputs to calibrated ``probabilities`` (B, C) and ``embedding`` (B, D).

    Raises:
        ExportError: If the two graphs do not fit together.
    """
    sizes = {output.name: width_of(output) for output in head.graph.output}
    return connect(
        {"front": front, "head": head, "calibrate": _calibration(sizes["probabilities"], temperature)},
        wires={"head/features": "front/vector", "calibrate/given": "head/probabilities"},
        outputs={
            "probabilities": ("calibrate/probabilities", sizes["probabilities"]),
            "embedding": ("head/embedding", sizes["embedding"]),
        },
    )


def vote(members: Sequence[Proto], rule: Rule, weights: Sequence[float], *, temperature: float = 1.0) -> Proto:
    """Merge the model files of an ensemble's members into one.

    Parts that members share, such as the same front end, are stored only once.

    Args:
        members: Graphs from ``waveform``, ``lengths`` and perhaps ``sex`` to ``probabilities`` (B, C) and
            ``embedding`` (B, D).
        rule: Combination rule of :func:`serkit.lab.measure.voting.combine`, which gives the same probabilities.
        weights: Weights of the members, for the rule ``weighted``.
        temperature: Divisor of the log-probabilities before a last softmax; 1 leaves the probabilities unchanged.

    Returns:
        A graph from the same inputs to ``probabilities`` (B, C) and ``embedding``, the members' embeddings
        concatenated.

    Raises:
        ExportError: If there are no members, or they differ in the number of classes or the opset.
        RecipeError: If the weights do not fit the rule ``weighted``.
    """
    sizes = [{output.name: width_of(output) for output in member.graph.output} for member in members]
    classes = {size["probabilities"] for size in sizes}
    if len(classes) != 1:
        raise ExportError(
            f"an ensemble needs members with the same classes, but its members have {sorted(classes) or 'no'} classes."
        )
    names = [f"member{i}" for i in range(len(members))]
    widths = [size["embedding"] for size in sizes]
    count = classes.pop()
    parts = {**dict(zip(names, members, strict=True)), "vote": _ballot(rule, weights, count, widths)}
    answer = "vote"
    if temperature != 1:
        parts["tempered"], answer = _calibration(count, temperature), "tempered"
    merged = connect(
        parts,
        wires={f"vote/{kind}{i}": f"{name}/{output}" for i, name in enumerate(names)
               for kind, output in (("p", "probabilities"), ("e", "embedding"))}
        | ({} if answer == "vote" else {"tempered/given": "vote/probabilities"}),
        outputs={"probabilities": (f"{answer}/probabilities", count), "embedding": ("vote/embedding", sum(widths))},
    )  # fmt: skip
    return check(without_repetition(merged))


def count_weights(model: Proto) -> int:
    """Count the fitted numbers of a graph: floating-point initializers, and floats in attributes of operators."""
    held = sum(len(attribute.floats) for node in all_nodes(model.graph) for attribute in node.attribute)
    return held + sum(
        int(np.prod(tensor.dims)) for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT
    )


def _ballot(rule: Rule, weights: Sequence[float], classes: int, widths: Sequence[int]) -> Proto:
    """Return the graph from the members' outputs ``p0``, ``e0``, ``p1``, ... to those of the ensemble."""
    count = len(widths)
    shares = normalize(weights, count) if rule == "weighted" else np.full(count, 1 / count)
    steps = [("Unsqueeze", f"p{i} one", f"u{i}") for i in range(count)]
    steps.append(("Concat axis=1", " ".join(f"u{i}" for i in range(count)), "stacked"))  # (B, M, C)
    steps.append(("Concat axis=1", " ".join(f"e{i}" for i in range(count)), "embedding"))
    steps += [("Mul", "stacked shares", "weighted"), ("ReduceSum keepdims=0", "weighted one", "mean")]
    if rule == "majority":
        steps += [
            ("ArgMax axis=2 keepdims=0", "stacked", "winners"),
            ("OneHot axis=2", "winners classes off_on", "votes"),
            ("ReduceMean keepdims=0", "votes one", "share"),
            ("Mul", "share rest", "kept"),
            ("Mul", "mean part", "moved"),
            ("Add", "kept moved", "probabilities"),
        ]
    else:
        steps.append(("Identity", "mean", "probabilities"))
    inputs = {f"{kind}{i}": size for i, width in enumerate(widths) for kind, size in (("p", classes), ("e", width))}
    constants = {
        "one": np.array([1]), "shares": shares.astype(np.float32)[None, :, None], "classes": np.array(classes),
        "off_on": np.array([0, 1], np.float32), "rest": np.float32(1 - TOWARDS_MEAN), "part": np.float32(TOWARDS_MEAN),
    }  # fmt: skip
    return build(steps, inputs, {"probabilities": classes, "embedding": sum(widths)}, constants)


def _calibration(classes: int, temperature: float, *, gives_scores: bool = False) -> Proto:
    """Return the graph from ``given``, scores or probabilities, to probabilities at a temperature."""
    steps = [("Div", "logits temperature", "scaled"), ("Softmax axis=-1", "scaled", "probabilities")]
    if gives_scores:
        steps.insert(0, ("Identity", "given", "logits"))
    else:
        steps[:0] = [("Clip", "given floor one", "kept"), ("Log", "kept", "logits")]
    constants = {"temperature": np.float32(temperature), "floor": np.float32(FLOOR), "one": np.float32(1)}
    return build(steps, {"given": classes}, {"probabilities": classes}, constants)
