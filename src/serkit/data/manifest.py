"""The manifest: the utterances of an experiment and the folders of their audio files.

A manifest is immutable; every operation returns a new one. Its digest covers ids, speakers, labels and times, but not
paths, so an experiment has the same digest on every machine.
"""

import hashlib
import json
import math
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from serkit.data.name_spelling import composed, names_spelled_alike
from serkit.data.speaker_column import UNKNOWN, SpeakerColumn
from serkit.data.tables import read_rows, write_rows
from serkit.errors import LabelError, ManifestError
from serkit.labels import EMOTIONS, LabelSet, check_emotion
from serkit.parsing import is_base64, parse_json
from serkit.types import Sex, Utterance
from serkit.visible_text import side_by_side

_COLUMNS = tuple(f.name for f in fields(Utterance))
_COLUMN_SET = frozenset(_COLUMNS)
_REQUIRED = ("id", "path", "corpus", "speaker", "emotion")
_TEXTS = tuple(name for name in _COLUMNS if name not in ("start", "end", "extra"))
_RECURRING = frozenset(_TEXTS) - {"id", "path", "fingerprint"}
_NAMES = frozenset(("id", "speaker", "sentence", "session"))
_SEXES = get_args(Sex)
_NOTHING: Mapping[str, str] = {}
# keys of what a label set left out, beside emotions
TIE = "several emotions (a tie among listeners)"
UNHEARD = "an emotion that no listener was asked about"
_MANY_EXTRAS = 100_000  # distinct values of ``extra`` to share; more would only cost memory


