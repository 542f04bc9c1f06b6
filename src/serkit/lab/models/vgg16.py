"""VGG16 on spectrogram pictures: the image network that the fusionnet report applies to speech.

K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition. ICLR 2015, column D.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.blocks.initialization import start_as_he
from serkit.lab.models.blocks.vgg_convolutions import (
    CHANNELS,
    CONVOLUTIONS,
    SHRINKAGE,
    load_pretrained,
    vgg16_convolutions,
)
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require

_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Vgg16Config(BodyConfig):
    """Settings of :class:`Vgg16`.

    Attributes:
        weights: Local safetensors file with the tensors of torchvision's ``vgg16``, such as its ImageNet weights; None
            trains from scratch.
        frozen: Whether the convolutions keep the weights of the file.
        channels: Channels of each of the five blocks.
        dense: Units of the two dense layers.
        dropout: Dropout rate after each dense layer.
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
            raise RecipeError(
                "frozen: true needs weights, because frozen convolutions would stay random: name a safetensors file."
            )

    def without_files(self) -> "Vgg16Config":
        """Return the settings of a network from scratch."""
        return replace(self, weights=None, frozen=False)

    @classmethod
    def tiny(cls) -> "Vgg16Config":
        """Return the settings of the smallest network with every part, for tests."""
        # no dropout: without batch norm, 13 convolutions hardly learn at the high learning rate of a test
        return cls(channels=(4, 8, 8, 16, 16), dense=(64, 64), dropout=0.0)


class Vgg16(Body):
    """VGG16 on spectrogram pictures: 13 convolutions and 3 dense layers, as in the fusionnet report.

    Pictures (B, rows, columns) with values from 0 to 1 are repeated to three channels and normalized with ImageNet's
    mean and deviation. With pictures of 224 x 224, as in the report, and 1000 classes the network has the 138,357,544
    weights of the paper. The tensors have torchvision's names, so its weights can be loaded.

    Deviations: the report uses colored plots without naming the colors; here all three channels are the spectrogram
    itself. Pictures of another size change the size of the first dense layer, where torchvision would pool to 7 x 7.
    Trained from scratch, the dense layers start with He's weights, where torchvision draws them with a deviation of
    0.01.
    """

    reads = ("image",)
    mean: Tensor
    deviation: Tensor

    def __init__(self, layout: Layout, classes: int, config: Vgg16Config) -> None:
        super().__init__(layout, classes, config)
        rows, columns = layout.size, layout.columns
        assert columns is not None  # pictures have a fixed width
        if rows % SHRINKAGE or columns % SHRINKAGE:
            raise RecipeError(
                f"vgg16 halves a picture {len(CONVOLUTIONS)} times: rows and columns must be multiples of {SHRINKAGE}, "
                f"got {rows} x {columns}; see 'serkit features list'."
            )
        self.register_buffer("mean", torch.tensor(_IMAGENET_MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(_IMAGENET_DEVIATION)[:, None, None], persistent=False)
        self.features = vgg16_convolutions(config.channels)
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
        """Return the parts that ``serkit models show`` prints as tables of their own."""
        return {"convolutions": (self.features,), "classifier": (self.classifier,)}

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify pictures; all have the same size, so the lengths are ignored."""
        x = (features[:, None] - self.mean) / self.deviation  # (B, 3, rows, columns)
        x = self.features(x).flatten(1)  # (B, channels * rows / 32 * columns / 32)
        embedding = self.classifier[:5](x)
        return Output(self.classifier[5:](embedding), embedding)
