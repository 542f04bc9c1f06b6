"""Model files that are put together from parts."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from scipy.special import log_softmax, softmax

from serkit.errors import ExportError
from serkit.lab.graphs.model_assembly import behind_embedding, build_head, count_weights, join, vote
from serkit.lab.graphs.onnx_graph import ML_DOMAIN, OPSET, build, connect
from serkit.lab.measure.voting import Rule, combine

SIZE, CLASSES = 3, 4
RNG = np.random.default_rng(0)
MEAN, DEVIATION = np.float32([1, -2, 0.5]), np.float32([2, 0.5, 1])
KERNEL = RNG.standard_normal((SIZE, CLASSES)).astype(np.float32)
Answers = tuple[NDArray[np.float32], ...]


def run(model: Any, feeds: Mapping[str, NDArray[Any]], *outputs: str) -> Answers:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = {value.name for value in session.get_inputs()}
    return tuple(session.run(list(outputs), {name: value for name, value in feeds.items() if name in names}))


def front(*, uses_sex: bool = False) -> Any:
    """From waveform (B, T) to three numbers, one of them perhaps the sex; a branch reads a weight from outside."""
    branch = [
        helper.make_graph([helper.make_node("Mul", ["total", factor], ["x"])], "b", [], [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, None)
        ]) for factor in ("half", "one")
    ]  # fmt: skip
    model = build(
        [
            ("ReduceSum keepdims=1", "waveform axis", "total"),
            ("ReduceMax keepdims=1", "waveform axis", "largest"),
            ("Cast to=1", "lengths", "counted"),
            ("Unsqueeze", "sex axis" if uses_sex else "counted axis", "third"),
            ("Concat axis=1", "halved largest third", "vector"),
        ],
        {}, {"vector": SIZE}, {"axis": np.array([1]), "half": np.float32(0.5), "one": np.float32(1)},
    )  # fmt: skip
    choice = helper.make_node(
        "If", ["always"], ["halved"], "", None, None, then_branch=branch[0], else_branch=branch[1]
    )
    model.graph.node.insert(2, choice)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "always"))
    model.graph.input.extend([
        helper.make_tensor_value_info("waveform", TensorProto.FLOAT, ["B", "T"]),
        helper.make_tensor_value_info("lengths", TensorProto.INT64, ["B"]),
        *([helper.make_tensor_value_info("sex", TensorProto.FLOAT, ["B"])] if uses_sex else []),
    ])  # fmt: skip
    return model


def classifier(kernel: NDArray[np.float32] = KERNEL, *, softmaxed: bool = True) -> Any:
    """What skl2onnx makes, as far as it matters here: a label beside the probabilities, and names that are common."""
    steps = [
        ("MatMul", "rows kernel", "scores"),
        ("Softmax axis=-1" if softmaxed else "Identity", "scores", "probabilities"),
        ("ArgMax axis=1", "probabilities", "label"),
    ]
    return build(steps, {"rows": SIZE}, {"probabilities": kernel.shape[1]}, {"kernel": kernel})


def head(**changes: Any) -> Any:
    given = {"present": range(CLASSES), "classes": CLASSES, "temperature": 1.0, "gives_scores": False} | changes
    kernel = KERNEL[:, list(given["present"])]
    return build_head(classifier(kernel, softmaxed=not given["gives_scores"]), MEAN, DEVIATION, **given)


def sound(batch: int = 3, size: int = 7) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(batch)
    return {
        "waveform": rng.standard_normal((batch, size)).astype(np.float32),
        "lengths": np.arange(1, batch + 1),
        "sex": np.linspace(0, 1, batch, dtype=np.float32),
    }


def whole(seed: int = 0, *, uses_sex: bool = False) -> Any:
    kernel = np.random.default_rng(seed).standard_normal((SIZE, CLASSES)).astype(np.float32)
    given = {"present": range(CLASSES), "classes": CLASSES, "temperature": 1.0, "gives_scores": False}
    return join(front(uses_sex=uses_sex), build_head(classifier(kernel), MEAN, DEVIATION, **given), 1.0)


@pytest.mark.parametrize("gives_scores", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 0.3, 4.0])
def test_a_head_standardizes_classifies_and_calibrates(gives_scores: bool, temperature: float) -> None:
    features = RNG.standard_normal((5, SIZE)).astype(np.float32)
    model = head(gives_scores=gives_scores, temperature=temperature)
    probabilities, embedding = run(model, {"features": features}, "probabilities", "embedding")
    np.testing.assert_allclose(embedding, (features - MEAN) / DEVIATION, atol=1e-6)
    expected = softmax(log_softmax(embedding @ KERNEL, axis=1) / temperature, axis=1)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_a_class_that_the_classifier_does_not_know_has_no_probability() -> None:
    features = RNG.standard_normal((5, SIZE)).astype(np.float32)
    probabilities, embedding = run(head(present=[1, 3]), {"features": features}, "probabilities", "embedding")
    assert not probabilities[:, [0, 2]].any()
    np.testing.assert_allclose(probabilities[:, [1, 3]], softmax(embedding @ KERNEL[:, [1, 3]], axis=1), atol=1e-6)


def test_the_part_behind_the_embedding_gives_the_heads_own_probabilities() -> None:
    features = RNG.standard_normal((5, SIZE)).astype(np.float32)
    probabilities, embedding = run(head(), {"features": features}, "probabilities", "embedding")
    part = behind_embedding(head())
    np.testing.assert_array_equal(run(part, {"embedding": embedding}, "probabilities")[0], probabilities)
    assert {tensor.name for tensor in part.graph.initializer}.isdisjoint({"scale/mean", "scale/deviation"})


@pytest.mark.parametrize("uses_sex", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_a_joined_graph_answers_as_both_halves_in_turn(uses_sex: bool, temperature: float) -> None:
    given = sound()
    (vector,) = run(front(uses_sex=uses_sex), given, "vector")
    expected, embedded = run(head(), {"features": vector}, "probabilities", "embedding")
    model = join(front(uses_sex=uses_sex), head(), temperature)
    probabilities, embedding = run(model, given, "probabilities", "embedding")
    np.testing.assert_array_equal(embedding, embedded)
    np.testing.assert_allclose(probabilities, softmax(np.log(expected) / temperature, axis=1), atol=1e-6)
    assert [value.name for value in model.graph.input] == ["waveform", "lengths", *(["sex"] if uses_sex else [])]
    assert [value.name for value in model.graph.output] == ["probabilities", "embedding"]


@pytest.mark.parametrize("make", [lambda: join(front(), head(), 1.0), lambda: vote([whole(), whole(1)], "mean", [])])
@pytest.mark.parametrize(("batch", "size"), [(1, 5), (8, 3), (3, 100)])
def test_batch_and_time_are_free(make: Callable[[], Any], batch: int, size: int) -> None:
    probabilities, _ = run(make(), sound(batch, size), "probabilities", "embedding")
    assert probabilities.shape == (batch, CLASSES)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)


def test_opsets_are_named_once_and_nothing_stands_in_a_graph_that_no_output_needs() -> None:
    model = join(front(), head(), 1.0)
    assert {entry.domain: entry.version for entry in model.opset_import} == {"": OPSET, ML_DOMAIN: 3}
    assert len(model.opset_import) == 2
    assert not any(node.op_type == "ArgMax" for node in model.graph.node)
    names = [name for node in model.graph.node for name in node.output]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", ["majority", "mean", "weighted"])
def test_a_vote_answers_as_the_rule_over_its_members(rule: Rule) -> None:
    given, weights = sound(6), [0.5, 0.25, 1.0]
    members = [whole(), whole(1, uses_sex=True), whole(2)]
    answers = [run(member, given, "probabilities", "embedding") for member in members]
    probabilities, embedding = run(vote(members, rule, weights), given, "probabilities", "embedding")
    expected = combine(np.stack([p for p, _ in answers]), rule, weights)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)
    np.testing.assert_array_equal(embedding, np.concatenate([e for _, e in answers], axis=1))


def test_the_sex_is_an_input_of_a_vote_where_a_member_takes_it() -> None:
    inputs = {
        uses: [value.name for value in vote([whole(), whole(1, uses_sex=uses)], "mean", []).graph.input]
        for uses in (False, True)
    }
    assert inputs == {False: ["waveform", "lengths"], True: ["waveform", "lengths", "sex"]}


def test_what_members_have_in_common_stands_in_the_file_once() -> None:
    member = whole()
    model = vote([whole(seed) for seed in range(4)], "mean", [])
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("ReduceMax") == 1
    assert kinds.count("MatMul") == 8  # a classifier and its places among the classes
    assert len(model.graph.initializer) < 2 * len(member.graph.initializer)


def test_a_vote_of_a_vote_is_a_model_file_too() -> None:
    given = sound(4)
    inner = vote([whole(), whole(1)], "mean", [])
    probabilities, embedding = run(vote([inner, whole(2)], "majority", []), given, "probabilities", "embedding")
    said = [run(member, given, "probabilities")[0] for member in (inner, whole(2))]
    np.testing.assert_allclose(probabilities, combine(np.stack(said), "majority"), atol=1e-6)
    assert embedding.shape == (4, 3 * SIZE)


def test_members_that_do_not_fit_are_refused() -> None:
    other = join(front(), head(present=[0, 1], classes=2), 1.0)
    with pytest.raises(ExportError, match=r"its members have \[2, 4\] classes"):
        vote([whole(), other], "mean", [])
    with pytest.raises(ExportError, match="its members have no classes"):
        vote([], "mean", [])
    older = whole()
    older.opset_import[0].version -= 1
    with pytest.raises(ExportError, match="models with opset 18 and opset 17 cannot be merged: export them with"):
        vote([whole(), older], "mean", [])


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ExportError, match="the parts of the model do not fit together"):
        connect(
            {"front": front(), "head": head()},
            wires={"head/features": "front/nothing"},
            outputs={"probabilities": ("head/probabilities", CLASSES)},
        )


def test_merging_leaves_the_parts_as_they_are() -> None:
    member, first = whole(), front()
    before = member.SerializeToString(), first.SerializeToString()
    vote([member, member], "majority", [])
    join(first, head(), 1.0)
    assert (member.SerializeToString(), first.SerializeToString()) == before


def test_the_weights_of_a_graph_are_its_numbers() -> None:
    assert count_weights(classifier()) == SIZE * CLASSES
    node = helper.make_node("LinearClassifier", ["a"], ["b", "c"], domain=ML_DOMAIN, coefficients=[1.0, 2.0, 3.0])
    assert count_weights(helper.make_model(helper.make_graph([node], "g", [], []))) == 3
