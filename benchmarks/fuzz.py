"""Claims: nothing that is broken on purpose crashes serkit, hangs it, fills the memory or gets a wrong answer.

- 10,000 sound files of 40 formats with one to four faults each go through ``Recognizer.predict``, every tenth through
  ``Recognizer.timeline`` too, and every fifth goes to a running ``serkit serve`` as well. Damage is refused and skipped
  in turn.
- 57 bombs, small or sparse files that claim or contain endless sound, go through both calls, with damage refused and
  skipped, and then all of them through one ``predict_many`` with two good clips, which must be answered.
- 200 broken model files go through ``serkit.load`` and one prediction.
- 2,000 broken streams go to the service, which must still answer honest ones.

A file fails if it ends the process, raises anything but a ``SerkitError``, warns, prints an exception, takes more than
20 s, or gets probabilities that are not finite or do not add up to 1. The timeline of a bomb that holds hours of sound
may take longer, see ``_bombs.py``. Memory is all resident memory of the process at its peak, Python and the model
included.

    python benchmarks/fuzz.py [--share 0.05] [--seed 1] [--only sounds bombs models service]
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import httpx

import serkit
from _bombs import BOMBS, write_bombs
from _broken_models import write_models
from _broken_streams import honest_stream, send_broken
from _fuzz_jobs import CALLS
from _service import EXAMPLES, Running, mutant, processes_below, running_service, sound_files
from _verdict import at_most, detail, speech_clip
from _workers import BAD, Outcome, run_jobs

SOUNDS, MODELS, STREAMS = 10_000, 200, 2_000
HONEST_EVERY = 50
LIMIT_MB = 1_000.0
_JOBS = str(Path(__file__).with_name("_fuzz_jobs.py"))
_TARGETS = (
    "/v1/predict", "/v1/predict?format=csv", "/v1/timeline", "/v1/timeline?format=srt&format=json&format=drawing",
    "/v1/predict?forced=true&coverage=0.9", "/v1/timeline?vad=false&channels=separate&format=textgrid",
)  # fmt: skip


def summarize(outcomes: Iterable[Outcome], names: Sequence[str]) -> tuple[int, float]:
    """Print what became of jobs.

    Args:
        outcomes: What became of each job.
        names: Names of the files; the jobs take them in turn, or several jobs one after the other.

    Returns:
        Number of failed jobs, and the peak memory in MB.
    """
    kinds: Counter[str] = Counter()
    peak, slowest = 0.0, 0.0
    for outcome in outcomes:
        kinds[outcome.kind] += 1
        peak, slowest = max(peak, outcome.peak_mb), max(slowest, outcome.seconds)
        if outcome.kind in BAD or outcome.peak_mb > LIMIT_MB:
            name = names[outcome.number % len(names)]
            detail(f"{outcome.number}, {name}: {outcome.kind}, {outcome.peak_mb:.0f} MB, {outcome.text}")
    detail(f"{sum(kinds.values())} calls: {dict(kinds)}, the slowest {slowest:.1f} s, peak {peak:.0f} MB")
    return sum(kinds[kind] for kind in BAD), peak


def fuzz_sounds(folder: Path, count: int, seed: int) -> int:
    """Give broken sound files to the model in this process's workers; return the exit code."""
    names = sorted(path.name for path in folder.iterdir())
    outcomes = run_jobs([_JOBS, "sounds", str(folder), str(seed)], count, batch=200)
    failed, peak = summarize(outcomes, names)
    return at_most(f"failures by {count} broken sound files", failed, 0) | at_most(
        "memory with broken sound files, of 1 GB", peak / LIMIT_MB, 1
    )


