"""The registry of models: the module and source of each, and its default features, training and augmentation.

A recipe that names a model and no more gets these defaults. Nothing here needs torch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serkit.errors import unknown_name

ENSEMBLE = "ensemble"
_LOGMEL = ({"name": "logmel", "trim_db": 50, "normalize": "band"},)
_VECTOR_A = ({"name": "vector848"},)
_VECTOR_B = ({"name": "notebook162"}, {"name": "statistics"}, {"name": "sex"})
_FRAMES_C = ({"name": "frames", "parts": ["zcr", "energy", "rms", "chroma", "mfcc"]},)
_PLAIN = {
    "scheduler": "constant",
    "class_weights": False,
    "label_smoothing": 0.0,
}  # what a notebook does unless it says
_PLATEAU = {"scheduler": "plateau", "min_lr": 1e-7}
_NO_AUGMENTATION = {"speeds": [1.0], "band_masks": 0, "frame_masks": 0, "mixup": 0}


@dataclass(frozen=True)
class ModelEntry:
    """One model of the registry.

    Attributes:
        module: Module in :mod:`serkit.lab.models`.
        kind: Name of its class there; that of its settings is the same with ``Config`` at the end.
        document: Which of the reports A to E it is from, and ``literature`` where that only cites it; or ``ours``.
        features: Default features.
        train: Default training settings.
        augment: Default augmentation.
        settings: Settings of the class that differ from its defaults under this name.
    """

    module: str
    kind: str
    document: str
    features: tuple[Mapping[str, Any], ...] = _LOGMEL
    train: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_network(self) -> bool:
        """Whether it is a network, trained by gradients: neither a scikit-learn model nor an ensemble."""
        return self.module not in ("classical", ENSEMBLE)


def _of_document(module: str, kind: str, document: str, features: Any, train: Any, **settings: Any) -> ModelEntry:
    return ModelEntry(module, kind, document, features, {**_PLAIN, **train}, _NO_AUGMENTATION, settings)


_A_CONVOLUTIONS = {"optimizer": "adam", "lr": 1e-4, "weight_decay": 5e-4, "batch_size": 64}
# document A does not say what one time step is; 16 numbers are one descriptor of vector848, and a step for each number
# would take hours per epoch
_A_SEQUENCES = {"optimizer": "adam", "lr": 5e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 25}
_B = {"optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 100, **_PLATEAU}
_B_PICTURES = {"optimizer": "adam", "lr": 1e-4, "weight_decay": 0.0, "batch_size": 32, **_PLATEAU}
_C = {"optimizer": "rmsprop", "lr": 1e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 100, **_PLATEAU,
      "class_weights": True}  # fmt: skip
_D_PRETRAINED = {**_PLAIN, "lr": 1e-4, "weight_decay": 0.0, "batch_size": 4, "accumulate": 2, "epochs": 25,
                 "scheduler": "linear", "warmup": 0.1}  # fmt: skip
_D = {"optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 200}
# document E has encoders and pictures that were trained elsewhere; these are ours, for all from scratch
_E = {"lr": 7e-4, "epochs": 30}
_E_WAVEFORMS = {"band_masks": 0, "frame_masks": 0, "mixup": 0}  # rows are samples: what is masked is masked inside

_MODELS = {
    "alexnet1d": _of_document("alexnet1d", "AlexNet1d", "A", _VECTOR_A, _A_CONVOLUTIONS),
    "resnet1d": _of_document("resnet1d", "ResNet1d", "A", _VECTOR_A, _A_CONVOLUTIONS),
    "bigru": _of_document("bidirectional", "Bidirectional", "A", _VECTOR_A, _A_SEQUENCES, cell="gru", step=16),
    "bilstm": _of_document("bidirectional", "Bidirectional", "A", _VECTOR_A, _A_SEQUENCES, cell="lstm", step=16),
    "attention": _of_document("attention", "Attention", "A", _VECTOR_A, _A_SEQUENCES, step=16),
    "transformer": _of_document("transformer", "Transformer", "A", _VECTOR_A, _A_SEQUENCES, step=16),
    "fusionnet": _of_document("fusionnet", "FusionNet", "B", _VECTOR_B, _B),
    "vgg16": _of_document("vgg16", "Vgg16", "B", ({"name": "spectrogram_image", "rows": 224, "columns": 224,
        "side": None},), _B_PICTURES),
    "svm": _of_document("classical", "Svm", "B", _VECTOR_B, {"class_weights": True}),
    "logistic": _of_document("classical", "Logistic", "B", _VECTOR_B, {"class_weights": True}),
    "mlp": _of_document("classical", "Mlp", "B", _VECTOR_B, {}),
    "random_forest": _of_document("classical", "RandomForest", "B", _VECTOR_B, {"class_weights": True}),
    "gradient_boosting": _of_document("classical", "GradientBoosting", "B", _VECTOR_B, {"class_weights": True}),
    "cnn_lstm": ModelEntry("cnn_lstm", "CnnLstm", "B's literature", settings={"is_bidirectional": False}),
    "cnn_bilstm": ModelEntry("cnn_lstm", "CnnLstm", "B's literature", settings={"is_bidirectional": True}),
    "cnn1d": _of_document("cnn1d", "Cnn1d", "C", _FRAMES_C, _C),
    "cnn2d": _of_document("cnn2d", "Cnn2d", "C", ({"name": "logmel", "bands": 128},), _C),
    "mfcc_cnn": _of_document("mfcc_cnn", "MfccCnn", "D", ({"name": "mfcc"},), _D),
    "conformer": ModelEntry("conformer", "Conformer", "D's outlook"),
    "crnn": ModelEntry("crnn", "Crnn", "ours"),
    "coattention": ModelEntry("coattention", "CoAttention", "E", ({"name": "waveform", "trim_db": 50},), _E,
        _E_WAVEFORMS),
    ENSEMBLE: ModelEntry("ensemble", "Ensemble", "E", features=()),
}  # fmt: skip

# one cannot be built before a recipe says which encoder
_PRETRAINED = {
    "ssl": ModelEntry(
        "fine_tuned_encoder", "FineTunedEncoder", "D", ({"name": "waveform"},), _D_PRETRAINED, _NO_AUGMENTATION
    )
}


def model_names(*, from_scratch: bool = False) -> tuple[str, ...]:
    """Return the names of all models, or of those that need no pretrained checkpoint."""
    return tuple(_MODELS) if from_scratch else (*_MODELS, *_PRETRAINED)


def find_model(name: str) -> ModelEntry:
    """Return the registry's entry of a model.

    Raises:
        UnknownNameError: If there is no model of that name.
    """
    if name not in model_names():
        raise unknown_name("model", name, model_names(), "serkit models list")
    return (_MODELS | _PRETRAINED)[name]
