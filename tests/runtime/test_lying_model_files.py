"""Model files that lie about themselves, or that do harm, end in one sentence."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from serkit.errors import ModelFileError
from serkit.runtime import model_probe, session
from serkit.runtime.model_probe import probe
from serkit.runtime.onnx_operators import has_loops
from serkit.runtime.recognizer import Recognizer
from serkit.types import FloatArray
from support import lying_models as lies

FLOAT, DOUBLE, INT64 = 1, 11, 7
SOUND: FloatArray = (0.1 * np.random.default_rng(0).standard_normal(1_600)).astype(np.float32)


def refused(file: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        Recognizer.load(file).predict(SOUND, sampling_rate=16_000)
    message = str(caught.value)
    assert message.startswith(f"the model {str(file)!r} ")
    assert "\n" not in message
    assert len(message) < 400
    return message


def test_a_small_model_that_tells_the_truth_is_taken(tmp_path: Path) -> None:
    answer = Recognizer.load(lies.answering(tmp_path / "m.onnx", (0.25, 0.75))).predict(SOUND, sampling_rate=16_000)
    assert answer.probabilities == {"fear": 0.75, "anger": 0.25}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ((np.nan, 0.5), "NaN or infinite"),
        ((np.inf, 0.5), "NaN or infinite"),
        ((1e9, 0.0), "not between 0 and 1"),
        ((-0.5, 1.5), "not between 0 and 1"),
        ((0.2, 0.2), "do not sum to 1"),
        ((0.9, 0.9), "do not sum to 1"),
        ((0.2, 0.3, 0.5), "3 probabilities, but its card has 2 classes"),
        ((1.0,), "1 probabilities, but its card has 2 classes"),
    ],
)
def test_an_answer_that_is_no_distribution_over_the_classes_is_refused(
    row: tuple[float, ...], words: str, tmp_path: Path
) -> None:
    assert words in refused(lies.answering(tmp_path / "m.onnx", row))


def test_an_embedding_with_nan_is_refused(tmp_path: Path) -> None:
    nodes = [
        lies.node("ReduceMean", "waveform one", "mean", keepdims=1),
        lies.node("Mul", "mean nan", "embedding"),
        lies.node("Add", "none row", "probabilities"),
    ]
    constants = {
        "one": np.array([1]), "nan": np.float32(np.nan), "none": np.zeros((1, 1), np.float32),
        "row": np.array([[0.5, 0.5]], np.float32),
    }  # fmt: skip
    assert "NaN" in refused(lies.write_model(tmp_path / "m.onnx", nodes, constants))


@pytest.mark.parametrize(
    "wrong",
    [
        {"outputs": {"answer": (FLOAT, None), "embedding": (FLOAT, None)}},
        {"outputs": {"probabilities": (FLOAT, None)}},
        {"inputs": {"waveform": (FLOAT, ["B", "T"])}},
        {"inputs": {"waveform": (FLOAT, ["B", "T"]), "lengths": (INT64, ["B"]), "sex": (FLOAT, ["B"])}},
        {"inputs": {"waveform": (FLOAT, ["B", "T"]), "sizes": (INT64, ["B"])}},
        {"inputs": {"waveform": (FLOAT, ["B", "T"]), "lengths": (FLOAT, ["B"])}},
        {"inputs": {"waveform": (FLOAT, ["B", 1, "T"]), "lengths": (INT64, ["B"])}},
    ],
    ids=["other output", "one output", "one input", "three inputs", "other input", "other type", "other rank"],
)
def test_wrong_inputs_and_outputs_are_refused(wrong: dict[str, object], tmp_path: Path) -> None:
    nodes = [
        lies.node("ReduceMean", "waveform one", "embedding", keepdims=1),
        lies.node("Add", "embedding row", "probabilities"),
        lies.node("Identity", "probabilities", "answer"),
    ]
    constants = {"one": np.array([1]), "row": np.array([[0.5, 0.5]], np.float32)}
    assert "is damaged: " in refused(lies.write_model(tmp_path / "m.onnx", nodes, constants, **wrong))  # type: ignore[arg-type]


def test_an_output_of_another_type_is_refused(tmp_path: Path) -> None:
    nodes = [
        lies.node("ReduceMean", "waveform one", "embedding", keepdims=1),
        lies.node("Add", "embedding row", "single"),
        lies.node("Cast", "single", "probabilities", to=DOUBLE),
    ]
    constants = {"one": np.array([1]), "row": np.array([[0.5, 0.5]], np.float32)}
    outputs = {"probabilities": (DOUBLE, None), "embedding": (FLOAT, None)}
    assert "no output 'probabilities' of 32-bit" in refused(
        lies.write_model(tmp_path / "m.onnx", nodes, constants, outputs=outputs)
    )


def test_fewer_rows_than_the_batch_are_refused(tmp_path: Path) -> None:
    nodes = [lies.node("Identity", "row", "probabilities"), lies.node("Identity", "row", "embedding")]
    file = lies.write_model(tmp_path / "m.onnx", nodes, {"row": np.array([[0.5, 0.5]], np.float32)})
    model = Recognizer.load(file)
    model.run(SOUND[None], np.array([1_600]))
    with pytest.raises(ModelFileError, match="of shape \\(1, 2\\)"):
        model.run(np.stack([SOUND, SOUND]), np.array([1_600, 1_600]))


@pytest.mark.parametrize("make", [lies.external, lies.with_attribute_outside])
def test_a_file_that_refers_to_other_files_is_refused(
    make: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "not a file that serkit made: it refers to other files" in refused(make(tmp_path / "m.onnx"))


def test_a_file_with_sparse_tensors_is_refused(tmp_path: Path) -> None:
    assert "it has sparse tensors" in refused(lies.sparse(tmp_path / "m.onnx"))


def test_a_loop_that_never_ends_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LOOP_SECONDS", 0.2)
    file = lies.endless(tmp_path / "m.onnx")
    assert has_loops(file.read_bytes())
    assert "no answer for 0.1 s of audio in time" in refused(file)


@pytest.mark.parametrize("is_constant", [False, True])
def test_a_graph_that_takes_all_memory_is_refused(is_constant: bool, tmp_path: Path) -> None:
    file = lies.expanding(tmp_path / "m.onnx", (1_000_000, 1_000_000), is_constant=is_constant)
    assert "of memory for 0.1 s of audio" in refused(file)


def test_an_operator_whose_name_is_no_text_prints_nothing(
    model_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime would announce on stdout that it tries again, in the middle of a JSON document."""
    model = onnx.load(model_file)
    model.graph.node[0].op_type = "AAAAAAAAAAAA"
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString().replace(b"A" * 12, b"\xff" * 12))
    assert "is not an ONNX file, or is cut off" in refused(tmp_path / "m.onnx")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("content", [b"\x08", b"\x3a\xff\xff\xff\xff\x0f", b"\x3b", b"\xff" * 12, b"\x3a\x02\x0a\x05"])
