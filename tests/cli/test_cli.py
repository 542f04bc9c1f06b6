import csv
import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

import serkit
from serkit.cli import app
from serkit.data.corpora import corpus_names, get_corpus
from serkit.data.manifest import Manifest
from serkit.runtime.recognizer import Recognizer
from support import bare
from support.calling import Call, Done, assert_one_sentence, process
from support.run_folders import predictions, write_run
from support.sealed_runs import settle
from support.synthetic import voice

RATE = 16_000
SPEECH = voice("anger", "emodb/03", seconds=1.0)
EXAMPLES = Path(__file__).parents[2] / "examples"
MISSING_LAB = "serkit: this command needs an optional part: pip install 'serkit[lab]'"


def test_the_version_is_the_packages(call: Call) -> None:
    assert call("--version") == Done(0, f"{serkit.__version__}\n", "")
    assert process("--version") == Done(0, f"{serkit.__version__}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["predict"],
        ["train"],
        ["evaluate"],
        ["export"],
        ["compare"],
        ["corpora"],
        ["models"],
        ["features"],
        ["recipes"],
    ],
    ids=" ".join,
)
def test_every_command_has_help(call: Call, command: list[str]) -> None:
    done = call(*command, "--help")
    assert done.code == 0
    assert "Usage: " in done.out


def test_help_groups_the_commands_by_what_people_do(call: Call) -> None:
    found: dict[str, list[str]] = {}
    for line in call("--help").out.splitlines():
        if title := re.match(r"╭─ (\w+) ─", line):
            commands = found.setdefault(title[1], [])
        elif command := re.match(r"│ (\w+) ", line):
            commands.append(command[1])
    assert list(found.items())[1:] == [
        ("Recognize", ["predict", "timeline", "listen", "serve"]),
        ("Corpora", ["corpora"]),
        ("Experiments", ["recipes", "features", "augment", "train", "evaluate", "report", "compare"]),
        ("Models", ["models", "export"]),
    ]


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield a command and those below it, each with its path."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, (*path, name))


def test_every_command_argument_and_option_is_described_in_a_phrase() -> None:
    for path, command in _commands(typer.main.get_command(app)):
        assert path == () or re.match(r"[A-Z].*\.", command.help, re.DOTALL), path
        for parameter in command.params:
            text = getattr(parameter, "help", None)
            if parameter.name == "help":
                continue
            assert text, (path, parameter.name)
            assert re.fullmatch(r"[A-Z.].*\.", text), (path, text)
            assert not re.match(r"(Of|That|How|Which|Likewise|Those|As for)\b", text), (path, text)


def test_a_wrong_call_is_told_on_stderr_with_exit_code_2(call: Call) -> None:
    for arguments in (["predict"], ["predikt", "a.wav"], ["predict", "a.wav", "--frmat", "json"], ["train", "x"]):
        done = call(*arguments)
        assert (done.code, done.out) == (2, "")
        assert "Usage: " in done.err


def listing(call: Call, *command: str) -> list[dict[str, Any]]:
    """Return a listing's JSON, after checking that its table holds the same."""
    done = call(*command, "--json")
    assert (done.code, done.err) == (0, "")
    rows: list[dict[str, Any]] = json.loads(done.out)
    table = call(*command)
    assert (table.code, table.err) == (0, "")
    assert all(str(next(iter(row.values()))) in table.out for row in rows)
    return rows


def test_corpora_are_listed_with_size_and_license(call: Call) -> None:
    rows = {row["corpus"]: row for row in listing(call, "corpora", "list")}
    assert tuple(rows) == corpus_names()
    assert rows["emodb"]["utterances"] == 535
    assert rows["ravdess"]["speakers"] == 24
    assert rows["nemo"]["languages"] == ["pl"]
    assert all(row["license"] == get_corpus(name).license for name, row in rows.items())


