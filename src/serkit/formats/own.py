"""How somebody's own data says who spoke what with which emotion, brought to serkit's words."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any

from serkit.errors import LabelError, ManifestError, nearest
from serkit.labels import EMOTIONS, EmotionMap
from serkit.types import LeftOut, Sex, Utterance

_SYNONYMS = {
    "anger": ("angry", "ang"),
    "boredom": ("bored",),
    "calm": (),
    "contempt": ("contemptuous",),
    "disgust": ("disgusted", "dis"),
    "excitement": ("excited", "exc"),
    "fear": ("fearful", "afraid", "scared", "fea"),
    "frustration": ("frustrated", "fru"),
    "happiness": ("happy", "joy", "joyful", "hap"),
    "neutral": ("neu",),
    "sadness": ("sad",),
    "surprise": ("surprised", "pleasant_surprise", "sur"),
    "other": (),
}
_SEXES: Mapping[str, Sex] = {
    **dict.fromkeys(("male", "m", "man", "1", "1.0"), "male"),
    **dict.fromkeys(("female", "f", "w", "woman", "0", "0.0"), "female"),
    **dict.fromkeys(("", "unknown", "other", "nan", "none", "0.5"), "unknown"),
}
_FIELDS = tuple(f.name for f in fields(Utterance) if f.name not in ("corpus", "extra"))
_ALIASES = {
    "path": ("path", "file", "file_name", "filename", "audio", "wav"),
    "emotion": ("emotion", "label", "emo"),
    "speaker": ("speaker", "speaker_id", "spk", "actor"),
    "sex": ("sex", "gender"),
    "language": ("language", "lang"),
    "sentence": ("sentence", "text_id"),
    "split": ("split", "subset", "partition"),
}
Reading = Iterator[Utterance | LeftOut]
UNKNOWN = "unknown"  # the speaker of all utterances that name none: together they are one, so that no split parts them


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """What serkit must be told of data that is nobody's known corpus.

    Attributes:
        name: Lower case; becomes the corpus, and the prefix of ids and speakers.
        columns: Field of an utterance to the column that holds it, where the usual names do not find it.
        labels: Own label to canonical emotion, beside the canonical names and their adjectives.
        leave_out: Own labels that are not read; each utterance of them is counted.
        speaker: A regular expression over the path, whose first group is the speaker.
        language: ISO 639-1 code of all, where no column says it.
    """

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    leave_out: frozenset[str] = frozenset()
    speaker: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", self.name) is None:
            raise ManifestError(f"a corpus cannot be called {self.name!r}: use lower-case letters, digits and hyphens.")
        for name in self.columns:
            if name not in _FIELDS:
                hint = nearest(name, _FIELDS) or "."
                raise ManifestError(f"an utterance has no {name!r}{hint} It has {', '.join(_FIELDS)}.")
        try:
            groups = re.compile(self.speaker).groups
        except re.error as error:
            raise ManifestError(f"{self.speaker!r} is no regular expression: {error}.") from error
        if self.speaker and not groups:
            raise ManifestError(f"{self.speaker!r} has no group: put the speaker's part in parentheses.")

    @property
    def emotions(self) -> EmotionMap:
        """The map from own labels, in lower case, to canonical emotions."""
        usual = {name: emotion for emotion, others in _SYNONYMS.items() for name in (emotion, *others)}
        return EmotionMap(self.name, 1, usual | {label.lower(): emotion for label, emotion in self.labels.items()})


class Builder:
    """Builds utterances, or says why one is left out, from what a table or path holds."""

    def __init__(self, own: OwnData) -> None:
        self._own = own
        self._emotions = own.emotions
        self._leave_out = {label.lower() for label in own.leave_out}
        self._speaker = re.compile(own.speaker) if own.speaker else None
        self._ids: set[str] = set()

    def build(self, values: Mapping[str, Any], *, path: PurePosixPath, where: str) -> Utterance | LeftOut:
        """Build one utterance.

        Args:
            values: Field or column to value; columns that are no field go into ``extra``.
            path: Of its file, relative to the root.
            where: Names the place in messages.

        Raises:
            LabelError: If the label is unknown.
            ManifestError: If a value is impossible.
        """
        values = {name: _text(value) for name, value in values.items() if name is not None}
        found, used = self._fields(values)
        label = found.get("emotion", "")
        if not label:
            return LeftOut(path.as_posix(), "without a label")
        if label.lower() in self._leave_out:
            return LeftOut(path.as_posix(), f"labelled {label}, which is left out as asked")
        start, end = (_seconds(found.get(name, ""), where) for name in ("start", "end"))
        name = self._id(found.get("id") or path.with_suffix("").as_posix(), start, end)
        if name in self._ids:
            return LeftOut(path.as_posix(), "another file or row of an utterance that is there already")
        self._ids.add(name)
        extra = {name: value for name, value in values.items() if name not in used and value}
        return Utterance(
            id=name,
            path=path.as_posix(),
            corpus=self._own.name,
            speaker=f"{self._own.name}/{found.get('speaker') or self._speaker_of(path)}",
            emotion=self._emotion(label, where),
            sex=_sex(found.get("sex", ""), where),
            language=found.get("language") or self._own.language,
            start=start or 0.0,
            end=end,
            sentence=f"{self._own.name}/{found['sentence']}" if found.get("sentence") else "",
            session=found.get("session", ""),
            intensity=found.get("intensity", ""),
            split=found.get("split", ""),
            extra={"label": label} | extra,
        )

    def _fields(self, values: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
        """Find each field's column; returns the fields and the columns that were used."""
        found, used = {}, set()
        for name in _FIELDS:
            wanted = self._own.columns.get(name)
            for column in (wanted,) if wanted else _ALIASES.get(name, (name,)):
                if column in values:
                    found[name] = values[column].strip()
                    used.add(column)
                    break
        return found, used

    def _emotion(self, label: str, where: str) -> str:
        try:
            return self._emotions[label.lower()]
        except LabelError:
            known = ", ".join(EMOTIONS)
            raise LabelError(
                f"{where}: unknown label {label!r}; say which emotion it is ({known}), or leave it out: "
                f"--label '{label}=EMOTION' or --leave-out '{label}'."
            ) from None

    def _speaker_of(self, path: PurePosixPath) -> str:
        if self._speaker is None:
            return UNKNOWN
        match = self._speaker.search(path.as_posix())
        if match is None or not match[1]:
            raise ManifestError(f"{self._own.speaker!r} finds no speaker in {path.as_posix()!r}.")
        return match[1]

    def _id(self, name: str, start: float | None, end: float | None) -> str:
        """Return the id; parts of one file differ by their times."""
        part = "" if start is None and end is None else f"@{start or 0:g}-{'' if end is None else f'{end:g}'}"
        return f"{self._own.name}/{name}{part}"


