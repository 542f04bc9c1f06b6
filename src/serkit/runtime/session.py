"""ModelSession: an open model file, that is its ONNX graph and its card."""

import os
import threading
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serkit.card import Card, read_card
from serkit.errors import InferenceError, ModelFileError, SettingsError
from serkit.runtime.onnx_operators import HarmfulFileError, has_loops
from serkit.types import SEX_VALUES, FloatArray, Sex

DEFAULT_MODEL = "default"
_OTHER_ASSETS = ("pitch", "speech")  # the pitch tracker and the speech detector recognize no emotions
_KINDS = {"waveform": ("tensor(float)", 2), "lengths": ("tensor(int64)", 1), "sex": ("tensor(float)", 1)}
_OUTPUTS = ("probabilities", "embedding")
_TOLERANCE = 1e-3  # of probabilities; those of 8-bit models and of votes are within 1e-5 of 0 to 1 and of the sum 1
_LOOP_SECONDS = 10.0  # time for a graph with loops, besides twice the duration of its audio
_MEMORY = 8 << 30  # bytes, where the size of the machine's memory is unknown


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
        self._name = "the model"  # for messages
        self._has_loops = False  # with loops, a run may never end
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
        options.log_severity_level = 4
        if threads is not None:
            options.intra_op_num_threads = threads
        _limit_memory()
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            is_looping = has_loops(content)
            session = onnxruntime.InferenceSession(
                content,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # the fallback prints on stdout
            )
        except HarmfulFileError as error:
            raise ModelFileError(f"{name} is not a file that serkit made: {error}.") from error
        except Exception as error:  # ONNX Runtime's exceptions have no other common base
            raise ModelFileError(f"{name} is not an ONNX file, or is cut off.") from error
        card = read_card(session.get_modelmeta().custom_metadata_map, name)
        _check_graph(session, card, name)
        opened = cls(session, card)
        opened._name, opened._has_loops = name, is_looping
        return opened

    def concerning(self, remarks: tuple[str, ...]) -> tuple[str, ...]:
        """Return the remarks on audio that concern this model. One that learned telephones needs no warning."""
        return tuple(name for name in remarks if name != "narrowband" or not self.card.hears_narrowband)

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
            ModelFileError: If the file answers with something else than probabilities of the card's classes, or takes
                more time or memory than a model may.
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
        seconds = waveform.size / self.card.sampling_rate
        try:
            if self._has_loops:
                probabilities, embedding = self._run_in_time(feeds, seconds)
            else:
                probabilities, embedding = self._session.run(list(_OUTPUTS), feeds)
        except ModelFileError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions have no other common base
            if "Available memory" in str(error) and seconds <= self.card.maximum_duration:
                most = f"{_memory() / 1e9:.0f} GB of memory"
                raise ModelFileError(f"{self._name} needs over {most} for {seconds:.1f} s of audio.") from error
            raise InferenceError(f"the model failed on audio of shape {waveform.shape}: {error}") from error
        if flaw := _flaw_of(probabilities, embedding, len(lengths), len(self.card.classes)):
            raise ModelFileError(f"{self._name} is damaged: {flaw}.")
        return probabilities, embedding

    def _run_in_time(self, feeds: dict[str, Any], seconds: float) -> Any:
        """Run a graph whose loops may never end, and end it after a while."""
        options = onnxruntime.RunOptions()
        timer = threading.Timer(_LOOP_SECONDS + 2 * seconds, setattr, (options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            return self._session.run(list(_OUTPUTS), feeds, options)
        except Exception as error:
            if options.terminate:
                raise ModelFileError(f"{self._name} found no answer for {seconds:.1f} s of audio in time.") from error
            raise
        finally:
            timer.cancel()


def _flaw_of(probabilities: Any, embedding: Any, rows: int, classes: int) -> str:
    """Return what is wrong with a graph's answer; empty if nothing is."""
    for name, values in zip(_OUTPUTS, (probabilities, embedding), strict=True):
        if values.dtype != np.float32 or values.ndim != 2 or len(values) != rows:
            return f"it answers {name} of shape {values.shape} and type {values.dtype} for a batch of {rows}"
    if probabilities.shape[1] != classes:
        return f"it answers {probabilities.shape[1]} probabilities, but its card has {classes} classes"
    if not np.isfinite(embedding).all() or not np.isfinite(probabilities).all():
        return "it answers NaN or infinite numbers"
    if probabilities.min() < -_TOLERANCE or probabilities.max() > 1 + _TOLERANCE:
        return "it answers probabilities that are not between 0 and 1"
    if np.abs(probabilities.sum(1, dtype=np.float64) - 1).max() > _TOLERANCE:
        return "it answers probabilities that do not sum to 1"
    return ""


def _check_graph(session: Any, card: Card, name: str) -> None:
    """Check that a graph has the inputs and outputs that its card and :meth:`ModelSession.run` take for granted.

    Raises:
        ModelFileError: If an input or output is missing, or has another type or number of dimensions.
    """
    inputs = {entry.name: (entry.type, len(entry.shape)) for entry in session.get_inputs()}
    if inputs != {key: _KINDS[key] for key in card.inputs}:
        expected = ", ".join(card.inputs)
        raise ModelFileError(f"{name} is damaged: its inputs are {', '.join(inputs) or 'none'}; expected {expected}.")
    outputs = {entry.name: entry for entry in session.get_outputs()}
    for output in _OUTPUTS:
        if output not in outputs or outputs[output].type != "tensor(float)":
            raise ModelFileError(f"{name} is damaged: it has no output {output!r} of 32-bit numbers.")
    shape = outputs["probabilities"].shape
    if len(shape) == 2 and isinstance(shape[1], int) and shape[1] != len(card.classes):
        raise ModelFileError(
            f"{name} is damaged: it answers {shape[1]} probabilities, but its card has {len(card.classes)} classes."
        )


@cache
def _limit_memory() -> None:
    """Limit the memory that all models of this process may use together, so that no file can use up the machine's."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    onnxruntime.create_and_register_allocator(memory, onnxruntime.OrtArenaCfg({"max_mem": _memory()}))


def _memory() -> int:
    """Return half of the machine's memory in bytes."""
    if not {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= getattr(os, "sysconf_names", {}).keys():
        return _MEMORY  # Windows
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _asset(name: str) -> Traversable:
    return resources.files("serkit") / "assets" / f"{name}.onnx"


def _embedded_hint(path: str | os.PathLike[str] | None) -> str:
    """Return the list of embedded models where the path is a bare name, without folder and ending."""
    name = "" if path is None else os.fspath(path)
    if not name or Path(name).name != name or Path(name).suffix:
        return ""
    return f"; the embedded models are {', '.join(embedded_models())}"
