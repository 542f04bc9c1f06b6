"""The worker of ``fuzz.py``: broken sound files, bombs and broken model files, in a process of its own.

python _fuzz_jobs.py sounds|bombs|models FOLDER SEED FIRST END
"""

import io
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import serkit
from _service import mutant
from _workers import Worker
from serkit.audio.damage import Damaged

SECONDS = 20.0  # for one file
CALLS: tuple[tuple[str, Damaged], ...] = (
    ("predict", "refuse"), ("predict", "skip"), ("timeline", "refuse"), ("timeline", "skip"),
)  # fmt: skip


def damaged_of(turn: int) -> Damaged:
    """Return what is done about damage in a turn; every format gets both in alternation."""
    return "skip" if turn % 2 else "refuse"


def fault_of(probabilities: Iterable[Mapping[str, float]]) -> str:
    """Return what is wrong with the probabilities of an answer, or nothing."""
    for row in probabilities:
        values = list(row.values())
        if not all(map(math.isfinite, values)) or abs(sum(values) - 1) > 1e-3:
            return f"probabilities {values}"
    return ""


def predict(model: serkit.Recognizer, audio: io.BytesIO | Path, damaged: Damaged) -> str:
    """Recognize a clip, and return what is wrong with the answer."""
    return fault_of([model.predict(audio, damaged=damaged).probabilities])


def timeline(model: serkit.Recognizer, audio: io.BytesIO | Path, damaged: Damaged, *, vad: bool = True) -> str:
    """Make a timeline, write it, and return what is wrong with it."""
    found = model.timeline(audio, damaged=damaged, vad=vad)
    found.to_json()
    return fault_of(one.probabilities for one in (*found.windows, *found.segments))


def break_sounds(worker: Worker, folder: Path, seed: int, numbers: range) -> None:
    """Give broken sound files to a model: all as clips, every tenth as a recording too."""
    model = serkit.load(threads=1)
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    with tempfile.TemporaryDirectory() as temporary:
        for number in numbers:
            content = mutant(files, number, seed=seed)[1]
            turn = number // len(files)
            path = Path(temporary) / "clip"
            path.write_bytes(content)
            worker.do(number, partial(_hear, model, path, number, turn), limit=SECONDS)


def _hear(model: serkit.Recognizer, path: Path, number: int, turn: int) -> str:
    """Answer one broken file; as a path and from memory in turn, since libsndfile reads the two in different ways."""
    faults, refusals = [], []
    calls: list[Callable[[], str]] = []
    audio = path if number % 3 else io.BytesIO(path.read_bytes())
    calls.append(partial(predict, model, audio, damaged_of(turn)))
    if (number + turn) % 10 == 0:
        calls.append(partial(timeline, model, path, damaged_of(turn // 10), vad=bool(turn % 4)))
    for call in calls:
        try:
            faults.append(call())
        except serkit.SerkitError as error:
            refusals.append(error)
    if any(faults):
        return "; ".join(faults)
    if refusals:
        raise refusals[0]
    return ""


def set_off_bombs(worker: Worker, folder: Path, seed: int, numbers: range) -> None:
    """Give bombs to a model, in the four ways of :data:`CALLS`. The name of a bomb ends in a timeline's seconds."""
    model = serkit.load(threads=1)
    paths = sorted(folder.iterdir())
    for number in numbers:
        path, (call, damaged) = paths[number // len(CALLS)], CALLS[number % len(CALLS)]
        if call == "predict":
            worker.do(number, partial(predict, model, path, damaged), limit=SECONDS)
        else:
            worker.do(number, partial(timeline, model, path, damaged), limit=float(path.stem.split("~")[1]))


def answer_batch(worker: Worker, folder: Path, seed: int, numbers: range) -> None:
    """Give all bombs to a model in one batch, with a good clip at its beginning and at its end."""
    model = serkit.load(threads=1)
    good = Path(__file__).parent.parent / "examples" / "loud_fast_high.wav"
    expected = model.predict(good).probabilities

    def batch() -> str:
        paths = [good, *sorted(folder.iterdir()), good]
        answers = list(model.predict_many(paths, on_error="return"))
        kept = [
            isinstance(one, serkit.Prediction) and one.probabilities == expected for one in (answers[0], answers[-1])
        ]
        return "" if all(kept) and len(answers) == len(paths) else f"good clips kept: {kept}"

    for number in numbers:
        worker.do(number, batch, limit=SECONDS * (2 + len(list(folder.iterdir()))))


def load_models(worker: Worker, folder: Path, seed: int, numbers: range) -> None:
    """Load broken model files, and give each that opens a clip."""
    good = Path(__file__).parent.parent / "examples" / "loud_fast_high.wav"
    paths = sorted(folder.iterdir())
    for number in numbers:
        worker.do(
            number, lambda path=paths[number]: predict(serkit.load(path, threads=1), good, "refuse"), limit=SECONDS
        )


JOBS = {"sounds": break_sounds, "bombs": set_off_bombs, "batch": answer_batch, "models": load_models}

if __name__ == "__main__":
    warnings.simplefilter("error")  # a warning about a broken file is a fault too
    kind, place, number_of_seed, first, end = sys.argv[1:]
    JOBS[kind](Worker(), Path(place), int(number_of_seed), range(int(first), int(end)))
