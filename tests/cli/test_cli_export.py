"""What ``serkit export`` says of calibration."""

import json
from pathlib import Path

import pytest

from serkit.runtime.recognizer import Recognizer
from support.calling import Call

SPOKEN = Path(__file__).parents[2] / "examples" / "medium_german.wav"


def test_export_tells_the_threshold_and_the_card_shows_it(
    call: Call, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab.exporting import model_file as export

    monkeypatch.setattr(export, "_PARITY_SECONDS", (0.2,))
    done = call("export", trained_run, "-o", tmp_path / "m.onnx", "--error-rate", 40)
    assert (done.code, done.err) == (0, "")
    found = json.loads(call("models", "show", tmp_path / "m.onnx", "--json").out)
    assert found["calibration"]["error_rate"] == 40
    assert done.out.splitlines()[1:] == [found["promise"]]
    assert found["promise"].startswith("below 0.")
    assert found["promise"] in call("models", "show", tmp_path / "m.onnx").out


def test_export_says_in_one_sentence_that_no_threshold_keeps_the_error_rate(
    call: Call, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab.exporting import model_file as export

    monkeypatch.setattr(export, "_PARITY_SECONDS", (0.2,))
    model = tmp_path / "m.onnx"
    monkeypatch.setattr("serkit.lab.measure.calibration.choose_threshold", lambda *_: None)
    done = call("export", trained_run, "-o", model, "--error-rate", 1)
    said = (
        "no threshold keeps to 1 % wrong answers in validation: every answer is uncertain, unless you set a threshold "
        "or force an answer"
    )
    assert done.out.splitlines()[1:] == [said]
    assert said in call("models", "show", model).out
    recognizer = Recognizer.load(model)
    assert recognizer.card.calibration["threshold"] is None
    assert recognizer.predict(SPOKEN).emotion == "uncertain"
    assert recognizer.predict(SPOKEN, reject=False).emotion in recognizer.card.classes
    assert recognizer.predict(SPOKEN, threshold=0.0).emotion in recognizer.card.classes


@pytest.mark.parametrize("rate", ["0.25", "0", "100", "many"])
def test_an_error_rate_that_is_no_percentage_is_refused(call: Call, tmp_path: Path, rate: str) -> None:
    """A share where a percentage is asked for too."""
    done = call("export", tmp_path, "-o", tmp_path / "m.onnx", "--error-rate", rate)
    assert done.code == 2
    assert "Traceback" not in done.err
    assert "--error-rate" in done.err
