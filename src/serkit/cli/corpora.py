"""``serkit corpora``: the corpora that serkit knows, and your own data."""

import json
import re
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serkit.cli.corpus_tables import show_check, show_listeners
from serkit.cli.options import JsonOption, pairs, show_rows, show_table
from serkit.cli.terminal import echo, echo_document

if TYPE_CHECKING:
    from serkit.data.corpora import Corpus
    from serkit.data.manifest import Manifest

app = typer.Typer(
    help="Corpora: those that serkit knows, and your own data.", no_args_is_help=True, rich_markup_mode="rich"
)

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", help="Name of a corpus (see 'serkit corpora list'), or a new name for your own data."
    ),
]
_MODEL_USES = {
    "any": "a model trained on it may be shared and used commercially; name the corpus, and read its license",
    "research": "a model trained on it is for research; before you share it, read the terms that its authors set",
    "non-commercial": "a model trained on it may be shared, but not used commercially",
    "do not share": "a model trained on it may not be shared",
    "not stated": "its authors do not state what may be done with a model trained on it: ask them",
}


class DataFormat(StrEnum):
    """Layouts of your own data."""

    manifest = "manifest"
    table = "table"
    audiofolder = "audiofolder"
    audformat = "audformat"
    folders = "folders"


class Form(StrEnum):
    """Output formats of ``serkit corpora manifest``."""

    table = "table"
    audiofolder = "audiofolder"
    audformat = "audformat"


@app.command("list")
def list_corpora(as_json: JsonOption = False) -> None:
    """List the corpora with their sizes and licenses."""
    from serkit.data.corpora import corpus_names, get_corpus

    rows = [_facts(get_corpus(name)) for name in corpus_names()]
    columns = ("corpus", "utterances", "speakers", "hours", "languages", "classes", "model_use", "license")
    show_rows(rows, as_json, columns)


@app.command()
def info(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a corpus.")], as_json: JsonOption = False
) -> None:
    """Describe a corpus: classes, license, source, and peculiarities."""
    import inspect
    import sys

    from serkit.data.corpora import get_corpus

    corpus = get_corpus(name)
    facts = _facts(corpus) | {
        "counts": dict(corpus.counts), "labels": dict(corpus.emotions), "label_map_version": corpus.emotions.version,
        "folders": [name, *corpus.folders], "citation": corpus.citation, "faulty": sorted(corpus.faulty),
        "human": asdict(corpus.human) if corpus.human else None,
        "about": inspect.getdoc(sys.modules[corpus.read.__module__]),
    }  # fmt: skip
    if as_json:
        echo_document(json.dumps(facts, indent=1, ensure_ascii=False))
        return
    hours = "" if corpus.hours is None else f", {corpus.hours:g} h"
    many, voices = corpus.utterances or "an unstated number", corpus.speakers or "an unstated number of"
    get = f"serkit corpora download {name} DIR" if corpus.remotes else "ask its authors"
    echo_document(f"{facts['about']}\n")
    for heading, text in (
        ("utterances", f"{many} of {voices} speakers{hours}, in {', '.join(corpus.languages)}"),
        ("classes", ", ".join(f"{name} {corpus.counts.get(name, '')}".strip() for name in corpus.emotions.classes)),
        ("labels", ", ".join(f"{own} = {emotion}" for own, emotion in corpus.emotions.items())),
        ("license", corpus.license),
        ("models", _MODEL_USES[corpus.model_use]),
        ("citation", corpus.citation),
        ("from", f"{corpus.url} ({get})"),
        ("folder", f"below --data: {', '.join((name, *corpus.folders))}, in any case"),
    ):
        echo(f"{heading:<11} {text}")


