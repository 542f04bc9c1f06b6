"""The contract of every model: a front end and a body, with a seam between them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from serkit.errors import RecipeError
from serkit.lab.features import Front, Layout
from serkit.types import FloatArray
from serkit.writing import whole_file


class Output(NamedTuple):
    """What a body gives: logits (B, C) and an utterance embedding (B, D); in training also logits of parts of it."""

    logits: Tensor
    embedding: Tensor
    parts: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class BodyConfig(ABC):
    """Settings of a body: a frozen dataclass with a default for each field."""

    @classmethod
    @abstractmethod
    def tiny(cls) -> Self:
        """The smallest network with every part, for tests."""

    def without_files(self) -> Self:
        """Return the settings of a body whose weights will come from a run, and from no other file."""
        return self


class Body(nn.Module, ABC):
    """The trainable half of a model: features (B, F, N) and their lengths (B,) to logits and an embedding.

    Padding changes nothing: what stands behind an utterance's length is zero and stays without influence.

    Args:
        layout: What the front end hands over.
        classes: C.
        config: Its settings.

    Attributes:
        reads: Kinds of front end that it can read.
        file: Name of the file in a fold's folder that holds what was fitted.
        is_fitted_at_once: Whether :meth:`fit_on` fits it, rather than epochs of gradients.
        needs_equal_lengths: Whether its graph gives an utterance in a padded batch what it would get alone only where
            all are as long; elsewhere it sees to that itself.
        stages: How often training starts over, each time with the weights that :meth:`start_stage` leaves to train.
        evaluation_batch: How many utterances are answered at once outside training.
        embedding_size: D.
        parts_loss: What the mean loss of the parts' logits weighs beside the loss of the answer.
    """

    reads: Sequence[str] = ("frames",)
    file: str = "weights.safetensors"
    is_fitted_at_once: bool = False
    needs_equal_lengths: bool = False
    stages: int = 1
    evaluation_batch: int = 64
    embedding_size: int
    parts_loss: float = 0.0

    def __init__(self, layout: Layout, classes: int, config: Any) -> None:
        super().__init__()
        self.layout, self.classes, self.config = layout, classes, config
        if layout.kind not in self.reads:
            raise RecipeError(
                f"{self.label} reads {' or '.join(self.reads)}, and {' + '.join(layout.names)} gives {layout.kind}: "
                "see 'serkit features list'."
            )

    @property
    def label(self) -> str:
        """How messages name it."""
        return type(self).__name__.lower()

    def start_stage(self, stage: int) -> None:
        """Get ready for a stage of training, counted from 0: freeze weights, choose the head that answers."""

    def rates(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return the weights that the stage trains, in groups, each with the share of the learning rate it takes."""
        return [(1.0, [weight for weight in self.parameters() if weight.requires_grad])]

    def fit_on(
        self,
        rows: Mapping[str, FloatArray],
        targets: Mapping[str, int],
        speakers: Mapping[str, str],
        *,
        class_weights: bool,
        seed: int,
    ) -> None:
        """Fit what is no network.

        Args:
            rows: Utterance id to frames (N, F).
            targets: Utterance id to class index.
            speakers: Utterance id to speaker, by whom is divided what is fitted inside, a calibration, say.
            class_weights: Whether each class counts the same.
            seed: Of everything random.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Leave out what only training needs, once weights are there for good."""

    def save(self, folder: Path) -> None:
        """Write what was fitted to ``file`` in a folder, whole."""
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        with whole_file(folder / self.file) as temporary:
            save_file(weights, temporary)

    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote."""
        self.load_state_dict(load_file(folder / self.file))

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances.

        Args:
            features: Shape (B, F, N), zero behind each utterance's end.
            lengths: Valid columns, shape (B,), int64.
        """


class Model(nn.Module):
    """``front``: (waveform, lengths) to (features, feature_lengths); ``body``: those to :class:`Output`.

    Training may feed ``body`` from stored features; an exported file holds both.
    """

    def __init__(self, front: Front, body: Body) -> None:
        super().__init__()
        self.front: Front = front
        self.body: Body = body

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> Output:
        """Waveform (B, T), valid lengths (B,) and where the front end takes it the sex (B,) to logits and embedding."""
        given = (waveform, lengths, sex) if self.front.uses_sex else (waveform, lengths)
        features, feature_lengths = self.front(*given)
        output = self.body(features, feature_lengths)
        assert isinstance(output, Output)
        return output
