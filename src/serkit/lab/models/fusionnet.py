"""SER-FusionNet, the network of the fusionnet report: deep features joined with statistics and the speaker's sex."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.blocks.recurrence import Recurrent
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.blocks.vgg_convolutions import (
    CHANNELS,
    CONVOLUTIONS,
    SHRINKAGE,
    load_pretrained,
    vgg16_convolutions,
)
from serkit.lab.models.body import Body, BodyConfig, Output
from serkit.lab.recipes.config import require
from serkit.lab.signal.interpolation import stretch
from serkit.lab.signal.masking import frame_mask

_READS = {"conv1d": "notebook162", "conv2d": "logmel", "image": "logmel"}  # extractor to feature
_JOINED = ("statistics", "sex")


@dataclass(frozen=True)
class FusionNetConfig(BodyConfig):
    """Settings of :class:`FusionNet`.

    Attributes:
        extractor: Deep extractors: ``conv1d`` reads ``notebook162``, ``conv2d`` reads ``logmel``, ``both`` reads both.
        classifier: Classifier of the fused vector; an LSTM reads it as a sequence, one number per step.
        image: ``vgg16`` adds an extractor that reads ``logmel`` as a picture.
        training: ``two_stage`` trains the extractors with heads of their own first, then the classifier on the frozen
            extractors; ``end_to_end`` trains everything at once.
        filters: Filters of each 1-D convolution.
        kernel: Kernel size of each 1-D convolution, odd.
        filters_2d: Filters of each 2-D convolution.
        deep: Number of deep features that each extractor computes.
        head: Hidden units of an extractor's own head.
        mlp: Hidden units of the classifier's two layers.
        units: Units of the LSTM in each direction.
        image_side: Height and width of the picture, a multiple of 32.
        image_channels: Channels of VGG16's five blocks.
        image_weights: Local safetensors file with VGG16's convolutions under torchvision's names; None trains from
            scratch.
        dropout: Dropout rate before the dense layer of each extractor; the report gives none.
    """

    extractor: Literal["conv1d", "conv2d", "both"] = "conv1d"
    classifier: Literal["mlp", "lstm", "bilstm"] = "mlp"
    image: Literal["none", "vgg16"] = "none"
    training: Literal["two_stage", "end_to_end"] = "two_stage"
    filters: int = 256
    kernel: int = 5
    filters_2d: tuple[int, ...] = (32, 64, 128)
    deep: int = 32
    head: int = 12
    mlp: tuple[int, int] = (12, 10)
    units: int = 64
    image_side: int = 224
    image_channels: tuple[int, ...] = CHANNELS
    image_weights: str | None = None
    dropout: float = 0.2

    def __post_init__(self) -> None:
        require(
            self,
            extractor=self.extractor in ("conv1d", "conv2d", "both"),
            classifier=self.classifier in ("mlp", "lstm", "bilstm"),
            image=self.image in ("none", "vgg16"),
            training=self.training in ("two_stage", "end_to_end"),
            filters=self.filters >= 1,
            kernel=self.kernel >= 1 and self.kernel % 2 == 1,
            filters_2d=bool(self.filters_2d) and min(self.filters_2d) >= 1,
            deep=self.deep >= 1,
            head=self.head >= 1,
            mlp=min(self.mlp) >= 1,
            units=self.units >= 1,
            image_side=self.image_side >= SHRINKAGE and self.image_side % SHRINKAGE == 0,
            image_channels=len(self.image_channels) == len(CONVOLUTIONS) and min(self.image_channels) >= 1,
            image_weights=self.image_weights is None or self.image == "vgg16",
            dropout=0 <= self.dropout < 1,
        )

    @property
    def extractors(self) -> tuple[str, ...]:
        """The names of the extractors, in the order in which their features are joined."""
        chosen = ("conv1d", "conv2d") if self.extractor == "both" else (self.extractor,)
        return (*chosen, "image") if self.image == "vgg16" else chosen

    def without_files(self) -> "FusionNetConfig":
        """Return the settings of the same network without pretrained weights."""
        return replace(self, image_weights=None)

    @classmethod
    def tiny(cls) -> "FusionNetConfig":
        """Return the settings of the smallest network with every part, for tests."""
        return cls(
            filters=16, filters_2d=(8, 16), deep=16, units=12, image_side=32, image_channels=(8, 8, 16, 16, 16),
            dropout=0.1,
        )  # fmt: skip


class FusionNet(Body):
    """SER-FusionNet: deep features, six statistics and the sex, fused for a small classifier.

    The Conv1D extractor reads the report's 162 numbers: 256 filters of 5, pool to 81, 256 filters of 5, pool to 41,
    dropout, flatten to 10,496, dense 32. With its own head of 12 units and C outputs it has 665,850 weights at 6
    classes. The Conv2D extractor reads log-mel. Their deep features are joined with ``statistics`` and ``sex``, where
    the recipe has them, and classified by an MLP 12-10-C, an LSTM or a BiLSTM. Training has two stages: the extractors
    by the mean of their heads' logits, then the classifier on frozen extractors. The embedding is the fused vector.

    Deviations from the fusionnet report:

    - Its MLP 12-10-6 has 700 weights, which means 41 inputs. 32 deep features, 6 statistics and the sex are 39 inputs
      and 676 weights. The other two inputs are probably the label, the actor or the row number of a table; these reveal
      the answer or the speaker, so they are left out here.
    - It gives no sizes for its Conv2D extractor. Ours has three convolutions of 3 x 3, each with a max-pool by 2, and a
      mean over frames, so that utterances may have any duration. It gives no size for its LSTM either.
    - The picture extractor is the report's outlook: ``logmel`` is stretched to a picture for VGG16's convolutions.
    - All inputs are standardized with the mean and deviation of the training utterances.
    """

    reads = ("vector", "frames")

    def __init__(self, layout: Layout, classes: int, config: FusionNetConfig) -> None:
        super().__init__(layout, classes, config)
        _check_features(layout, config.extractors)
        self.scale = Scaling(layout.size)
        self.extractors = nn.ModuleDict({name: _extractor(name, layout, config) for name in config.extractors})
        self.joined = [layout.rows(name) for name in _JOINED if name in layout.names]
        self.embedding_size = len(self.extractors) * config.deep + sum(rows.stop - rows.start for rows in self.joined)
        self.heads = nn.ModuleDict()
        if config.training == "two_stage":
            for name in self.extractors:
                self.heads[name] = nn.Sequential(
                    nn.Linear(config.deep, config.head), nn.ReLU(), nn.Linear(config.head, classes)
                )
        self.classifier = _classifier(self.embedding_size, classes, config)
        self.stages = 2 if self.heads else 1
        self.start_stage(self.stages - 1)

    def start_stage(self, stage: int) -> None:
        """Make the extractors and their heads trainable (stage 0), or the classifier alone (stage 1)."""
        assert 0 <= stage < self.stages
        self.stage = stage
        self.requires_grad_(not self.heads)
        if self.heads:
            for module in (self.extractors, self.heads) if stage == 0 else (self.classifier,):
                module.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> "FusionNet":
        """Set training or evaluation mode; frozen extractors stay in evaluation mode."""
        super().train(mode)
        if self.heads and self.stage == 1:
            self.extractors.eval()
        return self

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances, by the extractors' heads in stage 0 and by the classifier otherwise."""
        x = self.scale(features, lengths)  # (B, F, N)
        deep = {
            name: extract(x[:, self.layout.rows(_READS[name])], lengths) for name, extract in self.extractors.items()
        }
        fused = torch.cat([*deep.values(), *(x[:, rows, 0] for rows in self.joined)], dim=1)  # (B, D)
        if self.heads and self.stage == 0:
            answers = [head(deep[name]) for name, head in self.heads.items()]
            return Output(torch.stack(answers).mean(0), fused)
        return Output(self.classifier(fused), fused)

    def parts(self) -> dict[str, tuple[nn.Module, ...]]:
        """Return the parts that ``serkit models show`` prints as tables of their own."""
        heads = {name: (self.heads[name],) if self.heads else () for name in self.extractors}
        extractors = {f"{name} extractor": (part, *heads[name]) for name, part in self.extractors.items()}
        return extractors | {"classifier": (self.classifier,)}

    def notes(self) -> dict[str, str]:
        """Return notes that ``serkit models show`` prints below the table of a part."""
        if self.config.classifier != "mlp":
            return {}
        return {
            "classifier": "The classifier of the fusionnet report has 700 weights at 6 classes, which means 41 inputs; "
            f"this one has {self.embedding_size} inputs. The report's 32 deep features, 6 statistics and the sex are "
            "39 inputs and 676 weights. The other two are probably the label, the actor or the row number, which a "
            "model must not learn from."
        }


