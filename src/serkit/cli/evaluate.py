"""``serkit evaluate``: the results of a recipe, its variants, or a model file."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serkit.cli.options import (
    DataOption,
    FingerprintsOption,
    JobsOption,
    RunOption,
    SetOption,
    data_of,
    is_main_process,
    tell_one_class,
)
from serkit.cli.terminal import echo, echo_document

if TYPE_CHECKING:
    from serkit.data.corpora import Data
    from serkit.lab.leaderboard import RunEntry
    from serkit.lab.recipes.schema import Recipe


def evaluate(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE|MODEL", help="Name or YAML file of a recipe, or a model file (.onnx).")
    ],
    *,
    out: RunOption,
    data: DataOption = None,
    change: SetOption = None,
    corpora: Annotated[str | None, typer.Option(help="Corpora to test a model file on, separated by commas.")] = None,
    jobs: JobsOption = 1,
    fingerprints: FingerprintsOption = True,
    ablate: Annotated[
        str | None,
        typer.Option(
            help="Also run variants of the recipe: features, augment, balance, corpora, pretrain; separated by commas."
        ),
    ] = None,
) -> None:
    """Evaluate a recipe with its protocol, or a model file on corpora that it was not trained on.

    The run folder gets the predictions, the metrics, and a report (report.html).
    """
    from serkit.cli.progress_bar import shown_progress
    from serkit.errors import SettingsError
    from serkit.lab import experiments
    from serkit.lab.leaderboard import as_markdown
    from serkit.lab.recipes.ablation import AXES

    if Path(recipe).suffix == ".onnx":
        from serkit.lab.audit.unseen_corpora import evaluate_model
        from serkit.runtime.recognizer import Recognizer

        if not corpora:
            raise SettingsError("a model file needs corpora to be tested on, such as --corpora tess.")
        if change or ablate is not None:
            raise SettingsError("--set and --ablate are for recipes, and this is a model file; leave them out.")
        model = Recognizer.load(recipe)
        names = tuple(dict.fromkeys(name.strip() for name in corpora.split(",")))
        place = data_of(data)
        with shown_progress(is_quiet=not is_main_process()) as on_progress:
            evaluate_model(
                model.card, partial(model.predict, reject=False), names, place, out, fingerprints=fingerprints,
                on_progress=on_progress,
            )  # fmt: skip
        run = experiments.Run(out)
    else:
        from serkit.lab.recipes.files import load_recipe

        if corpora is not None:
            raise SettingsError("--corpora is for model files, and a recipe names its own corpora; leave it out.")
        experiment = load_recipe(recipe, change or ())
        if ablate is not None:
            axes = [axis.strip() for axis in ablate.split(",")]
            if not all(axes):
                raise SettingsError(
                    f"--ablate {ablate!r}: expected one or more of {', '.join(AXES)}, separated by commas."
                )
            _show_ablation(_ablated(experiment, axes, data_of(data), out, jobs=jobs, fingerprints=fingerprints), out)
            return
        place = data_of(data)
        with shown_progress(is_quiet=not is_main_process()) as on_progress:
            run = experiments.evaluate(
                experiment, data=place, out=out, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress
            )
    if is_main_process():
        run.report()
        echo_document(as_markdown([dict(run.metrics)]))
        tell_one_class(run)


def _ablated(
    recipe: "Recipe", axes: Sequence[str], data: "Data", out: Path, *, jobs: int, fingerprints: bool
) -> dict[str, Path]:
    """Run a recipe and its variants, and show their progress."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.lab.training import run as running

    with shown_progress(is_quiet=not is_main_process()) as on_progress:
        return running.ablate(recipe, axes, data, out, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress)


def _show_ablation(runs: Mapping[str, Path], out: Path) -> None:
    """Print the table of an ablation, with every variant compared to the recipe itself; write it as HTML and CSV.

    Variants that cannot be read or compared are named on stderr.
    """
    from serkit.lab.leaderboard import as_csv, as_html, as_sections, compare
    from serkit.lab.recipes.ablation import BASE
    from serkit.writing import write_whole

    if not is_main_process():
        return
    entries = _read_variants(runs)
    base = entries.get(BASE)
    apart = [name for name, entry in entries.items() if name != BASE and not _is_tested_alike(entry, base)]
    for name in apart:
        echo(
            f"serkit: {name} is left out of the comparison: it was tested on other utterances or classes than the "
            "recipe itself.",
            err=True,
        )
    board = compare(list(entries.values()), against=runs[BASE] if len(entries) - len(apart) > 1 else None)
    write_whole(out / "ablation.html", as_html(board))
    write_whole(out / "ablation.csv", as_csv(board))
    echo_document(as_sections(board))
    echo(f"{out / 'ablation.html'}")


def _read_variants(runs: Mapping[str, Path]) -> "dict[str, RunEntry]":
    from serkit.errors import RunError
    from serkit.lab.leaderboard import read_entry

    entries = {}
    for name, run in runs.items():
        try:
            entries[name] = read_entry(run)
        except RunError as error:
            echo(f"serkit: {name} is skipped: {error}", err=True)
    if not entries:
        raise RunError("none of the variants has predictions to show.")
    return entries


def _is_tested_alike(entry: "RunEntry", base: "RunEntry | None") -> bool:
    """Return whether a variant was tested on the same utterances and classes as the recipe itself."""
    if entry.answers is None or base is None or base.answers is None:
        return False
    return entry.answers.digest == base.answers.digest and entry.is_fair == base.is_fair