def check_column(own: OwnData, name: str, columns: Mapping[str, Any], where: str) -> str:
    """Return the column that holds a field.

    Raises:
        ManifestError: If there is none; the message lists the columns and says how to map one.
    """
    wanted = own.columns.get(name)
    for column in (wanted,) if wanted else _ALIASES[name]:
        if column in columns:
            return column
    looked = repr(wanted) if wanted else f"any of {', '.join(_ALIASES[name])}"
    there = ", ".join(str(column) for column in columns)
    raise ManifestError(
        f"{where} has no column for the {name} (looked for {looked}); it has {there}: --column {name}=ONE."
    )


def relative(file: str, folder: Path, root: Path) -> PurePosixPath:
    """Return a table's path to a file, which is relative to the table's folder or absolute, relative to the root."""
    path = (folder / file.replace("\\", "/")).absolute()
    try:
        return PurePosixPath(path.relative_to(root.absolute()).as_posix())
    except ValueError:
        return PurePosixPath(path.as_posix())


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _sex(value: str, where: str) -> Sex:
    try:
        return _SEXES[value.lower()]
    except KeyError:
        raise ManifestError(f"{where}: sex {value!r} is none of {', '.join(filter(None, _SEXES))}.") from None


def _seconds(value: str, where: str) -> float | None:
    if value.lower() in ("", "nan", "nat", "none"):
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ManifestError(f"{where}: start and end must be seconds, got {value!r}.")
    return seconds