def test_features_models_and_recipes_are_listed(call: Call) -> None:
    from serkit.lab.recipes.files import family_names, recipe_names

    assert "logmel" in [row["feature"] for row in listing(call, "features", "list")]
    models = listing(call, "models", "list")
    assert "crnn" in [row["model"] for row in models]
    assert all(row["about"] for row in models)
    recipes = listing(call, "recipes", "list")
    assert [row["recipe"] for row in recipes] == sorted((*recipe_names(), *family_names()))
    assert all(row["speaker_dependent"] for row in recipes if row["protocol"] == "random")
    assert all((row["model"] is None) == row["recipe"].endswith("-MODEL") for row in recipes)


def test_a_recipe_is_shown_with_every_default(call: Call) -> None:
    from serkit.lab.recipes.files import load_recipe, recipe_names
    from serkit.lab.recipes.schema import parse_recipe
    from serkit.lab.training.resolve import resolve_recipe

    for name in recipe_names()[::7]:
        done = call("recipes", "show", name)
        assert (done.code, done.err) == (0, "")
        shown = yaml.safe_load(done.out)
        assert parse_recipe(shown) == resolve_recipe(load_recipe(name)).recipe
        features = shown.get("features", [])  # an ensemble has none of its own
        features = features if isinstance(features, list) else [features]
        assert all("sampling_rate" in feature or feature["name"] == "sex" for feature in features)


def test_a_models_card_is_shown_as_text_and_as_json(call: Call, model_file: Path) -> None:
    done = call("models", "show", model_file, "--json")
    assert (done.code, done.err) == (0, "")
    found, card = json.loads(done.out), Recognizer.load(model_file).card
    assert found.pop("probe").startswith("it answered 1 s of noise and of silence in ")
    assert found == json.loads(card.to_json())
    lines = call("models", "show", model_file).out.splitlines()
    assert lines[0] == card.name
    assert f"classes: {', '.join(card.classes)}" in lines
    assert f"promise: {card.promise}" in lines
    assert f"limit: {card.limits[0]}" in lines
    assert any(line.startswith("probe: it answered ") for line in lines)