@dataclass(frozen=True)
class Manifest:
    """Utterances in a fixed order.

    Attributes:
        utterances: Utterances in the order of their source.
        roots: Corpus name to the folder that ``Utterance.path`` is relative to.
        left_out: Reason why sound files were not read, to their number. It is not written to files.

    Raises:
        ManifestError: If two utterances share an id.
    """

    utterances: tuple[Utterance, ...]
    roots: Mapping[str, Path] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if len({u.id for u in self.utterances}) < len(self.utterances):
            doubled = [name for name, n in Counter(u.id for u in self.utterances).items() if n > 1]
            raise ManifestError(
                f"{len(doubled)} utterance ids occur more than once, the first is {doubled[0]!r}; ids must be unique."
            )

    def __len__(self) -> int:
        return len(self.utterances)

    def __iter__(self) -> Iterator[Utterance]:
        return iter(self.utterances)

    @property
    def speakers(self) -> tuple[str, ...]:
        """The speakers, sorted."""
        return tuple(sorted({u.speaker for u in self.utterances}))

    @property
    def corpora(self) -> tuple[str, ...]:
        """The corpora, in order of appearance."""
        return tuple(dict.fromkeys(u.corpus for u in self.utterances))

    @property
    def digest(self) -> str:
        """SHA-256 over (id, speaker, emotion, start, end) of all utterances sorted by id, as 64 hex digits."""
        sha = hashlib.sha256()
        for u in sorted(self.utterances, key=lambda u: u.id):
            end = None if u.end is None else float(u.end)  # JSON writes 1 and 1.0 differently
            sha.update(json.dumps([u.id, u.speaker, u.emotion, float(u.start), end]).encode() + b"\n")
        return sha.hexdigest()

    def audio_path(self, utterance: Utterance) -> Path:
        """Return the path of an utterance's audio file.

        Raises:
            ManifestError: If no folder is known for its corpus.
        """
        try:
            return self.roots[utterance.corpus] / utterance.path
        except KeyError:
            raise ManifestError(f"no folder is known for corpus {utterance.corpus!r}; pass it in roots.") from None

    def relative_to(self, folder: Path) -> Iterator[str]:
        """Yield each utterance's path relative to a folder; unchanged where no folder is known for its corpus."""
        prefixes = {corpus: _prefix(root, folder) for corpus, root in self.roots.items()}
        return (
            u.path if os.path.isabs(u.path) else prefixes.get(u.corpus, "") + u.path  # noqa: PTH117  (Path is slow)
            for u in self.utterances
        )

    def moved_to(self, roots: Mapping[str, Path]) -> "Manifest":
        """Return a manifest of the same files whose paths are relative to other folders.

        Args:
            roots: Corpus name to its new folder; other corpora keep theirs.
        """
        if not self.roots.keys() & roots.keys():
            return self
        moved = {corpus: _prefix(self.roots[corpus].absolute(), root) for corpus, root in roots.items()}
        utterances = tuple(
            replace(u, path=moved[u.corpus] + u.path) if u.corpus in moved else u for u in self.utterances
        )
        return replace(self, utterances=utterances, roots={**self.roots, **roots})

    def filter(self, keep: Callable[[Utterance], bool]) -> "Manifest":
        """Return a manifest of the utterances for which ``keep`` is true."""
        return replace(self, utterances=tuple(u for u in self.utterances if keep(u)))

    def subset(self, ids: Iterable[str]) -> "Manifest":
        """Return a manifest of the utterances with these ids, in this manifest's order.

        Raises:
            ManifestError: If an id is not in the manifest.
        """
        wanted = set(ids)
        missing = wanted - {u.id for u in self.utterances}
        if missing:
            raise ManifestError(f"{len(missing)} utterances are not in the manifest, the first is {min(missing)!r}.")
        return self.filter(lambda u: u.id in wanted)

    def select(self, labels: LabelSet) -> tuple["Manifest", Counter[str]]:
        """Return a manifest of the utterances for which a label set has a class.

        Where the set takes the emotion from another fact, such as what listeners heard, the utterances get this
        emotion and keep their own as ``acted`` in ``extra``.

        Returns:
            The manifest, and the number of dropped utterances per canonical emotion; ties count under :data:`TIE`, and
            utterances that nobody was asked about under :data:`UNHEARD`.

        Raises:
            ManifestError: If the set takes the emotion from another fact, which a corpus lacks.
            LabelError: If that fact is no emotion.
        """
        labeled, lost = self._labeled_by(labels) if labels.fact else (self, Counter[str]())
        dropped = Counter(u.emotion for u in labeled.utterances if labels.class_of(u.emotion) is None)
        return labeled.filter(lambda u: labels.class_of(u.emotion) is not None), dropped + lost

    def _labeled_by(self, labels: LabelSet) -> tuple["Manifest", Counter[str]]:
        """Return the manifest with the emotions of a label set's fact, and the number of utterances without one."""
        if lacking := sorted(
            {u.corpus for u in self.utterances} - {u.corpus for u in self if u.extra.get(labels.fact)}
        ):
            raise ManifestError(
                f"label set {labels.name} needs what listeners heard, and no utterance of {', '.join(lacking)} has a "
                f"{labels.fact!r}: copy the tables of the release to its audio, or choose another label set."
            )
        utterances, lost = [], Counter[str]()
        for u in self.utterances:
            heard = [emotion for emotion in u.extra.get(labels.fact, "").split(":") if emotion]
            if len(heard) != 1:
                lost[TIE if heard else UNHEARD] += 1
            elif heard[0] not in EMOTIONS:
                raise LabelError(f"{u.id}: {labels.fact} is {heard[0]!r}, which is no emotion; see serkit.labels.")
            else:
                utterances.append(replace(u, emotion=heard[0], extra={"acted": u.emotion, **u.extra}))
        return replace(self, utterances=tuple(utterances)), lost

    def problems(self) -> list[str]:
        """Return a message for each problem that would make an experiment on this manifest wrong."""
        found = []
        for u in self.utterances:
            if u.emotion not in EMOTIONS:
                found.append(f"{u.id}: unknown emotion {u.emotion!r}")
            if not u.speaker:
                found.append(f"{u.id}: no speaker, so no split can keep speakers apart")
            if u.end is not None and u.end <= u.start:
                found.append(f"{u.id}: ends at {u.end} s, before its start at {u.start} s")
            if u.corpus in self.roots and not self.audio_path(u).is_file():
                found.append(f"{u.id}: no file {u.path}")
        found += [
            f"{', '.join(side_by_side(group))}: one speaker or several?" for group in names_spelled_alike(self.speakers)
        ]
        return found

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the manifest to a table.

        Paths in the table are relative to the table's own folder where the corpus roots are known.

        Args:
            path: File to write: ``.csv``, ``.jsonl`` or ``.parquet``.

        Returns:
            ``path``.

        Raises:
            ManifestError: If the suffix is another one.
            MissingExtraError: If the file is Parquet and pyarrow is not installed.
        """
        path = Path(path)
        as_row = _to_json if path.suffix.lower() == ".jsonl" else _to_row
        rows = (as_row(u, way) for u, way in zip(self.utterances, self.relative_to(path.parent), strict=True))
        has_fingerprints = any(u.fingerprint for u in self.utterances)
        columns = [name for name in _COLUMNS if has_fingerprints or name != "fingerprint"]
        write_rows(path, columns, rows, numbers=("start", "end"))
        return path

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        roots: Mapping[str, Path] | None = None,
        is_known_corpus: bool = False,
    ) -> "Manifest":
        """Read a table that :meth:`write` wrote.

        Ids and the names of speakers, sentences and sessions are converted to Unicode's NFC.

        Args:
            path: A ``.csv``, ``.jsonl`` or ``.parquet`` file.
            roots: Corpus name to the folder that its paths are relative to; the table's own folder by default.
            is_known_corpus: Whether the table is of a corpus that serkit knows. In other tables it is an error if some
                rows name a speaker and others do not; where all say ``nan`` or the like, the speaker is ``unknown``.

        Raises:
            ManifestError: If the file is missing, damaged or of another kind, or a row is wrong; the message names
                the row.
            LabelError: If an emotion is not canonical; the message names the row.
            MissingExtraError: If the file is Parquet and pyarrow is not installed.
        """
        path = Path(path)
        build = _RowParser(path.name, None if is_known_corpus else SpeakerColumn())
        utterances = tuple(build(row, n) for n, row in enumerate(read_rows(path), 1))
        build.check_speakers()
        return cls(utterances, roots or dict.fromkeys({u.corpus for u in utterances}, path.parent))


def merge(manifests: Iterable[Manifest]) -> Manifest:
    """Join manifests into one.

    Where two manifests hold parts of one corpus in different folders, the common parent folder becomes its root.

    Raises:
        ManifestError: If two manifests share an utterance id.
    """
    manifests = list(manifests)
    folders: dict[str, set[Path]] = {}
    for corpus, root in (pair for m in manifests for pair in m.roots.items()):
        folders.setdefault(corpus, set()).add(root.absolute())
    common = {corpus: Path(os.path.commonpath(several)) for corpus, several in folders.items() if len(several) > 1}
    manifests = [m.moved_to(common) for m in manifests]
    roots = {corpus: root for m in manifests for corpus, root in m.roots.items()}
    left_out = sum((Counter(m.left_out) for m in manifests), Counter[str]())
    return Manifest(tuple(u for m in manifests for u in m.utterances), roots, left_out)


def is_manifest_row(row: Mapping[str, object]) -> bool:
    """Whether a table's row has the columns of a manifest and no others."""
    return frozenset(_REQUIRED) <= row.keys() <= _COLUMN_SET


