import os
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"
IMPORT_EACH = """
import sys
from importlib import import_module

for script in sys.argv[1:]:
    path, modules = sys.path.copy(), set(sys.modules)
    import_module(script)
    sys.path[:] = path  # a script must extend the path itself
    for name in set(sys.modules) - modules:
        if name.startswith(("_speech_detector", "speech_detector", "_service", "support")):
            del sys.modules[name]
"""


def test_what_benchmarks_import_is_there() -> None:
    """In a process of its own, since pytest has folders on its path that a script has not."""
    scripts = sorted(file.stem for file in FOLDER.glob("[!_]*.py"))
    assert len(scripts) > 10
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_EACH, *scripts], cwd=FOLDER, env=os.environ | {"PYTHONSAFEPATH": ""},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
