"""Tiny corpora of synthetic voices, in the official names and layouts, for tests that may not touch real audio.

Each emotion has its own pitch, formant, tremolo and glide, each speaker shifts them a little, and a little noise
is added: a small network tells the emotions of unheard speakers apart within a few epochs. Everything is seeded
by the name of the clip, so a clip is the same on every machine and in any order of writing.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from serkit.data.corpora import corpus_names, get_corpus
from serkit.labels import EMOTIONS

SAMPLING_RATE = 16_000
TITLES = {name: get_corpus(name).title for name in corpus_names()}
SPEAKERS: Mapping[str, tuple[str, ...]] = {
    "ravdess": tuple(f"{n:02d}" for n in range(1, 25)),
    "emodb": ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"),
    "tess": ("OAF", "YAF"),
    "nemo": ("EB0", "IC0", "KD0", "KS0", "MK0", "MP0", "SM0", "TP0", "WR0"),
    "crema-d": tuple(str(n) for n in range(1001, 1092)),
    "savee": ("DC", "JE", "JK", "KL"),
    "iemocap": tuple(f"Ses0{session}{letter}" for session in range(1, 6) for letter in "FM"),
}
_NEMO_WOMEN = frozenset({"EB0", "IC0", "KD0", "MK0"})
_EMODB_SENTENCES = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")
_TESS_WORDS = ("back", "bar", "base", "bath", "bean", "beg", "bite", "boat", "bone", "book")
_CREMA_D_SENTENCES = ("DFA", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")  # of one level
_TESS_FOLDERS = {  # as the official release spells them
    "OAF": ("OAF_angry", "OAF_disgust", "OAF_Fear", "OAF_happy", "OAF_neutral", "OAF_Pleasant_surprise", "OAF_Sad"),
    "YAF": ("YAF_angry", "YAF_disgust", "YAF_fear", "YAF_happy", "YAF_neutral", "YAF_pleasant_surprised", "YAF_sad"),
}


class Clip(NamedTuple):
    """Path of a clip below the corpus root, without its suffix, and the voice and emotion in it."""

    path: str
    emotion: str
    speaker: str

    @property
    def name(self) -> str:
        return Path(self.path).name


def tone(
    frequency: float, *, seconds: float = 0.5, rate: int = SAMPLING_RATE, peak: float = 0.5
) -> NDArray[np.float32]:
    """Return a sine, shape (T,)."""
    return (peak * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def voice(
    emotion: str, speaker: str, *, name: str = "", seconds: float | None = None, is_steady: bool = True
) -> NDArray[np.float32]:
    """Return a harmonic sound with the emotion's pattern, shape (T,), at 16 kHz.

    Args:
        emotion: A canonical emotion.
        speaker: Shifts pitch and formant by up to 4 %, the tremolo's phase freely.
        name: Seeds the clip's own variation: length, level, noise.
        seconds: Fixed length; else 0.4 to 0.8.
        is_steady: Whether pitch and timbre keep to the pattern. Otherwise they wander around it, so that two clips with
            one pattern are not taken for one recording.
    """
    rank = EMOTIONS.index(emotion)
    habit = _random(speaker)
    shift = 2 ** habit.uniform(-1 / 18, 1 / 18)
    clip = _random(f"{speaker}/{name}/{emotion}")
    seconds = clip.uniform(0.4, 0.8) if seconds is None else seconds
    t = np.arange(round(seconds * SAMPLING_RATE)) / SAMPLING_RATE
    pitch = (100 + 6 * (rank * 5 % len(EMOTIONS))) * shift * clip.uniform(0.98, 1.02)
    glide = 1 + 0.05 * (rank % 3 - 1) * t / seconds
    formant = 400 * 1.24**rank * shift
    harmonics = np.arange(1, 46)
    levels = np.exp(-(((harmonics * pitch - formant) / (0.15 * formant)) ** 2)) + 0.01
    if not is_steady:
        glide = glide * np.exp2(_wandering(clip, 1, len(t), 0.12)[0])
    waves = np.sin(np.outer(harmonics, 2 * np.pi * np.cumsum(pitch * glide) / SAMPLING_RATE).astype(np.float32))
    if not is_steady:
        waves *= np.exp(np.repeat(_wandering(clip, 12, len(t), 1.5), 4, axis=0)[: len(harmonics)])
    sound = levels.astype(np.float32) @ waves
    tremolo = 1 + 0.8 * np.sin(2 * np.pi * ((2 + 1.5 * (rank * 7 % len(EMOTIONS))) * t + habit.uniform()))
    sound *= tremolo / np.abs(sound).max()
    sound += 0.01 * clip.standard_normal(len(t))
    return (sound * clip.uniform(0.2, 0.4)).astype(np.float32)


def _wandering(clip: np.random.Generator, rows: int, length: int, reach: float) -> NDArray[np.float32]:
    """Return curves through random points every 60 ms, shape (rows, T)."""
    steps = length // (60 * SAMPLING_RATE // 1000) + 2
    points = clip.uniform(-reach, reach, (rows, steps))
    at = np.linspace(0, steps - 1, length)
    return np.stack([np.interp(at, np.arange(steps), row) for row in points]).astype(np.float32)


def write_corpus(
    name: str, root: Path, *, speakers: int | Sequence[str] = 2, per_class: int = 2, suffix: str = ".flac"
) -> Path:
    """Write a small corpus in its official layout.

    Args:
        name: One of those in ``SPEAKERS``.
        root: The corpus's own folder; made where it is missing.
        speakers: The first so many, or which.
        per_class: Clips per speaker and emotion; RAVDESS's neutral has 4 at most, since it has one intensity.
        suffix: ``.flac`` or ``.wav``, lower or upper case.

    Returns:
        The root.
    """
    chosen = SPEAKERS[name][:speakers] if isinstance(speakers, int) else tuple(speakers)
    clips = list(_CLIPS[name](chosen, per_class))
    for clip in clips:
        path = root / f"{clip.path}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            path, voice(clip.emotion, clip.speaker, name=clip.name, is_steady=False), SAMPLING_RATE, subtype="PCM_16"
        )
    if name == "emodb":
        (root / "erkennung.txt").write_bytes(listeners_table(clips).encode("latin-1"))
    if name == "nemo":
        (root / "data.tsv").write_text(nemo_table(clips), encoding="utf-8")
    if name == "crema-d":
        (root / "VideoDemographics.csv").write_text(actors_table(chosen))
        (root / "processedResults").mkdir(exist_ok=True)
        (root / "processedResults" / "summaryTable.csv").write_text(votes_table(clips))
    if name == "iemocap":
        codes = {emotion: code for code, emotion in get_corpus(name).emotions.items()}
        write_evaluations(root, [(clip.name, codes[clip.emotion]) for clip in clips])
    return root


def listeners_table(clips: Sequence[Clip]) -> str:
    """Return EmoDB's ``erkennung.txt``: decimal commas, cells padded with no-break spaces."""
    lines = ["Nr.\tSatz\terkannt\tnatuerlich"]
    for number, clip in enumerate(clips, start=1):
        cells = (f"{number}".ljust(3, "\xa0"), f"{clip.name}.wav", "97,50".ljust(10, "\xa0"), "65,00".ljust(10, "\xa0"))
        lines.append("\t".join(cells))
    return "\n".join(lines) + "\n"


