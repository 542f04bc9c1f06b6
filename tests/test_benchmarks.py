import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
IMPORT_EACH = """
import sys
from importlib import import_module

for script in sys.argv[1:]:
    path, modules = sys.path.copy(), set(sys.modules)
    import_module(script)
    sys.path[:] = path  # a script must extend the path itself
    for name in set(sys.modules) - modules:
        if name.startswith(("_speech_detector", "speech_detector", "_service", "support")):
            del sys.modules[name]
"""
JOBS = """
import os, time
from serkit.errors import TruncatedAudioError
from _workers import Worker

def refuse():
    raise TruncatedAudioError("cut off")

def fill():
    assert sum(bytearray(b"a" * 100_000_000)[::4096])
    return ""

actions = [lambda: "", lambda: os.abort(), refuse, lambda: time.sleep(60), lambda: 1 / 0, lambda: "no sum of 1", fill]
worker = Worker()
for number in range(int(sys.argv[1]), int(sys.argv[2])):
    worker.do(number, actions[number], limit=2)
"""


def test_what_benchmarks_import_is_there() -> None:
    """In a process of its own, since pytest has folders on its path that a script has not."""
    scripts = sorted(file.stem for file in FOLDER.glob("[!_]*.py"))
    assert len(scripts) > 10
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *scripts], cwd=FOLDER, env=os.environ | {"PYTHONSAFEPATH": ""},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_little_of_each_kind_of_broken_file_finds_no_fault() -> None:
    done = subprocess.run(
        [sys.executable, "fuzz.py", "--share", "0.05"], cwd=FOLDER, env=os.environ | {"PYTHONSAFEPATH": ""},
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS\n") == 9


def test_a_worker_that_crashes_hangs_or_fails_costs_one_job(tmp_path: Path) -> None:
    sys.path.insert(0, str(FOLDER))
    try:
        from _workers import run_jobs
    finally:
        sys.path.remove(str(FOLDER))
    script = tmp_path / "jobs.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(FOLDER)!r})\n{JOBS}")
    outcomes = list(run_jobs([str(script)], 7, batch=3))
    kinds = ["answer", "crash", "refused", "timeout", "foreign", "wrong", "answer"]
    assert [(one.number, one.kind) for one in outcomes] == list(enumerate(kinds))
    assert outcomes[6].peak_mb > outcomes[0].peak_mb + 90
