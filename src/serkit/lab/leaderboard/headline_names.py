"""Names of headlines: ``headlines.yaml`` beside published runs says which run is known as, say, ``emodb-loso-best``."""

import re
from collections.abc import Iterable
from pathlib import Path

from serkit.errors import RunError
from serkit.lab.measure.run_entry import RunEntry

HEADLINES = "headlines.yaml"
_LINE = re.compile(r"([\w.-]+): +([\w.+-]+)")


def note_headline_names(entries: Iterable[RunEntry]) -> None:
    """Store the headline name of each run that has one in its row, as ``saved_as``.

    Raises:
        RunError: If a ``headlines.yaml`` is not a mapping of names to folders.
    """
    entries = list(entries)
    for parent in sorted({entry.folder.parent for entry in entries}):
        folders = read_headline_names(parent)
        for entry in (one for one in entries if one.folder.parent == parent and one.folder.name in folders):
            entry.row["saved_as"] = folders[entry.folder.name]


def read_headline_names(parent: Path) -> dict[str, str]:
    """Return the headline names in ``headlines.yaml``, by folder of the run; empty if there is no such file.

    The file is a flat mapping that is parsed here, because a plain installation has no YAML parser.

    Raises:
        RunError: If the file is not a mapping of names to folders.
    """
    path = parent / HEADLINES
    if not path.is_file():
        return {}
    try:
        lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error
    found = {line: _LINE.fullmatch(line) for line in lines if line and not line.startswith("#")}
    wrong = [line for line, match in found.items() if not match]
    if wrong:
        raise RunError(f"{str(path)!r}: expected lines of the form NAME: FOLDER, not {wrong[0]!r}.")
    return {match[2]: match[1] for match in found.values() if match}