def test_what_is_no_protobuf_message_is_no_model_file(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    assert "is not an ONNX file, or is cut off" in refused(tmp_path / "m.onnx")


# The probe of ``serkit models show``


def test_a_probe_gives_the_card_and_a_sentence(tmp_path: Path) -> None:
    card, sentence = probe(lies.answering(tmp_path / "m.onnx", (0.25, 0.75)))
    assert card == lies.CARD
    assert sentence.startswith("it answered 1 s of noise and of silence in ")
    assert sentence.endswith(" ms, each with 2 probabilities that sum to 1")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda file: lies.answering(file, (np.nan, 0.5)), "is damaged: it answers NaN"),
        (lies.external, "refers to other files"),
        (lambda file: lies.expanding(file, (2, 800_000_000)), "memory"),
        (lambda file: lies.answering(file, (0.5, 0.5), card=lies.card_text(classes=["a\x1b[2J", "b"])), "control char"),
        (lambda file: file, "cannot read the model"),
    ],
    ids=["NaN", "other files", "six gigabytes", "terminal escape", "no file"],
)
def test_a_probe_refuses_what_does_harm(make: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=words) as caught:
        probe(make(tmp_path / "m.onnx"))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_a_probe_of_a_model_that_never_answers_ends(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="did not answer within 3 s"):
        probe(lies.endless(tmp_path / "m.onnx"), seconds=3)


def test_a_path_that_cannot_be_is_refused_by_a_probe() -> None:
    with pytest.raises(ModelFileError, match="cannot read"):
        probe("a\0b.onnx")
    assert model_probe.answer_probe("none.onnx")["error"].startswith("cannot read the model 'none.onnx'")
