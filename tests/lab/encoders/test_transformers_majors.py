"""The tests of encoders with the oldest and the newest release 4 of transformers, beside the installed one.

Each release is installed once, without the packages that it shares with the installed one, into a folder of pytest's
cache, which a process of its own searches before the environment.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

transformers = pytest.importorskip("transformers", reason="needs serkit[ssl]")
TESTS = Path(__file__).parents[2]
RELEASES = {  # and what they need in other releases than transformers 5
    "4.48.0": ("huggingface-hub>=0.27,<0.35", "tokenizers>=0.21,<0.22"),
    "4.57.6": ("huggingface-hub>=0.34,<1", "tokenizers>=0.22,<=0.23.0"),
}
COVERED = (
    "lab/encoders/test_hidden_layers.py",
    "lab/encoders/test_encoder_windows.py",
    "lab/encoders/test_whisper_base.py",
    "lab/features/test_frozen_encoder.py",
    "lab/exporting/test_transformers_folder.py",
    "lab/exporting/test_odd_checkpoints.py",
)


def installed(release: str, cache: Path) -> Path:
    """Return a folder with a release of transformers; skip where no index can be reached."""
    folder = cache / f"transformers-{release}"
    if (folder / "complete").is_file():
        return folder
    asked = [f"transformers=={release}", *RELEASES[release]]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    done = subprocess.run([*pip, "--target", str(folder), *asked], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        pytest.skip(f"pip cannot install transformers {release}: {said[-1]}")
    (folder / "complete").touch()
    return folder


@pytest.mark.long
@pytest.mark.parametrize("release", RELEASES)
def test_encoders_mean_the_same_with_release_4(release: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if transformers.__version__ == release:
        pytest.skip(f"{release} is the installed release")
    assert request.config.cache is not None
    folder = installed(release, request.config.cache.mkdir("transformers"))
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    version = "import transformers; print(transformers.__version__)"
    for command, expected in (
        (["-c", version], release),
        (["-m", "pytest", "-q", "-o", f"cache_dir={tmp_path}", *(str(TESTS / name) for name in COVERED)], " passed"),
    ):
        done = subprocess.run(
            [sys.executable, *command], check=False, capture_output=True, text=True, cwd=TESTS.parent,
            env=environment | {"PYTHONPATH": path},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
        assert expected in done.stdout
        print(done.stdout.strip().splitlines()[-1])
