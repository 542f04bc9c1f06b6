"""Turns the rows and paths of a user's own data into utterances.

:class:`OwnData` maps the data's columns, labels and words to serkit's; :class:`UtteranceBuilder` applies that mapping.

Names are compared and stored in Unicode's composed form (NFC), since the folders and tables of one data set may code
accents differently. Only file paths stay as they are on disk.
"""

import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from serkit.data.name_spelling import composed
from serkit.data.speaker_column import SpeakerColumn
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
_SEXES: dict[str, Sex] = {
    **dict.fromkeys(("male", "m", "man"), "male"),
    **dict.fromkeys(("female", "f", "w", "woman"), "female"),
    **dict.fromkeys(("unknown", "other", "diverse", "non-binary", "nan", "none", ""), "unknown"),
}  # no numbers: some data sets code men as 0 and women as 1, others the other way round
_FIELDS = (*(f.name for f in fields(Utterance) if f.name not in ("corpus", "extra")), "duration")
_ALIASES = {
    "path": ("path", "file", "file_name", "filename", "audio_filepath", "audio", "wav"),
    "emotion": ("emotion", "label", "emo", "emotions"),
    "speaker": ("speaker", "speaker_id", "spk", "actor"),
    "sex": ("sex", "gender"),
    "language": ("language", "lang"),
    "sentence": ("sentence", "text_id"),
    "split": ("split", "subset", "partition"),
}
Reading = Iterator[Utterance | LeftOut]
SPLITS = {  # folder name to split
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}


@dataclass(frozen=True, kw_only=True)
class OwnData:
    """Mapping from the columns, labels and words of a user's own data to serkit's.

    Attributes:
        name: Name of the corpus in lower case; also the prefix of its ids and speakers.
        columns: Field of an utterance to the column that holds it. Columns with a usual name, in any case, need no
            entry. ``duration``, counted from the start, may replace ``end``.
        labels: Label of the data to canonical emotion. The canonical names and their adjectives need no entry.
        leave_out: Labels whose utterances are not read; they are counted.
        sexes: Word or number of the data to ``male``, ``female`` or ``unknown``. The usual words need no entry.
        speaker: Regular expression over the path, whose first group is the speaker. It has precedence over a speaker
            column, unless ``columns`` names one.
        emotion: Regular expression over the path, whose first group is the label. It has precedence in the same way.
        language: ISO 639-1 code of all utterances that have no language of their own.

    Raises:
        ManifestError: If a value is impossible.
    """

    name: str
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    leave_out: frozenset[str] = frozenset()
    sexes: Mapping[str, Sex] = field(default_factory=dict)
    speaker: str = ""
    emotion: str = ""
    language: str = ""

    def __post_init__(self) -> None:
        if re.fullmatch(r"[a-z0-9][a-z0-9._-]*", self.name) is None:
            raise ManifestError(f"a corpus cannot be named {self.name!r}: use lower-case letters, digits and hyphens.")
        if isinstance(self.leave_out, str):
            raise ManifestError(f"leave_out must be a set of labels, got the text {self.leave_out!r}.")
        for name in self.columns:
            if name not in _FIELDS:
                hint = nearest(name, _FIELDS) or "."
                raise ManifestError(f"an utterance has no field {name!r}{hint} The fields are {', '.join(_FIELDS)}.")
        for word, sex in self.sexes.items():
            if sex not in get_args(Sex):
                known = ", ".join(get_args(Sex))
                raise ManifestError(f"sex {word!r} cannot be mapped to {sex!r}: choose one of {known}.")
        for what, pattern in (("speaker", self.speaker), ("emotion", self.emotion)):
            _check_pattern(pattern, what)

    @property
    def takes_emotion_from_path(self) -> bool:
        """Whether the pattern ``emotion`` finds the labels."""
        return bool(self.emotion) and "emotion" not in self.columns

    def label_in(self, path: PurePosixPath) -> str:
        """Return the label that the pattern ``emotion`` finds in a path; empty where it finds none."""
        return _found(re.compile(composed(self.emotion)), path)

    @property
    def emotions(self) -> EmotionMap:
        """Labels of the data, in lower case, to canonical emotions."""
        usual = {name: emotion for emotion, others in _SYNONYMS.items() for name in (emotion, *others)}
        own = {in_lower_case(label): emotion for label, emotion in self.labels.items()}
        return EmotionMap(self.name, 1, usual | own)


