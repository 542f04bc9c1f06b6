"""Tiny configurations of every registered model, and the feature layouts that they read."""

import functools
from dataclasses import asdict
from typing import Any

import torch

from serkit.lab.features import Layout, build_front
from serkit.lab.models import Body, build_body, get_config, model_names
from serkit.lab.recipes.registry import find_model

SIZE, CLASSES = 24, 5
SIDE = 32  # of a picture
NETWORKS = tuple(name for name in model_names(from_scratch=True) if find_model(name).is_network)
LAYOUTS = {
    "fusionnet": Layout("vector", (("notebook162", SIZE), ("statistics", 6), ("sex", 1)), 1),
    "vgg16": Layout("image", (("spectrogram_image", SIDE),), SIDE),
    "coattention": Layout("frames", (("waveform", 1),)),
}
UNITS = {"coattention": 64}  # columns in place of a frame: samples say less


@functools.cache
def layout_of(name: str, size: int = SIZE) -> Layout:
    """Return the layout of features that a model reads."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    kind = build_front(find_model(name).features).kind
    return Layout(kind, (("numbers", size),), 1 if kind == "vector" else None)


def tiny_settings(name: str) -> dict[str, Any]:
    return asdict(get_config(name).tiny()) | dict(find_model(name).settings)


def tiny_body(name: str, *, seed: int = 0) -> Body:
    torch.manual_seed(seed)
    return build_body(name, tiny_settings(name), layout=layout_of(name), classes=CLASSES)
