"""Defines what serkit knows of a corpus, and the readers that corpora share.

Each module beside this one builds a :class:`Corpus`, most of them with :func:`read_names` and :func:`read_table`.
"""

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

FAULTY = "faulty, "  # begins the reason for which an utterance of the release is left out of training and test
OTHER_FORM = "a name that is not of this corpus's form"
SECOND_FILE = "another file of an utterance that was read already"
LFS_POINTER = "a Git LFS pointer, not sound: fetch the files themselves with 'git lfs pull'"
_POINTER = b"version https://git-lfs"
_MOST_POINTER_BYTES = 1024
OTHER_KIND = "an utterance that was read already from another kind of file"


Reading = Iterable[Utterance | LeftOut]


@dataclass(frozen=True, slots=True)
class Remote:
    """One file of a corpus that anybody may download.

    Attributes:
        url: Address of the file.
        known_hash: Expected hash in the notation of pooch, ``md5:...`` or ``sha256:...``; empty where the host
            publishes none.
        name: File name on disk; a ``.zip`` is unpacked and then deleted.
        size: Bytes of the whole download according to the host, shown before it starts; 0 where unknown.
        members: Patterns of the files to keep from an archive or listing (``AudioWAV/*.wav``); empty for all files.
        media: Address before the archive path of each Git LFS pointer, for archives that hold pointers.
        is_listing: Whether the address answers with a Dataverse's list of files and their MD5 hashes.
        hosts: Other hosts that the hosts of ``url`` and ``media`` may redirect to; one that begins with a dot stands
            for all below a domain.
    """

    url: str
    known_hash: str
    name: str
    size: int = 0
    members: tuple[str, ...] = ()
    media: str = ""
    is_listing: bool = False
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HumanScore:
    """How well people name the acted emotions of a corpus: each answer of a listener is scored as a prediction.

    ``serkit corpora listeners`` computes the numbers. All but the counts are percentages.

    Attributes:
        uar: Unweighted average recall over the acted emotions.
        uar_low: Lower end of its 95 % interval, a bootstrap over speakers.
        uar_high: Upper end of its 95 % interval.
        wa: Share of answers that name the acted emotion.
        macro_f1: Macro-F1 of the answers.
        answers: Number of answers.
        utterances: Number of utterances that they are about.
        speakers: Number of the speakers of these.
        heard: What the listeners were given, as a noun: ``the voice alone``.
    """

    uar: float
    uar_low: float
    uar_high: float
    wa: float
    macro_f1: float
    answers: int
    utterances: int
    speakers: int
    heard: str


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus that serkit knows.

    Attributes:
        name: Registry name in lower case. It is the prefix of utterance ids, and of speakers unless ``voices_of`` is
            set.
        title: Name as its authors write it.
        languages: ISO 639-1 codes of its languages.
        emotions: Label of the corpus to canonical emotion.
        counts: Canonical emotion to the number of its utterances in the official release; empty where no numbers are
            published, or where they differ between releases.
        speakers: Number of speakers in the official release; None where nobody knows.
        hours: Hours of speech in the official release; None where no number is published.
        license: SPDX identifier where there is one.
        commercial: Whether the license allows commercial use of a model trained on the corpus; None where the authors
            state no license.
        derivatives: Whether the license allows sharing a model trained on the corpus; None where none is stated.
        citation: Publication to cite, in one line.
        url: Page where the corpus can be downloaded or requested.
        read: Function from the corpus root to its utterances and to what was left out, in any order.
        official: Function that returns the utterances of the official release without paths, where its list is known.
        from_id: Function from an utterance's id without the corpus to the utterance that it tells of, where there is no
            such list; its emotion may be empty. The function returns None for an id of another form.
        oddities: Utterance id or speaker to what is unusual about it in the official release.
        faulty: Utterances among the oddities that training and test leave out by default, since their label, their
            speaker or their sound is wrong.
        human: Scores of listeners on the acted emotions; None where no answers of single listeners are published.
        voices_of: Corpus with the same speakers, whose speaker names this one uses; empty for none.
        parts: Corpora that this one is made of; its utterances have their ids.
        folders: Other folder names that releases unpack to, tried by ``--data``.
        remotes: Files for ``serkit corpora download``; empty where the corpus must be requested.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    emotions: EmotionMap
    counts: Mapping[str, int]
    speakers: int | None
    hours: float | None
    license: str
    commercial: bool | None
    derivatives: bool | None
    citation: str
    url: str
    read: Callable[[Path], Reading]
    official: Callable[[], list[Utterance]] | None = None
    from_id: Callable[[str], Utterance | None] | None = None
    oddities: Mapping[str, str] = field(default_factory=dict)
    faulty: frozenset[str] = frozenset()
    human: HumanScore | None = None
    voices_of: str = ""
    parts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    remotes: tuple[Remote, ...] = ()

    @property
    def utterances(self) -> int:
        """Number of utterances in the official release."""
        return sum(self.counts.values())

    @property
    def model_use(self) -> str:
        """What the license allows to do with a model trained on the corpus, in a few words."""
        if self.derivatives is False:
            return "do not share"
        if self.commercial is False and self.license.endswith(("-research", "-academic")):
            return "research"
        if self.commercial is None or self.derivatives is None:
            return "not stated"
        return "any" if self.commercial else "non-commercial"

    def without_faulty(self, manifest: Manifest) -> Manifest:
        """Return a manifest without the corpus's faulty utterances, which ``left_out`` counts by reason."""
        gone = Counter(f"{self.name}: {FAULTY}{self.oddities[u.id]}" for u in manifest if u.id in self.faulty)
        if not gone:
            return manifest
        kept = manifest.filter(lambda u: u.id not in self.faulty)
        return replace(kept, left_out=Counter(manifest.left_out) + gone)

    @property
    def source(self) -> str:
        """Clause of error messages that says where to get the corpus."""
        if self.remotes:
            return f"get it with 'serkit corpora download {self.name} DIR'"
        return f"get it from {self.url}, see 'serkit corpora info {self.name}'"

    def survey(self, root: str | os.PathLike[str]) -> tuple[Manifest, list[LeftOut]]:
        """Read the corpus below a folder, complete or not.

        Args:
            root: Corpus root.

        Returns:
            Manifest of the utterances found, sorted by id and perhaps empty; and what was left out.

        Raises:
            CorpusError: If the folder is missing or cannot be listed.
            LabelError: If a file name has the corpus's form, but an unknown label.
        """
        root = Path(root)
        try:
            what = "" if root.is_dir() else "is a file, not a folder" if root.exists() else "does not exist"
        except OSError as error:
            raise CorpusError(f"cannot read {self.title} from {str(root)!r}: {error.strerror}.") from error
        if what:
            raise CorpusError(f"cannot read {self.title} from {str(root)!r}, which {what}; get it from {self.url}.")
        found = list(self.read(root))
        utterances = sorted((item for item in found if isinstance(item, Utterance)), key=lambda u: u.id)
        left_out = [item for item in found if isinstance(item, LeftOut)]
        reasons = Counter(f"{self.name}: {item.reason}" for item in left_out)
        return Manifest(tuple(utterances), {u.corpus: root for u in utterances}, reasons), left_out

    def manifest(self, root: str | os.PathLike[str]) -> Manifest:
        """Read the corpus below a folder.

        Args:
            root: Corpus root.

        Returns:
            Manifest of its utterances, sorted by id. Its ``left_out`` counts the files that were not read, by reason.

        Raises:
            CorpusError: If the folder is missing, unreadable, or holds no utterance of this corpus.
            LabelError: If a file name has the corpus's form, but an unknown label.
        """
        manifest, left_out = self.survey(root)
        if not len(manifest):
            reasons = Counter(item.reason for item in left_out)
            strangers = reasons.pop(OTHER_FORM, 0)
            many = f"none of the {strangers} sound files there is" if strangers else "no sound file there is"
            why = "".join(f"; {count} left out: {reason}" for reason, count in reasons.items())
            raise CorpusError(f"no {self.title} in {os.fspath(root)!r}: {many} named as in this corpus{why}.")
        return manifest


