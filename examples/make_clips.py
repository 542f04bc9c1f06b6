"""Make the example clips: synthetic speech in four shapes, the same bytes from the same versions.

Speaking is espeak-ng's, which must be installed (``apt install espeak-ng``, ``brew install espeak-ng``);
resampling and writing are soxr's and soundfile's, which come with serkit::

    python examples/make_clips.py            # beside this script
    python examples/make_clips.py elsewhere

espeak-ng has no dice in it, but another version of it speaks a little differently.
"""

import argparse
import io
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Clip:
    """One file: what is said, in which voice, and how it is stored.

    Attributes:
        file: Its name, which says how it sounds and nothing of what it might mean.
        text: The words.
        voice: An espeak-ng voice with its variant.
        pitch: 0 to 99, espeak-ng's own scale.
        words_per_minute: How fast.
        peak_db: Level of the loudest sample, in dB below full scale.
        sampling_rate: Of the file, in Hz.
        gains: One per channel.
    """

    file: str
    text: str
    voice: str
    pitch: int
    words_per_minute: int
    peak_db: float
    sampling_rate: int = 16_000
    gains: tuple[float, ...] = (1.0,)


CLIPS = (
    Clip("loud_fast_high.wav", "The boat is at the pier, and we have got the whole day.", "en-us+f3", 85, 230, -1.0),
    Clip("soft_slow_low.wav", "The boat left the pier again.", "en-gb+m3", 12, 105, -20.0),
    Clip("medium_german.wav", "Das Boot liegt heute wieder am alten Steg.", "de+f2", 50, 160, -9.0),
    Clip(
        "stereo_44100.flac",
        "The pier is empty and the boat is gone.",
        "en-us+m7",
        45,
        190,
        -6.0,
        sampling_rate=44_100,
        gains=(1.0, 0.5),
    ),
)


def speak(clip: Clip) -> NDArray[np.int16]:
    """Have espeak-ng say a clip's words.

    Returns:
        Samples, shape (T, channels), at the clip's rate.
    """
    command = ["espeak-ng", "-z", "-v", clip.voice, "-p", str(clip.pitch), "-s", str(clip.words_per_minute)]
    spoken = subprocess.run([*command, "--stdout", clip.text], check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(spoken), dtype="float64")
    samples = soxr.resample(samples, rate, clip.sampling_rate, quality="VHQ")
    samples *= 10 ** (clip.peak_db / 20) / np.abs(samples).max()
    return np.round(np.outer(samples, clip.gains) * 32_767).astype(np.int16)


def main() -> int:
    """Write every clip; returns the exit code."""
    parser = argparse.ArgumentParser(description="Make the example clips with espeak-ng.")
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parent)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for clip in CLIPS:
        try:
            samples = speak(clip)
        except FileNotFoundError:
            print("make_clips.py needs espeak-ng on the PATH: install it with your system's packages.", file=sys.stderr)
            return 2
        path = folder / clip.file
        soundfile.write(path, samples, clip.sampling_rate, subtype="PCM_16")
        print(f"{path}: {len(samples) / clip.sampling_rate:.2f} s, {path.stat().st_size / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
