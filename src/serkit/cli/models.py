"""Models: their list, their files, and the ways between serkit's files and transformers' folders."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from serkit.cli.options import JsonOption, data_of, show_rows

models_app = typer.Typer(help="Networks and model files.", no_args_is_help=True)


def export(
    run: Annotated[Path, typer.Argument(help="A run folder that 'serkit train' made.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file, or the folder for --transformers.")],
    seed: Annotated[int | None, typer.Option(help="Which of the recipe's seeds; the first by default.")] = None,
    fold: Annotated[
        int | None, typer.Option(help="Of a run of 'serkit evaluate': the model that has not seen its test speakers.")
    ] = None,
    evidence: Annotated[list[Path] | None, typer.Option(help="A run folder whose numbers go on the card.")] = None,
    error_rate: Annotated[
        float, typer.Option(min=1, max=99, help="Wrong answers, in percent, above the threshold for 'uncertain'.")
    ] = 25,
    int8: Annotated[bool, typer.Option("--int8", help="Linear layers as 8-bit integers: a smaller file.")] = False,
    data: Annotated[
        list[str] | None, typer.Option("--data", help="Corpora, to measure what --int8 costs; or SERKIT_CORPORA.")
    ] = None,
    transformers: Annotated[
        bool, typer.Option("--transformers", help="A folder for transformers.pipeline in place of a model file.")
    ] = False,
) -> None:
    """Write a trained model as one ONNX file with its card."""
    if transformers:
        from serkit.lab.export.transformers_folder import save_classifier

        if int8 or evidence:
            raise typer.BadParameter("--transformers writes weights alone: leave --int8 and --evidence out.")
        save_classifier(run, output, seed=seed, fold=fold)
        typer.echo(f"{output}: pipeline('audio-classification', '{output}') loads it")
        return
    from serkit.lab.export import quantize as quantizing
    from serkit.lab.export.model_file import export as write
    from serkit.lab.measure import calibration
    from serkit.runtime.recognizer import Recognizer

    corpora = data_of(data) if int8 and (data or os.environ.get("SERKIT_CORPORA")) else None
    difference = write(
        run, output, seed=seed, fold=fold, evidence=tuple(evidence or ()), error_rate=error_rate / 100, int8=int8,
        data=corpora,
    )  # fmt: skip
    _say_written(output, difference)
    card = Recognizer.load(output).card
    for words in (calibration.words_of(card.calibration), quantizing.words_of(card.quantization)):
        if words:
            typer.echo(words)


@models_app.command("convert")
def convert_model(
    checkpoint: Annotated[str, typer.Argument(help="A folder, or a name on the hub, of an audio classifier.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="The model file.")],
    revision: Annotated[str, typer.Option(help="Of a name on the hub: a branch, tag or commit.")] = "",
) -> None:
    """Write a classifier that transformers fine-tuned as a model file, with its own labels."""
    from serkit.lab.export.transformers_folder import convert

    _say_written(output, convert(checkpoint, output, revision))


def _say_written(output: Path, difference: float) -> None:
    size = output.stat().st_size / 1e6
    typer.echo(f"{output}: {size:.1f} MB, torch and ONNX Runtime differ by {difference:.1e} at most")


@models_app.command("list")
def list_models(
    classes: Annotated[int, typer.Option(min=2, help="Classes that the weights are counted for.")] = 6,
    as_json: JsonOption = False,
) -> None:
    """List the models: number of weights, features, source and license of the code."""
    from serkit.lab.models import model_names
    from serkit.lab.models.summary import about

    rows = [about(name, classes=classes) for name in model_names()]
    show_rows(rows, as_json, ("model", "weights", "features", "source", "license", "about"))


@models_app.command("show")
def show_model(
    model: Annotated[str | None, typer.Argument(help="A name, a file, or an embedded model: default, emodb.")] = None,
    classes: Annotated[int, typer.Option(min=2, help="Of a named model.")] = 6,
    as_json: JsonOption = False,
) -> None:
    """Print the layers of a named model, or the card of a model file as JSON."""
    from serkit.runtime.recognizer import Recognizer, embedded_models

    if model is None or model in embedded_models() or Path(model).suffix == ".onnx" or Path(model).is_file():
        typer.echo(json.dumps(Recognizer.load(model).card.to_json(), indent=1, ensure_ascii=False))
        return
    from serkit.lab.models.summary import as_json as as_content
    from serkit.lab.models.summary import render, summarize_model

    parts = summarize_model(model, classes=classes)
    typer.echo(json.dumps(as_content(parts), indent=1) if as_json else render(parts))
