"""Reads and writes audformat, audEERING's database format: a ``db.yaml`` beside tables, media at relative paths."""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from serkit.data.formats.row_to_utterance import OwnData, Reading, UtteranceBuilder, check_columns
from serkit.data.manifest import Manifest
from serkit.data.speaker_column import SpeakerColumn
from serkit.errors import ManifestError, MissingExtraError
from serkit.labels import EMOTIONS
from serkit.types import LeftOut, Utterance
from serkit.writing import whole_files

HEADER = "db.yaml"
_TABLE = "utterances"
_PLACE = ("path", "start", "end", "duration")  # fields that the index holds
_EXTRA = ("transcription", "corpus")
_PLAIN = ("id", "corpus", "sex", "language", "sentence", "session", "intensity", "split")


def read(root: Path, own: OwnData, speakers: SpeakerColumn) -> Reading:
    """Read a database.

    Args:
        root: Folder of the database's ``db.yaml``.
        own: Mapping of schemes that have no usual name, such as ``columns={"emotion": SCHEME}``. The speaker and the
            sex are also looked up in the tables of a scheme's labels.
        speakers: Speakers of the data, to which those of the utterances are added.

    Yields:
        An utterance for each segment or file with a label, or the reason why it was left out. Its split is that of
        its table.

    Raises:
        ManifestError: If the folder holds no database, a scheme is missing, a file is labeled twice, or a pattern for
            emotions is given.
        LabelError: If a label is unknown.
        MissingExtraError: If audformat is not installed.
    """
    if own.takes_emotion_from_path:
        raise ManifestError("an audformat database names its emotions in a scheme; leave the pattern for emotions out.")
    database = _load(root)
    schemes = sorted(_schemes(database))
    found = check_columns(own, ("emotion",), schemes, root.name)
    emotion = found.pop("emotion")
    others = [name for field, name in found.items() if field not in _PLACE]
    build = UtteranceBuilder(own, speakers).build
    for (file, start, end), row in _rows(database, emotion, [*others, *(name for name in _EXTRA if name in schemes)]):
        path = PurePosixPath(Path(file).as_posix())
        if not (root / path).is_file():
            yield LeftOut(path.as_posix(), "in the database, but not on disk")
            continue
        times = {"start": _seconds(start) or None, "end": _seconds(end)}
        yield build({**row, **times}, path=path, where=f"{root.name}, {file}")


def write(manifest: Manifest, folder: Path) -> Path:
    """Write a database that refers to the sound files where they are.

    Its table ``utterances`` holds every field but ``extra``. Times are rounded to nanoseconds.

    Args:
        manifest: Utterances to write, with known corpus roots.
        folder: Folder to write to; it is made where it is missing, and must not hold a database yet.

    Returns:
        Path of the header, ``db.yaml``.

    Raises:
        ManifestError: If the folder holds a database already, or audformat cannot express the manifest.
        MissingExtraError: If audformat is not installed.
    """
    audformat = _audformat("writing an audformat database")
    if (folder / HEADER).exists():
        raise ManifestError(f"{str(folder)!r} holds a database already; choose another folder.")
    _check_places(manifest)
    emotions = {u.emotion for u in manifest}
    languages = sorted({u.language for u in manifest} - {""})
    try:
        database = audformat.Database("-".join(manifest.corpora), source="", usage="other", languages=languages)
        database.schemes["emotion"] = audformat.Scheme(labels=[name for name in EMOTIONS if name in emotions])
        database.schemes["speaker"] = audformat.Scheme(labels=_speakers(manifest))
        for name in _PLAIN:
            database.schemes[name] = audformat.Scheme("str")
        table = database[_TABLE] = audformat.Table(_index(audformat, manifest, folder))
        for name in ("emotion", "speaker", *_PLAIN):
            table[name] = audformat.Column(scheme_id=name)
            table[name].set([getattr(u, name) or None for u in manifest])
    except ValueError as error:
        raise ManifestError(f"audformat cannot hold this manifest: {_first_line(error)}.") from error
    with whole_files(folder, last=HEADER) as temporary:
        database.save(str(temporary))
    return folder / HEADER


