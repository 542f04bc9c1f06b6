"""What corpora hold, measured from the audio itself: balance, durations, rates, loudness, pitch.

Loudness and pitch are measured on the mix-down, which is what models hear.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from serkit.audio.decode import load_audio, probe
from serkit.data.curation.f0 import track_pitch
from serkit.data.curation.loudness import loudness
from serkit.data.manifest import Manifest
from serkit.errors import AudioError, NoSamplesError
from serkit.labels import EMOTIONS
from serkit.progress import OnProgress, begin_task
from serkit.types import FloatArray, Sex, Utterance

_SEXES: tuple[Sex, ...] = ("female", "male", "unknown")


@dataclass(frozen=True, slots=True)
class Clip:
    """What was measured of one utterance.

    Attributes:
        id: Of the utterance; corpus, speaker, sex and emotion are its own too.
        duration: Seconds.
        sampling_rate: Of the file, in Hz.
        loudness: LUFS, None where nothing is louder than -70.
        pitch: Median of the fundamental frequency over the voiced frames in Hz, None where there are none.
    """

    id: str
    corpus: str
    speaker: str
    sex: Sex
    emotion: str
    duration: float
    sampling_rate: int
    loudness: float | None
    pitch: float | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An utterance whose audio could not be read: its id, corpus, file, and why."""

    id: str
    corpus: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Five numbers that say how values spread."""

    least: float
    first: float
    median: float
    third: float
    most: float


@dataclass(frozen=True, slots=True)
class Group:
    """Clips that have something in common, in numbers.

    Attributes:
        corpus: Their corpus.
        name: What they share within it: an emotion or a speaker; empty for a whole corpus.
        clips: How many could be read.
        emotions: Clips of each emotion, in the order of :data:`serkit.labels.EMOTIONS`.
        speakers: Speakers of each sex.
        sampling_rates: Clips of each rate in Hz.
        seconds: Of audio in all.
        duration: Quartiles in seconds, None where there is no clip.
        loudness: Quartiles in LUFS.
        pitch: Quartiles over clips of the clip's median in Hz, for each sex that has any.
    """

    corpus: str
    name: str
    clips: int
    emotions: Mapping[str, int]
    speakers: Mapping[Sex, int]
    sampling_rates: Mapping[int, int]
    seconds: float
    duration: Quartiles | None
    loudness: Quartiles | None
    pitch: Mapping[Sex, Quartiles]


@dataclass(frozen=True, slots=True)
class CorpusStats:
    """What corpora hold.

    Attributes:
        corpora: Names, in the manifest's order; one may have no readable clip.
        clips: One per readable utterance, in the manifest's order.
        unreadable: The others.
    """

    corpora: tuple[str, ...]
    clips: tuple[Clip, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions that occur, in canonical order."""
        return tuple(_ordered(clip.emotion for clip in self.clips))

    def by(self, what: Literal["corpus", "emotion", "speaker"]) -> tuple[Group, ...]:
        """Return the clips of each corpus, of each corpus's emotions, or of its speakers.

        Corpora come in the manifest's order, emotions in canonical order, speakers sorted.
        """
        members: dict[tuple[str, str], list[Clip]] = defaultdict(list)
        for clip in self.clips:
            members[clip.corpus, "" if what == "corpus" else getattr(clip, what)].append(clip)
        if what == "corpus":
            keys = [(corpus, "") for corpus in self.corpora]
        else:
            ranks = {name: rank for rank, name in enumerate(EMOTIONS if what == "emotion" else ())}
            keys = sorted(members, key=lambda key: (self.corpora.index(key[0]), ranks.get(key[1], 0), key[1]))
        return tuple(_group(*key, members[key]) for key in keys)

    def to_json(self) -> dict[str, Any]:
        """Return what ``json.dumps`` takes: the groups, and the utterances that could not be read."""
        return {
            "corpora": [asdict(group) for group in self.by("corpus")],
            "classes": [asdict(group) for group in self.by("emotion")],
            "speakers": [asdict(group) for group in self.by("speaker")],
            "unreadable": [asdict(clip) for clip in self.unreadable],
        }


