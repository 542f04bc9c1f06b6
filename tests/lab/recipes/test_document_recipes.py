"""The recipes of the documents' tables, and of the corpora's usual protocols: what they promise, and that they run."""

import csv
import json
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from itertools import chain, product
from pathlib import Path

import pytest

from serkit.cli import main
from serkit.data.corpora import corpus_names, get_corpus, label_set_of
from serkit.data.manifest import Manifest
from serkit.lab.recipes.files import family_models, family_names, load_recipe, recipe_names
from serkit.lab.recipes.registry import ENSEMBLE, model_names
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.folds import Split
from serkit.lab.splits.protocols import check_classes, make_split
from serkit.lab.training.prepare import check_recipe
from serkit.lab.training.resolve import resolve_recipe
from support.synthetic import SPEAKERS, TITLES, write_corpus
from support.toy import manifest, sounds, speaker

ROOT = Path(__file__).parents[3]
REPORTS = ("hong-zhao", "fusionnet", "crema-cnn", "emodb-xlsr", "iemocap-coattention")
AT_HAND = {"banglaser", "crema-d", "emodb", "nemo", "ravdess", "savee", "tess"}
SUPERSET = ("crema-d", "ravdess", "savee", "tess")
CORPORA = {name: (name,) for name in corpus_names()} | {  # what a recipe's name begins with
    "corpora4": ("emodb", "nemo", "ravdess", "tess"),
    "crema-d-heard": ("crema-d",),
    "crossing": SUPERSET,
    "default": ("emodb", "nemo", "ravdess"),
    "emodb-ravdess": ("emodb", "ravdess"),
    "ravdess-emodb": ("ravdess", "emodb"),
    "ravdess-tess": ("ravdess", "tess"),
    "superset": SUPERSET,
}
PROTOCOLS = {
    "loso": "leave_one_speaker_out", "crossspeaker": "leave_one_speaker_out", "loco": "leave_one_corpus_out",
    "3fold": "speaker_kfold", "5fold": "speaker_kfold", "6fold": "speaker_kfold", "11fold": "speaker_kfold",
    "4test": "fixed_test_speakers", "tenth": "fixed_test_speakers", "5session": "leave_one_session_out",
    "emobox": "published_folds", "random": "random",
}  # fmt: skip
HONEST = {
    "crema-d": "5fold",
    "emodb": "loso",
    "emodb-ravdess": "5fold",
    "ravdess": "6fold",
}  # instead of random and of folds that share speakers
SOME_MODELS = ("resnet1d", "crnn", "svm")  # a vector, frames, scikit-learn: checking all takes 7 s
OF_FAMILIES = {family.replace("MODEL", model) for family, model in product(family_names(), family_models())}
NAMES = sorted({*recipe_names(), *OF_FAMILIES})
RESULTS = sorted(file.parent for file in ROOT.glob("results/*/recipe.yaml") if file.parent.name in NAMES)
each_recipe = pytest.mark.parametrize("name", recipe_names())
each_family = pytest.mark.parametrize("family", family_names())
each_file = pytest.mark.parametrize("file", [*recipe_names(), *family_names()])


@cache
def official(corpora: Sequence[str], labels: str) -> Manifest:
    """The utterances of the official releases that a label set has, under the names of their files."""
    lists = [get_corpus(name).official for name in corpora]
    utterances = chain.from_iterable(read() for read in lists if read)
    found = Manifest(tuple(replace(u, path=f"{u.id.partition('/')[2]}.wav") for u in utterances))
    return found.select(label_set_of(labels, corpora))[0]


def split_of(name: str, utterances: Manifest | None = None) -> tuple[Manifest, Split]:
    """Divide the official releases, or the utterances given, as a recipe does; recordings are taken as all unlike."""
    recipe = load_recipe(name)
    assert isinstance(recipe.labels, str)
    utterances = utterances or official(recipe.corpora, recipe.labels)
    split = make_split(utterances, recipe.protocol, sounds(utterances))
    check_classes(split, utterances, label_set_of(recipe.labels, recipe.corpora), recipe.protocol)
    return utterances, split


