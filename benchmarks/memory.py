"""Claim: the peak memory of `Recognizer.timeline` stays under 400 MB, and ten hours need no more than one.

Each length is measured in a process of its own, as its peak resident memory. The file is WAV at 16 kHz.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from _recording import write_talk
from _verdict import at_most, detail

HOURS = tuple(float(hours) for hours in os.environ.get("SERKIT_BENCH_HOURS", "1,4,10").split(","))
RATE = 16_000
LIMIT_MB = 400.0
GOAL_FLAT = 1.5  # peak of the longest recording over that of the shortest

_CHILD = """
import resource, sys, serkit
found = serkit.load().timeline(sys.argv[1])
print(len(found.windows), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def peak_mb(file: Path) -> float:
    """Return the peak memory of a process that makes a file's timeline."""
    done = subprocess.run([sys.executable, "-c", _CHILD, str(file)], check=True, capture_output=True, text=True)
    windows, peak = done.stdout.split()
    detail(f"{file.name}: {file.stat().st_size / 1e6:.0f} MB, {windows} windows, peak {float(peak):.0f} MB")
    return float(peak)


def main() -> int:
    """Measure all lengths; return the exit code."""
    peaks = []
    for hours in HOURS:
        with tempfile.TemporaryDirectory() as folder:
            peaks.append(peak_mb(write_talk(Path(folder) / f"{hours:g}h.wav", hours * 3600, RATE)))
    return at_most("memory of the longest, of 400 MB", peaks[-1] / LIMIT_MB, 1.0) | at_most(
        "memory of the longest against the shortest", peaks[-1] / peaks[0], GOAL_FLAT
    )


if __name__ == "__main__":
    raise SystemExit(main())
