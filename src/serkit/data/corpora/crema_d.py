"""CREMA-D: 91 North American actors speak twelve sentences in six emotions, one of the sentences at three levels.

A file name holds actor, sentence, emotion and level: ``1001_IEO_ANG_HI``. Three tables are read where they are present:
``VideoDemographics.csv`` for age, race and ethnicity; ``processedResults/summaryTable.csv`` for the emotion that
most listeners heard in the voice alone, which is the label set ``crema-d-heard``; and
``processedResults/tabulatedVotes.csv`` for the number of listeners that heard each emotion, 9 answers a clip on
average, which training takes with ``targets: votes``. The official repository holds each clip as WAV and as MP3; the
WAV is read. It stores sound in Git LFS, so a clone made without Git LFS holds short texts under the names of the clips.

A recording that occurs under two emotions has at least one wrong label, so training and test leave out its clips, and
the silent clip.
"""

import re
from itertools import product
from pathlib import Path, PurePosixPath

from serkit.data.audio_files import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from serkit.data.corpora.corpus_definition import (
    Corpus,
    HumanScore,
    Reading,
    Remote,
    official_list,
    read_names,
    read_table,
)
from serkit.errors import CorpusError
from serkit.labels import EmotionMap
from serkit.types import Utterance

_EMOTIONS = EmotionMap(
    "CREMA-D",
    1,
    {"ANG": "anger", "DIS": "disgust", "FEA": "fear", "HAP": "happiness", "NEU": "neutral", "SAD": "sadness"},
)
_HEARD = EmotionMap(
    "CREMA-D's table of listeners",
    1,
    {"A": "anger", "D": "disgust", "F": "fear", "H": "happiness", "N": "neutral", "S": "sadness"},
)
_VOICE_ROWS = range(100_000, 200_000)  # of the table of votes; later rows are about the face, and about both
_COMMIT = "1658cd342dff90010aa843eaeebd53610a08b1dc"
_LEVELS = {"LO": "low", "MD": "medium", "HI": "high", "XX": "", "X": ""}  # one official MP3 ends in a single X
_NAME = re.compile(r"(1\d{3})_([A-Z]{3})_([A-Z]{3})_([A-Z]{1,2})", re.IGNORECASE)
_SENTENCES = ("DFA", "IEO", "IOM", "ITH", "ITS", "IWL", "IWW", "MTI", "TAI", "TIE", "TSI", "WSI")
_WOMEN = (
    "1002 1003 1004 1006 1007 1008 1009 1010 1012 1013 1018 1020 1021 1024 1025 1028 1029 1030 1037 1043 1046 "
    "1047 1049 1052 1053 1054 1055 1056 1058 1060 1061 1063 1072 1073 1074 1075 1076 1078 1079 1082 1084 1089 "
    "1091 "
)
_ACTORS = tuple(str(number) for number in range(1001, 1092))
_NEVER_RECORDED = {("1008", "WSI"), ("1009", "MTI"), ("1019", "ITH")} | {
    ("1002", "TIE", "NEU"),
    ("1076", "ITS", "NEU"),
}

_SAME_SAMPLES = """
    1006_TIE_HAP_XX 1006_TIE_NEU_XX 1013_WSI_DIS_XX 1013_WSI_SAD_XX 1017_IWW_ANG_XX 1017_IWW_FEA_XX
"""
_RECUT_WITH_TWO_EMOTIONS = """
    1017_IWL_ANG_XX 1017_IWL_FEA_XX 1067_IEO_DIS_LO 1067_IEO_FEA_LO 1072_IEO_ANG_LO 1072_IEO_ANG_MD 1072_IEO_DIS_MD
"""
_RECUT = """
    1020_IEO_ANG_LO 1020_IEO_ANG_MD 1028_IEO_HAP_LO 1028_IEO_HAP_MD 1045_ITH_DIS_XX 1045_IWL_DIS_XX 1056_MTI_ANG_XX
    1056_TAI_ANG_XX
"""
_SILENT = "1076_MTI_SAD_XX"


def _actors(root: Path) -> dict[str, dict[str, str]]:
    rows = read_table(root, "VideoDemographics.csv", ("ActorID", "Age", "Race", "Ethnicity"), title="CREMA-D")
    return {
        actor: {"age": row["Age"], "race": row["Race"], "ethnicity": row["Ethnicity"]} for actor, row in rows.items()
    }


def _doubled() -> dict[str, str]:
    """Return the clips that are one recording with another clip, mostly under two emotions, by their fingerprints."""
    recut = "officially a recording that another clip holds too, cut or coded differently"
    clips = {
        "officially one of two clips with the same samples under two emotions": _SAME_SAMPLES,
        f"{recut}, under another emotion": _RECUT_WITH_TWO_EMOTIONS,
        recut: _RECUT,
    }
    return {f"crema-d/{name}": why for why, names in clips.items() for name in names.split()}


