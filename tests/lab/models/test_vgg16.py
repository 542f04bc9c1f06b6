"""VGG16 on spectrogram pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.vgg16 import Vgg16, Vgg16Config
from serkit.lab.recipes.config import build_settings
from support.layouts import CLASSES, count_weights

TINY = Vgg16Config.tiny()
TORCHVISION = {  # its tensors at 1000 classes
    "features.0": (64, 3), "features.2": (64, 64), "features.5": (128, 64), "features.7": (128, 128),
    "features.10": (256, 128), "features.12": (256, 256), "features.14": (256, 256), "features.17": (512, 256),
    "features.19": (512, 512), "features.21": (512, 512), "features.24": (512, 512), "features.26": (512, 512),
    "features.28": (512, 512), "classifier.0": (4096, 25_088), "classifier.3": (4096, 4096),
    "classifier.6": (1000, 4096),
}  # fmt: skip


def picture(rows: int, columns: int | None = None) -> Layout:
    return Layout("image", (("spectrogram_image", rows),), columns or rows)


def tiny(classes: int = CLASSES, **changes: Any) -> Vgg16:
    torch.manual_seed(0)
    return Vgg16(picture(32), classes, replace(TINY, **changes))


def written(body: Vgg16, path: Path, **changes: Tensor | None) -> str:
    """Write its weights as torchvision's would be, some of them exchanged or left out."""
    tensors = {**body.state_dict(), **{name.replace("_", "."): tensor for name, tensor in changes.items()}}
    save_file({name: tensor for name, tensor in tensors.items() if tensor is not None}, path)
    return str(path)


def test_its_true_size_is_the_papers_and_its_tensors_are_torchvisions() -> None:
    with torch.device("meta"):
        body = Vgg16(picture(224), 1000, Vgg16Config())
    assert count_weights(body) == 138_357_544
    expected = {}
    for name, (outputs, inputs) in TORCHVISION.items():
        expected[f"{name}.weight"] = (outputs, inputs, 3, 3) if name.startswith("features") else (outputs, inputs)
        expected[f"{name}.bias"] = (outputs,)
    assert {name: tuple(tensor.shape) for name, tensor in body.state_dict().items()} == expected


@pytest.mark.parametrize("columns", [32, 96])
def test_the_dense_head_is_sized_for_the_picture(columns: int) -> None:
    body = Vgg16(picture(64, columns), CLASSES, TINY).eval()
    output = body(torch.rand(2, 64, columns), torch.full((2,), columns))
    assert output.logits.shape == (2, CLASSES)
    assert output.embedding.shape == (2, body.embedding_size) == (2, 64)


@pytest.mark.parametrize(("rows", "columns"), [(100, 64), (64, 100), (31, 31)])
def test_a_picture_that_cannot_be_halved_five_times_is_refused(rows: int, columns: int) -> None:
    with pytest.raises(RecipeError, match=f"rows and columns must be multiples of 32, got {rows} x {columns}"):
        Vgg16(picture(rows, columns), CLASSES, TINY)


def test_a_picture_becomes_three_channels_normalized_as_imagenets() -> None:
    body, seen = tiny().eval(), list[Tensor]()
    body.features.register_forward_pre_hook(lambda layer, given: seen.append(given[0]))
    body(torch.full((1, 32, 32), 0.5), torch.tensor([32]))
    expected = torch.tensor([(0.5 - 0.485) / 0.229, (0.5 - 0.456) / 0.224, (0.5 - 0.406) / 0.225])
    torch.testing.assert_close(seen[0], expected[None, :, None, None].expand(1, 3, 32, 32))


def test_a_file_gives_all_weights_but_those_of_another_number_of_classes(tmp_path: Path) -> None:
    pretrained = tiny(10)
    path = written(pretrained, tmp_path / "vgg16.safetensors")
    torch.manual_seed(1)
    same, other = (Vgg16(picture(32), classes, replace(TINY, weights=path)) for classes in (10, CLASSES))
    for name, weight in pretrained.state_dict().items():
        assert torch.equal(same.state_dict()[name], weight)
        if not name.startswith("classifier.6"):
            assert torch.equal(other.state_dict()[name], weight)
    assert other.classifier[6].weight.shape == (CLASSES, 64)
    assert other.classifier[6].weight.any()


def test_the_first_missing_or_wrong_tensor_is_named(tmp_path: Path) -> None:
    path = written(tiny(), tmp_path / "missing.safetensors", features_7_weight=None)
    with pytest.raises(RecipeError, match=r"missing\.safetensors' has no tensor 'features\.7\.weight'"):
        tiny(weights=path)
    path = written(tiny(), tmp_path / "wrong.safetensors", classifier_0_weight=torch.zeros(4, 5))
    with pytest.raises(RecipeError, match=r"0\.weight' has the shape \(4, 5\) in .*, and \(64, 16\) in"):
        tiny(weights=path)


def test_a_file_that_is_not_there_or_of_another_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^weights: there is no file .*none\.safetensors"):
        tiny(weights=str(tmp_path / "none.safetensors"))
    (tmp_path / "text.safetensors").write_text("not tensors")
    with pytest.raises(RecipeError, match=r"text\.safetensors' is not a safetensors file\.$"):
        tiny(weights=str(tmp_path / "text.safetensors"))


def test_frozen_convolutions_stay_as_the_file_has_them_while_the_dense_layers_train(tmp_path: Path) -> None:
    path = written(tiny(), tmp_path / "vgg16.safetensors")
    body = tiny(weights=path, frozen=True)
    body.train()(torch.rand(2, 32, 32), torch.full((2,), 32)).logits.square().sum().backward()
    assert all(weight.grad is None for weight in body.features.parameters())
    assert all(weight.grad is not None for weight in body.classifier.parameters())
    with pytest.raises(RecipeError, match="frozen convolutions would stay random"):
        replace(TINY, frozen=True)


@pytest.mark.parametrize(
    "settings", [{"channels": [64]}, {"channels": [1, 1, 1, 1, 0]}, {"dense": [0, 1]}, {"dropout": 1}]
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"{next(iter(settings))} is out of range"):
        build_settings(Vgg16Config, settings, where="model: vgg16")
