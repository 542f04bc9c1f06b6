"""The Python entry of the lab: what its functions return, and what a run shows."""

import csv
import json
import logging
import pkgutil
import shutil
from pathlib import Path

import pytest

import serkit
from serkit import lab
from serkit.errors import CorpusError, RunError, UnknownNameError
from serkit.lab import Run, evaluate, export, load_recipe, train
from serkit.lab.recipes.files import dump_recipe
from serkit.progress import Progress
from support import bare
from support.notes import Notes
from support.toy import tiny_recipe

pytestmark = pytest.mark.usefixtures("one_thread", "quick_bootstrap")


@pytest.fixture(scope="module")
def evaluated(ravdess_dir: Path, tmp_path_factory: pytest.TempPathFactory, quick_bootstrap: None) -> Run:
    """A complete run of two folds. Read only."""
    folder = tmp_path_factory.mktemp("runs") / "evaluated"
    return evaluate(tiny_recipe(), data={"ravdess": ravdess_dir}, out=folder)


@pytest.fixture(scope="module")
def trained(ravdess_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A final model. Read only."""
    return train(tiny_recipe(), data={"ravdess": ravdess_dir}, out=tmp_path_factory.mktemp("runs") / "trained")


def test_all_is_what_dir_shows() -> None:
    assert sorted(lab.__all__) == lab.__all__ == dir(lab)
    for name in lab.__all__:
        assert getattr(lab, name).__doc__
    with pytest.raises(AttributeError, match=r"^module 'serkit\.lab' has no attribute 'evaluat'$"):
        lab.evaluat  # type: ignore[attr-defined]  # noqa: B018


def test_importing_every_name_loads_neither_torch_nor_pandas() -> None:
    code = "from serkit.lab import *; Run('x'); print(*sorted(sys.modules), sep='\\n')"
    done = bare.python(code)
    assert done.stderr == ""
    assert not {"torch", "pandas", "sklearn", "matplotlib", "onnx"} & set(done.stdout.splitlines())


def test_no_package_of_the_lab_has_the_name_of_a_function() -> None:
    """When such a package is first imported, it takes the place of the function."""
    assert not {module.name for module in pkgutil.iter_modules(lab.__path__)} & set(lab.__all__)


def test_a_run_shows_its_scores_as_metrics_json_has_them(evaluated: Run) -> None:
    metrics = json.loads((evaluated.folder / "metrics.json").read_text())
    assert evaluated.metrics == metrics
    assert (evaluated.uar, evaluated.wa, evaluated.macro_f1) == (metrics["uar"], metrics["wa"], metrics["macro_f1"])
    low, high = evaluated.interval
    assert (low, high) == (metrics["uar_low"], metrics["uar_high"])
    assert evaluated.validation_uar == metrics["validation_uar"]
    assert evaluated.is_complete
    assert evaluated.name == "ravdess-2fold-tiny"
    assert evaluated.classes == tuple(metrics["classes"])
    assert repr(evaluated) == f"Run({str(evaluated.folder)!r}, UAR {metrics['uar']} [{low}, {high}])"


def test_predictions_are_a_table_with_the_columns_of_the_file(evaluated: Run) -> None:
    with (evaluated.folder / "predictions.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    table = evaluated.predictions
    assert list(table.columns) == head
    assert len(table) == len(rows) == 96
    assert table["fold"].tolist() == [int(row[3]) for row in rows]
    assert table["true"].tolist() == [row[5] for row in rows]
    recalls = (table["true"] == table["predicted"]).groupby(table["true"]).mean()
    assert 100 * recalls.mean() == pytest.approx(evaluated.uar, abs=0.005)


def test_a_report_lies_in_the_run_folder_or_where_it_is_asked_for(evaluated: Run, tmp_path: Path) -> None:
    shutil.copytree(evaluated.folder, tmp_path / "run")
    run = Run(tmp_path / "run")
    assert run.report() == tmp_path / "run" / "report.html"
    assert run.report(tmp_path / "other.html") == tmp_path / "other.html"
    assert "<html" in (tmp_path / "other.html").read_text()


def test_runs_are_equal_by_their_folders(evaluated: Run) -> None:
    assert Run(str(evaluated.folder)) == evaluated
    assert len({Run(str(evaluated.folder)), evaluated}) == 1
    assert evaluated != Run("elsewhere")


def test_what_is_no_run_says_so(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert repr(run) == f"Run({str(tmp_path)!r}, not a run folder)"
    with pytest.raises(RunError, match=r"is not a run folder: it has no metrics\.json"):
        _ = run.uar
    (tmp_path / "metrics.json").write_text('{"name": "a"}')
    with pytest.raises(RunError, match="is damaged: it lacks complete, validation_uar"):
        _ = run.is_complete


def test_an_interrupted_run_shows_no_test_score(ravdess_dir: Path, tmp_path: Path) -> None:
    """Neither in its files, but for the predictions that it resumes from, nor in what it says."""

    def stop(text: str) -> None:
        if text.startswith("fold 0"):
            raise KeyboardInterrupt

    data, run = {"ravdess": ravdess_dir}, Run(tmp_path)
    with Notes(on_note=stop) as seen, pytest.raises(KeyboardInterrupt):
        evaluate(tiny_recipe(), data=data, out=tmp_path)
    assert (tmp_path / "predictions.csv").is_file()
    assert not {"uar", "wa", "macro_f1", "recall", "confusion", "per_corpus"} & run.metrics.keys()
    assert run.metrics["validation_uar"] is not None
    assert len(run.metrics["fits"]) == 1
    assert not run.is_complete
    assert repr(run) == f"Run({str(tmp_path)!r}, not complete)"
    assert not any("test" in note for note in seen.notes)
    with pytest.raises(RunError, match=r"is not complete and has no test scores yet: run it again to resume it\.$"):
        _ = run.interval
    assert "Unfinished: 1 of 2 folds are predicted" in run.report().read_text()  # from the predictions, and marked
    assert evaluate(tiny_recipe(), data=data, out=tmp_path).uar > 0


def test_a_trained_model_has_a_validation_score_alone_and_becomes_a_file(trained: Run, tmp_path: Path) -> None:
    assert trained.is_complete
    assert trained.validation_uar is not None
    assert len(trained.predictions) == 0
    assert trained.classes == serkit.labels.get_label_set("ravdess").classes
    assert repr(trained) == f"Run({str(trained.folder)!r}, validation UAR {trained.validation_uar})"
    with pytest.raises(RunError, match="has no test scores: it was trained, not evaluated"):
        _ = trained.uar
    file = export(trained, tmp_path / "model.onnx")
    assert file == tmp_path / "model.onnx"
    assert serkit.load(file).card.name == "ravdess-2fold-tiny"


def test_the_scores_of_an_evaluation_go_on_the_card(evaluated: Run, trained: Run, tmp_path: Path) -> None:
    export(trained.folder, tmp_path / "model.onnx", evidence=[evaluated])
    (evidence,) = serkit.load(tmp_path / "model.onnx").card.evidence
    assert evidence.uar == evaluated.uar


def test_a_recipe_may_be_a_file_and_the_corpora_come_from_the_variable(
    ravdess_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(dump_recipe(tiny_recipe()))
    monkeypatch.setenv("SERKIT_CORPORA", f"ravdess={ravdess_dir}")
    steps: list[Progress] = []
    run = train(file, out=tmp_path / "run", on_progress=steps.append)
    assert run.is_complete
    fits = [step for step in steps if step.label == "fold 0 seed 0"]
    assert [(step.done, step.total) for step in fits] == [(0, 1), (1, 1), (1, 1)]
    assert fits[1].remark.startswith("loss ")


def test_what_is_missing_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SERKIT_CORPORA", raising=False)
    with pytest.raises(CorpusError, match=r"^no corpora: pass data=, or set the environment variable SERKIT_CORPORA"):
        evaluate(tiny_recipe(), out=tmp_path / "run")
    with pytest.raises(UnknownNameError, match="no recipe 'emodb-los-crnn'; did you mean 'emodb-loso-crnn'"):
        evaluate("emodb-los-crnn", data=tmp_path, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_messages_are_logged_under_serkit(ravdess_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "serkit"):
        train(load_recipe("ravdess-6fold-crnn", _QUICK), data={"ravdess": ravdess_dir}, out=tmp_path)
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("serkit.")]
    assert messages[0] == "ravdess has 96 utterances here, and 1440 officially"
    assert messages[-1].startswith("fold 0 seed 0: validation UAR ")


_QUICK = [
    "seeds=[0]", "train.epochs=1", "model={name: crnn, stem: [4, 8], channels: 16, recurrent: 8, embedding: 16}",
]  # fmt: skip
