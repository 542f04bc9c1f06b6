import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from serkit.errors import RecipeError, UnknownNameError
from serkit.lab.encoders import pretrained_checkpoint as encoders
from serkit.lab.features import build_feature
from serkit.lab.recipes.files import dump_recipe, family_models, load_recipe, recipe_names, recipe_schema
from serkit.lab.recipes.schema import (
    Augment,
    NamedSettings,
    Protocol,
    Train,
    parse_recipe,
)
from serkit.lab.training.prepare import check_recipe
from serkit.lab.training.resolve import resolve_recipe
from serkit.lab.training.run import fit_final, run_protocol
from support.tiny_encoders import write_checkpoint

SMALLEST: dict[str, Any] = {"name": "emodb-5fold-crnn", "corpora": ["emodb"], "labels": "emodb"}
RANDOM = {"name": "random", "speaker_dependent": True}
FULL = SMALLEST | {
    "corpora": ["emodb", "tess"],
    "protocol": {"name": "fixed_test_speakers", "test_speakers": ["tess/OAF"], "validation": "sentences", "seed": 3},
    "features": {"name": "logmel", "bands": 40, "normalize": "band"},
    "augment": {"speeds": [1.0], "mixup": 0},
    "model": {"name": "crnn", "stem": [4, 8], "recurrent": 0},
    "train": {"lr": 0.01, "scheduler": "cosine", "patience": 5, "precision": "bf16"},
    "seeds": [0, 1, 2],
}


def saved(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text, "utf-8")
    return path


# Defaults


def test_a_name_corpora_and_labels_are_enough() -> None:
    recipe = parse_recipe(SMALLEST)
    assert recipe.protocol == Protocol()
    assert recipe.augment == Augment()
    assert recipe.train == Train()
    assert recipe.features == (NamedSettings(name="logmel", trim_db=50, normalize="band"),)
    assert recipe.model == NamedSettings(name="crnn")
    assert recipe.seeds == (0,)


@pytest.mark.parametrize("key", SMALLEST)
def test_each_of_them_is_needed(key: str) -> None:
    with pytest.raises(RecipeError, match=rf"^{key}: Field required\.$"):
        parse_recipe({k: v for k, v in SMALLEST.items() if k != key})


def test_by_default_speakers_are_kept_apart() -> None:
    protocol = Protocol()
    assert (protocol.name, protocol.speaker_dependent, protocol.validation) == ("speaker_kfold", False, "speakers")


def test_a_part_may_be_given_by_its_name_alone() -> None:
    assert parse_recipe(SMALLEST | {"model": "crnn"}) == parse_recipe(SMALLEST | {"model": {"name": "crnn"}})


