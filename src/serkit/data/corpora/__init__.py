"""Looks up and reads corpora: those that serkit knows, one module each, and the user's own data.

To add a corpus, add a module with a ``CORPUS`` here, and its name to ``_NAMES``.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from serkit.data.corpora.corpus_definition import OTHER_FORM, Corpus
from serkit.data.corpora.known_name import check_known_name
from serkit.data.corpora.shared_files import check_no_shared_files
from serkit.data.manifest import Manifest, merge
from serkit.data.tables import SUFFIXES
from serkit.errors import CorpusError, LabelError, ManifestError, UnknownNameError, nearest, unknown_name
from serkit.labels import COMMON, LABEL_SETS, LabelSet, check_emotion, common_labels, get_label_set

if TYPE_CHECKING:
    from serkit.data.corpora.own_data import Kind
    from serkit.data.formats.row_to_utterance import OwnData

__all__ = [
    "Corpus", "corpus_names", "corpus_of", "find_corpus", "get_corpus", "label_set_of", "read_corpora", "read_corpus",
    "recognize",
]  # fmt: skip

_NAMES = (
    "aesdd", "afew", "ased", "banglaser", "cafe", "casia", "crema-d", "emodb", "emovo", "enterface", "esd", "eyase",
    "iemocap", "jl-corpus", "kaggle-ser-en", "meld", "mesd", "msp-podcast", "nemo", "ravdess", "ravdess-song", "savee",
    "shemo", "tess", "turev-db", "urdu",
)  # fmt: skip

Data = str | os.PathLike[str] | Mapping[str, Path]


def corpus_names() -> tuple[str, ...]:
    """Return the names of all known corpora."""
    return _NAMES


def get_corpus(name: str) -> Corpus:
    """Return a corpus by name.

    Raises:
        UnknownNameError: If serkit knows no corpus of that name.

    Example:
        >>> get_corpus("emodb").speakers
        10
    """
    if name not in _NAMES:
        raise unknown_name("corpus", name, _NAMES, "serkit corpora list")
    corpus = import_module(f"serkit.data.corpora.{name.replace('-', '_')}").CORPUS
    assert isinstance(corpus, Corpus)
    return corpus


def corpus_of(name: str) -> Corpus:
    """Return a known corpus, or a description of the user's own data of that name."""
    if name in _NAMES:
        return get_corpus(name)
    from serkit.data.corpora.own_data import own_corpus

    return own_corpus(name)


def recognize(folder: Path) -> tuple[str, int] | None:
    """Return the known corpus that a folder holds and the number of its utterances there; None where it holds none."""
    found = []
    for name in _NAMES:
        try:
            manifest, left_out = get_corpus(name).survey(folder)
        except (CorpusError, LabelError):
            continue
        strangers = sum(item.reason == OTHER_FORM for item in left_out)
        if len(manifest) > strangers:
            found.append((len(manifest), name))
    count, name = max(found, default=(0, ""))
    return (name, count) if count else None


def find_corpus(name: str, data: Data) -> Path:
    """Return the folder of a corpus, or the folder or table of the user's own data.

    Args:
        name: Registry name, or name of the user's own data.
        data: Folder with one folder per corpus (any case), or corpus names to folders or tables.

    Raises:
        CorpusError: If the corpus is not in ``data``.
        UnknownNameError: If no corpus has that name, and ``data`` does not give it.
    """
    if isinstance(data, Mapping):
        if name in data:
            return Path(data[name])
        corpus = _get_or_give(name)
        raise CorpusError(f"no folder is given for {corpus.title}: pass --data {name}=DIR; {corpus.source}.")
    folder = Path(data)
    if not folder.is_dir():
        raise CorpusError(f"no data folder {str(folder)!r}.")
    there = {candidate.name.lower(): candidate for candidate in sorted(folder.iterdir(), reverse=True)}
    names = _folder_names(name)
    for alias in names:
        if alias in there and (there[alias].is_dir() or name not in _NAMES):
            return there[alias]
    corpus = _get_or_give(name)
    raise CorpusError(
        f"no folder for {corpus.title} in {str(folder)!r} (looked for {', '.join(sorted(names))}, in any case); "
        f"{corpus.source}."
    )


def read_corpus(name: str, source: Path, *, own: "OwnData | None" = None, kind: "Kind | None" = None) -> Manifest:
    """Read one corpus.

    Args:
        name: Registry name, or name of the user's own data.
        source: Folder of the corpus, or a manifest written by :meth:`Manifest.write`. For the user's own data: any
            source of :func:`serkit.data.corpora.own_data.read_own`.
        own: Mapping of the columns, labels and words of the user's own data.
        kind: Layout of the user's own data; recognized by default.

    Raises:
        CorpusError: If the source does not hold the corpus; the message names another corpus that it holds.
        ManifestError: If a manifest under a known corpus's name is not a part of its official release.
        LabelError: If a label is unknown.
    """
    if name not in _NAMES:
        from serkit.data.corpora.own_data import read_own
        from serkit.data.formats.row_to_utterance import OwnData

        try:
            return _only(name, (name,), read_own(source, own or OwnData(name=name), kind=kind), source)
        except CorpusError as error:
            hint = nearest(name, _NAMES, cutoff=0.75)
            raise CorpusError(f"{error} There is no corpus {name!r}{hint}" if hint else str(error)) from None
        except (LabelError, ManifestError) as error:
            if own or " --" not in str(error):
                raise
            raise type(error)(
                f"{error} (Such options belong to 'serkit corpora manifest'; pass the table that it writes.)"
            ) from None
    corpus = get_corpus(name)
    if source.is_file() and source.suffix.lower() in SUFFIXES:
        manifest = _only(name, corpus.parts or (name,), Manifest.read(source, is_known_corpus=True), source)
        check_known_name(corpus, manifest, source)
        return manifest
    try:
        return corpus.manifest(source)
    except CorpusError as error:
        if source.is_dir() and (other := recognize(source)) and other[0] != name:
            title = get_corpus(other[0]).title
            raise CorpusError(f"{str(error).rstrip('.')}; {other[1]} are named as in {title} ({other[0]}).") from None
        raise


