"""Claim: windows placed in speech name more of it rightly than document D's cutting into pieces of 3 s.

Clips of one speaker are joined, in an order that is drawn, with pauses and quiet noise, so that it is known who says
what when. What is measured of a timeline, against that:

- frame UAR: recall over the emotions of speech, in frames of 20 ms; speech that is missed counts as wrong.
- segment F1: a segment is right if it has the emotion of a stretch of speech, and half of their union in common.
- boundary: how far the nearest boundary is from a change of emotion, median, in seconds.

    python benchmarks/over_time.py [RUN] [--data DIR]

With RUN, a run folder of ``serkit evaluate`` on this machine, each fold's model hears its own test speakers; that is
what docs/BENCHMARKS.md shows. Without it the embedded model hears the speakers that it was validated on: not trained
on, but calibrated by. Needs the corpora of the model; without them it ends with exit code 2.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import serkit
from _verdict import at_least, detail
from serkit import Recognizer, Timeline
from serkit.audio.decode import load_audio
from serkit.data.corpora import read_corpora
from serkit.data.manifest import Manifest
from serkit.lab.export.model_file import export
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.lab.measure.run_folder import read_folds

FRAME = 0.02
OVERLAP = 0.5  # intersection over union from which on a segment is found
QUIET = 0.01  # of the loudest sample: what lies below at a clip's ends is no speech
NOISE = 3e-4
CLIPS = 24  # of a recording
PLAIN = {"vad": False, "window": 3.0, "hop": 3.0}
SETTINGS: dict[str, dict[str, float | bool]] = {
    "plain 3 s pieces (document D)": PLAIN,
    "window 3 s, hop 1 s": {},
    "window 3 s, hop 3 s": {"hop": 3.0},
    "window 3 s, hop 0.5 s": {"hop": 0.5},
    "window 1.5 s, hop 0.5 s": {"window": 1.5, "hop": 0.5},
    "window 1.5 s, hop 0.5 s, smoothed 1 s": {"window": 1.5, "hop": 0.5, "smooth": 1.0},
    "window 1 s, hop 0.25 s, smoothed 1 s": {"window": 1.0, "hop": 0.25, "smooth": 1.0},
}


@dataclass(frozen=True)
class Told:
    """A stretch of speech with one emotion, in seconds."""

    start: float
    end: float
    emotion: str


@dataclass
class Scores:
    """What is counted over all recordings."""

    confusion: NDArray[np.int64]
    found: int = 0  # segments that are right
    said: int = 0  # segments
    true: int = 0  # stretches
    distances: tuple[float, ...] = ()

    def line(self) -> str:
        """Return frame UAR, segment F1 and boundary distance as cells."""
        f1 = 2 * self.found / (self.said + self.true)
        return f"{100 * self.uar:.1f} | {100 * f1:.1f} | {np.median(self.distances):.2f}"

    @property
    def uar(self) -> float:
        """Frame UAR; the last column is what was missed."""
        return uar(self.confusion)


def recordings(manifest: Manifest, rate: int, *, seed: int) -> Iterator[tuple[NDArray[np.float32], list[Told]]]:
    """Yield a recording of each speaker's clips, and what is told in it."""
    for number, speaker in enumerate(manifest.speakers):
        rng = np.random.default_rng([seed, number])
        own = [u for u in manifest if u.speaker == speaker]
        pieces, told, at = [np.zeros(rate, np.float32)], list[Told](), rate
        for i in rng.permutation(len(own))[:CLIPS]:
            clip = load_audio(manifest.audio_path(own[i]), target_rate=rate)
            loud = np.flatnonzero(np.abs(clip) > QUIET * np.abs(clip).max())
            clip = clip[loud[0] : loud[-1] + 1]
            pause = np.zeros(int(rng.uniform(0.3, 1.2) * rate), np.float32)
            pieces += [clip, pause]
            told.append(Told(at / rate, (at + len(clip)) / rate, own[i].emotion))
            at += len(clip) + len(pause)
        sound = np.concatenate(pieces)
        yield sound + rng.normal(0, NOISE, len(sound)).astype(np.float32), told


def score(timeline: Timeline, told: Sequence[Told], scores: Scores) -> None:
    """Add one recording."""
    classes = [*timeline.classes, ""]
    heard = np.full(round(timeline.duration / FRAME) + 1, len(classes) - 1)
    for segment in timeline.segments:
        heard[round(segment.start / FRAME) : round(segment.end / FRAME)] = classes.index(segment.emotion)
    for one in told:
        span = slice(round(one.start / FRAME), round(one.end / FRAME))
        true = np.full(span.stop - span.start, classes.index(one.emotion))
        scores.confusion += confusion_matrix(true, heard[span], len(classes))
    scores.said, scores.true = scores.said + len(timeline.segments), scores.true + len(told)
    scores.found += sum(any(_matches(one, s) for s in timeline.segments) for one in told)
    edges = np.array([edge for s in timeline.segments for edge in (s.start, s.end)] or [np.inf])
    changes = [a.end for a, b in pairwise(told) if a.emotion != b.emotion]
    scores.distances += tuple(min(np.abs(edges - change).min(), 10.0) for change in changes)


def _matches(one: Told, segment: serkit.Segment) -> bool:
    common = min(one.end, segment.end) - max(one.start, segment.start)
    union = max(one.end, segment.end) - min(one.start, segment.start)
    return one.emotion == segment.emotion and common / union >= OVERLAP


def measure(recognizer: Recognizer, speakers: Sequence[str], data: str, scores: dict[str, Scores]) -> None:
    """Let a model hear recordings of some speakers, by every setting."""
    card = recognizer.card
    names = [str(corpus["name"]) for corpus in card.corpora]
    everything = read_corpora(names, data).filter(lambda u: u.speaker in speakers and u.emotion in card.classes)
    for sound, told in recordings(everything, card.sampling_rate, seed=0):
        for name, settings in SETTINGS.items():
            made = recognizer.timeline(sound, sampling_rate=card.sampling_rate, threshold=0.0, **settings)  # type: ignore[arg-type]
            empty = Scores(np.zeros((len(card.classes) + 1,) * 2, np.int64))
            score(made, told, scores.setdefault(name, empty))


def models(run: Path | None, folder: Path) -> Iterator[tuple[Recognizer, list[str]]]:
    """Yield models, each with the speakers that it may be tested on."""
    if run is None:
        recognizer = serkit.load()
        yield recognizer, list(recognizer.card.validation_speakers)
        return
    for fold in read_folds(run):
        file = folder / f"fold{fold['fold']}.onnx"
        export(run, file, fold=fold["fold"])
        yield Recognizer.load(file), fold["test"]["speakers"]


def main() -> int:
    """Measure, print the table on stderr and the verdict on stdout; returns the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--data", default=os.environ.get("SERKIT_CORPORA"))
    given = parser.parse_args()
    if not given.data:
        print("over_time.py needs the corpora: --data DIR, or the variable SERKIT_CORPORA.", file=sys.stderr)
        return 2
    scores: dict[str, Scores] = {}
    with tempfile.TemporaryDirectory() as folder:
        for recognizer, speakers in models(given.run, Path(folder)):
            measure(recognizer, speakers, given.data, scores)
    detail("| timeline | frame UAR | segment F1 | boundary, s |\n|---|---|---|---|")
    for name, found in scores.items():
        detail(f"| {name} | {found.line()} |")
    plain, ours = (scores[name].uar for name in list(SETTINGS)[:2])
    return at_least("frame UAR against plain 3 s pieces", ours / plain, 1.0)


if __name__ == "__main__":
    raise SystemExit(main())