# The recipes that come with serkit


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A hub that has a tiny checkpoint under every name."""
    folder = write_checkpoint(tmp_path_factory.mktemp("encoder"), "wav2vec2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoders, "find_folder", lambda model, revision: folder)
        encoders._open.cache_clear()
        yield
    encoders._open.cache_clear()


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_is_valid_and_has_its_own_name(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    check_recipe(resolve_recipe(recipe))


@pytest.mark.parametrize("name", recipe_names())
def test_a_shipped_recipe_survives_being_resolved(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert load_recipe(saved(tmp_path, dump_recipe(recipe))) == recipe


# Unknown keys and names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"modle": {}},
            "the recipe has no key 'modle'; did you mean 'model'? It has name, about, published, corpora, ",
        ),
        ({"train": {"epoch": 3}}, "train has no key 'epoch'; did you mean 'epochs'? It has optimizer, lr, "),
        ({"augment": {"mix_up": 0.1}}, "augment has no key 'mix_up'; did you mean 'mixup'? It has waveform, "),
        ({"protocol": {"fold": 3}}, "protocol has no key 'fold'; did you mean 'folds'? It has name, folds, "),
        ({"protocol": {"zzz": 3}}, "protocol has no key 'zzz'. It has name, folds, "),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match="^" + re.escape(message)):
        parse_recipe(SMALLEST | change)


def test_an_unknown_label_set_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"^no label set 'basic'; did you mean 'basic7'\?"):
        parse_recipe(SMALLEST | {"labels": "basic"})


@pytest.mark.parametrize("run", [run_protocol, fit_final])
def test_an_unknown_corpus_that_is_not_given_is_refused_with_the_nearest(run: Any, tmp_path: Path) -> None:
    recipe = parse_recipe(SMALLEST | {"corpora": ["ravdes"]})
    with pytest.raises(UnknownNameError, match=r"^no corpus 'ravdes'; did you mean 'ravdess'\? .* --data ravdes=PATH"):
        run(recipe, tmp_path, tmp_path / "run")


@pytest.mark.parametrize("run", [run_protocol, fit_final])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": {"name": "crnn", "dropuot": 0.1}}, "model: crnn has no setting 'dropuot'; did you mean 'dropout'?"),
        ({"model": {"name": "crnn", "dropout": "much"}}, "model: crnn: dropout: Input should be a valid number"),
        ({"model": "crn"}, "no model 'crn'; did you mean 'crnn'?"),
        ({"features": {"name": "logmel", "band": 1}}, "features: logmel has no setting 'band'; did you mean 'bands'?"),
        ({"features": {"name": "logmel", "normalize": "all"}}, "features: logmel: normalize: Input should be 'none', "),
        ({"features": "log_mel"}, "no feature 'log_mel'; did you mean 'logmel'?"),
    ],
)
def test_a_wrong_part_is_refused_before_any_data_is_looked_for(
    run: Any, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises((RecipeError, UnknownNameError), match="^" + re.escape(message)):
        run(parse_recipe(SMALLEST | change), tmp_path / "no data here", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_settings_that_do_not_fit_each_other_are_refused_in_one_sentence() -> None:
    with pytest.raises(
        RecipeError, match=r"a window of 90\.0 ms is longer than n_fft of 512 points at 16000 Hz: set n_fft to 2048\.$"
    ):
        build_feature("logmel", {"window_ms": 90})


# Impossible values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "My Recipe"}, "name: only lowercase letters, digits and"),
        ({"corpora": []}, "corpora: Tuple should have at least 1 item"),
        ({"seeds": []}, "seeds: Tuple should have at least 1 item"),
        ({"seeds": [0, -1]}, "seeds.1: Input should be greater than or equal to 0"),
        ({"corpora": ["emodb", "tess", "emodb"]}, "corpora: emodb is repeated; name it once."),
        ({"seeds": [2, 1, 2]}, "seeds: 2 is repeated; name it once."),
        ({"train": {"lr": 0}}, "train.lr: Input should be greater than 0"),
        ({"train": {"lr": float("nan")}}, "train.lr: Input should be"),
        ({"train": {"batch_size": 1}}, "train.batch_size: Input should be greater than or equal to 2"),
        ({"train": {"epochs": 1.5}}, "train.epochs: Input should be a valid integer"),
        ({"train": {"warmup": 1}}, "train.warmup: Input should be less than 1"),
        (
            {"train": {"scheduler": "step"}},
            "train.scheduler: Input should be 'one_cycle', 'cosine', 'linear', 'cosine_restarts', 'plateau' or "
            "'constant'",
        ),
        ({"train": None}, "train: Input should be a mapping"),
        ({"augment": {"speeds": []}}, "augment.speeds: speeds must be at least one factor, each between 0.5 and 2"),
        ({"augment": {"speeds": [1, 3]}}, "augment.speeds: speeds must be at least one factor"),
        ({"augment": {"copies": 2}}, "augment: copies are copies with augmented waveforms, and waveform is empty"),
        ({"augment": {"waveform": ["noise"], "speeds": [1], "copies": 0}}, "augment.copies: Input should be greater"),
        ({"augment": {"frame_mask_share": 1.5}}, "augment.frame_mask_share: Input should be less than or equal to 1"),
        ({"protocol": {"folds": 1}}, "protocol.folds: Input should be greater than or equal to 2"),
        ({"protocol": {"seed": -1}}, "protocol.seed: Input should be greater than or equal to 0"),
        ({"protocol": {"name": "kfold"}}, "protocol.name: Input should be 'speaker_kfold', 'leave_one_speaker_out', "),
        ({"protocol": {"name": "fixed_test_speakers"}}, "protocol: fixed_test_speakers needs test_speakers."),
        ({"protocol": {"validation": "clips"}}, "protocol.validation: Input should be 'speakers', 'sentences', "),
        ({"model": {}}, "model.name: Field required."),
        ({"model": 3}, "model: Input should be a mapping"),
    ],
)
def test_an_impossible_value_is_refused_with_its_place(change: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match="^" + re.escape(message)):
        parse_recipe(SMALLEST | change)


def test_a_random_split_must_say_that_it_shares_speakers() -> None:
    with pytest.raises(
        RecipeError, match=r"^protocol: a random split has the same speakers on both sides: set speaker_dep"
    ):
        parse_recipe(SMALLEST | {"protocol": {"name": "random"}})
    assert parse_recipe(SMALLEST | {"protocol": RANDOM}).protocol.speaker_dependent


@pytest.mark.parametrize("name", ["speaker_kfold", "leave_one_speaker_out", "fixed_test_speakers"])
def test_no_other_protocol_may_share_speakers(name: str) -> None:
    with pytest.raises(
        RecipeError,
        match=rf"^protocol: speaker_dependent: true is for random and published_folds; {name} keeps speakers apart",
    ):
        parse_recipe(SMALLEST | {"protocol": {"name": name, "speaker_dependent": True, "test_speakers": ["emodb/03"]}})


FIXED = {"name": "fixed_test_speakers", "test_speakers": ["emodb/03"]}
CROSS = {"name": "cross_corpus", "train_corpora": ["emodb"], "test_corpora": ["tess"]}
TABLE = {"name": "published_folds", "table": "emobox-emodb"}
OTHERS = [FIXED, CROSS, TABLE, *({"name": f"leave_one_{one}_out"} for one in ("speaker", "session", "corpus"))]
KFOLD = {"name": "speaker_kfold"}
ONE_FOLD = RANDOM | {"test_share": 0.2}


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        *((one | {"folds": 3}, "folds is for speaker_kfold and random; ") for one in OTHERS),
        *((one | {"order": "consecutive"}, "order is for speaker_kfold; ") for one in (*OTHERS, RANDOM)),
        (ONE_FOLD | {"folds": 3}, "folds: test_share makes a single fold"),
        *(
            (one | {"validation": by, "validation_share": 0.2}, f"validation_share .* validation: {by} would ignore it")
            for one in (KFOLD, *OTHERS)
            for by in ("speakers", "sentences", "none")
        ),
        *(
            (one | {"validation": by, "validation_speakers": 1}, f"validation_speakers .* {by} would ignore it")
            for one in (KFOLD, *OTHERS)
            for by in ("sentences", "random", "none")
        ),
        *((one | {"validation_speakers": 1}, "a random split would ignore it") for one in (RANDOM, ONE_FOLD)),
        *((RANDOM | {"validation": by}, f"would ignore validation: {by}") for by in ("sentences", "none")),
    ],
)
def test_a_setting_that_a_protocol_does_not_follow_is_refused(protocol: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=f"^protocol: .*{message}"):
        parse_recipe(SMALLEST | {"protocol": protocol})


@pytest.mark.parametrize(
    "protocol",
    [
        KFOLD | {"folds": 3, "order": "consecutive"},
        RANDOM | {"folds": 3, "validation_share": 0.2},
        ONE_FOLD | {"validation_share": 0.2, "validation": "random"},
        *(one | {"validation_speakers": 1} for one in (KFOLD, *OTHERS)),
        *(one | {"validation": "random", "validation_share": 0.2} for one in (KFOLD, *OTHERS)),
        *(one | {"validation": by} for one in (KFOLD, *OTHERS) for by in ("sentences", "none")),
    ],
)
def test_a_setting_that_a_protocol_follows_is_taken(protocol: dict[str, Any]) -> None:
    assert parse_recipe(SMALLEST | {"protocol": protocol}).protocol == Protocol(**protocol)


@pytest.mark.parametrize("one", [KFOLD, RANDOM, ONE_FOLD, *OTHERS])
def test_every_default_may_be_said(one: dict[str, Any]) -> None:
    recipe = parse_recipe(SMALLEST | {"protocol": one})
    assert parse_recipe(recipe.as_mapping()) == recipe


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[3] / "results").glob("*/recipe.yaml")), ids=str)
def test_a_recipe_of_the_results_is_still_one(file: Path) -> None:
    assert load_recipe(file).name


@pytest.mark.parametrize("settings", [None, [], "emodb", 3])
def test_a_recipe_is_a_mapping(settings: object) -> None:
    with pytest.raises(RecipeError, match=r"^a recipe is a mapping with at least name, corpora and labels"):
        parse_recipe(settings)


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_recipe(SMALLEST).name = "other"  # type: ignore[misc]


# Files


@pytest.mark.parametrize("settings", [SMALLEST, FULL, SMALLEST | {"protocol": RANDOM}])
def test_a_resolved_recipe_is_read_back_the_same(settings: dict[str, Any], tmp_path: Path) -> None:
    recipe = parse_recipe(settings)
    assert load_recipe(saved(tmp_path, dump_recipe(recipe))) == recipe


def test_a_resolved_recipe_says_every_default() -> None:
    written = yaml.safe_load(dump_recipe(parse_recipe(SMALLEST)))
    assert written["train"]["label_smoothing"] == Train().label_smoothing
    assert written["protocol"].keys() == Protocol.model_fields.keys()


def test_a_recipe_made_in_python_is_the_one_that_is_read_back(tmp_path: Path) -> None:
    """A tuple is a list in YAML, so it is the text that tells."""
    recipe = parse_recipe(SMALLEST | {"model": {"name": "crnn", "stem": (4, 8)}})
    assert dump_recipe(load_recipe(saved(tmp_path, dump_recipe(recipe)))) == dump_recipe(recipe)


def test_a_number_in_the_notation_of_science_is_a_number(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-3, which has no point, as text."""
    path = saved(tmp_path, dump_recipe(parse_recipe(SMALLEST)).replace("lr: 0.002", "lr: 1e-3"))
    assert load_recipe(path).train.lr == 1e-3


