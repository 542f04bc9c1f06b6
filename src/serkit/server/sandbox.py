"""Restrictions that a process puts on itself before it handles untrusted data, where the system offers them."""

import signal
import sys
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Ask Linux to end this process when its parent ends, for whatever reason.

    Args:
        by: Signal that ends the process.
    """
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0)


def drop_resources(*, memory: int) -> None:
    """Forbid this process to write files or core dumps, and limit its memory.

    Linux also ends this process before others when the machine runs out of memory.

    Args:
        memory: Maximum size of the data segment, in bytes.
    """
    if sys.platform == "win32":
        return
    import resource

    wanted = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":  # macOS accepts a memory limit but does not enforce it
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        wanted[resource.RLIMIT_DATA] = memory  # not the address space, of which libraries reserve gigabytes
    for limit, value in wanted.items():
        with suppress(OSError, ValueError):  # a container may already have set a lower limit
            resource.setrlimit(limit, (value, value))
