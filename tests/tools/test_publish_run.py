"""``tools/publish_run.py``, as its users call it."""

from pathlib import Path

import pytest

from publish_run import main
from serkit.lab.measure.run_folder import read_folds
from serkit.lab.splits.folds import digest_of_folds
from support.run_folders import write_run


def write_finished(folder: Path) -> Path:
    write_run(folder)
    digest = digest_of_folds(read_folds(folder))
    return write_run(folder, environment={"split_digest": digest})


def test_a_run_and_an_ablation_are_published(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, results = write_finished(tmp_path / "runs" / "mine"), tmp_path / "results"
    for variant in ("base", "without-sex"):
        write_finished(tmp_path / "runs" / "ablation" / variant)
    main([run, tmp_path / "runs" / "ablation"], results)
    names = ["toy-loso-crnn", "ablations/ablation/base", "ablations/ablation/without-sex"]
    assert capsys.readouterr().out.splitlines() == [str(results / name) for name in names]
    assert all((results / name / "predictions.csv.gz").is_file() for name in names)


def test_what_is_no_run_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([tmp_path], tmp_path / "results")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == f"'{tmp_path}' is not a run folder: it has no metrics.json.\n"
