"""What contradicts itself in a run folder is refused, even if somebody forged a seal for it.

Each tampering is done on a small run, which is then sealed anew, so that the checks of the content alone must find it.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from serkit.errors import RunError
from serkit.lab.leaderboard import as_sections, compare
from serkit.lab.measure.run_checks import (
    TESTED_LABELS,
    VALIDATED_LABELS,
    audio_rate_in,
    contradiction,
    labels_digest,
    seeds_in,
)
from serkit.lab.measure.run_entry import read_entry
from serkit.lab.measure.run_folder import (
    TESTED,
    VALIDATED,
    Row,
    read_json,
    read_predictions,
    write_json,
    write_predictions,
)
from serkit.lab.measure.run_records import check_run
from serkit.lab.splits.folds import digest_of_folds
from serkit.visible_text import in_markdown
from support.leaderboard_runs import write_run
from support.run_folders import CLASSES
from support.sealed_runs import reseal, rotated, settle, unseal

pytestmark = pytest.mark.usefixtures("quick_bootstrap")
Change = Callable[[list[Row]], list[Row]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, quick_bootstrap: None) -> Path:
    folder = write_run(tmp_path_factory.mktemp("built") / "run", name="run")
    write_predictions(folder, rotated(read_predictions(folder)[0]), CLASSES, VALIDATED)
    return settle(folder)


@pytest.fixture
def run(built: Path, tmp_path: Path) -> Path:
    """A copy of a sealed run, to be changed."""
    return Path(shutil.copytree(built, tmp_path / "run"))


def rows_changed(folder: Path, change: Change, name: str = TESTED) -> None:
    rows, classes = read_predictions(folder, name)
    write_predictions(folder, change(rows), classes, name)


def facts_changed(folder: Path, **changes: Any) -> None:
    write_json(folder, "metrics.json", read_json(folder, "metrics.json") | changes)


def first(**changes: Any) -> Change:
    return lambda rows: [replace(rows[0], **changes), *rows[1:]]


def folds_changed(folder: Path, change: Callable[[list[dict[str, Any]]], object], *, digest: bool = True) -> None:
    folds = read_json(folder, "folds.json")
    change(folds)
    write_json(folder, "folds.json", folds)
    if digest:
        known = read_json(folder, "env.json")
        write_json(folder, "env.json", known | {"split_digest": digest_of_folds(folds)})


def recipe_changed(folder: Path, before: str, after: str) -> None:
    path = folder / "recipe.yaml"
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


def with_labels(folder: Path) -> Path:
    """Store the digests of labels, as new runs have them."""
    digests = {
        name: labels_digest((row.utterance, row.speaker, row.true) for row in read_predictions(folder, file)[0])
        for name, file in ((TESTED_LABELS, TESTED), (VALIDATED_LABELS, VALIDATED))
    }
    write_json(folder, "env.json", read_json(folder, "env.json") | digests)
    return reseal(folder)


def both_changed(folder: Path, change: Change) -> None:
    for name in (TESTED, VALIDATED):
        rows_changed(folder, change, name)


def label_everywhere(folder: Path, **changes: Any) -> None:
    """Change the first utterance in every row of both tables."""
    utterance = read_predictions(folder)[0][0].utterance
    both_changed(folder, lambda rows: [replace(r, **changes) if r.utterance == utterance else r for r in rows])


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a predicted class that is no argmax": (
        lambda run: rows_changed(run, first(predicted="calm")),
        r"predictions\.csv predicts 'calm' for toy/0-anger-0 \(fold 0, seed 0\), and 'fear' is more probable there",
    ),
    "a validation answer improved": (
        lambda run: rows_changed(run, first(predicted="anger", probabilities=(0.3, 0.5, 0.2)), VALIDATED),
        r"validation\.csv predicts 'anger' for .*, and 'fear' is more probable there",
    ),
    "probabilities that are none": (
        lambda run: rows_changed(run, first(predicted="anger", probabilities=(0.9, 0.9, 0.9))),
        r"probabilities for toy/0-anger-0 .* in predictions\.csv sum to 2\.7000, not to 1",
    ),
    "wrong rows dropped": (
        lambda run: rows_changed(run, lambda rows: [row for row in rows if row.true == row.predicted]),
        r"predictions\.csv lacks toy/0-anger-0 in fold 0, seed 0",
    ),
    "validation rows dropped": (
        lambda run: rows_changed(run, lambda rows: [r for r in rows if r.true == r.predicted], VALIDATED),
        r"validation\.csv lacks toy/.* in fold \d, seed 0",
    ),
    "a true label changed in one seed": (
        lambda run: rows_changed(run, first(true="fear")),
        r"has '\w+' as the true class of toy/0-anger-0, and another row has '\w+'",
    ),
    "a true label changed in one table": (
        lambda run: rows_changed(
            run, lambda rows: [replace(r, true="fear") if r.utterance == "toy/0-anger-0" else r for r in rows]
        ),
        r"as the true class of toy/0-anger-0, and another row has",
    ),
    "true labels changed everywhere": (
        lambda run: (with_labels(run), label_everywhere(run, true="fear")),
        r"predictions\.csv has other speakers or true classes than the tested_labels_digest in env\.json",
    ),
    "a speaker invented": (
        lambda run: label_everywhere(run, speaker="toy/new"),
        r"predictions\.csv and folds\.json differ in the speaker toy/new in fold 0, seed 0",
    ),
    "speakers swapped within a fold": (
        lambda run: rows_changed(run, first(speaker="toy/1")),
        r"as the speaker of toy/0-anger-0, and another row has",
    ),
    "a seed left out": (
        lambda run: both_changed(run, lambda rows: [r for r in rows if r.seed == 0]),
        r"metrics\.json has the run as complete, but predictions\.csv has no rows of fold 0, seed 1",
    ),
    "a seed merged in": (
        lambda run: rows_changed(run, lambda rows: [*rows, *(replace(r, seed=9) for r in rows if r.seed == 0)]),
        r"predictions\.csv and validation\.csv has fold 0, seed 9",
    ),
    "a seed merged into both tables": (
        lambda run: both_changed(run, lambda rows: [*rows, *(replace(r, seed=9) for r in rows if r.seed == 0)]),
        r"predictions\.csv has fold 0, seed 9, which is not in recipe\.yaml and folds\.json",
    ),
    "a fold left out": (
        lambda run: both_changed(run, lambda rows: [r for r in rows if r.fold]),
        r"metrics\.json has the run as complete, but predictions\.csv has no rows of fold 0, seed 0",
    ),
    "a fold merged in": (
        lambda run: rows_changed(
            run, lambda rows: [*rows, *(replace(r, fold=9, utterance=f"{r.utterance}x") for r in rows if not r.fold)]
        ),
        r"predictions\.csv has fold 9, seed 0, which folds\.json has not",
    ),
    "an utterance of another fold": (
        lambda run: rows_changed(run, first(utterance="toy/1-anger-9")),
        r"predictions\.csv has toy/1-anger-9 in fold 0, seed 0, which folds\.json does not have there",
    ),
    "a fold's fit left out of the metrics": (
        lambda run: facts_changed(run, fits=read_json(run, "metrics.json")["fits"][1:]),
        r"metrics\.json has the run as complete, but no fit of fold 0, seed 0",
    ),
    "a UAR improved": (
        lambda run: facts_changed(run, uar=99.9),
        r"metrics\.json has for uar 99\.9, and the predictions give",
    ),
    "a recall improved": (
        lambda run: facts_changed(run, recall={"anger": 100.0, "fear": 100.0}),
        r"metrics\.json has for recall another value",
    ),
    "a validation UAR improved": (
        lambda run: facts_changed(run, validation_uar=99.9),
        r"metrics\.json has for validation_uar 99\.9, and the predictions give",
    ),
    "another protocol": (
        lambda run: facts_changed(run, protocol="speaker_kfold"),
        r"metrics\.json has the protocol 'speaker_kfold', and recipe\.yaml 'leave_one_speaker_out'",
    ),
    "another name": (lambda run: facts_changed(run, name="better"), r"the name 'better', and recipe\.yaml 'run'"),
    "another model": (lambda run: facts_changed(run, model="svm"), r"the model 'svm', and recipe\.yaml 'crnn'"),
    "another label set": (
        lambda run: facts_changed(run, labels="emodb"),
        r"the labels 'emodb', and recipe\.yaml 'toy'",
    ),
    "other corpora": (
        lambda run: facts_changed(run, corpora=["toy", "emodb"]),
        r"metrics\.json has the corpora \['toy', 'emodb'\], and recipe\.yaml \['toy'\]",
    ),
    "other validation": (
        lambda run: recipe_changed(run, "  validation: speakers\n", "  validation: none\n"),
        r"metrics\.json has the validation 'speakers', and recipe\.yaml 'none'",
    ),
    "other seeds in the recipe": (
        lambda run: recipe_changed(run, "seeds:\n- 0\n- 1\n", "seeds:\n- 0\n"),
        r"predictions\.csv has fold 0, seed 1, which is not in recipe\.yaml and folds\.json",
    ),
    "a speaker-independent run by name": (
        lambda run: folds_changed(run, lambda folds: folds[0]["train"]["speakers"].append("toy/0")),
        r"fold 0 of folds\.json tests toy/0, who is also in training or validation",
    ),
    "validation speakers in training": (
        lambda run: folds_changed(
            run, lambda folds: folds[0]["train"]["speakers"].append(folds[0]["validation"]["speakers"][0])
        ),
        r"fold 0 of folds\.json validates on toy/\d, who is also in training",
    ),
    "test utterances in training": (
        lambda run: folds_changed(run, lambda folds: folds[0]["train"]["utterances"].append("toy/0-anger-0")),
        r"fold 0 of folds\.json tests toy/0-anger-0, which is also in training",
    ),
    "other folds than the split's": (
        lambda run: folds_changed(run, lambda folds: folds[0]["train"]["utterances"].pop(), digest=False),
        r"folds\.json has other folds than those of the split_digest in env\.json",
    ),
    "a run that shares speakers by name": (
        lambda run: facts_changed(run, is_speaker_independent=False),
        r"metrics\.json has the run as sharing speakers, and recipe\.yaml does not allow that",
    ),
    "another number of test utterances": (
        lambda run: facts_changed(run, guard={"test_utterances": 5}),
        r"metrics\.json has 5 test utterances, and folds\.json has 56",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_what_contradicts_itself_is_refused_and_marked_where_it_is_asked_for(run: Path, name: str) -> None:
    tamper, words = TAMPERINGS[name]
    tamper(run)
    with pytest.raises(RunError, match="edited after serkit sealed the run"):
        read_entry(run)
    reseal(run)
    with pytest.raises(RunError, match=words) as caught:
        read_entry(run)
    assert str(caught.value).startswith(f"{str(run)!r} is not taken as measured: ")
    assert "\n" not in str(caught.value)
    entry = read_entry(run, unsealed=True)
    assert entry.row["unsealed"] in str(caught.value)
    assert in_markdown(f"(unsealed: {entry.row['unsealed']})") in as_sections(compare([entry]))


def test_an_honest_run_contradicts_nothing(run: Path) -> None:
    assert contradiction(check_run(with_labels(run))) == ""
    assert "unsealed" not in read_entry(run).row


def test_content_is_checked_without_a_seal_too(run: Path) -> None:
    rows_changed(unseal(run), first(predicted="calm"))
    why = read_entry(run, unsealed=True).row["unsealed"]
    assert why.startswith("it has no seal: ")
    assert "; predictions.csv predicts 'calm' for" in why


def test_ties_and_rounding_refuse_nobody(run: Path) -> None:
    """A class that is 0.00004 more probable may be stored with 0.0001 less than its neighbour's rounded value."""
    rows_changed(run, first(predicted="anger", probabilities=(0.3333, 0.3334, 0.3334)))
    assert contradiction(check_run(settle(run))) == ""
    rows_changed(run, first(predicted="anger", probabilities=(0.3331, 0.3334, 0.3334)))
    with pytest.raises(RunError, match="is more probable there"):
        check_run(settle(run))


