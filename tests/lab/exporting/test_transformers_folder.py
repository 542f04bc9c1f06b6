"""Between serkit's files and transformers' folders: the same probabilities both ways."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serkit.errors import ExportError, LeakageError, RecipeError
from serkit.lab.audit.unseen_corpora import evaluate_model
from serkit.lab.exporting import transformers_folder
from serkit.lab.exporting.model_file import export
from serkit.lab.exporting.transformers_folder import convert, save_classifier
from serkit.lab.measure.run_folder import read_json
from serkit.lab.recipes.schema import parse_recipe
from serkit.lab.training.run import fit_final
from serkit.runtime.recognizer import Recognizer
from support.tiny_encoders import FAMILIES, write_checkpoint

transformers = pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytest.importorskip("peft", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
RATE = 16_000
CLASSIFIERS = tuple(family for family in FAMILIES if family not in ("sew", "whisper"))
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def checkpoint(family: str = "wav2vec2", **more: Any) -> Path:
        return write_checkpoint(tmp_path / "checkpoint", family, **more)

    return checkpoint


def sounds(*seconds: float) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [rng.normal(0.01, 0.1, round(RATE * s)).astype(np.float32) for s in seconds]


def theirs(folder: Path, sound: NDArray[np.float32]) -> dict[str, float]:
    """Return what transformers' own pipeline answers."""
    pipe = transformers.pipeline("audio-classification", str(folder), device="cpu")
    found = pipe({"raw": sound, "sampling_rate": RATE}, top_k=100)  # None gives 5 in 4.48
    return {row["label"]: row["score"] for row in found}


def ours(file: Path, sound: NDArray[np.float32]) -> dict[str, float]:
    recognizer = Recognizer.load(file)
    return dict(recognizer.predict(sound, sampling_rate=RATE, reject=False).probabilities)


def classifier(folder: Path, labels: dict[int, str], **more: Any) -> Path:
    """Put a random head on a checkpoint, as a user's fine-tuning leaves one."""
    config = transformers.AutoConfig.from_pretrained(folder, id2label=labels, num_labels=len(labels), **more)
    torch.manual_seed(3)
    model = transformers.AutoModelForAudioClassification.from_pretrained(folder, config=config)
    for weight in model.classifier.parameters():
        weight.data.normal_(0, 0.5)
    if more.get("use_weighted_layer_sum"):
        model.layer_weights.data.normal_()
    fine_tuned = folder.with_name("fine-tuned")
    model.save_pretrained(fine_tuned)
    (fine_tuned / "preprocessor_config.json").write_bytes((folder / "preprocessor_config.json").read_bytes())
    return fine_tuned


def tuned(folder: Path, data: Path, run: Path, **settings: Any) -> None:
    model = {"name": "ssl", "model": str(folder), "embedding": 8, **settings}
    recipe = parse_recipe(
        {
            "name": "emodb-tuned", "corpora": ["emodb"], "labels": "emodb", "model": model,
            "protocol": {"folds": 2, "validation_speakers": 1}, "train": {"epochs": 1, "lr": 1e-3},
        }
    )  # fmt: skip
    fit_final(recipe, {"emodb": data}, run)


# Theirs as a file of ours


@pytest.mark.parametrize(
    "family", [f if f in ("wav2vec2", "wavlm") else pytest.param(f, marks=pytest.mark.long) for f in CLASSIFIERS]
)
def test_a_fine_tuned_classifier_answers_the_same_as_a_model_file(make: Make, tmp_path: Path, family: str) -> None:
    folder = classifier(make(family), {0: "ang", 1: "hap", 2: "sad"})
    assert convert(folder, tmp_path / "model.onnx") <= 1e-4
    assert Recognizer.load(tmp_path / "model.onnx").card.classes == ("ang", "hap", "sad")
    for sound in sounds(0.5, 3.0):
        found = ours(tmp_path / "model.onnx", sound)
        for label, score in theirs(folder, sound).items():
            assert found[label] == pytest.approx(score, abs=1e-4)


