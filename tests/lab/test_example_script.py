"""The example script of the Python entry, on synthetic EmoDB."""

from pathlib import Path

from serkit.lab import Run
from support import bare

SCRIPT = Path(__file__).parents[2] / "examples" / "compare_models.py"


def test_the_example_compares_two_models(emodb_dir: Path, tmp_path: Path) -> None:
    code = "import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = bare.python(code, SCRIPT, emodb_dir, "--out", tmp_path, "--quick")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["model", "validation", "UAR", "UAR"]
    for model, line in zip(("crnn", "logistic"), lines, strict=False):
        run = Run(tmp_path / model)
        low, high = run.interval
        assert line.split() == [model, str(run.validation_uar), str(run.uar), f"[{low},", f"{high}]"]
        report = run.folder / "report.html"
        assert report.is_file() == any(line.endswith(f"see {report}") for line in lines)
    assert "emodb has 56 utterances here, and 535 officially" in done.stderr


def test_the_readme_of_the_examples_names_it() -> None:
    assert SCRIPT.name in (SCRIPT.parent / "README.md").read_text("utf-8")
