"""The command, its processes, and how they end."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from support import bare
from support.serving import Running, is_answering, processes_below, running_service

CLIP = (Path(__file__).parents[2] / "examples" / "loud_fast_high.wav").read_bytes()
SERVE = "from serkit.cli import main; sys.argv[1:1] = ['serve']; main()"
pytestmark = [
    pytest.mark.usefixtures("embedded"),
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
]


@pytest.fixture(scope="module")
def two_workers(embedded: Path) -> Iterator[Running]:
    """A service with two workers, at an address that other machines reach."""
    with running_service("--workers", 2, "--rate", 0, "--host", "0.0.0.0") as running:
        running.address = running.address.replace("0.0.0.0", "127.0.0.1")
        yield running


def test_an_address_that_others_reach_is_warned_of_where_no_token_is_asked_for(two_workers: Running) -> None:
    assert "anyone who can reach this address can use the service" in "".join(two_workers.log)


def predicted(service: Running) -> float:
    """Return how many clips all workers say they have answered."""
    lines = httpx.get(f"{service.address}/metrics").text.splitlines()
    wanted = 'serkit_requests_total{method="POST",path="/v1/predict",status="200"}'
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(wanted))


def test_counts_are_summed_over_workers_also_those_that_have_died(two_workers: Running) -> None:
    for _ in range(20):  # each on a connection of its own, so that both workers get some
        assert httpx.post(f"{two_workers.address}/v1/predict", content=CLIP).status_code == 200
    assert {predicted(two_workers) for _ in range(10)} == {20}
    os.kill(two_workers.workers[0], signal.SIGKILL)
    two_workers.wait_until("Application startup complete", count=3)
    assert {predicted(two_workers) for _ in range(10)} == {20}


def test_a_worker_that_is_killed_under_load_is_replaced_within_five_seconds(embedded: Path) -> None:
    with running_service("--rate", 0) as service:
        below = processes_below(service.process.pid)
        done, failed = threading.Event(), []

        def load() -> None:
            with httpx.Client(base_url=service.address, timeout=10) as client:
                while not done.is_set():
                    try:
                        client.post("/v1/predict", content=CLIP)
                    except httpx.HTTPError as error:
                        failed.append(error)

        loads = [threading.Thread(target=load) for _ in range(4)]
        for one in loads:
            one.start()
        time.sleep(0.5)
        os.kill(service.workers[0], signal.SIGKILL)
        start = time.monotonic()
        answer = None
        while answer is None and time.monotonic() - start < 20:
            try:
                answer = httpx.post(f"{service.address}/v1/predict", content=CLIP, timeout=10)
            except httpx.HTTPError:
                time.sleep(0.05)
        took = time.monotonic() - start
        done.set()
        for one in loads:
            one.join()
        assert answer is not None
        assert answer.status_code == 200
        assert took < 5
        assert len(service.workers) == 2
        gone = set(below) - set(processes_below(service.process.pid))
        assert len(gone) >= 4  # the worker and its sound processes


def long_recording(seconds: int = 25) -> bytes:
    """Noise whose timeline takes a second or two, where all of it is heard."""
    file = io.BytesIO()
    rng = np.random.default_rng(0)
    soundfile.write(file, 0.1 * rng.standard_normal(seconds * 16_000), 16_000, format="WAV", subtype="PCM_16")
    return file.getvalue()


def test_shutting_down_finishes_what_runs_and_begins_nothing_new(embedded: Path) -> None:
    with running_service("--rate", 0) as service:
        answers: list[httpx.Response] = []
        query = {"vad": False, "hop": 0.1}

        def ask() -> None:
            content = long_recording()
            answers.append(httpx.post(f"{service.address}/v1/timeline", content=content, params=query, timeout=60))

        asking = threading.Thread(target=ask)
        asking.start()
        while "serkit_queue 1.0" not in httpx.get(f"{service.address}/metrics").text:
            time.sleep(0.01)
        below = processes_below(service.process.pid)
        service.process.terminate()
        asking.join()
        assert answers[0].status_code == 200
        assert len(answers[0].json()["windows"]) > 200
        assert service.process.wait(20) == 0
        assert not is_answering(service.address)
    check_gone(below)


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


def check_gone(pids: list[int]) -> None:
    """Wait until processes have ended."""
    end = time.monotonic() + 10
    while any(state(pid) != "Z" for pid in pids) and time.monotonic() < end:
        time.sleep(0.05)
    assert [pid for pid in pids if state(pid) != "Z"] == []


def test_a_service_whose_first_process_is_killed_leaves_nothing_behind(embedded: Path) -> None:
    with running_service() as service:
        below = processes_below(service.process.pid)
        assert len(below) >= 4
        service.process.kill()
        check_gone(below)


def test_uploads_leave_no_file(service: Running) -> None:
    temporary = str(service.temporary)

    def files_of(pid: int) -> list[str]:
        return [str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if entry.is_symlink()]

    def check() -> None:
        opened = [name for pid in processes_below(service.process.pid) for name in files_of(pid) if temporary in name]
        assert not [name for name in opened if "serkit-metrics" not in name]
        others = [path for path in service.temporary.rglob("*") if "serkit-metrics" not in str(path)]
        assert not [path for path in others if "secret-name" in path.name or path.stat().st_size > 10_000]

    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="secret-name.wav"\r\n\r\n'
        + long_recording(55)[:1_600_000]  # more than a form's file usually has in memory
    )
    head = (
        "POST /v1/timeline?hop=5 HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(body) + 9}\r\n\r\n"
    )
    host, port = service.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as slow:
        slow.sendall(head.encode() + body)
        time.sleep(0.5)
        check()  # while most of it is there
        slow.sendall(b"\r\n--x--\r\n")
        assert b" 422 " in slow.recv(4096)  # it is cut off
    check()


def test_a_client_that_goes_away_ends_the_work_on_its_recording(service: Running) -> None:
    content = long_recording(60)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{service.address}/v1/timeline", content=content, params={"vad": False, "hop": 0.1}, timeout=0.3)
    start = time.monotonic()
    while "serkit_queue 0.0" not in httpx.get(f"{service.address}/metrics").text:
        assert time.monotonic() - start < 2
        time.sleep(0.02)
    assert httpx.post(f"{service.address}/v1/timeline", content=CLIP, timeout=30).status_code == 200
    assert 'status="499"' in httpx.get(f"{service.address}/metrics").text


def run(*arguments: object, without: tuple[str, ...] = ()) -> Any:
    done = bare.python(SERVE, *arguments, without=without)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("serkit: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_without_the_extra_the_command_names_the_line_that_installs_it() -> None:
    assert "pip install 'serkit[server]'" in run(without=("fastapi", "uvicorn"))


def test_what_cannot_be_served_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "Address already in use; see --host, --port." in run("--port", taken.getsockname()[1])
    assert "cannot read the model" in run("--port", 0, "--model", tmp_path / "none.onnx")


def test_a_service_whose_workers_cannot_start_ends_with_a_fault(tmp_path: Path) -> None:
    code = "import sys\nif 'serkit.server.decoder_process' in sys.orig_argv: raise SystemExit(1)\n"
    (tmp_path / "sitecustomize.py").write_text(code)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "serkit.cli", "serve", "--port", "0"], env=os.environ | {"PYTHONPATH": path},
        check=False, capture_output=True, text=True, timeout=25,  # a worker that hangs has 30
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.endswith("serkit: a worker process could not start; see its error message above.\n")


def test_the_server_needs_no_part_of_the_lab() -> None:
    code = """
from serkit.server.app import create_app
from serkit.server.service_settings import Settings
create_app(Settings())
print(*sorted(sys.modules))
"""
    done = bare.python(code, without=(*bare.NOT_INSTALLED, "av"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not {"serkit.lab", "serkit.data.corpora", "serkit.cli", "typer", "rich"} & set(done.stdout.split())
