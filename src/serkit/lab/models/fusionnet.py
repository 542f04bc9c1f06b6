"""SER-FusionNet, document B's network: what a deep network found, joined with statistics and the speaker's sex."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.blocks.deep_extractors import Conv1dExtractor, Conv2dExtractor, ImageExtractor
from serkit.lab.models.blocks.recurrence import Recurrent
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.contract import Body, BodyConfig, Output
from serkit.lab.models.vgg16 import CHANNELS, CONVOLUTIONS, SHRINKAGE
from serkit.lab.recipes.config import require

_READS = {"conv1d": "notebook162", "conv2d": "logmel", "image": "logmel"}  # extractor to feature
_JOINED = ("statistics", "sex")


@dataclass(frozen=True)
class FusionNetConfig(BodyConfig):
    """Settings of :class:`FusionNet`.

    Attributes:
        extractor: ``conv1d`` reads ``notebook162``, ``conv2d`` reads ``logmel``.
        classifier: What reads the fused vector; an LSTM takes it as a sequence, one number per step.
        image: ``vgg16`` adds a branch that looks at ``logmel`` as a picture.
        training: ``two_stage``: extractors with heads of their own first, then the classifier on their frozen numbers.
        filters: Of both 1-D convolutions.
        kernel: Of both, odd.
        filters_2d: Of the 2-D convolutions, one each.
        deep: Numbers that each extractor gives.
        head: Hidden units of an extractor's own head.
        mlp: Hidden units of the classifier's two layers.
        units: Of the LSTM in each direction.
        image_side: Of the picture, a multiple of 32.
        image_channels: Of VGG16's five blocks.
        image_weights: A local safetensors file with VGG16's convolutions, named as torchvision's; None starts from
            scratch.
        dropout: Before the dense layer of each extractor; the document gives no rate.
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
        """Which there are, in the order in which their numbers are joined."""
        chosen = ("conv1d", "conv2d") if self.extractor == "both" else (self.extractor,)
        return (*chosen, "image") if self.image == "vgg16" else chosen

    def without_files(self) -> "FusionNetConfig":
        """Return the settings of a network from scratch."""
        return replace(self, image_weights=None)

    @classmethod
    def tiny(cls) -> "FusionNetConfig":
        """The smallest network with every part, for tests."""
        return cls(
            filters=16, filters_2d=(8, 16), deep=16, units=12, image_side=32, image_channels=(8, 8, 16, 16, 16),
            dropout=0.1,
        )  # fmt: skip


class FusionNet(Body):
    """Document B's SER-FusionNet: deep numbers, six statistics and the sex, fused for a small classifier.

    The Conv1D extractor reads the document's 162 numbers: 256 filters of 5, pool to 81, 256 filters of 5, pool to 41,
    dropout, flatten 10,496, dense 32, with a head of 12 and C of its own: 665,850 weights at 6 classes. The Conv2D
    extractor reads log-mel. Their numbers join what there is of ``statistics`` and ``sex``, and an MLP 12-10-C, an
    LSTM or a BiLSTM answers. Training has two stages: the extractors through the mean of their heads' logits, then
    the classifier on frozen extractors. The embedding is the fused vector.

    Deviations: the document's MLP 12-10-6 has 700 weights, which takes 41 inputs, while 32 deep numbers, 6 statistics
    and the sex are 39, which makes 676. Its other two are likely the label, the actor or the row number of a table,
    which tell the answer or the speaker and have no place here. The document gives its Conv2D extractor no sizes: ours
    are three convolutions of 3 x 3, each with a max-pool by 2, and a mean over frames, so that any duration will do. It
    gives the LSTM none either, and the picture branch is its outlook: ``logmel`` stretched to a picture for the
    convolutions of VGG16, as one more extractor. All inputs are standardized by the training utterances.
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
        """Train the extractors with their heads (0), or the classifier on frozen extractors (1)."""
        assert 0 <= stage < self.stages
        self.stage = stage
        self.requires_grad_(not self.heads)
        if self.heads:
            for module in (self.extractors, self.heads) if stage == 0 else (self.classifier,):
                module.requires_grad_(True)
        self.train(self.training)

    def train(self, mode: bool = True) -> "FusionNet":
        """Set training or evaluation mode; a frozen extractor stays in evaluation."""
        super().train(mode)
        if self.heads and self.stage == 1:
            self.extractors.eval()
        return self

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances; the heads answer in stage 0, the classifier otherwise."""
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
        """What a summary shows as a table of its own."""
        heads = {name: (self.heads[name],) if self.heads else () for name in self.extractors}
        extractors = {f"{name} extractor": (part, *heads[name]) for name, part in self.extractors.items()}
        return extractors | {"classifier": (self.classifier,)}

    def notes(self) -> dict[str, str]:
        """What a summary says below the table of a part."""
        if self.config.classifier != "mlp":
            return {}
        return {
            "classifier": f"Document B's has 700 weights at 6 classes, which takes 41 inputs; this one has "
            f"{self.embedding_size}. The document's 32 deep numbers, 6 statistics and the sex are 39, for 676 weights: "
            "its other two are likely the label, the actor or the row number, which must not be learned from."
        }


class _SequenceClassifier(nn.Module):
    """An LSTM over a vector (B, D) as a sequence of D single numbers, then a dense layer to (B, C)."""

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
            branch = "image branch" if name == "image" else f"{name} extractor"
            raise RecipeError(f"fusionnet's {branch} reads {feature}: add it to features.")
    for name in layout.names:
        if name not in (*wanted, *_JOINED):
            text = ", ".join((*wanted, *_JOINED))
            raise RecipeError(f"fusionnet as it is set does not read {name}, but {text}: take it out of features.")
