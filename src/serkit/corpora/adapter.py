"""What a corpus file must provide, and how a corpus's files are found on disk."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.manifest import Manifest
from serkit.sounds import AUDIO_SUFFIXES, sound_files
from serkit.types import LeftOut, Utterance

OTHER_FORM = "a name that is not of this corpus's form"
SECOND_FILE = "another file of an utterance that is there already"
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
        licence: SPDX identifier where there is one.
        commercial: Whether the licence lets a model trained on it be used commercially.
        derivatives: Whether the licence lets a model trained on it be passed on.
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
    licence: str
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

    def survey(self, root: str | os.PathLike[str]) -> tuple[list[Utterance], list[LeftOut]]:
        """Read the corpus below a folder, whatever is there.

        Returns:
            Its utterances sorted by id, and what was left out.

        Raises:
            CorpusError: If the folder is missing or cannot be listed.
            LabelError: If a file has the corpus's form and a label that it does not know.
        """
        root = Path(root)
        if not root.is_dir():
            what = "a file, not a folder" if root.exists() else "not there"
            raise CorpusError(f"cannot read {self.title} from {str(root)!r}, which is {what}; get it from {self.url}.")
        found = list(self.read(root))
        utterances = [item for item in found if isinstance(item, Utterance)]
        return sorted(utterances, key=lambda u: u.id), [item for item in found if isinstance(item, LeftOut)]

    def manifest(self, root: str | os.PathLike[str]) -> Manifest:
        """Read the corpus below a folder.

        Returns:
            Its utterances sorted by id; ``left_out`` counts what was not read, by its reason.

        Raises:
            CorpusError: If the folder is missing, unreadable, or holds no utterance of this corpus.
            LabelError: If a file has the corpus's form and a label that it does not know.
        """
        utterances, left_out = self.survey(root)
        if not utterances:
            many = f"none of its {len(left_out)} sound files" if left_out else "no sound file there"
            raise CorpusError(f"no {self.title} in {str(root)!r}: {many} has this corpus's form.")
        reasons = Counter(f"{self.name}: {item.reason}" for item in left_out)
        return Manifest(tuple(utterances), {u.corpus: Path(root) for u in utterances}, reasons)


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
        if not isinstance(found, Utterance):
            yield LeftOut(path.as_posix(), found or OTHER_FORM)
        elif found.id in seen:
            is_same_kind = seen[found.id] == path.suffix.lower()
            yield LeftOut(path.as_posix(), SECOND_FILE if is_same_kind else OTHER_KIND)
        else:
            seen[found.id] = path.suffix.lower()
            yield replace(found, path=path.as_posix())


def official_list(parse: Callable[[PurePosixPath], Utterance | str | None], names: Iterable[str]) -> list[Utterance]:
    """Parse the names of an official release: what ``Corpus.official`` returns."""
    found = [parse(PurePosixPath(name)) for name in names]
    utterances = [item for item in found if isinstance(item, Utterance)]
    assert len(utterances) == len(found)
    return utterances