def nemo_table(clips: Sequence[Clip]) -> str:
    """Return nEMO's ``data.tsv``; as in the official one, the speaker is padded with spaces."""
    lines = ["file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage"]
    for clip in clips:
        speaker, emotion, number = clip.name.split("_")
        gender = "female" if speaker in _NEMO_WOMEN else "male"
        texts = f'Ćwiczę "zdanie {number}.', f"ćwiczę zdanie {number}"  # a quotation mark that nothing closes
        lines.append("\t".join((f"{clip.name}.wav", emotion, *texts, f"        {speaker}", gender, "27")))
    return "\n".join(lines) + "\n"


def actors_table(actors: Sequence[str]) -> str:
    """Return CREMA-D's ``VideoDemographics.csv``."""
    rows = [f'{actor},{20 + int(actor) % 50},"Male","Caucasian","Not Hispanic"' for actor in actors]
    return "\n".join(('"ActorID","Age","Sex","Race","Ethnicity"', *rows)) + "\n"


def votes_table(clips: Sequence[Clip]) -> str:
    """Return CREMA-D's ``summaryTable.csv``: all voices were heard as angry or sad, all faces as happy."""
    rows = [f'"{clip.name}","A:S","41.5:60","H","91.2","H","80"' for clip in clips]
    heading = '"FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"'
    return "\n".join((heading, *rows)) + "\n"


