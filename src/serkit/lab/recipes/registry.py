"""The registry of models: each one's class, its source, and its default features and training.

A recipe that names only a model gets these features and this training. Nothing here needs torch.

Five student reports are the sources of most models. They go by short names: ``hong-zhao``, ``fusionnet``,
``crema-cnn``, ``emodb-xlsr`` and ``iemocap-coattention``; docs/RECIPES.md cites them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serkit.errors import unknown_name

ENSEMBLE = "ensemble"
_LOGMEL = ({"name": "logmel", "trim_db": 50, "normalize": "band"},)
_PLAIN = {  # what the training of a report does unless the report says otherwise
    "scheduler": "constant",
    "class_weights": False,
    "label_smoothing": 0.0,
}
_PLATEAU = {"scheduler": "plateau", "min_lr": 1e-7}
_NO_AUGMENTATION = {"speeds": [1.0], "band_masks": 0, "frame_masks": 0, "mixup": 0}


@dataclass(frozen=True)
class ModelEntry:
    """One model of the registry.

    Attributes:
        module: Module in :mod:`serkit.lab.models`.
        kind: Name of the class in that module. The settings class has the same name and ``Config``.
        source: Report that the model comes from, such as ``fusionnet``; ``cited by`` or ``outlook of`` a report that
            only mentions the model; ``serkit`` for our own.
        features: Default features.
        train: Default training settings.
        augment: Default augmentation settings.
        settings: Settings in which this name differs from the class's defaults.
    """

    module: str
    kind: str
    source: str
    features: tuple[Mapping[str, Any], ...] = _LOGMEL
    train: Mapping[str, Any] = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_network(self) -> bool:
        """Whether gradients train the model: False for scikit-learn classifiers and ensembles."""
        return self.module not in ("classical", ENSEMBLE)


def _from_report(module: str, kind: str, source: str, features: Any, train: Any, **settings: Any) -> ModelEntry:
    return ModelEntry(module, kind, source, features, {**_PLAIN, **train}, _NO_AUGMENTATION, settings)


# The hong-zhao report does not define a time step. Ours is 16 numbers, one descriptor of vector848; a step per number
# would take hours per epoch.
_SEQUENCE_TRAINING = {"optimizer": "adam", "lr": 5e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 25}
_CONVOLUTION_TRAINING = {"optimizer": "adam", "lr": 1e-4, "weight_decay": 5e-4, "batch_size": 64}
_FUSIONNET_TRAINING = {
    "optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 100, **_PLATEAU
}  # fmt: skip
_PICTURE_TRAINING = {"optimizer": "adam", "lr": 1e-4, "weight_decay": 0.0, "batch_size": 32, **_PLATEAU}
_CREMA_CNN_TRAINING = {
    "optimizer": "rmsprop", "lr": 1e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 100, **_PLATEAU,
    "class_weights": True,
}  # fmt: skip
_FINE_TUNING = {
    **_PLAIN, "lr": 1e-4, "weight_decay": 0.0, "batch_size": 4, "accumulate": 2, "epochs": 25, "scheduler": "linear",
    "warmup": 0.1,
}  # fmt: skip
_MFCC_CNN_TRAINING = {"optimizer": "adam", "lr": 1e-3, "weight_decay": 0.0, "batch_size": 64, "epochs": 200}
# The iemocap-coattention report uses pretrained encoders and image networks. These settings are ours, for training
# everything from scratch.
_COATTENTION_TRAINING = {"lr": 7e-4, "epochs": 30}
# Rows of the waveform are samples; the model masks the spectra that it computes.
_COATTENTION_AUGMENTATION = {"band_masks": 0, "frame_masks": 0, "mixup": 0}


def _hong_zhao(module: str, kind: str, train: Any, **settings: Any) -> ModelEntry:
    return _from_report(module, kind, "hong-zhao", ({"name": "vector848"},), train, **settings)


def _fusionnet(module: str, kind: str, train: Any) -> ModelEntry:
    features = ({"name": "notebook162"}, {"name": "statistics"}, {"name": "sex"})
    return _from_report(module, kind, "fusionnet", features, train)


_FRAMES = ({"name": "frames", "parts": ["zcr", "energy", "rms", "chroma", "mfcc"]},)
_PICTURE = ({"name": "spectrogram_image", "rows": 224, "columns": 224, "side": None},)
_MODELS = {
    "alexnet1d": _hong_zhao("alexnet1d", "AlexNet1d", _CONVOLUTION_TRAINING),
    "resnet1d": _hong_zhao("resnet1d", "ResNet1d", _CONVOLUTION_TRAINING),
    "bigru": _hong_zhao("bidirectional_rnn", "BidirectionalRnn", _SEQUENCE_TRAINING, cell="gru", step=16),
    "bilstm": _hong_zhao("bidirectional_rnn", "BidirectionalRnn", _SEQUENCE_TRAINING, cell="lstm", step=16),
    "attention": _hong_zhao("attention", "Attention", _SEQUENCE_TRAINING, step=16),
    "transformer": _hong_zhao("transformer", "Transformer", _SEQUENCE_TRAINING, step=16),
    "fusionnet": _fusionnet("fusionnet", "FusionNet", _FUSIONNET_TRAINING),
    "vgg16": _from_report("vgg16", "Vgg16", "fusionnet", _PICTURE, _PICTURE_TRAINING),
    "svm": _fusionnet("classical", "Svm", {"class_weights": True}),
    "logistic": _fusionnet("classical", "Logistic", {"class_weights": True}),
    "mlp": _fusionnet("classical", "Mlp", {}),
    "random_forest": _fusionnet("classical", "RandomForest", {"class_weights": True}),
    "gradient_boosting": _fusionnet("classical", "GradientBoosting", {"class_weights": True}),
    "cnn_lstm": ModelEntry("cnn_lstm", "CnnLstm", "cited by fusionnet", settings={"is_bidirectional": False}),
    "cnn_bilstm": ModelEntry("cnn_lstm", "CnnLstm", "cited by fusionnet", settings={"is_bidirectional": True}),
    "cnn1d": _from_report("cnn1d", "Cnn1d", "crema-cnn", _FRAMES, _CREMA_CNN_TRAINING),
    "cnn2d": _from_report("cnn2d", "Cnn2d", "crema-cnn", ({"name": "logmel", "bands": 128},), _CREMA_CNN_TRAINING),
    "mfcc_cnn": _from_report("mfcc_cnn", "MfccCnn", "emodb-xlsr", ({"name": "mfcc"},), _MFCC_CNN_TRAINING),
    "conformer": ModelEntry("conformer", "Conformer", "outlook of emodb-xlsr"),
    "crnn": ModelEntry("crnn", "Crnn", "serkit"),
    "coattention": ModelEntry(
        "coattention", "CoAttention", "iemocap-coattention", ({"name": "waveform", "trim_db": 50},),
        _COATTENTION_TRAINING, _COATTENTION_AUGMENTATION,
    ),
    ENSEMBLE: ModelEntry("ensemble", "Ensemble", "iemocap-coattention", features=()),
}  # fmt: skip

# Models that cannot be built before a recipe names a checkpoint.
_PRETRAINED = {
    "ssl": ModelEntry(
        "fine_tuned_encoder", "FineTunedEncoder", "emodb-xlsr", ({"name": "waveform"},), _FINE_TUNING, _NO_AUGMENTATION
    )
}


def model_names(*, from_scratch: bool = False) -> tuple[str, ...]:
    """Return the names of all models, or only of those that need no checkpoint."""
    return tuple(_MODELS) if from_scratch else (*_MODELS, *_PRETRAINED)


def find_model(name: str) -> ModelEntry:
    """Return the registry's entry of a model.

    Raises:
        UnknownNameError: If no model has this name.
    """
    if name not in model_names():
        raise unknown_name("model", name, model_names(), "serkit models list")
    return (_MODELS | _PRETRAINED)[name]
