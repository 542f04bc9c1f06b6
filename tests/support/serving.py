"""A service in processes of its own, reached over loopback at a free port."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

TOKEN = "a-token-that-nobody-guesses"
OTHER_ORIGIN = "https://example.org"
_START_SECONDS = 60.0


@dataclass
class Running:
    """A running service.

    Attributes:
        process: First process of the service, which starts the workers.
        temporary: Folder of its temporary files, which nothing else uses.
        address: Address of the service, ``http://127.0.0.1:PORT``.
        log: Lines of its stderr so far.
    """

    process: subprocess.Popen[str]
    temporary: Path
    address: str = ""
    log: list[str] = field(default_factory=list)

    @property
    def socket_address(self) -> str:
        return self.address.replace("http", "ws", 1)

    @property
    def workers(self) -> list[int]:
        """Process ids of the workers that have started to serve, in order."""
        found = [re.search(r"Started server process \[(\d+)\]", line) for line in self.log]
        return [int(match[1]) for match in found if match]

    def wait_until(self, words: str, *, count: int = 1) -> None:
        """Wait until a text has appeared in the log a number of times."""
        end = time.monotonic() + _START_SECONDS
        while sum(words in line for line in self.log) < count:
            if time.monotonic() > end or (self.process.poll() is not None and words not in "".join(self.log)):
                raise AssertionError(f"the service did not say {words!r}:\n{''.join(self.log)}")
            time.sleep(0.02)

    def stop(self, by: signal.Signals = signal.SIGTERM, *, seconds: float = 30) -> int:
        """Stop the service; return the exit code."""
        self.process.send_signal(by)
        return self.process.wait(seconds)


@contextmanager
def running_service(*options: object) -> Iterator[Running]:
    """Run ``serkit serve`` with options for the block."""
    with tempfile.TemporaryDirectory(prefix="serkit-test-service-") as temporary:
        process = subprocess.Popen(
            [sys.executable, "-m", "serkit.cli", "serve", "--port", "0", *map(str, options)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "TMPDIR": temporary},
        )
        service = Running(process, Path(temporary))
        reader = Thread(target=_read, args=(service,), daemon=True)
        reader.start()
        try:
            service.wait_until("serving at http")
            line = next(line for line in service.log if "serving at http" in line)
            service.address = line.split("serving at ")[1].split(";")[0]
            workers = int(options[options.index("--workers") + 1]) if "--workers" in options else 1
            service.wait_until("Application startup complete", count=workers)
            yield service
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            reader.join()
            assert process.stderr
            process.stderr.close()


def _read(service: Running) -> None:
    assert service.process.stderr
    for line in service.process.stderr:
        service.log.append(line)


def processes_below(pid: int) -> list[int]:
    """Return all descendants of a process."""
    children = [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*children, *(grandchild for child in children for grandchild in processes_below(child))]


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def is_answering(address: str) -> bool:
    """Whether a service is ready."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False
