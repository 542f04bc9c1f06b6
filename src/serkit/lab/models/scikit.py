"""What classical models have in common: a classifier of scikit-learn that becomes an ONNX graph when it is fitted.

From then on that graph answers, so what is scored is what is saved.
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
from serkit.lab.graphs.assemble import behind_embedding, build_head
from serkit.lab.graphs.merge import ML_DOMAIN, ML_OPSET, OPSET
from serkit.lab.measure.voting import FLOOR
from serkit.lab.models.blocks.scaling import Scaling
from serkit.lab.models.contract import Body, Output
from serkit.types import FloatArray
from serkit.writing import write_whole

FOLDS = 5  # of the training side, each of whole speakers, that calibration holds out
TOLERANCE = 1e-4
AGREEING = 0.999  # of the numbers must agree: an SVM's vote may fall the other way in float32 where two classes tie
_CHECKED = 2000  # training utterances that the graph is checked on, evenly spread
_TEMPERATURES = np.logspace(-2, 2, 401)


class Classical(Body):
    """A classifier of scikit-learn behind a standardization, in one ONNX graph.

    The embedding is the standardized features, and the logits are the logarithm of the probabilities, which are not
    let below 1e-7. Mean and deviation are rounded to float32 before the classifier is fitted, and the thresholds of
    trees to the float32 below, which changes none of their answers: so the graph falls on the same side of each.

    With ``calibrate`` one temperature is fitted on utterances of speakers that were held out of fits of their own,
    and stands in the graph. It never changes which class comes first.
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
        """Return scikit-learn's classifier, not fitted yet, for ``count`` utterances."""

    def fit_on(
        self,
        rows: Mapping[str, FloatArray],
        targets: Mapping[str, int],
        speakers: Mapping[str, str],
        *,
        class_weights: bool,
        seed: int,
    ) -> None:
        """Fit the classifier, calibrate it, and turn it into a graph.

        Args:
            rows: Utterance id to the vector, shape (1, F).
            targets: Utterance id to class index; says which utterances are used.
            speakers: Utterance id to speaker.
            class_weights: Whether every class weighs the same.
            seed: Of the classifier's own dice.

        Raises:
            TrainingError: If there is one class alone, a number is not finite, or there are too few speakers to
                calibrate.
            RecipeError: If the classifier takes no class weights.
            ExportError: If the graph does not answer as scikit-learn does.
        """
        names = sorted(targets)
        present, truth = np.unique([targets[name] for name in names], return_inverse=True)
        if len(present) < 2:
            raise TrainingError(f"{self.label} needs utterances of two classes or more to be fitted on.")
        features = self._stack(rows, names)
        temperature = 1.0
        if self.config.calibrate:
            folds = list(speaker_folds([speakers[name] for name in names]))
            if len(folds) < 2:
                raise TrainingError(f"{self.label} calibrates on held-out speakers: give it two, or calibrate: false.")
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
        """What was fitted, from ``features`` (n, F) to ``probabilities`` (n, C) and ``embedding`` (n, F)."""
        self._answering()
        return onnx.load_from_string(self._content)

    def classify(self, embedding: FloatArray) -> FloatArray:
        """Return the probabilities (n, C) of features that are standardized already, (n, F)."""
        session = _session_of(behind_embedding(self.graph).SerializeToString())
        probabilities: FloatArray = session.run(["probabilities"], {"embedding": embedding})[0]
        return probabilities

    def forward(self, features: Tensor, lengths: Tensor) -> Output:
        """Classify vectors (B, F, 1).

        Raises:
            TrainingError: If nothing was fitted or loaded yet.
        """
        rows = features[:, :, 0].detach().float().cpu().numpy()
        found = self._answering().run(["probabilities", "embedding"], {"features": rows})
        probabilities, embedding = (torch.from_numpy(numbers).to(features.device) for numbers in found)
        return Output(probabilities.clamp(FLOOR, 1).log(), embedding)

    def save(self, folder: Path) -> None:
        """Write the graph to ``file`` in a folder, whole."""
        self._answering()
        write_whole(folder / self.file, self._content)

    def load(self, folder: Path) -> None:
        """Read what :meth:`save` wrote.

        Raises:
            ModelFileError: If there is no such file, it is damaged, or of other features or classes.
        """
        path = Path(folder) / self.file
        try:
            self._open(path.read_bytes())
        except OSError as error:
            raise ModelFileError(f"cannot read {str(path)!r}: {error.strerror}.") from error
        except ValueError as error:
            raise ModelFileError(
                f"{str(path)!r} is no {self.label} that serkit fitted: {error}; fit it again."
            ) from error

    def _open(self, content: bytes) -> None:
        try:
            session = _session_of(content)
        except Exception as error:  # ONNX Runtime's own exceptions share no base but this
            raise ValueError("it is no ONNX file, or is cut off") from error
        found = {value.name: value.shape[1:] for value in (*session.get_inputs(), *session.get_outputs())}
        size = self.layout.size
        expected = {"features": [size], "probabilities": [self.classes], "embedding": [size]}
        if found != expected:
            raise ValueError(f"it has {found} and not {expected}")
        self._content, self._session = content, session

    def _answering(self) -> Any:
        if self._session is None:
            raise TrainingError(f"{self.label} is not fitted yet: call fit_on or load.")
        return self._session

    def _stack(self, rows: Mapping[str, FloatArray], names: Sequence[str]) -> FloatArray:
        features = np.stack([np.asarray(rows[name][0], np.float32) for name in names])  # (n, F)
        finite = np.isfinite(features).all(1)
        if not finite.all():
            raise TrainingError(f"the features of {names[int(finite.argmin())]} are not finite.")
        return features

    def _fit(
        self, features: FloatArray, truth: NDArray[Any], *, class_weights: bool, seed: int
    ) -> tuple["_Scaling", Any]:
        """Return mean and deviation (F,), in float32, and the fitted classifier."""
        scaling, classifier = _Scaling.of(features), self.build(seed, len(truth))
        weights = {}
        if class_weights:
            if not has_fit_parameter(classifier, "sample_weight"):
                raise RecipeError(
                    f"{self.label} takes no class weights before scikit-learn 1.7: set train.class_weights: false."
                )
            weights["sample_weight"] = compute_sample_weight("balanced", truth)
        # one thread: the matrices are too small to share, and the sums must not depend on the number of cores
        with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
            warnings.simplefilter("ignore", ConvergenceWarning)  # how many iterations there are is a setting
            classifier.fit(scaling.apply(features), truth, **weights)
        return scaling, classifier

    def _scores(self, scaling: "_Scaling", classifier: Any, features: FloatArray) -> NDArray[np.float64]:
        """Return scikit-learn's scores or logarithms of probabilities, (n, K)."""
        rows = scaling.apply(features)
        if self.gives_scores:
            scores: NDArray[np.float64] = classifier.decision_function(rows)
            return np.stack([-scores, scores], 1) if scores.ndim == 1 else scores
        logarithms: NDArray[np.float64] = np.log(classifier.predict_proba(rows).clip(FLOOR, 1))
        return logarithms

    def _fit_temperature(
        self, features: FloatArray, truth: NDArray[Any], folds: Any, *, class_weights: bool, seed: int
    ) -> float:
        """Return the temperature with the lowest mean negative log-likelihood of held-out speakers."""
        losses = np.zeros(len(_TEMPERATURES))
        for inside, outside in folds:
            known = np.unique(truth[inside])
            held = outside[np.isin(truth[outside], known)]  # no fit can say anything of a class that it never saw
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
                f"only {100 * agreeing:.2f} % of {self.label}'s probabilities are within {TOLERANCE} of scikit-learn's "
                "when ONNX Runtime computes them."
            )


