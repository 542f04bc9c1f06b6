from collections import Counter
from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus, read_corpora, read_corpus, recognize
from serkit.errors import CorpusError
from support.trees import official_names, only, reasons, touch


def test_the_official_release_is_the_grid_of_the_paper() -> None:
    corpus = get_corpus("banglaser")
    assert corpus.official
    utterances = corpus.official()
    assert len(utterances) == len({u.id for u in utterances}) == corpus.utterances == 1467
    assert Counter(u.emotion for u in utterances) == corpus.counts
    assert Counter(sex for _, sex in {(u.speaker, u.sex) for u in utterances}) == {"male": 17, "female": 17}
    assert {u.intensity for u in utterances if u.emotion in ("anger", "surprise")} == {"strong"}
    assert len({u.speaker for u in utterances if u.emotion == "neutral"}) == 27


def test_a_name_tells_speaker_emotion_and_sentence(tmp_path: Path) -> None:
    u = only("banglaser", touch(tmp_path, "Happy/03-01-01-01-02-03-34.wav"))
    assert (u.id, u.speaker, u.sex, u.emotion) == (
        "banglaser/03-01-01-01-02-03-34", "banglaser/34", "female", "happiness"
    )  # fmt: skip
    assert (u.sentence, u.intensity, u.extra) == ("banglaser/02", "normal", {"label": "01", "repetition": "03"})


def test_three_names_begin_with_another_modality(tmp_path: Path) -> None:
    root = touch(tmp_path, "01-01-04-02-03-01-15.wav", "01-01-04-02-03-01-16.wav", "03-01-04-02-03-01-15.wav")
    assert only("banglaser", root).speaker == "banglaser/15"
    (names,) = reasons("banglaser", root).values()
    assert len(names) == 2


def test_banglaser_and_ravdess_are_told_apart(tmp_path: Path) -> None:
    for name in ("banglaser", "ravdess"):
        root = touch(tmp_path / name, *official_names(name)[::3])
        found = recognize(root)
        assert found
        assert found[0] == name
    with pytest.raises(CorpusError, match="no BanglaSER"):
        read_corpus("banglaser", touch(tmp_path / "strong", "03-01-04-01-01-01-01.wav"))  # a sad voice is normal there


def test_clips_of_two_speakers_are_left_out_and_counted(tmp_path: Path) -> None:
    names = official_names("banglaser")
    data = {"banglaser": touch(tmp_path, *names)}
    kept = read_corpora(["banglaser"], data)
    assert len(kept) == 1467 - 18
    assert kept.left_out == {"banglaser: faulty, officially a recording that a clip of another speaker holds too": 18}
    assert len(read_corpora(["banglaser"], data, keep_faulty=True)) == 1467