def _prefix(root: Path, folder: Path) -> str:
    """Return the path from a folder to a corpus root, empty or ending in a slash."""
    try:
        way = Path(os.path.relpath(root, folder)).as_posix()
    except ValueError:  # on another drive
        way = root.absolute().as_posix()
    return "" if way == "." else f"{way}/"


def _to_json(utterance: Utterance, path: str) -> dict[str, object]:
    row = {name: getattr(utterance, name) for name in _COLUMNS}
    return row | {"path": path, "extra": dict(utterance.extra)}


def _to_row(utterance: Utterance, path: str) -> dict[str, object]:
    return _to_json(utterance, path) | {"extra": json.dumps(dict(utterance.extra), ensure_ascii=False, sort_keys=True)}


class _RowParser:
    """Builds utterances from the rows of one table; recurring texts share memory."""

    def __init__(self, name: str, speakers: SpeakerColumn | None) -> None:
        self._name = name
        self._speakers = speakers
        self._first_without_speaker = 0  # its row
        self._extras: dict[str, Mapping[str, str]] = {}

    def __call__(self, row: dict[str, Any], number: int) -> Utterance:
        if not row.keys() <= _COLUMN_SET:
            unknown = next(name for name in row if name not in _COLUMN_SET)
            raise self._error(number, f"unknown column {unknown!r}; the columns are {', '.join(_COLUMNS)}")
        if missing := [name for name in _REQUIRED if not row.get(name)]:
            if missing != ["speaker"] or self._speakers is None:
                raise self._error(number, f"no value for {', '.join(missing)}")
            self._first_without_speaker = self._first_without_speaker or number
        values = {name: row[name] for name in _TEXTS if row.get(name)}
        for name, value in values.items():
            if not isinstance(value, str):
                raise self._error(number, f"{name} must be text, got {value!r}")
            if name in _NAMES:
                values[name] = composed(value)
            if name in _RECURRING:
                values[name] = sys.intern(values[name])
        if self._speakers is not None:
            where = f"{self._name}, row {number}"
            if self._speakers.add(values.get("speaker", ""), corpus=values["corpus"], where=where) == UNKNOWN:
                values["speaker"] = f"{values['corpus']}/{UNKNOWN}"
        if values["emotion"] not in EMOTIONS:
            try:
                check_emotion(values["emotion"])
            except LabelError as error:
                raise LabelError(f"{self._name}, row {number}: {error}") from None
        self._check_choices(values, number)
        return Utterance(
            **values,
            start=self._seconds(row.get("start"), number) or 0.0,
            end=self._seconds(row.get("end"), number),
            extra=self._extra(row.get("extra"), number),
        )

    def _check_choices(self, values: Mapping[str, str], number: int) -> None:
        if values.get("sex", "unknown") not in _SEXES:
            raise self._error(number, f"sex must be one of {', '.join(_SEXES)}, got {values['sex']!r}")
        if "fingerprint" in values and not is_base64(values["fingerprint"]):
            raise self._error(number, "fingerprint is not base64")

    def check_speakers(self) -> None:
        """Refuse speakers that are named in some rows only, or in none."""
        if self._speakers is not None:
            self._speakers.check()
        if self._first_without_speaker:
            raise self._error(self._first_without_speaker, "no value for speaker")

    def _seconds(self, value: object, number: int) -> float | None:
        if value in (None, ""):
            return None
        try:
            seconds = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            seconds = math.nan
        if not (math.isfinite(seconds) and seconds >= 0):
            raise self._error(number, f"start and end must be seconds, got {value!r}")
        return seconds

    def _extra(self, value: object, number: int) -> Mapping[str, str]:
        if value in (None, "", {}):
            return _NOTHING
        if isinstance(value, str) and value in self._extras:
            return self._extras[value]
        try:
            extra = parse_json(value) if isinstance(value, str) else value
        except ValueError:
            extra = None
        if not isinstance(extra, dict) or not all(isinstance(text, str) for text in extra.values()):
            raise self._error(number, f"extra must be a JSON object of texts, got {value!r}")
        extra = {sys.intern(name): sys.intern(text) for name, text in extra.items()}
        if isinstance(value, str) and len(self._extras) < _MANY_EXTRAS:
            self._extras[value] = extra
        return extra

    def _error(self, number: int, what: str) -> ManifestError:
        return ManifestError(f"{self._name}, row {number}: {what}.")
