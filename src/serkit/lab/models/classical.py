"""Classical models of document B and its literature: scikit-learn over one vector per utterance.

The documents give no settings for them, so these are ours. Class weights are weights of utterances.
"""

from dataclasses import dataclass
from math import inf
from typing import Literal

from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

from serkit.lab.models.contract import BodyConfig
from serkit.lab.models.scikit import Classical
from serkit.lab.recipes.config import require

__all__ = [
    "Classical", "GradientBoosting", "GradientBoostingConfig", "Logistic", "LogisticConfig", "Mlp", "MlpConfig",
    "RandomForest", "RandomForestConfig", "Svm", "SvmConfig",
]  # fmt: skip


@dataclass(frozen=True)
class SvmConfig(BodyConfig):
    """Settings of :class:`Svm`.

    Attributes:
        cost: C, of a training utterance on the wrong side of its margin.
        kernel: ``rbf`` or ``linear``.
        gamma: Of the rbf kernel; None stands for one over F.
        calibrate: Whether its scores become probabilities by a temperature that is fitted on held-out speakers, which
            takes five more fits; without, by a plain softmax.
    """

    cost: float = 10.0
    kernel: Literal["rbf", "linear"] = "rbf"
    gamma: float | None = None
    calibrate: bool = True

    def __post_init__(self) -> None:
        require(self, cost=0 < self.cost < inf, gamma=self.gamma is None or 0 < self.gamma < inf)

    @classmethod
    def tiny(cls) -> "SvmConfig":
        """A linear one."""
        return cls(cost=1.0, kernel="linear")


class Svm(Classical):
    """Support vector machine: one margin per pair of classes, and their votes.

    Scores are scikit-learn's one-against-the-rest ones: votes, and within a vote the sum of the distances. Where two
    classes tie the distances decide, and not, as in ``SVC.predict``, the order of the classes.
    """

    gives_scores = True

    def build(self, seed: int, count: int) -> SVC:
        """Return the classifier, which has no dice."""
        c = self.config
        return SVC(C=c.cost, kernel=c.kernel, gamma="auto" if c.gamma is None else c.gamma, cache_size=500)


@dataclass(frozen=True)
class LogisticConfig(BodyConfig):
    """Settings of :class:`Logistic`.

    Attributes:
        cost: C, one over the weight of the l2 penalty.
        iterations: At most.
        calibrate: Whether a temperature is fitted on held-out speakers, which takes five more fits.
    """

    cost: float = 0.1
    iterations: int = 1000
    calibrate: bool = False

    def __post_init__(self) -> None:
        require(self, cost=0 < self.cost < inf, iterations=self.iterations >= 1)

    @classmethod
    def tiny(cls) -> "LogisticConfig":
        """One that stops early."""
        return cls(iterations=50)


class Logistic(Classical):
    """Multinomial logistic regression with an l2 penalty."""

    def build(self, seed: int, count: int) -> LogisticRegression:
        """Return the classifier, which has no dice."""
        return LogisticRegression(C=self.config.cost, max_iter=self.config.iterations)


@dataclass(frozen=True)
class MlpConfig(BodyConfig):
    """Settings of :class:`Mlp`.

    Attributes:
        hidden: Units of the hidden layers.
        alpha: Weight of the l2 penalty.
        lr: Adam's.
        batch_size: Utterances of a step.
        epochs: At most; it stops before where the training loss has not fallen for ten.
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
        """Eight units."""
        return cls(hidden=(8,), lr=1e-2, epochs=30)


class Mlp(Classical):
    """Perceptron with ReLU, trained with Adam.

    scikit-learn's early stopping is not used: it would hold out utterances of speakers that it trains on.
    """

    def build(self, seed: int, count: int) -> MLPClassifier:
        """Return the classifier."""
        c = self.config
        return MLPClassifier(
            tuple(c.hidden), alpha=c.alpha, learning_rate_init=c.lr, batch_size=min(c.batch_size, count),
            max_iter=c.epochs, random_state=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class RandomForestConfig(BodyConfig):
    """Settings of :class:`RandomForest`.

    Attributes:
        trees: How many.
        depth: At most; None lets them grow.
        leaf: Utterances in a leaf at least; with 2 the file is twice as large.
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
        """Twenty low trees."""
        return cls(trees=20, depth=4)


class RandomForest(Classical):
    """Random forest: each split chooses among the square root of F numbers."""

    def build(self, seed: int, count: int) -> RandomForestClassifier:
        """Return the classifier."""
        c = self.config
        return RandomForestClassifier(c.trees, max_depth=c.depth, min_samples_leaf=c.leaf, n_jobs=-1, random_state=seed)


@dataclass(frozen=True)
class GradientBoostingConfig(BodyConfig):
    """Settings of :class:`GradientBoosting`.

    Attributes:
        rounds: Of one tree per class.
        lr: What each tree counts.
        depth: Of a tree.
        leaf: Utterances in a leaf at least.
        share: Of the utterances, drawn for each round.
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
        """Ten rounds."""
        return cls(rounds=10, depth=2)


class GradientBoosting(Classical):
    """Gradient-boosted trees: each split chooses among the square root of F numbers, which makes them quick to grow.

    Not scikit-learn's histogram variant, which skl2onnx does not convert.
    """

    def build(self, seed: int, count: int) -> GradientBoostingClassifier:
        """Return the classifier."""
        c = self.config
        return GradientBoostingClassifier(
            n_estimators=c.rounds, learning_rate=c.lr, max_depth=c.depth, min_samples_leaf=c.leaf, subsample=c.share,
            max_features="sqrt", random_state=seed,
        )  # fmt: skip
