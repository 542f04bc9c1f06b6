"""From EmoDB to the speech detector's file: scenes, a network, an ONNX file.

Two speakers are kept apart to choose settings and thresholds by. No other recordings are used, so that the file can be
given away under CC0 as EmoDB is.
"""

import logging
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor
from torch.nn import functional

from serkit.audio.decode import load_audio
from serkit.data.corpora import Data, read_corpora
from serkit.errors import ExportError
from serkit.lab.graphs.onnx_graph import OPSET
from serkit.lab.recipes.config import require
from serkit.types import FloatArray
from serkit.writing import whole_file
from speech_detector.network import SAMPLING_RATE, Detector, DetectorConfig
from speech_detector.scenes import make_scene
from speech_detector.spectra import HOP

TOLERANCE = 1e-4  # between torch and ONNX Runtime
_VALIDATION_SPEAKERS = ("emodb/15", "emodb/16")  # a man and a woman
_VALIDATION_SEED = 1_000_003
_BLOCK = 50  # scenes turned into bands at once
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectorTraining:
    """How a detector is trained.

    Attributes:
        scenes: Of eight seconds each to learn from.
        validation_scenes: Of the speakers that are kept apart.
        epochs: Rounds over the scenes.
        batch_size: Scenes in a step.
        lr: Highest learning rate of one cycle.
        seed: Of scenes, weights and order.
        network: The size of the network.
    """

    scenes: int = 5_000
    validation_scenes: int = 300
    epochs: int = 14
    batch_size: int = 16
    lr: float = 4e-3
    seed: int = 0
    network: DetectorConfig = field(default_factory=DetectorConfig)

    def __post_init__(self) -> None:
        require(
            self,
            scenes=self.scenes >= self.batch_size,
            validation_scenes=self.validation_scenes >= 1,
            epochs=self.epochs >= 1,
            batch_size=self.batch_size >= 2,
            lr=self.lr > 0,
        )


@dataclass(frozen=True)
class Scenes:
    """Many scenes as a detector's body sees them: bands (S, F, M) and labels (S, N)."""

    bands: Tensor
    labels: Tensor


def make_detector(data: Data, output: str | os.PathLike[str], *, training: DetectorTraining | None = None) -> float:
    """Train a detector on EmoDB and write its file.

    Args:
        data: Where EmoDB lies, as for :func:`serkit.data.corpora.read_corpora`.
        output: The file, written whole.
        training: Its settings.

    Returns:
        The loss on the validation speakers.

    Raises:
        CorpusError: If there is no EmoDB.
        ExportError: If the file does not agree with torch within 1e-4.
    """
    training = training or DetectorTraining()
    clips = read_clips(data)
    torch.manual_seed(training.seed)
    detector = Detector(training.network)
    learned = [clip for speaker, own in clips.items() if speaker not in _VALIDATION_SPEAKERS for clip in own]
    kept_apart = [clip for speaker in _VALIDATION_SPEAKERS for clip in clips.get(speaker, [])] or learned
    loss = fit(
        detector,
        make_scenes(detector, learned, training.scenes, seed=training.seed),
        make_scenes(detector, kept_apart, training.validation_scenes, seed=training.seed + _VALIDATION_SEED),
        training,
    )
    export_detector(detector, output)
    return loss


def read_clips(data: Data) -> dict[str, list[FloatArray]]:
    """Read all utterances of EmoDB, by speaker, at 16,000 Hz."""
    manifest = read_corpora(["emodb"], data)
    clips: dict[str, list[FloatArray]] = {}
    for utterance in manifest:
        clip = load_audio(manifest.audio_path(utterance), target_rate=SAMPLING_RATE)
        clips.setdefault(utterance.speaker, []).append(clip)
    return clips


def make_scenes(detector: Detector, clips: Sequence[FloatArray], number: int, *, seed: int) -> Scenes:
    """Make scenes, each from a generator of its own number, and turn them into bands."""
    bands, labels = [], []
    for first in range(0, number, _BLOCK):
        block = range(first, min(first + _BLOCK, number))
        scenes = [make_scene(clips, np.random.default_rng([seed, place])) for place in block]
        with torch.inference_mode():
            waveforms = torch.from_numpy(np.stack([scene.samples for scene in scenes]))
            bands.append(detector.bands(waveforms).half())
        labels.append(torch.from_numpy(np.stack([scene.is_speech for scene in scenes])))
    first_frame = detector.left // HOP
    frames = (scenes[0].samples.size - detector.left - detector.right) // HOP
    return Scenes(torch.cat(bands).clone(), torch.cat(labels)[:, first_frame : first_frame + frames].float())


