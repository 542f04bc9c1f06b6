"""A manifest: the utterances that an experiment is about, and where their audio lies.

It is immutable; every operation returns another one. Its digest covers what was said by whom with
which label, not where the files happen to lie, so the same experiment has the same digest elsewhere.
"""

import csv
import hashlib
import io
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

from serkit.errors import LabelError, ManifestError
from serkit.labels import EMOTIONS, LabelSet, check_emotion
from serkit.types import Sex, Utterance

_COLUMNS = tuple(f.name for f in fields(Utterance))
_REQUIRED = ("id", "path", "corpus", "speaker", "emotion")


@dataclass(frozen=True)
class Manifest:
    """Utterances in a fixed order.

    Attributes:
        utterances: Sorted as their source gave them.
        roots: Corpus name to the folder that ``Utterance.path`` is relative to.

    Raises:
        ManifestError: If two utterances share an id.
    """

    utterances: tuple[Utterance, ...]
    roots: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        doubled = [name for name, n in Counter(u.id for u in self.utterances).items() if n > 1]
        if doubled:
            raise ManifestError(f"{len(doubled)} utterance ids stand twice, the first is {doubled[0]!r}.")

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
        """SHA-256 over (id, speaker, emotion, start, end) of the utterances sorted by id, as 64 hex digits."""
        sha = hashlib.sha256()
        for u in sorted(self.utterances, key=lambda u: u.id):
            end = None if u.end is None else float(u.end)  # 1 and 1.0 are one second, but two texts
            sha.update(json.dumps([u.id, u.speaker, u.emotion, float(u.start), end]).encode() + b"\n")
        return sha.hexdigest()

    def audio_path(self, utterance: Utterance) -> Path:
        """Return where the utterance's file lies.

        Raises:
            ManifestError: If the root of its corpus is not known.
        """
        try:
            return self.roots[utterance.corpus] / utterance.path
        except KeyError:
            raise ManifestError(f"no folder is known for corpus {utterance.corpus!r}; pass it as root.") from None

    def filter(self, keep: Callable[[Utterance], bool]) -> "Manifest":
        """Return the utterances for which ``keep`` is true."""
        return replace(self, utterances=tuple(u for u in self.utterances if keep(u)))

    def subset(self, ids: Iterable[str]) -> "Manifest":
        """Return the utterances of these ids, in this manifest's order.

        Raises:
            ManifestError: If an id is not in the manifest.
        """
        wanted = set(ids)
        missing = wanted - {u.id for u in self.utterances}
        if missing:
            raise ManifestError(f"{len(missing)} utterances are not in the manifest, the first is {min(missing)!r}.")
        return self.filter(lambda u: u.id in wanted)

    def select(self, labels: LabelSet) -> tuple["Manifest", Counter[str]]:
        """Keep what a label set has a class for.

        Returns:
            The kept utterances, and how many of each canonical emotion were dropped.
        """
        dropped = Counter(u.emotion for u in self.utterances if labels.class_of(u.emotion) is None)
        return self.filter(lambda u: labels.class_of(u.emotion) is not None), dropped

    def problems(self) -> list[str]:
        """Report, without repairing, what would make an experiment on this manifest wrong."""
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
        return found

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the manifest whole, as ``.csv`` or ``.jsonl`` by the name's ending.

        Raises:
            ManifestError: If the ending is neither.
        """
        path = Path(path)
        if path.suffix == ".jsonl":
            text = "".join(_to_json(u) + "\n" for u in self.utterances)
        elif path.suffix == ".csv":
            buffer = io.StringIO()
            writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(_to_row(u) for u in self.utterances)
            text = buffer.getvalue()
        else:
            raise ManifestError(f"cannot write a manifest as {path.name!r}: the name must end in .csv or .jsonl.")
        write_whole(path, text)
        return path

    @classmethod
    def read(cls, path: str | os.PathLike[str], *, roots: Mapping[str, Path] | None = None) -> "Manifest":
        """Read what :meth:`write` wrote.

        Raises:
            ManifestError: If the file is missing, is neither CSV nor JSONL in UTF-8, or a row is wrong; the
                message names the row.
            LabelError: If an emotion is not canonical; the message names the row.
        """
        path = Path(path)
        if not path.is_file():
            raise ManifestError(f"no manifest {str(path)!r}.")
        if path.suffix not in (".csv", ".jsonl"):
            raise ManifestError(f"cannot read {path.name!r} as a manifest: the name must end in .csv or .jsonl.")
        try:
            with path.open(encoding="utf-8-sig", newline="" if path.suffix == ".csv" else "\n") as file:
                rows = list(csv.DictReader(file) if path.suffix == ".csv" else _json_rows(file, path.name))
        except (UnicodeDecodeError, csv.Error) as error:
            raise ManifestError(f"cannot read {path.name!r} as a manifest in UTF-8: {error}.") from error
        return cls(tuple(_from_row(row, f"{path.name}, row {n}") for n, row in enumerate(rows, 1)), roots or {})


def merge(manifests: Iterable[Manifest]) -> Manifest:
    """Join manifests of different corpora into one.

    Raises:
        ManifestError: If two share an utterance id.
    """
    manifests = list(manifests)
    roots = {corpus: root for m in manifests for corpus, root in m.roots.items()}
    return Manifest(tuple(u for m in manifests for u in m.utterances), roots)


def write_whole(path: Path, text: str) -> None:
    """Write a text file under a temporary name, then rename it: a killed job leaves no half file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _to_json(utterance: Utterance) -> str:
    row = {name: getattr(utterance, name) for name in _COLUMNS}
    row["extra"] = dict(utterance.extra)
    return json.dumps(row, ensure_ascii=False, sort_keys=True)


