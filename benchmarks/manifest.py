"""Claims: reading a manifest of 1,000,000 rows takes at most 4 times as long as csv.DictReader, and less than 2 GB.

The baseline is ``list(csv.DictReader(file))``, which checks nothing and yields texts. serkit checks every row and
builds utterances. Each runs in a process of its own; memory is the peak of its resident set. The script also prints the
time of writing, filtering and choosing a label set.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from _verdict import at_most, detail

ROWS = 1_000_000
RUNS = 3
GOAL = 4.0
GOAL_GB = 2.0


def write(file: Path) -> dict[str, float]:
    """Write a manifest of 500 speakers with rows like those of real corpora; return the time."""
    from serkit.data.manifest import Manifest
    from serkit.labels import EMOTIONS
    from serkit.types import Utterance

    utterances = tuple(
        Utterance(
            id=f"archive/{n % 500:03}/{n:07}",
            path=f"speaker_{n % 500:03}/session_{n % 7}/clip_{n:07}.wav",
            corpus="archive",
            speaker=f"archive/{n % 500:03}",
            emotion=EMOTIONS[n % 13],
            start=n % 1000 / 10,
            end=n % 1000 / 10 + 2.5,
            sex="male" if n % 2 else "female",
            language="en",
            sentence=f"archive/{n % 2000}",
            extra={"label": str(n % 13), "recognized": f"{n % 1000 / 10}"},
        )
        for n in range(ROWS)
    )
    manifest = Manifest(utterances)
    return {"write": timed(lambda: manifest.write(file))}


def read(file: Path) -> dict[str, float]:
    """Read the manifest, keep every second speaker, and choose a label set; return the times and the peak memory."""
    from serkit.data.manifest import Manifest
    from serkit.labels import get_label_set

    found: list[Manifest] = []
    seconds = {"read": timed(lambda: found.append(Manifest.read(file)))}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    manifest = found[0]
    seconds["filter"] = timed(lambda: manifest.filter(lambda u: u.sex == "female"))
    seconds["select"] = timed(lambda: manifest.select(get_label_set("basic7")))
    return seconds | {"gb": peak}


def baseline(file: Path) -> dict[str, float]:
    """Read the manifest with the standard library; return the time and the peak memory."""
    import csv

    with file.open(encoding="utf-8", newline="") as rows:
        seconds = timed(lambda: list(csv.DictReader(rows)))
    return {"read": seconds, "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2}


def timed(action: object) -> float:
    """Return the duration of a call in seconds."""
    start = time.perf_counter()
    action()  # type: ignore[operator]
    return time.perf_counter() - start


def alone(step: str, file: Path) -> dict[str, float]:
    """Run a step in a process of its own and return its measurements."""
    done = subprocess.run([sys.executable, __file__, step, str(file)], check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> int:
    """Write the manifest, read it with both in turn, and print the verdicts; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.csv"
        written = alone("write", file)
        size = file.stat().st_size / 1e6
        rounds = [(alone("read", file), alone("baseline", file)) for _ in range(RUNS)]
    ours = {name: median(mine[name] for mine, _ in rounds) for name in rounds[0][0]}
    plain = {name: median(theirs[name] for _, theirs in rounds) for name in rounds[0][1]}
    detail(f"{ROWS:,} rows, {size:.0f} MB of CSV: written in {written['write']:.1f} s, read in {ours['read']:.1f} s,")
    detail(f"filtered in {ours['filter']:.2f} s, label set chosen in {ours['select']:.2f} s; peak {ours['gb']:.2f} GB")
    detail(f"csv.DictReader into a list: {plain['read']:.1f} s, peak {plain['gb']:.2f} GB")
    detail(f"(one process each, in turn, medians of {RUNS})")
    slow = at_most("manifest_read", ours["read"] / plain["read"], GOAL)
    large = at_most("manifest_memory", ours["gb"] / GOAL_GB, 1.0)
    return slow or large


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps({"write": write, "read": read, "baseline": baseline}[sys.argv[1]](Path(sys.argv[2]))))
    else:
        raise SystemExit(main())