def names_of(file: str) -> list[str]:
    """Return the recipe of a file, or all of a family."""
    return [file.replace("MODEL", model) for model in family_models()] if file.endswith("-MODEL") else [file]


def is_marked(recipe: Recipe) -> bool:
    """Whether training clips are of test speakers, or validation clips of training speakers."""
    return recipe.protocol.speaker_dependent or recipe.protocol.validation == "random"


def beginning(name: str) -> str:
    """Return the corpora in a recipe's name."""
    return max((corpora for corpora in CORPORA if name.startswith(f"{corpora}-")), key=len)


def honest(name: str) -> str:
    """Return the recipe of the same model and corpus that is speaker-independent in test and validation."""
    name = name.removesuffix("-randomvalidation")
    for corpus, protocol in HONEST.items():
        name = re.sub(rf"^{corpus}-random-", f"{corpus}-{protocol}-", name)
    return re.sub(r"^emodb-emobox-", "emodb-loso-", name)


# Every recipe and family


@each_recipe
def test_a_recipe_says_what_it_is_in_one_line(name: str) -> None:
    recipe = load_recipe(name)
    assert 10 < len(recipe.about) < 200
    assert "\n" not in recipe.about + recipe.published
    if recipe.published:
        assert re.match(rf"({'|'.join(REPORTS)})(: |, )", recipe.published)


@each_family
def test_a_family_says_what_it_is_and_names_no_model(family: str) -> None:
    of_one, of_another = (load_recipe(family.replace("MODEL", model)) for model in ("cnn_lstm", "conformer"))
    assert of_one.about
    assert (of_one.about, of_one.published) == (of_another.about, of_another.published)


@each_family
def test_a_family_can_be_run_with_every_kind_of_model(family: str) -> None:
    for model in family_models():
        resolved = resolve_recipe(load_recipe(family.replace("MODEL", model)))
        assert (resolved.recipe.name, resolved.recipe.model.name) == (family.replace("MODEL", model), model)
        if model in SOME_MODELS:
            check_recipe(resolved)


@each_file
def test_a_name_is_corpus_protocol_and_model(file: str) -> None:
    corpora = beginning(file)
    for name in names_of(file):
        recipe = load_recipe(name)
        assert recipe.corpora == CORPORA[corpora]
        protocol, _, rest = name.removeprefix(f"{corpora}-").partition("-")
        if recipe.protocol.name == "cross_corpus":  # the corpora say it
            protocol, rest = "", name.removeprefix(f"{corpora}-")
        else:
            assert recipe.protocol.name == PROTOCOLS[protocol]
        if folds := re.match(r"\d+(?=fold)", protocol):
            assert recipe.protocol.folds == int(folds[0])
        if recipe.model.name == ENSEMBLE:
            assert {"vote", "seeds", ENSEMBLE} & set(rest.split("-"))
        else:
            assert rest.partition("-")[0] == recipe.model.name


@each_file
def test_what_shares_speakers_has_an_honest_counterpart(file: str) -> None:
    for name in names_of(file):
        leaky = load_recipe(name)
        if not is_marked(leaky):
            continue
        fair = load_recipe(honest(name))
        assert not is_marked(fair)
        assert (fair.corpora, fair.labels, fair.model.name) == (leaky.corpora, leaky.labels, leaky.model.name)
        if leaky.published:  # then nothing else may differ either
            same = {"name": fair.name, "protocol": fair.protocol}
            assert leaky.model_copy(update=same).is_same_experiment(fair)


def test_what_shares_speakers_says_so_in_its_name() -> None:
    marked = {name for name in NAMES if is_marked(load_recipe(name))}
    assert marked == {n for n in NAMES if "-random-" in n or n.endswith("-randomvalidation") or "emodb-emobox-" in n}


