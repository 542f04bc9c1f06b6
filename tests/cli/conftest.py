import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serkit.cli import main
from support.calling import Call, Done
from support.synthetic import voice

RATE = 16_000
SPEECH = voice("anger", "emodb/03", seconds=1.0)


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    for name in ("SERKIT_CORPORA", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    # Typer colors its errors where GITHUB_ACTIONS is set, and asks once, when it is imported.
    monkeypatch.setattr("typer.rich_utils.FORCE_TERMINAL", None)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the command line in this process, from arguments to exit code."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["serkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        return Done(int(stop.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good clips: a.wav, b.flac, and c.wav in stereo at another rate."""
    folder = tmp_path_factory.mktemp("clips")
    soundfile.write(folder / "a.wav", SPEECH, RATE)
    soundfile.write(folder / "b.flac", voice("sadness", "emodb/08", seconds=0.6), RATE)
    soundfile.write(folder / "c.wav", np.stack([SPEECH, SPEECH], axis=1), 22_050)
    return folder
