"""ShEMO: 3000 utterances of 87 Persian speakers in six emotions, cut out of radio plays.

The speech is semi-natural: actors of radio plays speak their roles, and twelve listeners chose the emotion by majority.
So every utterance has words of its own, and ``sentence`` is empty. A file name, ``female/F01A01.wav``, holds the sex,
the speaker, the emotion and a number. F is a woman in the first place and fear in the second, W is surprise. Speakers
F01 to F31 are women, M01 to M56 men. The sources do not say whether an actor of two plays has two numbers.

Beware of the labels: only 2838 sound files have a transcript of the same name, and Yazdani & Shekofteh (2022,
github.com/aliyzd95/modified_shemo) found 163 files whose transcript, once matched by speech recognition, has another
label than the file name. Their corrected table keeps the file names. Labels here are those of the file names.

We found no number of utterances per emotion for all 3000. EmoBox counts the 2838 files: 1034 of anger, 1018 neutral,
360 of sadness, 199 of surprise, 198 of happiness and only 29 of fear. The paper allows academic use, the card of one
author on Hugging Face says Apache-2.0; the stricter one counts here.
"""

import re
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, id_parser, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "ShEMO",
    1,
    {"A": "anger", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness", "W": "surprise"},
)
_NAME = re.compile(r"(F|M)(\d\d)([A-Z])(\d\d)", re.IGNORECASE)
_SPEAKERS = {"F": range(1, 32), "M": range(1, 57)}


def _parse(path: PurePosixPath) -> Utterance | None:
    name = path.stem.upper()
    match = _NAME.fullmatch(name)
    if match is None or int(match[2]) not in _SPEAKERS[match[1]]:
        return None
    return Utterance(
        id=f"shemo/{name}",
        path="",
        corpus="shemo",
        speaker=f"shemo/{match[1]}{match[2]}",
        sex="female" if match[1] == "F" else "male",
        language="fa",
        emotion=_EMOTIONS[match[3]],
        extra={"label": match[3]},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


CORPUS = Corpus(
    name="shemo",
    title="ShEMO",
    languages=("fa",),
    emotions=_EMOTIONS,
    counts={},
    speakers=87,
    hours=3.42,
    license="LicenseRef-ShEMO-academic",
    commercial=False,
    derivatives=None,
    citation="Mohamad Nezami et al., ShEMO: a large-scale validated database for Persian speech emotion detection, "
    "Language Resources and Evaluation 2019",
    url="https://github.com/pariajm/sharif-emotional-speech-dataset",
    read=_read,
    from_id=id_parser(_parse),
    folders=("sharif-emotional-speech-dataset", "sharif-emotional-speech-database"),
)
