"""The folder in which serkit stores what it has computed from audio, so that a second run need not compute it again."""

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return the cache folder: ``SERKIT_CACHE``, else ``serkit`` in the user's cache folder."""
    if "SERKIT_CACHE" in os.environ:
        return Path(os.environ["SERKIT_CACHE"])
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "serkit"
