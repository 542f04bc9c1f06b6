"""What ``serkit export`` says of calibration."""

import json
from pathlib import Path

import pytest

from serkit.lab.measure.calibration import words_of
from support.calling import Call


def test_export_tells_the_threshold_and_the_card_shows_it(
    call: Call, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab.exporting import model_file as export

    monkeypatch.setattr(export, "_PARITY_SECONDS", (0.2,))
    done = call("export", trained_run, "-o", tmp_path / "m.onnx", "--error-rate", 40)
    assert (done.code, done.err) == (0, "")
    found = json.loads(call("models", "show", tmp_path / "m.onnx").out)["calibration"]
    assert found["error_rate"] == 40
    assert done.out.splitlines()[1:] == [words_of(found)]


@pytest.mark.parametrize("rate", ["0.25", "0", "100", "many"])
def test_an_error_rate_that_is_no_percentage_is_refused(call: Call, tmp_path: Path, rate: str) -> None:
    """A share where a percentage is asked for too."""
    done = call("export", tmp_path, "-o", tmp_path / "m.onnx", "--error-rate", rate)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "--error-rate" in done.err
