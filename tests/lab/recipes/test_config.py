from dataclasses import dataclass
from typing import Any, Literal

import pytest

from serkit.errors import RecipeError
from serkit.lab.recipes.config import build_settings


@dataclass(frozen=True)
class Config:
    bands: int = 64
    hop_ms: float = 10.0
    sizes: tuple[int, ...] = (1, 2)
    fmax: float | None = None
    mode: Literal["all", "none"] = "all"

    def __post_init__(self) -> None:
        if self.bands == 13:
            raise RecipeError("13 bands bring bad luck.")


def refused(settings: dict[str, Any]) -> str:
    with pytest.raises(RecipeError) as caught:
        build_settings(Config, settings, where="features: toy")
    return str(caught.value)


def test_no_settings_give_the_defaults() -> None:
    assert build_settings(Config, {}, where="toy") == Config()


def test_settings_are_filled_in_as_yaml_has_them() -> None:
    found = build_settings(Config, {"bands": 40, "hop_ms": 5, "sizes": [3], "fmax": 7600, "mode": "none"}, where="toy")
    assert found == Config(40, 5.0, (3,), 7600.0, "none")
    assert isinstance(found.hop_ms, float)
    assert isinstance(found.sizes, tuple)


def test_an_unknown_setting_suggests_the_nearest_and_lists_all() -> None:
    expected = "features: toy has no setting 'band'; did you mean 'bands'? It has bands, hop_ms, sizes, fmax, mode."
    assert refused({"band": 1}) == expected


def test_an_unknown_setting_with_nothing_near_makes_no_suggestion() -> None:
    assert refused({"qqq": 1}) == "features: toy has no setting 'qqq'. It has bands, hop_ms, sizes, fmax, mode."


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"bands": "many"}, "bands"),
        ({"bands": 1.5}, "bands"),
        ({"bands": None}, "bands"),
        ({"sizes": 3}, "sizes"),
        ({"sizes": [1, "x"]}, "sizes.1"),
        ({"mode": "some"}, "mode"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_with_its_place(settings: dict[str, Any], place: str) -> None:
    message = refused(settings)
    assert message.startswith(f"features: toy: {place}: Input should be ")
    assert "\n" not in message


def test_what_a_config_itself_refuses_is_one_sentence_with_one_full_stop() -> None:
    assert refused({"bands": 13}) == "features: toy: 13 bands bring bad luck."