def _only(name: str, parts: Sequence[str], manifest: Manifest, source: Path) -> Manifest:
    """Return a corpus's utterances from a manifest, and check that their files exist.

    Raises:
        ManifestError: If the manifest holds other corpora only, or none of its files exists.
    """
    kept = manifest.filter(lambda u: u.corpus in parts)
    if not len(kept):
        there = ", ".join(manifest.corpora)
        raise ManifestError(f"{str(source)!r} is a manifest of {there}, not of {name}: pass it under that name.")
    if nameless := next((u for u in kept if "\0" in u.path), None):  # which no system can open
        raise ManifestError(
            f"{str(source)!r} names the file {nameless.path!r}, with a NUL character; correct the path."
        )
    if not any(kept.audio_path(u).exists() for u in kept):
        first = kept.utterances[0].path
        raise ManifestError(
            f"none of the {len(kept)} files listed in {str(source)!r} exists, the first is {first!r}. The paths are "
            "relative to the manifest's own folder; was it moved?"
        )
    strangers = len(manifest) - len(kept)
    reasons = {f"{name}: from another corpus in the same manifest": strangers} if strangers else {}
    return replace(kept, left_out=dict(manifest.left_out) | reasons)


def read_corpora(names: Iterable[str], data: Data, *, keep_faulty: bool = False) -> Manifest:
    """Read several corpora into one manifest, for training or test.

    Args:
        names: Registry names, or names of the user's own data.
        data: Folder with one folder per corpus (any case), or corpus names to folders or tables.
        keep_faulty: Whether to keep the utterances that known corpora list as faulty, see :class:`Corpus`. By default
            they are left out, and ``left_out`` counts them.

    Raises:
        CorpusError: If one is missing. All are found before the first is read.
        UnknownNameError: If no corpus has one of the names, and ``data`` does not give it.
        ManifestError: If two corpora hold the same utterances or the same files.
    """
    folders = {name: find_corpus(name, data) for name in names}
    manifests = {name: read_corpus(name, folder) for name, folder in folders.items()}
    if not keep_faulty:
        manifests = {name: corpus_of(name).without_faulty(manifest) for name, manifest in manifests.items()}
    merged = merge(manifests.values())
    check_no_shared_files(manifests)
    return merged


def label_set_of(labels: str | Sequence[str], corpora: Iterable[str]) -> LabelSet:
    """Return the label set of an experiment.

    Args:
        labels: Name of a label set; of a corpus, for all its emotions; ``common`` for the emotions that all corpora
            share; or the classes themselves.
        corpora: Corpora of the experiment.

    Raises:
        UnknownNameError: If there is no label set of that name.
        LabelError: If a class is not canonical or occurs twice, or there are fewer than two classes.
    """
    if not isinstance(labels, str):
        classes = tuple(check_emotion(name) for name in labels)
        if len(set(classes)) < max(2, len(classes)):
            raise LabelError(f"labels must name two or more classes, each once, got {', '.join(classes) or 'none'}.")
        return LabelSet("own", classes, "the classes that the recipe names")
    if labels in _NAMES and labels not in LABEL_SETS:
        corpus = get_corpus(labels)
        return LabelSet(labels, corpus.emotions.classes, f"the classes of {corpus.title}")
    if labels != COMMON:
        return get_label_set(labels)
    own = [name for name in corpora if name not in _NAMES]
    if own:
        raise LabelError(
            f"labels: common needs corpora whose emotions serkit knows, which it does not for {own[0]!r}; name the "
            "classes instead, labels: [anger, ...]."
        )
    return common_labels({name: get_corpus(name).emotions.classes for name in corpora})


def _get_or_give(name: str) -> Corpus:
    try:
        return get_corpus(name)
    except UnknownNameError as error:
        raise UnknownNameError(f"{error} Pass your own data as --data {name}=PATH.") from None


def _folder_names(name: str) -> tuple[str, ...]:
    """Return the names in lower case that a corpus's folder may have, the likeliest first."""
    if name not in _NAMES:
        return (name, *(f"{name}{suffix}" for suffix in SUFFIXES))
    corpus = get_corpus(name)
    return tuple(dict.fromkeys(alias.lower() for alias in (name, corpus.title, *corpus.folders)))
