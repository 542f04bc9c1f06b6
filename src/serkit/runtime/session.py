"""ModelSession: an open model file, that is its ONNX graph and its card."""

import os
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serkit.card import Card, read_card
from serkit.errors import InferenceError, ModelFileError, SettingsError
from serkit.types import SEX_VALUES, FloatArray, Sex

DEFAULT_MODEL = "default"
_OTHER_ASSETS = ("pitch", "speech")  # the pitch tracker and the speech detector recognize no emotions


def embedded_models() -> tuple[str, ...]:
    """Return the names of the models that are part of the package, for :func:`serkit.load`.

    Example:
        >>> embedded_models()
        ('default', 'emodb')
    """
    folder = resources.files("serkit") / "assets"
    names = (entry.name.removesuffix(".onnx") for entry in folder.iterdir() if entry.name.endswith(".onnx"))
    return tuple(sorted(name for name in names if name not in _OTHER_ASSETS))


def sex_value(sex: Sex) -> float:
    """Return the number that stands for a speaker's sex in a model's input.

    Raises:
        SettingsError: If ``sex`` is not one of the three words.
    """
    if sex not in SEX_VALUES:
        raise SettingsError(f"sex must be one of {', '.join(SEX_VALUES)}, not {sex!r}.")
    return SEX_VALUES[sex]


class ModelSession:
    """One model file, open in ONNX Runtime. Threads may share it.

    Args:
        session: ONNX Runtime session of the file.
        card: Card of the same file.

    Attributes:
        card: Labels, corpora, protocol, results, license and limits of the model.
    """

    def __init__(self, session: Any, card: Card) -> None:
        self._session = session
        self.card = card

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> Self:
        """Open a model file; see :meth:`serkit.Recognizer.load`."""
        if path is None or os.fspath(path) in embedded_models():
            file, name = _asset(DEFAULT_MODEL if path is None else os.fspath(path)), "the embedded model"
        else:
            file, name = Path(path), f"the model {os.fspath(path)!r}"
        try:
            content = file.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: the path contains a zero byte
            why = getattr(error, "strerror", None) or error
            raise ModelFileError(f"cannot read {name}: {why}{_embedded_hint(path)}.") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no other common base
            raise ModelFileError(f"{name} is not an ONNX file, or is cut off.") from error
        return cls(session, read_card(session.get_modelmeta().custom_metadata_map, name))

    def run(
        self, waveform: FloatArray, lengths: NDArray[np.int64], *, sex: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Run the graph on a padded batch.

        Args:
            waveform: Samples at the card's sampling rate, shape (B, T).
            lengths: Number of valid samples in each row, shape (B,).
            sex: Sex of each speaker, shape (B,): male 1, female 0, unknown 0.5. None means unknown for all. Models
                without this input ignore it.

        Returns:
            Probabilities (B, C) and embeddings (B, D).

        Raises:
            InferenceError: If ONNX Runtime fails, for example because memory runs out.
        """
        if sex is None:
            sex = np.full(len(lengths), SEX_VALUES["unknown"], np.float32)
        is_alike = len(lengths) == 1 or (len(set(lengths.tolist())) == 1 and not self.card.quantization)
        if is_alike or not (self.card.needs_equal_lengths or self.card.quantization):
            return self._run_graph(waveform, lengths, sex)
        rows = [
            self._run_graph(waveform[i : i + 1, :length], lengths[i : i + 1], sex[i : i + 1])
            for i, length in enumerate(lengths.tolist())
        ]
        return np.concatenate([row[0] for row in rows]), np.concatenate([row[1] for row in rows])

    def _run_graph(
        self, waveform: FloatArray, lengths: NDArray[np.int64], sex: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        feeds = {"waveform": waveform, "lengths": lengths} | ({"sex": sex} if "sex" in self.card.inputs else {})
        try:
            probabilities, embedding = self._session.run(["probabilities", "embedding"], feeds)
        except Exception as error:  # ONNX Runtime's exceptions have no other common base
            raise InferenceError(f"the model failed on audio of shape {waveform.shape}: {error}") from error
        return probabilities, embedding


def _asset(name: str) -> Traversable:
    return resources.files("serkit") / "assets" / f"{name}.onnx"


def _embedded_hint(path: str | os.PathLike[str] | None) -> str:
    """Return the list of embedded models where the path is a bare name, without folder and ending."""
    name = "" if path is None else os.fspath(path)
    if not name or Path(name).name != name or Path(name).suffix:
        return ""
    return f"; the embedded models are {', '.join(embedded_models())}"