def read_names(
    root: Path,
    parse: Callable[[PurePosixPath], Utterance | str | None],
    suffixes: tuple[str, ...] = AUDIO_SUFFIXES,
) -> Reading:
    """Read a corpus whose file paths hold the labels.

    Args:
        root: Corpus root.
        parse: Function from a file's relative path to its utterance, whose ``path`` is filled in here. It returns the
            reason for a file to leave out, or None where the name is not of the corpus's form.
        suffixes: File suffixes, the preferred first: of several files of one utterance, one is read.

    Yields:
        An utterance for each sound file, or the reason why it was left out.
    """
    seen: dict[str, str] = {}

    def preference(path: PurePosixPath) -> int:
        return suffixes.index(path.suffix.lower())

    for path in sorted(sound_files(root, suffixes), key=preference):  # stable: sorted by name within each suffix
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


def id_parser(parse: Callable[[PurePosixPath], Utterance | str | None]) -> Callable[[str], Utterance | None]:
    """Return a function for ``Corpus.from_id``, for corpora whose file names hold all that an id tells."""

    def from_id(name: str) -> Utterance | None:
        found = parse(PurePosixPath(f"{name}.wav"))
        return found if isinstance(found, Utterance) else None

    return from_id


def _is_pointer(file: Path) -> bool:
    """Whether a file is the short text that Git writes in place of a sound file where Git LFS is not installed."""
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
    """Read a table that comes with a corpus, at any depth below the root.

    Args:
        root: Corpus root.
        name: File name of the table, in any case.
        columns: Columns that the table must have. The first one holds the keys of its rows.
        title: Title of the corpus in error messages.
        delimiter: Character between cells.
        is_quoted: Whether cells may be in quotation marks.

    Returns:
        Key to row. Short rows are filled with empty cells. Empty where there is no such file.

    Raises:
        CorpusError: If the file is another table or no table.
    """
    rows = read_table_rows(root, name, columns, title=title, delimiter=delimiter, is_quoted=is_quoted)
    return {row[columns[0]]: row for row in rows}


