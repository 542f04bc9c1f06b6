"""Fixtures that many tests share: synthetic corpora, and the real ones where they lie at hand."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from synthetic import TITLES, write_corpus

settings.register_profile("serkit", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("serkit")


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
    """The folder of real corpora; skips where it is not there."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "corpora"
    folder = Path(os.environ.get("SERKIT_CORPORA") or beside)
    if not folder.is_dir():
        pytest.skip(f"needs the real corpora: there is no folder {folder}; set SERKIT_CORPORA")
    return folder
