"""EmoDB: ten German actors speak ten sentences in seven emotions.

A file name is speaker (two digits), sentence (a letter and two digits), emotion (a letter of the German
word) and take: ``03a01Fa``. ``erkennung.txt`` says how many of 20 listeners recognised the emotion and
found it natural; it is Latin-1 with decimal commas and no-break spaces.
"""

import re
from pathlib import Path

from serkit.corpora.adapter import Corpus, audio_files
from serkit.types import Sex, Utterance

_NAME = re.compile(r"(\d\d)([ab]\d\d)([WLEAFTN])([a-z])")
_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
_MEN = frozenset({"03", "10", "11", "12", "15"})
_WOMEN = frozenset({"08", "09", "13", "14", "16"})


def _listeners(root: Path) -> dict[str, dict[str, str]]:
    """Read the listeners' rates in percent, by file stem; empty where the table is not there."""
    tables = sorted(root.rglob("erkennung.txt"))
    rates: dict[str, dict[str, str]] = {}
    if not tables:
        return rates
    try:
        text = tables[0].read_text("utf-8")  # as some copies have been saved again; Latin-1's bare 0xA0 is not UTF-8
    except UnicodeDecodeError:
        text = tables[0].read_text("latin-1")
    for line in text.splitlines()[1:]:
        cells = line.replace("\xa0", " ").split()
        if len(cells) == 4:
            recognised, natural = (cell.replace(",", ".") for cell in cells[2:])
            rates[Path(cells[1]).stem] = {"recognised": recognised, "natural": natural}
    return rates


def _sex(speaker: str) -> Sex:
    if speaker in _MEN:
        return "male"
    return "female" if speaker in _WOMEN else "unknown"


def _read(root: Path) -> list[Utterance]:
    rates = _listeners(root)
    utterances = {}
    for path in audio_files(root):
        match = _NAME.fullmatch(path.stem)
        if match is None or path.stem in utterances:
            continue
        speaker, sentence, emotion, take = match.groups()
        utterances[path.stem] = Utterance(
            id=f"emodb/{path.stem}",
            path=path.relative_to(root).as_posix(),
            corpus="emodb",
            speaker=f"emodb/{speaker}",
            sex=_sex(speaker),
            language="de",
            emotion=_EMOTIONS[emotion],
            sentence=f"emodb/{sentence}",
            extra={"label": emotion, "take": take} | rates.get(path.stem, {}),
        )
    return list(utterances.values())


CORPUS = Corpus(
    name="emodb",
    title="EmoDB",
    languages=("de",),
    emotions=_EMOTIONS,
    utterances=535,
    speakers=10,
    licence="CC0-1.0",
    commercial=True,
    derivatives=True,
    citation="Burkhardt et al., A Database of German Emotional Speech, Interspeech 2005",
    url="https://zenodo.org/records/7447302",
    read=_read,
    folders=("emo-db", "emodb2.0"),
)