def fuzz_bombs(files: dict[str, bytes], share: float) -> int:
    """Give bombs to the model; return the exit code."""
    step = max(1, round(1 / share))
    chosen = list(BOMBS)[step // 2 :: step]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_bombs(folder, files, chosen)
        names = [f"{path.stem}, {call} ({damaged})" for path in sorted(folder.iterdir()) for call, damaged in CALLS]
        failed, peak = summarize(run_jobs([_JOBS, "bombs", place, "0"], len(names), batch=len(CALLS)), names)
        lost, peak_of_batch = summarize(run_jobs([_JOBS, "batch", place, "0"], 1, batch=1), ["batch"])
    return (
        at_most(f"failures by {len(chosen)} bombs, each in {len(CALLS)} calls", failed, 0)
        | at_most("memory with bombs, of 1 GB", max(peak, peak_of_batch) / LIMIT_MB, 1)
        | at_most("batches with bombs that lose a good clip", lost, 0)
    )


def fuzz_models(count: int, seed: int) -> int:
    """Load broken model files; return the exit code."""
    with tempfile.TemporaryDirectory() as place:
        write_models(Path(place), count, seed=seed)
        names = sorted(path.name for path in Path(place).iterdir())
        failed, peak = summarize(run_jobs([_JOBS, "models", place, "0"], count, batch=50), names)
    return at_most(f"failures by {count} broken model files", failed, 0) | at_most(
        "memory with broken model files, of 1 GB", peak / LIMIT_MB, 1
    )


def fuzz_service(files: dict[str, bytes], share: float, seed: int) -> int:
    """Send broken files and streams to a service; return the exit code."""
    count, streams = round(SOUNDS * share) // 5, round(STREAMS * share)
    with running_service("--rate", 0) as service, httpx.Client(base_url=service.address, timeout=60) as client:
        failed = _send_sounds(service, client, files, count, seed=seed)
        broken = _send_streams(service, client, files, streams, seed=seed)
    return at_most(f"failures of the service by {count} broken sound files", failed, 0) | at_most(
        f"failures of the service by {streams} broken streams", broken, 0
    )


def _send_sounds(service: Running, client: httpx.Client, files: dict[str, bytes], count: int, *, seed: int) -> int:
    """Send one of every five broken files of :func:`fuzz_sounds`; return the number of failures."""
    statuses: Counter[int] = Counter()
    for turn in range(count):
        name, content = mutant(files, 5 * turn + turn % 5, seed=seed)
        target = _TARGETS[turn % len(_TARGETS)]
        status = _post(client, target, name, content)
        statuses[status] += 1
        if not 200 <= status < 500:
            detail(f"{name}: status {status} of {target}")
    detail(f"{count} files to the service, statuses {dict(statuses)}")
    return sum(number for status, number in statuses.items() if not 200 <= status < 500) + _damage_to(service)


def _send_streams(service: Running, client: httpx.Client, files: dict[str, bytes], count: int, *, seed: int) -> int:
    """Send broken streams, and honest requests between them; return the number of failures."""
    statuses: Counter[int] = Counter()
    failed, before = 0, _damage_to(service)
    expected = client.post("/v1/predict", content=files["wav-16"]).json()
    for number in range(count):
        status = send_broken(service, files, number, seed=seed)
        statuses[status] += 1
        failed += status >= 500
        if number % HONEST_EVERY == HONEST_EVERY - 1 or number == count - 1:
            answer = client.post("/v1/predict", content=files["wav-16"])
            is_answered = answer.status_code == 200 and answer.json() == expected
            reason = honest_stream(service, speech_clip())
            if not is_answered or reason != "client":
                detail(f"after stream {number}: status {answer.status_code}, an honest stream ended by {reason!r}")
                failed += 1
    detail(f"{count} broken streams, statuses of their handshakes {dict(statuses)}")
    return failed + _damage_to(service) - before


def _post(client: httpx.Client, target: str, name: str, content: bytes) -> int:
    """Return the status of a request; 0 if there was no answer."""
    try:
        return client.post(target, files={"file": (name, content)}).status_code
    except httpx.HTTPError:
        return 0


def _damage_to(service: Running) -> int:
    """Return the number of tracebacks in the log of a service, of processes that ended, and of its own end."""
    tracebacks = [line for line in service.log if "Traceback" in line]
    has_ended = service.process.poll() is not None
    running = set() if has_ended else set(processes_below(service.process.pid))
    return len(tracebacks) + has_ended + sum(worker not in running for worker in service.workers)


def main() -> int:
    """Run all parts; return the exit code."""
    parser = argparse.ArgumentParser(description="Give broken files, bombs, models and streams to serkit.")
    parser.add_argument("--share", type=float, default=1.0, help="Share of the work, for a short run.")
    parser.add_argument("--seed", type=int, default=1, help="Seed of the faults.")
    parser.add_argument("--only", nargs="*", default=["sounds", "bombs", "models", "service"], help="Parts to run.")
    options = parser.parse_args()
    files = sound_files(serkit.load_audio(EXAMPLES / "loud_fast_high.wav", target_rate=48_000))
    detail(f"{len(files)} formats: {', '.join(sorted(files))}")
    code = 0
    if "sounds" in options.only:
        with tempfile.TemporaryDirectory() as place:
            for name, content in files.items():
                (Path(place) / name).write_bytes(content)
            code |= fuzz_sounds(Path(place), round(SOUNDS * options.share), options.seed)
    if "models" in options.only:
        code |= fuzz_models(max(1, round(MODELS * options.share)), options.seed)
    if "service" in options.only:
        code |= fuzz_service(files, options.share, options.seed)
    if "bombs" in options.only:
        code |= fuzz_bombs(files, options.share)
    return code


if __name__ == "__main__":
    raise SystemExit(main())
