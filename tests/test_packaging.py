import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

import serkit
from serkit.runtime.session import embedded_models

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "serkit"
BASE = {"numpy", "soundfile", "soxr", "onnxruntime", "typer", "rich"}
EXTRAS_OF = {  # by package: the extras whose requirements its modules may import
    "annotations": ("plot",),
    "audio": ("media", "mic"),
    "cli": ("lab", "server"),
    "data": ("data", "plot"),
    "lab": ("lab", "ssl", "opensmile", "tracking", "tune"),
    "server": ("server",),
}
REQUIREMENT_OF = {"yaml": "pyyaml", "sklearn": "scikit-learn", "mlflow": "mlflow-skinny"}  # where the names differ
PICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
# A folder of somebody's machine; written so that this file does not hold one.
MACHINE_PATH = re.compile(r"(?<![\w.~])/(?:work|root|home|Users|mnt)/[\w.-]+")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


@pytest.fixture(scope="module")
def repository_files() -> list[Path]:
    """Every file that is in git or could be added to it."""
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def name_of(requirement: str) -> str:
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def test_a_plain_installation_asks_for_six_packages(project: dict[str, Any]) -> None:
    assert {name_of(requirement) for requirement in project["project"]["dependencies"]} == BASE


def test_every_requirement_has_a_lowest_version(project: dict[str, Any]) -> None:
    extras = project["project"]["optional-dependencies"]
    everything = [*project["project"]["dependencies"], *(r for extra in extras.values() for r in extra)]
    assert all(">=" in requirement or requirement.startswith("serkit[") for requirement in everything)


def test_torch_is_capped_so_that_pip_takes_the_cpu_build_where_there_is_one(project: dict[str, Any]) -> None:
    (torch,) = [r for r in project["project"]["optional-dependencies"]["lab"] if name_of(r) == "torch"]
    assert torch.endswith(",<2.14")


def test_the_base_and_the_runtime_name_no_package_of_an_extra(project: dict[str, Any]) -> None:
    lab = {name_of(requirement) for requirement in project["project"]["optional-dependencies"]["lab"]}
    assert not lab & BASE
    assert not {"torchaudio", "torchvision", "joblib", "librosa"} & lab


def test_the_command_is_the_one_that_is_tested(project: dict[str, Any]) -> None:
    assert project["project"]["scripts"] == {"serkit": "serkit.cli:main"}


def test_the_version_stands_in_one_place(project: dict[str, Any]) -> None:
    assert project["project"]["dynamic"] == ["version"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "serkit.version.__version__"}


def test_the_changelog_knows_this_version() -> None:
    assert serkit.__version__ in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_everything_in_the_package_that_is_no_code_is_package_data(
    project: dict[str, Any], repository_files: list[Path]
) -> None:
    globs = project["tool"]["setuptools"]["package-data"]["serkit"]
    data = [PurePosixPath(f.relative_to(SOURCE)) for f in repository_files if SOURCE in f.parents and f.suffix != ".py"]
    assert PurePosixPath("py.typed") in data
    assert any(name.match("lab/recipes/library/*.yaml") for name in data)
    assert [str(name) for name in data if not any(name.match(glob) for glob in globs)] == []


def test_every_folder_of_code_is_a_package() -> None:
    folders = {file.parent for file in SOURCE.rglob("*.py")}
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_the_readme_says_how_to_see_it_and_how_to_test_it() -> None:
    readme, makefile = (ROOT / "README.md").read_text("utf-8"), (ROOT / "Makefile").read_text("utf-8")
    for target in ("demo", "test"):
        assert f"make {target}" in readme
        assert f"\n{target}:" in makefile


def test_the_readme_links_to_files_that_are_there() -> None:
    links = re.findall(r"\]\(((?!https?://|#)[^)#]+)", (ROOT / "README.md").read_text("utf-8"))
    assert links
    missing = [link for link in links if not (ROOT / link).exists()]
    if missing == ["docs/RESULTS.md"]:
        pytest.skip("needs docs/RESULTS.md, which 'make results' writes")
    assert missing == []


