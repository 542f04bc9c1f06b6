"""openSMILE's functionals against the opensmile package itself: the same program, so the same numbers."""

import sys
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from serkit.audio.decode import resample
from serkit.errors import ExportError, MissingExtraError, RecipeError
from serkit.lab.features import build_front
from serkit.lab.features.opensmile_features import OpenSmile, OpenSmileConfig
from support.synthetic import voice

RATE = 16_000
SPEECH = voice("anger", "emodb/03", seconds=1.0)


@pytest.mark.parametrize(("functionals", "size"), [("eGeMAPSv02", 88), ("ComParE_2016", 6373)])
def test_the_numbers_are_opensmiles(functionals: Any, size: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opensmile = pytest.importorskip("opensmile", reason="needs the opensmile package")
        smile = opensmile.Smile(opensmile.FeatureSet[functionals], opensmile.FeatureLevel.Functionals)
        expected = smile.process_signal(SPEECH, RATE)
    front = OpenSmile(OpenSmileConfig(functionals=functionals))
    found = front.extract(SPEECH, RATE)
    assert found.shape == (size,) == (front.size,)
    assert found.dtype == np.float32
    assert front.names == tuple(expected.columns)
    np.testing.assert_allclose(found, expected.to_numpy()[0], rtol=1e-6)


def test_another_sampling_rate_is_resampled() -> None:
    pytest.importorskip("opensmile", reason="needs the opensmile package")
    front = OpenSmile(OpenSmileConfig())
    found = front.extract(resample(SPEECH, RATE, 48_000), 48_000)
    at = front.names.index("F0semitoneFrom27.5Hz_sma3nz_amean")
    assert found[at] == pytest.approx(front.extract(SPEECH, RATE)[at], rel=0.01)


@pytest.mark.parametrize("size", [1, 100, 960, 8000])
@pytest.mark.parametrize("level", [0.0, 0.5])
def test_silent_and_short_sounds_are_finite(size: int, level: float) -> None:
    pytest.importorskip("opensmile", reason="needs the opensmile package")
    found = OpenSmile(OpenSmileConfig()).extract(np.full(size, level, np.float32), RATE)
    assert found.shape == (88,)
    assert np.isfinite(found).all()


def test_without_the_package_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(MissingExtraError, match=r"^openSMILE features needs an optional part: pip install 'serkit\[op"):
        OpenSmile(OpenSmileConfig()).extract(SPEECH, RATE)


@pytest.mark.parametrize("settings", [{"functionals": "emobase"}, {"sampling_rate": 0}])
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="is out of range"):
        OpenSmileConfig(**settings)


def test_functionals_stand_beside_a_graphs_features_and_the_sex() -> None:
    pytest.importorskip("opensmile", reason="needs the opensmile package")
    front = build_front([{"name": "egemaps"}, {"name": "statistics"}, {"name": "sex"}])
    assert front.layout.parts == (("egemaps", 88), ("statistics", 6), ("sex", 1))
    assert not front.has_graph
    found = front.inner.compute_many([SPEECH], torch.tensor([1.0]))[0]
    np.testing.assert_array_equal(found[0, :88], OpenSmile(OpenSmileConfig()).extract(SPEECH, RATE))
    assert found[0, -1] == 1


def test_there_is_no_graph_and_the_reason_is_given() -> None:
    with pytest.raises(ExportError, match=r"^openSMILE is a program and has no graph, so a model on its features"):
        OpenSmile(OpenSmileConfig())(torch.zeros(1, 16_000), torch.tensor([16_000]))
