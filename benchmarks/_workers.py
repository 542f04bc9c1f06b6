"""Runs jobs in processes of their own, so that one that crashes or hangs costs a job and not the benchmark.

A worker is a script that is called with two numbers at the end: the first job, and the one behind its last. Before each
job it prints one line, and after it another (:class:`Worker`).
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any

_START_SECONDS = 120.0  # for the imports of a worker on a busy machine
_MEMORY_LIMIT = 6 << 30  # bytes; protects the machine, and lets a job that exceeds its goal be measured
_STATUS = Path("/proc/self/status")
BAD = ("foreign", "wrong", "timeout", "crash")


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        number: Number of the job.
        kind: ``answer``, ``refused``, ``foreign`` (an exception that is no SerkitError), ``wrong`` (an answer that
            cannot be right), ``timeout`` or ``crash``.
        text: Error message, or what is wrong.
        seconds: Duration of the job.
        peak_mb: Largest resident memory of the worker during the job, all of it, in MB.
    """

    number: int
    kind: str
    text: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0


def run_jobs(command: Sequence[str], count: int, *, batch: int) -> Iterator[Outcome]:
    """Run jobs in workers, one worker at a time, and yield what became of each.

    Args:
        command: Script and arguments of a worker, without the two numbers.
        count: Number of jobs.
        batch: Jobs for a worker; after a crash the next worker continues.
    """
    first = 0
    while first < count:
        for outcome in _run_worker(command, first, min(first - first % batch + batch, count)):
            yield outcome
            first = outcome.number + 1


def _run_worker(command: Sequence[str], first: int, end: int) -> Iterator[Outcome]:
    arguments = [sys.executable, *command, str(first), str(end)]
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=errors, text=True) as worker,
    ):
        assert worker.stdout
        lines: Queue[dict[str, Any] | None] = Queue()
        reader = Thread(target=_read, args=(worker.stdout, lines), daemon=True)
        reader.start()
        number, seconds, is_open = first, _START_SECONDS, False
        while True:
            try:
                line = lines.get(timeout=seconds)
            except Empty:
                worker.kill()
                reader.join()
                yield Outcome(number, "timeout", f"no answer within {seconds:.0f} s", seconds)
                return
            if line is None:
                break
            if "limit" in line:
                number, seconds, is_open = line["number"], line["limit"], True
            else:
                seconds, is_open = _START_SECONDS, False
                yield Outcome(**line)
        if worker.wait() or is_open:
            errors.seek(0)
            yield Outcome(number, "crash", f"exit code {worker.returncode}: {errors.read()[-600:].strip()}")


def _read(stream: IO[str], lines: "Queue[dict[str, Any] | None]") -> None:
    for line in stream:
        lines.put(json.loads(line))
    lines.put(None)


class Worker:
    """The worker's side: says which job begins, and how it ended."""

    def __init__(self) -> None:
        self._replies = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # what C libraries print is no reply
        resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY_LIMIT, _MEMORY_LIMIT))
        self._printed: list[str] = []  # exceptions that Python cannot raise, since C code called the function
        sys.unraisablehook = lambda fault: self._printed.append(f"in a callback: {fault.exc_value!r}")

    def do(self, number: int, action: Callable[[], str], *, limit: float) -> None:
        """Do one job.

        Args:
            number: Number of the job.
            action: The job. It returns what is wrong with the answer, or nothing.
            limit: Seconds after which the job counts as hung.
        """
        from serkit.errors import SerkitError

        self._reply({"number": number, "limit": limit})
        _forget_peak()
        self._printed.clear()
        start = time.perf_counter()
        try:
            text = action()
            kind = "wrong" if text else "answer"
        except SerkitError as error:
            kind, text = "refused", f"{type(error).__name__}: {error}"
        except BaseException as error:
            kind, text = "foreign", _with_place(error)
        if self._printed and kind in ("answer", "refused"):
            kind, text = "foreign", self._printed[0]
        outcome = Outcome(number, kind, text, time.perf_counter() - start, peak_mb())
        self._reply(asdict(outcome))

    def _reply(self, line: dict[str, Any]) -> None:
        self._replies.write(json.dumps(line) + "\n")
        self._replies.flush()


def peak_mb() -> float:
    """Return the largest resident memory of this process so far in MB, or since :func:`_forget_peak`."""
    if _STATUS.exists():  # getrusage counts the parent's memory before exec too
        found = re.search(r"VmHWM:\s+(\d+)", _STATUS.read_text())
        return int(found[1]) / 1024 if found else 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _forget_peak() -> None:
    if _STATUS.exists():
        Path("/proc/self/clear_refs").write_text("5")  # Linux, proc_pid_clear_refs(5)


def _with_place(error: BaseException) -> str:
    place, at = "", error.__traceback__
    while at is not None:
        place, at = f"{Path(at.tb_frame.f_code.co_filename).name}:{at.tb_lineno}", at.tb_next
    return f"{type(error).__name__} at {place}: {error}"