def test_no_file_names_a_folder_of_the_machine_that_it_was_written_on(repository_files: list[Path]) -> None:
    found = []
    for file in repository_files:
        text = file.read_bytes().decode("utf-8", "ignore")
        found += [f"{file.relative_to(ROOT)}: {match}" for match in MACHINE_PATH.findall(text)]
    assert found == []


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_no_module_can_load_a_pickle(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    assert not {name.split(".")[0] for name in imports(tree)} & PICKLERS
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert not {"torch.load", "torch.save", "torch.jit.load", "yaml.load", "eval", "exec", "numpy.load"} & set(calls)
    assert "allow_pickle=True" not in ast.unparse(tree)


def requirements_of(extras: Mapping[str, Sequence[str]], name: str) -> set[str]:
    """Return the packages that an extra asks for, with those of the extras that it includes."""
    found = set[str]()
    for requirement in extras[name]:
        included = re.match(r"serkit\[(.*)\]", requirement)
        parts = [requirements_of(extras, one.strip()) for one in included[1].split(",")] if included else []
        found |= set.union(*parts) if parts else {name_of(requirement)}
    return found


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: str(file.relative_to(SOURCE)))
def test_what_a_module_imports_is_declared_in_the_base_or_in_the_extra_of_its_package(
    file: Path, project: dict[str, Any]
) -> None:
    extras = project["project"]["optional-dependencies"]
    package = file.relative_to(SOURCE).parts[0]
    declared = BASE.union(*(requirements_of(extras, extra) for extra in EXTRAS_OF.get(package, ())))
    top = {name.split(".")[0] for name in imports(ast.parse(file.read_text("utf-8")))}
    third_party = top - sys.stdlib_module_names - {"serkit", "__future__"}
    names = {REQUIREMENT_OF.get(name, name.replace("_", "-")) for name in third_party}
    assert names - declared == set()


@pytest.mark.usefixtures("embedded")
def test_the_embedded_models_licenses_stand_beside_them(project: dict[str, Any]) -> None:
    text = (SOURCE / "assets" / "LICENSES.md").read_text("utf-8")
    for name in embedded_models():
        card = serkit.load(name).card
        assert f"`{name}.onnx`" in text
        assert all(str(corpus["title"]) in text for corpus in card.corpora)
        assert card.license in project["project"]["license"]


@pytest.mark.long
def test_a_wheel_predicts_in_an_environment_of_its_own(
    repository_files: list[Path], model_file: Path, tmp_path: Path
) -> None:
    copy, wheels, environment = tmp_path / "copy", tmp_path / "wheels", tmp_path / "environment"
    for file in repository_files:  # so that the build leaves nothing behind here
        target = copy / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--quiet"]
    subprocess.run([*pip, "wheel", *offline, "--no-build-isolation", "-w", wheels, copy], check=True)
    (wheel,) = wheels.iterdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run([*pip, "--python", python, "install", *offline, wheel], check=True)

    def run(*arguments: object) -> str:
        command = [str(python), *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    site = Path(run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    # The requirements come from here; a .pth file in there, such as that of an editable serkit, is not followed.
    others = {str(Path(module.__file__ or "").parents[1]) for module in map(__import__, BASE)}
    (site / "requirements.pth").write_text("\n".join(others), "utf-8")
    assert Path(run("-c", "import serkit; print(serkit.__file__)")).is_relative_to(site)
    assert run(python.with_name("serkit"), "--version") == serkit.__version__
    clip = ROOT / "examples" / "soft_slow_low.wav"
    expected = serkit.load(model_file).predict(clip).emotion
    assert expected in run("-m", "serkit.cli", "predict", clip, "--model", model_file, "--top", 1)
    assert '"recipe"' in run("-m", "serkit.cli", "recipes", "list", "--json")
    installed = {str(file.relative_to(site / "serkit")) for file in (site / "serkit").rglob("*") if file.is_file()}
    expected_files = {str(f.relative_to(SOURCE)) for f in repository_files if SOURCE in f.parents}
    assert expected_files <= installed
