"""Fixtures that many tests share: synthetic corpora, and the real ones where SERKIT_CORPORA names their folder."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch reads it once; xdist's workers use the other cores

import serkit
from support.synthetic import TITLES, write_corpus

settings.register_profile("serkit", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("serkit")


def pytest_collection_finish() -> None:
    """Take the collected tests and modules out of garbage collection, which would visit them again and again."""
    gc.collect()
    gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    """Give each worker compiled code of its own: numba, under librosa, crashes where two compile into one cache."""
    assert config.cache is not None
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    os.environ["NUMBA_CACHE_DIR"] = str(config.cache.mkdir(f"numba-{worker}"))


@pytest.fixture(scope="session", autouse=True)
def cache_of_these_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Decoded audio and features go to a folder of this session, never to the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("SERKIT_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def corpora_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the synthetic corpora are written into as they are asked for; use ``corpora_dir``."""
    return tmp_path_factory.mktemp("corpora")


@pytest.fixture(scope="session")
def ravdess_dir(corpora_root: Path) -> Path:
    """Six speakers, eight emotions, two clips of each: 96. Read only."""
    return write_corpus("ravdess", corpora_root / TITLES["ravdess"], speakers=6)


@pytest.fixture(scope="session")
def emodb_dir(corpora_root: Path) -> Path:
    """Four speakers, seven emotions, two clips of each: 56. Read only."""
    return write_corpus("emodb", corpora_root / TITLES["emodb"], speakers=4)


@pytest.fixture(scope="session")
def corpora_dir(corpora_root: Path, ravdess_dir: Path, emodb_dir: Path) -> Path:
    """One folder per corpus: RAVDESS and EmoDB as above, TESS (2 speakers), nEMO (3 speakers). Read only."""
    write_corpus("tess", corpora_root / TITLES["tess"], speakers=2)
    write_corpus("nemo", corpora_root / TITLES["nemo"], speakers=3)
    return corpora_root


@pytest.fixture(scope="session")
def real_corpora() -> Path:
    """The folder of real corpora, from SERKIT_CORPORA; skips where it is not set."""
    folder = os.environ.get("SERKIT_CORPORA")
    if not folder:
        pytest.skip("needs the real corpora: set SERKIT_CORPORA to their folder")
    assert Path(folder).is_dir(), f"SERKIT_CORPORA: there is no folder {folder}"
    return Path(folder)


@pytest.fixture(scope="session")
def embedded() -> Path:
    """The model that comes with serkit; skips until there is one."""
    file = Path(serkit.__file__).parent / "assets" / "default.onnx"
    if not file.is_file():
        pytest.skip(f"needs the embedded model, which is not there yet: {file.name}")
    return file


@pytest.fixture(scope="session")
def small_recipe() -> dict[str, Any]:
    """A recipe on EmoDB whose network has every part and learns a little in seconds, as its YAML would be."""
    return {
        "name": "emodb-small",
        "corpora": ["emodb"],
        "labels": "emodb",
        "protocol": {"folds": 2, "validation_speakers": 1},
        "features": {"name": "logmel", "trim_db": 30, "normalize": "band"},
        "augment": {"speeds": [1.0], "mixup": 0},
        "model": {
            "name": "crnn", "stem": [4, 8], "channels": 16, "dilations": [1, 2], "recurrent": 8, "embedding": 16
        },
        "train": {"epochs": 6, "batch_size": 8, "lr": 0.01, "keep": "last"},
    }  # fmt: skip


@pytest.fixture(scope="session")
def trained_run(small_recipe: dict[str, Any], emodb_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the small recipe, trained on synthetic EmoDB. Read only."""
    from serkit.lab.recipes.schema import parse_recipe
    from serkit.lab.training.run import fit_final

    folder = tmp_path_factory.mktemp("runs") / "emodb-small"
    fit_final(parse_recipe(small_recipe), {"emodb": emodb_dir}, folder)
    return folder


@pytest.fixture(scope="session")
def model_file(trained_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of that run: seven classes, a card without evidence. Read only."""
    from serkit.lab.exporting.model_file import export

    file = tmp_path_factory.mktemp("models") / "emodb-small.onnx"
    export(trained_run, file)
    return file


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Run torch on one thread: the same weights are promised for the same number of threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
