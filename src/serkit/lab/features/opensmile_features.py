"""openSMILE's own functionals, for classical models and for comparison.

openSMILE is a program and not a graph: these features cannot stand in an exported model, and the package comes under
audEERING's license for research and education, which forbids commercial use. Nothing of serkit needs it.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import version
from threading import Lock
from typing import Any, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from serkit.audio.decode import load_audio
from serkit.errors import ExportError, MissingExtraError
from serkit.lab.features.front import Front, Kind
from serkit.lab.recipes.config import require
from serkit.types import FloatArray

SETS = ("eGeMAPSv02", "ComParE_2016")


@dataclass(frozen=True)
class OpenSmileConfig:
    """Settings of :class:`OpenSmile`.

    Attributes:
        sampling_rate: In Hz; sounds of another rate are resampled to it.
        functionals: ``eGeMAPSv02`` has 88 numbers, ``ComParE_2016`` 6373.
    """

    sampling_rate: int = 16_000
    functionals: Literal["eGeMAPSv02", "ComParE_2016"] = "eGeMAPSv02"

    def __post_init__(self) -> None:
        require(self, sampling_rate=self.sampling_rate >= 8000, functionals=self.functionals in SETS)


class OpenSmile(Front):
    """Functionals of one of openSMILE's sets, one utterance at a time; a model on them cannot become a file.

    License: the opensmile package is free for private use, research and education alone, and not for commercial use;
    so is what is trained on it, as its license has it.

    Source: F. Eyben et al., openSMILE: the Munich versatile and fast open-source audio feature extractor, ACM
        Multimedia 2010.
    """

    kind: Kind = "vector"
    has_graph = False

    def __init__(self, config: OpenSmileConfig) -> None:
        super().__init__()
        self.config = config
        self._one_at_a_time = Lock()  # the program is not made for threads

    @property
    def version(self) -> str:  # type: ignore[override]
        """Of the program."""
        return f"opensmile {version('opensmile')}"

    def forward(self, waveform: Tensor, lengths: Tensor) -> NoReturn:
        """Refuse: there is no graph.

        Raises:
            ExportError: Always.
        """
        raise ExportError(
            "openSMILE is a program and has no graph: a model on its features cannot become a file; "
            "serkit's own functionals are 'prosody'."
        )

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the functionals of waveforms (T,) at the config's sampling rate, each (1, F)."""
        with self._one_at_a_time:
            return [self.extract(np.array(samples), self.config.sampling_rate)[None] for samples in waveforms]

    @property
    def names(self) -> tuple[str, ...]:
        """Of the numbers, as openSMILE calls them.

        Raises:
            MissingExtraError: If the opensmile package is not installed.
        """
        return tuple(self._smile.feature_names)

    @property
    def size(self) -> int:  # type: ignore[override]
        """F, how many there are; errors are those of :attr:`names`."""
        return len(self.names)

    def extract(self, samples: NDArray[Any], sampling_rate: int) -> FloatArray:
        """Compute the functionals of an utterance.

        A number that openSMILE cannot give, of a sound shorter than its frame, say, is 0.

        Args:
            samples: Shape (T,) or (channels, T).
            sampling_rate: Of the samples, in Hz.

        Returns:
            Shape (F,), float32.

        Raises:
            AudioError: If the samples are not audio.
            MissingExtraError: If the opensmile package is not installed.
        """
        rate = self.config.sampling_rate
        samples = load_audio(samples, sampling_rate=sampling_rate, target_rate=rate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a segment is too short
            numbers = self._smile.process_signal(samples, rate).to_numpy()[0]
        finite: FloatArray = np.nan_to_num(numbers.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        return finite

    @cached_property
    def _smile(self) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its import chain deprecates itself
                opensmile = import_module("opensmile")
        except ImportError as error:
            raise MissingExtraError("openSMILE features", "opensmile") from error
        return opensmile.Smile(
            feature_set=opensmile.FeatureSet[self.config.functionals],
            feature_level=opensmile.FeatureLevel.Functionals,
        )