def _heard(root: Path) -> dict[str, dict[str, str]]:
    """Return clip to the emotion that most listeners heard (``anger:disgust`` for a tie) and its level, 0 to 100."""
    rows = read_table(root, "summaryTable.csv", ("FileName", "VoiceVote", "VoiceLevel"), title="CREMA-D")
    return {
        name: {
            "heard": ":".join(_HEARD[vote] for vote in row["VoiceVote"].split(":")),
            "heard_level": row["VoiceLevel"],
        }
        for name, row in rows.items()
    }


def _votes(root: Path) -> dict[str, dict[str, str]]:
    """Return clip to the number of listeners that heard each emotion in the voice alone, and to what most heard."""
    rows = read_table(root, "tabulatedVotes.csv", ("", "fileName", *_HEARD), title="CREMA-D")
    found = {}
    for number, row in rows.items():
        if number.isdecimal() and int(number) in _VOICE_ROWS:
            if not all(row[vote].isdecimal() for vote in _HEARD):
                raise CorpusError(f"row {number} of CREMA-D's tabulatedVotes.csv is damaged: a count is no number.")
            counts = {emotion: int(row[vote]) for vote, emotion in _HEARD.items() if int(row[vote])}
            most = [emotion for emotion, count in counts.items() if count == max(counts.values())]
            votes = " ".join(f"{emotion}={count}" for emotion, count in counts.items())
            found[row["fileName"]] = {"heard": ":".join(most), "votes": votes} if counts else {}
    return found


def _parse(
    path: PurePosixPath,
    actors: dict[str, dict[str, str]] | None = None,
    heard: dict[str, dict[str, str]] | None = None,
) -> Utterance | None:
    match = _NAME.fullmatch(path.stem.upper())
    if match is None or match[2] not in _SENTENCES or match[1] not in _ACTORS or match[4] not in _LEVELS:
        return None
    actor, sentence, label, level = match.groups()
    name = f"{actor}_{sentence}_{label}_{'XX' if level == 'X' else level}"
    return Utterance(
        id=f"crema-d/{name}",
        path="",
        corpus="crema-d",
        speaker=f"crema-d/{actor}",
        sex="female" if actor in _WOMEN.split() else "male",
        language="en",
        emotion=_EMOTIONS[label],
        sentence=f"crema-d/{sentence}",
        intensity=_LEVELS[level],
        extra={"label": label} | (actors or {}).get(actor, {}) | (heard or {}).get(name, {}),
    )


def _read(root: Path) -> Reading:
    actors, heard, votes = _actors(root), _heard(root), _votes(root)
    heard |= {name: facts | heard.get(name, {}) for name, facts in votes.items()}
    return read_names(root, lambda path: _parse(path, actors, heard), AUDIO_SUFFIXES + VIDEO_SUFFIXES)


def _official() -> list[Utterance]:
    names = []
    for actor, sentence, label in product(_ACTORS, _SENTENCES, _EMOTIONS):
        if not {(actor, sentence), (actor, sentence, label)} & _NEVER_RECORDED:
            levels = ("LO", "MD", "HI") if sentence == "IEO" and label != "NEU" else ("XX",)
            names += [f"{actor}_{sentence}_{label}_{level}" for level in levels]
    return official_list(_parse, names)


CORPUS = Corpus(
    name="crema-d",
    title="CREMA-D",
    languages=("en",),
    emotions=_EMOTIONS,
    counts=dict.fromkeys(_EMOTIONS.values(), 1271) | {"neutral": 1087},
    speakers=91,
    hours=5.26,
    license="ODbL-1.0",
    commercial=True,
    derivatives=True,
    citation="Cao et al., CREMA-D: Crowd-Sourced Emotional Multimodal Actors Dataset, IEEE Trans. Affective Comp. 2014",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    read=_read,
    official=_official,
    oddities=_doubled()
    | {
        "crema-d/1076_MTI_NEU_XX": "officially nearly silent",
        f"crema-d/{_SILENT}": "officially silent",
        "crema-d/1064_TIE_SAD_XX": "known to its users as faulty",
        "crema-d/1064_IEO_DIS_MD": "known to its users as faulty: several emotions in one clip",
    },
    faulty=frozenset(
        f"crema-d/{name}" for name in [*_SAME_SAMPLES.split(), *_RECUT_WITH_TWO_EMOTIONS.split(), _SILENT]
    ),
    human=HumanScore(
        uar=40.71,
        uar_low=39.14,
        uar_high=42.22,
        wa=40.02,
        macro_f1=39.97,
        answers=68_440,
        utterances=7428,
        speakers=91,
        heard="the voice alone",
    ),
    folders=("cremad", "crema", "crema_d", "CREMA-D-master"),
    remotes=(
        Remote(
            url=f"https://github.com/CheyneyComputerScience/CREMA-D/archive/{_COMMIT}.zip",
            known_hash="",
            name=f"CREMA-D-{_COMMIT[:7]}.zip",
            size=605_899_936,
            members=(
                "AudioWAV/*.wav",
                "*VideoDemographics.csv",
                "*summaryTable.csv",
                "*tabulatedVotes.csv",
                "LICENSE.txt",
            ),
            hosts=("codeload.github.com", ".githubusercontent.com"),
            media=f"https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/{_COMMIT}/",
        ),
    ),
)
