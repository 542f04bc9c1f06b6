"""Recognizer: one ONNX file, opened; audio in, emotions out."""

import os
from collections.abc import Callable, Iterable, Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serkit.annotations.timeline import Timeline
from serkit.audio.decode import AudioSource, load_with_rate, source_name
from serkit.card import Card, read_card
from serkit.errors import InferenceError, ModelFileError, SerkitError
from serkit.runtime.decision import Threshold, classes_within, make_decider
from serkit.runtime.stream import Listening, Stream
from serkit.runtime.vad import LOWEST_RATE, has_speech
from serkit.runtime.windows import SpeechRule
from serkit.types import NO_SPEECH, SEX_VALUES, FloatArray, Prediction, Segment, Sex, Window

if TYPE_CHECKING:
    from serkit.runtime.offline import Channels

DEFAULT_MODEL = "default"
_OTHER_ASSETS = ("pitch", "speech")  # assets that are no emotion models


def embedded_models() -> tuple[str, ...]:
    """Return the names of the models that come with serkit, for :meth:`Recognizer.load`.

    Example:
        >>> embedded_models()
        ('default', 'emodb')
    """
    folder = resources.files("serkit") / "assets"
    names = (entry.name.removesuffix(".onnx") for entry in folder.iterdir() if entry.name.endswith(".onnx"))
    return tuple(sorted(name for name in names if name not in _OTHER_ASSETS))


