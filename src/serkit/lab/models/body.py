"""The contract of every model: a front end that computes features and a body that classifies them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from serkit.card import LONGEST_CLIP
from serkit.errors import ModelFileError, RecipeError
from serkit.lab.features import Front, Layout
from serkit.lab.models.blocks.head import Output
from serkit.types import FloatArray
from serkit.writing import whole_file

__all__ = ["LONGEST_ATTENDED", "Body", "BodyConfig", "Model", "Output"]

LONGEST_ATTENDED = 30.0  # seconds that attention over frames of 10 ms takes at once: 0.7 GB, and 2.7 GB for 60 s


@dataclass(frozen=True)
class BodyConfig(ABC):
    """Settings of a body: a frozen dataclass with a default for each field."""

    @classmethod
    @abstractmethod
    def tiny(cls) -> Self:
        """Return the settings of the smallest network with every part, for tests."""

    def without_files(self) -> Self:
        """Return the settings with which no file of pretrained weights is read, because a run's weights follow."""
        return self


class Body(nn.Module, ABC):
    """The trainable half of a model: features (B, F, N) and their lengths (B,) to logits and an embedding.

    The padding of an utterance is zero and never changes its output.

    Args:
        layout: Layout of the front end's features.
        classes: Number of classes C.
        config: Settings of the body.

    Attributes:
        reads: Kinds of features that the body can read.
        file: Name of the file with the fitted weights in a fold's folder.
        is_fitted_at_once: Whether :meth:`fit_on` fits the body, instead of epochs of gradient steps.
        needs_equal_lengths: Whether the exported graph needs batches of equally long utterances, because padding would
            change its output. The body itself takes any batch.
        maximum_duration: Longest audio in seconds that a model file with this body takes at once.
        stages: Number of training stages; :meth:`start_stage` selects the weights that each stage trains.
        evaluation_batch: Batch size for evaluation.
        embedding_size: D.
        parts_loss: Weight of the mean loss on ``Output.parts``, relative to the loss on the logits.
    """

    reads: Sequence[str] = ("frames",)
    file: str = "weights.safetensors"
    is_fitted_at_once: bool = False
    needs_equal_lengths: bool = False
    maximum_duration: float = LONGEST_CLIP
    stages: int = 1
    evaluation_batch: int = 64
    embedding_size: int
    parts_loss: float = 0.0

    def __init__(self, layout: Layout, classes: int, config: Any) -> None:
        super().__init__()
        self.layout, self.classes, self.config = layout, classes, config
        if layout.kind not in self.reads:
            raise RecipeError(
                f"{self.label} reads {' or '.join(self.reads)}, but {' + '.join(layout.names)} gives {layout.kind}: "
                "see 'serkit features list'."
            )

    @property
    def label(self) -> str:
        """The body's name in error messages."""
        return type(self).__name__.lower()

    def start_stage(self, stage: int) -> None:
        """Prepare a stage of training, counted from 0: freeze weights and choose the head that classifies."""

    def rates(self) -> list[tuple[float, list[nn.Parameter]]]:
        """Return the weights that the stage trains, grouped by their factor on the learning rate."""
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
        """Fit a body that is no network.

        Args:
            rows: Features (N, F) by utterance id.
            targets: Class index by utterance id.
            speakers: Speaker by utterance id, for splits by speaker within the fit, such as those of a calibration.
            class_weights: Whether all classes get the same total weight.
            seed: Seed of all random numbers.
        """
        raise NotImplementedError

    def settle(self) -> None:
        """Remove the layers that only training needs, once the weights are final."""

    def save(self, folder: Path) -> None:
        """Write the weights to ``file`` in a folder."""
        weights = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        with whole_file(folder / self.file) as temporary:
            save_file(weights, temporary)

    def load(self, folder: Path) -> None:
        """Read the weights that :meth:`save` wrote.

        Raises:
            ModelFileError: If the file is cut, no safetensors file, or has the weights of another model.
        """
        path = folder / self.file
        try:
            self.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError) as error:
            what = "cut or no safetensors file" if isinstance(error, SafetensorError) else "of another model"
            raise ModelFileError(f"{str(path)!r} is {what}: remove its folder, and fit the model again.") from error

    @abstractmethod
    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify utterances.

        Args:
            features: Features of shape (B, F, N), with zeros as padding.
            lengths: Valid columns of each utterance, shape (B,), int64.
        """


class Model(nn.Module):
    """A front end and a body: ``front`` maps a waveform to features, ``body`` maps features to an :class:`Output`.

    Training may feed the body from stored features; an exported model file holds both.
    """

    def __init__(self, front: Front, body: Body) -> None:
        super().__init__()
        self.front: Front = front
        self.body: Body = body

    def forward(self, waveform: Tensor, lengths: Tensor, sex: Tensor | None = None) -> Output:
        """Classify waveforms (B, T) of valid lengths (B,); ``sex`` (B,) is used where the front end takes it."""
        given = (waveform, lengths, sex) if self.front.uses_sex else (waveform, lengths)
        features, feature_lengths = self.front(*given)
        output = self.body(features, feature_lengths)
        assert isinstance(output, Output)
        return output
