"""Claim: windows placed in speech recognize more of it correctly than successive pieces of 3 s (emodb-xlsr report).

Clips of one speaker are joined in a random order, with pauses and quiet noise, so the true emotion is known at every
time. A timeline is scored against it:

- frame UAR: recall over the emotions of speech, in frames of 20 ms; missed speech counts as wrong.
- segment F1: a segment is correct if it has the emotion of a stretch of speech and their overlap is at least half of
  their union.
- boundary: distance of the nearest segment boundary from a change of emotion, median, in seconds.

    python benchmarks/over_time.py [RUN] [--data DIR]

RUN is a run folder that ``serkit evaluate`` made on this machine: then each fold's model is tested on its own test
speakers, as in docs/BENCHMARKS.md. Without RUN the embedded model is tested on its validation speakers, which it was
not trained on, but calibrated with. The script needs the corpora of the model and exits with 2 without them.
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
from serkit.lab.exporting.model_file import export
from serkit.lab.measure.metrics import confusion_matrix, uar
from serkit.lab.measure.run_folder import read_folds

FRAME = 0.02
OVERLAP = 0.5  # least intersection over union of a correct segment
QUIET = 0.01  # level relative to the loudest sample below which the ends of a clip are trimmed
NOISE = 3e-4
CLIPS = 24  # per recording
PLAIN = {"vad": False, "window": 3.0, "hop": 3.0}
SETTINGS: dict[str, dict[str, float | bool]] = {
    "plain 3 s pieces (emodb-xlsr report)": PLAIN,
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
    """Counts over all recordings."""

    confusion: NDArray[np.int64]
    found: int = 0  # correct segments
    said: int = 0  # segments
    true: int = 0  # true stretches of speech
    distances: tuple[float, ...] = ()

    def line(self) -> str:
        """Return frame UAR, segment F1 and boundary distance as cells."""
        f1 = 2 * self.found / (self.said + self.true)
        return f"{100 * self.uar:.1f} | {100 * f1:.1f} | {np.median(self.distances):.2f}"

    @property
    def uar(self) -> float:
        """Frame UAR; the last column of the confusion matrix is missed speech."""
        return uar(self.confusion)


def recordings(manifest: Manifest, rate: int, *, seed: int) -> Iterator[tuple[NDArray[np.float32], list[Told]]]:
    """Yield a recording of each speaker's clips, and its true stretches of speech."""
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
    """Add the scores of one recording."""
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
    """Score a model on recordings of some speakers, with every setting."""
    card = recognizer.card
    names = [str(corpus["name"]) for corpus in card.corpora]
    everything = read_corpora(names, data).filter(lambda u: u.speaker in speakers and u.emotion in card.classes)
    for sound, told in recordings(everything, card.sampling_rate, seed=0):
        for name, settings in SETTINGS.items():
            made = recognizer.timeline(sound, sampling_rate=card.sampling_rate, threshold=0.0, **settings)  # type: ignore[arg-type]
            empty = Scores(np.zeros((len(card.classes) + 1,) * 2, np.int64))
            score(made, told, scores.setdefault(name, empty))


def models(run: Path | None, folder: Path) -> Iterator[tuple[Recognizer, list[str]]]:
    """Yield models, each with its test speakers."""
    if run is None:
        recognizer = serkit.load()
        yield recognizer, list(recognizer.card.validation_speakers)
        return
    for fold in read_folds(run):
        file = folder / f"fold{fold['fold']}.onnx"
        export(run, file, fold=fold["fold"])
        yield Recognizer.load(file), fold["test"]["speakers"]


def main() -> int:
    """Measure, print the table on stderr and the verdict on stdout; return the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--data", default=os.environ.get("SERKIT_CORPORA"))
    given = parser.parse_args()
    if not given.data:
        print("over_time.py needs the corpora: pass --data DIR, or set SERKIT_CORPORA.", file=sys.stderr)
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
