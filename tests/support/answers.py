"""Answers for files, a failure among them, for the tests of how they are printed and written."""

from pathlib import Path

import numpy as np

from serkit.annotations.predictions import Answers
from serkit.errors import AudioError
from serkit.types import Prediction

CLASSES = ("anger", "fear", "neutral")


def prediction(*values: float, duration: float = 1.25) -> Prediction:
    ranked = sorted(zip(CLASSES, values, strict=True), key=lambda pair: -pair[1])
    return Prediction(
        emotion=ranked[0][0], probabilities=dict(ranked), embedding=np.zeros(2, np.float32), duration=duration
    )


NEUTRAL, ANGRY = prediction(0.1, 0.2, 0.7), prediction(0.98765449, 0.0123, 0.00004551)
ANSWERS: Answers = [
    (Path("a.wav"), NEUTRAL),
    (Path("b, c.wav"), AudioError('b, c.wav is "empty", it\'s zero bytes.')),
    (Path("d.wav"), ANGRY),
]
ODD_NAMES = ["[bold]x[/bold].wav", "[/x].wav", ":smile:.wav", "a b.wav", 'quo"te.wav', "com,ma.wav", "Übung.wav"]