class UtteranceBuilder:
    """Builds utterances from the values of a table's row or from a path.

    Args:
        own: Mapping of the data's columns, labels and words.
        speakers: Speakers of the data, to which those of built utterances are added.
    """

    def __init__(self, own: OwnData, speakers: SpeakerColumn) -> None:
        self._own = own
        self._speakers = speakers
        self._emotions = own.emotions
        self._leave_out = {in_lower_case(label) for label in own.leave_out}
        self._sexes = _SEXES | {in_lower_case(word): sex for word, sex in own.sexes.items()}
        self._speaker = re.compile(composed(own.speaker)) if own.speaker else None
        self._columns: dict[tuple[str, ...], Mapping[str, str]] = {}
        self._built: dict[str, Utterance] = {}

    def build(self, values: Mapping[str, Any], *, path: PurePosixPath, where: str) -> Utterance | LeftOut:
        """Build one utterance.

        Args:
            values: Field or column name to value. Columns that hold no field go into ``extra``.
            path: Path of the file, relative to the root.
            where: File and row named in error messages.

        Returns:
            The utterance, or the reason why it is left out.

        Raises:
            LabelError: If the label is unknown.
            ManifestError: If a value is impossible, or contradicts an earlier utterance.
        """
        texts = {name: _text(value) for name, value in values.items()}
        columns = self._columns_of(tuple(texts))
        found = {name: texts[column].strip() for name, column in columns.items()}
        label = self._own.label_in(path) if self._own.takes_emotion_from_path else found.get("emotion", "")
        if not label:
            return LeftOut(path.as_posix(), "without a label")
        if in_lower_case(label) in self._leave_out:
            return LeftOut(path.as_posix(), f"labeled {label}, which you asked to leave out")
        start, end = _times(found, where)
        given = found.get("id") if columns.get("id") != columns.get("path") else None
        used = {column for name, column in columns.items() if name != "duration"} | {"label"}
        speaker = self._speakers.add(self._speaker_of(found, path), corpus=self._own.name, where=where)
        utterance = Utterance(
            id=self._named(given) if given else self._id(path, start, end),
            path=path.as_posix(),
            corpus=self._own.name,
            speaker=self._named(speaker),
            emotion=self._emotion(label, where),
            sex=self._sex(found.get("sex", ""), where),
            language=found.get("language") or self._own.language,
            start=start or 0.0,
            end=end,
            sentence=self._named(found["sentence"]) if found.get("sentence") else "",
            session=composed(found.get("session", "")),
            intensity=found.get("intensity", ""),
            split=found.get("split", ""),
            extra={"label": label} | {name: text for name, text in texts.items() if text and name not in used},
        )
        first = self._built.setdefault(utterance.id, utterance)
        return utterance if first is utterance else _left_out(utterance, first, where)

    def _columns_of(self, columns: tuple[str, ...]) -> Mapping[str, str]:
        if columns not in self._columns:
            self._columns[columns] = find_columns(self._own, columns)
        return self._columns[columns]

    def _emotion(self, label: str, where: str) -> str:
        try:
            return self._emotions[in_lower_case(label)]
        except LabelError:
            known = ", ".join(EMOTIONS)
            raise LabelError(
                f"{where}: unknown label {label!r}; map it to an emotion ({known}) with --label '{label}=EMOTION', "
                f"or leave it out with --leave-out '{label}'."
            ) from None

    def _sex(self, word: str, where: str) -> Sex:
        try:
            return self._sexes[in_lower_case(word)]
        except KeyError:
            known = ", ".join(filter(None, self._sexes))
            raise ManifestError(
                f"{where}: unknown sex {word!r}, expected one of {known}; map it with --sex '{word}=SEX', where SEX is "
                f"{', '.join(get_args(Sex))}."
            ) from None

    def _speaker_of(self, found: Mapping[str, str], path: PurePosixPath) -> str:
        given = found.get("speaker") if self._speaker is None or "speaker" in self._own.columns else None
        if given or self._speaker is None:
            return given or ""
        speaker = _found(self._speaker, path)
        if not speaker:
            raise ManifestError(f"the pattern {self._own.speaker!r} finds no speaker in {path.as_posix()!r}.")
        return speaker

    def _named(self, text: str) -> str:
        """Return an id, a speaker or a sentence prefixed with the corpus, unless it has that prefix already."""
        prefix, text = f"{self._own.name}/", composed(text)
        return text if text.startswith(prefix) else prefix + text

    def _id(self, path: PurePosixPath, start: float | None, end: float | None) -> str:
        """Return an id made of the path, and of the times where the utterance is a part of the file."""
        name = composed("/".join(part for part in path.with_suffix("").parts if part not in ("/", "..")))
        part = "" if start is None and end is None else f"@{start or 0:.15g}-{'' if end is None else f'{end:.15g}'}"
        return f"{self._own.name}/{name}{part}"


def _check_pattern(pattern: str, what: str) -> None:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ManifestError(f"{pattern!r} is not a regular expression: {error}.") from error
    if pattern and not groups:
        raise ManifestError(f"{pattern!r} has no group: put the {what}'s part in parentheses.")