@dataclass(frozen=True, slots=True)
class Table:
    """A table as text, for a terminal or a page.

    Attributes:
        title: What it shows.
        columns: Headings with their units.
        rows: One cell per column; empty where nothing is known.
        names: How many columns at the left are names; the others hold numbers and stand to the right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


def describe(manifest: Manifest, *, on_progress: OnProgress | None = None, jobs: int | None = None) -> CorpusStats:
    """Decode every utterance of a manifest and measure it.

    Args:
        manifest: Of one or several corpora, with their roots. A file that several utterances share is decoded once.
        on_progress: Callback for the progress of measuring.
        jobs: Threads; as many as processors without it. The answer does not depend on it.

    Returns:
        The measurements. Audio that cannot be read is named in them; it stops nothing.

    Raises:
        ManifestError: If the root of a corpus is not known.
    """
    files: dict[Path, list[Utterance]] = defaultdict(list)
    for utterance in manifest:
        files[manifest.audio_path(utterance)].append(utterance)
    found: dict[str, Clip | Unreadable] = {}
    pool = ThreadPoolExecutor(jobs or os.cpu_count())
    try:
        step = begin_task("measuring", len(manifest), on_progress)
        for measured in pool.map(_measure, files, files.values()):
            found.update((one.id, one) for one in measured)
            step(len(found))
    finally:
        pool.shutdown(cancel_futures=True)  # who interrupts it does not wait for the rest
    ordered = [found[utterance.id] for utterance in manifest]
    return CorpusStats(
        manifest.corpora,
        tuple(one for one in ordered if isinstance(one, Clip)),
        tuple(one for one in ordered if isinstance(one, Unreadable)),
    )


def tables(stats: CorpusStats) -> tuple[Table, ...]:
    """Lay out what corpora hold: by corpus, class by corpus, class, speaker, and class by speaker.

    Args:
        stats: From :func:`describe`.

    Returns:
        Five tables, those without a row left out. Spreads are written "median [first quartile, third quartile]".
    """
    corpora, classes, speakers = stats.by("corpus"), stats.by("emotion"), stats.by("speaker")
    sexes = [sex for sex in _SEXES if any(sex in group.speakers for group in corpora)]
    spreads = ("duration, s", "loudness, LUFS", *(f"f0 {sex}, Hz" for sex in sexes))
    made = (
        Table(
            "Corpora: median and quartiles over clips",
            ("corpus", "clips", "unreadable", "speakers", "hours", "rates, Hz", *spreads),
            tuple(_corpus_row(group, stats, sexes) for group in corpora),
        ),
        Table(
            "Clips per class",
            ("emotion", *stats.corpora),
            tuple((emotion, *(_share(group, emotion) for group in corpora)) for emotion in stats.emotions),
        ),
        Table(
            "Classes: median and quartiles over clips",
            ("corpus", "emotion", "clips", *spreads),
            tuple((group.corpus, group.name, str(group.clips), *_spreads(group, sexes)) for group in classes),
            names=2,
        ),
        Table(
            "Speakers: medians over clips",
            ("speaker", "sex", "clips", "seconds", "loudness, LUFS", "f0, Hz"),
            tuple(_speaker_row(group) for group in speakers),
            names=2,
        ),
        Table(
            "Clips per speaker and class",
            ("speaker", *stats.emotions),
            tuple((group.name, *(str(group.emotions.get(name, 0)) for name in stats.emotions)) for group in speakers),
        ),
    )
    return tuple(table for table in made if table.rows)


def _measure(path: Path, utterances: Sequence[Utterance]) -> list[Clip | Unreadable]:
    """Decode a file and measure the utterances in it."""
    try:
        rate = probe(path).sampling_rate
        samples = load_audio(path, target_rate=rate)
    except AudioError as error:
        return [Unreadable(u.id, u.corpus, u.path, str(error)) for u in utterances]
    return [_clip(u, samples, rate) for u in utterances]


def _clip(utterance: Utterance, samples: FloatArray, rate: int) -> Clip | Unreadable:
    u = utterance
    end = len(samples) if u.end is None else round(u.end * rate)
    part = samples[round(u.start * rate) : end]
    try:
        if not len(part):
            raise NoSamplesError(f"{u.path} holds nothing between {u.start} and {u.end or len(samples) / rate} s.")
        pitch = track_pitch(part, sampling_rate=rate)
    except AudioError as error:
        return Unreadable(u.id, u.corpus, u.path, str(error))
    level, voiced = loudness(part, sampling_rate=rate), pitch[np.isfinite(pitch)]
    return Clip(
        u.id, u.corpus, u.speaker, u.sex, u.emotion, len(part) / rate, rate,
        level if np.isfinite(level) else None, float(np.median(voiced)) if len(voiced) else None,
    )  # fmt: skip


def _group(corpus: str, name: str, clips: Sequence[Clip]) -> Group:
    sexes = Counter(sex for _, sex in {(clip.speaker, clip.sex) for clip in clips})
    pitch = {sex: _quartiles(clip.pitch for clip in clips if clip.sex == sex) for sex in _SEXES}
    return Group(
        corpus=corpus,
        name=name,
        clips=len(clips),
        emotions=_ordered(clip.emotion for clip in clips),
        speakers={sex: sexes[sex] for sex in _SEXES if sex in sexes},
        sampling_rates=dict(sorted(Counter(clip.sampling_rate for clip in clips).items())),
        seconds=sum(clip.duration for clip in clips),
        duration=_quartiles(clip.duration for clip in clips),
        loudness=_quartiles(clip.loudness for clip in clips),
        pitch={sex: spread for sex, spread in pitch.items() if spread},
    )


def _ordered(emotions: Iterable[str]) -> dict[str, int]:
    """Count emotions, in canonical order."""
    counts = Counter(emotions)
    return {emotion: counts[emotion] for emotion in EMOTIONS if counts[emotion]}


def _corpus_row(group: Group, stats: CorpusStats, sexes: Sequence[Sex]) -> tuple[str, ...]:
    unreadable = sum(one.corpus == group.corpus for one in stats.unreadable)
    speakers = ", ".join(f"{count} {sex}" for sex, count in group.speakers.items())
    rates = ", ".join(map(str, group.sampling_rates))
    hours = f"{group.seconds / 3600:.2f}"
    return group.corpus, str(group.clips), str(unreadable), speakers, hours, rates, *_spreads(group, sexes)


def _speaker_row(group: Group) -> tuple[str, ...]:
    level = f"{group.loudness.median:.1f}" if group.loudness else ""
    pitch = ", ".join(f"{spread.median:.0f}" for spread in group.pitch.values())
    return group.name, ", ".join(group.speakers), str(group.clips), f"{group.seconds:.1f}", level, pitch


def _spreads(group: Group, sexes: Sequence[Sex]) -> tuple[str, ...]:
    pitches = (_spread(group.pitch.get(sex), 0) for sex in sexes)
    return _spread(group.duration, 2), _spread(group.loudness, 1), *pitches


def _spread(spread: Quartiles | None, digits: int) -> str:
    if spread is None:
        return ""
    return f"{spread.median:.{digits}f} [{spread.first:.{digits}f}, {spread.third:.{digits}f}]"


def _share(group: Group, emotion: str) -> str:
    count = group.emotions.get(emotion, 0)
    return f"{count} ({100 * count / group.clips:.0f} %)" if count else "0"


def _quartiles(values: Iterable[float | None]) -> Quartiles | None:
    known = [value for value in values if value is not None]
    return Quartiles(*(float(q) for q in np.percentile(known, (0, 25, 50, 75, 100)))) if known else None
