"""Dynamic batching: requests that arrive at the same time share one run of the model.

No request waits for a batch to fill. A runner thread that becomes free takes the requests that arrived while it worked,
so a single request runs at once, and many requests share one run of ONNX Runtime.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.card import Card
from serkit.errors import InferenceError, SerkitError
from serkit.runtime.session import ModelSession
from serkit.types import SEX_VALUES, FloatArray

_BATCH_SECONDS = 48.0  # padded sound in one run; larger batches are slower per clip
_MIN_LENGTH_RATIO = 0.8  # of the shortest to the longest clip in a batch; shorter clips would be mostly padding

Answer = tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class _Request:
    waveform: FloatArray  # (B, T)
    lengths: NDArray[np.int64]  # (B,)
    sex: FloatArray  # (B,)
    answer: "Future[Answer]" = field(default_factory=Future)


class BatchingSession(ModelSession):
    """A model session for many threads: concurrent calls of :meth:`run` share runs of the model.

    Args:
        session: ONNX Runtime session of the model.
        card: Card of the model.

    Attributes:
        on_batch: Called with the number of clips in each batch.
    """

    def __init__(self, session: Any, card: Card) -> None:
        super().__init__(session, card)
        self._waiting: deque[_Request] = deque()
        self._change = threading.Condition()
        self._is_open = True
        self._runners: list[threading.Thread] = []
        self.on_batch: Callable[[int], None] = lambda size: None

    def start(self, runners: int) -> None:
        """Start threads that each run one batch at a time.

        Args:
            runners: Number of threads.
        """
        for number in range(runners):
            runner = threading.Thread(target=self._work, name=f"batches-{number}", daemon=True)
            runner.start()
            self._runners.append(runner)

    def stop(self) -> None:
        """Answer the waiting requests, then end the threads."""
        with self._change:
            self._is_open = False
            self._change.notify_all()
        for runner in self._runners:
            runner.join()

    def run(self, waveform: FloatArray, lengths: NDArray[np.int64], *, sex: FloatArray | None = None) -> Answer:
        """Run the model on a padded batch, together with other waiting requests; see :meth:`ModelSession.run`."""
        if sex is None:
            sex = np.full(len(lengths), SEX_VALUES["unknown"], np.float32)
        request = _Request(waveform, lengths, sex)
        with self._change:
            if not self._is_open:
                raise InferenceError("the model session has been stopped.")
            self._waiting.append(request)
            self._change.notify()
        return request.answer.result()

    def _work(self) -> None:
        while batch := self._next():
            try:
                self.on_batch(sum(len(request.lengths) for request in batch))
                self._answer(batch)
            except Exception as error:
                for request in batch:
                    if len(batch) == 1:
                        _fail(request, error)
                    else:  # one request's failure must not fail the others
                        self._answer_alone(request)

    def _answer_alone(self, request: _Request) -> None:
        try:
            self._answer([request])
        except Exception as error:
            _fail(request, error)

    def _next(self) -> list[_Request]:
        """Wait for requests; return those that fit into one run, or none after :meth:`stop`."""
        with self._change:
            self._change.wait_for(lambda: self._waiting or not self._is_open)
            if not self._waiting:
                return []
            first = self._waiting.popleft()
            try:
                chosen, self._waiting = self._divide(first)
            except Exception:  # a malformed request; it fails when it is run alone
                chosen = [first]
            if self._waiting:
                self._change.notify()
            return chosen

    def _divide(self, first: _Request) -> tuple[list[_Request], deque[_Request]]:
        """Return the requests that share a run with ``first``, and the requests that keep waiting."""
        chosen, left = [first], deque[_Request]()
        ratio = 1.0 if self.card.needs_equal_lengths else _MIN_LENGTH_RATIO
        shortest = longest = first.waveform.shape[1]
        count, most = len(first.lengths), _BATCH_SECONDS * self.card.sampling_rate
        for request in self._waiting:
            low, high = min(shortest, request.waveform.shape[1]), max(longest, request.waveform.shape[1])
            if low >= ratio * high and (count + len(request.lengths)) * high <= most:
                chosen.append(request)
                shortest, longest, count = low, high, count + len(request.lengths)
            else:
                left.append(request)
        return chosen, left

    def _answer(self, batch: list[_Request]) -> None:
        longest = max(request.waveform.shape[1] for request in batch)
        parts = [np.pad(r.waveform, ((0, 0), (0, longest - r.waveform.shape[1]))) for r in batch]
        probabilities, embeddings = super().run(
            np.concatenate(parts),
            np.concatenate([request.lengths for request in batch]),
            sex=np.concatenate([request.sex for request in batch]),
        )
        start = 0
        for request in batch:
            end = start + len(request.lengths)
            request.answer.set_result((probabilities[start:end], embeddings[start:end]))
            start = end


def _fail(request: _Request, error: Exception) -> None:
    if not isinstance(error, SerkitError):
        failure = InferenceError(f"the model failed: {error}.")
        failure.__cause__ = error
        error = failure
    if not request.answer.done():
        request.answer.set_exception(error)
