"""VGG16's convolutions, and how torchvision's weights of them are loaded.

K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015, column D.
"""

from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from serkit.errors import RecipeError

CONVOLUTIONS = (2, 2, 3, 3, 3)  # in each block; a block halves height and width
CHANNELS = (64, 128, 256, 512, 512)
SHRINKAGE = 2 ** len(CONVOLUTIONS)


def vgg16_convolutions(channels: tuple[int, ...] = CHANNELS) -> nn.Sequential:
    """Return the convolutions, (B, 3, H, W) to (B, channels[-1], H / 32, W / 32), numbered as in torchvision."""
    layers: list[nn.Module] = []
    for count, (inputs, outputs) in zip(CONVOLUTIONS, pairwise((3, *channels)), strict=True):
        for i in range(count):
            layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    blocks = nn.Sequential(*layers)
    for layer in blocks:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")  # as in torchvision
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return blocks


def load_pretrained(module: nn.Module, path: str, *, optional: tuple[str, ...] = ()) -> None:
    """Load a module's weights from a safetensors file; further tensors in the file are ignored.

    Args:
        module: Module whose weights are looked up by name.
        path: Local safetensors file.
        optional: Names of weights that stay as they are where the file lacks them or has them in another shape.

    Raises:
        RecipeError: If the file does not exist or is no safetensors file, or a tensor is missing or has another shape.
    """
    if not Path(path).is_file():
        raise RecipeError(f"weights: there is no file {path!r}; name a local safetensors file.")
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise RecipeError(f"weights: {path!r} is not a safetensors file.") from error
    wanted = dict(module.named_parameters())
    left_out = [name for name in optional if name not in found or found[name].shape != wanted[name].shape]
    chosen = {name: weight for name, weight in wanted.items() if name not in left_out}
    for name, weight in chosen.items():
        if name not in found:
            raise RecipeError(
                f"weights: {path!r} has no tensor {name!r}; its tensors must have the names of torchvision's vgg16."
            )
        if found[name].shape != weight.shape:
            raise RecipeError(
                f"weights: {name!r} has the shape {tuple(found[name].shape)} in {path!r}, and {tuple(weight.shape)} "
                "in this network; torchvision's vgg16 takes pictures of 224 x 224."
            )
    with torch.no_grad():
        for name, weight in chosen.items():
            weight.copy_(found[name])
