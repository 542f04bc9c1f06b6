"""``serkit export``: a trained run as a model file."""

import os
from pathlib import Path
from typing import Annotated

import typer

from serkit.cli.options import data_of, print_model_file, tell_one_class
from serkit.cli.terminal import echo


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of 'serkit train'.")],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Model file to write, or folder with --transformers.")],
    seed: Annotated[
        int | None, typer.Option(help="Seed of the recipe whose model to export.", show_default="the first")
    ] = None,
    fold: Annotated[
        int | None, typer.Option(help="Fold whose model to export, for a run folder of 'serkit evaluate'.")
    ] = None,
    evidence: Annotated[
        list[Path] | None, typer.Option(help="Run folder whose results go on the model card; can be repeated.")
    ] = None,
    error_rate: Annotated[
        float, typer.Option(min=1, max=99, help="Error rate in percent above the threshold for 'uncertain'.")
    ] = 25,
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantize linear layers to 8-bit integers, for a smaller file.")
    ] = False,
    data: Annotated[
        list[str] | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder of corpora, or CORPUS=DIR, to measure the accuracy loss of --int8.",
            show_default="SERKIT_CORPORA",
        ),
    ] = None,
    transformers: Annotated[
        bool, typer.Option("--transformers", help="Write a folder for transformers.pipeline instead of a model file.")
    ] = False,
) -> None:
    """Export a trained model as one ONNX file with its model card."""
    from serkit.lab.experiments import Run

    if transformers:
        from serkit.lab.exporting.transformers_folder import save_classifier

        if int8 or evidence:
            raise typer.BadParameter("--transformers writes no model file; leave --int8 and --evidence out.")
        save_classifier(run, output, seed=seed, fold=fold, error_rate=error_rate / 100)
        tell_one_class(Run(run), fold=fold or 0, seed=seed)
        echo(f"{output}: pipeline('audio-classification', '{output}') loads it")
        return
    from serkit.lab.exporting import quantize as quantizing
    from serkit.lab.exporting.model_file import export as write
    from serkit.runtime.recognizer import Recognizer

    corpora = data_of(data) if int8 and (data or os.environ.get("SERKIT_CORPORA")) else None
    difference = write(
        run, output, seed=seed, fold=fold, evidence=tuple(evidence or ()), error_rate=error_rate / 100, int8=int8,
        data=corpora,
    )  # fmt: skip
    print_model_file(output, difference)
    card = Recognizer.load(output).card
    tell_one_class(Run(run), fold=fold or 0, seed=seed)
    echo(card.promise)
    if words := quantizing.words_of(card.quantization):
        echo(words)