@app.command()
def check(
    name: NameArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the corpus, or table of your own data.")],
    together_with: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="FOLDER",
            help="Other corpus that should share no recording; can be repeated.",
        ),
    ] = None,
    fingerprints: Annotated[
        bool, typer.Option("--fingerprints/--no-fingerprints", help="Find near-duplicates by acoustic fingerprints.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Compare a corpus with its official release, decode every file, and find recordings that occur twice.

    The exit code is 1 if a check fails.
    """
    from serkit.cli.progress_bar import shown_progress
    from serkit.data.corpora import corpus_names, get_corpus, read_corpus
    from serkit.data.curation.check import check as look
    from serkit.data.curation.check import check_manifest

    manifest = read_corpus(name, folder)
    corpus = get_corpus(name) if name in corpus_names() else None
    others = [one for source in together_with or () for one in _recognized(source)]
    with shown_progress() as on_progress:
        if corpus and folder.is_dir():
            report = look(corpus, folder, others=others, fingerprints=fingerprints, on_progress=on_progress)
        else:
            report = check_manifest(
                name, manifest, corpus=corpus, others=others, fingerprints=fingerprints, on_progress=on_progress
            )
    if as_json:
        echo_document(json.dumps(report.to_json(), indent=1, ensure_ascii=False))
    else:
        show_check(report)
    if not report.is_passed:
        raise typer.Exit(1)


@app.command()
def overlap(
    first: Annotated[str, typer.Argument(metavar="A", help="Folder or manifest of a corpus, or NAME=PATH.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Folder or manifest of another corpus, or NAME=PATH.")],
    as_json: JsonOption = False,
) -> None:
    """List the recordings that two corpora share, whatever their names. The exit code is 1 if they share any."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.data.curation.overlap import find_overlap
    from serkit.data.manifest import merge

    with shown_progress() as on_progress:
        found = find_overlap(merge(_recognized(first)), merge(_recognized(second)), on_progress=on_progress)
    if as_json:
        echo_document(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
    else:
        rows = [(p.first, p.second, f"{p.similarity:.2f}", f"{p.overlap:.1f}") for p in found.pairs]
        if rows:
            show_table((first, second, "similarity", "seconds"), rows, names=2)
        shared = len({pair.first for pair in found.pairs})
        echo(f"{shared} of {found.utterances[0]} utterances of {first} are recordings of {second} too")
        if lost := sum(found.not_compared):
            echo(f"serkit: {lost} utterances were not compared: their files are missing or cannot be decoded", err=True)
    if found.pairs:
        raise typer.Exit(1)


@app.command()
def listeners(
    name: NameArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the corpus, or table of your own data.")],
    as_json: JsonOption = False,
) -> None:
    """Compare what listeners heard with what the actors meant: one listener scored as a model is, and agreement."""
    from serkit.data.corpora import read_corpora
    from serkit.lab.measure.listeners import listeners_of

    manifest = read_corpora([name], {name: folder})
    found = listeners_of(manifest)
    if as_json:
        echo_document(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
        return
    show_listeners(found)
    _print_left_out(manifest)


@app.command("manifest")
def write_manifest(
    name: NameArgument,
    source: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the corpus; for your own data, a folder or table.")
    ],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="File to write (.csv, .jsonl or .parquet), or a new folder.")
    ],
    format: Annotated[Form, typer.Option(metavar="FORMAT", help=f"Output format: {', '.join(Form)}.")] = Form.table,  # noqa: A002
    labels: Annotated[str | None, typer.Option(help="Label set; utterances with other labels are left out.")] = None,
    kind: Annotated[
        DataFormat | None,
        typer.Option(metavar="LAYOUT", help=f"Own data: layout ({', '.join(DataFormat)}).", show_default="detected"),
    ] = None,
    column: Annotated[list[str] | None, typer.Option(help="Own data: FIELD=COLUMN, such as emotion=mood.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Own data: LABEL=EMOTION, such as wut=anger.")] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="Own data: label to leave out.")] = None,
    speaker: Annotated[str, typer.Option(help="Own data: regular expression whose group matches the speaker.")] = "",
    emotion: Annotated[
        str,
        typer.Option(help="Own data: regular expression on the path whose group matches the label, such as '_(.+)_'."),
    ] = "",
    sex: Annotated[
        list[str] | None, typer.Option(help="Own data: WORD=SEX, such as f=female; SEX is male, female or unknown.")
    ] = None,
    language: Annotated[str, typer.Option(help="Own data: language as an ISO 639-1 code.")] = "",
    fingerprints: Annotated[
        bool, typer.Option("--fingerprints/--no-fingerprints", help="Add acoustic fingerprints to a table.")
    ] = True,
) -> None:
    """Write the utterances of a corpus as a table, an audformat database or a Hugging Face audiofolder."""
    from typing import cast

    from serkit.data.corpora import corpus_names, label_set_of, read_corpus
    from serkit.data.formats.row_to_utterance import OwnData
    from serkit.errors import CorpusError

    told = {
        "--kind": kind, "--column": column, "--label": label, "--leave-out": leave_out, "--speaker": speaker,
        "--emotion": emotion, "--sex": sex, "--language": language,
    }  # fmt: skip
    if name in corpus_names():
        if given := [option for option, value in told.items() if value]:
            raise CorpusError(f"{given[0]} is for your own data, but {name} is a known corpus; choose another name.")
        manifest = read_corpus(name, source)
    else:
        own = OwnData(
            name=name, columns=pairs(column, "--column", "FIELD=COLUMN"),
            labels=pairs(label, "--label", "LABEL=EMOTION"), leave_out=frozenset(leave_out or ()),
            speaker=speaker, emotion=emotion, sexes=cast(Any, pairs(sex, "--sex", "WORD=SEX")), language=language,
        )  # fmt: skip
        manifest = read_corpus(name, source, own=own, kind=kind.value if kind else None)
    if labels and label_set_of(labels, manifest.corpora).fact:
        raise CorpusError(
            f"label set {labels} takes the emotions from listeners, so a manifest of its emotions would not be {name}: "
            "write the manifest without --labels, and name the set in the recipe."
        )
    if labels:
        manifest, dropped = manifest.select(label_set_of(labels, manifest.corpora))
        for left, count in sorted(dropped.items()):
            echo(f"serkit: label set {labels} leaves out {count} utterances of {left}", err=True)
    if not len(manifest):
        raise CorpusError(f"nothing to write: no utterance of {name} has a class in {labels}.")
    if fingerprints and format is Form.table:
        _check_replaceable(output)
        manifest = _fingerprinted(manifest)
    _write(manifest, output, format)
    _print_left_out(manifest)
    _print_summary(manifest, output)


