"""Calls that come together share runs of the model, and nobody notices."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import serkit
from serkit.errors import InferenceError
from serkit.runtime.recognizer import Recognizer
from serkit.server.batching import BatchingSession

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.wav"))


@pytest.fixture
def recognizer(embedded: Path) -> Iterator[BatchingSession]:
    opened = BatchingSession.load(threads=1)
    opened.start(2)
    yield opened
    opened.stop()


class SlowSession:
    """A model of one class that says how long the sound was, once it may; counts what it is asked."""

    def __init__(self) -> None:
        self.may_go = threading.Event()
        self.batches: list[list[int]] = []
        self.is_asked = False

    def run(self, names: list[str], feeds: dict[str, Any]) -> list[Any]:
        self.is_asked = True
        self.may_go.wait(60)
        lengths = feeds["lengths"]
        self.batches.append(lengths.tolist())
        if 13 in lengths:
            raise RuntimeError("thirteen")
        return [lengths[:, None].astype(np.float32), np.abs(feeds["waveform"]).sum(1, keepdims=True)]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> SlowSession:
    monkeypatch.setattr("serkit.runtime.session._flaw_of", lambda *_: "")  # its answers are no probabilities
    return SlowSession()


@pytest.fixture
def slow(embedded: Path, session: SlowSession) -> Iterator[BatchingSession]:
    opened = BatchingSession(session, serkit.load().card)
    opened.start(1)
    yield opened
    session.may_go.set()
    opened.stop()


def ask(recognizer: BatchingSession, length: int) -> Any:
    return recognizer.run(np.ones((1, length), np.float32), np.array([length], np.int64))


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.001)


def ask_all(recognizer: BatchingSession, session: SlowSession, lengths: list[int]) -> list[Any]:
    """Ask for all while the first of them still runs."""
    with ThreadPoolExecutor(len(lengths)) as threads:
        first = threads.submit(ask, recognizer, lengths[0])
        wait_until(lambda: session.is_asked)
        rest = [threads.submit(ask, recognizer, length) for length in lengths[1:]]
        wait_until(lambda: len(recognizer._waiting) == len(rest))
        session.may_go.set()
        return [one.exception() or one.result()[0][0, 0] for one in (first, *rest)]


def test_answers_of_many_threads_are_those_of_one(recognizer: BatchingSession) -> None:
    plain = serkit.load(threads=1)
    expected = {file: plain.predict(file) for file in EXAMPLES}
    files = EXAMPLES * 12
    with ThreadPoolExecutor(12) as threads:
        found = list(threads.map(Recognizer(recognizer).predict, files))
    for file, answer in zip(files, found, strict=True):
        assert answer.emotion == expected[file].emotion
        assert answer.probabilities == pytest.approx(expected[file].probabilities, abs=1e-5)
        np.testing.assert_allclose(answer.embedding, expected[file].embedding, atol=1e-4)


def test_what_waits_goes_together_and_everybody_gets_their_own(slow: BatchingSession, session: SlowSession) -> None:
    lengths = [100, 90, 95, 100, 85]
    assert ask_all(slow, session, lengths) == lengths
    assert [len(batch) for batch in session.batches] == [1, 4]


def test_sounds_of_other_lengths_are_not_padded_to_the_longest(slow: BatchingSession, session: SlowSession) -> None:
    assert ask_all(slow, session, [50, 1000, 10, 990, 9]) == [50, 1000, 10, 990, 9]
    assert sorted(map(sorted, session.batches)) == [[9, 10], [50], [990, 1000]]


def test_a_run_is_no_longer_than_what_gains_by_it(slow: BatchingSession, session: SlowSession) -> None:
    seconds = 20 * slow.card.sampling_rate
    ask_all(slow, session, [seconds] * 6)
    assert [len(batch) for batch in session.batches] == [1, 2, 2, 1]


def test_a_model_that_needs_equal_lengths_gets_them(embedded: Path, session: SlowSession) -> None:
    slow = BatchingSession(session, replace(serkit.load().card, needs_equal_lengths=True))
    slow.start(1)
    ask_all(slow, session, [100, 99, 100, 99])
    slow.stop()
    assert session.batches == [[100], [99, 99], [100]]


def test_a_failure_is_its_own_callers_alone(slow: BatchingSession, session: SlowSession) -> None:
    answers = ask_all(slow, session, [14, 14, 13, 14])
    assert [answers[0], answers[1], answers[3]] == [14, 14, 14]
    assert isinstance(answers[2], InferenceError)


def test_a_fault_beside_the_model_ends_no_runner(slow: BatchingSession, session: SlowSession) -> None:
    def fail(size: int) -> None:
        raise OSError("no space for counts")

    session.may_go.set()
    count, slow.on_batch = slow.on_batch, fail
    with ThreadPoolExecutor(1) as threads:
        with pytest.raises(InferenceError, match="no space for counts"):
            threads.submit(ask, slow, 14).result(5)
        slow.on_batch = count
        assert threads.submit(ask, slow, 14).result(5)[0] == 14


def test_a_malformed_request_fails_alone(slow: BatchingSession, session: SlowSession) -> None:
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(ask, slow, 14)
        wait_until(lambda: session.is_asked)
        malformed = threads.submit(slow.run, np.ones(14, np.float32), np.array([14], np.int64))
        last = threads.submit(ask, slow, 14)
        wait_until(lambda: len(slow._waiting) == 2)
        session.may_go.set()
        assert (first.result(5)[0], last.result(5)[0]) == (14, 14)
        with pytest.raises(InferenceError):
            malformed.result(5)


def test_after_the_end_nobody_waits_for_ever(embedded: Path) -> None:
    recognizer = BatchingSession.load(threads=1)
    recognizer.start(1)
    recognizer.stop()
    with pytest.raises(InferenceError, match="stopped"):
        ask(recognizer, 16_000)


def test_rows_of_a_quantized_model_run_one_by_one_without_waiting_for_a_runner(
    embedded: Path, session: SlowSession
) -> None:
    slow = BatchingSession(session, replace(serkit.load().card, quantization={"weights": "int8"}))
    slow.start(1)
    assert ask_all(slow, session, [100, 99, 98]) == [100, 99, 98]
    slow.stop()
    assert session.batches == [[100], [99], [98]]