class Recognizer:
    """Recognizes emotions with one model file.

    It may be shared between threads.

    Args:
        session: An open ONNX Runtime session.
        card: The card of the same file.

    Attributes:
        card: Labels, corpora, protocol and numbers, license, limits.
    """

    def __init__(self, session: Any, card: Card) -> None:
        self._session = session
        self.card = card

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> Self:
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

    def predict(
        self,
        audio: AudioSource,
        *,
        sampling_rate: int | None = None,
        sex: Sex = "unknown",
        reject: bool = True,
        threshold: Threshold = None,
    ) -> Prediction:
        """Recognize the emotion of one clip.

        Args:
            audio: A path, a binary file object, or an array (T,) or (channels, T).
            sampling_rate: Rate of an array in Hz; left out for files.
            sex: Of the speaker; only models whose card lists it among the inputs make use of it.
            reject: Whether the answer may be ``no speech`` or ``uncertain``; if not, it is the most probable class.
            threshold: What the most probable class must reach, see :func:`serkit.runtime.decision.make_decider`.

        Returns:
            The answer, all probabilities, and the embedding.

        Raises:
            AudioError: If the audio cannot be used; see :mod:`serkit.errors`.

        Example:
            >>> import numpy as np, serkit
            >>> answer = serkit.load().predict(np.zeros(16_000, np.float32), sampling_rate=16_000)
            >>> round(sum(answer.probabilities.values()), 3)
            1.0
        """
        samples, rate = load_with_rate(audio, sampling_rate=sampling_rate, target_rate=self.card.sampling_rate)
        duration = len(samples) / self.card.sampling_rate
        self.card.check_duration(duration, source_name(audio))
        given = np.array([SEX_VALUES[sex]], np.float32)
        probabilities, embedding = self.run(samples[None], np.array([len(samples)], np.int64), sex=given)
        decider = make_decider(self.card, threshold if reject else 0.0)
        is_silent = reject and rate >= LOWEST_RATE and not has_speech(samples, self.card.sampling_rate)
        return Prediction(
            emotion=NO_SPEECH if is_silent else decider(probabilities[0]),
            probabilities=decider.ranked(probabilities[0]),
            embedding=embedding[0],
            duration=round(duration, 4),
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
        is_alike = len(lengths) == 1 or (len(set(lengths.tolist())) == 1 and not self.card.quantization)
        if not is_alike and (self.card.needs_equal_lengths or self.card.quantization):
            parts = [
                self.run(waveform[i : i + 1, :n], lengths[i : i + 1], sex=None if sex is None else sex[i : i + 1])
                for i, n in enumerate(lengths.tolist())
            ]
            return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])
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
        reject: bool = True,
        threshold: Threshold = None,
        on_error: Literal["raise", "return"] = "raise",
    ) -> Iterator[Prediction | SerkitError]:
        """Recognize many clips, in order, one in memory at a time.

        Args:
            audios: As for :meth:`predict`.
            sampling_rate: Of arrays, in Hz.
            reject: As for :meth:`predict`.
            threshold: Likewise.
            on_error: ``return`` yields the error in the place of a clip that cannot be used.

        Raises:
            AudioError: If a clip cannot be used and ``on_error`` is ``raise``.
        """
        if isinstance(audios, str | bytes | os.PathLike):
            raise TypeError("predict_many takes several clips; for one, call predict.")
        for audio in audios:
            try:
                yield self.predict(audio, sampling_rate=sampling_rate, reject=reject, threshold=threshold)
            except SerkitError as error:
                if on_error == "raise":
                    raise
                yield error

    def timeline(
        self,
        audio: AudioSource,
        *,
        sampling_rate: int | None = None,
        window: float = 3.0,
        hop: float = 1.0,
        vad: bool | SpeechRule = True,
        channels: "Channels" = "mix",
        smooth: float = 0.0,
        threshold: Threshold = None,
        sex: Sex = "unknown",
        embeddings: bool = False,
        on_progress: Callable[[float], None] = lambda seconds: None,
    ) -> Timeline:
        """Recognize emotions over time, in a recording of any length, reading it as it goes.

        Speech is found first, and windows are placed in it; the last one of a stretch of speech may be shorter.
        Windows in a row that say the same are a segment.

        Args:
            audio: A path, a binary file object, or an array (T,) or (channels, T).
            sampling_rate: Rate of an array in Hz; left out for files.
            window: Seconds that the model hears at once.
            hop: Seconds from the start of one window to that of the next.
            vad: Whether to look for speech, or the rule by which; False takes all sound for it.
            channels: ``mix``, or ``separate`` where each channel has a speaker of its own.
            smooth: Seconds of causal smoothing, see :class:`serkit.runtime.events.Narrator`; 0 is without.
            threshold: As for :meth:`predict`; 0 always names a class.
            sex: Of the speaker, for models that make use of it.
            embeddings: Whether windows keep the model's embedding of them.
            on_progress: Called with the seconds heard so far.

        Raises:
            AudioError: If the audio cannot be used; that a file is cut off may show only at its end.
            RecipeError: If window, hop or smoothing are out of range.

        Example:
            >>> import numpy as np, serkit
            >>> serkit.load().timeline(np.zeros(32_000, np.float32), sampling_rate=16_000).segments
            ()
        """
        from serkit.runtime.offline import make_timeline

        listening = _listening(
            vad, window=window, hop=hop, smooth=smooth, threshold=threshold, sex=sex, embeddings=embeddings
        )
        return make_timeline(
            self, audio, sampling_rate=sampling_rate, listening=listening, channels=channels, on_progress=on_progress
        )

    def stream(
        self,
        *,
        sampling_rate: int,
        window: float = 3.0,
        hop: float = 1.0,
        vad: bool | SpeechRule = True,
        smooth: float = 0.0,
        threshold: Threshold = None,
        sex: Sex = "unknown",
        embeddings: bool = False,
    ) -> Stream:
        """Recognize emotions while the sound comes in; the arguments are those of :meth:`timeline`.

        Example:
            >>> import numpy as np, serkit
            >>> stream = serkit.load().stream(sampling_rate=48_000)
            >>> stream.push(np.zeros(4_800, np.float32)), stream.flush()
            ([], [])
        """
        listening = _listening(
            vad, window=window, hop=hop, smooth=smooth, threshold=threshold, sex=sex, embeddings=embeddings
        )
        return Stream(self, sampling_rate=sampling_rate, listening=listening)

    def classes_within(self, answer: Prediction | Window | Segment, coverage: float) -> tuple[str, ...]:
        """Return the classes among which the right one is; see :func:`serkit.runtime.decision.classes_within`."""
        return classes_within(self.card, answer.probabilities, coverage)


def _listening(vad: bool | SpeechRule, **settings: Any) -> Listening:
    if not isinstance(vad, bool | SpeechRule):
        raise TypeError(f"vad is True, False or a SpeechRule, not {vad!r}.")
    rule = vad if isinstance(vad, SpeechRule) else SpeechRule() if vad else None
    return Listening(speech=rule, **settings)


def _asset(name: str) -> Traversable:
    return resources.files("serkit") / "assets" / f"{name}.onnx"


def _embedded_hint(path: str | os.PathLike[str] | None) -> str:
    """Return what is embedded, where a name without folder and ending was asked for."""
    name = "" if path is None else os.fspath(path)
    if not name or Path(name).name != name or Path(name).suffix:
        return ""
    return f"; the embedded ones are {', '.join(embedded_models())}"
