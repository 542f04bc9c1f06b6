"""How long a clip a model file takes at once: less where memory grows with the square of the length."""

import pytest

from serkit.lab.features import build_front
from serkit.lab.models import build_body, find_model, model_names


@pytest.mark.parametrize("name", sorted({*model_names()} - {"ensemble", "ssl"}))
def test_models_take_60_s_with_their_own_features(name: str) -> None:
    """The model ssl needs a checkpoint, and its tests say what it takes."""
    front = build_front(find_model(name).features)
    assert front.maximum_duration == build_body(name, {}, layout=front.layout, classes=4).maximum_duration == 60


@pytest.mark.parametrize(("name", "seconds"), [("attention", 30), ("transformer", 30), ("conformer", 60), ("crnn", 60)])
def test_of_models_that_read_frames(name: str, seconds: int) -> None:
    """The conformer attends to a quarter of the frames."""
    front = build_front([{"name": "logmel"}])
    assert build_body(name, {}, layout=front.layout, classes=4).maximum_duration == seconds
