"""What a process gives up before it touches anything from outside; where the system offers it."""

import signal
import sys
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # Linux, prctl(2)


def die_with_parent(by: signal.Signals = signal.SIGKILL) -> None:
    """Ask Linux to end this process when the one that started it ends, however that happens."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(by), 0, 0, 0)


def give_up_resources(*, memory: int) -> None:
    """Forbid this process files larger than nothing, core dumps, and more memory of its own than so many bytes.

    Where the machine's memory ends all the same, this is the process that Linux ends first.
    """
    if sys.platform == "win32":
        return
    import resource

    wanted = {resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0}
    if sys.platform == "linux":  # macOS takes the limit and does not keep it
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
        wanted[resource.RLIMIT_DATA] = memory  # not address space, which libraries reserve by the gigabyte
    for limit, value in wanted.items():
        with suppress(OSError, ValueError):  # a container may have set a lower one already
            resource.setrlimit(limit, (value, value))
