"""Fine-tuning an encoder: what is trained, at what rate, and that nothing else changes."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from serkit.errors import RecipeError
from serkit.lab.exporting.model_file import export
from serkit.lab.features import Layout
from serkit.lab.models import build_body
from serkit.lab.models.coattention import CoAttentionConfig
from serkit.lab.models.fine_tuned_encoder import FineTunedEncoder, FineTunedEncoderConfig
from serkit.lab.recipes.schema import Recipe, Train, parse_recipe
from serkit.lab.training.loop import build_optimizer
from serkit.lab.training.run import fit_final, run_protocol
from serkit.runtime.recognizer import Recognizer
from support.tiny_encoders import FAMILIES

pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytest.importorskip("peft", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
RATE, CLASSES = 16_000, 3
LAYOUT = Layout("frames", (("waveform", 1),))
Make = Callable[..., Path]


def built(folder: Path, *, seed: int = 0, **settings: Any) -> FineTunedEncoder:
    torch.manual_seed(seed)
    body = build_body("ssl", {"model": str(folder), "embedding": 16, **settings}, layout=LAYOUT, classes=CLASSES)
    assert isinstance(body, FineTunedEncoder)
    return body


def clips(*seconds: float) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    lengths = [round(RATE * s) for s in seconds]
    padded = torch.zeros(len(lengths), 1, max(lengths))
    for row, length in zip(padded, lengths, strict=True):
        row[0, :length] = torch.from_numpy(rng.normal(0.01, 0.1, length))
    return padded, torch.tensor(lengths)


def changed_by_training(body: FineTunedEncoder, steps: int = 3) -> set[str]:
    """Train on three clips and return the names of all weights and statistics that are others now."""
    before = {name: value.detach().clone() for name, value in body.state_dict().items()}
    features, lengths = clips(0.3, 0.5, 0.4)
    optimizer = build_optimizer(body.rates(), Train(lr=1e-2, weight_decay=0.1))
    body.train()
    for _ in range(steps):
        loss = nn.functional.cross_entropy(body(features, lengths).logits, torch.arange(3))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {name for name, value in body.state_dict().items() if not torch.equal(value, before[name])}


def of_encoder(names: set[str]) -> set[str]:
    return {name for name in names if name.startswith("encoder.")}


ALWAYS_ALONE = ("data2vec-audio", "sew", "wav2vec2-conformer")  # whatever their norms
HEAD = {"project.weight", "project.bias", "classify.1.weight", "classify.1.bias"}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_frozen_encoder_stays_as_it_is_and_the_head_learns(make: Make, family: str) -> None:
    assert changed_by_training(built(make(family), tuning="frozen")) == HEAD


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_trains_its_own_and_the_head_alone(make: Make, family: str) -> None:
    """And all of its own: none is attached where the encoder does not look."""
    body = built(make(family), tuning="lora")
    changed = changed_by_training(body)
    assert {name for name in body.state_dict() if "lora_" in name} == of_encoder(changed) != set()
    assert changed - of_encoder(changed) == HEAD


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layers_alone(make: Make, family: str) -> None:
    changed = of_encoder(changed_by_training(built(make(family), tuning="last", last_layers=1)))
    assert changed
    assert all(".layers.1." in name for name in changed)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("convolutions", [False, True])
def test_full_tuning_leaves_the_convolutions_unless_asked(make: Make, family: str, convolutions: bool) -> None:
    changed = of_encoder(changed_by_training(built(make(family), tuning="full", trains_convolutions=convolutions)))
    assert any(".layers.0." in name for name in changed)
    first = ("network.feature_extractor.", "network.conv1.", "network.conv2.")
    assert any(name.removeprefix("encoder.").startswith(first) for name in changed) is convolutions


def test_each_layer_down_learns_more_slowly(make: Make) -> None:
    body = built(make("hubert"), lr_decay=0.5, layers="weighted")
    share_of = {id(weight): share for share, weights in body.rates() for weight in weights}
    shares = {name: share_of.get(id(weight)) for name, weight in body.named_parameters()}
    assert shares["project.weight"] == shares["shares"] == 1
    assert shares["encoder.network.encoder.layers.1.attention.q_proj.weight"] == 0.5
    assert shares["encoder.network.encoder.layers.0.attention.q_proj.weight"] == 0.25
    assert shares["encoder.network.feature_projection.projection.weight"] == 0.125
    assert shares["encoder.network.feature_extractor.conv_layers.0.conv.weight"] is None
    groups = build_optimizer(body.rates(), Train(lr=0.1)).param_groups
    assert sorted(group["lr"] for group in groups) == pytest.approx([0.0125, 0.025, 0.05, 0.1])


def test_a_norm_behind_the_last_layer_learns_as_that_layer_does(make: Make) -> None:
    body = built(make("whisper"), lr_decay=0.5)
    share_of = {id(weight): share for share, weights in body.rates() for weight in weights}
    assert share_of[id(body.encoder.network.layer_norm.weight)] == 0.5


@pytest.mark.parametrize("tuning", ["full", "last", "lora"])
def test_gradients_stop_at_what_is_not_trained(make: Make, tuning: str) -> None:
    """transformers takes them down to the waveform unless it is told that its convolutions are frozen."""
    body = built(make("wav2vec2"), tuning=tuning).train()
    heard: list[bool] = []
    body.encoder.network.feature_extractor.register_forward_hook(lambda *got: heard.append(got[2].requires_grad))
    body(*clips(0.4))
    assert heard == [False]


def test_checkpointing_changes_no_gradient(make: Make) -> None:
    plain, again = (built(make("wav2vec2"), checkpointing=on) for on in (False, True))
    for body in (plain, again):
        features, lengths = clips(0.4, 0.4)
        torch.manual_seed(1)
        body.train()
        body(features, lengths).logits.square().sum().backward()
    for one, other in zip(plain.parameters(), again.parameters(), strict=True):
        if one.grad is not None:
            torch.testing.assert_close(one.grad, other.grad)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_padding_changes_nothing(make: Make, family: str, norm: str) -> None:
    """And what is shorter than a frame is heard with silence behind it."""
    head = {"pooling": "mean"} if norm == "group" else {"pooling": "attentive", "layers": "weighted"}
    body = built(make(family, norm=norm), **head).eval()
    features, lengths = clips(0.3, 1.0, 0.6, 0.005)
    with torch.inference_mode():
        together = body(features, lengths)
        for i, length in enumerate(lengths.tolist()):
            alone = body(features[i : i + 1, :, :length], lengths[i : i + 1])
            torch.testing.assert_close(together.logits[i], alone.logits[0], atol=1e-5, rtol=0)
            torch.testing.assert_close(together.embedding[i], alone.embedding[0], atol=1e-5, rtol=0)
    is_blind = family == "whisper" or (norm == "layer" and family not in ALWAYS_ALONE)
    assert body.needs_equal_lengths is not is_blind


@pytest.mark.parametrize("tuning", ["full", "lora"])
def test_weights_come_back_without_those_of_the_checkpoint(make: Make, tmp_path: Path, tuning: str) -> None:
    """Its settings are needed, its tensors are not."""
    folder = make("wav2vec2", seed=7)
    settings = {"tuning": tuning, "layers": "weighted"}
    body = built(folder, **settings)
    changed_by_training(body)
    body.save(tmp_path)
    (folder / "model.safetensors").rename(folder / "elsewhere")
    again = build_body(
        "ssl", {"model": str(folder), "embedding": 16, **settings}, layout=LAYOUT, classes=CLASSES, is_for_weights=True
    )
    again.load(tmp_path)
    (folder / "elsewhere").rename(folder / "model.safetensors")
    features, lengths = clips(0.5)
    with torch.inference_mode():
        assert torch.equal(body.eval()(features, lengths).logits, again.eval()(features, lengths).logits)


def test_a_checkpoint_that_lacks_weights_is_refused(make: Make, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = make()
    weights = {f"other.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(RecipeError, match=r"lacks \d+ weights, such as .* they would stay random"):
        built(tmp_path)


# What cannot be


def test_sound_at_another_rate_is_refused(make: Make) -> None:
    layout = Layout("frames", (("waveform", 1),), None, 22_050)
    with pytest.raises(RecipeError, match="needs features of sound at 16000 Hz, got 22050 Hz"):
        build_body("ssl", {"model": str(make())}, layout=layout, classes=2)


def test_masks_would_silence_a_waveform() -> None:
    recipe = {"name": "x", "corpora": ["emodb"], "labels": "emodb", "model": {"name": "ssl", "model": "x"}}
    with pytest.raises(RecipeError, match="set band_masks and frame_masks to 0"):
        parse_recipe({**recipe, "augment": {"band_masks": 1}})


def test_it_reads_the_waveform_alone(make: Make) -> None:
    with pytest.raises(RecipeError, match="ssl reads the waveform, not logmel"):
        build_body("ssl", {"model": str(make())}, layout=Layout("frames", (("logmel", 64),)), classes=2)


def test_without_a_checkpoint_it_says_so() -> None:
    with pytest.raises(RecipeError, match="no encoder is named"):
        build_body("ssl", {}, layout=LAYOUT, classes=2)


def test_lora_where_wavlm_would_not_hear_it_is_refused(make: Make) -> None:
    with pytest.raises(RecipeError, match="bypasses the modules of its projections"):
        built(make("wavlm"), tuning="lora", lora_targets=("q_proj",))


def test_lora_on_layers_that_are_not_there_is_refused(make: Make) -> None:
    with pytest.raises(RecipeError, match="has no modules named nowhere"):
        built(make(), tuning="lora", lora_targets=("nowhere",))


@pytest.mark.parametrize(
    "wrong",
    [
        {"tuning": "some"}, {"last_layers": 0},
        {"last_layers": 3, "tuning": "last"},
        {"lora_rank": 0}, {"lora_alpha": 0.0}, {"lora_dropout": 1.0},
        {"layers": "first"}, {"pooling": "max"}, {"embedding": 0}, {"dropout": 1.0}, {"lr_decay": 0.0},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_are_refused(make: Make, wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=str(next(iter(wrong)))):
        built(make(), **wrong)


@pytest.mark.parametrize(
    ("tuning", "useless"),
    [
        ("full", {"last_layers": 3}), ("last", {"lora_rank": 4}), ("frozen", {"lr_decay": 0.9}),
        ("lora", {"trains_convolutions": True}), ("frozen", {"checkpointing": True}),
    ],
)  # fmt: skip
def test_settings_that_a_tuning_would_ignore_are_refused(tuning: str, useless: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"^{next(iter(useless))} is only for tuning .*, but tuning is {tuning}.$"):
        FineTunedEncoderConfig(**useless, tuning=tuning)


# In a recipe, and in a file


def recipe_of(folder: Path, **settings: Any) -> Recipe:
    model = {"name": "ssl", "model": str(folder), "embedding": 16, **settings}
    return parse_recipe(
        {
            "name": "emodb-tuned", "corpora": ["emodb"], "labels": "emodb", "model": model,
            "protocol": {"folds": 2, "validation_speakers": 1},
            "train": {"epochs": 1, "lr": 3e-3, "batch_size": 4, "accumulate": 2, "keep": "last"},
        }
    )  # fmt: skip


@pytest.mark.long
def test_fine_tuning_learns_what_can_be_learned(make: Make, emodb_dir: Path, tmp_path: Path) -> None:
    """The synthetic corpus has one tone for each emotion: 95 % of speakers never heard is the least."""
    recipe = recipe_of(make("hubert", norm="layer"), trains_convolutions=True)
    longer = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 30, "lr": 1e-2})})
    metrics = run_protocol(longer, {"emodb": emodb_dir}, tmp_path)
    assert metrics["uar"] >= 95


@pytest.mark.parametrize(
    ("family", "settings"),
    [
        ("wav2vec2 group", {}),
        ("wavlm layer", {"tuning": "lora", "layers": "weighted"}),
        ("whisper layer", {"pooling": "attentive"}),
    ],
)
def test_a_fine_tuned_encoder_becomes_one_file(
    make: Make, family: str, settings: dict[str, Any], emodb_dir: Path, tmp_path: Path
) -> None:
    """At 0.5, 3 and 15 s, alone and in a batch."""
    name, norm = family.split()
    fit_final(recipe_of(make(name, norm=norm), **settings), {"emodb": emodb_dir}, tmp_path / "run")
    assert export(tmp_path / "run", tmp_path / "model.onnx") <= 1e-4
    recognizer = Recognizer.load(tmp_path / "model.onnx")
    assert recognizer.card.needs_equal_lengths is (norm == "group")
    assert recognizer.card.maximum_duration == 30
    features, lengths = clips(0.5, 3.0, 15.0)
    together, _ = recognizer.run(features[:, 0].numpy(), lengths.numpy())
    for i, length in enumerate(lengths.tolist()):
        alone, _ = recognizer.run(features[i, :, :length].numpy(), lengths[i : i + 1].numpy())
        np.testing.assert_allclose(together[i], alone[0], atol=1e-4)


@pytest.mark.long
def test_an_encoder_and_co_attention_vote_in_one_file(make: Make, emodb_dir: Path, tmp_path: Path) -> None:
    """A majority vote, as in the iemocap-coattention report."""
    tiny = {key: value for key, value in asdict(CoAttentionConfig.tiny()).items() if key != "segment_seconds"}
    recipe = parse_recipe(
        {
            "name": "emodb-vote", "corpora": ["emodb"], "labels": "emodb",
            "protocol": {"folds": 2, "validation_speakers": 1}, "train": {"epochs": 1, "batch_size": 8},
            "model": {
                "name": "ensemble", "rule": "majority",
                "members": [
                    {"name": "ssl", "model": str(make("hubert", norm="layer")), "embedding": 8},
                    {"name": "coattention", **tiny},
                    {"model": "logistic", "features": [{"name": "statistics", "sampling_rate": RATE}]},
                ],
            },
        }
    )  # fmt: skip
    fit_final(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    assert export(tmp_path / "run", tmp_path / "model.onnx") <= 1e-4
    shares = Recognizer.load(tmp_path / "model.onnx").run(clips(1.0)[0][:, 0].numpy(), np.array([RATE]))[0]
    np.testing.assert_allclose(shares * 3, (shares * 3).round(), atol=2e-3)
