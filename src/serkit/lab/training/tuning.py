"""Nested tuning: a search for settings within a fold, on its training and validation speakers alone."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from serkit.data.manifest import Manifest
from serkit.errors import MissingExtraError, RecipeError, RunError
from serkit.lab.models import resolve_model
from serkit.lab.recipes.files import with_setting
from serkit.lab.recipes.parts import Range
from serkit.lab.recipes.schema import Recipe, parse_recipe
from serkit.lab.splits.folds import Fold
from serkit.lab.splits.validation import rotate_validation
from serkit.lab.training import distributed as processes
from serkit.parsing import parse_json
from serkit.writing import write_whole

Settings = dict[str, Any]
_TRIALS = "trials.json"


def with_settings(recipe: Recipe, settings: Mapping[str, Any]) -> Recipe:
    """Return a complete recipe with some settings changed; keys are separated by dots, as in ``train.lr``.

    Raises:
        RecipeError: If a setting is impossible.
    """
    content: Any = recipe.as_mapping()
    for key, value in settings.items():
        content = with_setting(content, key.split("."), value, f"{key}={value}")
    return parse_recipe(content)


def ends_of_space(recipe: Recipe) -> Iterator[Recipe]:
    """Yield a recipe for each limit, or value, of every setting in its search space, to check them before any fit.

    Raises:
        RecipeError: If a key is unknown, or a value impossible.
        MissingExtraError: If Optuna is not installed.
    """
    if recipe.tune is None:
        return
    _optuna()
    for key, values in recipe.tune.space.items():
        for value in (values.low, values.high) if isinstance(values, Range) else values:
            try:
                changed = with_settings(recipe, {key: value})
                resolve_model(changed.model.name, changed.model.settings)
                yield changed
            except RecipeError as error:
                raise RecipeError(f"tune.space: {key} cannot be {value}: {error}") from error


def search(
    recipe: Recipe,
    manifest: Manifest,
    fold: Fold,
    *,
    seed: int,
    folder: Path,
    score: Callable[[Recipe, Fold, Path], float],
) -> Settings:
    """Return the settings of the best trial.

    A trial depends on the results of the trials before it, the seed, the fold and its number alone, so an interrupted
    search resumes and ends with the same result.

    Args:
        recipe: Recipe with ``tune``.
        manifest: All utterances of the experiment.
        fold: Fold whose training and validation sides are split into inner folds.
        seed: Seed of the run.
        folder: Folder for ``trials.json``, which has the settings and the validation UAR of each trial.
        score: Function from recipe, inner fold and a scratch folder to the validation UAR, 0 to 1.
    """
    assert recipe.tune is not None
    optuna, tune = _optuna(), recipe.tune
    inner = rotate_validation(manifest, recipe.protocol, fold, tune.inner_folds)
    distributions = {key: _distribution(optuna, values) for key, values in tune.space.items()}
    study = optuna.create_study(direction="maximize")
    path = folder / _TRIALS
    trials = _read_trials(path)
    for trial in trials:
        try:
            study.add_trial(
                optuna.trial.create_trial(params=trial["settings"], distributions=distributions, value=trial["uar"])
            )
        except (ValueError, TypeError) as error:
            raise _damaged(path, error) from error
    scratch = folder / "trial"
    for number in range(len(trials), tune.trials):
        state = np.random.SeedSequence([seed, fold.fold, fold.draw, number]).generate_state(1)
        study.sampler = optuna.samplers.TPESampler(seed=int(state[0]))
        asked = study.ask(distributions)
        try:
            changed = with_settings(recipe, asked.params)
        except RecipeError:  # two values that exclude each other, though each is possible
            scores = [0.0] * len(inner)
        else:
            scores = [score(changed, part, scratch / str(i)) for i, part in enumerate(inner)]
        study.tell(asked, float(np.mean(scores)))
        trials.append({"settings": asked.params, "uar": float(np.mean(scores)), "inner": scores})
        if processes.is_main():  # all processes search alike, and one writes
            write_whole(path, json.dumps(trials, indent=1))
            shutil.rmtree(scratch, ignore_errors=True)
        processes.wait()
    best: Settings = max(trials, key=lambda trial: trial["uar"])["settings"]  # the first of equally good ones
    return best


def _read_trials(path: Path) -> list[dict[str, Any]]:
    """Return the trials of an interrupted search; none at its beginning."""
    if not path.is_file():
        return []
    try:
        trials = parse_json(path.read_bytes())
        return [{"settings": dict(one["settings"]), "uar": float(one["uar"]), "inner": one["inner"]} for one in trials]
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(f"{str(path)!r} is damaged ({error}): remove it to begin the search anew.")


def _distribution(optuna: ModuleType, values: Range | tuple[Any, ...]) -> Any:
    if not isinstance(values, Range):
        return optuna.distributions.CategoricalDistribution(values)
    if isinstance(values.low, int) and isinstance(values.high, int):
        return optuna.distributions.IntDistribution(values.low, values.high, log=values.log)
    return optuna.distributions.FloatDistribution(float(values.low), float(values.high), log=values.log)


def _optuna() -> ModuleType:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingExtraError("tuning", "tune") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
