"""audformat, the databases of audEERING's tools: a ``db.yaml`` beside tables, and media at relative paths."""

import math
from pathlib import Path, PurePosixPath
from typing import Any

from serkit.errors import ManifestError, MissingExtraError
from serkit.formats.own import Builder, OwnData, Reading
from serkit.labels import EMOTIONS
from serkit.manifest import Manifest
from serkit.types import LeftOut

HEADER = "db.yaml"
_SCHEMES = ("speaker", "gender", "sex", "language", "split", "transcription", "sentence", "intensity", "session")
_TABLE = "utterances"


def read(root: Path, own: OwnData) -> Reading:
    """Read a database.

    Args:
        root: The folder of its ``db.yaml``.
        own: ``columns={"emotion": SCHEME}`` where the scheme of the labels is not called ``emotion``, and likewise for
            ``speaker`` and ``sex``; these are looked up through the schemes' own tables too.

    Yields:
        An utterance, or what is left out, for each segment or file with a label.

    Raises:
        ManifestError: If it is no database, or has no such scheme.
        LabelError: If a label is unknown.
        MissingExtraError: If audformat is not installed.
    """
    audformat = _audformat("reading an audformat database")
    try:
        database = audformat.load(str(root))
        emotion = own.columns.get("emotion", "emotion")
        wanted = [own.columns.get(name, name) for name in _SCHEMES]
        others = [name for name in dict.fromkeys(wanted) if name != emotion and name in _schemes(database)]
        if emotion not in _schemes(database):
            there = ", ".join(sorted(_schemes(database)))
            raise ManifestError(f"{root.name!r} has no scheme {emotion!r}; it has {there}: --column emotion=SCHEME.")
        frame = database.get(emotion, others)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, ManifestError):
            raise
        raise ManifestError(f"cannot read {str(root)!r} as an audformat database: {error}.") from error
    build = Builder(own).build
    frame = audformat.utils.to_segmented_index(frame)
    for (file, start, end), row in frame.iterrows():
        path = PurePosixPath(Path(file).as_posix())
        if not (root / path).is_file():
            yield LeftOut(path.as_posix(), "in the database, but not on disk")
            continue
        times = {"start": _seconds(start) or None, "end": _seconds(end)}
        values = {name: None if _is_missing(value) else value for name, value in row.items()}
        yield build(values | times, path=path, where=f"{root.name}, {file}")


def write(manifest: Manifest, folder: Path) -> Path:
    """Write a database whose media stay where they are, at paths relative to it.

    Args:
        manifest: Its corpus roots must be known.
        folder: Made where it is missing; it must not hold another database.

    Returns:
        The header, ``db.yaml``. Its table ``utterances`` has the emotion, speaker, corpus and the other fields.

    Raises:
        ManifestError: If the folder holds a database already.
        MissingExtraError: If audformat is not installed.
    """
    audformat = _audformat("writing an audformat database")
    if (folder / HEADER).exists():
        raise ManifestError(f"{str(folder)!r} holds a database already; choose another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    database = audformat.Database("-".join(manifest.corpora), source="", usage="other", languages=_languages(manifest))
    speakers: dict[str, dict[str, str]] = {}
    for u in manifest:
        speakers.setdefault(u.speaker, {"gender": u.sex} if u.sex != "unknown" else {})
    database.schemes["emotion"] = audformat.Scheme(labels=[e for e in EMOTIONS if e in {u.emotion for u in manifest}])
    database.schemes["speaker"] = audformat.Scheme(labels=speakers)
    plain = ("corpus", "sentence", "session", "intensity", "split", "language")
    for name in plain:
        database.schemes[name] = audformat.Scheme("str")
    index = audformat.segmented_index(
        list(manifest.relative_to(folder)),
        [f"{u.start}s" for u in manifest],
        [None if u.end is None else f"{u.end}s" for u in manifest],
    )
    table = database[_TABLE] = audformat.Table(index)
    for name in ("emotion", "speaker", *plain):
        table[name] = audformat.Column(scheme_id=name)
        table[name].set([getattr(u, name) or None for u in manifest])
    database.save(str(folder))
    return folder / HEADER


def _schemes(database: Any) -> set[str]:
    """Return the schemes, and what is said of the labels of each, which ``Database.get`` finds as well."""
    names = set(database.schemes)
    for scheme in database.schemes.values():
        if isinstance(scheme.labels, dict):
            names |= {key for about in scheme.labels.values() if isinstance(about, dict) for key in about}
        elif isinstance(scheme.labels, str):
            names |= set(database[scheme.labels].columns)
    return names


def _languages(manifest: Manifest) -> list[str]:
    return sorted({u.language for u in manifest if u.language})


def _seconds(time: Any) -> float | None:
    seconds = float(time.total_seconds())
    return None if math.isnan(seconds) else seconds


def _is_missing(value: object) -> bool:
    return value is None or value != value or str(value) == "<NA>"  # noqa: PLR0124  (NaN is not itself)


def _audformat(purpose: str) -> Any:
    try:
        import audformat
    except ImportError as error:
        raise MissingExtraError(purpose, "data") from error
    return audformat
