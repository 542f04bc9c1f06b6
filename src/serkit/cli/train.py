"""``serkit train``: the final model of a recipe."""

from serkit.cli.options import (
    DataOption,
    FingerprintsOption,
    JobsOption,
    RecipeArgument,
    RunOption,
    SetOption,
    data_of,
    is_main_process,
    tell_one_class,
)
from serkit.cli.terminal import echo


def train(
    recipe: RecipeArgument,
    *,
    out: RunOption,
    data: DataOption = None,
    change: SetOption = None,
    jobs: JobsOption = 1,
    fingerprints: FingerprintsOption = True,
) -> None:
    """Train a recipe's final model on all speakers except those kept for validation."""
    from serkit.cli.progress_bar import shown_progress
    from serkit.lab import experiments
    from serkit.lab.recipes.files import load_recipe

    experiment = load_recipe(recipe, change or ())
    with shown_progress(is_quiet=not is_main_process()) as on_progress:
        run = experiments.train(
            experiment, data=data_of(data), out=out, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress
        )
    if is_main_process():
        from serkit.lab.measure.one_class import chance_of
        from serkit.lab.measure.run_folder import VALIDATED, read_predictions

        rows = read_predictions(out, VALIDATED)[0]
        chance = f" (chance {chance_of([row.true for row in rows]):.1f})" if rows else ""
        echo(f"{out}: validation UAR {run.validation_uar}{chance}; next: serkit export {out} -o {run.name}.onnx")
        tell_one_class(run)
