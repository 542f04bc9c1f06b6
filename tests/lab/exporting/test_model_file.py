import hashlib
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

import serkit
from serkit.card import METADATA_KEY, NOT_FOR, Card, Evidence, read_card
from serkit.data.content_digests import file_digest
from serkit.data.corpora import corpus_names, get_corpus, read_corpora
from serkit.data.fingerprint_file import FINGERPRINTS_SHA, write_fingerprints
from serkit.errors import ExportError, RunError
from serkit.lab.exporting import model_card
from serkit.lab.exporting import model_file as module
from serkit.lab.exporting.model_file import TOLERANCE, export, largest_difference, write_graph
from serkit.lab.features.extraction import frames_of_batch
from serkit.lab.measure.calibration import describe_calibration
from serkit.lab.measure.run_folder import VALIDATED, Fit, Row, read_predictions, write_predictions
from serkit.lab.models import Model, build_model, get_config, model_names
from serkit.lab.models.sklearn_classifier import SklearnClassifier
from serkit.lab.recipes.files import dump_recipe, load_recipe
from serkit.lab.recipes.registry import ENSEMBLE, find_model
from serkit.lab.recipes.schema import parse_recipe
from serkit.lab.splits.folds import digest_of_folds
from serkit.lab.training.run import fit_final, run_protocol
from serkit.runtime.recognizer import Recognizer
from serkit.types import Utterance
from support.metrics_file import write_metrics
from support.sealed_runs import reseal, settle
from support.synthetic import voice

RATE = 16_000
CLASSES = ("anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness")
CARD = Card(
    name="toy", serkit_version="0", classes=CLASSES, label_set="emodb", label_note="", sampling_rate=RATE,
    inputs=("waveform", "lengths"), minimum_duration=0.1, parameters=0, corpora=(), languages=(), train_speakers=(),
    validation_speakers=(), split_digest="", temperature=1.0, validation_uar=None, evidence=(), license="",
    is_commercial_use_allowed=True, not_for=(), recipe={},
)  # fmt: skip


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check parity on short clips alone, where a test is about something else."""
    monkeypatch.setattr(module, "_PARITY_SECONDS", (0.2,))


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, to be changed."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


def change(file: Path, **changes: Any) -> None:
    """Change keys of a JSON or YAML mapping."""
    if file.suffix == ".json":
        file.write_text(json.dumps(json.loads(file.read_text("utf-8")) | changes), "utf-8")
    else:
        content = yaml.safe_load(file.read_text("utf-8")) | changes
        file.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    reseal(file.parent)


def evaluated(folder: Path, run: Path, *, is_complete: bool = True, **changed: Any) -> Path:
    """Write what an evaluation of three seeds of the run's recipe leaves behind, as far as a card needs it."""
    rows = [
        Row(f"emodb/{s}{i}", "emodb", f"emodb/{s}", 0, seed, name, CLASSES[0] if i == 5 else name, (0.1429,) * 7)
        for s in range(8) for i, name in enumerate(CLASSES)
        for seed in ((0,) if changed.get("protocol") == "unseen_corpus" else (0, 1, 2))
    ]  # fmt: skip
    facts = {
        "name": "emodb-loso-toy", "protocol": "leave_one_speaker_out", "is_speaker_independent": True,
        "validation": "speakers", "labels": "emodb", "corpora": ["emodb"], "model": "crnn", "complete": is_complete,
    } | changed  # fmt: skip
    write_metrics(folder, rows, CLASSES, [Fit(0, 0, 1, 2, 50.0, 1.0, 1.0)], facts)
    write_predictions(folder, rows, CLASSES)
    shutil.copy(run / "recipe.yaml", folder)
    known = json.loads((run / "env.json").read_text("utf-8"))
    digests = {name: known[name] for name in ("manifest_digest", "audio_digest", "audio_sampling_rate")}
    (folder / "env.json").write_text(json.dumps(digests | {"serkit": "0"}), "utf-8")
    return settle(folder)


