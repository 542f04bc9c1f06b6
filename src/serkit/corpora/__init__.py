"""The corpora that serkit knows, one file each, looked up by name.

A new corpus is a new file here with a ``CORPUS``, and its name in ``_NAMES``.
"""

import os
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from serkit.corpora.adapter import Corpus
from serkit.errors import CorpusError, unknown_name
from serkit.manifest import Manifest

__all__ = ["Corpus", "corpus_names", "find_corpus", "get_corpus", "read_corpora"]

_NAMES = ("emodb", "nemo", "ravdess", "tess")

Data = str | os.PathLike[str] | Mapping[str, Path]


def corpus_names() -> tuple[str, ...]:
    """Return the names of all known corpora."""
    return _NAMES


def get_corpus(name: str) -> Corpus:
    """Return a corpus by name.

    Raises:
        UnknownNameError: If there is none of that name.

    Example:
        >>> get_corpus("emodb").speakers
        10
    """
    if name not in _NAMES:
        raise unknown_name("corpus", name, _NAMES, "serkit corpora list")
    corpus = import_module(f"serkit.corpora.{name}").CORPUS
    assert isinstance(corpus, Corpus)
    return corpus


def find_corpus(name: str, data: Data) -> Path:
    """Find the folder of a corpus.

    Args:
        name: Registry name.
        data: A folder that holds one folder per corpus (any case), or corpus names to folders.

    Raises:
        CorpusError: If it is not there.
    """
    corpus = get_corpus(name)
    if isinstance(data, Mapping):
        if name not in data:
            raise CorpusError(
                f"no folder given for {corpus.title}; pass --data {name}=DIR. It comes from {corpus.url}."
            )
        return data[name]
    folder = Path(data)
    if not folder.is_dir():
        raise CorpusError(f"no data folder {str(folder)!r}.")
    accepted = {alias.lower() for alias in (name, corpus.title, *corpus.folders)}
    for candidate in sorted(folder.iterdir()):
        if candidate.is_dir() and candidate.name.lower() in accepted:
            return candidate
    raise CorpusError(
        f"no folder for {corpus.title} in {str(folder)!r} (looked for {', '.join(sorted(accepted))}, in any case); "
        f"it comes from {corpus.url}."
    )


def read_corpora(names: tuple[str, ...] | list[str], data: Data) -> Manifest:
    """Read several corpora into one manifest.

    Raises:
        CorpusError: If one is missing: found out before any is read.
    """
    from serkit.manifest import merge

    folders = {name: find_corpus(name, data) for name in names}
    return merge(get_corpus(name).manifest(folder) for name, folder in folders.items())
