"""Claims: the timeline of an hour takes at most 1/150 of an hour, and a live stream has no noticeable delay.

- `timeline`: speed relative to real time of decoding, speech detection, a window of 3 s every second through the
  embedded model, and merging; and the same without speech detection.
- `window against wav2vec2-base`: time of one window of 3 s with the embedded model, and with wav2vec2-base (random
  weights, which do not change the time) on the number of threads that is fastest for it.
- `stream push within 20 ms`: 20 ms divided by the 99th percentile of the time of one push of 100 ms.

The recording is FLAC at 44.1 kHz: clips of RAVDESS and EmoDB, or of examples/ without those corpora, with pauses and
quiet noise.
"""

import tempfile
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import soundfile

import serkit
from _recording import write_talk
from _verdict import SAMPLING_RATE, at_least, detail, seconds_of
from inference import wav2vec2

SECONDS = 3600.0
RATE = 44_100
ROUNDS = 3
GOAL, GOAL_WITHOUT_VAD, GOAL_WINDOW, GOAL_PUSH = 150.0, 250.0, 50.0, 1.0
WINDOWS, PUSH_SECONDS, LIMIT = 60, 0.1, 0.020


def measure_hour(recognizer: serkit.Recognizer, file: Path) -> int:
    """Time the hour with and without speech detection, in turn."""
    taken: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(ROUNDS):
        for vad in (True, False):
            taken[vad].append(seconds_of(partial(recognizer.timeline, file, vad=vad)))
    found = recognizer.timeline(file)
    spoken = sum(speech.end - speech.start for speech in found.speech)
    detail(f"one hour, {spoken / SECONDS:.0%} speech, {len(found.windows)} windows, {len(found.segments)} segments")
    for vad, times in taken.items():
        detail(f"{'with' if vad else 'without'} speech detection: {', '.join(f'{t:.1f}' for t in times)} s")
    return at_least("timeline", SECONDS / median(taken[True]), GOAL) | at_least(
        "timeline without vad", SECONDS / median(taken[False]), GOAL_WITHOUT_VAD
    )


def measure_windows(recognizer: serkit.Recognizer, file: Path) -> int:
    """Time the embedded model per window, and wav2vec2-base."""
    samples, rate = soundfile.read(file, frames=120 * RATE, dtype="float32")
    encode = wav2vec2()
    of_windows = samples[: (WINDOWS + 2) * rate]
    alone, ours = min((1, 2), key=lambda threads: seconds_of(lambda: encode(threads))), []
    for _ in range(ROUNDS):
        ours.append(seconds_of(lambda: recognizer.timeline(of_windows, sampling_rate=rate, vad=False)) / WINDOWS)
    theirs = [seconds_of(lambda: encode(alone)) for _ in range(WINDOWS // 4)]
    detail(f"a window: {median(ours) * 1000:.2f} ms with resampling, wav2vec2-base {median(theirs) * 1000:.0f} ms")
    return at_least("window against wav2vec2-base", median(theirs) / median(ours), GOAL_WINDOW)


def measure_stream(file: Path) -> int:
    """Push two minutes of sound in pieces of a tenth of a second."""
    samples, rate = soundfile.read(file, frames=120 * RATE, dtype="float32")
    recognizer, step = serkit.load(threads=1), round(PUSH_SECONDS * RATE)
    times: list[float] = []
    for _ in range(ROUNDS):
        stream = recognizer.stream(sampling_rate=rate)
        for start in range(0, len(samples), step):
            times.append(seconds_of(partial(stream.push, samples[start : start + step])))
        stream.flush()
    worst = float(np.percentile(times, 99))
    share = sum(times) / (ROUNDS * len(samples) / rate)
    detail(f"a push of {PUSH_SECONDS:g} s: median {median(times) * 1000:.2f} ms, 99 % within {worst * 1000:.1f} ms; "
           f"{share:.1%} of one core")  # fmt: skip
    return at_least("stream push within 20 ms", LIMIT / worst, GOAL_PUSH)


def main() -> int:
    """Run all three benchmarks; return the exit code."""
    recognizer = serkit.load()
    assert recognizer.card.sampling_rate == SAMPLING_RATE
    with tempfile.TemporaryDirectory() as folder:
        file = write_talk(Path(folder) / "talk.flac", SECONDS, RATE)
        return measure_hour(recognizer, file) | measure_windows(recognizer, file) | measure_stream(file)


if __name__ == "__main__":
    raise SystemExit(main())