def _to_row(utterance: Utterance) -> dict[str, object]:
    row = {name: getattr(utterance, name) for name in _COLUMNS}
    row["end"] = "" if utterance.end is None else utterance.end
    row["extra"] = json.dumps(dict(utterance.extra), ensure_ascii=False, sort_keys=True)
    return row


def _json_rows(lines: Iterable[str], name: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ManifestError(f"{name}, row {number}: not JSON ({error.msg}).") from error
        if not isinstance(row, dict):
            raise ManifestError(f"{name}, row {number}: expected a JSON object, got {line.strip()[:40]!r}.")
        yield row


def _from_row(row: dict[str, Any], where: str) -> Utterance:
    missing = [name for name in _REQUIRED if not row.get(name)]
    if missing:
        raise ManifestError(f"{where}: no value for {', '.join(missing)}.")
    unknown = [name for name in row if name not in _COLUMNS]
    if unknown:
        raise ManifestError(f"{where}: unknown column {unknown[0]!r}; the columns are {', '.join(_COLUMNS)}.")
    values = {name: value for name, value in row.items() if value not in (None, "")}
    start, end, extra = values.pop("start", 0.0), values.pop("end", None), values.pop("extra", {})
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise ManifestError(f"{where}: {wrong[0]} must be text, got {values[wrong[0]]!r}.")
    try:
        check_emotion(values["emotion"])
    except LabelError as error:
        raise LabelError(f"{where}: {error}") from None
    if values.get("sex", "unknown") not in get_args(Sex):
        raise ManifestError(f"{where}: sex must be one of {', '.join(get_args(Sex))}, got {values['sex']!r}.")
    return Utterance(
        **values,
        start=_seconds(start, where),
        end=None if end is None else _seconds(end, where),
        extra=_extra(extra, where),
    )


def _seconds(value: object, where: str) -> float:
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ManifestError(f"{where}: start and end must be seconds, got {value!r}.")
    return seconds


def _extra(value: object, where: str) -> dict[str, str]:
    try:
        extra = json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        extra = None
    if not isinstance(extra, dict) or not all(isinstance(text, str) for text in extra.values()):
        raise ManifestError(f"{where}: extra must be a JSON object of texts, got {value!r}.")
    return extra
