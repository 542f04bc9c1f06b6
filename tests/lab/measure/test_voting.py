"""The rules of an ensemble, in NumPy and as a graph."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from onnx import TensorProto, helper

from serkit.errors import RecipeError
from serkit.lab.graphs.model_assembly import vote
from serkit.lab.graphs.onnx_graph import build
from serkit.lab.measure.voting import TOWARDS_MEAN, Rule, combine

RULES: tuple[Rule, ...] = ("majority", "mean", "weighted")


def normalized(scores: NDArray[Any]) -> NDArray[np.float32]:
    return (scores / scores.sum(-1, keepdims=True)).astype(np.float32)


@st.composite
def members(draw: st.DrawFn) -> tuple[NDArray[np.float32], list[float]]:
    """Probabilities (M, n, C) of members, and their weights."""
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 3)), draw(st.integers(2, 5)))
    scores = draw(arrays(np.float64, shape, elements=st.integers(0, 20).map(float))) + 0.01
    weights = draw(st.lists(st.floats(0.01, 1), min_size=shape[0], max_size=shape[0]))
    return normalized(scores), weights


def member(probabilities: NDArray[np.float32]) -> Any:
    """A model file that answers an utterance with the row that its length names."""
    classes = probabilities.shape[1]
    model = build(
        [("Gather axis=0", "rows lengths", "probabilities"), ("ReduceMax keepdims=1", "waveform one", "embedding")],
        {}, {"probabilities": classes, "embedding": 1}, {"rows": probabilities, "one": np.array([1])},
    )  # fmt: skip
    model.graph.input.extend([
        helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["B", "T"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT64, ["B"]),
    ])  # fmt: skip
    return model


@given(members())
@pytest.mark.parametrize("rule", RULES)
def test_what_members_say_together_sums_to_one(rule: Rule, said: Any) -> None:
    probabilities, weights = said
    together = combine(probabilities, rule, weights)
    assert together.shape == probabilities.shape[1:]
    assert (together >= 0).all()
    np.testing.assert_allclose(together.sum(-1), 1, atol=1e-6)


@given(members(), st.randoms(use_true_random=False))
@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_members_changes_nothing(rule: Rule, said: Any, random: Any) -> None:
    probabilities, weights = said
    order = random.sample(range(len(weights)), len(weights))
    shuffled = combine(probabilities[order], rule, [weights[i] for i in order])
    np.testing.assert_allclose(shuffled, combine(probabilities, rule, weights), atol=1e-12)


@given(members())
def test_a_majority_wins_and_the_mean_decides_between_equals(said: Any) -> None:
    probabilities, _ = said
    together, mean = combine(probabilities, "majority"), probabilities.astype(np.float64).mean(0)
    for i, row in enumerate(together):
        counts = np.bincount(probabilities[:, i].argmax(-1), minlength=len(row))
        ahead = np.flatnonzero(counts == counts.max())
        assert row.argmax() in ahead
        assert mean[i, row.argmax()] >= mean[i, ahead].max() - 1e-9
        np.testing.assert_allclose(row, counts / counts.sum(), atol=TOWARDS_MEAN)


@given(members())
def test_equal_weights_are_the_mean_and_one_weight_alone_is_that_member(said: Any) -> None:
    probabilities, weights = said
    np.testing.assert_allclose(
        combine(probabilities, "weighted", [3.0] * len(weights)), combine(probabilities, "mean"), atol=1e-12
    )
    alone = [1.0, *[0.0] * (len(weights) - 1)]
    np.testing.assert_array_equal(combine(probabilities, "weighted", alone), probabilities[0].astype(np.float64))


@settings(max_examples=10)
@given(members())
@pytest.mark.parametrize("rule", RULES)
def test_the_graph_gives_the_same_numbers_as_numpy(rule: Rule, said: Any) -> None:
    probabilities, weights = said
    graph = vote([member(rows) for rows in probabilities], rule, weights)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    n = probabilities.shape[1]
    feeds = {"waveform": np.zeros((n, 3), np.float32), "lengths": np.arange(n)}
    found, embedding = session.run(["probabilities", "embedding"], feeds)
    np.testing.assert_allclose(found, combine(probabilities, rule, weights), atol=1e-6)
    assert embedding.shape == (n, len(probabilities))


@pytest.mark.parametrize("weights", [[], [1.0], [1.0, -1.0], [0.0, 0.0], [1.0, float("nan")]])
def test_weights_that_are_none_are_refused(weights: list[float]) -> None:
    probabilities = np.full((2, 1, 4), 0.25, np.float32)
    with pytest.raises(RecipeError, match="do not fit 2 members: expected one per member, none negative"):
        combine(probabilities, "weighted", weights)
    with pytest.raises(RecipeError, match="do not fit 2 members"):
        vote([member(rows) for rows in probabilities], "weighted", weights)