def test_a_manifest_is_written_as_a_table(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    done = call("corpora", "manifest", "emodb", emodb_dir, "-o", tmp_path / "emodb.csv")
    assert done == Done(0, f"{tmp_path / 'emodb.csv'}: 56 utterances (officially 535) of 4 speakers\n", "")
    read, official = Manifest.read(tmp_path / "emodb.csv"), get_corpus("emodb").manifest(emodb_dir)
    assert read.digest == official.digest
    assert [read.audio_path(u).resolve() for u in read] == [official.audio_path(u).resolve() for u in official]


@pytest.fixture
def recipe_file(small_recipe: dict[str, Any], tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(small_recipe | {"train": {"epochs": 1, "batch_size": 8}}), "utf-8")
    return file


def test_a_model_is_trained_exported_shown_and_used(
    call: Call, recipe_file: Path, corpora_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab.exporting import model_file as export

    monkeypatch.setattr(export, "_PARITY_SECONDS", (0.2, 1.0))
    run, model = tmp_path / "run", tmp_path / "emodb-small.onnx"
    done = call("train", recipe_file, "--data", corpora_dir, "--out", run)
    assert done.code == 0
    assert done.out.endswith(f"next: serkit export {run} -o emodb-small.onnx\n")
    assert "Traceback" not in done.err
    done = call("export", run, "-o", model)
    assert done.code == 0
    assert done.out.startswith(f"{model}: ")
    assert done.err == "" or done.err.startswith("serkit: every answer is ")  # an epoch teaches next to nothing
    card = json.loads(call("models", "show", model, "--json").out)
    assert (card["name"], card["sampling_rate"]) == ("emodb-small", RATE)

    clip = next(iter(sorted((corpora_dir / "EmoDB" / "wav").iterdir())))
    done = process("predict", clip, "--model", model, "--format", "json")
    assert (done.code, done.err) == (0, "")
    assert set(json.loads(done.out)[0]["probabilities"]) == set(card["classes"])

    done = call("evaluate", model, "--corpora", "tess", "--data", corpora_dir, "--out", tmp_path / "unseen")
    assert done.code == 0
    assert "| unseen | unseen corpus |" in done.out
    done = call("evaluate", model, "--corpora", "emodb", "--data", corpora_dir, "--out", tmp_path / "seen")
    assert done.code == 2
    assert done.err.splitlines()[-1].startswith("serkit: ")
    assert "emodb/03" in done.err
    assert_one_sentence(call("evaluate", model, "--data", corpora_dir, "--out", tmp_path / "x"), "--corpora tess")


def test_a_recipe_is_evaluated_and_compared(call: Call, recipe_file: Path, emodb_dir: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = call("evaluate", recipe_file, "--data", f"emodb={emodb_dir}", "--out", run)
    assert done.code == 0
    assert "Traceback" not in done.err
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    row = f"| emodb-small | speaker k-fold | 7 | 4 | 56 | 1 | 14.3 | {metrics['uar']:.1f} ["
    assert row in done.out
    compared = call("compare", run, run)
    assert (compared.code, compared.err) == (0, "")
    marked = row.replace("k-fold |", "k-fold (one class for nearly every clip) |")  # an epoch teaches next to nothing
    assert compared.out.count(row) + compared.out.count(marked) == 1
    document = call("compare", run, "--format", "json")
    assert (document.code, document.err) == (0, "")
    assert [(found["name"], found["uar"]) for found in json.loads(document.out)] == [("emodb-small", metrics["uar"])]

    again = call("evaluate", recipe_file, "--data", f"emodb={emodb_dir}", "--out", run)
    assert again.out == done.out
    assert "2 fits are done already, 0 to go" in again.err
    done = call("export", run, "-o", tmp_path / "model.onnx")
    assert_one_sentence(done, "holds no finished model for seed 0: make one with 'serkit train'.")


def test_an_ablation_is_one_table_and_goes_on(call: Call, emodb_dir: Path, tmp_path: Path) -> None:
    """The variant that its model cannot be is named, and every one has a run folder of its own."""
    recipe = tmp_path / "forest.yaml"
    recipe.write_text(
        "name: emodb-small\ncorpora: [emodb]\nlabels: emodb\nprotocol: {folds: 2, validation_speakers: 1}\n"
        "features: [{name: statistics, sampling_rate: 16000}, sex]\n"
        "model: {name: random_forest, trees: 8, depth: 3}\n"
    )
    options = ("--data", f"emodb={emodb_dir}", "--out", tmp_path / "all")
    done = call("evaluate", recipe, "--ablate", "features,balance", *options)
    assert done.code == 0
    names = ["base", "without-sex", "imbalanced", "balanced-sampling"]
    assert {path.name for path in (tmp_path / "all").iterdir()} == {*names, "ablation.html", "ablation.csv"}
    assert "without-statistics is left out: " in done.err
    assert "corrected for 3 comparisons" in done.out
    for name in names[1:]:
        assert done.out.count(f"emodb-small+{name}") >= 2, "in the table, and against the recipe itself"
    with (tmp_path / "all" / "ablation.csv").open() as file:
        assert sum(1 for _ in file) == 1 + len(names)
    again = call("evaluate", recipe, "--ablate", "features,balance", *options)
    assert again.out == done.out
    assert again.err.count("2 fits are done already, 0 to go") == len(names)
    assert_one_sentence(
        call("evaluate", recipe, "--ablate", "feature", *options), "no axis 'feature'; did you mean 'features'?"
    )
    assert_one_sentence(
        call("evaluate", tmp_path / "a.onnx", "--corpora", "tess", "--ablate", "features", *options),
        "--set and --ablate are for recipes",
    )


def test_an_empty_axis_is_refused(call: Call, recipe_file: Path, tmp_path: Path) -> None:
    for axes in ("", " ", "features,"):
        done = call("evaluate", recipe_file, "--ablate", axes, "--out", tmp_path / "run")
        assert_one_sentence(
            done, f"--ablate {axes!r}: expected one or more of features, augment, balance, corpora, pretrain"
        )
    done = call("evaluate", "a.onnx", "--corpora", "tess", "--ablate", "", "--out", tmp_path / "run")
    assert_one_sentence(done, "--set and --ablate are for recipes")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("alike", [True, False])
def test_what_an_ablation_cannot_compare_costs_nothing_of_the_rest(
    call: Call, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alike: bool
) -> None:
    from serkit.lab.measure import pooled_metrics
    from serkit.lab.measure.intervals import bootstrap_interval
    from serkit.lab.training import run as running

    def ablate(*_: object, **__: object) -> dict[str, Path]:
        skills = {"base": 0.6, "other": 0.3} if alike else {"base": 0.6}
        made = {name: write_run(tmp_path / name, predictions(skill=skills[name]), name=name) for name in skills}
        made["fewer"] = write_run(tmp_path / "fewer", predictions(speakers=5), name="fewer")
        made["broken"] = write_run(tmp_path / "broken", name="broken")
        (made["broken"] / "predictions.csv").unlink()
        return made

    monkeypatch.setattr(pooled_metrics, "bootstrap_interval", partial(bootstrap_interval, draws=50))
    monkeypatch.setattr(running, "ablate", ablate)
    done = call("evaluate", recipe_file, "--ablate", "balance", "--data", tmp_path, "--out", tmp_path)
    assert done.code == 0
    broken, fewer = done.err.splitlines()
    assert broken.startswith("serkit: broken is skipped: ")
    assert fewer == (
        "serkit: fewer is left out of the comparison: it was tested on other utterances or classes than the recipe "
        "itself."
    )
    assert ("Reference: base" in done.out) == alike
    with (tmp_path / "ablation.csv").open() as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"base", "fewer", *(["other"] if alike else [])}
    assert [name for name, row in rows.items() if row["difference"]] == (["other"] if alike else [])
    assert (tmp_path / "ablation.html").is_file()


def test_the_variable_names_the_corpora_even_in_a_path_with_a_space(
    call: Call, recipe_file: Path, emodb_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "my corpora"
    folder.mkdir()
    monkeypatch.setenv("SERKIT_CORPORA", str(folder))
    done = call("evaluate", recipe_file, "--out", tmp_path / "run")
    assert_one_sentence(done, f"no folder for EmoDB in {str(folder)!r}")
    monkeypatch.setenv("SERKIT_CORPORA", f"ravdess={folder}")
    done = call("evaluate", recipe_file, "--out", tmp_path / "run")
    assert_one_sentence(done, "no folder is given for EmoDB: pass --data emodb=DIR; get it with")


def test_what_cannot_be_run_is_one_sentence(call: Call, recipe_file: Path, tmp_path: Path, trained_run: Path) -> None:
    from serkit.lab.recipes.files import recipe_names

    out, known = ("--out", tmp_path / "run"), recipe_names()[0]
    assert_one_sentence(
        call("evaluate", known[:-1], *out),
        f"no recipe {known[:-1]!r}; did you mean {known!r}? See 'serkit recipes list'.",
    )
    assert_one_sentence(call("train", tmp_path / "none.yaml", *out), "no recipe file")
    assert_one_sentence(
        call("evaluate", recipe_file, *out), "no data folder given; use --data DIR or set SERKIT_CORPORA"
    )
    assert_one_sentence(call("train", recipe_file, *out, "--data", tmp_path / "none"), "no data folder")
    assert_one_sentence(call("train", recipe_file, *out, "--data", tmp_path), "no folder for EmoDB in")
    assert_one_sentence(call("train", recipe_file, *out, "--data", f"emodb={tmp_path / 'none'}"), "none")
    assert_one_sentence(call("train", recipe_file, *out, "--data", "a", "--data", "b"), "expected CORPUS=DIR.")
    assert_one_sentence(call("evaluate", recipe_file, *out, "--corpora", "tess"), "--corpora is for model files")
    assert_one_sentence(call("compare", tmp_path), "is not a run folder: it has no metrics.json.")
    assert_one_sentence(call("compare", trained_run), "holds no predictions: it was trained, not evaluated.")
    assert_one_sentence(call("export", tmp_path, "-o", tmp_path / "m.onnx"), "is not a run folder")
    assert_one_sentence(call("export", trained_run, "-o", tmp_path), "is a folder; name the file to write.")
    assert_one_sentence(call("corpora", "manifest", "emodbb", tmp_path, "-o", "x.csv"), "did you mean 'emodb'?")
    assert_one_sentence(call("models", "show", tmp_path / "none.onnx"), "cannot read the model")
    assert_one_sentence(call("recipes", "show", "none"), "no recipe 'none'")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\ncorpora: [emodb]\nlabels: emodb\nsead: 1\n", "the recipe has no key 'sead'; did you mean 'seeds'?"),
        ("name: x\ncorpora: [emodb]\nlabels: emodv\n", "no label set 'emodv'; did you mean 'emodb'?"),
        ("name: x\ncorpora: [emodb]\nlabels: emodb\ntrain: {epochs: 0}\n", "train.epochs: "),
        ("name: [\n", "is not YAML"),
        ("- a list\n", "a recipe is a mapping"),
        ("", "a recipe is a mapping"),
    ],
)
def test_a_recipe_that_is_wrong_is_one_sentence(call: Call, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text, "utf-8")
    assert_one_sentence(call("train", file, "--out", tmp_path / "run", "--data", tmp_path), message)


def test_a_run_folder_that_is_a_file_is_one_sentence(
    call: Call, recipe_file: Path, emodb_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = call("train", recipe_file, "--data", f"emodb={emodb_dir}", "--out", tmp_path / "file")
    assert_one_sentence(done, f"{str(tmp_path / 'file')!r} is a file; choose another output folder.")


def test_stopping_a_run_says_how_it_goes_on(
    call: Call, recipe_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serkit.lab import experiments

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(experiments, "evaluate", stopped)
    done = call("evaluate", recipe_file, "--data", tmp_path, "--out", tmp_path / "run")
    assert (done.code, done.out) == (130, "")
    assert done.err.strip() == "serkit: interrupted. Run the same command to resume."


def test_an_error_of_ours_stays_visible(call: Call, monkeypatch: pytest.MonkeyPatch, model_file: Path) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'serkit.nonsense'", name="serkit.nonsense")

    monkeypatch.setattr("serkit.runtime.model_probe.probe", broken)
    with pytest.raises(ModuleNotFoundError):
        call("models", "show", model_file)


_CALL_MANY = """
import json
from serkit.cli import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["serkit", *arguments]
    try:
        main()
    except SystemExit as stop:
        print("exit code", stop.code)
"""


def test_without_the_lab_extra_its_commands_print_the_exact_pip_command(tmp_path: Path) -> None:
    commands = [
        ["train", "x", "--out", "y"], ["evaluate", "x", "--out", "y"], ["export", "x", "-o", "y"],
        ["features", "list"], ["models", "list"], ["recipes", "list"], ["recipes", "show", "x"],
    ]  # fmt: skip
    done = bare.python(_CALL_MANY, json.dumps(commands), without=bare.LAB)
    assert done.stderr.splitlines() == [MISSING_LAB] * len(commands)
    assert done.stdout.splitlines() == ["exit code 2"] * len(commands)


def _evaluated(folder: Path) -> Path:
    """Write what ``compare`` reads of a run of two speakers."""
    from serkit.lab.measure.run_folder import Row, write_predictions
    from support.metrics_file import write_metrics

    classes = ("anger", "neutral")
    rows = [
        Row(f"emodb/{s}{name}", "emodb", f"emodb/{s}", 0, 0, name, name, (0.5, 0.5)) for s in (3, 8) for name in classes
    ]
    facts = {
        "name": "toy", "protocol": "speaker_kfold", "is_speaker_independent": True, "validation": "speakers",
        "labels": "emodb", "corpora": ["emodb"], "model": "crnn", "complete": True,
    }  # fmt: skip
    write_predictions(folder, rows, classes)
    write_metrics(folder, rows, classes, [], facts)
    (folder / "recipe.yaml").write_text("name: toy\n", "utf-8")
    return settle(folder)


def test_without_the_lab_extra_the_rest_of_the_command_line_works(
    model_file: Path, clips: Path, emodb_dir: Path, tmp_path: Path
) -> None:
    commands = [
        ["predict", str(clips / "a.wav"), "--model", str(model_file)],
        ["predict", str(clips / "c.wav"), str(clips / "b.flac"), "--model", str(model_file), "--format", "csv"],
        ["models", "show", str(model_file)],
        ["corpora", "list"],
        ["corpora", "manifest", "emodb", str(emodb_dir), "-o", str(tmp_path / "emodb.csv")],
        ["compare", str(_evaluated(tmp_path / "run"))],
    ]
    done = bare.python(_CALL_MANY, json.dumps(commands), without=bare.NOT_INSTALLED)
    assert done.stderr == ""
    assert done.stdout.count("exit code 0") == len(commands)


# Models


def test_models_list_says_weights_input_document_and_license(call: Call) -> None:
    rows = {row["model"]: row for row in json.loads(call("models", "list", "--json").out)}
    assert len(rows) >= 20
    assert rows["vgg16"]["weights"] > 134_000_000
    assert rows["fusionnet"]["features"] == ["notebook162", "statistics", "sex"]
    assert rows["alexnet1d"]["source"] == "hong-zhao"
    assert rows["svm"]["weights"] is None
    assert {row["license"] for row in rows.values()} == {"Apache-2.0"}
    assert all(row["about"].endswith(".") for row in rows.values())
    assert "mfcc_cnn" in call("models", "list").out


def test_models_show_prints_document_bs_table(call: Call) -> None:
    lines = call("models", "show", "fusionnet").out.splitlines()
    totals = [line for line in lines if line.startswith("Total params")]
    assert totals == ["Total params: 665,850", "Total params: 676"]
    assert any("(None, 256, 81)" in line for line in lines)


def test_what_is_no_network_has_no_layers_to_show(call: Call) -> None:
    assert_one_sentence(call("models", "show", "svm"), "svm is not a network")
    assert_one_sentence(call("models", "show", "fusionet"), "no model 'fusionet'; did you mean 'fusionnet'?")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "vgg16", "features": "logmel"}, "vgg16 reads image"),
        (
            {"model": "fusionnet", "features": "notebook162", "train": {"optimiser": "adam"}},
            "did you mean 'optimizer'?",
        ),
        ({"model": {"name": "fusionnet", "extractor": "conv2d"}}, "fusionnet's conv2d extractor reads logmel"),
        ({"model": {"name": "vgg16", "weights": "nowhere.safetensors"}}, "there is no file 'nowhere.safetensors'"),
        ({"model": {"name": "bigru", "units": [0]}}, "units is out of range"),
        ({"model": "crnn", "train": {"lr": -1}}, "train.lr: Input should be greater than 0"),
    ],
)
def test_an_impossible_recipe_is_refused_before_any_audio_is_read(
    call: Call, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump({"name": "a", "corpora": ["emodb"], "labels": "emodb", **change}))
    done = call("train", file, "--data", tmp_path / "no-such-folder", "--out", tmp_path / "run")
    assert_one_sentence(done, message)