def _found(pattern: re.Pattern[str], path: PurePosixPath) -> str:
    """Return the first group of a pattern in a path, stripped like a table's cells; empty without a match."""
    match = pattern.search(composed(path.as_posix()))
    return (match[1] or "").strip() if match else ""


def in_lower_case(label: str) -> str:
    """Return a label in lower case and NFC, as the mappings hold it."""
    return composed(label).lower()


def find_columns(own: OwnData, columns: Collection[str]) -> dict[str, str]:
    """Return field to column: the column that ``own`` names, or else the first with a usual name in any case."""
    usual = {column.strip().lower(): column for column in reversed(list(columns))}
    found = {}
    for name in _FIELDS:
        if wanted := own.columns.get(name):
            there = [wanted] if wanted in columns else []
        else:
            there = [usual[alias] for alias in _ALIASES.get(name, (name,)) if alias in usual]
        if there:
            found[name] = there[0]
    return found


def check_columns(own: OwnData, needed: Collection[str], columns: Collection[str], where: str) -> dict[str, str]:
    """Return field to column, and check that no needed field lacks one.

    Args:
        own: Mapping of the data, whose named columns are needed too.
        needed: Fields that must have a column.
        columns: Columns of the table.
        where: Name of the table in error messages.

    Raises:
        ManifestError: If a field has no column; the message lists the columns and the option that maps one.
    """
    found = find_columns(own, columns)
    for name in (*needed, *own.columns):
        if name not in found:
            wanted = own.columns.get(name)
            looked = repr(wanted) if wanted else f"any of {', '.join(_ALIASES[name])}"
            raise ManifestError(
                f"{where} has no column for the {name} (looked for {looked}); "
                f"its columns are {', '.join(columns)}. Name one with --column {name}=COLUMN."
            )
    return found


def relative(file: str, folder: Path, root: Path) -> PurePosixPath:
    """Return a file's path relative to the root.

    Args:
        file: Path in a table, absolute or relative to the table's folder.
        folder: Folder of the table.
        root: Root of the corpus. A file outside it gets an absolute path.
    """
    # texts instead of Path objects: a million of those take a minute
    path = os.path.join(os.path.abspath(folder), file.replace("\\", "/")).replace(os.sep, "/")  # noqa: PTH100, PTH118
    above = os.path.abspath(root).replace(os.sep, "/").rstrip("/") + "/"  # noqa: PTH100
    return PurePosixPath(path.removeprefix(above))


def _left_out(utterance: Utterance, first: Utterance, where: str) -> LeftOut:
    """Return why the second utterance with an id is left out, and check that it repeats the first."""
    places = {(PurePosixPath(u.path).with_suffix(""), u.start, u.end) for u in (first, utterance)}
    if len(places) > 1:
        if first.path != utterance.path and composed(first.path) == composed(utterance.path):
            raise ManifestError(
                f"{where}: two files have this name, with accents coded in two ways; rename one of them."
            )
        raise ManifestError(
            f"{where}: id {utterance.id!r} occurs twice, first for {first.path}; "
            f"name a column with unique values, such as that of the path, with --column id=COLUMN."
        )
    if first.emotion != utterance.emotion:
        raise ManifestError(
            f"{where}: {utterance.id!r} is labeled both {first.emotion} and {utterance.emotion}; keep one row of it."
        )
    if first.speaker != utterance.speaker:
        raise ManifestError(
            f"{where}: {utterance.id!r} is spoken by both {first.speaker} and {utterance.speaker}; keep one row of it."
        )
    return LeftOut(utterance.path, "another file or row of an utterance that was read already")


def _text(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124  (NaN is not itself)
        return ""
    is_whole = isinstance(value, float) and value.is_integer()  # pandas makes 3 into 3.0 in a column with gaps
    return str(int(value)) if is_whole else str(value)  # type: ignore[call-overload]


def _times(found: Mapping[str, str], where: str) -> tuple[float | None, float | None]:
    start, end = (_seconds(found.get(name, ""), where) for name in ("start", "end"))
    if start is not None and "end" not in found and (duration := _seconds(found.get("duration", ""), where)):
        end = start + duration
    if end is not None and end <= (start or 0.0):
        raise ManifestError(f"{where}: the end at {end:g} s is not after the start at {start or 0:g} s.")
    return start, end


def _seconds(value: str, where: str) -> float | None:
    if value.lower() in ("", "nan", "nat", "none"):
        return None
    try:
        seconds = float(value.replace(",", "."))  # a spreadsheet in German writes 0,5
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ManifestError(f"{where}: times must be seconds, got {value!r}.")
    return seconds
