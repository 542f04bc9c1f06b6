"""EmoDB: ten German actors speak ten sentences in seven emotions.

A file name holds speaker (two digits), sentence (a letter and two digits), emotion (first letter of the German word)
and take: ``03a01Fa``. ``erkennung.txt`` holds the share of 20 listeners who recognized the emotion, and who found it
natural. It is Latin-1 with decimal commas and no-break spaces.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import files_below
from serkit.data.corpora.corpus_definition import Corpus, Reading, Remote, official_list, read_bytes, read_names
from serkit.labels import EmotionMap
from serkit.types import Sex, Utterance

_NAME = re.compile(r"(\d\d)([ab]\d\d)([a-z])([a-z])", re.IGNORECASE)
_EMOTIONS = EmotionMap(
    "EmoDB",
    1,
    {
        "W": "anger",
        "L": "boredom",
        "E": "disgust",
        "A": "fear",
        "F": "happiness",
        "T": "sadness",
        "N": "neutral",
    },
)
_MEN = frozenset({"03", "10", "11", "12", "15"})
_WOMEN = frozenset({"08", "09", "13", "14", "16"})
_OFFICIAL = {  # speaker to sentences, each followed by the emotions and takes of its clips
    "03": (
        "a01FaNcWa a02FcNcTaWbWc a04AdFdLcNcTaWc a05AaFcNdTcWaWb a07FaFbLaNcWc b01FaLbNbTdWaWc b02AaLaNaTbWb "
        "b03NbTcWc b09LaNcTcWa b10AbEcNaNcWbWc "
    ),
    "08": (
        "a01AbFdLcNaWaWc a02AbAcFeLaNaTbWc a04FfLaNcTbWc a05FeLcNbTaWa a07FdLaNaTaTbWc b01AaFdFeLbNaWa "
        "b02FfLaNbTcWd b03FeLcNbTcWd b09AbFdLcNbTbWaWc b10AaFdLaNcTcWa "
    ),
    "09": (
        "a01EaFaNbWb a02EaEbLaWb a04FdLaNbWa a05EdLcNbTbWbWc a07EbNaTaWbWd b01EaNaWb b02NaTbWcWd "
        "b03EdFaFdLbNbTaWb b09EaNdWa b10AaNdWa "
    ),
    "10": (
        "a01AcNbWa a02AbFaLbNaWa a04FdNbWaWb a05AaLdTbWb a07AaAdLaTaWb b01AaEaFaLb b02AaLaNaWb b03LaTbWb "
        "b09AdLbWb b10FcLcWa "
    ),
    "11": (
        "a01AaAbLdNdWc a02EcFbLdNcTcWc a04AcFdNdWc a05AdFbFcLcNaTdWd a07AcLdTaWc b01AbEbFcLbNcWd "
        "b02AbFdNaTdWb b03FcLcNbTdWaWb b09AdFdLdNaTdWa b10AdAeLdNcTdWa "
    ),
    "12": (
        "a01FbLbNbWc a02AcEcNbWaWc a04Wc a05AbLbNdTaWb a07AcLaWa b01TaWa b02AdEaFbNaWaWbWd b03LaTa b09AcTdWc b10AcLdWa "
    ),
    "13": (
        "a01AcEaEcFdLbNbWb a02AdEcFaLcNcTaWa a04AcFcLbTaWc a05AaEaLcNbTcWaWc a07FdLbNaTcWb b01AbEcFcLdNcWa "
        "b02FbLcNbWa b03AcEdFdLbNaTdWc b09AbEcFbFcLaNaWa b10EcFaLaNcWaWc "
    ),
    "14": (
        "a01AaAcEaNaWaWc a02AbEaFdLaNcTbWaWc a04AaEdLbTbTcWbWc a05AaAcFaFbLbNaTaTcWaWb a07AaEbFdLcLdNaTcWc "
        "b01AcEbFaFcNaWc b02AaFbNaTcWbWd b03AdEdLbTaWb b09AcEaFcLbTdWaWc b10AdEbLbNbTcWc "
    ),
    "15": (
        "a01EaFbLaNbWa a02AcEaLaNaTaWbWd a04AbAcFdNcWaWb a05EbFbLbNaWa a07AcEbFaFbLdNc b01EcLbNaWc "
        "b02AaLbNdTcWaWc b03AaLcNbTcWaWb b09AcFaLaNbTaWb b10AcLcNbNcWa "
    ),
    "16": (
        "a01EcFcLbNcTbWb a02EaEcLbNbTcWb a04AbEaFaLaLcNcTcWbWc a05AbEaFcLaTbWbWc a07EaFaFbLaLbNbTdWa "
        "b01AaEbFaLaLcTbWaWb b02AaEbFdLbWb b03AdEaFaFdLaNbTaWb b09AbEbFbLaLbWb b10AaEbFbLbTbTdWaWb "
    ),
}


def _listeners(root: Path) -> dict[str, dict[str, str]]:
    """Return file stem to the listeners' rates in percent; empty without the table."""
    table = next(files_below(root, lambda name: name.lower() == "erkennung.txt"), None)
    rates: dict[str, dict[str, str]] = {}
    if table is None:
        return rates
    content = read_bytes(root / table, title="EmoDB")
    try:
        text = content.decode("utf-8")  # encoding of some copies; Latin-1's single byte 0xA0 is not valid UTF-8
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    for line in text.splitlines()[1:]:
        cells = line.replace("\xa0", " ").split()
        if len(cells) == 4:
            recognized, natural = (cell.replace(",", ".") for cell in cells[2:])
            rates[Path(cells[1]).stem] = {"recognized": recognized, "natural": natural}
    return rates


def _sex(speaker: str) -> Sex:
    if speaker in _MEN:
        return "male"
    return "female" if speaker in _WOMEN else "unknown"


def _parse(path: PurePosixPath, rates: dict[str, dict[str, str]] | None = None) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, sentence, label, take = match[1], match[2].lower(), match[3].upper(), match[4].lower()
    name = f"{speaker}{sentence}{label}{take}"
    return Utterance(
        id=f"emodb/{name}",
        path="",
        corpus="emodb",
        speaker=f"emodb/{speaker}",
        sex=_sex(speaker),
        language="de",
        emotion=_EMOTIONS[label],
        sentence=f"emodb/{sentence}",
        extra={"label": label, "take": take} | (rates or {}).get(name, {}),
    )


def _read(root: Path) -> Reading:
    rates = _listeners(root)
    return read_names(root, lambda path: _parse(path, rates))


def _official() -> list[Utterance]:
    names = [
        speaker + block[:3] + block[n : n + 2]
        for speaker, blocks in _OFFICIAL.items()
        for block in blocks.split()
        for n in range(3, len(block), 2)
    ]
    return official_list(_parse, names)


CORPUS = Corpus(
    name="emodb",
    title="EmoDB",
    languages=("de",),
    emotions=_EMOTIONS,
    counts={"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79, "sadness": 62},
    speakers=10,
    hours=0.41,
    license="CC0-1.0",
    commercial=True,
    derivatives=True,
    citation="Burkhardt et al., A Database of German Emotional Speech, Interspeech 2005",
    url="https://zenodo.org/records/7447302",
    read=_read,
    official=_official,
    folders=("emo-db", "emodb2.0"),
    remotes=(
        Remote(
            url="https://zenodo.org/records/7447302/files/emodb.zip?download=1",
            known_hash="md5:9d21362dbc5676ef3ab4745d83ced0db",
            hosts=(".zenodo.org",),
            name="emodb.zip",
            size=39_981_818,
        ),
    ),
)
