"""Checks whether a corpus on disk is what its authors released.

File names are compared with the official list, and every file is decoded. A problem is anything that would make results
on this copy differ from those of others: files that are missing, not official, broken, silent, or present twice under
two names. Oddities of the official release itself are reported too, as known.
"""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from serkit.audio.decode import read_file
from serkit.data.corpora.corpus_definition import LFS_POINTER, OTHER_FORM, SECOND_FILE, Corpus
from serkit.data.curation.overlap import described, duplicates_within, find_overlap
from serkit.data.manifest import Manifest
from serkit.data.name_spelling import names_spelled_alike
from serkit.data.near_duplicates import NearDuplicate
from serkit.errors import AudioError, CorpusError, MissingExtraError
from serkit.progress import OnProgress, begin_task
from serkit.types import LeftOut, Utterance
from serkit.visible_text import side_by_side

NEAR_SILENT_DB = -60.0  # peak relative to full scale; the quietest clip of RAVDESS peaks at -47
FULL_SCALE = 0.99
CLIPPED_SHARE = 0.01  # of a file's samples at full scale
_TOLERATED_S = 0.05  # times in tables are rounded
Severity = Literal["problem", "known", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of problem or note, with all files that it concerns.

    Attributes:
        kind: ``missing``, ``extra``, ``count``, ``second file``, ``left out``, ``undecodable``, ``identical audio``,
            ``near-duplicates``, ``near-silent``, ``clipped``, ``beyond the end``, ``doubtful speakers``, ``sampling
            rates``, ``official`` or ``faulty``.
        severity: ``problem``; ``known`` for an oddity of the official release; ``note`` for information.
        message: Description in one sentence.
        files: Paths below the root; utterance ids where there is no file; or names of speakers.
    """

    kind: str
    severity: Severity
    message: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Result of :func:`check`.

    Attributes:
        corpus: Name of the corpus.
        utterances: Number of utterances.
        speakers: Number of speakers.
        emotions: Canonical emotion to number of utterances.
        problems: Findings, the most severe first.
        by_speaker: Speaker to emotion to number of utterances.
        official: Numbers of utterances, speakers and emotions in the official release, and ``by_speaker`` where its
            list is known; empty for the user's own data.
        sampling_rates: Sampling rate in Hz to number of files.
        seconds: Total duration of all utterances.
    """

    corpus: str
    utterances: int
    speakers: int
    emotions: Mapping[str, int]
    problems: tuple[Finding, ...]
    by_speaker: Mapping[str, Mapping[str, int]]
    official: Mapping[str, Any]
    sampling_rates: Mapping[int, int]
    seconds: float

    @property
    def is_passed(self) -> bool:
        """Whether there is no finding of severity ``problem``."""
        return all(problem.severity != "problem" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Return the report as values that ``json.dumps`` takes."""
        return asdict(self) | {"passed": self.is_passed}


@dataclass(frozen=True, slots=True)
class _Sound:
    """Result of decoding a file: sampling rate in Hz, duration, peak, share of samples at full scale, digest; or the
    error.
    """

    rate: int = 0
    seconds: float = 0.0
    peak: float = 1.0
    clipped: float = 0.0
    digest: str = ""
    error: str = ""


def check(
    corpus: Corpus,
    root: str | os.PathLike[str],
    *,
    others: Sequence[Manifest] = (),
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> Report:
    """Compare a known corpus with its official release, and decode every file.

    Args:
        corpus: Corpus that the folder should hold.
        root: Folder to check.
        others: Other corpora, which should share no recording with this one.
        fingerprints: Whether to find near-duplicates by acoustic fingerprints.
        on_progress: Callback for the progress of decoding.

    Raises:
        CorpusError: If the folder is missing or cannot be listed, or holds no utterance of the corpus.
        LabelError: If a file name has the corpus's form, but an unknown label.
        MissingExtraError: If the corpus is video and PyAV is not installed.
    """
    manifest, left_out = corpus.survey(root)
    if not len(manifest):
        corpus.manifest(root)  # raises an error that says why
    found = [*_against_official(corpus, manifest), *_left_out(left_out), *_oddities(corpus, manifest)]
    sounds = _listen(manifest, on_progress)
    found += _in_sound(manifest, sounds, corpus.oddities)
    if fingerprints:
        found += _alike(manifest, sounds, corpus.oddities, others, on_progress)
    return _report(manifest, found, sounds, name=corpus.name, official=_official(corpus))


def check_manifest(
    name: str,
    manifest: Manifest,
    *,
    corpus: Corpus | None = None,
    others: Sequence[Manifest] = (),
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> Report:
    """Check the utterances of a manifest and decode every file; see :func:`check`.

    Args:
        name: Name of the corpus, or of the user's own data.
        manifest: Utterances to check.
        corpus: Known corpus whose official release the manifest is compared with; None for the user's own data.
        others: Other corpora, which should share no recording with this one.
        fingerprints: Whether to find near-duplicates by acoustic fingerprints.
        on_progress: Callback for the progress of decoding.
    """
    found = [
        Finding("left out", "note", f"{count} files not read: {reason}", ())
        for reason, count in manifest.left_out.items()
    ]
    found += _doubtful_speakers(manifest)
    sounds = _listen(manifest, on_progress)
    oddities: Mapping[str, str] = corpus.oddities if corpus else {}
    if corpus:
        found += [*_against_official(corpus, manifest), *_oddities(corpus, manifest)]
    found += _in_sound(manifest, sounds, oddities)
    if fingerprints:
        found += _alike(manifest, sounds, oddities, others, on_progress)
    return _report(manifest, found, sounds, name=name, official=_official(corpus) if corpus else {})


def _official(corpus: Corpus) -> dict[str, Any]:
    if not corpus.counts:
        return {}
    facts = {"utterances": corpus.utterances, "speakers": corpus.speakers, "emotions": dict(corpus.counts)}
    return facts | ({"by_speaker": _by_speaker(corpus.official())} if corpus.official else {})


def _report(
    manifest: Manifest,
    found: Sequence[Finding],
    sounds: Mapping[str, _Sound],
    *,
    name: str,
    official: Mapping[str, Any],
) -> Report:
    order = ("problem", "known", "note")
    heard = [sound for sound in sounds.values() if not sound.error]
    return Report(
        corpus=name,
        utterances=len(manifest),
        speakers=len(manifest.speakers),
        emotions=dict(sorted(Counter(u.emotion for u in manifest).items())),
        problems=tuple(sorted(found, key=lambda p: order.index(p.severity))),
        by_speaker=_by_speaker(manifest),
        official=official,
        sampling_rates=dict(sorted(Counter(sound.rate for sound in heard).items())),
        seconds=round(sum(_seconds_of(u, sounds[u.path]) for u in manifest), 3),
    )


def _by_speaker(utterances: Iterable[Utterance]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for u in utterances:
        counts[u.speaker][u.emotion] += 1
    return {speaker: dict(sorted(counts[speaker].items())) for speaker in sorted(counts)}


def _against_official(corpus: Corpus, utterances: Manifest) -> Iterable[Finding]:
    """Compare utterances with the official list, or with the official counts where there is no list."""
    if corpus.official is None:
        found = Counter(u.emotion for u in utterances)
        wrong = {e: (found[e], n) for e, n in corpus.counts.items() if found[e] != n}
        if wrong:
            text = ", ".join(f"{emotion} {here} of {there}" for emotion, (here, there) in wrong.items())
            yield Finding("count", "problem", f"the numbers of utterances differ from the official ones: {text}", ())
        return
    official = {u.id: u for u in corpus.official()}
    here = {u.id: u for u in utterances}
    missing = sorted(official.keys() - here.keys())
    if missing:
        speakers = {official[name].speaker for name in missing} - {u.speaker for u in utterances}
        whole = f", among them all utterances of {len(speakers)} speakers" if speakers else ""
        message = f"{len(missing)} of {len(official)} utterances are missing{whole}"
        yield Finding("missing", "problem", message, tuple(missing))
    extra = tuple(here[name].path for name in sorted(here.keys() - official.keys()))
    if extra:
        yield Finding("extra", "problem", f"{len(extra)} utterances are not in the official release", extra)


def _left_out(left_out: Sequence[LeftOut]) -> Iterable[Finding]:
    kinds: dict[str, tuple[str, Severity]] = {
        OTHER_FORM: ("extra", "problem"),
        SECOND_FILE: ("second file", "problem"),
        LFS_POINTER: ("undecodable", "problem"),
    }
    files: dict[str, list[str]] = defaultdict(list)
    for item in left_out:
        files[item.reason].append(item.path)
    for reason, paths in files.items():
        kind, severity = kinds.get(reason, ("left out", "problem" if "missing" in reason else "note"))
        yield Finding(kind, severity, f"{len(paths)} files not read: {reason}", tuple(paths))


def _oddities(corpus: Corpus, utterances: Manifest) -> Iterable[Finding]:
    """List the oddities of the official release that are here, by what is unusual about them."""
    files = {u.id: (u.path,) for u in utterances} | {u.speaker: () for u in utterances}
    names: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for name, what in corpus.oddities.items():
        if name in files:
            names[what, name in corpus.faulty].append(name)
    for (what, is_faulty), some in names.items():
        each = f"{some[0]} is" if len(some) == 1 else f"{', '.join(some[:3])}{', ...' if some[3:] else ''} are each"
        gone = f"; training and test leave {'it' if len(some) == 1 else 'them'} out by default" if is_faulty else ""
        paths = tuple(path for name in some for path in files[name])
        many = "" if len(some) == 1 else f"{len(some)} {'utterances' if paths else 'speakers'}: "
        yield Finding("faulty" if is_faulty else "official", "known", f"{many}{each} {what}{gone}", paths)


def _doubtful_speakers(manifest: Manifest) -> Iterable[Finding]:
    """Find speaker names that may be spellings of one name."""
    if groups := names_spelled_alike(manifest.speakers):
        each = "; ".join(" and ".join(side_by_side(group)) for group in groups[:3])
        message = (
            f"{sum(map(len, groups))} speaker names are spelled alike ({each}{'; ...' if groups[3:] else ''}): "
            "give one person one name, or two people names that differ more"
        )
        yield Finding("doubtful speakers", "problem", message, tuple(name for group in groups for name in group))


def _in_sound(manifest: Manifest, sounds: Mapping[str, _Sound], oddities: Mapping[str, str]) -> Iterable[Finding]:
    ids: dict[str, str] = {u.path: u.id for u in manifest}

    def severity(paths: Iterable[str]) -> Severity:
        return "known" if all(ids[path] in oddities for path in paths) else "problem"

    if errors := {path: sound.error.rstrip(".") for path, sound in sounds.items() if sound.error}:
        first = next(iter(errors.values()))
        message = f"{len(errors)} files cannot be decoded; the first: {first}" if len(errors) > 1 else first
        yield Finding("undecodable", "problem", message, tuple(errors))
    same: dict[str, list[str]] = defaultdict(list)
    for path, sound in sounds.items():
        if sound.digest:
            same[sound.digest].append(path)
    for paths in same.values():
        if len(paths) > 1:
            message = f"{len(paths)} files hold the same samples: {', '.join(paths[:3])}{', ...' if paths[3:] else ''}"
            reasons = {oddities.get(ids[path]) for path in paths}
            is_known = len(reasons) == 1 and None not in reasons  # the same oddity explains all of them
            yield Finding("identical audio", "known" if is_known else "problem", message, tuple(paths))
    silent = [path for path, sound in sounds.items() if 20 * np.log10(max(sound.peak, 1e-12)) < NEAR_SILENT_DB]
    for group in (known := [p for p in silent if severity([p]) == "known"]), [p for p in silent if p not in set(known)]:
        if group:
            many = f"{len(group)} files are" if len(group) > 1 else "1 file is"
            message = f"{many} nearly silent (peak below {NEAR_SILENT_DB:g} dBFS)"
            yield Finding("near-silent", severity(group), message, tuple(group))
    if clipped := tuple(path for path, sound in sounds.items() if sound.clipped > CLIPPED_SHARE):
        many = f"{len(clipped)} files have" if len(clipped) > 1 else "1 file has"
        message = f"{many} more than {CLIPPED_SHARE:.0%} of their samples at full scale, so loud speech is cut off"
        yield Finding("clipped", "note", message, clipped)
    over = tuple(u.id for u in manifest if (end := u.end or u.start) and _is_beyond(end, sounds[u.path]))
    if over:
        message = f"{len(over)} utterances end after the end of their file"
        yield Finding("beyond the end", "problem", message, over)
    rates = Counter(sound.rate for sound in sounds.values() if sound.rate)
    if len(rates) > 1:
        usual = rates.most_common(1)[0][0]
        odd = tuple(path for path, sound in sounds.items() if sound.rate not in (0, usual))
        each = ", ".join(f"{rate} Hz ({count} files)" for rate, count in rates.most_common())
        yield Finding("sampling rates", "note", f"sampling rates differ: {each}", odd)


def _alike(
    manifest: Manifest,
    sounds: Mapping[str, _Sound],
    oddities: Mapping[str, str],
    others: Sequence[Manifest],
    on_progress: OnProgress | None,
) -> Iterable[Finding]:
    """Find recordings that occur twice under different samples, here or in another corpus."""
    path_of = {u.id: u.path for u in manifest}
    digests = {path: sound.digest for path, sound in sounds.items()}
    pairs = duplicates_within(manifest, digests, on_progress=on_progress)
    known = [p for p in pairs if oddities.get(p.first) is not None and oddities.get(p.first) == oddities.get(p.second)]
    kinds: tuple[tuple[Severity, list[NearDuplicate]], ...] = (
        ("known", known), ("problem", [pair for pair in pairs if pair not in known])
    )  # fmt: skip
    for severity, some in kinds:
        if some:
            files = tuple(dict.fromkeys(path_of[name] for pair in some for name in (pair.first, pair.second)))
            message = f"by their fingerprints, {len(some)} pairs of utterances are of one recording: {described(some)}"
            yield Finding("near-duplicates", severity, message, files)
    for other in others:
        shared = find_overlap(manifest, other, on_progress=on_progress).pairs
        if shared:
            files = tuple(dict.fromkeys(path_of[pair.first] for pair in shared))
            message = f"{len(files)} utterances are recordings of {', '.join(other.corpora)} too: {described(shared)}"
            yield Finding("near-duplicates", "problem", message, files)


def _is_beyond(end: float, sound: _Sound) -> bool:
    return not sound.error and end > sound.seconds + _TOLERATED_S


def _seconds_of(u: Utterance, sound: _Sound) -> float:
    return max(0.0, min(sound.seconds, sound.seconds if u.end is None else u.end) - u.start)


def _listen(manifest: Manifest, on_progress: OnProgress | None) -> dict[str, _Sound]:
    """Decode every file once; return path to result."""
    files = {u.path: manifest.audio_path(u) for u in manifest}
    step = begin_task("decoding", len(files), on_progress)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        sounds = {}
        for done, (path, sound) in enumerate(zip(files, pool.map(_hear, files.values()), strict=True), 1):
            sounds[path] = sound
            step(done)
    return sounds


def _hear(file: Path) -> _Sound:
    try:
        samples, rate = read_file(file)  # (channels, T)
    except MissingExtraError:
        raise
    except (AudioError, CorpusError) as error:
        return _Sound(error=str(error))
    digest = hashlib.blake2b(samples.tobytes(), digest_size=16, salt=str(rate).encode()[:16]).hexdigest()
    level = np.abs(samples)
    clipped = float((level >= FULL_SCALE).mean())
    return _Sound(rate, samples.shape[1] / rate, float(level.max()), clipped, digest)
