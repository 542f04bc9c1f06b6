"""Features come in hertz, decibels and shares: once a body was fitted, the unit of a number changes nothing."""

import pytest
import torch

from serkit.errors import RecipeError
from serkit.lab.features import Layout
from serkit.lab.models.alexnet1d import AlexNet1d, AlexNet1dConfig
from serkit.lab.models.attention import Attention, AttentionConfig
from serkit.lab.models.bidirectional_rnn import BidirectionalRnn, BidirectionalRnnConfig
from serkit.lab.models.blocks.scaling import fit_scalings
from serkit.lab.models.body import Body
from serkit.lab.models.cnn1d import Cnn1d, Cnn1dConfig
from serkit.lab.models.cnn2d import Cnn2d, Cnn2dConfig
from serkit.lab.models.mfcc_cnn import MfccCnn, MfccCnnConfig
from serkit.lab.models.resnet1d import ResNet1d, ResNet1dConfig
from serkit.lab.models.transformer import Transformer, TransformerConfig
from support.layouts import CLASSES, frames, utterances, vector, vectors

SIZE = 16
CONFIGS = {
    AlexNet1d: AlexNet1dConfig, ResNet1d: ResNet1dConfig, BidirectionalRnn: BidirectionalRnnConfig,
    Attention: AttentionConfig, Transformer: TransformerConfig, Cnn1d: Cnn1dConfig, Cnn2d: Cnn2dConfig,
    MfccCnn: MfccCnnConfig,
}  # fmt: skip
KINDS = [(body, kind) for body in CONFIGS for kind in body.reads]
every_kind = pytest.mark.parametrize(("model", "kind"), KINDS)


def tiny(model: type[Body], kind: str) -> Body:
    torch.manual_seed(0)
    layout = vector(SIZE) if kind == "vector" else frames(SIZE)
    return model(layout, CLASSES, CONFIGS[model].tiny()).eval()  # type: ignore[index]


def features_of(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    return vectors(8, SIZE) if kind == "vector" else utterances(30, 12, 1, 25, size=SIZE)


@every_kind
def test_the_unit_of_a_number_changes_nothing_once_a_body_is_fitted(model: type[Body], kind: str) -> None:
    features, lengths = features_of(kind)
    factor = torch.logspace(-2, 3, SIZE)[:, None]
    valid = torch.arange(features.shape[2])[None, None, :] < lengths[:, None, None]
    outputs = []
    for changed in (features, (factor * features + 3 * factor) * valid):
        body = tiny(model, kind)
        fit_scalings(body, [row[:, :n].T.numpy() for row, n in zip(changed, lengths.tolist(), strict=True)])
        outputs.append(body(changed, lengths))
    torch.testing.assert_close(outputs[1].logits, outputs[0].logits, atol=1e-4, rtol=0)


@every_kind
def test_what_stands_behind_the_end_is_never_read(model: type[Body], kind: str) -> None:
    features, lengths = features_of(kind)
    body = tiny(model, kind)
    loud = torch.where(torch.arange(features.shape[2])[None, None, :] < lengths[:, None, None], features, 1e3)
    assert torch.equal(body(loud, lengths).logits, body(features, lengths).logits)


@pytest.mark.parametrize("model", CONFIGS)
def test_pictures_are_refused_by_name(model: type[Body]) -> None:
    layout = Layout("image", (("spectrogram_image", 224),), 224)
    with pytest.raises(RecipeError, match=f"{model.__name__.lower()} reads .* gives image"):
        model(layout, CLASSES, CONFIGS[model].tiny())  # type: ignore[index]
