"""VGG16 on spectrogram pictures: the network that document B lends from image recognition.

K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015, column D.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.blocks.initialization import start_as_he
from serkit.lab.models.contract import Body, BodyConfig, Output
from serkit.lab.recipes.config import require

CONVOLUTIONS = (2, 2, 3, 3, 3)  # of each block; a block halves both sides
CHANNELS = (64, 128, 256, 512, 512)
SHRINKAGE = 2 ** len(CONVOLUTIONS)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Vgg16Config(BodyConfig):
    """Settings of :class:`Vgg16`.

    Attributes:
        weights: A local safetensors file with the tensors of torchvision's ``vgg16``, such as ImageNet's; None starts
            from scratch.
        frozen: Whether the convolutions keep the weights of the file.
        channels: Of each of the five blocks.
        dense: Units of the two dense layers.
        dropout: Behind each of them.
    """

    weights: str | None = None
    frozen: bool = False
    channels: tuple[int, ...] = CHANNELS
    dense: tuple[int, int] = (4096, 4096)
    dropout: float = 0.5

    def __post_init__(self) -> None:
        require(
            self,
            channels=len(self.channels) == len(CONVOLUTIONS) and min(self.channels) >= 1,
            dense=min(self.dense) >= 1,
            dropout=0 <= self.dropout < 1,
        )
        if self.frozen and self.weights is None:
            raise RecipeError("frozen convolutions without weights stay random: name a safetensors file in weights.")

    def without_files(self) -> "Vgg16Config":
        """Return the settings of a network from scratch."""
        return replace(self, weights=None, frozen=False)

    @classmethod
    def tiny(cls) -> "Vgg16Config":
        """The smallest network with every part, for tests."""
        # narrow, and nothing dropped: without batch norm 13 convolutions hardly learn at a test's high rate
        return cls(channels=(4, 8, 8, 16, 16), dense=(64, 64), dropout=0.0)


class Vgg16(Body):
    """VGG16 on spectrogram pictures, 13 convolutions and 3 dense layers, as document B uses it.

    Pictures (B, rows, columns) of values from 0 to 1 are repeated to three channels and normalized as ImageNet's are.
    The document's pictures of 224 x 224 give the 138,357,544 weights of the paper at 1000 classes. Tensors are named
    as torchvision's, so its weights fit.

    Deviations: the document hands over colored plots and does not say of which colors; here all three channels are
    the spectrogram itself. Other sides than 224 resize the dense head, where torchvision would pool to 7 x 7. From
    scratch the dense layers too are drawn by He's rule, where torchvision gives them a deviation of 0.01.
    """

    reads = ("image",)
    mean: Tensor
    deviation: Tensor

    def __init__(self, layout: Layout, classes: int, config: Vgg16Config) -> None:
        super().__init__(layout, classes, config)
        rows, columns = layout.size, layout.columns
        assert columns is not None  # a picture has a width
        if rows % SHRINKAGE or columns % SHRINKAGE:
            raise RecipeError(
                f"vgg16 halves a picture {len(CONVOLUTIONS)} times: its sides must be multiples of {SHRINKAGE}, "
                f"got {rows} x {columns}; see 'serkit features list'."
            )
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION)[:, None, None], persistent=False)
        self.features = convolutions(config.channels)
        first, second = config.dense
        self.classifier = nn.Sequential(
            nn.Linear(config.channels[-1] * rows * columns // SHRINKAGE**2, first), nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(first, second), nn.ReLU(),
            nn.Dropout(config.dropout),
            nn.Linear(second, classes),
        )  # fmt: skip
        self.embedding_size = second
        start_as_he(self.classifier)
        if config.weights is not None:
            last = f"classifier.{len(self.classifier) - 1}."
            load_pretrained(self, config.weights, optional=(f"{last}weight", f"{last}bias"))
        self.features.requires_grad_(not config.frozen)

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """What a summary shows as a table of its own."""
        return {"convolutions": (self.features,), "classifier": (self.classifier,)}

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify pictures, which are all of one size: the lengths say nothing."""
        x = (features[:, None] - self.mean) / self.deviation  # (B, 3, rows, columns)
        x = self.features(x).flatten(1)  # (B, channels * rows / 32 * columns / 32)
        embedding = self.classifier[:5](x)
        return Output(self.classifier[5:](embedding), embedding)


def convolutions(channels: tuple[int, ...] = CHANNELS) -> nn.Sequential:
    """Return VGG16's convolutions, (B, 3, H, W) to (B, channels[-1], H / 32, W / 32), numbered as torchvision's."""
    layers: list[nn.Module] = []
    for count, (inputs, outputs) in zip(CONVOLUTIONS, pairwise((3, *channels)), strict=True):
        for i in range(count):
            layers += [nn.Conv2d(outputs if i else inputs, outputs, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
    blocks = nn.Sequential(*layers)
    for layer in blocks:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    return blocks


def load_pretrained(module: nn.Module, path: str, *, optional: tuple[str, ...] = ()) -> None:
    """Fill a module from a safetensors file; what else the file holds is left alone.

    Args:
        module: Its weights are looked up by their names.
        path: A local file.
        optional: Left as they are where the file's have another shape, or are not there.

    Raises:
        RecipeError: If there is no such file, it is of another kind, or a tensor is missing or of another shape.
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
            raise RecipeError(f"weights: {path!r} has no tensor {name!r}; it must be named as torchvision's vgg16.")
        if found[name].shape != weight.shape:
            raise RecipeError(
                f"weights: {name!r} is {tuple(found[name].shape)} in {path!r} and {tuple(weight.shape)} here; "
                "torchvision's vgg16 is of pictures of 224 x 224."
            )
    with torch.no_grad():
        for name, weight in chosen.items():
            weight.copy_(found[name])