def fit(detector: Detector, learned: Scenes, kept_apart: Scenes, training: DetectorTraining) -> float:
    """Train a detector in place and return its loss on the scenes that are kept apart.

    The last epoch is kept: the learning rate ends at nothing, and an epoch before that which happens to have the lowest
    loss takes more for speech.
    """
    optimizer = torch.optim.AdamW(detector.parameters(), lr=training.lr, weight_decay=1e-3)
    steps = training.epochs * (len(learned.labels) // training.batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, training.lr, total_steps=steps, pct_start=0.2)
    generator = torch.Generator().manual_seed(training.seed)
    for epoch in range(training.epochs):
        detector.train()
        order = torch.randperm(len(learned.labels), generator=generator)
        for chosen in order[: len(order) // training.batch_size * training.batch_size].view(-1, training.batch_size):
            logits = detector.logits(learned.bands[chosen].float())  # (B, N)
            loss = functional.binary_cross_entropy_with_logits(logits, learned.labels[chosen])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        kept, misses, alarms = measure(detector, kept_apart)
        _log.info("epoch %d: loss %.4f, misses %.3f, false alarms %.3f", epoch, kept, misses, alarms)
    return kept


def measure(detector: Detector, scenes: Scenes, *, threshold: float = 0.5) -> tuple[float, float, float]:
    """Return the loss, the share of speech that is missed, and the share of the rest that is taken for speech."""
    detector.eval()
    with torch.inference_mode():
        logits = torch.cat([detector.logits(bands.float()) for bands in torch.split(scenes.bands, _BLOCK)])
    loss = functional.binary_cross_entropy_with_logits(logits, scenes.labels)
    found, speech = logits.sigmoid() >= threshold, scenes.labels > 0.5
    return float(loss), float((~found[speech]).float().mean()), float(found[~speech].float().mean())


def export_detector(detector: Detector, output: str | os.PathLike[str]) -> float:
    """Write a detector's file, whole, with what a caller must know of it.

    Returns:
        The largest difference between torch and ONNX Runtime that was seen.

    Raises:
        ExportError: If it is more than 1e-4.
    """
    detector.eval()
    with whole_file(Path(output)) as path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated, but the rest of the lab's files come from it too
            torch.onnx.export(
                detector, (torch.zeros(2, 2 * SAMPLING_RATE),), path, dynamo=False, opset_version=OPSET,
                do_constant_folding=False,  # ONNX Runtime does it, and the file stays small
                input_names=["waveform"], output_names=["speech"],
                dynamic_axes={"waveform": {0: "B", 1: "T"}, "speech": {0: "B", 1: "N"}},
            )  # fmt: skip
        graph = onnx.load(path)
        onnx.helper.set_model_props(graph, _card(detector))
        onnx.checker.check_model(graph)
        onnx.save(graph, path)
        difference = _difference(detector, path)
        if not difference <= TOLERANCE:  # not >, which is false for NaN
            raise ExportError(f"ONNX Runtime and torch differ by {difference:.1e}, more than {TOLERANCE}.")
    return difference


def _card(detector: Detector) -> dict[str, str]:
    return {
        "about": "Probability of speech for every 20 ms of a waveform; frame n is of samples left + 320 n to "
        "left + 320 (n + 1) and depends on left samples before and right samples after those alone.",
        "sampling_rate": str(SAMPLING_RATE),
        "hop": str(HOP),
        "left": str(detector.left),
        "right": str(detector.right),
        "trained_on": "EmoDB (CC0 1.0) and generated sounds",
        "license": "CC0-1.0",
    }


def _difference(detector: Detector, path: Path) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rng, worst = np.random.default_rng(0), 0.0
    for batch, seconds in ((1, 1.2), (2, 4.0), (3, 10.01)):
        waveform = (rng.standard_normal((batch, int(seconds * SAMPLING_RATE))) * 0.05).astype(np.float32)
        with torch.inference_mode():
            expected = detector(torch.from_numpy(waveform)).numpy()
        worst = float(np.max([worst, np.abs(session.run(None, {"waveform": waveform})[0] - expected).max()]))
    return worst
