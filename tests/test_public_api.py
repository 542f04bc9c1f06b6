import doctest
import importlib
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest
import soundfile

import serkit
from support import bare
from support.synthetic import voice

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(serkit.__path__, "serkit.")
    if not module.name.endswith("speech.__main__")  # a program: importing it runs it
)
HEAVY = {
    "torch", "pandas", "librosa", "scipy", "sklearn", "onnx", "accelerate", "safetensors", "pydantic", "yaml",
    "typer", "rich", "transformers", "matplotlib", "serkit.lab", "serkit.data.corpora", "serkit.cli",
}  # fmt: skip
_LOADED = "; print(*sorted(sys.modules), sep='\\n')"


def loaded(done: object) -> set[str]:
    """Return the heavy modules that a process has imported; its code ends with ``_LOADED``."""
    assert getattr(done, "stderr", None) == ""
    return HEAVY & set(getattr(done, "stdout", "").splitlines())


def test_all_is_what_dir_shows() -> None:
    assert sorted(serkit.__all__) == serkit.__all__
    assert [name for name in dir(serkit) if name != "__version__"] == serkit.__all__


def test_every_public_name_resolves_to_something_documented() -> None:
    assert len(serkit.__all__) == len(set(serkit.__all__)) <= 20
    assert get_args(serkit.AudioSource), "a union of types, which has neither a name nor a docstring"
    for name in set(serkit.__all__) - {"AudioSource"}:
        thing = getattr(serkit, name)
        assert callable(thing), name
        assert thing.__doc__, name
        assert thing.__name__ == name


def test_a_star_import_gives_the_public_names() -> None:
    code = "from serkit import *; print(sorted(name for name in globals() if name in sys.argv))"
    assert bare.python(code, *serkit.__all__).stdout.strip() == str(serkit.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error_as_anywhere() -> None:
    with pytest.raises(AttributeError, match=r"^module 'serkit' has no attribute 'Recogniser'$"):
        serkit.Recogniser  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(serkit, "torch")


def test_answering_tells_nobody_and_leaves_no_file(tmp_path: Path) -> None:
    """ONNX Runtime from 1.29 on makes a device identifier and an event cache, and sends the events."""
    code = (
        "import os; os.environ.clear(); os.environ.update(HOME=sys.argv[1], TMPDIR=sys.argv[1]); "
        "import serkit; print(len(serkit.load().predict(sys.argv[2]).probabilities))"
    )
    soundfile.write(tmp_path / "clip.wav", voice("anger", "emodb/03", seconds=1.0), 16_000)
    home = tmp_path / "home"
    home.mkdir()
    done = bare.python(code, home, tmp_path / "clip.wav")
    assert done.stdout.strip() == "7", done.stderr
    assert list(home.rglob("*")) == []


def test_the_version_is_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", serkit.__version__)


def test_importing_serkit_imports_next_to_nothing() -> None:
    done = bare.python("import serkit; print(*sorted(sys.modules), sep='\\n')")
    assert loaded(done) == set()
    assert not {"numpy", "onnxruntime", "soundfile", "soxr"} & set(done.stdout.splitlines())


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stereo at 22,050 Hz, so that it is mixed down and resampled."""
    file = tmp_path_factory.mktemp("clips") / "clip.wav"
    speech = voice("anger", "emodb/03", seconds=1.0)
    soundfile.write(file, [[x, x] for x in speech], 22_050)
    return file


_PREDICT = """
import serkit

recognizer = serkit.load(*sys.argv[2:])
print(recognizer.predict(sys.argv[1]).emotion)
recognizer.card.to_json()
"""


def test_loading_a_model_and_predicting_imports_no_part_of_the_lab(model_file: Path, clip: Path) -> None:
    assert loaded(bare.python(_PREDICT + _LOADED.removeprefix("; "), clip, model_file)) == set()


def test_a_plain_installation_predicts(model_file: Path, clip: Path) -> None:
    done = bare.python(_PREDICT, clip, model_file, without=(*bare.NOT_INSTALLED, "pydantic", "typer", "rich"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == serkit.load(model_file).predict(clip).emotion


@pytest.mark.usefixtures("embedded")
def test_a_plain_installation_predicts_with_the_embedded_model(clip: Path) -> None:
    done = bare.python(_PREDICT, clip, without=(*bare.NOT_INSTALLED, "pydantic", "typer", "rich"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == serkit.load().predict(clip).emotion


def test_every_public_name_and_every_corpus_works_in_a_plain_installation() -> None:
    code = """
import serkit
from serkit.data.corpora import corpus_names, get_corpus
import serkit.lab.measure.metrics, serkit.lab.measure.run_folder, serkit.lab.leaderboard

print(*(name for name in serkit.__all__ if getattr(serkit, name)), *(get_corpus(name).name for name in corpus_names()))
"""
    done = bare.python(code, without=(*bare.NOT_INSTALLED, "pydantic"))
    assert done.stderr == ""
    assert done.stdout.split()[: len(serkit.__all__)] == serkit.__all__


def examples(module: ModuleType) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(module) if test.examples]


@pytest.mark.parametrize("name", ["serkit", *MODULES])
def test_the_examples_in_a_modules_docstrings_are_right(name: str, request: pytest.FixtureRequest) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE, verbose=False)
    failures: list[str] = []
    for test in examples(importlib.import_module(name)):
        if any("load()" in example.source for example in test.examples):
            request.getfixturevalue("embedded")
        runner.run(test, out=failures.append)
    assert not failures, "".join(failures)


def test_some_docstrings_have_examples() -> None:
    with_examples = {name for name in ["serkit", *MODULES] if examples(importlib.import_module(name))}
    assert {
        "serkit",
        "serkit.audio.decode",
        "serkit.data.corpora",
        "serkit.labels",
        "serkit.runtime.recognizer",
    } <= with_examples
