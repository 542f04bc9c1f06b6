"""An encoder that was fine-tuned on somebody is not tested on them, and what is made with it says whom it has heard."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serkit.data.corpora import read_corpora
from serkit.data.manifest import Manifest
from serkit.errors import LeakageError, RecipeError, RunError
from serkit.lab.audit.unseen_corpora import evaluate_model
from serkit.lab.encoders.checkpoint_files import CARD
from serkit.lab.encoders.folder_card import write_folder_card
from serkit.lab.encoders.pretrained_checkpoint import open_checkpoint
from serkit.lab.encoders.waveform_encoder import frozen_encoder
from serkit.lab.exporting import model_file
from serkit.lab.exporting.model_file import export
from serkit.lab.exporting.transformers_folder import convert, save_classifier
from serkit.lab.measure.run_folder import read_json
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.splits.folds import Split
from serkit.lab.splits.protocols import make_split
from serkit.lab.training import hearing
from serkit.lab.training.encoder_history import check_encoders_apart, encoder_cards
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.run import fit_final, run_protocol
from serkit.runtime.recognizer import Recognizer
from support.lying_models import CARD as ANY_CARD
from support.synthetic import write_corpus
from support.tiny_encoders import write_checkpoint
from support.toy import sounds

transformers = pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread", "quick_bootstrap"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
HEARD = ("emodb/03", "emodb/08")
LOSO = {"name": "leave_one_speaker_out", "validation_speakers": 1}


@pytest.fixture(autouse=True)
def rough_parity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Model files are held to torch on short clips only, which other tests do on long ones."""
    monkeypatch.setattr(model_file, "_PARITY_SECONDS", (0.2, 0.73))


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Path:
    """A tiny encoder that was fine-tuned on two speakers of EmoDB, as a folder for transformers. Read only."""
    folder = tmp_path_factory.mktemp("tuned")
    data = write_corpus("emodb", folder / "emodb", speakers=("03", "08"), per_class=1)
    recipe = recipe_of(
        "emodb",
        model={
            "name": "ssl",
            "model": str(write_checkpoint(folder / "base", "wav2vec2", norm="layer")),
            "embedding": 8,
        },
        protocol={"validation": "none"},
        train={"epochs": 1},
    )
    fit_final(recipe, {"emodb": data}, folder / "run")
    save_classifier(folder / "run", folder / "theirs")
    return folder / "theirs"


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """An encoder with random weights, whose card names two speakers."""
    folder = write_checkpoint(tmp_path / "known", "wav2vec2", norm="layer")
    write_folder_card(folder, replace(ANY_CARD, train_speakers=HEARD[:1], validation_speakers=HEARD[1:]))
    return folder


def recipe_of(corpus: str, **settings: Any) -> Recipe:
    return parse_recipe({"name": "on-top", "corpora": [corpus], "labels": corpus, "protocol": LOSO, **settings})


def frozen(encoder: Path) -> dict[str, Any]:
    """Return the settings of a classifier on the features of a frozen encoder."""
    return {"features": [{"name": "ssl", "model": str(encoder), "pooling": "mean"}], "model": "logistic"}


def network(encoder: Path) -> dict[str, Any]:
    return {"model": {"name": "ssl", "model": str(encoder), "embedding": 8}, "train": {"epochs": 1}}


def attention(encoder: Path) -> dict[str, Any]:
    return {"model": {"name": "coattention", "encoder": str(encoder)}, "train": {"epochs": 1}}


def ensemble(encoder: Path, **more: Any) -> dict[str, Any]:
    members = [{"features": [{"name": "logmel"}], "model": "cnn2d"}, frozen(encoder)]
    return {"model": {"name": "ensemble", "members": members, **more}}


def check(recipe: Recipe, data: Path) -> None:
    """Check the encoders of a recipe on a corpus, without its audio."""
    resolved = resolve_recipe(recipe)
    manifest = read_corpora(recipe.corpora, {recipe.corpora[0]: data})
    check_encoders_apart(resolved, make_split(manifest, recipe.protocol, sounds(manifest)), manifest)


# From one recipe to the next


def test_the_folder_says_whom_the_encoder_was_trained_on_and_transformers_still_loads_it(tuned: Path) -> None:
    card = open_checkpoint(str(tuned)).card
    assert card is not None
    assert (card.train_speakers, card.name, card.temperature) == (HEARD, "on-top", 1.0)
    pipe = transformers.pipeline("audio-classification", str(tuned), device="cpu")
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    found = pipe({"raw": sound, "sampling_rate": 16_000}, top_k=100)
    assert {row["label"] for row in found} == {*card.classes}


