"""Opens a model file in a process of its own, with little time and memory, and lets it answer.

A file that never answers, or that takes all memory, so ends that process only::

    python -m serkit.runtime.model_probe MODEL
"""

import json
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from serkit.card import METADATA_KEY, Card, read_card, write_card
from serkit.errors import InferenceError, ModelFileError, SerkitError
from serkit.runtime.session import ModelSession

SECONDS = 30.0  # time limit of the process, besides that for reading a large file
MEMORY = 4 << 30  # bytes of address space, besides eight times the size of the file
_BYTES_PER_SECOND = 20e6
_NO_MEMORY = "has needed too much memory, or crashed"


def probe(path: str | os.PathLike[str] | None = None, *, seconds: float = SECONDS) -> tuple[Card, str]:
    """Return a model's card, and what it answered to noise and silence in a process with limits.

    Args:
        path: Model file, or the name of an embedded model; see :meth:`serkit.Recognizer.load`.
        seconds: Time limit. A large file gets more, for reading it.

    Returns:
        The card, and one sentence on the answers.

    Raises:
        ModelFileError: If the file is not a serkit model, its answers are not probabilities of the card's classes, or
            it takes more time or memory than the process has.
    """
    given = "" if path is None else os.fspath(path)
    size = 0
    with suppress(OSError, ValueError):
        size = Path(given).stat().st_size
    limit = seconds + size / _BYTES_PER_SECOND
    command = [sys.executable, "-P", "-m", __name__, given, str(MEMORY + 8 * size)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 (ours)
        found = json.loads(done.stdout) if done.returncode == 0 else {"error": f"the model {given!r} {_NO_MEMORY}."}
    except subprocess.TimeoutExpired:
        raise ModelFileError(f"the model {given!r} did not answer within {limit:.0f} s.") from None
    except ValueError as error:  # a path with a zero byte
        raise ModelFileError(f"cannot read the model {given!r}: {error}.") from error
    if "error" in found:
        raise ModelFileError(found["error"])
    return read_card({METADATA_KEY: found["card"]}, f"the model {given!r}"), found["sentence"]


def answer_probe(path: str) -> dict[str, str]:
    """Return the card of a model and a sentence on its answers, or what is wrong with it.

    Args:
        path: Model file, or the name of an embedded model; empty for the default model.
    """
    try:
        model = ModelSession.load(path or None, threads=1)
        card = model.card
        seconds = min(max(1.0, card.minimum_duration), card.maximum_duration)
        size = round(seconds * card.sampling_rate)
        noise = 0.1 * np.random.default_rng(0).standard_normal(size)
        waveform = np.stack([noise, np.zeros(size)]).astype(np.float32)
        before = time.perf_counter()
        model.run(waveform, np.full(2, size, np.int64))
        took = 1000 * (time.perf_counter() - before)
    except InferenceError:
        return {"error": f"the model {path!r} fails on noise and silence of {seconds:g} s, or needs too much memory."}
    except SerkitError as error:
        return {"error": " ".join(str(error).split())}
    except MemoryError:
        return {"error": f"the model {path!r} {_NO_MEMORY}."}
    sentence = (
        f"it answered {seconds:g} s of noise and of silence in {took:.0f} ms, each with {len(card.classes)} "
        "probabilities that sum to 1"
    )
    return {"card": write_card(card)[METADATA_KEY], "sentence": sentence}


def _limit_address_space(memory: int) -> None:
    if sys.platform != "win32":
        import resource

        with suppress(OSError, ValueError):  # a container may already have set a lower limit; macOS may refuse
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _limit_address_space(int(sys.argv[2]))
    print(json.dumps(answer_probe(sys.argv[1])))
