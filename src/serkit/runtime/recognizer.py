"""Recognizer: audio in, emotions out, with one model file."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import repeat
from pathlib import Path
from typing import Any, Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from serkit.annotations.timeline import Timeline
from serkit.audio.damage import Damaged, check_damaged
from serkit.audio.decode import load_clip
from serkit.audio.resampling import check_rate
from serkit.audio.sources import AudioSource, source_name
from serkit.errors import InferenceError, SerkitError, SettingsError
from serkit.runtime.decision import Threshold, classes_within, make_decider
from serkit.runtime.recording_timeline import Channels, make_timeline
from serkit.runtime.session import ModelSession, embedded_models, sex_value
from serkit.runtime.stream import Listening, Stream
from serkit.runtime.vad import LOWEST_RATE, has_speech
from serkit.runtime.windows import SpeechRule
from serkit.types import NO_SPEECH, FloatArray, Prediction, Segment, Sex, Window


class Recognizer:
    """Recognizes emotions with one model file. Threads may share it.

    Args:
        model: Open model file.

    Attributes:
        model: The same open model file.
        card: Labels, corpora, protocol, results, license and limits of the model.

    Example:
        >>> import serkit
        >>> serkit.load("emodb")  # doctest: +ELLIPSIS
        Recognizer(name='emodb-...', classes=('anger', ...), sampling_rate=16000)
    """

    def __init__(self, model: ModelSession) -> None:
        self.model = model
        self.card = model.card
        self._origin: tuple[str | None, int | None] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the path of the model file, which another process opens again."""
        if self._origin is None:
            raise TypeError("only a Recognizer from Recognizer.load or serkit.load can be pickled.")
        return _loaded_again, (type(self), *self._origin)

    def __repr__(self) -> str:
        card = self.card
        return f"Recognizer(name={card.name!r}, classes={card.classes!r}, sampling_rate={card.sampling_rate})"

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None, *, threads: int | None = None) -> Self:
        """Open a model file.

        Args:
            path: Model file made by ``serkit export``, or the name of an embedded model (see
                :func:`serkit.embedded_models`). None opens the default model. A file that has the name of an embedded
                model is ``./NAME``.
            threads: Number of threads for one prediction. None leaves the number to ONNX Runtime.

        Raises:
            ModelFileError: If the file cannot be read or is not a serkit model.
        """
        recognizer = cls(ModelSession.load(path, threads=threads))
        is_name = path is None or os.fspath(path) in embedded_models()
        name = None if path is None else os.fspath(path) if is_name else str(Path(path).absolute())
        recognizer._origin = (name, threads)
        return recognizer

    def predict(
        self,
        audio: AudioSource,
        *,
        sampling_rate: int | None = None,
        sex: Sex = "unknown",
        reject: bool = True,
        threshold: Threshold = None,
        damaged: Damaged = "refuse",
    ) -> Prediction:
        """Recognize the emotion of one clip.

        Args:
            audio: Path, bytes, binary file object, or array or tensor (T,) or (channels, T); also ``(rate, array)`` and
                ``{"array", "sampling_rate"}``. Its longest duration is on the card, a minute for most models.
            sampling_rate: Sampling rate of an array in Hz. Leave it out for files.
            sex: Sex of the speaker. Only models whose card lists ``sex`` among the inputs use it.
            reject: Whether the answer may be ``no speech`` or ``uncertain``. Otherwise it is the most probable class.
            threshold: Lowest probability at which a class is named; see
                :func:`serkit.runtime.decision.make_decider`.
            damaged: ``refuse`` raises an error for a file of which more than 0.1 s is missing; ``skip`` uses what is
                left.

        Returns:
            The answer, the probabilities of all classes, and the embedding.

        Raises:
            AudioTooLongError: If the audio is longer than one clip may be. Use :meth:`timeline` for a recording.
            AudioError: If the audio cannot be used; see :mod:`serkit.errors`.
            SettingsError: If ``sex`` or ``threshold`` is out of range.

        Example:
            >>> import numpy as np, serkit
            >>> answer = serkit.load().predict(np.zeros(16_000, np.float32), sampling_rate=16_000)
            >>> round(sum(answer.probabilities.values()), 3)
            1.0
        """
        sex_input = np.array([sex_value(sex)], np.float32)
        decider = make_decider(self.card, threshold if reject else 0.0)
        clip = load_clip(
            audio, sampling_rate=sampling_rate, target_rate=self.card.sampling_rate, damaged=damaged,
            longest=self.card.maximum_duration,
        )  # fmt: skip
        samples, rate = clip.samples, clip.sampling_rate
        duration = len(samples) / self.card.sampling_rate
        self.card.check_duration(duration, clip.name)
        probabilities, embedding = self.run(samples[None], np.array([len(samples)], np.int64), sex=sex_input)
        is_silent = reject and rate >= LOWEST_RATE and not has_speech(samples, self.card.sampling_rate)
        return Prediction(
            emotion=NO_SPEECH if is_silent else decider(probabilities[0]),
            probabilities=decider.ranked(probabilities[0]),
            embedding=embedding[0],
            duration=round(duration, 4),
            remarks=self.model.concerning(clip.remarks),
            gaps=clip.gaps,
        )

    def run(
        self, waveform: FloatArray, lengths: NDArray[np.int64], *, sex: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Run the model's graph on a padded batch; see :meth:`serkit.runtime.session.ModelSession.run`."""
        return self.model.run(waveform, lengths, sex=sex)

    @overload
    def predict_many(
        self,
        audios: Iterable[AudioSource],
        *,
        sampling_rate: int | None = None,
        sex: Sex | Sequence[Sex] = "unknown",
        reject: bool = True,
        threshold: Threshold = None,
        damaged: Damaged = "refuse",
        on_error: Literal["raise"] = "raise",
        on_progress: Callable[[int], None] | None = None,
    ) -> Iterator[Prediction]: ...

    @overload
    def predict_many(
        self,
        audios: Iterable[AudioSource],
        *,
        sampling_rate: int | None = None,
        sex: Sex | Sequence[Sex] = "unknown",
        reject: bool = True,
        threshold: Threshold = None,
        damaged: Damaged = "refuse",
        on_error: Literal["raise", "return"],
        on_progress: Callable[[int], None] | None = None,
    ) -> Iterator[Prediction | SerkitError]: ...

    def predict_many(
        self,
        audios: Iterable[AudioSource],
        *,
        sampling_rate: int | None = None,
        sex: Sex | Sequence[Sex] = "unknown",
        reject: bool = True,
        threshold: Threshold = None,
        damaged: Damaged = "refuse",
        on_error: Literal["raise", "return"] = "raise",
        on_progress: Callable[[int], None] | None = None,
    ) -> Iterator[Prediction | SerkitError]:
        """Recognize the emotions of many clips, in order, with one clip in memory at a time.

        Args:
            audios: Clips, each as :meth:`predict` takes it.
            sampling_rate: Sampling rate of arrays in Hz.
            sex: Sex of all speakers, or a sequence with the sex of each clip's speaker.
            reject: Whether an answer may be ``no speech`` or ``uncertain``; see :meth:`predict`.
            threshold: Lowest probability at which a class is named; see :meth:`predict`.
            damaged: ``refuse`` or ``skip``; see :meth:`predict`.
            on_error: ``raise`` stops at the first clip that cannot be used. ``return`` yields the error in place of
                that clip's answer and continues.
            on_progress: Function that is called with the number of clips answered so far, after each clip.

        Returns:
            An iterator over the answers. Each clip is read when you ask for its answer.

        Raises:
            TypeError: If ``audios`` is a single path; at the call.
            SettingsError, UnknownNameError, SamplingRateError: If another argument is wrong; at the call.
            AudioError: If a clip cannot be used and ``on_error`` is ``raise``; when you ask for its answer.
        """
        if isinstance(audios, str | bytes | os.PathLike):
            raise TypeError("predict_many takes several clips; for one clip, call predict.")
        if on_error not in ("raise", "return"):
            raise SettingsError(f"on_error must be 'raise' or 'return', not {on_error!r}.")
        if sampling_rate is not None:
            check_rate(sampling_rate)
        check_damaged(damaged)
        make_decider(self.card, threshold)
        sexes = _sex_of_each(sex, audios)
        options: dict[str, Any] = {
            "sampling_rate": sampling_rate, "reject": reject, "threshold": threshold, "damaged": damaged,
        }  # fmt: skip
        return self._answers(audios, sexes, options, on_error == "raise", on_progress)

    def _answers(
        self,
        audios: Iterable[AudioSource],
        sexes: Iterator[Sex],
        options: dict[str, Any],
        does_raise: bool,
        on_progress: Callable[[int], None] | None,
    ) -> Iterator[Prediction | SerkitError]:
        for count, audio in enumerate(audios, start=1):
            sex = next(sexes, None)
            if sex is None:
                raise SettingsError(f"sex has {count - 1} entries, but there are more clips; pass one for each clip.")
            answer: Prediction | SerkitError
            try:
                answer = self.predict(audio, sex=sex, **options)
            except SerkitError as error:
                if does_raise:
                    raise
                answer = error
            except MemoryError as error:
                if does_raise:
                    raise
                answer = InferenceError(f"there is not enough memory for {source_name(audio)}.")
                answer.__cause__ = error
            if on_progress:
                on_progress(count)
            yield answer

    def timeline(
        self,
        audio: AudioSource,
        *,
        sampling_rate: int | None = None,
        window: float = 3.0,
        hop: float = 1.0,
        vad: bool | SpeechRule = True,
        channels: Channels = "mix",
        smooth: float = 0.0,
        threshold: Threshold = None,
        sex: Sex = "unknown",
        embeddings: bool = False,
        damaged: Damaged = "refuse",
        on_progress: Callable[[float], None] = lambda seconds: None,
    ) -> Timeline:
        """Recognize emotions over time in a recording of any length.

        The recording is read piece by piece. Speech is detected first, and windows are placed in the speech; the last
        window of a stretch of speech may be shorter than the others. Consecutive windows with the same emotion form a
        segment.

        Args:
            audio: Path, bytes, binary file object, or array; see :meth:`predict`.
            sampling_rate: Sampling rate of an array in Hz. Leave it out for files.
            window: Length of a window in seconds.
            hop: Seconds from the start of one window to the start of the next.
            vad: Whether to detect speech, or the rule for it. False treats the whole recording as speech.
            channels: ``mix``, or ``separate`` where each channel has its own speaker.
            smooth: Seconds of causal smoothing; see :class:`serkit.runtime.events.Narrator`. 0 turns it off.
            threshold: Lowest probability at which a class is named; see :meth:`predict`. 0 always names a class.
            sex: Sex of the speaker, for models that use it.
            embeddings: Whether windows keep the model's embeddings.
            damaged: ``refuse`` or ``skip``; see :meth:`predict`.
            on_progress: Function that is called with the seconds of audio read so far.

        Raises:
            AudioError: If the audio cannot be used. A file that is cut off may be noticed only at its end.
            SettingsError: If a setting is out of range.

        Example:
            >>> import numpy as np, serkit
            >>> serkit.load().timeline(np.zeros(32_000, np.float32), sampling_rate=16_000).segments
            ()
        """
        listening = _listening(
            vad, window=window, hop=hop, smooth=smooth, threshold=threshold, sex=sex, embeddings=embeddings
        )
        return make_timeline(
            self.model, audio, sampling_rate=sampling_rate, listening=listening, channels=channels,
            damaged=damaged, on_progress=on_progress,
        )  # fmt: skip

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
        """Recognize emotions in live audio, piece by piece.

        The arguments are those of :meth:`timeline`; ``sampling_rate`` is the rate of the pieces in Hz.

        Raises:
            SamplingRateError: If the rate is out of range, or too low to detect speech.
            SettingsError: If a setting is out of range.

        Example:
            >>> import numpy as np, serkit
            >>> with serkit.load().stream(sampling_rate=48_000) as stream:
            ...     stream.push(np.zeros(4_800, np.float32)), stream.flush()
            ([], [])
        """
        listening = _listening(
            vad, window=window, hop=hop, smooth=smooth, threshold=threshold, sex=sex, embeddings=embeddings
        )
        return Stream(self.model, sampling_rate=sampling_rate, listening=listening)

    def classes_within(self, answer: Prediction | Window | Segment, coverage: float) -> tuple[str, ...]:
        """Return the prediction set of an answer; see :func:`serkit.runtime.decision.classes_within`."""
        return classes_within(self.card, answer.probabilities, coverage)


def _loaded_again(kind: type[Recognizer], path: str | None, threads: int | None) -> Recognizer:
    return kind.load(path, threads=threads)


def _listening(vad: bool | SpeechRule, **settings: Any) -> Listening:
    if not isinstance(vad, bool | SpeechRule):
        raise TypeError(f"vad must be True, False or a SpeechRule, not {vad!r}.")
    rule = vad if isinstance(vad, SpeechRule) else SpeechRule() if vad else None
    return Listening(speech=rule, **settings)


def _sex_of_each(sex: Sex | Sequence[Sex], audios: Iterable[AudioSource]) -> Iterator[Sex]:
    """Return an iterator over the sex of each clip's speaker, checked."""
    if isinstance(sex, str):
        sex_value(sex)
        return repeat(sex)
    given = tuple(sex)
    for one in given:
        sex_value(one)
    if isinstance(audios, Sized) and len(audios) != len(given):
        raise SettingsError(f"sex has {len(given)} entries for {len(audios)} clips; pass one for each clip.")
    return iter(given)