def write_evaluations(root: Path, turns: Sequence[tuple[str, str]]) -> None:
    """Write IEMOCAP's ``EmoEvaluation`` texts, one for each dialogue.

    Args:
        root: The corpus root.
        turns: ``Ses01F_impro01_M003``, and what most listeners heard.
    """
    dialogues: dict[str, list[tuple[str, str]]] = {}
    for turn, label in turns:
        dialogues.setdefault(turn[:-5], []).append((turn, label))
    for dialogue, said in dialogues.items():
        folder = root / f"Session{dialogue[4]}" / "dialog" / "EmoEvaluation"
        folder.mkdir(parents=True, exist_ok=True)
        blocks = [
            f"[{2 * n}.2901 - {2 * n + 1}.2357]\t{turn}\t{label}\t[2.5000, 3.0000, 3.5000]\n"
            "C-E2:\tNeutral;\t()\nC-F1:\tOther;\t(bored)\nA-E3:\tval 3; act 2; dom  2;\t()\n"
            for n, (turn, label) in enumerate(said)
        ]
        heading = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n"
        (folder / f"{dialogue}.txt").write_text("\n".join((heading, *blocks)))


def _ravdess(speakers: Sequence[str], per_class: int) -> Iterator[Clip]:
    for actor, (code, emotion) in product(speakers, get_corpus("ravdess").emotions.items()):
        intensities = ("01",) if emotion == "neutral" else ("01", "02")
        for intensity, repetition, sentence in islice(product(intensities, ("01", "02"), ("01", "02")), per_class):
            yield Clip(
                f"Actor_{actor}/03-01-{code}-{intensity}-{sentence}-{repetition}-{actor}", emotion, f"ravdess/{actor}"
            )


def _emodb(speakers: Sequence[str], per_class: int) -> Iterator[Clip]:
    for speaker, (code, emotion) in product(speakers, get_corpus("emodb").emotions.items()):
        for take, sentence in islice(product("abcdef", _EMODB_SENTENCES), per_class):
            yield Clip(f"wav/{speaker}{sentence}{code}{take}", emotion, f"emodb/{speaker}")


def _tess(speakers: Sequence[str], per_class: int) -> Iterator[Clip]:
    for speaker in speakers:
        for folder, (code, emotion) in zip(_TESS_FOLDERS[speaker], get_corpus("tess").emotions.items(), strict=True):
            for word in _TESS_WORDS[:per_class]:
                yield Clip(f"{folder}/{speaker}_{word}_{code}", emotion, f"tess/{speaker}")


def _nemo(speakers: Sequence[str], per_class: int) -> Iterator[Clip]:
    for speaker, (code, emotion) in product(speakers, get_corpus("nemo").emotions.items()):
        for number in range(1, per_class + 1):
            yield Clip(f"samples/{speaker}_{code}_{number}", emotion, f"nemo/{speaker}")


def _crema_d(speakers: Sequence[str], per_class: int) -> Iterator[Clip]:
    for actor, (code, emotion) in product(speakers, get_corpus("crema-d").emotions.items()):
        for sentence in _CREMA_D_SENTENCES[:per_class]:
            yield Clip(f"AudioWAV/{actor}_{sentence}_{code}_XX", emotion, f"crema-d/{actor}")


def _savee(speakers: Sequence[str], per_class: int) -> Iterator[Clip]:
    for speaker, (code, emotion) in product(speakers, get_corpus("savee").emotions.items()):
        for number in range(1, per_class + 1):
            yield Clip(f"AudioData/{speaker}/{code}{number:02}", emotion, f"savee/{speaker}")


def _iemocap(speakers: Sequence[str], per_class: int) -> Iterator[Clip]:
    """Yield turns of dialogues that are all named after the woman, as half of the official ones are."""
    for speaker in speakers:
        dialogue, letter = f"{speaker[:5]}F_impro01", speaker[5]
        said = [emotion for emotion in get_corpus("iemocap").emotions.values() for _ in range(per_class)]
        for number, emotion in enumerate(said):
            turn = f"{dialogue}_{letter}{number:03}"
            yield Clip(f"Session{speaker[4]}/sentences/wav/{dialogue}/{turn}", emotion, f"iemocap/{speaker}")


_CLIPS: Mapping[str, Callable[[Sequence[str], int], Iterator[Clip]]] = {
    "ravdess": _ravdess,
    "emodb": _emodb,
    "tess": _tess,
    "nemo": _nemo,
    "crema-d": _crema_d,
    "savee": _savee,
    "iemocap": _iemocap,
}


def _random(text: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(text.encode()))
