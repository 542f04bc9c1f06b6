"""The base class of classical models: a scikit-learn classifier that becomes an ONNX graph when it is fitted.

From then on the graph predicts, so the saved model is the one that is scored.
"""

import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import has_fit_parameter
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import Tensor

from serkit.errors import ExportError, ModelFileError, RecipeError, TrainingError
from serkit.lab.graphs.model_assembly import behind_embedding, build_head
from serkit.lab.graphs.onnx_graph import ML_DOMAIN, ML_OPSET, OPSET
from serkit.lab.measure.voting import FLOOR
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.body import Body, Output
from serkit.types import FloatArray
from serkit.writing import write_whole

FOLDS = 5  # folds of training speakers that calibration holds out one by one
TOLERANCE = 1e-4  # difference between a probability of the graph and of scikit-learn
AGREEING = 0.999  # share of probabilities within the tolerance; ties of an SVM may go the other way in float32
_CHECKED = 2000  # training utterances on which the graph is checked, evenly spread
_TEMPERATURES = np.logspace(-2, 2, 401)


class SklearnClassifier(Body):
    """A standardization and a scikit-learn classifier in one ONNX graph.

    The embedding is the standardized features. The logits are the logarithms of the probabilities, which are clipped
    at 1e-7. Mean and deviation are rounded to float32 before the classifier is fitted. The thresholds of trees are
    rounded down to float32, which changes no prediction and makes the graph take the same branches.

    With ``calibrate``, one temperature is fitted on speakers held out of extra fits and stored in the graph. It never
    changes which class has the highest probability.
    """

    reads = ("vector",)
    file = "model.onnx"
    is_fitted_at_once = True
    gives_scores = False

    def __init__(self, layout: Any, classes: int, config: Any) -> None:
        super().__init__(layout, classes, config)
        self.embedding_size = layout.size
        self._content = b""
        self._session: Any = None

    @abstractmethod
    def build(self, seed: int, count: int) -> Any:
        """Return the unfitted scikit-learn classifier for ``count`` utterances."""

    def fit_on(
        self,
        rows: Mapping[str, FloatArray],
        targets: Mapping[str, int],
        speakers: Mapping[str, str],
        *,
        class_weights: bool,
        seed: int,
    ) -> None:
        """Fit the classifier, calibrate it, and convert it to an ONNX graph.

        Args:
            rows: Feature vector of shape (1, F) by utterance id.
            targets: Class index by utterance id; only these utterances are used.
            speakers: Speaker by utterance id.
            class_weights: Whether all classes get the same total weight.
            seed: Seed of the classifier.

        Raises:
            TrainingError: If there is only one class, a feature is not finite, or there are too few speakers to
                calibrate.
            RecipeError: If the classifier takes no class weights.
            ExportError: If the graph's probabilities differ from scikit-learn's.
        """
        names = sorted(targets)
        present, truth = np.unique([targets[name] for name in names], return_inverse=True)
        if len(present) < 2:
            raise TrainingError(f"{self.label} needs training utterances of at least two classes.")
        features = self._stack(rows, names)
        temperature = 1.0
        if self.config.calibrate:
            folds = list(speaker_folds([speakers[name] for name in names]))
            if len(folds) < 2:
                raise TrainingError(
                    f"{self.label} calibrates on held-out speakers: train on at least two, or set calibrate: false."
                )
            temperature = self._fit_temperature(features, truth, folds, class_weights=class_weights, seed=seed)
        scaling, classifier = self._fit(features, truth, class_weights=class_weights, seed=seed)
        head = build_head(
            _convert(classifier, features.shape[1], gives_scores=self.gives_scores),
            scaling.mean, scaling.deviation, present=present.tolist(),
            classes=self.classes, temperature=temperature, gives_scores=self.gives_scores,
        )  # fmt: skip
        self._open(head.SerializeToString(deterministic=True))
        some = features[:: -(-len(features) // _CHECKED)]
        expected = np.zeros((len(some), self.classes))
        expected[:, present] = softmax(self._scores(scaling, classifier, some) / temperature, axis=1)
        self._check(some, expected)

    @property
    def graph(self) -> Any:
        """The fitted ONNX graph, from ``features`` (n, F) to ``probabilities`` (n, C) and ``embedding`` (n, F)."""
        self._answering()
        return onnx.load_from_string(self._content)

    def classify(self, embedding: FloatArray) -> FloatArray:
        """Return the probabilities (n, C) of embeddings, which are standardized features (n, F)."""
        session = _session_of(behind_embedding(self.graph).SerializeToString())
        probabilities: FloatArray = session.run(["probabilities"], {"embedding": embedding})[0]
        return probabilities

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify vectors (B, F, 1).

        Raises:
            TrainingError: If the body is neither fitted nor loaded.
        """
        rows = features[:, :, 0].detach().float().cpu().numpy()
        found = self._answering().run(["probabilities", "embedding"], {"features": rows})
        probabilities, embedding = (torch.from_numpy(numbers).to(features.device) for numbers in found)
        return Output(probabilities.clamp(FLOOR, 1).log(), embedding)

    def save(self, folder: Path) -> None:
        """Write the graph to ``file`` in a folder, in one step."""
        self._answering()
        write_whole(folder / self.file, self._content)

    def load(self, folder: Path) -> None:
        """Read the graph that :meth:`save` wrote.

        Raises:
            ModelFileError: If the file does not exist, is damaged, or has other features or classes.
        """
        path = Path(folder) / self.file
        try:
            self._open(path.read_bytes())
        except OSError as error:
            raise ModelFileError(f"cannot read {str(path)!r}: {error.strerror}.") from error
        except ValueError as error:
            raise ModelFileError(
                f"{str(path)!r} is not a valid {self.label} of serkit: {error}; fit it again."
            ) from error

    def _open(self, content: bytes) -> None:
        try:
            session = _session_of(content)
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            raise ValueError("it is not an ONNX file, or is truncated") from error
        found = {value.name: value.shape[1:] for value in (*session.get_inputs(), *session.get_outputs())}
        size = self.layout.size
        expected = {"features": [size], "probabilities": [self.classes], "embedding": [size]}
        if found != expected:
            raise ValueError(f"it has the shapes {found}, not {expected}")
        self._content, self._session = content, session

    def _answering(self) -> Any:
        if self._session is None:
            raise TrainingError(f"{self.label} is not fitted yet: call fit_on or load first.")
        return self._session

    def _stack(self, rows: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray:
        features = np.stack([np.asarray(rows[name][0], np.float32) for name in names])  # (n, F)
        finite = np.isfinite(features).all(1)
        if not finite.all():
            raise TrainingError(f"the features of {names[int(finite.argmin())]} contain NaN or infinity.")
        return features

    def _fit(
        self, features: FloatArray, truth: NDArray[Any], *, class_weights: bool, seed: int
    ) -> tuple["_MeanAndDeviation", Any]:
        """Return the standardization and the fitted classifier."""
        scaling, classifier = _MeanAndDeviation.of(features), self.build(seed, len(truth))
        weights = {}
        if class_weights:
            if not has_fit_parameter(classifier, "sample_weight"):
                raise RecipeError(
                    f"{self.label} takes class weights only from scikit-learn 1.7 on: set train.class_weights: false."
                )
            weights["sample_weight"] = compute_sample_weight("balanced", truth)
        # one thread: the matrices are small, and the result must not depend on the number of cores
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # the number of iterations is a setting
            classifier.fit(scaling.apply(features), truth, **weights)
        return scaling, classifier

    def _scores(self, scaling: "_MeanAndDeviation", classifier: Any, features: FloatArray) -> NDArray[np.float64]:
        """Return scikit-learn's scores, or its log-probabilities, (n, K)."""
        rows = scaling.apply(features)
        if self.gives_scores:
            scores: NDArray[np.float64] = classifier.decision_function(rows)
            return np.stack([-scores, scores], 1) if scores.ndim == 1 else scores
        logarithms: NDArray[np.float64] = np.log(classifier.predict_proba(rows).clip(FLOOR, 1))
        return logarithms

    def _fit_temperature(
        self, features: FloatArray, truth: NDArray[Any], folds: Any, *, class_weights: bool, seed: int
    ) -> float:
        """Return the temperature with the lowest negative log-likelihood on held-out speakers."""
        losses = np.zeros(len(_TEMPERATURES))
        for inside, outside in folds:
            known = np.unique(truth[inside])
            held = outside[np.isin(truth[outside], known)]  # a fit has no probability for a class that it never saw
            if len(known) < 2 or not len(held):
                continue
            places = np.searchsorted(known, truth[inside])
            fitted = self._fit(features[inside], places, class_weights=class_weights, seed=seed)
            scores, right = self._scores(*fitted, features[held]), np.searchsorted(known, truth[held])
            for i, temperature in enumerate(_TEMPERATURES):
                losses[i] -= log_softmax(scores / temperature, axis=1)[np.arange(len(held)), right].sum()
        return float(_TEMPERATURES[losses.argmin()]) if losses.any() else 1.0

    def _check(self, features: FloatArray, expected: NDArray[np.float64]) -> None:
        found = self._session.run(["probabilities"], {"features": features})[0]
        agreeing = float(np.mean(np.abs(found - expected) <= TOLERANCE))
        if not agreeing >= AGREEING:
            self._session, self._content = None, b""
            raise ExportError(
                f"only {100 * agreeing:.2f} % of the probabilities of {self.label} in ONNX Runtime are within "
                f"{TOLERANCE} of scikit-learn's."
            )


def speaker_folds(speakers: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield folds by speaker: the indices of the utterances to fit on and of those to hold out.

    There are five folds, or one per speaker where there are fewer; none for a single speaker.

    Args:
        speakers: Speaker of each utterance.
    """
    count = min(FOLDS, len(set(speakers)))
    if count >= 2:
        yield from GroupKFold(count).split(np.zeros(len(speakers)), groups=np.array(speakers))


@dataclass(frozen=True)
class _MeanAndDeviation:
    """Mean and deviation of each feature, (F,), float32, with the constants of :class:`.Scaling`."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> "_MeanAndDeviation":
        scaling = Scaling(features.shape[1])
        scaling.fit([features])
        return cls(scaling.mean.numpy(), scaling.deviation.numpy())

    def apply(self, features: FloatArray) -> NDArray[np.float64]:
        """Standardize in float32, as the graph does, and convert to float64 for scikit-learn."""
        scaled: NDArray[np.float64] = ((features - self.mean) / self.deviation).astype(np.float64)
        return scaled


def _convert(classifier: Any, size: int, *, gives_scores: bool) -> Any:
    """Return a graph from ``rows`` (n, F) to ``probabilities`` (n, K), which hold scores with ``gives_scores``."""
    _round_thresholds(classifier)
    options = {"zipmap": False, **({"raw_scores": True} if gives_scores else {})}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Attribute `prob[AB]_` was deprecated", FutureWarning)  # read by skl2onnx
        return convert_sklearn(
            classifier, "classifier", [("rows", FloatTensorType([None, size]))],
            target_opset={"": OPSET, ML_DOMAIN: ML_OPSET}, options={id(classifier): options},
        )  # fmt: skip


def _round_thresholds(classifier: Any) -> None:
    """Round the thresholds of trees down to float32, so that float32 features fall on the same side of both."""
    for tree in np.ravel(getattr(classifier, "estimators_", [])):
        thresholds = tree.tree_.threshold
        rounded = thresholds.astype(np.float32)
        thresholds[:] = np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-inf)), rounded)


def _session_of(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # serkit reports a damaged file itself
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
