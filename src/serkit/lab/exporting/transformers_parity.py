"""Holds a model of ours to the classifier of transformers that it came from, or became."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from serkit.errors import ExportError
from serkit.lab.encoders.checkpoint_files import first_line
from serkit.lab.encoders.pretrained_checkpoint import quiet_transformers, transformers_class
from serkit.lab.exporting.model_file import TOLERANCE
from serkit.types import FloatArray

_SECONDS = (0.4, 1.3, 5.0)

Answer = Callable[[FloatArray], FloatArray]  # from a waveform (T,) to probabilities (C,)


def check_parity(folder: Path, answer: Answer, sampling_rate: int) -> float:
    """Return the largest difference from transformers' own answers to clips of several durations.

    transformers reads the folder by itself: its preprocessor and its classifier, as its pipeline does.

    Args:
        folder: Folder of a classifier for transformers.
        answer: Our answer to a waveform.
        sampling_rate: Sampling rate of the waveforms in Hz.

    Raises:
        ExportError: If a probability differs by more than 1e-4, or transformers cannot use the folder.
    """
    try:
        reads = {"local_files_only": True, "trust_remote_code": False}
        prepare = transformers_class("AutoFeatureExtractor").from_pretrained(folder, **reads)
        with quiet_transformers():
            network = transformers_class("AutoModelForAudioClassification").from_pretrained(
                folder, use_safetensors=True, **reads
            )
        differences = [
            np.abs(answer(clip) - _their_answer(prepare, network.float().eval(), clip, sampling_rate)).max()
            for clip in _clips(sampling_rate)
        ]
    except ExportError:
        raise
    except Exception as error:  # transformers raises errors of any kind where files do not fit together
        raise ExportError(f"transformers cannot use {str(folder)!r} ({first_line(error)}).") from error
    worst = float(np.max(differences))  # keeps NaN, which max() may lose
    if not worst <= TOLERANCE:  # not >, which is false for NaN
        version = transformers_class("__version__")
        raise ExportError(
            f"the answers would differ from those of transformers {version} by {worst:.1e}; at most {TOLERANCE} is "
            "allowed."
        )
    return worst


def _their_answer(prepare: Any, network: Any, clip: FloatArray, sampling_rate: int) -> FloatArray:
    given = prepare(clip, sampling_rate=sampling_rate, return_tensors="pt")
    with torch.inference_mode():
        found: FloatArray = network(**given).logits[0].softmax(-1).numpy()
    return found


def _clips(sampling_rate: int) -> list[FloatArray]:
    """Return tones in noise, beside zero by a little, as recordings are."""
    rng = np.random.default_rng(0)
    found = []
    for seconds in _SECONDS:
        time = np.arange(round(seconds * sampling_rate)) / sampling_rate
        tone = np.sin(2 * np.pi * rng.uniform(100, 300) * time) * np.sin(2 * np.pi * 3 * time)
        found.append((0.01 + 0.1 * tone + 0.03 * rng.standard_normal(len(time))).astype(np.float32))
    return found
