"""Claims: front ends and augmentation are many times faster than the code of common notebooks, over 500 RAVDESS clips.

- ``notebook162`` (means of ZCR, chroma, MFCC, RMS and mel) is at least 10 times faster than with librosa.
- Three such vectors per clip (clean, with noise, stretched and pitch-shifted) are at least 20 times faster.
- The log-mel spectrogram of a batch is at least 10 times faster than with librosa.
- ``prosody`` is at least 5 times faster than openSMILE's eGeMAPS.

Both sides get decoded waveforms at the front end's sampling rate and discard the results; serkit's side runs as in the
feature store. The baseline is timed on a seeded choice of 50 clips, warm, in turn with serkit on all 500, and times per
clip are compared. It runs with NumPy's matrix products on one thread and on all, and the faster one counts: on a busy
machine, spinning threads make librosa several times slower. RAVDESS is read from ``SERKIT_CORPORA``; without it, clips
of ``examples/`` are used, cut and repeated to the same lengths.
"""

import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from _verdict import at_least, detail, median_seconds

CLIPS, SLOW_CLIPS, AT_ONCE, RUNS = 500, 50, 125, 5
Clips = Sequence[NDArray[np.float32]]


def clips(rate: int) -> Clips:
    """Return 500 waveforms (T,) at a sampling rate."""
    from serkit.audio.decode import load_audio

    folder = os.environ.get("SERKIT_CORPORA")
    rng = np.random.default_rng(0)
    if folder:
        from serkit.data.corpora import read_corpora

        manifest = read_corpora(["ravdess"], folder)
        chosen = sorted(rng.choice(len(manifest), CLIPS, replace=False))
        return [load_audio(manifest.audio_path(manifest.utterances[i]), target_rate=rate) for i in chosen]
    detail("SERKIT_CORPORA is not set: using the clips of examples/ in place of RAVDESS")
    files = sorted((Path(__file__).parent.parent / "examples").glob("*.wav"))
    sounds = [load_audio(file, target_rate=rate) for file in files]
    lengths = (rng.normal(3.7, 0.3, CLIPS) * rate).astype(int)
    return [np.resize(sounds[i % len(sounds)], length) for i, length in enumerate(lengths)]


def librosa_162(samples: NDArray[np.float32], tuning: float | None = None) -> NDArray[np.float32]:
    """Compute the notebooks' vector with librosa at 22,050 Hz; ``tuning=0`` skips the tuning estimate, like serkit."""
    import librosa

    return np.hstack(
        [
            librosa.feature.zero_crossing_rate(y=samples).mean(axis=1),
            librosa.feature.chroma_stft(S=np.abs(librosa.stft(samples)), sr=22_050, tuning=tuning).mean(axis=1),
            librosa.feature.mfcc(y=samples, sr=22_050).mean(axis=1),
            librosa.feature.rms(y=samples).mean(axis=1),
            librosa.feature.melspectrogram(y=samples, sr=22_050).mean(axis=1),
        ]
    ).astype(np.float32)


