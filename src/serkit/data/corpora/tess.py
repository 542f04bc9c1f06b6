"""TESS: two Canadian women, aged 26 (YAF) and 64 (OAF), speak 200 words in seven emotions.

Folders differ in case and spelling between the speakers, so everything is read from the file name,
``OAF_back_angry``. Surprise is ``ps``, for pleasant surprise, which some copies spell out. One file of OAF is
officially named ``OA_bite_neutral``; copies that correct its name hold the same utterance. The license forbids sharing
derivatives.
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.corpora.corpus_definition import Corpus, Reading, Remote, official_list, read_names
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "TESS",
    1,
    {
        "angry": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happy": "happiness",
        "neutral": "neutral",
        "ps": "surprise",
        "sad": "sadness",
    },
)
_NAME = re.compile(r"(OAF|OA|YAF)_([a-z]+)_([a-z_]+)", re.IGNORECASE)
_SPELLED_OUT = frozenset({"pleasant_surprise", "pleasant_surprised"})
_AGES = {"OAF": "64", "YAF": "26"}
_MISNAMED = "OA_bite_neutral"
_WORDS = (
    "back bar base bath bean beg bite boat bone book bought burn cab calm came cause chain chair chalk chat "
    "check cheek chief choice cool dab date dead death deep dime dip ditch dodge dog doll door fail fall far "
    "fat fit five food gap gas gaze germ get gin goal good goose gun half hall hash hate have haze hire hit "
    "hole home hurl hush jail jar join judge jug juice keen keep keg kick kill king kite knock late laud lean "
    "learn lease lid life limb live loaf long lore lose lot love luck make match merge mess met mill mob mode "
    "mood moon mop mouse nag name near neat nice note numb pad page pain pass pearl peg perch phone pick pike "
    "pole pool puff rag raid rain raise rat reach read red ring ripe road room rose rot rough rush said sail "
    "search seize sell shack shall shawl sheep shirt should shout size soap soup sour south sub such sure take "
    "talk tape team tell thin third thought thumb time tip tire ton tool tough turn vine voice void vote wag "
    "walk wash week wheat when which whip white wife wire witch yearn yes young youth "
)

_ALIKE = (  # neutral, one speaker, and after "say the word" another word
    "OAF_page_neutral", "OAF_pass_neutral", "YAF_chat_neutral", "YAF_check_neutral", "YAF_page_neutral",
    "YAF_take_neutral",
)  # fmt: skip


def _parse(path: PurePosixPath) -> Utterance | None:
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    word, label = match[2].lower(), match[3].lower()
    label = "ps" if label in _SPELLED_OUT else label
    speaker = "YAF" if match[1].upper() == "YAF" else "OAF"
    name = f"{speaker}_{word}_{label}"
    return Utterance(
        id=f"tess/{_MISNAMED if name == 'OAF_bite_neutral' else name}",
        path="",
        corpus="tess",
        speaker=f"tess/{speaker}",
        sex="female",
        language="en",
        emotion=_EMOTIONS[label],
        sentence=f"tess/{word}",
        extra={"label": label, "age": _AGES[speaker]},
    )


def _read(root: Path) -> Reading:
    return read_names(root, _parse)


def _official() -> list[Utterance]:
    return official_list(_parse, map("_".join, product(_AGES, _WORDS.split(), _EMOTIONS)))


CORPUS = Corpus(
    name="tess",
    title="TESS",
    languages=("en",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 400),
    speakers=2,
    hours=1.60,
    license="CC-BY-NC-ND-4.0",
    commercial=False,
    derivatives=False,
    citation="Pichora-Fuller & Dupuis, Toronto Emotional Speech Set (TESS), 2010",
    url="https://doi.org/10.5683/SP2/E8H2MF",
    read=_read,
    official=_official,
    oddities={f"tess/{_MISNAMED}": "officially named OA_, and spoken by OAF"}
    | {f"tess/{name}": "so much like another clip that fingerprints take them for one recording" for name in _ALIKE},
    folders=("TESS Toronto emotional speech set data", "toronto-emotional-speech-set-tess"),
    remotes=(
        Remote(
            url="https://borealisdata.ca/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF",
            known_hash="",
            name="tess-dataverse.json",
            members=("*.wav",),
            is_listing=True,
            hosts=(".borealisdata.ca", ".scholarsportal.info", ".utoronto.ca", ".amazonaws.com"),  # of its S3 storage
        ),
    ),
)
