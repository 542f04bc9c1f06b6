"""Features of many waveforms, in batches of similar length on several threads."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from serkit.lab.features.front import Front
from serkit.types import SEX_VALUES, FloatArray

_AT_ONCE = 16  # utterances in a batch for a front end


def frames_of_many(
    front: Front, waveforms: Sequence[FloatArray], sexes: Sequence[float | None] | None = None
) -> Iterator[tuple[int, FloatArray]]:
    """Yield the index and the frames (N, F) of each waveform (T,), the shortest first.

    Several batches of similar lengths are computed at once, on one thread each: the operations of a front end are too
    small to be shared among threads, and too many for one clip at a time.
    """
    order = sorted(range(len(waveforms)), key=lambda i: len(waveforms[i]))
    batches = [order[start : start + _AT_ONCE] for start in range(0, len(order), _AT_ONCE)]
    known = sexes or [None] * len(waveforms)

    def compute(batch: Sequence[int]) -> list[FloatArray]:
        return frames_of_batch(front, [waveforms[i] for i in batch], [known[i] for i in batch])

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        # torch keeps the number of threads per thread: without the initializer each would use several
        with ThreadPoolExecutor(before, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for batch, rows in zip(batches, pool.map(compute, batches), strict=True):
                yield from zip(batch, rows, strict=True)
    finally:
        torch.set_num_threads(before)


def frames_of_batch(
    front: Front, waveforms: Sequence[FloatArray], sexes: Sequence[float | None] | None = None
) -> list[FloatArray]:
    """Return the frames (N, F) of each waveform (T,), computed together.

    Args:
        front: Front end.
        waveforms: Waveforms at its sampling rate.
        sexes: Sexes of the speakers, for a front end that takes them; None where unknown.
    """
    sex = None
    if front.uses_sex:
        known = sexes or [None] * len(waveforms)
        sex = torch.tensor([SEX_VALUES["unknown"] if value is None else value for value in known])
    with torch.inference_mode():
        return front.compute_many(waveforms, sex)
