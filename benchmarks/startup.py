"""Claim: `serkit predict` on a 3 s clip takes at most 3 times as long as importing the libraries that it needs.

Both are whole processes, from start to exit, timed in turn. The baseline is
``python -c "import numpy, onnxruntime, soundfile"`` with the same interpreter.
"""

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import soundfile

from _verdict import SAMPLING_RATE, SECONDS, at_most, detail, median_seconds, speech_clip

GOAL = 3.0
RUNS = 15


def serkit_command() -> list[str]:
    """Return the command for serkit in this environment: the console script, or else the module."""
    script = Path(sys.executable).parent / "serkit"
    return [str(script)] if script.is_file() else [sys.executable, "-c", "from serkit.cli import main; main()"]


def call(command: list[str]) -> None:
    """Run a command to its end; if it fails, exit with its output."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr}")


def main() -> int:
    """Time both and print the verdict; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.wav"
        soundfile.write(clip, speech_clip(), SAMPLING_RATE, subtype="PCM_16")
        commands = (
            [*serkit_command(), "predict", str(clip)],
            [sys.executable, "-c", "import numpy, onnxruntime, soundfile"],
        )
        predict, imports = median_seconds([partial(call, command) for command in commands], runs=(RUNS, RUNS))
    detail(f"serkit predict, {SECONDS:g} s clip: {predict * 1000:.0f} ms; the imports alone: {imports * 1000:.0f} ms")
    detail(f"(whole processes, medians of {RUNS} each, in turn)")
    return at_most("startup", predict / imports, GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
