import re
from typing import Any

import pytest

from serkit.errors import RecipeError, UnknownNameError
from serkit.lab.recipes.ablation import AXES, variants
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.schema import Recipe, parse_recipe
from support.toy import tiny_settings


def names(recipe: str, *axes: str, change: tuple[str, ...] = ()) -> list[str]:
    return list(variants(load_recipe(recipe, change), axes))


def test_each_feature_is_left_out_and_the_first_stands_alone() -> None:
    found = variants(load_recipe("ravdess-6fold-fusionnet"), ["features"])
    assert {name: [f.name for f in one.features] for name, one in found.items()} == {
        "base": ["notebook162", "statistics", "sex"],
        "without-notebook162": ["statistics", "sex"],
        "without-statistics": ["notebook162", "sex"],
        "without-sex": ["notebook162", "statistics"],
        "notebook162-alone": ["notebook162"],
    }


def test_each_augmentation_is_left_out_and_all_are() -> None:
    recipe = load_recipe("ravdess-6fold-fusionnet")
    found = variants(recipe, ["augment"])
    chains = {name: [one.name for one in changed.augment.waveform] for name, changed in found.items()}
    assert chains == {
        "base": ["stretch", "pitch", "lowpass", "noise"],
        "without-stretch": ["pitch", "lowpass", "noise"],
        "without-pitch": ["stretch", "lowpass", "noise"],
        "without-lowpass": ["stretch", "pitch", "noise"],
        "without-noise": ["stretch", "pitch", "lowpass"],
        "without-augmentation": [],
    }
    assert all(one.train == recipe.train and one.features == recipe.features for one in found.values())
    assert [one.augment.copies for one in found.values()] == [4, 4, 4, 4, 4, None]


def test_the_only_augmentation_is_left_out_with_its_copies() -> None:
    recipe = load_recipe("ravdess-6fold-fusionnet", ["augment={waveform: [noise], copies: 2}"])
    assert [one.augment.copies for one in variants(recipe, ["augment"]).values()] == [2, None]


def test_where_there_is_no_augmentation_each_of_document_bs_is_put_in() -> None:
    assert names("ravdess-6fold-fusionnet", "augment", change=("augment=[]",)) == [
        "base", "with-stretch", "with-pitch", "with-lowpass", "with-noise"
    ]  # fmt: skip


def test_a_first_training_is_left_out() -> None:
    found = variants(load_recipe("tess-crossspeaker-crnn-pretrained"), ["pretrain"])
    assert [one.pretrain is None for one in found.values()] == [False, True]
    assert list(found) == ["base", "without-pretraining"]


def test_an_augmentation_that_stands_twice_is_left_out_twice() -> None:
    assert names("ravdess-6fold-fusionnet", "augment", change=("augment=[noise, gain, noise]",)) == [
        "base", "without-noise-1", "without-gain", "without-noise-2", "without-augmentation"
    ]  # fmt: skip


def test_a_network_over_frames_loses_speeds_masks_and_mixup() -> None:
    assert names("emodb-loso-crnn", "augment") == [
        "base", "without-speeds", "without-masks", "without-mixup", "without-augmentation"
    ]  # fmt: skip


def test_balance_is_by_nothing_by_weights_or_by_sampling() -> None:
    found = variants(load_recipe("emodb-loso-crnn"), ["balance"])
    assert {name: (one.train.class_weights, one.train.sampling) for name, one in found.items()} == {
        "base": (True, "natural"), "imbalanced": (False, "natural"), "balanced-sampling": (False, "balanced")
    }  # fmt: skip


def on_several_corpora(protocol: dict[str, Any], labels: str = "superset6") -> Recipe:
    return parse_recipe(tiny_settings(corpora=["ravdess", "tess"], labels=labels) | {"protocol": protocol})


def fixed(*speakers: str) -> dict[str, Any]:
    return {"name": "fixed_test_speakers", "test_speakers": speakers}


def test_a_corpus_stands_alone_where_its_speakers_are_tested() -> None:
    found = variants(on_several_corpora(fixed("ravdess/01", "ravdess/02")), ["corpora"])
    assert {name: one.corpora for name, one in found.items()} == {
        "base": ("ravdess", "tess"), "ravdess-alone": ("ravdess",)
    }  # fmt: skip
    assert names("superset-4test-fusionnet", "corpora") == ["base", "ravdess-alone"]


@pytest.mark.parametrize(
    ("protocol", "labels"),
    [
        ({"name": "speaker_kfold"}, "superset6"),
        ({"name": "leave_one_speaker_out"}, "superset6"),
        ({"name": "leave_one_corpus_out"}, "superset6"),
        ({"name": "cross_corpus", "train_corpora": ["ravdess"], "test_corpora": ["tess"]}, "superset6"),
        ({"name": "random", "speaker_dependent": True}, "superset6"),
        (fixed("ravdess/01", "tess/OAF"), "superset6"),
        (fixed("emodb/03"), "superset6"),
        (fixed("ravdess/01"), "common"),
    ],
)
def test_no_corpus_stands_alone_where_other_utterances_or_classes_would_be_tested(
    protocol: dict[str, Any], labels: str
) -> None:
    with pytest.raises(RecipeError, match=r"fixed_test_speakers of one of them, .* \('common' does\)\.$"):
        variants(on_several_corpora(protocol, labels), ["corpora"])


def test_a_variant_is_named_after_its_recipe() -> None:
    found = variants(load_recipe("emodb-loso-crnn"), ["balance"])
    assert [one.name for one in found.values()] == [
        "emodb-loso-crnn", "emodb-loso-crnn+imbalanced", "emodb-loso-crnn+balanced-sampling"
    ]  # fmt: skip


def test_what_cannot_be_varied_is_one_sentence() -> None:
    with pytest.raises(UnknownNameError, match="no axis 'feature'; did you mean 'features'"):
        names("emodb-loso-crnn", "feature")
    with pytest.raises(RecipeError, match=re.escape("emodb-loso-crnn has nothing to vary along 'features'.")):
        names("emodb-loso-crnn", "features")
    with pytest.raises(RecipeError, match="along 'corpora': it needs several corpora, fixed_test_speakers"):
        names("emodb-loso-crnn", "corpora")
    with pytest.raises(RecipeError, match="an ensemble has no ablation"):
        names("emodb-loso-vote", *AXES)
