"""What a corpus file must provide, and how a corpus's files are found on disk."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, files_below, sound_files
from serkit.data.manifest import Manifest
from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.types import LeftOut, Utterance

OTHER_FORM = "a name that is not of this corpus's form"
SECOND_FILE = "another file of an utterance that is there already"
LFS_POINTER = "a Git LFS pointer, not sound: fetch the files themselves with 'git lfs pull'"
_POINTER = b"version https://git-lfs"
_MOST_POINTER_BYTES = 1024
OTHER_KIND = "an utterance that is there already, as another kind of file"


Reading = Iterable[Utterance | LeftOut]


@dataclass(frozen=True, slots=True)
class Remote:
    """One file of a corpus that can be had openly.

    Attributes:
        url: Where it lies.
        known_hash: What it must hash to, as pooch writes it: ``md5:...`` or ``sha256:...``; empty where its host
            publishes none, which a download says.
        name: What it is called on disk; a ``.zip`` is unpacked and then deleted.
        size: Bytes of all that will be fetched, as its host says; shown before a download, and 0 where unknown.
        members: Patterns of what to keep of an archive or listing (``AudioWAV/*.wav``); empty for everything.
        media: Where the Git LFS pointers of an archive lead: this, then their path in the archive.
        is_listing: Whether the url answers with a Dataverse's list of the files, each with its MD5.
    """

    url: str
    known_hash: str
    name: str
    size: int = 0
    members: tuple[str, ...] = ()
    media: str = ""
    is_listing: bool = False


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus that serkit knows.

    Attributes:
        name: Registry name, lower case; the prefix of its utterances, and of its speakers but where two corpora share
            them.
        title: As its authors write it.
        languages: ISO 639-1 codes.
        emotions: The corpus's own code or word to the canonical emotion.
        counts: Canonical emotion to how many utterances of it the official release has.
        speakers: How many the official release has.
        hours: Of speech in the official release; None where nobody has said.
        license: SPDX identifier where there is one.
        commercial: Whether the license lets a model trained on it be used commercially.
        derivatives: Whether the license lets a model trained on it be passed on.
        citation: One line.
        url: Where to get it, or to ask for it.
        read: From the corpus root to its utterances and what is left out, in any order.
        official: The utterances of the official release without their paths, where its list is known.
        oddities: Id of an utterance, or a speaker, to what is strange about it in the official release itself.
        voices_of: The corpus whose speakers these are too, under its names, where there is one.
        parts: The corpora that this one is made of; its utterances are theirs.
        folders: Other names that releases unpack to, for ``--data``.
        remotes: Its files, where they can be had without asking anybody.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    emotions: EmotionMap
    counts: Mapping[str, int]
    speakers: int
    hours: float | None
    license: str
    commercial: bool
    derivatives: bool
    citation: str
    url: str
    read: Callable[[Path], Reading]
    official: Callable[[], list[Utterance]] | None = None
    oddities: Mapping[str, str] = field(default_factory=dict)
    voices_of: str = ""
    parts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    remotes: tuple[Remote, ...] = ()

    @property
    def utterances(self) -> int:
        """How many the official release has."""
        return sum(self.counts.values())

    @property
    def source(self) -> str:
        """How it is had, as messages say it."""
        if self.remotes:
            return f"get it with 'serkit corpora download {self.name} DIR'"
        return f"it comes from {self.url}, see 'serkit corpora info {self.name}'"

    def survey(self, root: str | os.PathLike[str]) -> tuple[Manifest, list[LeftOut]]:
        """Read the corpus below a folder, whatever is there.

        Returns:
            Its utterances sorted by id, perhaps none, and what was left out.

        Raises:
            CorpusError: If the folder is missing or cannot be listed.
            LabelError: If a file has the corpus's form and a label that it does not know.
        """
        root = Path(root)
        try:
            what = "" if root.is_dir() else "a file, not a folder" if root.exists() else "not there"
        except OSError as error:
            raise CorpusError(f"cannot read {self.title} from {str(root)!r}: {error.strerror}.") from error
        if what:
            raise CorpusError(f"cannot read {self.title} from {str(root)!r}, which is {what}; get it from {self.url}.")
        found = list(self.read(root))
        utterances = sorted((item for item in found if isinstance(item, Utterance)), key=lambda u: u.id)
        left_out = [item for item in found if isinstance(item, LeftOut)]
        reasons = Counter(f"{self.name}: {item.reason}" for item in left_out)
        return Manifest(tuple(utterances), {u.corpus: root for u in utterances}, reasons), left_out

    def manifest(self, root: str | os.PathLike[str]) -> Manifest:
        """Read the corpus below a folder.

        Returns:
            Its utterances sorted by id; ``left_out`` counts what was not read, by its reason.

        Raises:
            CorpusError: If the folder is missing, unreadable, or holds no utterance of this corpus.
            LabelError: If a file has the corpus's form and a label that it does not know.
        """
        manifest, left_out = self.survey(root)
        if not len(manifest):
            reasons = Counter(item.reason for item in left_out)
            strangers = reasons.pop(OTHER_FORM, 0)
            many = f"none of its {strangers} sound files has" if strangers else "no sound file there has"
            why = "".join(f"; {count} left out: {reason}" for reason, count in reasons.items())
            raise CorpusError(f"no {self.title} in {os.fspath(root)!r}: {many} this corpus's form{why}.")
        return manifest


def read_names(
    root: Path,
    parse: Callable[[PurePosixPath], Utterance | str | None],
    suffixes: tuple[str, ...] = AUDIO_SUFFIXES,
) -> Reading:
    """Read a corpus whose labels stand in its paths.

    Args:
        root: The corpus root.
        parse: From a file's relative path to its utterance, whose ``path`` is filled in here; or to the reason why it
            is left out; or to None where its name is not of the corpus's form.
        suffixes: The kinds of files, the preferred first: where an utterance has several files, one is read.

    Yields:
        An utterance, or what was left out, for every sound file.
    """
    seen: dict[str, str] = {}

    def preference(path: PurePosixPath) -> int:
        return suffixes.index(path.suffix.lower())

    for path in sorted(sound_files(root, suffixes), key=preference):  # stable: within a kind they stay sorted
        found = parse(path)
        if isinstance(found, Utterance) and _is_pointer(root / path):
            found = LFS_POINTER
        if not isinstance(found, Utterance):
            yield LeftOut(path.as_posix(), found or OTHER_FORM)
        elif found.id in seen:
            is_same_kind = seen[found.id] == path.suffix.lower()
            yield LeftOut(path.as_posix(), SECOND_FILE if is_same_kind else OTHER_KIND)
        else:
            seen[found.id] = path.suffix.lower()
            yield replace(found, path=path.as_posix())


def _is_pointer(file: Path) -> bool:
    """Whether a file is what Git leaves of a sound where Git LFS is not installed."""
    try:
        if file.stat().st_size > _MOST_POINTER_BYTES:
            return False
        with file.open("rb") as stream:
            return stream.read(len(_POINTER)) == _POINTER
    except OSError:
        return False


def read_table(
    root: Path,
    name: str,
    columns: tuple[str, ...],
    *,
    title: str,
    delimiter: str = ",",
    is_quoted: bool = True,
) -> dict[str, dict[str, str]]:
    """Read a table that comes with a corpus, wherever it lies below the root.

    Args:
        root: The corpus root.
        name: Of the file, in any case.
        columns: That it must have, the one that names the rows first.
        title: The corpus, as the message names it.
        delimiter: Between cells.
        is_quoted: Whether a cell may stand in quotation marks.

    Returns:
        The rows by their names, with empty cells where a row is short; nothing where there is no such file.

    Raises:
        CorpusError: If it is another table of that name, or no table.
    """
    found = next(files_below(root, lambda file: file.lower() == name.lower()), None)
    if found is None:
        return {}
    path = root / found
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(
                file, restval="", delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE
            )
            missing = [column for column in columns if column not in (rows.fieldnames or ())]
            if missing:
                raise CorpusError(f"{str(path)!r} is not {title}'s table: it has no column {missing[0]!r}.")
            return {row[columns[0]]: row for row in rows}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {str(path)!r} as {title}'s table: {error}.") from error


def read_bytes(path: Path, *, title: str) -> bytes:
    """Read a text that comes with a corpus.

    Raises:
        CorpusError: If the system refuses, as for a link to nowhere.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r} of {title}: {error.strerror}.") from error


def official_list(parse: Callable[[PurePosixPath], Utterance | str | None], names: Iterable[str]) -> list[Utterance]:
    """Parse the names of an official release: what ``Corpus.official`` returns."""
    found = [parse(PurePosixPath(name)) for name in names]
    utterances = [item for item in found if isinstance(item, Utterance)]
    assert len(utterances) == len(found)
    return utterances