@pytest.mark.parametrize("text", ["name: [", "a: b: c", "\tname: x", "name: *nobody"])
def test_broken_yaml_is_named_in_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.yaml' is not YAML: ") as caught:
        load_recipe(saved(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_text_is_not_yaml(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_bytes(b"name: \xff\xfe")
    with pytest.raises(RecipeError, match=r"recipe\.yaml' is not YAML: "):
        load_recipe(path)


@pytest.mark.parametrize("text", ["", "- emodb", "emodb"])
def test_yaml_that_is_no_mapping_is_not_a_recipe(text: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^a recipe is a mapping"):
        load_recipe(saved(tmp_path, text))


@pytest.mark.parametrize(
    "place", ["features: {SETTINGS}", "model: {name: ensemble, members: [{features: {SETTINGS}}]}"]
)
def test_a_recipe_with_british_keys_of_an_older_run_is_read(place: str, tmp_path: Path) -> None:
    recipes = []
    for key in ("normalise", "normalize"):
        content = place.replace("SETTINGS", f"name: logmel, {key}: band").replace("[{", "[{model: crnn, ")
        (tmp_path / f"{key}.yaml").write_text(f"{{name: a, corpora: [emodb], labels: emodb, {content}}}")
        recipes.append(load_recipe(tmp_path / f"{key}.yaml"))
    assert recipes[0] == recipes[1]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"^no recipe file '.*absent\.yaml'\.$"):
        load_recipe(tmp_path / "absent.yaml")


def test_an_unknown_shipped_recipe_says_where_they_are_listed() -> None:
    with pytest.raises(UnknownNameError, match=r"^no recipe 'qqq'. See 'serkit recipes list'\.$"):
        load_recipe("qqq")


def test_what_a_recipe_says_of_training_and_augmentation_comes_before_its_models_own() -> None:
    recipe = parse_recipe(SMALLEST | {"model": "cnn2d", "train": {"epochs": 3}, "augment": {"band_masks": 1}})
    assert (recipe.train.optimizer, recipe.train.epochs, recipe.train.scheduler) == ("rmsprop", 3, "plateau")
    assert (recipe.augment.band_masks, recipe.augment.frame_masks, recipe.augment.mixup) == (1, 0, 0)
    assert recipe.features[0].settings["bands"] == 128


# Changes from the command line, families, the schema


def test_a_change_reaches_any_depth_and_is_in_the_name() -> None:
    recipe = load_recipe("emodb-loso-crnn", ["train.epochs=5", "model.stem=[4, 8]", "seeds=[3]"])
    assert (recipe.train.epochs, recipe.model.settings["stem"], recipe.seeds) == (5, [4, 8], (3,))
    assert recipe.name == "emodb-loso-crnn+train.epochs-5+model.stem-4-8"
    for name in ("mine", "emodb-loso-crnn"):
        assert load_recipe("emodb-loso-crnn", ["train.epochs=5", f"name={name}"]).name == name


def test_other_seeds_leave_the_name() -> None:
    """So that they can be added to a run."""
    assert load_recipe("emodb-loso-crnn", ["seeds=[3]"]).name == "emodb-loso-crnn"


def test_a_change_of_the_model_brings_its_own_features_and_training() -> None:
    recipe = load_recipe("ravdess-6fold-cnn1d", ["model=fusionnet"])
    assert [feature.name for feature in recipe.features] == ["notebook162", "statistics", "sex"]
    assert recipe.train.epochs == 100


@pytest.mark.parametrize("model", ["crnn", {"name": "crnn"}])
def test_a_models_name_may_be_changed_by_its_key(model: object, tmp_path: Path) -> None:
    path = saved(tmp_path, yaml.safe_dump(SMALLEST | {"model": model}))
    recipe = load_recipe(path, ["model.name=svm"])
    assert recipe == load_recipe(path, ["model=svm", f"name={recipe.name}"])
    assert recipe.name == "emodb-5fold-crnn+model.name-svm"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train.epochs", "a change is key=value, such as train.epochs=5."),
        ("=5", "a change is key=value"),
        ("train..epochs=5", "a change is key=value"),
        ("train.epochs=[1,", "the value is not YAML."),
        ("corpora.first=emodb", "'first' would be a key of a list or a number; set the whole value instead."),
        ("train.epoch=5", "train has no key 'epoch'; did you mean 'epochs'?"),
        ("tune.space={train.lr: {low: 1, high: 2, step: 1}}", "tune.space"),
        ("tune={space: {train.lr: [1, 2]}, trial: 3}", "tune has no key 'trial'; did you mean 'trials'?"),
        ("train.epochs=many", "train.epochs: Input should be a valid integer"),
    ],
)
def test_an_impossible_change_is_one_sentence(change: str, message: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(message)):
        load_recipe("emodb-loso-crnn", [change])


def test_a_family_has_a_recipe_for_every_model() -> None:
    for name in family_models():
        recipe = load_recipe(f"ravdess-6fold-{name}")
        assert (recipe.name, recipe.model.name) == (f"ravdess-6fold-{name}", name)
    with pytest.raises(UnknownNameError, match="no recipe 'ravdess-6fold-crn'; did you mean 'ravdess-6fold-crnn'"):
        load_recipe("ravdess-6fold-crn")
    with pytest.raises(UnknownNameError):
        load_recipe("tess-crossspeaker-ensemble")
    with pytest.raises(RecipeError, match="put a model's name in place of MODEL, as in ravdess-6fold-crnn"):
        load_recipe("ravdess-6fold-MODEL")


def test_the_schema_accepts_every_recipe_and_refuses_an_unknown_key() -> None:
    schema = recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    folder = resources.files("serkit.lab.recipes") / "library"
    for name in recipe_names():
        content = yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8"))
        assert not [error.message for error in validator.iter_errors(content)], name
    for wrong in (
        {"modle": 1},
        {"model": "crn"},
        {"train": {"epoch": 1}},
        {"labels": "emod"},
        {"protocol": {"folds": 1}},
    ):
        assert list(validator.iter_errors({**SMALLEST, **wrong})), wrong


def test_what_a_recipe_says_of_itself_does_not_make_it_another() -> None:
    plain = parse_recipe(SMALLEST)
    told = parse_recipe(SMALLEST | {"about": "five folds", "published": "nobody"})
    assert plain != told
    assert plain.is_same_experiment(told)
    assert not plain.is_same_experiment(parse_recipe(SMALLEST | {"seeds": [1]}))
    assert "about" not in plain.as_mapping()
    assert parse_recipe(told.as_mapping()) == told


# What others could plant


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            b"name: a\ntrain: {epochs: 1}\nseeds: [0]\ntrain: {lr: 1}\n",
            "the key 'train' is given twice, in lines 2 and 4",
        ),
        (b"name: a\ntrain:\n  lr: 1\n  lr: 2\n", "the key 'lr' is given twice, in lines 3 and 4"),
        (b"name: &a [*a]", "refers to itself"),
        (b"name: " + b"[" * 5000, "nested more than 100 levels"),
        (b"seeds: [" + b"1" * 5000 + b"]", "is too large"),
        (b"name: 2001-99-99", "month must be in"),
        (b"\xff\xfen\0a\0", "UTF-16; save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "not text in UTF-8"),
    ],
)
def test_a_recipe_that_would_crash_python_is_one_sentence(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "recipe.yaml").write_bytes(content)
    with pytest.raises(RecipeError, match=rf"recipe\.yaml' is not YAML: .*{why}") as caught:
        load_recipe(tmp_path / "recipe.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ["[" * 5000, "1" * 5000, "{a: 1, a: 2}", "&a [*a]"])
def test_a_change_that_would_crash_python_is_one_sentence(value: str) -> None:
    with pytest.raises(RecipeError, match="the value is not YAML: "):
        load_recipe("emodb-loso-crnn", [f"seeds={value}"])


@pytest.mark.parametrize("value", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize("key", ["train.lr", "train.label_smoothing", "model.dropout", "features.top_db"])
def test_what_is_no_number_is_refused_where_a_number_is_wanted(key: str, value: str) -> None:
    with pytest.raises(RecipeError):
        resolve_recipe(load_recipe("emodb-loso-crnn", [f"{key}={value}"]))