def test_an_unfinished_run_may_lack_folds_and_seeds_but_no_part_of_one(run: Path) -> None:
    facts_changed(run, complete=False)
    for name in (TESTED, VALIDATED):
        rows_changed(run, lambda rows: [row for row in rows if not row.seed or row.fold < 3], name)
    folds = read_json(run, "folds.json")
    settle(run, folds=folds)
    assert contradiction(check_run(run)) == ""
    for name in (TESTED, VALIDATED):
        rows_changed(run, lambda rows: rows[:-1], name)
    with pytest.raises(RunError, match=r"predictions\.csv lacks toy/2-fear-3 in fold 2, seed 1"):
        check_run(settle(run, folds=folds))


def test_seeds_and_the_rate_are_read_from_the_text_of_a_recipe() -> None:
    text = "name: a\nfeatures:\n- name: x\n  sampling_rate: 22050\nmodel:\n  sampling_rate: 1\nseeds:\n- 0\n- 12\n"
    assert (seeds_in(text), audio_rate_in(text)) == ((0, 12), 22050)
    assert (seeds_in("name: a\n"), audio_rate_in("name: a\n")) == (None, None)


def test_labels_have_one_digest_in_any_order_and_number() -> None:
    one, two = ("a", "s", "fear"), ("b", "s", "calm")
    assert labels_digest([one, two, one]) == labels_digest([two, one]) != labels_digest([one])
