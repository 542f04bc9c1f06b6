"""Classical models of the fusionnet report and of the papers it cites: scikit-learn over one vector per utterance.

The report gives no settings for them, so these are ours. Class weights are applied as weights of utterances.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from serkit.lab.models.body import BodyConfig
from serkit.lab.models.sklearn_classifier import SklearnClassifier
from serkit.lab.recipes.config import require


@dataclass(frozen=True)
class SvmConfig(BodyConfig):
    """Settings of :class:`Svm`.

    Attributes:
        cost: scikit-learn's ``C``, the cost of a training utterance on the wrong side of its margin.
        kernel: ``rbf`` or ``linear``.
        gamma: Coefficient of the rbf kernel; None for 1 / F.
        calibrate: Whether a temperature is fitted on held-out speakers, which takes five more fits. Otherwise a plain
            softmax turns scores into probabilities.
    """

    cost: float = 10.0
    kernel: Literal["rbf", "linear"] = "rbf"
    gamma: float | None = None
    calibrate: bool = True

    def __post_init__(self) -> None:
        require(self, cost=0 < self.cost < inf, gamma=self.gamma is None or 0 < self.gamma < inf)

    @classmethod
    def tiny(cls) -> "SvmConfig":
        """Return the settings of a linear machine, for tests."""
        return cls(cost=1.0, kernel="linear")


class Svm(SklearnClassifier):
    """Support vector machine: one classifier per pair of classes, which vote.

    The scores are scikit-learn's one-vs-rest scores: votes, and among equal votes the sum of the distances. So distance
    breaks ties between two classes, not the order of the classes as in ``SVC.predict``.
    """

    gives_scores = True

    def build(self, seed: int, count: int) -> SVC:
        """Return the unfitted classifier; it uses no random numbers."""
        c = self.config
        return SVC(C=c.cost, kernel=c.kernel, gamma="auto" if c.gamma is None else c.gamma, cache_size=500)


@dataclass(frozen=True)
class LogisticConfig(BodyConfig):
    """Settings of :class:`Logistic`.

    Attributes:
        cost: scikit-learn's ``C``, the inverse of the weight of the l2 penalty.
        iterations: Maximum number of iterations.
        calibrate: Whether a temperature is fitted on held-out speakers, which takes five more fits.
    """

    cost: float = 0.1
    iterations: int = 1000
    calibrate: bool = False

    def __post_init__(self) -> None:
        require(self, cost=0 < self.cost < inf, iterations=self.iterations >= 1)

    @classmethod
    def tiny(cls) -> "LogisticConfig":
        """Return settings that stop early, for tests."""
        return cls(iterations=50)


class Logistic(SklearnClassifier):
    """Multinomial logistic regression with an l2 penalty."""

    def build(self, seed: int, count: int) -> LogisticRegression:
        """Return the unfitted classifier; it uses no random numbers."""
        return LogisticRegression(C=self.config.cost, max_iter=self.config.iterations)


@dataclass(frozen=True)
class MlpConfig(BodyConfig):
    """Settings of :class:`Mlp`.

    Attributes:
        hidden: Units of the hidden layers.
        alpha: Weight of the l2 penalty.
        lr: Learning rate of Adam.
        batch_size: Utterances per batch.
        epochs: Maximum number of epochs; training stops earlier if the training loss has not fallen for ten epochs.
        calibrate: Whether a temperature is fitted on held-out speakers, which takes five more fits.
    """

    hidden: tuple[int, ...] = (128,)
    alpha: float = 1.0
    lr: float = 1e-3
    batch_size: int = 64
    epochs: int = 100
    calibrate: bool = False

    def __post_init__(self) -> None:
        require(
            self,
            hidden=bool(self.hidden) and min(self.hidden) >= 1,
            alpha=0 <= self.alpha < inf,
            lr=0 < self.lr < inf,
            batch_size=self.batch_size >= 1,
            epochs=self.epochs >= 1,
        )

    @classmethod
    def tiny(cls) -> "MlpConfig":
        """Return the settings of eight hidden units, for tests."""
        return cls(hidden=(8,), lr=1e-2, epochs=30)


class Mlp(SklearnClassifier):
    """Multilayer perceptron with ReLU, trained with Adam.

    scikit-learn's early stopping is not used, because it would validate on speakers that it also trains on.
    """

    def build(self, seed: int, count: int) -> MLPClassifier:
        """Return the unfitted classifier."""
        c = self.config
        return MLPClassifier(
            tuple(c.hidden), alpha=c.alpha, learning_rate_init=c.lr, batch_size=min(c.batch_size, count),
            max_iter=c.epochs, random_state=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class RandomForestConfig(BodyConfig):
    """Settings of :class:`RandomForest`.

    Attributes:
        trees: Number of trees.
        depth: Maximum depth; None for no limit.
        leaf: Minimum number of utterances in a leaf; 2 makes the model file twice as large.
        calibrate: Whether a temperature is fitted on held-out speakers, which takes five more fits.
    """

    trees: int = 300
    depth: int | None = None
    leaf: int = 5
    calibrate: bool = False

    def __post_init__(self) -> None:
        require(self, trees=self.trees >= 1, depth=self.depth is None or self.depth >= 1, leaf=self.leaf >= 1)

    @classmethod
    def tiny(cls) -> "RandomForestConfig":
        """Return the settings of twenty shallow trees, for tests."""
        return cls(trees=20, depth=4)


class RandomForest(SklearnClassifier):
    """Random forest; each split considers the square root of F features."""

    def build(self, seed: int, count: int) -> RandomForestClassifier:
        """Return the unfitted classifier."""
        c = self.config
        return RandomForestClassifier(c.trees, max_depth=c.depth, min_samples_leaf=c.leaf, n_jobs=-1, random_state=seed)


@dataclass(frozen=True)
class GradientBoostingConfig(BodyConfig):
    """Settings of :class:`GradientBoosting`.

    Attributes:
        rounds: Number of boosting rounds, each with one tree per class.
        lr: Learning rate, the weight of each tree.
        depth: Maximum depth of a tree.
        leaf: Minimum number of utterances in a leaf.
        share: Share of the utterances that is drawn for each round.
        calibrate: Whether a temperature is fitted on held-out speakers, which takes five more fits.
    """

    rounds: int = 100
    lr: float = 0.1
    depth: int = 3
    leaf: int = 3
    share: float = 0.8
    calibrate: bool = False

    def __post_init__(self) -> None:
        require(
            self,
            rounds=self.rounds >= 1,
            lr=0 < self.lr < inf,
            depth=self.depth >= 1,
            leaf=self.leaf >= 1,
            share=0 < self.share <= 1,
        )

    @classmethod
    def tiny(cls) -> "GradientBoostingConfig":
        """Return the settings of ten rounds, for tests."""
        return cls(rounds=10, depth=2)


class GradientBoosting(SklearnClassifier):
    """Gradient-boosted trees; each split considers the square root of F features, which makes training fast.

    This is not scikit-learn's histogram variant, which skl2onnx cannot convert.
    """

    def build(self, seed: int, count: int) -> GradientBoostingClassifier:
        """Return the unfitted classifier."""
        c = self.config
        return GradientBoostingClassifier(
            n_estimators=c.rounds, learning_rate=c.lr, max_depth=c.depth, min_samples_leaf=c.leaf, subsample=c.share,
            max_features="sqrt", random_state=seed,
        )  # fmt: skip
