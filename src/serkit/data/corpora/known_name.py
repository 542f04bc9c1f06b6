"""Refuses a manifest under a known corpus's name that is not this corpus.

The name promises the speakers and labels of the official release: results are compared by it, and a speaker of that
name counts as the one whom others trained on. A part of the corpus keeps the promise; invented speakers, other labels
and pieces of its files do not.
"""

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path

from serkit.data.corpora.corpus_definition import Corpus
from serkit.data.manifest import Manifest
from serkit.errors import LabelError, ManifestError
from serkit.types import Utterance

_FIELDS = ("speaker", "emotion", "sex", "sentence")  # compared where both sides say something
_SILENT = ("", "unknown")


def check_known_name(corpus: Corpus, manifest: Manifest, source: Path) -> None:
    """Check that a manifest holds utterances of a known corpus, whole and labeled as in the official release.

    Args:
        corpus: Corpus whose name the manifest is given.
        manifest: Utterances to check: the whole corpus or a part of it.
        source: File of the manifest, named in the message.

    Raises:
        ManifestError: If an utterance differs; the message has the first, their number and how to rename the data.
    """
    official = _by_id(corpus.official) if corpus.official else {}
    emotions = frozenset(corpus.emotions.classes)
    found = [text for u in manifest if (text := _difference(u, _expected(corpus, u, official), emotions))]
    if found:
        many = f"{len(found)} of its {len(manifest)} utterances differ from the official release, the first: {found[0]}"
    elif corpus.speakers is not None and len(manifest.speakers) > corpus.speakers:
        many = f"it has {len(manifest.speakers)} speakers, and the official release has {corpus.speakers}"
    else:
        return
    own = f"my-{corpus.name}"
    raise ManifestError(
        f"{str(source)!r} is not {corpus.title}: {many}; give your own data another name, such as --data "
        f"{own}={own}.csv after 'serkit corpora manifest {own} {source} --kind table -o {own}.csv'."
    )


@lru_cache(maxsize=16)
def _by_id(official: Callable[[], list[Utterance]]) -> Mapping[str, Utterance]:
    return {u.id: u for u in official()}


def _expected(corpus: Corpus, u: Utterance, official: Mapping[str, Utterance]) -> Utterance | None:
    """Return what the official release has under an utterance's id, or what the id itself says; None for no such id."""
    if corpus.official or corpus.from_id is None:
        return official.get(u.id) if corpus.official else u
    try:
        found = corpus.from_id(u.id.removeprefix(f"{corpus.name}/"))
    except LabelError:
        return None
    return found if found and found.id == u.id else None


def _difference(u: Utterance, expected: Utterance | None, emotions: Collection[str]) -> str:
    """Return how an utterance differs from the official one, in words; empty if it does not."""
    if expected is None:
        return f"there is no {u.id!r}"
    for name in _FIELDS:
        ours, theirs = getattr(u, name), getattr(expected, name)
        if ours != theirs and ours not in _SILENT and theirs not in _SILENT:
            return f"the {name} of {u.id!r} is {ours!r}, officially {theirs!r}"
    if u.emotion not in emotions:
        return f"the emotion of {u.id!r} is {u.emotion!r}, which the corpus does not have"
    if u.start or u.end is not None:
        return f"{u.id!r} is a part of its file, from {u.start:g} s {'on' if u.end is None else f'to {u.end:g} s'}"
    return ""