def librosa_three(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the notebooks' three vectors: clean, with noise, and stretched and pitch-shifted."""
    import librosa

    rng = np.random.default_rng(0)
    noisy = samples + 0.035 * rng.uniform() * np.abs(samples).max() * rng.standard_normal(len(samples)).astype(
        np.float32
    )
    stretched = librosa.effects.time_stretch(samples, rate=0.8)
    shifted = librosa.effects.pitch_shift(stretched, sr=22_050, n_steps=0.7)
    return np.stack([librosa_162(samples), librosa_162(noisy), librosa_162(shifted)])


def on_one_thread(action: Callable[[Clips], object], sounds: Clips) -> None:
    """Run a baseline with NumPy's matrix products on one thread."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):
        action(sounds)


def store(front: torch.nn.Module, sounds: Clips) -> None:
    """Run a front end over waveforms as the feature store does, and discard each result."""
    from serkit.lab.features.extraction import frames_of_many

    deque(frames_of_many(front, sounds), maxlen=0)  # type: ignore[arg-type]


def batched(front: torch.nn.Module, sounds: Clips) -> list[NDArray[np.float32]]:
    """Run a front end over waveforms as the feature store does; return (N, F) for each."""
    from serkit.lab.features.extraction import frames_of_many

    return [row for _, row in sorted(frames_of_many(front, sounds), key=lambda pair: pair[0])]  # type: ignore[arg-type]


def compare(
    name: str, goal: float, ours: Callable[[Clips], object], theirs: Callable[[Clips], object], sounds: Clips
) -> int:
    """Time serkit on all clips and the baseline on 50 of them, in turn; print the verdict and return the exit code."""
    few = [sounds[i] for i in sorted(np.random.default_rng(1).choice(len(sounds), SLOW_CLIPS, replace=False))]
    mine, many, one = median_seconds(
        [lambda: ours(sounds), lambda: theirs(few), lambda: on_one_thread(theirs, few)], runs=(RUNS,) * 3, warm_up=1
    )
    mine, many, one = 1000 * mine / len(sounds), 1000 * many / len(few), 1000 * one / len(few)
    detail(
        f"{name}: {mine:.2f} ms per clip, the baseline {many:.2f} ms, {one:.2f} ms with NumPy on one thread"
        f" (medians of {RUNS} rounds, in turn)"
    )
    return at_least(name, min(many, one) / mine, goal)


def main() -> int:
    """Run all four benchmarks; return the exit code."""
    import librosa

    from serkit.lab.augment import build_chain, random_of
    from serkit.lab.features import build_feature

    warnings.simplefilter("ignore")
    sounds = clips(22_050)
    seconds = float(np.mean([len(s) for s in sounds])) / 22_050
    detail(f"{len(sounds)} clips of {seconds:.1f} s on average, torch on {torch.get_num_threads()} threads")
    vector = build_feature("notebook162", {"chroma_of": "magnitude"})
    difference = max(
        float(np.max(np.abs(ours[0] - librosa_162(s, 0.0)) / (1 + np.abs(ours[0]))))
        for s, ours in zip(sounds[:SLOW_CLIPS], batched(vector, sounds[:SLOW_CLIPS]), strict=True)
    )
    detail(f"notebook162: the largest difference from librosa is {difference:.1e}, relative to 1 + the value")
    noise = build_chain([{"name": "noise", "p": 1}])
    tempo = build_chain([{"name": "stretch", "rate": 0.8, "p": 1}, {"name": "pitch", "semitones": 0.7, "p": 1}])

    def three(few: Clips) -> None:
        threads = torch.get_num_threads()
        for start in range(0, len(few), AT_ONCE):
            some = few[start : start + AT_ONCE]
            pairs = [(s, random_of(0, 0, str(start + i))) for i, s in enumerate(some)]
            with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                jobs = product((noise, tempo), pairs)
                changed = list(pool.map(lambda job: job[0].apply(job[1][0], 22_050, job[1][1]), jobs))
            torch.set_num_threads(threads)
            store(vector, [*some, *changed])

    status = compare(
        "notebook162", 10, lambda few: store(vector, few), lambda few: [librosa_162(s) for s in few], sounds
    )
    status |= compare("augmented162", 20, three, lambda few: [librosa_three(s) for s in few], sounds)
    sounds = clips(16_000)
    logmel, prosody = build_feature("logmel", {}), build_feature("prosody", {})

    def librosa_logmel(few: Clips) -> None:
        for s in few:
            power = librosa.feature.melspectrogram(y=s, sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=64)
            np.log(power + 1e-6)

    status |= compare("logmel", 10, lambda few: store(logmel, few), librosa_logmel, sounds)
    try:
        import opensmile
    except ImportError:
        detail("prosody: skipped, since openSMILE is not installed: pip install 'serkit[opensmile]'")
        return status
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    status |= compare(
        "prosody",
        5,
        lambda few: store(prosody, few),
        lambda few: [smile.process_signal(s, 16_000) for s in few],
        sounds,
    )
    return status


if __name__ == "__main__":
    sys.exit(main())
