"""Imports from the tests what the benchmarks of the service need: a service in processes of its own, broken files."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.mutants import mutant, mutants, sound_files
from support.raw_websocket import frame, send_malformed
from support.serving import Running, processes_below, resident_mb, running_service

__all__ = [
    "Running", "frame", "mutant", "mutants", "processes_below", "resident_mb", "running_service", "send_malformed",
    "sound_files",
]  # fmt: skip
EXAMPLES = Path(__file__).parents[1] / "examples"
