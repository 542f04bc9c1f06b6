"""Claims: 2000 broken sound files and as many broken streams neither crash the service nor leak memory.

Each file has one of the supported formats and one to four faults. Four of five go to ``/v1/predict``, the others to
``/v1/timeline``. A failure is any status but 200, 415 and 422, or the end of a worker. Memory is that of all processes
of the service, at the end compared with the end of the first quarter of the files. ``SERKIT_BENCH_MUTANTS`` changes the
number of files.
"""

import os
from collections import Counter

import httpx

import serkit
from _service import (
    EXAMPLES,
    Running,
    mutants,
    processes_below,
    resident_mb,
    running_service,
    send_malformed,
    sound_files,
)
from _verdict import at_most, detail

COUNT = int(os.environ.get("SERKIT_BENCH_MUTANTS", "2000"))
GOAL_MEMORY = 1.1


def memory_of(service: Running) -> float:
    """Return the resident memory of all processes of the service in MB."""
    return sum(map(resident_mb, processes_below(service.process.pid)))


def main() -> int:
    """Send all files and streams; return the exit code."""
    files = sound_files(serkit.load_audio(EXAMPLES / "loud_fast_high.wav", target_rate=48_000))
    statuses: Counter[int] = Counter()
    codes: Counter[str] = Counter()
    memory: list[float] = []
    with (
        running_service("--rate", 0, "--client-share", 1) as service,
        httpx.Client(base_url=service.address, timeout=60) as client,
    ):
        for number, (name, content) in enumerate(mutants(files, COUNT, seed=1)):
            path = "/v1/timeline" if number % 5 == 4 else "/v1/predict"
            answer = client.post(path, files={"file": (name, content)})
            statuses[answer.status_code] += 1
            codes["" if answer.status_code == 200 else answer.json()["code"]] += 1
            if number % 50 == 49:
                memory.append(memory_of(service))
        for number in range(COUNT):
            send_malformed(service, seed=number)
        alive = client.post("/v1/predict", content=files["wav-16"]).status_code
        memory.append(memory_of(service))
        tracebacks = sum("Traceback" in line for line in service.log)
        workers = len(service.workers)
    detail(f"{len(files)} formats, statuses {dict(statuses)}, problems {dict(codes)}, {workers} worker(s)")
    detail(
        f"memory {memory[0]:.0f} MB at first, {memory[len(memory) // 4]:.0f} MB after a quarter of the files, "
        f"{memory[-2]:.0f} MB after all, {memory[-1]:.0f} MB after {COUNT} streams with malformed frames"
    )
    failed = sum(count for status, count in statuses.items() if status not in (200, 415, 422))
    detail(f"at the end: {workers} worker(s) started, {tracebacks} tracebacks, status {alive} for a valid clip")
    failed += workers - 1 + tracebacks + (alive != 200)
    return at_most("broken files and streams that fail the service", failed / COUNT, 0.0) | at_most(
        "memory after all of them against that after a quarter", memory[-1] / memory[len(memory) // 4], GOAL_MEMORY
    )


if __name__ == "__main__":
    raise SystemExit(main())
