"""Classical models: scikit-learn's numbers, from the graph that is saved."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.class_weight import compute_sample_weight

from serkit.errors import ExportError, ModelFileError, RecipeError, TrainingError
from serkit.lab.models import build_body, get_config
from serkit.lab.models import sklearn_classifier as module
from serkit.lab.models.classical import Logistic, LogisticConfig, Mlp, MlpConfig, Svm, SvmConfig
from serkit.lab.models.sklearn_classifier import SklearnClassifier, speaker_folds
from support.layouts import frames, vector

NAMES = ("svm", "logistic", "mlp", "random_forest", "gradient_boosting")
SIZE, CLASSES = 12, 4
every_model = pytest.mark.parametrize("name", NAMES)


class Corpus:
    """Vectors of six speakers and four classes, which differ in level from number to number and overlap a little."""

    def __init__(self, *, classes: tuple[int, ...] = (0, 1, 2, 3), seed: int = 0, count: int = 96) -> None:
        rng = np.random.default_rng(seed)
        truth = np.array(classes)[np.arange(count) % len(classes)]
        centers = np.random.default_rng(7).normal(0, 1.5, (CLASSES, SIZE))
        levels = np.logspace(-2, 3, SIZE)
        self.features = ((centers[truth] + rng.standard_normal((count, SIZE)) + 5) * levels).astype(np.float32)
        names = [f"{i:03d}" for i in range(count)]
        self.rows = {name: self.features[i : i + 1] for i, name in enumerate(names)}
        self.targets = {name: int(truth[i]) for i, name in enumerate(names)}
        self.speakers = {name: f"toy/{i // len(classes) % 6}" for i, name in enumerate(names)}
        self.truth = truth


CORPUS, OTHERS = Corpus(), Corpus(seed=1)


def body_of(name: str, **changes: Any) -> SklearnClassifier:
    settings = replace(get_config(name).tiny(), **changes)
    body = build_body(name, vars(settings), layout=vector(SIZE), classes=CLASSES)
    assert isinstance(body, SklearnClassifier)
    return body


def fitted(
    name: str, corpus: Corpus = CORPUS, *, class_weights: bool = False, seed: int = 0, **changes: Any
) -> SklearnClassifier:
    body = body_of(name, **changes)
    body.fit_on(corpus.rows, corpus.targets, corpus.speakers, class_weights=class_weights, seed=seed)
    return body


def answer(body: SklearnClassifier, features: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any]]:
    output = body(torch.from_numpy(features[:, :, None]), torch.ones(len(features), dtype=torch.int64))
    return output.logits.exp().numpy(), output.embedding.numpy()


@every_model
@pytest.mark.parametrize("class_weights", [False, True])
def test_probabilities_are_those_of_scikit_learn(name: str, class_weights: bool) -> None:
    corpus = Corpus(classes=(0, 0, 0, 1, 2, 3), count=120)
    body = fitted(name, corpus, class_weights=class_weights, calibrate=False)
    classifier = clone(body.build(0, len(corpus.truth)))
    pipeline = make_pipeline(StandardScaler(), classifier)
    step = type(classifier).__name__.lower()
    weights = {f"{step}__sample_weight": compute_sample_weight("balanced", corpus.truth)} if class_weights else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # that the epochs are over
        pipeline.fit(corpus.features, corpus.truth, **weights)
    if name == "svm":
        expected = softmax(pipeline.decision_function(OTHERS.features), axis=1)
    else:
        expected = pipeline.predict_proba(OTHERS.features)
    tolerance = 5e-3 if name == "mlp" else 1e-4  # rounding to float32 grows over the steps of training
    found, _ = answer(body, OTHERS.features)
    assert np.mean(np.abs(found - expected) <= tolerance) > 0.99  # a tree's threshold may stand at a number itself
    assert np.mean(found.argmax(1) == OTHERS.truth) > 0.8


@every_model
def test_the_embedding_is_the_standardized_features(name: str) -> None:
    body = fitted(name)
    _, embedding = answer(body, OTHERS.features)
    expected = StandardScaler().fit(CORPUS.features.astype(np.float64)).transform(OTHERS.features)
    np.testing.assert_allclose(embedding, expected, atol=1e-5)
    assert embedding.shape[1] == body.embedding_size


@every_model
def test_what_is_saved_answers_as_what_was_fitted(name: str, tmp_path: Path) -> None:
    body, copy = fitted(name), body_of(name)
    body.save(tmp_path)
    copy.load(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]
    for a, b in zip(answer(body, OTHERS.features), answer(copy, OTHERS.features), strict=True):
        np.testing.assert_array_equal(a, b)
    copy.save(tmp_path / "again")
    assert (tmp_path / "again" / "model.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()


@every_model
def test_the_same_seed_makes_the_same_file(name: str, tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        fitted(name, seed=seed).save(tmp_path / folder)
    first, same, other = ((tmp_path / folder / "model.onnx").read_bytes() for folder in "abc")
    assert first == same
    assert (first == other) == (name in {"svm", "logistic"})  # which have no dice


@every_model
@pytest.mark.parametrize("classes", [(1, 3), (0, 2, 3)])
def test_a_class_that_training_never_saw_gets_a_probability_of_zero(name: str, classes: tuple[int, ...]) -> None:
    body = fitted(name, Corpus(classes=classes))
    others = Corpus(classes=classes, seed=1)
    found, embedding = answer(body, others.features)
    absent = [c for c in range(CLASSES) if c not in classes]
    probabilities = body.classify(embedding)
    assert not probabilities[:, absent].any()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(found[:, absent], 1e-7, rtol=1e-5)  # whose logarithm is finite
    assert np.mean(found.argmax(1) == others.truth) > 0.8


def test_one_class_alone_is_refused() -> None:
    with pytest.raises(TrainingError, match="svm needs training utterances of at least two classes"):
        fitted("svm", Corpus(classes=(2,)))


def test_features_that_are_not_finite_are_refused_by_the_utterance() -> None:
    rows = CORPUS.rows | {"005": np.full((1, SIZE), np.nan, np.float32)}
    with pytest.raises(TrainingError, match=r"the features of 005 contain NaN or infinity"):
        body_of("logistic").fit_on(rows, CORPUS.targets, CORPUS.speakers, class_weights=False, seed=0)


@pytest.mark.parametrize("name", ["svm", "logistic"])
def test_calibration_never_fits_and_measures_on_the_same_speaker(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    speaker_of = {tuple(CORPUS.rows[u][0].tolist()): speaker for u, speaker in CORPUS.speakers.items()}
    events: list[tuple[str, set[str]]] = []
    fit, score = SklearnClassifier._fit, SklearnClassifier._scores

    def spy_on_fit(self: Any, features: Any, *arguments: Any, **options: Any) -> Any:
        events.append(("fit", {speaker_of[tuple(row)] for row in features.tolist()}))
        return fit(self, features, *arguments, **options)

    def spy_on_scores(self: Any, scaling: Any, classifier: Any, features: Any) -> Any:
        events.append(("score", {speaker_of[tuple(row)] for row in features.tolist()}))
        return score(self, scaling, classifier, features)

    monkeypatch.setattr(SklearnClassifier, "_fit", spy_on_fit)
    monkeypatch.setattr(SklearnClassifier, "_scores", spy_on_scores)
    fitted(name, calibrate=True)
    assert [kind for kind, _ in events] == ["fit", "score"] * 6
    for (_, inside), (_, held) in zip(events[0:10:2], events[1:10:2], strict=True):
        assert not inside & held
        assert inside | held == set(CORPUS.speakers.values())
    assert set().union(*(held for _, held in events[1:10:2])) == set(CORPUS.speakers.values())


@pytest.mark.parametrize("speakers", [list("aabbc"), list("abcdefghij"), ["a"] * 5 + ["b"]])
def test_folds_are_of_whole_speakers(speakers: list[str]) -> None:
    folds = list(speaker_folds(speakers))
    assert len(folds) == min(5, len(set(speakers)))
    assert sorted(int(i) for _, held in folds for i in held) == list(range(len(speakers)))
    for inside, held in folds:
        assert not {speakers[i] for i in inside} & {speakers[i] for i in held}


def test_calibration_needs_a_second_speaker() -> None:
    one = dict.fromkeys(CORPUS.targets, "toy/0")
    assert list(speaker_folds(list(one.values()))) == []
    with pytest.raises(TrainingError, match="svm calibrates on held-out speakers: train on at least two"):
        body_of("svm").fit_on(CORPUS.rows, CORPUS.targets, one, class_weights=False, seed=0)
    body_of("svm", calibrate=False).fit_on(CORPUS.rows, CORPUS.targets, one, class_weights=False, seed=0)


def test_calibration_makes_an_svm_more_likely_to_be_right_about_others_and_changes_no_class() -> None:
    plain, calibrated = (answer(fitted("svm", calibrate=c), OTHERS.features)[0] for c in (False, True))
    losses = [-np.log(p[np.arange(len(p)), OTHERS.truth]).mean() for p in (plain, calibrated)]
    assert losses[1] < losses[0]
    np.testing.assert_array_equal(plain.argmax(1), calibrated.argmax(1))


def test_a_class_that_a_fold_lacks_does_not_stop_calibration() -> None:
    speakers = {name: "toy/only" if CORPUS.targets[name] == 3 else CORPUS.speakers[name] for name in CORPUS.targets}
    body = body_of("svm")
    body.fit_on(CORPUS.rows, CORPUS.targets, speakers, class_weights=False, seed=0)
    assert np.mean(answer(body, OTHERS.features)[0].argmax(1) == OTHERS.truth) > 0.8


def test_an_svm_chooses_the_class_with_the_highest_score_of_scikit_learn() -> None:
    features, truth = CORPUS.features / np.logspace(-2, 3, SIZE), CORPUS.truth
    pipeline = make_pipeline(StandardScaler(), SVC(C=10, gamma=1 / SIZE)).fit(features, truth)
    body = Svm(vector(SIZE), CLASSES, SvmConfig())
    body.fit_on(CORPUS.rows, CORPUS.targets, CORPUS.speakers, class_weights=False, seed=0)
    scores = pipeline.decision_function(OTHERS.features / np.logspace(-2, 3, SIZE))
    np.testing.assert_array_equal(answer(body, OTHERS.features)[0].argmax(1), scores.argmax(1))


@every_model
def test_thresholds_and_scaling_are_float32_so_the_graph_answers_exactly_as_its_classifier(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGREEING", 1.0)
    monkeypatch.setattr(module, "TOLERANCE", 2e-6)
    fitted(name)


def test_a_graph_that_does_not_answer_as_scikit_learn_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TOLERANCE", -1.0)
    body = body_of("logistic")
    with pytest.raises(ExportError, match=r"only 0\.00 % of the probabilities of logistic in ONNX Runtime are within"):
        body.fit_on(CORPUS.rows, CORPUS.targets, CORPUS.speakers, class_weights=False, seed=0)
    with pytest.raises(TrainingError, match="not fitted yet"):
        answer(body, OTHERS.features)


def test_a_number_that_never_changes_is_only_centered() -> None:
    rows = {name: np.concatenate([row, [[7.0]]], 1).astype(np.float32) for name, row in CORPUS.rows.items()}
    body = Logistic(vector(SIZE + 1), CLASSES, LogisticConfig.tiny())
    body.fit_on(rows, CORPUS.targets, CORPUS.speakers, class_weights=False, seed=0)
    assert not answer(body, np.concatenate(list(rows.values())))[1][:, -1].any()


def test_class_weights_are_refused_where_scikit_learn_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_fit_parameter", lambda estimator, name: False)
    with pytest.raises(RecipeError, match=r"mlp takes class weights only from scikit-learn 1\.7 on"):
        fitted("mlp", class_weights=True)
    fitted("mlp")


def test_a_model_that_was_never_fitted_says_so(tmp_path: Path) -> None:
    body = body_of("svm")
    for call in (lambda: answer(body, OTHERS.features), lambda: body.save(tmp_path), lambda: body.graph):
        with pytest.raises(TrainingError, match="svm is not fitted yet: call fit_on or load first"):
            call()


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    fitted("logistic").save(tmp_path)
    other = Logistic(vector(SIZE), CLASSES + 1, LogisticConfig())
    with pytest.raises(ModelFileError, match=r"is not a valid logistic of serkit: it has .*; fit it again"):
        other.load(tmp_path)
    content = (tmp_path / "model.onnx").read_bytes()
    for damaged in (b"", b"not a graph", content[: len(content) // 2]):
        (tmp_path / "model.onnx").write_bytes(damaged)
        with pytest.raises(ModelFileError, match="is not a valid logistic of serkit"):
            body_of("logistic").load(tmp_path)
    with pytest.raises(ModelFileError, match="cannot read"):
        body_of("logistic").load(tmp_path / "nowhere")


def test_it_is_a_torch_module_without_weights() -> None:
    body = fitted("logistic")
    assert body.train().training
    assert not body.eval().training
    assert (list(body.parameters()), dict(body.state_dict())) == ([], {})
    body.load_state_dict({})
    answer(body, OTHERS.features)


def test_only_vectors_are_read() -> None:
    with pytest.raises(RecipeError, match="svm reads vector, but rows gives frames"):
        Svm(frames(3), CLASSES, SvmConfig())


@every_model
def test_the_default_settings_are_fitted_too(name: str) -> None:
    body = build_body(name, {}, layout=vector(SIZE), classes=CLASSES)
    assert isinstance(body, SklearnClassifier)
    body.fit_on(CORPUS.rows, CORPUS.targets, CORPUS.speakers, class_weights=True, seed=0)
    assert np.mean(answer(body, OTHERS.features)[0].argmax(1) == OTHERS.truth) > 0.8


def test_a_perceptron_takes_fewer_utterances_than_a_batch_has() -> None:
    corpus = Corpus(count=20)
    body = Mlp(vector(SIZE), CLASSES, replace(MlpConfig.tiny(), batch_size=64))
    body.fit_on(corpus.rows, corpus.targets, corpus.speakers, class_weights=False, seed=0)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("svm", {"cost": 0}), ("svm", {"cost": float("inf")}), ("svm", {"gamma": 0.0}), ("logistic", {"cost": -1}),
        ("logistic", {"iterations": 0}), ("mlp", {"hidden": []}), ("mlp", {"hidden": [0]}), ("mlp", {"alpha": -1}),
        ("mlp", {"lr": 0}), ("mlp", {"batch_size": 0}), ("mlp", {"epochs": 0}), ("random_forest", {"trees": 0}),
        ("random_forest", {"depth": 0}), ("random_forest", {"leaf": 0}), ("gradient_boosting", {"rounds": 0}),
        ("gradient_boosting", {"lr": 0}), ("gradient_boosting", {"depth": 0}), ("gradient_boosting", {"leaf": 0}),
        ("gradient_boosting", {"share": 1.5}),
    ],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused(name: str, settings: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"model: {name}: {next(iter(settings))} is out of range|is out of range"):
        build_body(name, settings, layout=vector(SIZE), classes=CLASSES)