@pytest.mark.parametrize("folder", RESULTS, ids=lambda folder: folder.name)
def test_a_published_run_is_of_the_recipe_of_its_name(folder: Path) -> None:
    run, recipe = load_recipe(folder / "recipe.yaml"), load_recipe(folder.name)
    assert resolve_recipe(run).recipe.is_same_experiment(resolve_recipe(recipe).recipe)


def test_recipes_that_were_not_run_are_listed_with_the_reason() -> None:
    with (ROOT / "results" / "not-measured.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["recipe"]: row["why"] for row in csv.DictReader(file)}
    names = (*recipe_names(), *family_names())
    absent = [n for n in names if not set(load_recipe(n.replace("MODEL", "svm")).corpora) <= AT_HAND]
    done = {folder.name.removesuffix("-plain") for folder in RESULTS} | {folder.name for folder in RESULTS}
    zoo = {
        f"{family}-{model}" for family in ("emodb-loso", "ravdess-6fold") for model in model_names(from_scratch=True)
    }
    waiting = {*recipe_names(), *zoo} - {*absent, *done}
    assert sorted(rows) == sorted([*absent, *waiting])
    assert {name for name, why in rows.items() if why.startswith("corpus not at hand: ")} == set(absent)
    reasons = ("compute", "weights not at hand: ")
    assert {name for name, why in rows.items() if why.startswith(reasons)} == waiting


def test_the_page_of_recipes_names_each_published_one_and_each_family() -> None:
    named = set(re.findall(r"`([a-z0-9_-]+(?:-MODEL)?)`", (ROOT / "docs" / "RECIPES.md").read_text("utf-8")))
    assert {name for name in recipe_names() if load_recipe(name).published} | set(family_names()) <= named
    assert {n for n in named if n.count("-") > 1 and "_" not in n} <= {*NAMES, *family_names(), "not-measured"}


# What the documents count


def test_document_a_tests_a_fifth_of_the_clips_of_all_speakers() -> None:
    utterances, split = split_of("crema-d-random-resnet1d")
    assert not split.is_speaker_independent
    assert len(split.folds[0].test) == 1489
    assert utterances.subset(split.folds[0].test).speakers == utterances.speakers


def test_crema_d_has_five_folds_of_18_or_19_actors_each() -> None:
    utterances, split = split_of("crema-d-5fold-cnn1d")
    assert sorted(len(utterances.subset(fold.test).speakers) for fold in split.folds) == [18, 18, 18, 18, 19]


def test_each_part_of_banglasers_folds_has_all_emotions_though_seven_speakers_lack_neutral() -> None:
    corpus = get_corpus("banglaser")
    utterances = corpus.without_faulty(official(("banglaser",), "banglaser"))
    assert {u.speaker for u in utterances} - {u.speaker for u in utterances if u.emotion == "neutral"} != set()
    _, split = split_of("banglaser-5fold-logistic", utterances)
    assert sorted(len(utterances.subset(fold.test).speakers) for fold in split.folds) == [6, 7, 7, 7, 7]
    for ids in chain.from_iterable((fold.train, fold.validation, fold.test) for fold in split.folds):
        assert {u.emotion for u in utterances.subset(ids)} == set(corpus.emotions.classes)


@pytest.mark.parametrize(
    ("name", "tested", "validated"),
    [("cnn1d", 1489, 596), ("cnn2d-l1", 2233, 261), ("cnn2d-l1l2", 2233, 261)],
)
def test_document_c_tests_1489_and_2233_of_7442_clips(name: str, tested: int, validated: int) -> None:
    utterances, split = split_of(f"crema-d-random-{name}")
    assert len(utterances) == 7442
    assert [(len(fold.test), len(fold.validation)) for fold in split.folds] == [(tested, validated)]


def test_document_b_tests_six_groups_of_four_actors_and_the_first_alone() -> None:
    utterances, split = split_of("ravdess-6fold-fusionnet")
    groups = [utterances.subset(fold.test).speakers for fold in split.folds]
    assert groups == [tuple(f"ravdess/{4 * k + n:02d}" for n in range(1, 5)) for k in range(6)]
    first, validated_at_random = (
        split_of("ravdess-4test-fusionnet")[1],
        split_of("ravdess-4test-fusionnet-randomvalidation")[1],
    )
    assert first.folds == split.folds[:1]
    assert validated_at_random.folds[0].test == split.folds[0].test
    assert (first.validation, validated_at_random.validation) == ("speakers", "random")
    assert validated_at_random.is_speaker_independent


def test_document_b_divides_121_speakers_into_eleven_folds() -> None:
    utterances, split = split_of("superset-11fold-fusionnet")
    assert len(utterances) == 11_318  # of 12,162, without calm and surprise
    groups = [utterances.subset(fold.test).speakers for fold in split.folds]
    assert [len(group) for group in groups] == [11] * 11
    assert tuple(chain.from_iterable(groups)) == utterances.speakers
    assert {"tess/OAF", "tess/YAF", "savee/DC"} < set(groups[-1])


def test_document_b_crosses_from_two_corpora_to_two_others() -> None:
    utterances, split = split_of("crossing-fusionnet")
    (fold,) = split.folds
    assert Counter(u.corpus for u in utterances.subset(fold.test)) == {"tess": 2400, "savee": 420}
    assert {u.corpus for u in utterances.subset((*fold.train, *fold.validation))} == {"crema-d", "ravdess"}


@pytest.mark.parametrize(("name", "tested", "untested"), [
    ("emodb-ravdess-mfcc_cnn", 1056, {"boredom"}),
    ("ravdess-emodb-mfcc_cnn", 454, {"calm", "surprise"}),
])  # fmt: skip
def test_document_d_tests_the_labels_of_both_and_answers_with_all(name: str, tested: int, untested: set[str]) -> None:
    utterances, split = split_of(name)
    (fold,) = split.folds
    assert len(fold.test) == tested
    emotions = [{u.emotion for u in utterances.subset(ids)} for ids in (fold.train, fold.test)]
    assert emotions[0] - emotions[1] == untested


@pytest.mark.parametrize(("corpus", "sizes"), [("emodb", (427, 54, 54)), ("ravdess", (1152, 144, 144))])
def test_document_d_divides_80_10_10(corpus: str, sizes: tuple[int, ...]) -> None:
    (fold,) = split_of(f"{corpus}-random-mfcc_cnn")[1].folds
    assert (len(fold.train), len(fold.validation), len(fold.test)) == sizes


def test_document_d_puts_two_corpora_together_in_nine_classes() -> None:
    leaky, fair = (load_recipe(f"emodb-ravdess-{protocol}-ssl-wav2vec2") for protocol in ("random", "5fold"))
    assert len(leaky.labels) == len(fair.labels) == 9
    assert (leaky.train.batch_size, leaky.train.accumulate, leaky.train.lr, leaky.train.epochs) == (4, 2, 1e-4, 25)
    assert (leaky.train.scheduler, leaky.train.warmup, leaky.train.best) == ("linear", 0.1, "validation_loss")


@pytest.mark.parametrize("name", [
    "iemocap-tenth-cnn2d", "iemocap-tenth-cnn2d-vote", "iemocap-tenth-coattention", "iemocap-tenth-coattention-vit",
    "iemocap-tenth-coattention-vote",
])  # fmt: skip
def test_document_e_trains_on_four_speakers_seven_times(name: str) -> None:
    people = [speaker(f"iemocap/{who}", "female" if who[-1] == "F" else "male") for who in SPEAKERS["iemocap"]]
    utterances, split = split_of(name, manifest(*people))
    counts = [[len(utterances.subset(p).speakers) for p in (f.train, f.validation, f.test)] for f in split.folds]
    assert counts == [[4, 1, 1]] * 7
    assert len({fold.train for fold in split.folds}) == 7
    recipe = load_recipe(name)
    seeds = recipe.model.settings.get("seeds", recipe.seeds)
    assert [fold.draw for seed in seeds for fold in split.of_seed(seed)] == list(range(7))


@pytest.mark.parametrize(("corpus", "folds"), [("emodb", 5), ("ravdess", 6)])
def test_emoboxs_folds_are_those_of_its_table_in_its_order(corpus: str, folds: int) -> None:
    table = resources.files("serkit.lab.splits") / "published" / f"emobox-{corpus}.csv"
    rows = list(csv.DictReader(table.read_text("utf-8").splitlines()))
    utterances, split = split_of(f"{corpus}-emobox-crnn")
    assert len(split.folds) == folds
    for number, fold in enumerate(split.folds, 1):
        of_table = {row["path"] for row in rows if row["test_fold"] == str(number)}
        assert {u.path for u in utterances.subset(fold.test)} == of_table
    assert split.is_speaker_independent == (corpus == "ravdess")


def test_each_emobox_fold_of_ravdess_has_four_actors() -> None:
    utterances, split = split_of("ravdess-emobox-crnn")
    assert [len(utterances.subset(fold.test).speakers) for fold in split.folds] == [4] * 6


def test_every_corpus_is_tested_by_a_model_of_the_others() -> None:
    utterances, split = split_of("corpora4-loco-crnn")
    assert [{u.corpus for u in utterances.subset(fold.test)} for fold in split.folds] == [
        {"emodb"}, {"nemo"}, {"ravdess"}, {"tess"}
    ]  # fmt: skip


# The command, on corpora that are not at hand

TINY_CRNN = "{name: crnn, stem: [4], channels: 8, dilations: [1], recurrent: 0, embedding: 8}"
TINY_COATTENTION = (
    "model.lstm=4", "model.lstm_layers=1", "model.side=64", "model.width=8", "model.depth=1", "model.heads=2",
    "model.alexnet=[4, 4, 4, 4, 4]", "model.stem=[4]", "model.channels=8", "model.dilations=[1]", "train.epochs=2",
    "augment.speeds=[1.0]",
)  # fmt: skip
RUNS = {
    "crema-d-random-cnn1d": ["model.channels=[4]", "train.epochs=1"],
    "crema-d-5fold-random_forest": ["model.trees=5"],
    "crossing-fusionnet": ["model.filters=4", "train.epochs=1"],
    "iemocap-5session-logistic": ["features=statistics"],
    "iemocap-tenth-coattention-vit": ["model.encoder=''", *TINY_COATTENTION, "seeds=[0]"],
    "iemocap-tenth-crnn-vote": [f"model.members=[{TINY_CRNN}]", "train.epochs=1"],
    "ravdess-6fold-coattention": TINY_COATTENTION,
    "savee-loso-mlp": ["model.epochs=5"],
    "superset-4test-fusionnet-randomvalidation": ["model.filters=4", "train.epochs=1"],
}


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny releases of all corpora of these recipes."""
    root = tmp_path_factory.mktemp("trees")
    for name, speakers in {"crema-d": 5, "ravdess": 6, "savee": 4, "tess": 2, "iemocap": 10}.items():
        write_corpus(name, root / TITLES[name], speakers=speakers, per_class=1)
    return root


@pytest.mark.usefixtures("quick_bootstrap", "one_thread")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.long) if "coattention" in name else name for name in RUNS]
)
def test_the_command_runs_a_documents_recipe(
    name: str, trees: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = chain.from_iterable(("--set", change) for change in RUNS[name])
    command = ("serkit", "evaluate", name, "--data", str(trees), "--out", str(tmp_path / "run"), *changes)
    monkeypatch.setattr(sys, "argv", list(command))
    with pytest.raises(SystemExit) as stop:
        main()
    assert not stop.value.code
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text("utf-8"))
    assert metrics["complete"]
    assert metrics["is_speaker_independent"] == ("-random-" not in name)
    assert metrics["validation"] == ("random" if "random" in re.sub("random_forest", "", name) else "speakers")
