"""Training of the speech detector on EmoDB, and its export as an ONNX file.

Two speakers are held out for validation, by which settings and thresholds are chosen. No other recordings are used, so
that the file can be published under CC0, as EmoDB is.
"""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from asset_file import write_asset
from serkit.audio.decode import load_audio
from serkit.data.corpora import Data, read_corpora
from serkit.lab.recipes.config import require
from serkit.types import FloatArray
from speech_detector.network import SAMPLING_RATE, Detector, DetectorConfig
from speech_detector.scenes import make_scene
from speech_detector.spectra import HOP

_VALIDATION_SPEAKERS = ("emodb/15", "emodb/16")  # a man and a woman
_VALIDATION_SEED = 1_000_003
_BLOCK = 50  # scenes processed at once
_CHECKED = ((1, 1.2), (2, 4.0), (3, 10.01))  # batch sizes and seconds of the noise that the exported file is tested on
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DetectorTraining:
    """Training settings of a detector.

    Attributes:
        scenes: Number of training scenes of eight seconds.
        validation_scenes: Number of scenes of the validation speakers.
        epochs: Passes over the training scenes.
        batch_size: Scenes per training step.
        lr: Highest learning rate of the one-cycle schedule.
        seed: Random seed of scenes, weights and order.
        network: Size of the network.
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
    """Scenes as input of a detector's body.

    Attributes:
        bands: Log-mel bands (S, F, M).
        labels: Labels (S, N), 1 where a frame is speech.
    """

    bands: Tensor
    labels: Tensor


def make_detector(data: Data, output: str | os.PathLike[str], *, training: DetectorTraining | None = None) -> float:
    """Train a detector on EmoDB and export it.

    Args:
        data: Folder of EmoDB, in any form that :func:`serkit.data.corpora.read_corpora` takes.
        output: ONNX file to write.
        training: Training settings; None for the defaults.

    Returns:
        Loss on the validation speakers.

    Raises:
        CorpusError: If EmoDB is missing.
        ExportError: If torch and ONNX Runtime differ by more than 1e-4.
    """
    training = training or DetectorTraining()
    clips = read_clips(data)
    torch.manual_seed(training.seed)
    detector = Detector(training.network)
    learned = [clip for speaker, own in clips.items() if speaker not in _VALIDATION_SPEAKERS for clip in own]
    held_out = [clip for speaker in _VALIDATION_SPEAKERS for clip in clips.get(speaker, [])] or learned
    loss = fit(
        detector,
        make_scenes(detector, learned, training.scenes, seed=training.seed),
        make_scenes(detector, held_out, training.validation_scenes, seed=training.seed + _VALIDATION_SEED),
        training,
    )
    export_detector(detector, output)
    return loss


def read_clips(data: Data) -> dict[str, list[FloatArray]]:
    """Return the utterances of each speaker of EmoDB, at 16,000 Hz."""
    manifest = read_corpora(["emodb"], data)
    clips: dict[str, list[FloatArray]] = {}
    for utterance in manifest:
        clip = load_audio(manifest.audio_path(utterance), target_rate=SAMPLING_RATE)
        clips.setdefault(utterance.speaker, []).append(clip)
    return clips


def make_scenes(detector: Detector, clips: Sequence[FloatArray], number: int, *, seed: int) -> Scenes:
    """Make scenes and compute their bands; each scene has a random generator seeded by its own number."""
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


def fit(detector: Detector, learned: Scenes, held_out: Scenes, training: DetectorTraining) -> float:
    """Train a detector in place and return its loss on the held-out scenes.

    The weights of the last epoch are kept, when the learning rate has fallen to zero. An earlier epoch that happens to
    have a lower loss raises more false alarms.
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
        validation, misses, alarms = measure(detector, held_out)
        _log.info("epoch %d: loss %.4f, misses %.3f, false alarms %.3f", epoch, validation, misses, alarms)
    return validation


def measure(detector: Detector, scenes: Scenes, *, threshold: float = 0.5) -> tuple[float, float, float]:
    """Return the loss, the share of missed speech frames, and the share of other frames that raise a false alarm."""
    detector.eval()
    with torch.inference_mode():
        logits = torch.cat([detector.logits(bands.float()) for bands in torch.split(scenes.bands, _BLOCK)])
    loss = functional.binary_cross_entropy_with_logits(logits, scenes.labels)
    found, speech = logits.sigmoid() >= threshold, scenes.labels > 0.5
    return float(loss), float((~found[speech]).float().mean()), float(found[~speech].float().mean())


def export_detector(detector: Detector, output: str | os.PathLike[str]) -> float:
    """Write a detector as an ONNX file, with the facts that a caller needs in its metadata.

    Returns:
        Largest difference between torch and ONNX Runtime on noise.

    Raises:
        ExportError: If the difference is larger than 1e-4.
    """
    rng = np.random.default_rng(0)
    noises = [rng.standard_normal((batch, int(seconds * SAMPLING_RATE))) for batch, seconds in _CHECKED]
    return write_asset(
        detector, Path(output), example=torch.zeros(2, 2 * SAMPLING_RATE), axes={"speech": "N"},
        about=_card(detector), checked=[torch.from_numpy((0.05 * noise).astype(np.float32)) for noise in noises],
    )  # fmt: skip


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