def read_table_rows(
    root: Path,
    name: str,
    columns: tuple[str, ...],
    *,
    title: str,
    delimiter: str = ",",
    is_quoted: bool = True,
) -> list[dict[str, str]]:
    """Read a table like :func:`read_table`, for tables in which no single column holds the keys.

    Returns:
        The rows in the order of the file. Empty where there is no such file.
    """
    found = next(files_below(root, lambda file: file.lower() == name.lower()), None)
    if found is None:
        return []
    path = root / found
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(
                file, restval="", delimiter=delimiter, quoting=csv.QUOTE_MINIMAL if is_quoted else csv.QUOTE_NONE
            )
            if rows.fieldnames is None:
                raise CorpusError(f"{str(path)!r} is not the table of {title}: it is empty.")
            missing = [column for column in columns if column not in (rows.fieldnames or ())]
            if missing:
                raise CorpusError(f"{str(path)!r} is not the table of {title}: it has no column {missing[0]!r}.")
            return list(rows)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"cannot read {str(path)!r} as the table of {title}: {error}.") from error


def read_bytes(path: Path, *, title: str) -> bytes:
    """Return the bytes of a text file that comes with a corpus.

    Raises:
        CorpusError: If the file cannot be opened, such as a broken link.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(f"cannot read {str(path)!r} of {title}: {error.strerror}.") from error


def official_list(parse: Callable[[PurePosixPath], Utterance | str | None], names: Iterable[str]) -> list[Utterance]:
    """Return the utterances of an official release, for ``Corpus.official``, from its file names."""
    found = [parse(PurePosixPath(name)) for name in names]
    utterances = [item for item in found if isinstance(item, Utterance)]
    assert len(utterances) == len(found)
    return utterances
