"""What people do to a recording without making another of it: codecs, levels, cuts, padding, noise, speed."""

import io
from collections.abc import Callable, Mapping
from fractions import Fraction

import av
import numpy as np
import soxr

from serkit.types import FloatArray

Sound = tuple[FloatArray, int]  # samples (T,) and their sampling rate
Attack = Callable[[FloatArray, int, np.random.Generator], Sound]


def through_codec(samples: FloatArray, rate: int, *, codec: str, container: str, bit_rate: int) -> Sound:
    """Encode samples (T,) with FFmpeg and decode them again; the encoder's delay stays in or not, as FFmpeg does it."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(
            np.clip(samples, -1, 1)[None].astype(np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        resampler = av.AudioResampler(format=stream.codec_context.format or "s16", layout="mono", rate=rate)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            for packet in stream.encode(piece):
                output.mux(packet)
        for packet in stream.encode(None):
            output.mux(packet)
    file.seek(0)
    with av.open(file) as coded:
        decoder = av.AudioResampler(format="flt", layout="mono")
        frames = [part for whole in coded.decode(audio=0) for part in decoder.resample(whole)]
        heard = frames[0].sample_rate
        return np.concatenate([part.to_ndarray()[0] for part in frames]), heard


def mp3(samples: FloatArray, rate: int, rng: np.random.Generator) -> Sound:
    """Encode at 48 kbit/s."""
    return through_codec(samples, rate, codec="libmp3lame", container="mp3", bit_rate=48_000)


def opus(samples: FloatArray, rate: int, rng: np.random.Generator) -> Sound:
    """Encode at 12 kbit/s."""
    return through_codec(samples, rate, codec="libopus", container="ogg", bit_rate=12_000)


def change_speed(samples: FloatArray, rate: int, factor: float) -> Sound:
    """Resample, so that the sound is faster and higher by a factor."""
    return soxr.resample(samples, rate * factor, rate, quality="HQ").astype(np.float32), rate


def one_bit(samples: FloatArray, rate: int, rng: np.random.Generator) -> Sound:
    """Change the lowest of 16 bits of one sample."""
    changed = samples.copy()
    changed[rng.integers(len(samples))] += np.float32(2**-15)
    return changed, rate


def twice_resampled(samples: FloatArray, rate: int, rng: np.random.Generator) -> Sound:
    """Resample to 48 kHz and back."""
    return soxr.resample(soxr.resample(samples, rate, 48_000), 48_000, rate).astype(np.float32), rate


def noisy(samples: FloatArray, rate: int, rng: np.random.Generator) -> Sound:
    """Add white noise 20 dB below the clip."""
    level = np.sqrt(np.mean(np.square(samples)))
    return samples + np.float32(level / 10) * rng.standard_normal(len(samples)).astype(np.float32), rate


def without_start(samples: FloatArray, rate: int, rng: np.random.Generator) -> Sound:
    """Cut a fifth off the start."""
    return samples[len(samples) // 5 :], rate


def without_end(samples: FloatArray, rate: int, rng: np.random.Generator) -> Sound:
    """Cut a fifth off the end."""
    return samples[: -(len(samples) // 5)], rate


def padded(samples: FloatArray, rate: int, before: float, after: float) -> Sound:
    """Add silence, in seconds."""
    return np.pad(samples, (round(before * rate), round(after * rate))), rate


ALONE: Mapping[str, Attack] = {
    "gain +20 dB": lambda samples, rate, rng: (10 * samples, rate),
    "gain -20 dB": lambda samples, rate, rng: (samples / 10, rate),
    "polarity": lambda samples, rate, rng: (-samples, rate),
    "one bit": one_bit,
    "MP3 48 kbit/s": mp3,
    "Opus 12 kbit/s": opus,
    "8 kHz": lambda samples, rate, rng: (soxr.resample(samples, rate, 8_000).astype(np.float32), 8_000),
    "48 kHz and back": twice_resampled,
    "a fifth off the start": without_start,
    "a fifth off the end": without_end,
    "0.3 s of silence before": lambda samples, rate, rng: padded(samples, rate, 0.3, 0),
    "0.3 s of silence after": lambda samples, rate, rng: padded(samples, rate, 0, 0.3),
    "speed 1.01": lambda samples, rate, rng: change_speed(samples, rate, 1.01),
    "speed 0.99": lambda samples, rate, rng: change_speed(samples, rate, 0.99),
    "white noise, 20 dB": noisy,
}
TOGETHER: Mapping[str, Attack] = {
    "Opus 12 kbit/s, a fifth off the start": lambda samples, rate, rng: opus(*without_start(samples, rate, rng), rng),
    "speed 1.01, MP3 48 kbit/s": lambda samples, rate, rng: mp3(*change_speed(samples, rate, 1.01), rng),
}
