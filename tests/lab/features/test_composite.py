"""Several front ends side by side, and the sex among them."""

from typing import Any

import pytest
import torch

from serkit.errors import RecipeError, UnknownNameError
from serkit.lab.features import build_feature, build_front, resolve_features
from serkit.lab.signal.masking import without_offset

WAVE = torch.randn(2, 22_050, generator=torch.Generator().manual_seed(0)) * 0.1
LENGTHS = torch.tensor([22_050, 12_000])
CENTERED = without_offset(WAVE, LENGTHS)


def named(*names: Any) -> list[dict[str, Any]]:
    return [{"name": name} if isinstance(name, str) else name for name in names]


def test_vectors_stand_side_by_side() -> None:
    front = build_front(named("notebook162", "statistics"))
    assert (front.kind, front.size, front.uses_sex) == ("vector", 168, False)
    found, lengths = front(WAVE, LENGTHS)
    assert found.shape == (2, 168, 1)
    assert lengths.tolist() == [1, 1]
    torch.testing.assert_close(found[:, :162], build_feature("notebook162", {})(CENTERED, LENGTHS)[0])


def test_the_second_feature_takes_the_sampling_rate_of_the_first() -> None:
    resolved = resolve_features(named("notebook162", "statistics", "sex"))
    assert [feature.get("sampling_rate") for feature in resolved] == [22_050, 22_050, None]
    with pytest.raises(RecipeError, match=r"features at 16000 and 22050 Hz cannot be joined"):
        build_front(named("notebook162", {"name": "statistics", "sampling_rate": 16_000}))


def test_the_sex_is_the_last_number_and_a_third_input() -> None:
    front = build_front(named("sex", "statistics"))
    assert (front.size, front.uses_sex) == (7, True)
    found, _ = front(WAVE, LENGTHS, torch.tensor([1.0, 0.5]))
    assert found[:, -1, 0].tolist() == [1.0, 0.5]


def test_a_vector_beside_frames_stands_in_each_and_padding_stays_zero() -> None:
    front = build_front(named("logmel", "statistics", "sex"))
    assert (front.kind, front.size) == ("frames", 64 + 6 + 1)
    found, lengths = front(WAVE, LENGTHS, torch.tensor([1.0, 1.0]))
    assert (found[1, 64:, : lengths[1]] == found[1, 64:, :1]).all()
    assert (found[1, :, lengths[1] :] == 0).all()
    torch.testing.assert_close(found[:, :64], build_feature("logmel", {})(CENTERED, LENGTHS)[0])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (["sex"], "at least one feature besides sex"),
        (["logmel", "logmel"], "each feature only once, got logmel, logmel"),
        (["logmel", "spectrogram_image"], "an image feature cannot be joined with other features"),
        (
            ["logmel", {"name": "mfcc", "hop_ms": 20.0}],
            "different frames per second cannot be joined: LogMel 101, Mfcc 51",
        ),
        (["logmel", {"name": "sex", "coding": 2}], "sex takes no settings, got 'coding'"),
    ],
)
def test_what_cannot_be_joined_is_refused(features: list[Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build_front(named(*features))


def test_an_unknown_feature_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"no feature 'mfc'; did you mean 'mfcc'\?"):
        build_front(named("mfc"))
