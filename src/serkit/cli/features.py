"""``serkit features``: list features, and extract them from corpora."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serkit.cli.options import DataOption, JsonOption, data_of, show_rows
from serkit.cli.terminal import echo

if TYPE_CHECKING:
    from serkit.data.manifest import Manifest

Rows = Mapping[str, Any]  # utterance id to (N, F)
app = typer.Typer(help="Features: what models read from sound.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("list")
def list_features(as_json: JsonOption = False) -> None:
    """List the features."""
    from serkit.lab.features import build_feature, feature_names

    rows = []
    for name in feature_names():
        front = build_feature(name, {})
        about = (type(front).__doc__ or "").strip().splitlines()[0]
        rows.append(
            {
                "feature": name, "kind": front.kind, "size": front.size, "sampling_rate": front.config.sampling_rate,
                "about": about,
            }
        )  # fmt: skip
    show_rows(rows, as_json, ("feature", "kind", "size", "sampling_rate", "about"))


@app.command()
def extract(
    corpora: Annotated[
        list[str], typer.Argument(metavar="CORPUS", help="Names of corpora, or of your own data in --data.")
    ],
    feature: Annotated[
        list[str],
        typer.Option(
            help="Name of a feature; can be repeated, which concatenates them. egemaps and compare2016 need "
            "openSMILE. ssl:NAME is the mean over a pretrained encoder's frames; NAME is a folder or a name on the "
            "Hugging Face hub."
        ),
    ],
    data: DataOption = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="File to write the features to: .npz, or for vectors .csv or .parquet."),
    ] = None,
) -> None:
    """Extract features into the cache that trainings read. If interrupted, run the same command to resume."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.data.cache_folder import cache_dir
    from serkit.data.corpora import read_corpora
    from serkit.lab.features import build_front
    from serkit.lab.features.opensmile_features import OpenSmile
    from serkit.lab.training.store import open_store
    from serkit.progress import begin_task

    front = build_front([_named(name) for name in feature])
    names: tuple[str, ...] = ()
    if front.kind == "vector":
        names = front.inner.names if isinstance(front.inner, OpenSmile) else tuple(f"f{i}" for i in range(front.size))
    _check_output(output, is_vector=bool(names))
    manifest = read_corpora(corpora, data_of(data))
    for reason, count in sorted(manifest.left_out.items()):
        echo(f"serkit: {count} files left out: {reason}", err=True)
    with shown_progress() as on_progress:
        step = begin_task("decoding", len(manifest), on_progress)
        store = open_store(manifest, front.config.sampling_rate, step)
        rows = store.features(front, 1.0, begin_task("+".join(feature), len(manifest), on_progress))
    if output:
        _write(manifest, rows, names, output)
    size = next(iter(rows.values())).shape[1]
    where = output or cache_dir() / "features"
    echo(f"{where}: {'+'.join(feature)}, {size} dimensions, {len(manifest)} utterances")


def _named(feature: str) -> dict[str, str]:
    """Return a feature's settings as in a recipe; ``ssl:NAME`` names a pretrained encoder."""
    name, _, model = feature.partition(":")
    return {"name": name, "model": model, "pooling": "mean"} if name == "ssl" else {"name": feature}


def _check_output(output: Path | None, *, is_vector: bool) -> None:
    from serkit.errors import SettingsError

    endings = (".csv", ".parquet", ".npz") if is_vector else (".npz",)
    if output and output.suffix not in endings:
        what = "a vector" if is_vector else "frames or images"
        raise SettingsError(f"cannot write {what} to {output.name!r}; the suffix must be {', '.join(endings)}.")


def _write(manifest: "Manifest", rows: Rows, names: tuple[str, ...], output: Path) -> None:
    import numpy as np

    from serkit.data.tables import write_rows
    from serkit.writing import whole_binary

    if output.suffix == ".npz":
        with whole_binary(output) as file:
            np.savez_compressed(file, **{u.id: rows[u.id] for u in manifest})
        return
    facts = ("id", "corpus", "speaker", "sex", "emotion")
    table = (
        {fact: getattr(u, fact) for fact in facts} | dict(zip(names, rows[u.id][0].tolist(), strict=True))
        for u in manifest
    )
    write_rows(output, (*facts, *names), table, numbers=names)
