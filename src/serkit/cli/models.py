"""``serkit models``: list and show models, and convert classifiers from transformers."""

import json
from pathlib import Path
from typing import Annotated

import typer

from serkit.cli.options import JsonOption, print_model_file, show_rows
from serkit.cli.terminal import echo_document

app = typer.Typer(help="Model architectures and model files.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("convert")
def convert_model(
    checkpoint: Annotated[
        str,
        typer.Argument(metavar="CHECKPOINT", help="Folder, or name on the Hugging Face hub, of an audio classifier."),
    ],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Model file to write.")],
    revision: Annotated[str, typer.Option(help="Branch, tag or commit on the hub.")] = "",
) -> None:
    """Convert an audio classifier from transformers into a model file; its labels are kept."""
    from serkit.lab.exporting.transformers_folder import convert

    print_model_file(output, convert(checkpoint, output, revision))


@app.command("list")
def list_models(
    classes: Annotated[
        int, typer.Option(metavar="N", min=2, help="Number of classes for which weights are counted.")
    ] = 6,
    as_json: JsonOption = False,
) -> None:
    """List the model architectures: trained weights, input features, source, and license of the code."""
    from serkit.lab.models import model_names
    from serkit.lab.models.summary import about

    rows = [about(name, classes=classes) for name in model_names()]
    show_rows(rows, as_json, ("model", "weights", "features", "source", "license", "about"))


@app.command("show")
def show_model(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Name of an architecture, model file, or embedded model: default, emodb."),
    ] = None,
    classes: Annotated[int, typer.Option(metavar="N", min=2, help="Number of classes, for an architecture.")] = 6,
    as_json: JsonOption = False,
) -> None:
    """Print the layers of an architecture, or the card of a model file as JSON."""
    from serkit.runtime.recognizer import Recognizer
    from serkit.runtime.session import embedded_models

    if model is None or model in embedded_models() or Path(model).suffix == ".onnx" or Path(model).is_file():
        echo_document(Recognizer.load(model).card.to_json())
        return
    from serkit.lab.models.summary import as_json as as_content
    from serkit.lab.models.summary import render, summarize_model

    parts = summarize_model(model, classes=classes)
    echo_document(json.dumps(as_content(parts), indent=1) if as_json else render(parts))
