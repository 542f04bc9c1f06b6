"""Recognizer: one ONNX file, opened; audio in, emotions out."""

import os
from collections.abc import Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serkit.audio import AudioSource, load_audio, source_name
from serkit.card import Card, read_card
from serkit.errors import AudioTooShortError, InferenceError, ModelFileError, SerkitError
from serkit.types import SEX_VALUES, FloatArray, Prediction, Sex

DEFAULT_MODEL = "default"


def embedded_models() -> tuple[str, ...]:
    """Return the names of the models that come with serkit, for :meth:`Recognizer.load`.

    Example:
        >>> embedded_models()
        ('default', 'emodb')
    """
    folder = resources.files("serkit") / "assets"
    return tuple(sorted(entry.name.removesuffix(".onnx") for entry in folder.iterdir() if entry.name.endswith(".onnx")))


class Recognizer:
    """Recognises emotions with one model file.

    It may be shared between threads.

    Args:
        session: An open ONNX Runtime session.
        card: The card of the same file.

    Attributes:
        card: Labels, corpora, protocol and numbers, licence, limits.
    """

    def __init__(self, session: Any, card: Card) -> None:
        self._session = session
        self.card = card

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> "Recognizer":
        """Open a model file.

        Args:
            path: Of a file that ``serkit export`` made; or the name of an embedded model, see :func:`embedded_models`
                (a file of that name in the working folder is ``./NAME``); None for the default one.
            threads: That one prediction may use; None leaves it to ONNX Runtime.

        Raises:
            ModelFileError: If there is no such file, or it is not a serkit model.
        """
        if path is None or os.fspath(path) in embedded_models():
            file, name = _asset(DEFAULT_MODEL if path is None else os.fspath(path)), "the embedded model"
        else:
            file, name = Path(path), f"the model {os.fspath(path)!r}"
        try:
            content = file.read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            why = getattr(error, "strerror", None) or error
            raise ModelFileError(f"cannot read {name}: {why}{_embedded_hint(path)}.") from error
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            raise ModelFileError(f"{name} is not an ONNX file, or is cut off.") from error
        return cls(session, read_card(session.get_modelmeta().custom_metadata_map, name))

    def predict(self, audio: AudioSource, *, sampling_rate: int | None = None, sex: Sex = "unknown") -> Prediction:
        """Recognise the emotion of one clip.

        Args:
            audio: A path, a binary file object, or an array (T,) or (channels, T).
            sampling_rate: Rate of an array in Hz; left out for files.
            sex: Of the speaker; only models whose card lists it among the inputs make use of it.

        Returns:
            The most probable class, all probabilities, and the embedding.

        Raises:
            AudioError: If the audio cannot be used; see :mod:`serkit.errors`.

        Example:
            >>> import numpy as np, serkit
            >>> answer = serkit.load().predict(np.zeros(16_000, np.float32), sampling_rate=16_000)
            >>> round(sum(answer.probabilities.values()), 3)
            1.0
        """
        samples = load_audio(audio, sampling_rate=sampling_rate, target_rate=self.card.sampling_rate)
        duration = len(samples) / self.card.sampling_rate
        if duration < self.card.minimum_duration:
            raise AudioTooShortError(
                f"{source_name(audio)} lasts {duration:.4f} s; the model needs {self.card.minimum_duration} s or more."
            )
        given = np.array([SEX_VALUES[sex]], np.float32)
        probabilities, embedding = self.run(samples[None], np.array([len(samples)], np.int64), sex=given)
        ranked = sorted(zip(self.card.classes, probabilities[0].tolist(), strict=True), key=lambda pair: -pair[1])
        return Prediction(
            emotion=ranked[0][0], probabilities=dict(ranked), embedding=embedding[0], duration=round(duration, 4)
        )

    def run(
        self, waveform: FloatArray, lengths: NDArray[np.int64], *, sex: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Run the graph on a padded batch.

        Args:
            waveform: Shape (B, T), at the card's sampling rate.
            lengths: Valid samples, shape (B,).
            sex: Shape (B,), male 1, female 0, unknown 0.5, which None stands for; ignored by models without this input.

        Returns:
            Probabilities (B, C) and embeddings (B, D).

        Raises:
            InferenceError: If ONNX Runtime fails, for want of memory, say.
        """
        feeds = {"waveform": waveform, "lengths": lengths}
        if "sex" in self.card.inputs:
            feeds["sex"] = np.full(len(lengths), SEX_VALUES["unknown"], np.float32) if sex is None else sex
        try:
            probabilities, embedding = self._session.run(["probabilities", "embedding"], feeds)
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            raise InferenceError(f"the model failed on audio of shape {waveform.shape}: {error}") from error
        return probabilities, embedding

    def predict_many(
        self,
        audios: Iterable[AudioSource],
        *,
        sampling_rate: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
    ) -> Iterator[Prediction | SerkitError]:
        """Recognise many clips, in order, one in memory at a time.

        Args:
            audios: As for :meth:`predict`.
            sampling_rate: Of arrays, in Hz.
            on_error: ``return`` yields the error in the place of a clip that cannot be used.

        Raises:
            AudioError: If a clip cannot be used and ``on_error`` is ``raise``.
        """
        if isinstance(audios, str | bytes | os.PathLike):
            raise TypeError("predict_many takes several clips; for one, call predict.")
        for audio in audios:
            try:
                yield self.predict(audio, sampling_rate=sampling_rate)
            except SerkitError as error:
                if on_error == "raise":
                    raise
                yield error


def _asset(name: str) -> Traversable:
    return resources.files("serkit") / "assets" / f"{name}.onnx"


def _embedded_hint(path: str | os.PathLike[str] | None) -> str:
    """Return what is embedded, where a name without folder and ending was asked for."""
    name = "" if path is None else os.fspath(path)
    if not name or Path(name).name != name or Path(name).suffix:
        return ""
    return f"; the embedded ones are {', '.join(embedded_models())}"