@pytest.mark.parametrize("use", [frozen, network])
def test_an_encoder_is_not_tested_on_its_training_speakers_and_no_audio_is_read(
    tuned: Path, emodb_dir: Path, tmp_path: Path, use: Callable[[Path], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hearing, "open_store", lambda *given: pytest.fail("audio is read"))
    recipe = recipe_of("emodb", **use(tuned))
    for run in (run_protocol, fit_final):
        with pytest.raises(
            LeakageError,
            match=r"the encoder '.*theirs' was fitted on [12] of the test or validation speakers .*emodb/0",
        ):
            run(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_on_top_has_heard_the_encoders_speakers_too(
    tuned: Path, ravdess_dir: Path, emodb_dir: Path, tmp_path: Path
) -> None:
    fit_final(recipe_of("ravdess", **frozen(tuned)), {"ravdess": ravdess_dir}, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model.onnx")
    recognizer = Recognizer.load(tmp_path / "model.onnx")
    card = recognizer.card
    assert {*HEARD} < {*card.train_speakers}
    assert not {*HEARD} & {*card.validation_speakers}
    assert card.languages == ("de", "en")
    assert [(corpus["name"], corpus["speakers"]) for corpus in card.corpora] == [("ravdess", 6), ("emodb", 2)]
    assert card.license.startswith("CC-BY-NC-SA-4.0 AND that of ")  # the encoder began with a checkpoint without a card
    with pytest.raises(LeakageError, match="was fitted on 2 of the test speakers"):
        evaluate_model(card, recognizer.predict, ("emodb",), {"emodb": emodb_dir}, tmp_path / "scored")
    record = read_json(tmp_path / "run", "env.json")["encoders"][str(tuned)]
    assert record == {"weights_digest": open_checkpoint(str(tuned)).weights_digest, "speakers": [*HEARD]}


def test_a_converted_folder_keeps_its_history_and_is_refused_on_its_own_speakers(
    tuned: Path, emodb_dir: Path, tmp_path: Path
) -> None:
    convert(tuned, tmp_path / "back.onnx")
    recognizer, known = Recognizer.load(tmp_path / "back.onnx"), open_checkpoint(str(tuned)).card
    card = recognizer.card
    assert known is not None
    for name in ("name", "train_speakers", "corpora", "license", "languages", "recipe", "label_set", "split_digest"):
        assert getattr(card, name) == getattr(known, name)
    with pytest.raises(LeakageError, match="was fitted on 2 of the test speakers"):
        evaluate_model(card, recognizer.predict, ("emodb",), {"emodb": emodb_dir}, tmp_path / "own")
    others = write_corpus("emodb", tmp_path / "others", speakers=("09", "10"), per_class=1)
    found = evaluate_model(card, recognizer.predict, ("emodb",), {"emodb": others}, tmp_path / "others-run")
    assert found["speakers"] == 2


def test_other_labels_keep_the_history_and_lose_the_measurements(tuned: Path, tmp_path: Path) -> None:
    folder = tmp_path / "renamed"
    folder.mkdir()
    for file in tuned.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    content = json.loads((folder / "config.json").read_text("utf-8"))
    content["id2label"] = {key: f"{name}!" for key, name in content["id2label"].items()}
    del content["label2id"]
    (folder / "config.json").write_text(json.dumps(content), "utf-8")
    convert(folder, tmp_path / "model.onnx")
    card = Recognizer.load(tmp_path / "model.onnx").card
    assert (card.train_speakers, card.label_set, card.validated_on) == (HEARD, "checkpoint", "nobody")


def test_a_run_is_neither_resumed_nor_exported_with_another_card(
    known: Path, tmp_path: Path, ravdess_dir: Path
) -> None:
    recipe, run = recipe_of("ravdess", **frozen(known)), tmp_path / "run"
    fit_final(recipe, {"ravdess": ravdess_dir}, run)
    fit_final(recipe, {"ravdess": ravdess_dir}, run)
    before = (known / CARD).read_bytes()
    for change in (
        lambda: write_folder_card(known, replace(ANY_CARD, train_speakers=("emodb/09",))),
        (known / CARD).unlink,
    ):
        change()
        for use in (lambda: fit_final(recipe, {"ravdess": ravdess_dir}, run), lambda: export(run, tmp_path / "x.onnx")):
            with pytest.raises(RunError, match="was begun with other weights or another card of the encoder"):
                use()
    (known / CARD).write_bytes(before)
    export(run, tmp_path / "x.onnx")


def test_a_folder_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    """A process that fine-tunes twice into one folder would get the first network with the second card."""
    import torch

    sound = torch.linspace(-1, 1, 4000)[None].sin()
    states = []
    for seed, norm in ((0, "layer"), (1, "layer"), (1, "group")):
        write_checkpoint(tmp_path / "again", "wav2vec2", norm=norm, seed=seed)
        states.append(frozen_encoder(str(tmp_path / "again"))(sound, torch.tensor([4000]))[0][-1])
    assert not torch.equal(states[0], states[1])
    assert open_checkpoint(str(tmp_path / "again")).config.feat_extract_norm == "group"


# Which speakers are compared


@pytest.mark.parametrize("use", [frozen, network, attention, ensemble])
def test_encoders_are_found_in_features_models_and_members(
    known: Path, emodb_dir: Path, use: Callable[[Path], dict[str, Any]]
) -> None:
    with pytest.raises(LeakageError, match=r"fitted on 2 of the test or validation speakers \(emodb/03, emodb/08\)"):
        check(recipe_of("emodb", **use(known)), emodb_dir)


def test_an_encoder_that_a_search_may_choose_is_checked(
    known: Path, make: Callable[..., Path], emodb_dir: Path
) -> None:
    other = str(make("wav2vec2", norm="layer"))
    recipe = recipe_of(
        "emodb", model={"name": "ssl", "model": other}, tune={"space": {"model.model": [other, str(known)]}}
    )
    with pytest.raises(LeakageError, match="known' was fitted on 2"):
        check(recipe, emodb_dir)


def test_names_that_differ_in_form_only_are_one_speaker(known: Path, emodb_dir: Path) -> None:
    write_folder_card(known, replace(ANY_CARD, train_speakers=("EmoDB/03 ",)))
    with pytest.raises(LeakageError, match="fitted on 1 of the test or validation speakers"):
        check(recipe_of("emodb", **frozen(known)), emodb_dir)


def trained_on(speaker: str, recipe: Recipe, data: Path) -> tuple[Split, Manifest]:
    """Return a fold that a speaker is on the training side of."""
    manifest = read_corpora(recipe.corpora, {recipe.corpora[0]: data})
    split = make_split(manifest, recipe.protocol, sounds(manifest))
    fold = next(f for f in split.folds if any(name.startswith(speaker) for name in f.train))
    return replace(split, folds=(fold,)), manifest


@pytest.mark.parametrize(
    ("settings", "is_allowed"),
    [
        ({}, True),
        ({"tune": {"space": {"model.c": [0.1, 1.0]}}}, False),
        ({"model": {"name": "ensemble", "inner_folds": 2}}, False),
        ({"protocol": {"name": "leave_one_speaker_out", "validation": "sentences"}}, False),
        ({"protocol": {"name": "random", "speaker_dependent": True}}, False),
    ],
    ids=["trained", "searched", "inner folds", "same validation speakers", "random"],
)
def test_an_encoder_may_know_training_speakers_unless_something_is_chosen_on_them(
    known: Path, emodb_dir: Path, settings: dict[str, Any], is_allowed: bool
) -> None:
    write_folder_card(known, replace(ANY_CARD, train_speakers=HEARD[:1]))
    model = settings.get("model")
    if model:
        settings = settings | ensemble(known, **{key: value for key, value in model.items() if key != "name"})
    recipe = recipe_of("emodb", **({} if model else frozen(known)) | settings)
    split, manifest = trained_on(HEARD[0], recipe, emodb_dir)
    if is_allowed:
        check_encoders_apart(resolve_recipe(recipe), split, manifest)
    else:
        with pytest.raises(LeakageError, match="fitted on 1 of the test or validation speakers"):
            check_encoders_apart(resolve_recipe(recipe), split, manifest)


def test_a_checkpoint_without_a_card_is_allowed(make: Callable[..., Path], emodb_dir: Path) -> None:
    recipe = recipe_of("emodb", **frozen(make("wav2vec2", norm="layer")))
    check(recipe, emodb_dir)
    assert [*encoder_cards(recipe).values()] == [None]


def test_a_card_of_other_weights_is_refused_before_work(known: Path, emodb_dir: Path) -> None:
    (known / CARD).write_text(
        (known / CARD).read_text("utf-8").replace('"model.safetensors": "', '"model.safetensors": "0')
    )
    with pytest.raises(RecipeError, match="describes other weights"):
        check(recipe_of("emodb", **network(known)), emodb_dir)
