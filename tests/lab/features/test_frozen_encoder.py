"""Frames of a frozen encoder, against transformers' own."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from serkit.errors import MissingExtraError, RecipeError
from serkit.lab.encoders import pretrained_checkpoint as encoders
from serkit.lab.encoders.pretrained_checkpoint import open_checkpoint
from serkit.lab.encoders.waveform_encoder import frozen_encoder, open_encoder
from serkit.lab.exporting.model_file import export
from serkit.lab.features import build_front, feature_names, resolve_features
from serkit.lab.features.extraction import frames_of_batch
from serkit.lab.recipes.schema import parse_recipe
from serkit.lab.training.run import fit_final
from serkit.runtime.recognizer import Recognizer
from support.tiny_encoders import FAMILIES

pytest.importorskip("transformers", reason="needs serkit[ssl]")
pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]
RATE = 16_000
Make = Callable[..., Path]


def sounds(*seconds: float) -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return [rng.normal(0.01, 0.1, round(RATE * s)).astype(np.float32) for s in seconds]


def oracle(folder: Path, sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return transformers' hidden states (layers + 1, N, D) of one sound, by its own preprocessor.

    The last one is ``last_hidden_state``, which transformers 5 does not have among the others. SEW's has another rate.
    """
    import transformers

    prepare = transformers.AutoFeatureExtractor.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    given = next(iter(prepare(sound, sampling_rate=RATE, return_tensors="pt").values()))
    is_whisper = model.config.model_type == "whisper"
    with torch.inference_mode():
        output = (model.get_encoder() if is_whisper else model)(given, output_hidden_states=True)
    *states, last = output.hidden_states
    last = output.last_hidden_state if output.last_hidden_state.shape == last.shape else last
    found: NDArray[np.float32] = torch.stack([*states, last])[:, 0].numpy()
    return found[:, : -(-len(sound) // 320)] if is_whisper else found


@pytest.mark.parametrize("family", FAMILIES)
def test_hidden_states_are_transformers_own(make: Make, family: str) -> None:
    """Within 1e-5, of sounds of different lengths in one batch."""
    folder = make(family)
    for layer in (-1, 0, 1):
        front = build_front([{"name": "ssl", "model": str(folder), "layer": layer}]).inner  # the offset stays
        clips = sounds(0.3, 1.7)
        for sound, row in zip(clips, frames_of_batch(front, clips), strict=True):
            np.testing.assert_allclose(row, oracle(folder, sound)[layer], atol=1e-5)


@pytest.mark.parametrize(("normalized", "norm"), [(True, "layer"), (False, "group"), (False, "layer")])
def test_the_checkpoint_says_whether_sound_is_normalized(make: Make, normalized: bool, norm: str) -> None:
    folder = make("wav2vec2", norm=norm, normalized=normalized)
    front = build_front([{"name": "ssl", "model": str(folder)}]).inner  # the offset stays
    (sound,) = sounds(1.0)
    np.testing.assert_allclose(frames_of_batch(front, [sound])[0], oracle(folder, sound)[-1], atol=1e-5)


@pytest.mark.parametrize("family", [f"{family} {norm}" for family in FAMILIES for norm in ("group", "layer")])
def test_padding_changes_nothing(make: Make, family: str) -> None:
    name, norm = family.split()
    front = build_front([{"name": "ssl", "model": str(make(name, norm=norm))}])
    clips = sounds(0.4, 2.0)
    padded = torch.zeros(2, len(clips[1]))
    for row, sound in zip(padded, clips, strict=True):
        row[: len(sound)] = torch.from_numpy(sound)
    features, counts = front(padded, torch.tensor([len(sound) for sound in clips]))
    for i, sound in enumerate(clips):
        alone, count = front(torch.from_numpy(sound)[None], torch.tensor([len(sound)]))
        assert counts[i] == count[0]
        torch.testing.assert_close(features[i, :, : count[0]], alone[0], atol=1e-5, rtol=0)
        assert not features[i, :, count[0] :].any()


def test_whisper_hears_what_is_longer_than_a_piece_in_pieces(make: Make) -> None:
    """The tests' Whisper has pieces of 2 s."""
    folder = make("whisper")
    (sound,) = sounds(3.1)
    (row,) = frames_of_batch(build_front([{"name": "ssl", "model": str(folder)}]).inner, [sound])
    expected = [oracle(folder, piece)[-1] for piece in (sound[: 2 * RATE], sound[2 * RATE :])]
    np.testing.assert_allclose(row, np.concatenate(expected), atol=1e-5)


def test_newer_releases_keep_the_preprocessing_elsewhere(make: Make) -> None:
    folder = make("wav2vec2", seed=4)
    about = json.loads((folder / "preprocessor_config.json").read_text())
    (folder / "preprocessor_config.json").unlink()
    content = {"feature_extractor": {**about, "do_normalize": False}}
    (folder / "processor_config.json").write_text(json.dumps(content), "utf-8")
    assert not open_checkpoint(str(folder)).is_normalized


def test_an_adapter_is_refused(make: Make, tmp_path: Path) -> None:
    shutil.copytree(make(), tmp_path, dirs_exist_ok=True)
    config = json.loads((make() / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "add_adapter": True}), "utf-8")
    with pytest.raises(RecipeError, match="an adapter that drops frames"):
        open_checkpoint(str(tmp_path))


def test_pooling_gives_a_vector(make: Make) -> None:
    folder = str(make())
    (sound,) = sounds(1.0)
    states = oracle(Path(folder), sound)[-1]
    mean, statistics = (
        frames_of_batch(build_front([{"name": "ssl", "model": folder, "pooling": pooling}]), [sound])[0]
        for pooling in ("mean", "statistics")
    )
    np.testing.assert_allclose(mean[0], states.mean(0), atol=1e-5)
    np.testing.assert_allclose(statistics[0], np.concatenate([states.mean(0), states.std(0)]), atol=1e-5)


def test_an_encoder_stays_as_it_is(make: Make) -> None:
    encoder = frozen_encoder(str(make()))
    assert not encoder.training
    assert not any(weight.requires_grad for weight in encoder.parameters())


def test_another_checkpoint_has_another_version(make: Make) -> None:
    one, other = (build_front([{"name": "ssl", "model": str(make("wav2vec2", seed=seed))}]) for seed in (1, 2))
    assert one.version != other.version


# In a recipe, and in a file


@pytest.mark.parametrize("family", ["wav2vec2 group", "wav2vec2 layer", "sew layer", "whisper layer"])
@pytest.mark.parametrize("model", ["logistic", pytest.param("attention", marks=pytest.mark.long)])
def test_a_model_on_frozen_frames_becomes_one_file(
    make: Make, family: str, model: str, emodb_dir: Path, tmp_path: Path
) -> None:
    """At 0.5, 3 and 15 s, alone and in a batch; the card says whether padding would matter."""
    name, norm = family.split()
    pooling = "statistics" if model == "logistic" else "none"
    settings = {"name": "logistic"} if model == "logistic" else {"name": model, "width": 32, "heads": 2, "layers": 1}
    recipe = parse_recipe(
        {
            "name": "emodb-ssl", "corpora": ["emodb"], "labels": "emodb", "model": settings,
            "protocol": {"folds": 2, "validation_speakers": 1},
            "features": [{"name": "ssl", "model": str(make(name, norm=norm)), "pooling": pooling}],
            **({} if model == "logistic" else {"train": {"epochs": 1}}),
        }
    )  # fmt: skip
    fit_final(recipe, {"emodb": emodb_dir}, tmp_path / "run")
    export(tmp_path / "run", tmp_path / "model.onnx")
    recognizer = Recognizer.load(tmp_path / "model.onnx")
    assert recognizer.card.needs_equal_lengths is (norm == "group" or name == "sew")
    assert recognizer.card.parameters > sum(w.numel() for w in open_encoder(str(make(name, norm=norm))).parameters())
    clips = sounds(0.5, 3.0, 15.0)
    padded = np.zeros((3, len(clips[2])), np.float32)
    for row, sound in zip(padded, clips, strict=True):
        row[: len(sound)] = sound
    together, _ = recognizer.run(padded, np.array([len(sound) for sound in clips]))
    for answer, sound in zip(together, clips, strict=True):
        alone, _ = recognizer.run(sound[None], np.array([len(sound)]))
        np.testing.assert_allclose(answer, alone[0], atol=1e-4)


# What cannot be used


def test_it_is_not_listed_for_it_cannot_be_built_without_an_encoder() -> None:
    assert "ssl" not in feature_names()
    with pytest.raises(RecipeError, match="no encoder is named"):
        build_front([{"name": "ssl"}])


def test_a_checkpoint_that_is_not_there_says_what_to_download_and_where_to_put_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def offline(*args: Any, **more: Any) -> str:
        raise LocalEntryNotFoundError("cannot reach the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(
        RecipeError, match=r"model\.safetensors from https://huggingface.co/facebook/none into a folder"
    ):
        open_checkpoint("facebook/none")


def test_a_name_on_the_hub_is_fetched_without_pickles(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[Any] = []

    def fetch(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision, allow_patterns))
        return str(make())

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetch)
    assert open_checkpoint("somebody/encoder", "v1").size == 32
    assert [(name, revision) for name, revision, _ in asked] == [("somebody/encoder", "v1")]
    assert not any("bin" in pattern for pattern in asked[0][2])
    encoders._open.cache_clear()


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="is not a checkpoint of transformers"):
        open_checkpoint(str(tmp_path))


def test_another_family_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}), "utf-8")
    with pytest.raises(RecipeError, match="is of the family 'bert'; serkit supports"):
        open_checkpoint(str(tmp_path))


def test_a_pickle_is_never_loaded(make: Make, tmp_path: Path) -> None:
    shutil.copytree(make(), tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(RecipeError, match=r"has no model\.safetensors, and serkit loads no pickle"):
        open_encoder(str(tmp_path))


@pytest.mark.parametrize("wrong", [{"layer": 3}, {"layer": -4}, {"sampling_rate": 8_000}, {"pooling": "max"}])
def test_settings_that_cannot_be_are_refused(make: Make, wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=str(next(iter(wrong)))):
        build_front(resolve_features([{"name": "ssl", "model": str(make()), **wrong}]))


def test_without_transformers_the_command_that_installs_it_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    folder = str(make("wav2vec2", seed=9))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"serkit\[ssl\]"):
        open_checkpoint(folder)