class Conv1dExtractor(nn.Module):
    """Two convolutions along a vector (B, F) and a dense layer, to (B, deep); the report's, for 162 numbers.

    Args:
        size: F.
        filters: Filters of each convolution.
        kernel: Kernel size of each convolution, odd.
        deep: Number of deep features.
        dropout: Dropout rate before the dense layer.
    """

    def __init__(self, size: int, *, filters: int, kernel: int, deep: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv1d(1, filters, kernel, padding="same"), nn.ReLU(), nn.MaxPool1d(2, ceil_mode=True),  # 162 -> 81
            nn.Conv1d(filters, filters, kernel, padding="same"), nn.ReLU(), nn.MaxPool1d(2, ceil_mode=True),  # 81 -> 41
            nn.Dropout(dropout), nn.Flatten(),  # 10,496
            nn.Linear(filters * ((size + 3) // 4), deep), nn.ReLU(),
        )  # fmt: skip

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Extract from (B, F, N), whose N columns all hold the same vector."""
        deep: Tensor = self.layers(x[:, None, :, 0])
        return deep


class Conv2dExtractor(nn.Module):
    """2-D convolutions over log-mel (B, F, N), the mean over valid frames and a dense layer, to (B, deep).

    Args:
        bands: F.
        filters: Filters of each convolution of 3 x 3; a max-pool by 2, rounding up, follows each.
        deep: Number of deep features.
        dropout: Dropout rate before the dense layer.
    """

    def __init__(self, bands: int, *, filters: tuple[int, ...], deep: int, dropout: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_ExtractorBlock(a, b) for a, b in pairwise((1, *filters)))
        for _ in filters:
            bands = (bands + 1) // 2
        self.dense = nn.Sequential(nn.Dropout(dropout), nn.Linear(filters[-1] * bands, deep), nn.ReLU())

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Extract from the valid frames of (B, F, N)."""
        x = x[:, None]  # (B, 1, F, N)
        for block in self.blocks:
            x, lengths = block(x, lengths)  # (B, filters, F / 2, N / 2)
        x = x.flatten(1, 2).sum(-1) / lengths[:, None]
        deep: Tensor = self.dense(x)
        return deep


class ImageExtractor(nn.Module):
    """Log-mel (B, F, N) as one square picture through VGG16's convolutions and a dense layer, to (B, deep).

    The valid frames are stretched to the picture's width, and the picture is repeated to three channels. ImageNet's
    mean and deviation are not applied, because the log-mel is standardized already.

    Args:
        bands: F.
        side: Height and width of the picture, a multiple of 32.
        channels: Channels of the five blocks of convolutions.
        weights: Local safetensors file with torchvision's weights; None trains from scratch.
        deep: Number of deep features.
        dropout: Dropout rate before the dense layer.
    """

    vertical: Tensor

    def __init__(
        self, bands: int, *, side: int, channels: tuple[int, ...], weights: str | None, deep: int, dropout: float
    ) -> None:
        super().__init__()
        self.side = side
        vertical = stretch(torch.tensor([bands]), bands, side)[0].T  # (side, F)
        self.register_buffer("vertical", vertical, persistent=False)
        self.features = vgg16_convolutions(channels)
        if weights is not None:
            load_pretrained(self, weights)
        size = channels[-1] * (side // SHRINKAGE) ** 2
        self.dense = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(size, deep), nn.ReLU())

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Extract from the valid frames of (B, F, N)."""
        drawn = torch.matmul(self.vertical, torch.matmul(x, stretch(lengths, x.shape[-1], self.side)))
        deep: Tensor = self.dense(self.features(drawn[:, None].expand(-1, 3, -1, -1)))
        return deep


class _ExtractorBlock(nn.Module):
    """Convolution, ReLU, max-pool: (B, C, F, N) to (B, C', F / 2, N / 2), both rounded up, zero in the padding."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convolve = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.activate = nn.ReLU()
        self.pool = nn.MaxPool2d(2, ceil_mode=True)

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = self.activate(self.convolve(x))
        x = x * frame_mask(lengths, x.shape[-1])[:, None, None, :].to(
            x.dtype
        )  # zeros never win a max-pool of non-negative numbers
        return self.pool(x), (lengths + 1) // 2


class _SequenceClassifier(nn.Module):
    """An LSTM that reads a vector (B, D) as a sequence of D numbers, then a dense layer to (B, C)."""

    def __init__(self, units: int, classes: int, *, is_bidirectional: bool) -> None:
        super().__init__()
        self.recurrent = Recurrent(1, units, "lstm", is_bidirectional=is_bidirectional)
        self.dense = nn.Linear(self.recurrent.width, classes)

    def forward(self, fused: Tensor) -> Tensor:
        lengths = torch.ones_like(fused[:, 0], dtype=torch.int64) * fused.shape[1]
        read = self.recurrent(fused[:, None], lengths)  # (B, width, D)
        answer: Tensor = self.dense(self.recurrent.ends(read, lengths))
        return answer


def _classifier(inputs: int, classes: int, config: FusionNetConfig) -> nn.Module:
    if config.classifier != "mlp":
        return _SequenceClassifier(config.units, classes, is_bidirectional=config.classifier == "bilstm")
    first, second = config.mlp
    return nn.Sequential(
        nn.Linear(inputs, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU(), nn.Linear(second, classes)
    )


def _extractor(name: str, layout: Layout, config: FusionNetConfig) -> nn.Module:
    size = dict(layout.parts)[_READS[name]]
    build: dict[str, Callable[[], nn.Module]] = {
        "conv1d": lambda: Conv1dExtractor(
            size, filters=config.filters, kernel=config.kernel, deep=config.deep, dropout=config.dropout
        ),
        "conv2d": lambda: Conv2dExtractor(
            size, filters=config.filters_2d, deep=config.deep, dropout=config.dropout
        ),
        "image": lambda: ImageExtractor(
            size, side=config.image_side, channels=config.image_channels, weights=config.image_weights,
            deep=config.deep, dropout=config.dropout,
        ),
    }  # fmt: skip
    return build[name]()


def _check_features(layout: Layout, extractors: tuple[str, ...]) -> None:
    wanted = {_READS[name]: name for name in reversed(extractors)}
    for feature, name in wanted.items():
        if feature not in layout.names:
            raise RecipeError(f"fusionnet's {name} extractor reads {feature}: add {feature} to features.")
    for name in layout.names:
        if name not in (*wanted, *_JOINED):
            text = ", ".join((*wanted, *_JOINED))
            raise RecipeError(f"fusionnet with these settings reads {text}: remove {name} from features.")