def speaker_folds(speakers: Sequence[str]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield which utterances to fit on and which to hold out, five times or as often as there are speakers.

    Args:
        speakers: Of the utterances; none of them stands on both sides.
    """
    count = min(FOLDS, len(set(speakers)))
    if count >= 2:
        yield from GroupKFold(count).split(np.zeros(len(speakers)), groups=np.array(speakers))


@dataclass(frozen=True)
class _Scaling:
    """Mean and deviation of each number, (F,), as networks have them: what rounding leaves of a constant stays so."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> "_Scaling":
        scaling = Scaling(features.shape[1])
        scaling.fit([features])
        return cls(scaling.mean.numpy(), scaling.deviation.numpy())

    def apply(self, features: FloatArray) -> NDArray[np.float64]:
        """Standardize in float32, as the graph does; scikit-learn goes on in float64."""
        scaled: NDArray[np.float64] = ((features - self.mean) / self.deviation).astype(np.float64)
        return scaled


def _convert(classifier: Any, size: int, *, gives_scores: bool) -> Any:
    """Return a graph from ``rows`` (n, F) to ``probabilities`` (n, K), or scores under that name."""
    _round_thresholds(classifier)
    options = {"zipmap": False, **({"raw_scores": True} if gives_scores else {})}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Attribute `prob[AB]_` was deprecated", FutureWarning)  # skl2onnx reads them
        return convert_sklearn(
            classifier, "classifier", [("rows", FloatTensorType([None, size]))],
            target_opset={"": OPSET, ML_DOMAIN: ML_OPSET}, options={id(classifier): options},
        )  # fmt: skip


def _round_thresholds(classifier: Any) -> None:
    """Round the thresholds of trees down to float32: a float32 is below the one where it is below the other."""
    for tree in np.ravel(getattr(classifier, "estimators_", [])):
        thresholds = tree.tree_.threshold
        rounded = thresholds.astype(np.float32)
        thresholds[:] = np.where(rounded > thresholds, np.nextafter(rounded, np.float32(-inf)), rounded)


def _session_of(content: bytes) -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # a damaged file is said in our words
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
