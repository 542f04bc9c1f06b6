"""Compares each number of `prosody` with openSMILE's eGeMAPSv02, over real clips of EmoDB and RAVDESS.

The script prints a Markdown table for docs/FEATURES.md and the time of both. openSMILE divides deviations by the mean;
they are multiplied by it again before the comparison. It needs `pip install opensmile` and the corpora
(SERKIT_CORPORA).
"""

import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from serkit.audio.decode import load_audio
from serkit.data.corpora import find_corpus, get_corpus
from serkit.lab.features.prosody import PROSODY, Prosody, ProsodyConfig

RATE = 16_000
CLIPS = 110  # of each corpus
TIMED = 40
_CONTOUR = {
    "mean": "amean", "deviation": "stddevNorm", "percentile_20": "percentile20.0", "median": "percentile50.0",
    "percentile_80": "percentile80.0", "range_20_80": "pctlrange0-2", "rising_slope": "meanRisingSlope",
    "rising_slope_deviation": "stddevRisingSlope", "falling_slope": "meanFallingSlope",
    "falling_slope_deviation": "stddevFallingSlope",
}  # fmt: skip
_MEASURES = {
    "jitter": "jitterLocal", "shimmer_db": "shimmerLocaldB", "hnr_db": "HNRdBACF", "h2_h3_db": "logRelF0-H1-H2",
    "h1_a3_db": "logRelF0-H1-A3", "alpha_ratio": "alphaRatio", "hammarberg_index": "hammarbergIndex",
    "slope_0_500": "slope{}0-500", "slope_500_1500": "slope{}500-1500", "flux": "spectralFlux",
    **{f"mfcc_{i}": f"mfcc{i}" for i in range(1, 5)},
    **{f"f{i}_hz": f"F{i}frequency" for i in range(1, 4)},
    **{f"f{i}_bandwidth_hz": f"F{i}bandwidth" for i in range(1, 4)},
    **{f"f{i}_level_db": f"F{i}amplitudeLogRelF0" for i in range(1, 4)},
}  # fmt: skip
_RHYTHM = {
    "loudness_peaks_per_second": "loudnessPeaksPerSec", "voiced_segments_per_second": "VoicedSegmentsPerSec",
    "voiced_length_mean": "MeanVoicedSegmentLengthSec", "voiced_length_deviation": "StddevVoicedSegmentLengthSec",
    "unvoiced_length_mean": "MeanUnvoicedSegmentLength", "unvoiced_length_deviation": "StddevUnvoicedSegmentLength",
    "level_db": "equivalentSoundLevel_dBp",
}  # fmt: skip


def counterpart(name: str) -> str:
    """Return openSMILE's name for a number of `prosody`."""
    if name in _RHYTHM:
        return _RHYTHM[name]
    for prefix, theirs in (("f0_semitones_", "F0semitoneFrom27.5Hz_sma3nz_"), ("loudness_", "loudness_sma3_")):
        if name.startswith(prefix):
            return theirs + _CONTOUR[name.removeprefix(prefix)]
    measure, _, number = name.rpartition("_")
    for suffix, mark in (("_voiced", "V"), ("_unvoiced", "UV"), ("", "")):
        if measure.endswith(suffix):
            theirs = _MEASURES[measure.removesuffix(suffix)]
            theirs = theirs.format(mark) if "{}" in theirs else theirs + mark
            smoothed = "sma3" if suffix == "" and measure.startswith(("flux", "mfcc")) else "sma3nz"
            return f"{theirs}_{smoothed}_{_CONTOUR[number]}"
    raise AssertionError(name)


def read_clips() -> Iterator[NDArray[np.float32]]:
    """Yield clips spread over both corpora, each (T,), at 16 kHz."""
    root = os.environ.get("SERKIT_CORPORA", "")
    for corpus in ("emodb", "ravdess"):
        folder = find_corpus(corpus, root)
        utterances = tuple(get_corpus(corpus).manifest(folder))
        for utterance in utterances[:: len(utterances) // CLIPS][:CLIPS]:
            yield load_audio(folder / utterance.path, target_rate=RATE)


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return the rank correlation; equal values share the mean of their ranks."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(x: NDArray[np.float64]) -> NDArray[np.float64]:
    _, group, count = np.unique(x, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(count) - (count - 1) / 2)[group]
    return ranks


def compare(ours: NDArray[np.float64], theirs: NDArray[np.float64], names: list[str]) -> None:
    """Print the table of correlations of our numbers (clips, ours) and openSMILE's (clips, theirs)."""
    print("| number | openSMILE | Pearson | Spearman |\n|---|---|---:|---:|")
    for i, name in enumerate(PROSODY):
        if name.startswith("h1_h2_db"):  # openSMILE counts harmonics from the one above the fundamental
            continue
        other = counterpart(name)
        column = theirs[:, names.index(other)]
        if other.endswith("stddevNorm"):
            column = column * theirs[:, names.index(other.replace("stddevNorm", "amean"))]
        a, b = ours[:, i], column
        print(f"| `{name}` | `{other}` | {np.corrcoef(a, b)[0, 1]:.2f} | {spearman(a, b):.2f} |")


def milliseconds(
    actions: list[Callable[[NDArray[np.float32]], object]], clips: list[NDArray[np.float32]]
) -> list[float]:
    """Time actions in turn, clip by clip, so that a busy machine slows all of them; return their medians."""
    taken = np.empty((len(clips), len(actions)))
    for row, clip in zip(taken, clips, strict=True):
        for i, action in enumerate(actions):
            start = time.perf_counter()
            action(clip)
            row[i] = 1000 * (time.perf_counter() - start)
    medians: list[float] = np.median(taken, axis=0).tolist()
    return medians


def main() -> None:
    """Measure and print."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import opensmile
    except ImportError:
        print("_egemaps.py needs openSMILE: pip install opensmile", file=sys.stderr)
        raise SystemExit(2) from None
    torch.set_num_threads(1)
    clips = list(read_clips())
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    prosody = Prosody(ProsodyConfig())

    @torch.inference_mode()
    def measure(clip: NDArray[np.float32]) -> NDArray[np.float64]:
        numbers: NDArray[np.float64] = prosody(torch.from_numpy(clip)[None], torch.tensor([len(clip)]))[0][
            0, :, 0
        ].numpy()
        return numbers

    ours = np.stack([measure(clip) for clip in clips]).astype(np.float64)
    theirs = np.stack([smile.process_signal(clip, RATE).to_numpy()[0] for clip in clips]).astype(np.float64)
    print(
        f"{len(clips)} clips of EmoDB and RAVDESS, {np.mean([len(clip) / RATE for clip in clips]):.1f} s on average\n"
    )
    compare(ours, theirs, list(smile.feature_names))
    some = clips[:: len(clips) // TIMED]
    slow, alone = milliseconds([lambda clip: smile.process_signal(clip, RATE), measure], some)
    print(f"\nopenSMILE {slow:.1f} ms a clip; prosody on one thread {alone:.1f} ms, {slow / alone:.1f} times faster.")


if __name__ == "__main__":
    main()