def random_model(name: str, settings: dict[str, Any]) -> tuple[torch.nn.Module, Card]:
    """Return an exportable model over its own features, whose weights and statistics are not trivial, and a card."""
    torch.manual_seed(0)
    entry = find_model(name)
    features = [{"name": "statistics"}, {"name": "sex"}] if entry.module == "classical" else list(entry.features)
    model: Model = build_model(features, name, settings, classes=len(CLASSES))
    inputs = ("waveform", "lengths", *(("sex",) if model.front.uses_sex else ()))
    sex = torch.tensor([0.0, 1.0, 0.5, 1.0])
    if isinstance(model.body, SklearnClassifier):
        clips = [voice(CLASSES[i % 7], f"emodb/{i // 7}", seconds=0.3 + 0.02 * i) for i in range(14)]
        rows = frames_of_batch(model.front, clips, [0.0, 1.0] * 7)
        names = [str(i) for i in range(14)]
        targets, speakers = ({name: call(i) for i, name in enumerate(names)} for call in (lambda i: i % 7, str))
        model.body.fit_on(dict(zip(names, rows, strict=True)), targets, speakers, class_weights=False, seed=0)
    else:
        model.train()
        for _ in range(10 if name == "crnn" else 2):
            lengths = torch.tensor([RATE // 2, RATE // 3, RATE // 2, RATE // 4])
            model(0.1 * torch.randn(4, RATE // 2), lengths, sex if model.front.uses_sex else None)
    return module._Exported(model, 1.5).eval(), replace(CARD, inputs=inputs)


def other_rows(size: int) -> tuple[dict[str, Any], dict[str, int], dict[str, str]]:
    """Return vectors of noise, their classes and speakers."""
    rows = np.random.default_rng(0).standard_normal((14, 1, size)).astype(np.float32)
    named = {str(i): row for i, row in enumerate(rows)}
    return named, {name: int(name) % 7 for name in named}, {name: name for name in named}


def session(file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def answer(file: Path, *clips: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Run a file on a padded batch."""
    lengths = np.array([len(clip) for clip in clips])
    waveform = np.zeros((len(clips), lengths.max()), np.float32)
    for row, clip in zip(waveform, clips, strict=True):
        row[: len(clip)] = clip
    return Recognizer.load(file).run(waveform, lengths)


SPEECH = tuple(voice(name, "emodb/03", seconds=s) for name, s in (("anger", 1.5), ("sadness", 0.4), ("fear", 0.8)))


@pytest.mark.parametrize("name", [name for name in model_names(from_scratch=True) if name != ENSEMBLE])
def test_every_model_answers_the_same_in_torch_and_in_onnx_runtime(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name != "crnn":
        monkeypatch.setattr(module, "_PARITY_SECONDS", (0.2, 0.5))
    (exported, card), file = random_model(name, asdict(get_config(name).tiny())), tmp_path / "model.onnx"
    write_graph(exported, file, card)
    difference = largest_difference(exported, Recognizer.load(file), RATE, takes_sex="sex" in card.inputs)
    assert difference < TOLERANCE
    for output in onnx.load(file).graph.output:
        assert output.type.tensor_type.shape.dim[1].dim_value > 0, output.name  # which a vote needs to know


def test_the_default_model_of_true_size_answers_the_same_in_torch_and_in_onnx_runtime(tmp_path: Path) -> None:
    (exported, card), file = random_model("crnn", {}), tmp_path / "model.onnx"
    write_graph(exported, file, card)
    assert largest_difference(exported, Recognizer.load(file), RATE) < TOLERANCE
    assert file.stat().st_size < 12_000_000


@pytest.mark.usefixtures("quick")
def test_a_classical_model_that_answers_other_than_its_file_is_found(tmp_path: Path) -> None:
    (exported, card), file = random_model("logistic", {}), tmp_path / "model.onnx"
    write_graph(exported, file, card)
    for changed in (1.0, 3.0):
        exported.temperature = changed
        assert largest_difference(exported, Recognizer.load(file), RATE, takes_sex=True) > 100 * TOLERANCE
    exported.temperature = 1.5
    exported.model.body.fit_on(*other_rows(exported.model.body.layout.size), class_weights=False, seed=0)
    assert largest_difference(exported, Recognizer.load(file), RATE, takes_sex=True) > 100 * TOLERANCE


def test_parity_is_measured_over_0_2_to_20_seconds_and_batches_of_1_and_8() -> None:
    shapes: list[tuple[int, int]] = []

    class Exact:
        def run(self, waveform: NDArray[np.float32], lengths: NDArray[np.int64]) -> tuple[NDArray[np.float32], ...]:
            shapes.append((waveform.shape[0], waveform.shape[1]))
            assert 0 < lengths.min() <= lengths.max() == waveform.shape[1]
            return (np.zeros((len(lengths), 2), np.float32),) * 2

    def exported(waveform: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, ...]:
        zeros = torch.zeros(len(lengths), 2)
        return zeros, zeros + (0.25 if waveform.shape == (8, 48_000) else 0.0)

    assert largest_difference(exported, Exact(), RATE) == 0.25  # type: ignore[arg-type]
    assert {seconds / RATE for _, seconds in shapes} >= {0.2, 3.0, 20.0}
    assert {size for size, _ in shapes} == {1, 8}


def test_an_exported_run_answers_as_its_torch_model_does(trained_run: Path, model_file: Path) -> None:
    recipe = module.recipe_of(trained_run).recipe
    model = module.load_model(recipe, trained_run / "fold_0" / "seed_0")
    temperature = Recognizer.load(model_file).card.temperature
    for clip in SPEECH:
        with torch.inference_mode():
            output = model(torch.from_numpy(clip)[None], torch.tensor([len(clip)]))
        probabilities, embedding = answer(model_file, clip)
        np.testing.assert_allclose(probabilities, (output.logits / temperature).softmax(1), atol=TOLERANCE)
        np.testing.assert_allclose(embedding, output.embedding, atol=TOLERANCE)


@pytest.mark.usefixtures("quick")
def test_a_classical_run_becomes_one_file_with_its_features_inside(
    small_recipe: dict[str, Any], emodb_dir: Path, tmp_path: Path
) -> None:
    features = [{"name": "statistics"}, {"name": "sex"}]
    changed = small_recipe | {"model": {"name": "svm"}, "features": features, "train": {}}
    fit_final(parse_recipe(changed), {"emodb": emodb_dir}, tmp_path / "run")
    assert export(tmp_path / "run", tmp_path / "svm.onnx") < TOLERANCE
    folder, card = tmp_path / "run" / "fold_0" / "seed_0", Recognizer.load(tmp_path / "svm.onnx").card
    assert card.inputs == ("waveform", "lengths", "sex")
    assert card.weights_digest == hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert card.parameters > 100
    model = module.load_model(module.recipe_of(tmp_path / "run").recipe, folder)
    for clip in SPEECH:
        with torch.inference_mode():
            output = model(torch.from_numpy(clip)[None], torch.tensor([len(clip)]), torch.tensor([0.5]))
        probabilities, embedding = answer(tmp_path / "svm.onnx", clip)
        np.testing.assert_allclose(probabilities, (output.logits / card.temperature).softmax(1), atol=TOLERANCE)
        np.testing.assert_allclose(embedding, output.embedding, atol=TOLERANCE)


def test_a_padded_batch_gets_the_answers_of_single_clips(model_file: Path) -> None:
    silence = np.zeros(RATE // 2, np.float32)
    clips = (*SPEECH, SPEECH[0][:1700], silence)
    together = answer(model_file, *clips)
    for i, clip in enumerate(clips):
        tolerance = 1e-3 if clip is silence else 1e-5  # normalizing silence magnifies what rounding leaves in it
        for batch, single in zip(together, answer(model_file, clip), strict=True):
            np.testing.assert_allclose(batch[i], single[0], atol=tolerance)


@pytest.mark.parametrize("seconds", [0.1, 0.2, 1.0, 7.3, 20.0])
@pytest.mark.parametrize("batch", [1, 3, 8])
def test_probabilities_sum_to_one_at_any_length_and_batch(model_file: Path, seconds: float, batch: int) -> None:
    clips = 0.1 * np.random.default_rng(0).standard_normal((batch, round(seconds * RATE))).astype(np.float32)
    probabilities, embedding = answer(model_file, *clips)
    assert probabilities.shape == (batch, 7)
    assert embedding.shape == (batch, 16)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    assert np.isfinite(embedding).all()


def test_the_graph_has_the_two_inputs_and_two_outputs_and_nothing_else(model_file: Path) -> None:
    opened = session(model_file)
    inputs = {i.name: (i.type, i.shape) for i in opened.get_inputs()}
    outputs = {o.name: (o.type, o.shape) for o in opened.get_outputs()}
    assert inputs == {"waveform": ("tensor(float)", ["B", "T"]), "lengths": ("tensor(int64)", ["B"])}
    assert outputs == {"probabilities": ("tensor(float)", ["B", 7]), "embedding": ("tensor(float)", ["B", 16])}
    assert list(inputs) == ["waveform", "lengths"]
    assert Recognizer.load(model_file).card.inputs == tuple(inputs)


def test_a_model_is_one_file_with_all_its_weights_inside(model_file: Path) -> None:
    assert [file.name for file in model_file.parent.iterdir()] == [model_file.name]
    graph = onnx.load(model_file, load_external_data=False)
    assert not any(t.data_location == onnx.TensorProto.EXTERNAL for t in graph.graph.initializer)
    assert {operators.domain for operators in graph.opset_import} <= {"", "ai.onnx"}  # no operators of anybody's own


def test_weights_that_do_not_fit_in_one_file_are_refused_before_any_work(tmp_path: Path) -> None:
    card = replace(CARD, parameters=500_000_000)
    with pytest.raises(ExportError, match=r"^the weights take 2\.0 GB, and an ONNX file holds at most 2 GB"):
        write_graph(nn.Identity(), tmp_path / "model.onnx", card)
    assert not (tmp_path / "model.onnx").exists()


def test_the_card_inside_tells_what_the_run_was(trained_run: Path, model_file: Path) -> None:
    card = read_card(session(model_file).get_modelmeta().custom_metadata_map, "model")
    assert card == Recognizer.load(model_file).card
    metrics = json.loads((trained_run / "metrics.json").read_text("utf-8"))
    fold = json.loads((trained_run / "folds.json").read_text("utf-8"))[0]
    environment = json.loads((trained_run / "env.json").read_text("utf-8"))
    weights = load_file(trained_run / "fold_0" / "seed_0" / "weights.safetensors")
    assert (card.name, card.serkit_version) == ("emodb-small", serkit.__version__)
    assert (card.classes, card.label_set, card.sampling_rate) == (CLASSES, "emodb", RATE)
    assert card.train_speakers == tuple(fold["train"]["speakers"])
    assert card.validation_speakers == tuple(fold["validation"]["speakers"])
    assert card.seen_speakers == {"emodb/03", "emodb/08", "emodb/09", "emodb/10"}
    assert card.split_digest == environment["split_digest"]
    assert card.temperature == metrics["fits"][0]["temperature"]
    assert card.validation_uar == metrics["validation_uar"]
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert card.parameters == sum(w.numel() for name, w in weights.items() if not name.endswith(statistics))
    assert card.corpora[0]["name"] == "emodb"
    assert (card.corpora[0]["speakers"], card.corpora[0]["utterances"]) == (4, 56)
    assert card.languages == ("de",)
    assert (card.license, card.is_commercial_use_allowed) == ("CC0-1.0", True)
    assert card.not_for == NOT_FOR
    assert card.evidence == ()
    assert card.recipe == yaml.safe_load((trained_run / "recipe.yaml").read_text("utf-8"))


@pytest.mark.usefixtures("quick")
def test_the_card_says_how_far_the_probabilities_can_be_trusted(run: Path, tmp_path: Path) -> None:
    """From the validation answers of the exported seed; a JSON round trip changes nothing."""
    rows, classes = read_predictions(run, VALIDATED)
    (fit,) = json.loads((run / "metrics.json").read_text("utf-8"))["fits"]
    others = [replace(row, seed=1, predicted="anger", probabilities=(1.0, *(0.0,) * 6)) for row in rows]
    write_predictions(run, [*rows, *others], classes, VALIDATED)
    reseal(run)
    export(run, tmp_path / "quarter.onnx")
    export(run, tmp_path / "tenth.onnx", error_rate=0.1)
    for name, rate in (("quarter", 0.25), ("tenth", 0.1)):
        card = Recognizer.load(tmp_path / f"{name}.onnx").card
        assert card.calibration == describe_calibration(rows, classes, fit["temperature"], error_rate=rate)
        assert (card.calibration["utterances"], card.calibration["error_rate"]) == (len(rows), 100 * rate)
        assert card.calibration["speakers"] == len(card.validation_speakers)


@pytest.mark.usefixtures("quick")
def test_validation_on_training_speakers_puts_no_promise_on_the_card(run: Path, tmp_path: Path) -> None:
    (fold,) = json.loads((run / "folds.json").read_text("utf-8"))
    fold["train"]["speakers"] += fold["validation"]["speakers"][:1]
    (run / "folds.json").write_text(json.dumps([fold]), "utf-8")
    protocol = yaml.safe_load((run / "recipe.yaml").read_text("utf-8"))["protocol"]
    change(run / "recipe.yaml", protocol=protocol | {"validation": "sentences", "validation_speakers": None})
    change(run / "metrics.json", validation="sentences")
    export(run, tmp_path / "m.onnx")
    card = Recognizer.load(tmp_path / "m.onnx").card
    assert (card.validation, card.calibration) == ("training speakers", {})
    assert card.promise.startswith("nothing is promised, because the model was validated on speakers that it was ")


def test_validation_counts_as_new_speakers_only_if_no_fold_shares_one() -> None:
    def fold(train: list[str], validation: list[str]) -> dict[str, Any]:
        return {"train": {"speakers": train}, "validation": {"speakers": validation}}

    draws = [fold(["a", "b"], ["c"]), fold(["c", "b"], ["a"])]
    assert model_card._validation(draws, is_inner=False) == "new speakers", "each draw keeps its own apart"
    assert model_card._validation([*draws, fold(["a", "b"], ["b", "c"])], is_inner=False) == "training speakers"
    assert model_card._validation([fold(["a"], [])], is_inner=False) == "nobody"
    assert model_card._validation([fold(["a"], [])], is_inner=True) == "new speakers"


@pytest.mark.usefixtures("quick")
def test_a_run_that_kept_no_validation_answers_has_a_card_without_them(run: Path, tmp_path: Path) -> None:
    (run / VALIDATED).unlink()
    export(reseal(run), tmp_path / "m.onnx")
    assert Recognizer.load(tmp_path / "m.onnx").card.calibration == {}


@pytest.mark.parametrize("rate", [25, 1, 0, -0.1, float("nan")])
def test_an_error_rate_that_is_no_share_is_refused(run: Path, tmp_path: Path, rate: float) -> None:
    with pytest.raises(ExportError, match=r"must be between 0 and 1, such as 0\.25 for 25 %; it is"):
        export(run, tmp_path / "m.onnx", error_rate=rate)


@pytest.mark.usefixtures("quick")
def test_one_corpus_that_forbids_commercial_use_makes_the_model_forbid_it(run: Path, tmp_path: Path) -> None:
    names = ["emodb", "nemo", "ravdess"]
    assert [get_corpus(name).commercial for name in names] == [True, False, False]
    change(run / "recipe.yaml", corpora=names)
    change(run / "metrics.json", corpora=names)
    export(run, tmp_path / "model.onnx")
    card = Recognizer.load(tmp_path / "model.onnx").card
    assert (card.license, card.is_commercial_use_allowed) == ("CC-BY-NC-SA-4.0", False)
    assert [corpus["name"] for corpus in card.corpora] == names
    assert card.languages == ("de", "en", "pl")


def test_every_corpus_says_its_license_for_the_card() -> None:
    assert all(get_corpus(name).license for name in corpus_names())


@pytest.mark.usefixtures("quick")
def test_evidence_goes_on_the_card_with_its_protocol(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "model.onnx", evidence=(evaluated(tmp_path / "a", run), str(evaluated(tmp_path / "b", run))))
    first, second = Recognizer.load(tmp_path / "model.onnx").card.evidence
    assert first == second
    assert isinstance(first, Evidence)
    expected = Evidence(
        run="emodb-loso-toy", protocol="leave_one_speaker_out", corpora=("emodb",), is_speaker_independent=True,
        speakers=8, utterances=56, seeds=3, uar=85.71, uar_low=85.71, uar_high=85.71, interval_over="speakers",
        wa=85.71, macro_f1=first.macro_f1, per_corpus=first.per_corpus,
    )  # fmt: skip
    assert first == expected
    assert [(row["corpus"], row["uar"], row["speakers"]) for row in first.per_corpus] == [("emodb", 85.71, 8)]


@pytest.mark.usefixtures("quick")
def test_evidence_of_another_recipe_is_refused(run: Path, tmp_path: Path) -> None:
    other = evaluated(tmp_path / "other", run)
    recipe = load_recipe(run / "recipe.yaml")
    renamed = recipe.model_copy(update={"name": "other-name", "seeds": (0, 1, 2)})
    (other / "recipe.yaml").write_text(dump_recipe(renamed), "utf-8")
    change(other / "metrics.json", name="other-name", protocol=recipe.protocol.name)
    export(run, tmp_path / "model.onnx", evidence=(other,))
    changed = recipe.model_copy(update={"train": recipe.train.model_copy(update={"lr": 0.5})})
    changed = changed.model_copy(update={"name": "other-name", "seeds": (0, 1, 2)})
    (other / "recipe.yaml").write_text(dump_recipe(changed), "utf-8")
    reseal(other)
    with pytest.raises(RunError, match="evaluated another model, so its results cannot go on this card"):
        export(run, tmp_path / "model.onnx", evidence=(other,))


@pytest.mark.usefixtures("quick")
def test_evidence_on_an_unseen_corpus_must_be_of_the_same_weights(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "model.onnx")
    digest = Recognizer.load(tmp_path / "model.onnx").card.weights_digest
    assert digest == hashlib.sha256((run / "fold_0" / "seed_0" / "weights.safetensors").read_bytes()).hexdigest()
    same = evaluated(tmp_path / "same", run, protocol="unseen_corpus", model_weights_digest=digest)
    clip = Utterance(id="tess/a", path="", corpus="tess", speaker="tess/OAF", emotion="anger")
    change(same / "env.json", **{FINGERPRINTS_SHA: write_fingerprints(same, [clip], {clip.id: b""})})
    export(run, tmp_path / "model.onnx", evidence=(same,))
    other = evaluated(tmp_path / "other", run, protocol="unseen_corpus", model_weights_digest="0" * 64)
    with pytest.raises(RunError, match="evaluated another model"):
        export(run, tmp_path / "model.onnx", evidence=(other,))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("name", "words"),
    [("manifest_digest", "other utterances, speakers or labels than"), ("audio_digest", "other audio than the model")],
)
def test_evidence_of_the_same_recipe_on_other_data_is_refused(run: Path, tmp_path: Path, name: str, words: str) -> None:
    other = evaluated(tmp_path / "other", run)
    change(other / "env.json", **{name: "another"})
    with pytest.raises(RunError, match=f"evaluated the recipe on {words}.*train on the same data"):
        export(run, tmp_path / "model.onnx", evidence=(other,))
    unseen = evaluated(tmp_path / "unseen", run, protocol="unseen_corpus", model_weights_digest="0" * 64)
    change(unseen / "env.json", **{name: "another"})
    with pytest.raises(RunError, match="evaluated another model"):
        export(run, tmp_path / "model.onnx", evidence=(unseen,))


@pytest.mark.usefixtures("quick")
def test_unsealed_evidence_is_refused_and_so_is_an_edited_run(run: Path, tmp_path: Path) -> None:
    other = evaluated(tmp_path / "other", run)
    (other / "recipe.yaml").write_text((other / "recipe.yaml").read_text("utf-8") + "\n", "utf-8")
    with pytest.raises(RunError, match=r"recipe\.yaml was edited after serkit sealed the run"):
        export(run, tmp_path / "model.onnx", evidence=(other,))
    (run / "folds.json").write_text("[" + (run / "folds.json").read_text("utf-8").strip()[1:-1] + ",{}]", "utf-8")
    with pytest.raises(RunError, match=r"folds\.json"):
        export(run, tmp_path / "model.onnx")


@pytest.mark.usefixtures("quick")
def test_a_corpus_that_forbids_derivatives_is_named_on_the_card(run: Path, tmp_path: Path) -> None:
    for names, is_allowed in ((["emodb"], True), (["emodb", "tess"], False)):
        change(run / "recipe.yaml", corpora=names)
        change(run / "metrics.json", corpora=names)
        export(run, tmp_path / "model.onnx")
        assert Recognizer.load(tmp_path / "model.onnx").card.is_sharing_allowed is is_allowed


@pytest.mark.usefixtures("quick")
def test_evidence_that_is_not_finished_or_is_none_is_refused(run: Path, trained_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not finished, so its results cannot go on a card"):
        export(run, tmp_path / "model.onnx", evidence=(evaluated(tmp_path / "part", run, is_complete=False),))
    with pytest.raises(RunError, match="holds no predictions: it was trained, not evaluated"):
        export(run, tmp_path / "model.onnx", evidence=(trained_run,))
    with pytest.raises(RunError, match="is not a run folder: it has no metrics"):
        export(run, tmp_path / "model.onnx", evidence=(tmp_path,))
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.usefixtures("quick")
def test_the_temperature_divides_the_logits_inside_the_graph(run: Path, tmp_path: Path) -> None:
    logits = []
    fits = json.loads((run / "metrics.json").read_text("utf-8"))["fits"]
    for temperature in (0.5, 2.0):
        change(run / "metrics.json", fits=[fits[0] | {"temperature": temperature}])
        file = tmp_path / f"{temperature}.onnx"
        export(run, file)
        assert Recognizer.load(file).card.temperature == temperature
        scores = np.log(answer(file, *SPEECH)[0]) * temperature
        logits.append(scores - scores.mean(1, keepdims=True))
    assert np.abs(logits[0]).max() > 0.1
    np.testing.assert_allclose(logits[0], logits[1], atol=1e-3)


@pytest.mark.usefixtures("quick")
def test_of_several_seeds_the_first_is_exported_or_the_one_that_is_named(run: Path, tmp_path: Path) -> None:
    weights = load_file(run / "fold_0" / "seed_0" / "weights.safetensors")
    (run / "fold_0" / "seed_7").mkdir()
    flipped = {name: value.flip(0).contiguous() if value.ndim else value for name, value in weights.items()}
    save_file(flipped, run / "fold_0" / "seed_7" / "weights.safetensors")
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    second = metrics["fits"][0] | {"seed": 7, "validation_uar": 12.34, "weights": ""}
    change(run / "metrics.json", fits=[*metrics["fits"], second])
    change(run / "recipe.yaml", seeds=[0, 7])
    export(run, tmp_path / "first.onnx")
    export(run, tmp_path / "named.onnx", seed=7)
    first, named = Recognizer.load(tmp_path / "first.onnx"), Recognizer.load(tmp_path / "named.onnx")
    assert first.card.validation_uar == metrics["fits"][0]["validation_uar"]
    digest = named.card.weights_digest
    assert named.card == replace(first.card, validation_uar=12.34, weights_digest=digest, calibration={}), (
        "the second seed's validation answers were not kept"
    )
    assert named.card.weights_digest != first.card.weights_digest
    one, other = (answer(tmp_path / f"{name}.onnx", *SPEECH)[0] for name in ("first", "named"))
    assert np.abs(one - other).max() > 0.01


def test_a_folder_without_a_finished_model_is_refused(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with pytest.raises(RunError, match=r"is not a run folder: it has no recipe\.yaml"):
        export(tmp_path, file)
    with pytest.raises(RunError, match=r"holds no finished model for seed 3: make one with 'serkit train'\."):
        export(run, file, seed=3)
    (run / "fold_0" / "seed_0" / "weights.safetensors").unlink()
    with pytest.raises(RunError, match=r"is missing: weights stay on the machine that trained a run; train"):
        export(run, file)
    change(run / "metrics.json", fits=[], complete=False)
    with pytest.raises(RunError, match="holds no finished model for seed 0"):
        export(run, file)
    assert not file.exists()


def test_an_evaluated_run_is_refused_since_its_models_are_of_folds(run: Path, tmp_path: Path) -> None:
    folds = json.loads((run / "folds.json").read_text("utf-8"))
    nobody = {"speakers": [], "utterances": []}
    tested = folds[0] | {"validation": nobody, "test": folds[0]["validation"]}
    for wrong in ([folds[0], folds[0] | {"fold": 1}], [tested]):
        (run / "folds.json").write_text(json.dumps(wrong), "utf-8")
        (run / VALIDATED).unlink(missing_ok=True)
        change(run / "metrics.json", complete=False, guard={})
        change(run / "env.json", split_digest=digest_of_folds(wrong))
        with pytest.raises(RunError, match="holds no finished model for seed 0: make one with 'serkit train'"):
            export(run, tmp_path / "model.onnx")


def test_a_folder_in_the_place_of_the_file_is_refused_before_any_work(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is a folder; name the file to write"):
        export(run, tmp_path)


@pytest.mark.usefixtures("quick")
def test_a_file_is_written_whole_into_a_folder_that_is_made_for_it(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "model.onnx"
    assert export(run, str(file)) < TOLERANCE
    assert list(file.parent.iterdir()) == [file]
    assert Recognizer.load(file).card.name == "emodb-small"


@pytest.mark.usefixtures("quick")
def test_a_model_that_answers_nan_is_refused(run: Path, tmp_path: Path) -> None:
    file = run / "fold_0" / "seed_0" / "weights.safetensors"
    weights = load_file(file)
    save_file(
        {name: torch.full_like(w, torch.nan) if name.endswith("weight") else w for name, w in weights.items()}, file
    )
    (fit,) = json.loads((run / "metrics.json").read_text("utf-8"))["fits"]
    change(run / "metrics.json", fits=[fit | {"weights": file_digest(file)}])
    with pytest.raises(ExportError, match="would be refused: it is damaged: it answers NaN"):
        export(run, tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("step", ["write_graph", "largest_difference"])
def test_a_failure_leaves_the_older_file_and_nothing_beside_it(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*arguments: Any, **options: Any) -> float:
        if step == "write_graph":
            arguments[1].write_bytes(b"half of a graph")
            raise OSError(28, "No space left on device")
        return 2e-4

    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"the older file")
    monkeypatch.setattr(module, step, broken)
    with pytest.raises((OSError, ExportError), match=r"No space left|differ by 2.0e-04; at most 0.0001 is allowed"):
        export(run, folder / "model.onnx")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == {"model.onnx": b"the older file"}


@pytest.mark.usefixtures("quick")
def test_two_exports_of_a_run_are_alike(run: Path, model_file: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "again.onnx")
    assert Recognizer.load(tmp_path / "again.onnx").card == Recognizer.load(model_file).card
    for a, b in zip(answer(tmp_path / "again.onnx", *SPEECH), answer(model_file, *SPEECH), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_metadata_holds_the_card_and_nothing_of_the_machine(model_file: Path) -> None:
    graph = onnx.load(model_file)
    assert [entry.key for entry in graph.metadata_props] == [METADATA_KEY]
    assert str(model_file.parent).encode() not in model_file.read_bytes()
    assert str(Path(serkit.__file__).parent).encode() not in model_file.read_bytes()


def test_a_folds_model_says_whom_it_has_not_seen(small_recipe: dict[str, Any], emodb_dir: Path, tmp_path: Path) -> None:
    """So what is shown with it may be shown on the fold's test speakers."""
    run = tmp_path / "run"
    recipe = parse_recipe(small_recipe | {"train": {"epochs": 1, "batch_size": 8, "keep": "last"}})
    run_protocol(recipe, {"emodb": emodb_dir}, run)
    folds = json.loads((run / "folds.json").read_text("utf-8"))
    rows, classes = read_predictions(run)
    for fold in folds:
        file = tmp_path / "fold.onnx"
        export(run, file, fold=fold["fold"])
        recognizer = Recognizer.load(file)
        assert sorted(recognizer.card.train_speakers) == sorted(fold["train"]["speakers"])
        assert not recognizer.card.seen_speakers & set(fold["test"]["speakers"])
        manifest = {u.id: u for u in read_corpora(["emodb"], {"emodb": emodb_dir})}
        row = next(row for row in rows if row.fold == fold["fold"])
        answer = recognizer.predict(emodb_dir / manifest[row.utterance].path)
        found = [answer.probabilities[name] for name in classes]
        np.testing.assert_allclose(found, row.probabilities, atol=2e-4)
    with pytest.raises(RunError, match="holds no finished model for seed 0 and fold 9"):
        export(run, tmp_path / "none.onnx", fold=9)