@app.command()
def stats(
    sources: Annotated[list[str], typer.Argument(metavar="FOLDER", help="Folders of corpora, or NAME=PATH.")],
    plot: Annotated[Path | None, typer.Option(help="Figure to write: .png, .svg or .pdf.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Compute statistics of corpora: classes, speakers, durations, loudness, and pitch by sex."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.data.curation.corpus_figure import check_picture, draw
    from serkit.data.curation.stats import describe, tables
    from serkit.data.manifest import merge

    if plot:
        check_picture(plot)
    manifest = merge(one for source in sources for one in _recognized(source))
    _print_left_out(manifest)
    with shown_progress() as on_progress:
        found = describe(manifest, on_progress=on_progress)
    if as_json:
        report = found.to_json() | {"left_out": dict(manifest.left_out)}
        echo_document(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        for table in tables(found):
            show_table(table.columns, table.rows, names=table.names, title=table.title)
    for clip in found.unreadable:
        echo(f"serkit: {clip.reason}", err=True)
    if plot:
        echo(f"serkit: wrote {draw(found, plot)}", err=True)
    if found.unreadable:
        raise typer.Exit(1)


@app.command()
def download(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of a corpus.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to download to.")],
    accept_license: Annotated[
        bool, typer.Option("--accept-license", help="Confirm that you have read the license and will comply with it.")
    ] = False,
) -> None:
    """Download an openly available corpus; for other corpora, print where to request them."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.data.corpora import get_corpus
    from serkit.data.curation.download import download as fetch

    with shown_progress() as on_progress:
        fetch(get_corpus(name), folder, accept_license=accept_license, on_progress=on_progress)
    echo(f"{folder}: next: serkit corpora check {name} {folder}")


def _facts(corpus: "Corpus") -> dict[str, Any]:
    return {
        "corpus": corpus.name, "title": corpus.title, "utterances": corpus.utterances or None,
        "speakers": corpus.speakers, "hours": corpus.hours, "languages": list(corpus.languages),
        "emotions": list(corpus.emotions.classes),
        "classes": len(corpus.emotions.classes),
        "license": corpus.license, "commercial_use": corpus.commercial, "sharing_of_models": corpus.derivatives,
        "model_use": corpus.model_use,
        "download": bool(corpus.remotes), "url": corpus.url,
    }  # fmt: skip


def _write(manifest: "Manifest", output: Path, form: Form) -> None:
    from serkit.cli.progress_bar import shown_progress
    from serkit.data.formats import audformat, audiofolder
    from serkit.progress import begin_task

    if form is Form.table:
        _check_replaceable(output)
        manifest.write(output)
    elif form is Form.audformat:
        audformat.write(manifest, output)
    else:
        with shown_progress() as on_progress:
            audiofolder.write(manifest, output, on_file=begin_task("copying", len(manifest), on_progress))


def _fingerprinted(manifest: "Manifest") -> "Manifest":
    """Add fingerprints to a manifest, and tell how many files have none."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.data.curation.overlap import with_fingerprints

    with shown_progress() as on_progress:
        manifest = with_fingerprints(manifest, on_progress=on_progress)
    if lost := sum(not u.fingerprint for u in manifest):
        echo(f"serkit: {lost} utterances have no fingerprint: their files are missing or cannot be decoded", err=True)
    return manifest


def _print_left_out(manifest: "Manifest") -> None:
    for reason, count in sorted(manifest.left_out.items()):
        echo(f"serkit: {count} files not read: {reason}", err=True)


def _print_summary(manifest: "Manifest", output: Path) -> None:
    from serkit.data.corpora import corpus_names, corpus_of
    from serkit.data.speaker_column import UNKNOWN

    unknown = sum(u.speaker.endswith(f"/{UNKNOWN}") and u.corpus not in corpus_names() for u in manifest)
    if unknown:
        echo(
            f"serkit: {unknown} utterances have no speaker; they are treated as one speaker and never split. "
            "Use --speaker or --column speaker=COLUMN to tell speakers apart.",
            err=True,
        )
    official = sum(corpus_of(name).utterances for name in manifest.corpora)
    of = f" (officially {official})" if official and official != len(manifest) else ""
    speakers = len(manifest.speakers)
    echo(f"{output}: {len(manifest)} utterances{of} of {speakers} speaker{'s' * (speakers != 1)}")


def _check_replaceable(output: Path) -> None:
    """Check that an output file is new, or a manifest that serkit wrote."""
    from serkit.data.formats.utterance_table import looks_like_manifest
    from serkit.data.tables import SUFFIXES
    from serkit.errors import ManifestError

    if output.is_dir():
        raise ManifestError(f"{str(output)!r} is a folder; name the file to write.")
    if output.suffix in SUFFIXES and output.is_file() and output.stat().st_size and not looks_like_manifest(output):
        raise ManifestError(f"{str(output)!r} exists and is not a serkit manifest; choose another name.")


def _recognized(source: str) -> list["Manifest"]:
    """Return the manifests of a source: NAME=PATH, the folder of a known corpus, a folder of corpora, or own data."""
    from serkit.data.corpora import read_corpus, recognize
    from serkit.errors import CorpusError

    folder = Path(source)
    name, equals, path = source.partition("=")
    if equals and not folder.exists():
        return [read_corpus(name, Path(path))]
    if found := recognize(folder):
        return [read_corpus(found[0], folder)]
    own = re.sub(r"[^a-z0-9]+", "-", folder.resolve().stem.lower()).strip("-") or "own"
    try:
        return [read_corpus(own, folder)]
    except CorpusError:
        inside = sorted(place for place in folder.iterdir() if place.is_dir()) if folder.is_dir() else []
        several = [read_corpus(known[0], place) for place in inside if (known := recognize(place))]
        if not several:
            raise
        for place in inside:
            if not recognize(place):
                echo(f"serkit: skipped: no known corpus in {str(place)!r}", err=True)
        return several
