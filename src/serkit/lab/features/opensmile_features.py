"""Functionals computed by openSMILE, for classical models and for comparison.

openSMILE is a program and not a graph, so models on these features cannot be exported. The opensmile package is under
audEERING's license for research and education, which forbids commercial use. No other part of serkit needs it.
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
        sampling_rate: Sampling rate in Hz, to which other sounds are resampled.
        functionals: Set of functionals: ``eGeMAPSv02`` (88 values) or ``ComParE_2016`` (6373 values).
    """

    sampling_rate: int = 16_000
    functionals: Literal["eGeMAPSv02", "ComParE_2016"] = "eGeMAPSv02"

    def __post_init__(self) -> None:
        require(self, sampling_rate=self.sampling_rate >= 8000, functionals=self.functionals in SETS)


class OpenSmile(Front):
    """Functionals of one of openSMILE's sets. Models on them cannot be exported.

    License: the opensmile package may be used for private purposes, research and education, but not commercially. By
    its license, the same holds for models that are trained on its features.

    Source: F. Eyben et al., openSMILE: the Munich versatile and fast open-source audio feature extractor, ACM
        Multimedia 2010.
    """

    kind: Kind = "vector"
    has_graph = False

    def __init__(self, config: OpenSmileConfig) -> None:
        super().__init__()
        self.config = config
        self._one_at_a_time = Lock()  # openSMILE is not thread-safe

    @property
    def version(self) -> str:  # type: ignore[override]
        """Version of the opensmile package."""
        return f"opensmile {version('opensmile')}"

    def forward(self, waveform: Tensor, lengths: Tensor) -> NoReturn:
        """Raise an error, because openSMILE has no graph.

        Raises:
            ExportError: Always.
        """
        raise ExportError(
            "openSMILE is a program and has no graph, so a model on its features cannot be exported; use the feature "
            "'prosody', serkit's own functionals."
        )

    def compute_many(self, waveforms: Sequence[FloatArray], sex: Tensor | None = None) -> list[FloatArray]:
        """Compute the functionals (1, F) of each waveform (T,) at the sampling rate of the settings."""
        with self._one_at_a_time:
            return [self.extract(np.array(samples), self.config.sampling_rate)[None] for samples in waveforms]

    @property
    def names(self) -> tuple[str, ...]:
        """OpenSMILE's names of the values.

        Raises:
            MissingExtraError: If the opensmile package is not installed.
        """
        return tuple(self._smile.feature_names)

    @property
    def size(self) -> int:  # type: ignore[override]
        """Number of values F; errors are those of :attr:`names`."""
        return len(self.names)

    def extract(self, samples: NDArray[Any], sampling_rate: int) -> FloatArray:
        """Compute the functionals of an utterance.

        Values that openSMILE cannot compute, for example because the sound is shorter than a frame, are 0.

        Args:
            samples: Samples (T,) or (channels, T).
            sampling_rate: Sampling rate of the samples in Hz.

        Returns:
            Functionals (F,), float32.

        Raises:
            AudioError: If the samples are not audio.
            MissingExtraError: If the opensmile package is not installed.
        """
        rate = self.config.sampling_rate
        samples = load_audio(samples, sampling_rate=sampling_rate, target_rate=rate)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a warning that a segment is too short
            numbers = self._smile.process_signal(samples, rate).to_numpy()[0]
        finite: FloatArray = np.nan_to_num(numbers.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        return finite

    @cached_property
    def _smile(self) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # its imports raise DeprecationWarning
                opensmile = import_module("opensmile")
        except ImportError as error:
            raise MissingExtraError("openSMILE features", "opensmile") from error
        return opensmile.Smile(
            feature_set=opensmile.FeatureSet[self.config.functionals],
            feature_level=opensmile.FeatureLevel.Functionals,
        )
