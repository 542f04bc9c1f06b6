"""Synthetic releases of every corpus that can be synthesized, and the official lists where they lie at hand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.synthetic import TITLES, write_corpus
from support.trees import SPEAKERS_HERE


@pytest.fixture(scope="session")
def releases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder per corpus, of the first so many speakers and two clips for each emotion of theirs. Read only."""
    root = tmp_path_factory.mktemp("releases")
    for name, speakers in SPEAKERS_HERE.items():
        write_corpus(name, root / TITLES[name], speakers=speakers)
    return root


@pytest.fixture(scope="session")
def reference(real_corpora: Path) -> Path:
    """The official lists of files, as tables; skips where they are not there."""
    folder = real_corpora.parent / "reference"
    if not folder.is_dir():
        pytest.skip(f"needs the official lists of the corpora: there is no folder {folder}")
    return folder


@pytest.fixture
def link() -> Callable[[Path, Path], None]:
    """Make a link, or skip where the system lets nobody."""

    def make(at: Path, to: Path) -> None:
        try:
            at.symlink_to(to, target_is_directory=to.is_dir())
        except OSError as error:
            pytest.skip(f"no symbolic links here: {error}")

    return make
