"""``python -m speech_detector``: train the speech detector and write its file."""

import logging
import sys
from pathlib import Path
from typing import Annotated

import typer

from serkit.errors import SerkitError
from speech_detector.training import DetectorTraining, make_detector


def main(
    output: Annotated[Path, typer.Option("--output", "-o", help="ONNX file to write.")],
    data: Annotated[str, typer.Option(envvar="SERKIT_CORPORA", help="Folder that holds EmoDB.")],
    scenes: Annotated[int, typer.Option(help="Number of training scenes of eight seconds.")] = DetectorTraining.scenes,
    epochs: Annotated[int, typer.Option(help="Passes over the training scenes.")] = DetectorTraining.epochs,
    seed: Annotated[int, typer.Option(help="Random seed.")] = DetectorTraining.seed,
) -> None:
    """Train a speech detector on EmoDB and write it as one ONNX file."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        loss = make_detector(data, output, training=DetectorTraining(scenes=scenes, epochs=epochs, seed=seed))
    except SerkitError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    print(f"{output}: validation loss {loss:.4f}")


if __name__ == "__main__":
    typer.run(main)
