"""Claim: the embedded model is at least 30 times faster on a 3 s clip than a wav2vec2-base encoder.

The baseline is a usual encoder in speech emotion recognition: transformers' Wav2Vec2Model in its base size, under
``torch.inference_mode``, with random weights, which do not change the time. serkit is timed with everything that
`Recognizer.predict` does; the baseline has no classifier, which favors it. The baseline is timed on one thread and on
two (or as many as serkit uses, if more), and the faster one counts: on a busy machine torch's threads wait for each
other, and two can take several times as long as one.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from _verdict import SAMPLING_RATE, SECONDS, at_least, detail, median_seconds, speech_clip

GOAL = 30.0
FEWEST_THREADS = 2
RUNS = (100, 10, 10)  # serkit, wav2vec2 on one thread, wav2vec2 on more
TASKS = Path("/proc/self/task")  # Linux


def wav2vec2() -> Callable[[int], object]:
    """Return a function of the number of threads that encodes the clip with wav2vec2-base.

    Without torch and transformers, the process ends with the command that installs them.
    """
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    try:
        import torch
        from transformers import Wav2Vec2Config, Wav2Vec2Model
    except ImportError:
        print("inference.py needs torch and transformers: pip install -e '.[bench]'", file=sys.stderr)
        raise SystemExit(2) from None
    model = Wav2Vec2Model(Wav2Vec2Config()).eval()
    waveform = torch.from_numpy(speech_clip()).unsqueeze(0)  # (1, T)

    @torch.inference_mode()
    def encode(threads: int) -> object:
        torch.set_num_threads(threads)
        return model(waveform).last_hidden_state  # (1, T', 768)

    return encode


def embedded() -> tuple[Callable[[], object], int]:
    """Return a function that recognizes the clip with the embedded model, and the number of threads it may use."""
    import serkit

    samples = speech_clip()
    import_module("onnxruntime")  # starts a thread that computes nothing
    others = running_threads()
    recognizer = serkit.load()

    def recognize() -> object:
        return recognizer.predict(samples, sampling_rate=SAMPLING_RATE)

    recognize()  # a session that opens on first use opens here
    pool = running_threads() - others
    return recognize, 1 + pool if TASKS.is_dir() else os.cpu_count() or FEWEST_THREADS


def running_threads() -> int:
    """Return the number of this process's threads; 0 where the system does not list them."""
    return len(list(TASKS.iterdir())) if TASKS.is_dir() else 0


def main() -> int:
    """Time both and print the verdict; return the exit code."""
    recognize, used = embedded()
    encode, threads = wav2vec2(), max(FEWEST_THREADS, used)
    actions = [recognize, partial(encode, 1), partial(encode, threads)]
    mine, one, more = median_seconds(actions, runs=RUNS)
    detail(f"serkit, {SECONDS:g} s clip: {mine * 1000:.2f} ms on {used} threads")
    detail(f"wav2vec2-base: {one * 1000:.0f} ms on 1 thread, {more * 1000:.0f} ms on {threads}")
    detail(f"(medians of {', '.join(map(str, RUNS))} calls, in turn)")
    return at_least("inference", min(one, more) / mine, GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
