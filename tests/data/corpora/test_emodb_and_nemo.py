import shutil
from pathlib import Path

import pytest

from serkit.data.corpora import get_corpus
from serkit.errors import CorpusError
from support.synthetic import SPEAKERS, TITLES
from support.trees import only, touch


def test_emodb_men_and_women_are_known(tmp_path: Path) -> None:
    manifest = get_corpus("emodb").manifest(touch(tmp_path, *(f"{s}a01Na.wav" for s in (*SPEAKERS["emodb"], "17"))))
    sexes = {u.speaker.removeprefix("emodb/"): u.sex for u in manifest}
    assert {speaker for speaker, sex in sexes.items() if sex == "male"} == {"03", "10", "11", "12", "15"}
    assert {speaker for speaker, sex in sexes.items() if sex == "female"} == {"08", "09", "13", "14", "16"}
    assert sexes["17"] == "unknown"


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_the_listeners_table_of_emodb_is_read_in_either_encoding(
    emodb_dir: Path, tmp_path: Path, encoding: str
) -> None:
    table = (emodb_dir / "erkennung.txt").read_bytes()
    assert b"\xa0" in table
    assert b"97,50" in table
    root = touch(tmp_path, "wav/03a01Wa.wav")
    (root / "erkennung.txt").write_bytes(table.decode("latin-1").encode(encoding))
    extra = only("emodb", root).extra
    assert (extra["recognized"], extra["natural"]) == ("97.50", "65.00")


def test_emodb_without_its_table_is_read_without_the_listeners(tmp_path: Path) -> None:
    assert set(only("emodb", touch(tmp_path, "03a01Wa.wav")).extra) == {"label", "take"}


def test_a_clip_that_the_listeners_table_lacks_is_read_without_it(emodb_dir: Path, tmp_path: Path) -> None:
    root = touch(tmp_path, "wav/16b10Wf.wav")
    shutil.copy(emodb_dir / "erkennung.txt", root)
    assert set(only("emodb", root).extra) == {"label", "take"}


def test_the_nemo_table_gives_sex_age_and_sentence(releases: Path) -> None:
    manifest = get_corpus("nemo").manifest(releases / TITLES["nemo"])
    assert {u.sex for u in manifest} == {"female"}
    assert {u.extra["age"] for u in manifest} == {"27"}
    assert {u.sentence for u in manifest} == {"nemo/ćwiczę zdanie 1", "nemo/ćwiczę zdanie 2"}


def test_another_table_of_the_name_of_nemos_is_refused(tmp_path: Path) -> None:
    root = touch(tmp_path, "SM0_anger_1.wav")
    (root / "data.tsv").write_text("file_id\ttext\nSM0_anger_1.wav\thello\n")
    with pytest.raises(CorpusError, match=r"data\.tsv' is not the table of nEMO: it has no column 'normalized_text'"):
        get_corpus("nemo").manifest(root)


def test_a_short_row_of_the_nemo_table_leaves_its_cells_unknown(tmp_path: Path) -> None:
    root = touch(tmp_path, "SM0_anger_1.wav")
    (root / "data.tsv").write_text("file_id\tnormalized_text\tgender\tage\nSM0_anger_1.wav\tzdanie\n")
    utterance = only("nemo", root)
    assert (utterance.sentence, utterance.sex) == ("nemo/zdanie", "unknown")