def _load(root: Path) -> Any:
    audformat = _audformat("reading an audformat database")
    import yaml  # comes with audformat

    from serkit.data.yaml_documents import parse_yaml

    try:
        _refuse_pickles(root, parse_yaml((root / HEADER).read_bytes()))
        return audformat.Database.load(str(root), load_data=True)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, yaml.YAMLError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"cannot read {str(root)!r} as an audformat database: {_first_line(error)}.") from error


def _refuse_pickles(root: Path, header: Mapping[str, Any]) -> None:
    """Refuse pickled tables, which audformat would load before others and which may run any code."""
    for table in (*(header.get("tables") or ()), *(header.get("misc_tables") or ())):
        if (file := root / f"db.{table}.pkl").exists():
            raise ManifestError(
                f"{str(file)!r} is a pickle, which may run any code when it is read: "
                f"save the table as CSV or Parquet, and delete the pickle."
            )


def _rows(database: Any, emotion: str, others: list[str]) -> Iterator[tuple[tuple[str, Any, Any], Mapping[str, Any]]]:
    """Yield (file, start, end) and the column values of each labeled file or segment."""
    from audformat.utils import to_segmented_index

    try:
        frame = to_segmented_index(database.get(emotion, others))
    except (ValueError, TypeError) as error:
        raise ManifestError(
            f"the database {database.name!r} cannot be read as one label per file or segment: {_first_line(error)}."
        ) from error
    splits = {
        place: split
        for split in database.splits
        for place in to_segmented_index(database.get(emotion, splits=[split]).index)
    }
    frame = frame.astype(object).where(frame.notna(), None)  # pandas.NA has no truth value
    for place, row in zip(frame.index, frame.to_dict("records"), strict=True):
        yield place, row | {"split": row.get("split") or splits.get(place)}


def _schemes(database: Any) -> set[str]:
    """Return all names that ``Database.get`` finds: schemes, columns, and the properties of a scheme's labels."""
    names = set(database.schemes)
    for table in database.tables.values():
        names |= set(table.columns)
    for scheme in database.schemes.values():
        if isinstance(scheme.labels, dict):
            names |= {key for about in scheme.labels.values() if isinstance(about, dict) for key in about}
        elif isinstance(scheme.labels, str):
            names |= set(database[scheme.labels].columns)
    return names


def _speakers(manifest: Manifest) -> dict[str, dict[str, str]]:
    """Return the labels of the speaker scheme, with the gender where all utterances of a speaker agree on it."""
    sexes: dict[str, set[str]] = {}
    for u in manifest:
        sexes.setdefault(u.speaker, set()).add(u.sex)
    agreed = {speaker: min(found) for speaker, found in sexes.items() if len(found) == 1}
    return {s: {"gender": agreed[s]} if agreed.get(s, "unknown") != "unknown" else {} for s in sorted(sexes)}


def _check_places(manifest: Manifest) -> None:
    places: dict[tuple[Path, float, float | None], Utterance] = {}
    for u in manifest:
        first = places.setdefault((manifest.audio_path(u), u.start, u.end), u)
        if first is not u:
            raise ManifestError(f"{first.id!r} and {u.id!r} are the same part of a file, which audformat labels once.")


def _index(audformat: Any, manifest: Manifest, folder: Path) -> Any:
    starts = [f"{u.start:.9f}s" for u in manifest]
    ends = [None if u.end is None else f"{u.end:.9f}s" for u in manifest]
    return audformat.segmented_index(list(manifest.relative_to(folder)), starts, ends)


def _seconds(time: Any) -> float | None:
    seconds = float(time.total_seconds())
    return None if seconds != seconds else seconds  # noqa: PLR0124  (NaN is not itself)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".: ")


def _audformat(purpose: str) -> Any:
    try:
        import audformat
    except ImportError as error:
        raise MissingExtraError(purpose, "data") from error
    return audformat
