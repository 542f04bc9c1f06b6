"""Measures corpora from their audio: class balance, durations, sampling rates, loudness and pitch.

Loudness and pitch are measured on the mono mix, the input of models.
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
    """Measurements of one utterance, with its id, corpus, speaker, sex and emotion.

    Attributes:
        duration: Duration in seconds.
        sampling_rate: Sampling rate of the file in Hz.
        loudness: Integrated loudness in LUFS; None where nothing is louder than -70.
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
    """An utterance whose audio could not be read: its id, corpus, file and the reason."""

    id: str
    corpus: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Quartiles:
    """Minimum, quartiles and maximum of values."""

    least: float
    first: float
    median: float
    third: float
    most: float


@dataclass(frozen=True, slots=True)
class Group:
    """Statistics of the clips of one corpus, or of one emotion or speaker in it.

    Attributes:
        corpus: Name of the corpus.
        name: Emotion or speaker; empty for the whole corpus.
        clips: Number of readable clips.
        emotions: Emotion to number of clips, in the order of :data:`serkit.labels.EMOTIONS`.
        speakers: Sex to number of speakers.
        sampling_rates: Sampling rate in Hz to number of clips.
        seconds: Total duration.
        duration: Quartiles of the durations in seconds; None without a clip.
        loudness: Quartiles of the loudness in LUFS; None where no clip has one.
        pitch: Sex to the quartiles of the clips' median f0 in Hz.
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
    """Measurements of one or several corpora.

    Attributes:
        corpora: Names of the corpora in the manifest's order, also of those without a readable clip.
        clips: Measurements of the readable utterances in the manifest's order.
        unreadable: Utterances that could not be read.
    """

    corpora: tuple[str, ...]
    clips: tuple[Clip, ...]
    unreadable: tuple[Unreadable, ...]

    @property
    def emotions(self) -> tuple[str, ...]:
        """Emotions that occur, in canonical order."""
        return tuple(_ordered(clip.emotion for clip in self.clips))

    def by(self, what: Literal["corpus", "emotion", "speaker"]) -> tuple[Group, ...]:
        """Return statistics per corpus, per corpus and emotion, or per corpus and speaker.

        Corpora are in the manifest's order, emotions in canonical order, speakers sorted.
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
        """Return all groups and the unreadable utterances as values that ``json.dumps`` takes."""
        return {
            "corpora": [asdict(group) for group in self.by("corpus")],
            "classes": [asdict(group) for group in self.by("emotion")],
            "speakers": [asdict(group) for group in self.by("speaker")],
            "unreadable": [asdict(clip) for clip in self.unreadable],
        }


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts for a terminal or a page.

    Attributes:
        title: Heading of the table.
        columns: Headings of the columns, with units.
        rows: Rows with one cell per column; a cell without a value is empty.
        names: Number of columns at the left that hold names; the others hold numbers and are aligned right.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    names: int = 1


def describe(manifest: Manifest, *, on_progress: OnProgress | None = None, jobs: int | None = None) -> CorpusStats:
    """Decode and measure every utterance of a manifest.

    A file that several utterances share is decoded once. Files that cannot be read are listed in the result, and the
    remaining files are still measured.

    Args:
        manifest: Utterances of one or several corpora, with known roots.
        on_progress: Callback for the progress of measuring.
        jobs: Number of threads, by default that of the processors. It does not change the result.

    Returns:
        Measurements of all utterances.

    Raises:
        ManifestError: If no folder is known for a corpus.
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
        pool.shutdown(cancel_futures=True)  # an interrupt need not wait for the remaining files
    ordered = [found[utterance.id] for utterance in manifest]
    return CorpusStats(
        manifest.corpora,
        tuple(one for one in ordered if isinstance(one, Clip)),
        tuple(one for one in ordered if isinstance(one, Unreadable)),
    )


def tables(stats: CorpusStats) -> tuple[Table, ...]:
    """Lay out measurements as tables: corpora, clips per class, classes, speakers, clips per speaker and class.

    Args:
        stats: Measurements from :func:`describe`.

    Returns:
        Five tables without the empty ones. Spreads are written "median [first quartile, third quartile]".
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
            end_s = u.end or len(samples) / rate
            raise NoSamplesError(f"{u.path} holds no audio between {u.start} and {end_s} s.")
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
    """Return emotion to count, in canonical order."""
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