@pytest.mark.parametrize("family", ["wav2vec2", "hubert", "wavlm"])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_norm_after_the_last_layer_comes_along(make: Make, tmp_path: Path, family: str, norm: str) -> None:
    """As in the large sizes, whose classifiers answered otherwise under transformers 5."""
    folder = classifier(make(family, norm=norm, stable=True), {0: "ang", 1: "hap", 2: "sad"})
    assert convert(folder, tmp_path / "model.onnx") <= 1e-4
    for sound in sounds(0.5, 3.0):
        assert ours(tmp_path / "model.onnx", sound) == pytest.approx(theirs(folder, sound), abs=1e-4)


def test_a_sum_that_includes_such_a_norm_is_refused(make: Make, tmp_path: Path) -> None:
    """transformers 4 and 5 answer otherwise."""
    folder = classifier(make("wavlm", stable=True), {0: "ang", 1: "neu"}, use_weighted_layer_sum=True)
    with pytest.raises(RecipeError, match="includes that norm in transformers 4 but not in 5"):
        convert(folder, tmp_path / "model.onnx")


@pytest.mark.parametrize("part", ["projector", "classifier"])
def test_what_answers_otherwise_than_transformers_is_refused(
    make: Make, tmp_path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check reads the checkpoint again, with transformers alone."""
    folder = classifier(make(), {0: "ang", 1: "hap", 2: "sad"})
    read = transformers_folder.read_weights

    def shifted(*given: Any) -> Any:
        network = read(*given)
        getattr(network, part).bias.data[0] += 0.5
        return network

    monkeypatch.setattr(transformers_folder, "read_weights", shifted)
    with pytest.raises(ExportError, match=r"would differ from those of transformers .* at most 0.0001 is allowed"):
        convert(folder, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.long
def test_a_learned_sum_of_layers_comes_along(make: Make, tmp_path: Path) -> None:
    folder = classifier(make("wavlm", norm="layer"), {0: "ang", 1: "neu"}, use_weighted_layer_sum=True)
    convert(folder, tmp_path / "model.onnx")
    (sound,) = sounds(1.0)
    assert ours(tmp_path / "model.onnx", sound) == pytest.approx(theirs(folder, sound), abs=1e-4)


def test_its_card_says_that_nobody_knows_whom_it_was_trained_on(make: Make, tmp_path: Path, emodb_dir: Path) -> None:
    convert(classifier(make(), {0: "ang", 1: "neu"}), tmp_path / "model.onnx")
    recognizer = Recognizer.load(tmp_path / "model.onnx")
    assert (recognizer.card.train_speakers, recognizer.card.is_commercial_use_allowed) == ((), False)
    assert recognizer.card.maximum_duration == 30
    with pytest.raises(LeakageError, match="the training speakers of fine-tuned are unknown"):
        evaluate_model(recognizer.card, recognizer.predict, ("emodb",), {"emodb": emodb_dir}, tmp_path / "run")


@pytest.mark.parametrize("kind", ["multi_label_classification", "regression"])
def test_what_does_not_choose_one_label_is_refused(make: Make, tmp_path: Path, kind: str) -> None:
    folder = classifier(make(), {0: "ang", 1: "neu"}, problem_type=kind)
    with pytest.raises(RecipeError, match=f"does not choose one of several labels .{kind}"):
        convert(folder, tmp_path / "model.onnx")


def test_a_checkpoint_of_pickles_is_refused(make: Make, tmp_path: Path) -> None:
    folder = classifier(make(), {0: "ang", 1: "neu"})
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(RecipeError, match="serkit loads no pickle"):
        convert(folder, tmp_path / "model.onnx")


def test_what_is_no_classifier_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is not an audio classifier"):
        convert(make(), tmp_path / "model.onnx")


@pytest.mark.parametrize(("family", "why"), [("whisper", "30 s window"), ("sew", "full rate")])
def test_classifiers_that_hear_something_else_are_refused(make: Make, tmp_path: Path, family: str, why: str) -> None:
    with pytest.raises(RecipeError, match=why):
        convert(make(family), tmp_path / "model.onnx")


def test_a_folder_in_place_of_a_file_is_refused(make: Make, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is a folder"):
        convert(make(), tmp_path)


# A run of ours as a folder of theirs


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("wav2vec2", {}),
        ("wav2vec2 stable", {}),
        pytest.param("hubert", {"layers": "weighted", "tuning": "last"}, marks=pytest.mark.long),
        pytest.param("wavlm stable", {"tuning": "lora"}, marks=pytest.mark.long),
        ("wavlm", {"tuning": "lora"}),
        pytest.param("data2vec-audio", {"tuning": "lora", "layers": "weighted"}, marks=pytest.mark.long),
    ],
)
def test_pipelines_answer_as_the_model_file_does(
    make: Make, tmp_path: Path, emodb_dir: Path, family: str, settings: dict[str, Any]
) -> None:
    """With the temperature, which is not 1, in their last layer."""
    name, *stable = family.split()
    tuned(make(name, stable=bool(stable)), emodb_dir, tmp_path / "run", **settings)
    assert read_json(tmp_path / "run", "metrics.json")["fits"][0]["temperature"] != 1
    export(tmp_path / "run", tmp_path / "model.onnx")
    save_classifier(tmp_path / "run", tmp_path / "theirs")
    for sound in sounds(0.5, 3.0):
        expected = ours(tmp_path / "model.onnx", sound)
        assert theirs(tmp_path / "theirs", sound) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("part", ["projector", "classifier"])
def test_a_folder_that_would_answer_otherwise_is_refused(
    make: Make, tmp_path: Path, emodb_dir: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned(make(), emodb_dir, tmp_path / "run")
    parts = transformers_folder._parts

    def without(body: Any, network: Any) -> list[Any]:
        return [pair for pair in parts(body, network) if pair[1] is not getattr(network, part)]

    monkeypatch.setattr(transformers_folder, "_parts", without)
    with pytest.raises(ExportError, match="would differ from those of transformers"):
        save_classifier(tmp_path / "run", tmp_path / "theirs")
    assert not [*(tmp_path / "theirs").iterdir()]


def test_a_sum_that_includes_a_norm_after_the_last_layer_becomes_no_folder(make: Make, tmp_path: Path) -> None:
    from serkit.lab.recipes.files import dump_recipe

    model = {"name": "ssl", "model": str(make("hubert", stable=True)), "layers": "weighted"}
    recipe = parse_recipe({"name": "x", "corpora": ["emodb"], "labels": "emodb", "model": model})
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), "utf-8")
    with pytest.raises(ExportError, match=r"train with model\.layers: last"):
        save_classifier(tmp_path, tmp_path / "theirs")


@pytest.mark.long
def test_there_and_back(make: Make, tmp_path: Path, emodb_dir: Path) -> None:
    tuned(make(), emodb_dir, tmp_path / "run")
    save_classifier(tmp_path / "run", tmp_path / "theirs")
    convert(tmp_path / "theirs", tmp_path / "back.onnx")
    export(tmp_path / "run", tmp_path / "model.onnx")
    (sound,) = sounds(1.3)
    assert ours(tmp_path / "back.onnx", sound) == pytest.approx(ours(tmp_path / "model.onnx", sound), abs=1e-4)


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ({"name": "crnn"}, "transformers has no class for the model .crnn."),
        ({"name": "ssl", "model": "x", "pooling": "attentive"}, "no attentive statistics"),
    ],
)
def test_what_transformers_has_no_class_for_is_refused(tmp_path: Path, model: dict[str, str], why: str) -> None:
    from serkit.lab.recipes.files import dump_recipe

    recipe = parse_recipe({"name": "x", "corpora": ["emodb"], "labels": "emodb", "model": model})
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), "utf-8")
    with pytest.raises(ExportError, match=why):
        save_classifier(tmp_path, tmp_path / "theirs")


def test_trimmed_silence_is_refused(make: Make, tmp_path: Path) -> None:
    from serkit.lab.recipes.files import dump_recipe

    recipe = parse_recipe(
        {
            "name": "x", "corpora": ["emodb"], "labels": "emodb", "model": {"name": "ssl", "model": str(make())},
            "features": {"name": "waveform", "trim_db": 40},
        }
    )  # fmt: skip
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), "utf-8")
    with pytest.raises(ExportError, match="train without trim_db"):
        save_classifier(tmp_path, tmp_path / "theirs")
