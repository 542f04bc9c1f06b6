"""Previews of augmentations: audio files of one utterance's variants, and a picture of their spectrograms."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile
from numpy.typing import NDArray

from serkit.errors import MissingExtraError
from serkit.lab.augment.augmentation import random_of
from serkit.lab.augment.chain import Entry, build_augmentation
from serkit.types import FloatArray
from serkit.writing import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_CLEAN = "clean"
_PICTURE = "spectrograms.png"
_WINDOW_S, _HOP_S = 0.03, 0.005  # long enough to resolve the harmonics of a voice, short enough for its syllables
_SHOWN_DB = 80.0  # dynamic range below the loudest point of the clean utterance
_HIGHEST_HZ = 12_000  # a voice has little energy above
_COLUMNS = 4
_PANEL_IN = (3.3, 2.2)


def show_variants(
    samples: FloatArray, sampling_rate: int, names: Sequence[Entry], folder: str | os.PathLike[str], seed: int
) -> list[Path]:
    """Write an utterance, its variant under each augmentation, and one picture of their spectrograms.

    Audio is written as 32-bit float, because an augmentation may leave [-1, 1]. All spectrograms have the same axes and
    colors, in dB below the loudest point of the clean utterance.

    Args:
        samples: Waveform of shape (T,).
        sampling_rate: Sampling rate in Hz.
        names: Augmentations, each as for :func:`serkit.lab.augment.build_augmentation`; each is applied to the clean
            utterance, whatever its ``p``.
        folder: Folder for the files; it is created if needed, and files of the same names are replaced.
        seed: Seed of all random numbers; the variant of one augmentation does not depend on the others.

    Returns:
        ``clean.wav``, a ``NAME.wav`` for each augmentation (``NAME-2.wav`` for its second use), and
        ``spectrograms.png``.

    Raises:
        UnknownNameError: If no augmentation has a given name.
        RecipeError: If a setting is unknown or has an invalid value, or a folder holds no audio.
        MissingExtraError: If matplotlib or a library that an augmentation needs is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("drawing", "plot") from error
    samples = np.asarray(samples, np.float32)
    variants, captions = {_CLEAN: samples}, {_CLEAN: ""}
    for part in [build_augmentation(entry) for entry in names]:
        part.check()
        count = sum(name.partition("-")[0] == part.name for name in variants)
        name = f"{part.name}-{count + 1}" if count else part.name
        drawn = part.draw(random_of(seed, 0, name))
        variants[name], captions[name] = part.change(samples, sampling_rate, drawn), part.caption(drawn)
    written = []
    for name, variant in variants.items():
        with whole_file(Path(folder) / f"{name}.wav") as temporary:
            soundfile.write(temporary, variant, sampling_rate, subtype="FLOAT", format="WAV")
        written.append(Path(folder) / f"{name}.wav")
    picture = Path(folder) / _PICTURE
    with whole_file(picture) as temporary:
        figure = _drawn(variants, captions, sampling_rate)
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})
    return [*written, picture]


def _drawn(variants: Mapping[str, FloatArray], captions: Mapping[str, str], sampling_rate: int) -> "Figure":
    from matplotlib.figure import Figure

    columns = min(_COLUMNS, len(variants))
    rows = -(-len(variants) // columns)
    figure = Figure(figsize=(columns * _PANEL_IN[0] + 0.9, rows * _PANEL_IN[1] + 0.5), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    powers = {name: _power_spectrogram(variant, sampling_rate) for name, variant in variants.items()}
    loudest = max(float(powers[_CLEAN].max()), 1e-12)
    seconds = max(len(variant) for variant in variants.values()) / sampling_rate
    for axes, (name, power) in zip(grid.flat, powers.items(), strict=False):
        levels = 10 * np.log10(np.maximum(power / loudest, 10 ** (-_SHOWN_DB / 10)))
        end = len(variants[name]) / sampling_rate
        image = axes.imshow(
            levels, origin="lower", aspect="auto", extent=(0, end, 0, sampling_rate / 2000),
            vmin=-_SHOWN_DB, vmax=0, cmap="magma", interpolation="nearest",
        )  # fmt: skip
        _finish(axes, name, captions[name], end)
        axes.set_xlim(0, seconds)
        axes.set_ylim(0, min(sampling_rate / 2, _HIGHEST_HZ) / 1000)
    for axes in list(grid.flat)[len(variants) :]:
        axes.set_visible(False)
    for i in range(columns):  # the lowest visible panel of each column
        grid[(len(variants) - 1 - i) // columns][i].tick_params(labelbottom=True)
    figure.supxlabel("seconds", fontsize=9)
    figure.supylabel("kHz", fontsize=9)
    bar = figure.colorbar(image, ax=grid, pad=0.01, aspect=30 * rows)
    bar.set_label("dB below the loudest point of clean", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    return figure


def _finish(axes: "Axes", name: str, caption: str, end: float) -> None:
    axes.set_facecolor("#EDEDED")  # after the end of a variant
    axes.axvline(end, color="#888888", linewidth=0.6)
    axes.set_title(name, loc="left", fontsize=10, fontweight="bold")
    axes.set_title(caption, loc="right", fontsize=8)
    axes.tick_params(labelsize=8)


def _power_spectrogram(samples: FloatArray, sampling_rate: int) -> NDArray[np.float64]:
    """Return the power (K, N) of centered, Hann-windowed frames."""
    window, hop = (max(1, round(seconds * sampling_rate)) for seconds in (_WINDOW_S, _HOP_S))
    padded = np.pad(samples.astype(np.float64), (window // 2, window - window // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[::hop]
    spectrum = np.fft.rfft(frames * np.hanning(window), 2 ** int(np.ceil(np.log2(window))))
    power: NDArray[np.float64] = np.square(np.abs(spectrum)).T
    return power
