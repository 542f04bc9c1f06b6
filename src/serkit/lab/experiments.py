"""The functions and the class of :mod:`serkit.lab`. Nothing here imports torch before a function is called."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serkit.errors import CorpusError, RunError
from serkit.lab.measure.run_folder import ALL_SPEAKERS, COLUMNS, read_json, read_predictions
from serkit.lab.measure.run_records import check_run
from serkit.lab.recipes.files import load_recipe
from serkit.lab.recipes.schema import Recipe
from serkit.progress import OnProgress

if TYPE_CHECKING:
    import pandas as pd

    from serkit.data.corpora import Data


_FACTS = ("name", "complete", "validation_uar")  # in the metrics of every run


class Run:
    """A run folder: what :func:`evaluate` and :func:`train` leave, read when it is asked for.

    Args:
        folder: The run folder.
        unsealed: Whether to read a run that was edited, contradicts itself, or has no seal. Its metrics have an entry
            ``unsealed``, which says why.

    Attributes:
        folder: The run folder.
        unsealed: Whether such a run is read.

    Example:
        >>> run = Run("runs/emodb")
        >>> run
        Run('runs/emodb', not a run folder)
    """

    def __init__(self, folder: str | os.PathLike[str], *, unsealed: bool = False) -> None:
        self.folder = Path(folder)
        self.unsealed = unsealed
        self._last_check: tuple[object, str] = (None, "")  # state of the files, and what is wrong with them

    @property
    def metrics(self) -> dict[str, Any]:
        """The content of ``metrics.json``: all scores in percent, and facts about the protocol.

        Raises:
            RunError: If the folder is not a run folder, the file is damaged, or the run does not agree with its seal or
                with itself.
        """
        content = read_json(self.folder, "metrics.json")
        if not isinstance(content, dict):
            raise RunError(f"{str(self.folder / 'metrics.json')!r} is damaged: expected a JSON object.")
        missing = [name for name in _FACTS if name not in content]
        if missing:
            raise RunError(f"{str(self.folder / 'metrics.json')!r} is damaged: it lacks {', '.join(missing)}.")
        why = self._check()
        return content | ({"unsealed": why} if why else {})

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self.metrics["name"])

    @property
    def is_complete(self) -> bool:
        """Whether every fold and seed is done."""
        return bool(self.metrics["complete"])

    @property
    def uar(self) -> float:
        """Unweighted average recall on the test utterances, in percent, the mean over seeds.

        Raises:
            RunError: If the run has no test scores: it is not complete yet, or was trained and not evaluated.
        """
        return float(self._test_score("uar"))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of :attr:`uar`, (low, high) in percent, from a bootstrap over speakers; raises as it does."""
        return float(self._test_score("uar_low")), float(self._test_score("uar_high"))

    @property
    def wa(self) -> float:
        """Weighted accuracy on the test utterances, in percent; raises as :attr:`uar` does."""
        return float(self._test_score("wa"))

    @property
    def macro_f1(self) -> float:
        """Mean F1 score of the classes on the test utterances, in percent; raises as :attr:`uar` does."""
        return float(self._test_score("macro_f1"))

    @property
    def validation_uar(self) -> float | None:
        """Unweighted average recall on the validation utterances, in percent; None without validation."""
        found = self.metrics["validation_uar"]
        return None if found is None else float(found)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of the model's outputs."""
        from serkit.data.corpora import label_set_of

        if stored := self.metrics.get("classes"):  # of a complete evaluation
            return tuple(stored)
        recipe = load_recipe(self.folder / "recipe.yaml")
        return label_set_of(recipe.labels, recipe.corpora).classes

    @property
    def predictions(self) -> "pd.DataFrame":
        """The predictions of test utterances: a row for each utterance, fold and seed.

        The columns are those of ``predictions.csv``: utterance, corpus, speaker, fold, seed, true, predicted, and the
        probability of each class. The table is empty for a run without predictions.

        Raises:
            RunError: If the file is damaged, or the run does not agree with its seal or with itself.
        """
        import pandas as pd

        self._check()
        rows, classes = read_predictions(self.folder)
        content = [[*(getattr(row, name) for name in COLUMNS), *row.probabilities] for row in rows]
        return pd.DataFrame(content, columns=[*COLUMNS, *(classes or self.classes)])

    def report(self, path: str | os.PathLike[str] | None = None, *, data: "Data | None" = None) -> Path:
        """Write the report of the run, one HTML file.

        Args:
            path: The file; ``report.html`` in the run folder by default.
            data: Folders of the corpora, to put the audio of the most confident errors into the page; None leaves it
                out. The corpora's licenses apply to such a page.

        Returns:
            The file.

        Raises:
            RunError: If the folder is not a run folder, or holds no predictions.
        """
        from serkit.lab.report import write_report

        return write_report(self.folder, out=path, data=data, unsealed=self.unsealed)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.folder == other.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    def __repr__(self) -> str:
        try:
            state = self._state()
        except RunError:
            is_run = (self.folder / "metrics.json").is_file() and (self.folder / "recipe.yaml").is_file()
            state = "refused" if is_run else "not a run folder"
        return f"Run({str(self.folder)!r}, {state})"

    def _state(self) -> str:
        metrics = self.metrics
        if metrics.get("unsealed"):
            return "unsealed"
        if not metrics["complete"]:
            return "not complete"
        if "uar" not in metrics:
            return f"validation UAR {metrics['validation_uar']}"
        return f"UAR {metrics['uar']} [{metrics['uar_low']}, {metrics['uar_high']}]"

    def _check(self) -> str:
        """Return why the run is not taken as measured, or refuse it; the files are checked again if they changed."""
        files = sorted(path for path in self.folder.iterdir() if path.is_file() and path.name != "report.html")
        state = [(path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in files]
        if self._last_check[0] != state:
            self._last_check = state, check_run(self.folder, unsealed=self.unsealed).unsealed
        return self._last_check[1]

    def _test_score(self, name: str) -> Any:
        metrics = self.metrics
        if not metrics["complete"]:
            raise RunError(
                f"{str(self.folder)!r} is not complete and has no test scores yet: run it again to resume it."
            )
        if name not in metrics:
            why = (
                "it was trained, not evaluated" if metrics.get("protocol") == ALL_SPEAKERS else f"no {name!r} is stored"
            )
            raise RunError(f"{str(self.folder)!r} has no test scores: {why}.")
        return metrics[name]


def evaluate(
    recipe: Recipe | str | os.PathLike[str],
    *,
    data: "Data | None" = None,
    out: str | os.PathLike[str],
    jobs: int = 1,
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> Run:
    """Run a recipe through its protocol: fit every fold and seed, and score them on the test speakers.

    Test scores are there when the run is complete; until then ``metrics.json`` holds validation scores alone. If it is
    interrupted, call it again with the same arguments to resume it.

    Args:
        recipe: A recipe, the name of one that comes with serkit, or a YAML file.
        data: A folder with one folder per corpus, or a mapping from corpus names to folders; by default the
            environment variable ``SERKIT_CORPORA``.
        out: The run folder. An unfinished run of the same recipe in it is resumed, and new seeds are added to it.
        jobs: Processes that fit folds, and members of ensembles, side by side, each with its share of the processor's
            cores; a fit with another number of threads may differ in its last digits.
        fingerprints: Whether recordings are also compared by acoustic fingerprints, which then stay in the run folder.
            False compares identical audio only and keeps nothing of the sound, for private data.
        on_progress: Function that is called with a :class:`serkit.progress.Progress` for each step.

    Returns:
        The run.

    Raises:
        RecipeError: If the recipe is not valid.
        CorpusError: If a corpus is missing, before anything is computed.
        LeakageError: If a speaker or a recording is on both sides of a split.
        RunError: If the folder holds a run of another recipe or on other data.

    Example:
        >>> run = evaluate("emodb-loso-crnn", data="corpora", out="runs/emodb", jobs=2)  # doctest: +SKIP
        >>> run.uar, run.interval  # doctest: +SKIP
    """
    from serkit.lab.training.run import run_protocol

    run_protocol(_recipe_of(recipe), _data_of(data), out, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress)
    return Run(out)


def train(
    recipe: Recipe | str | os.PathLike[str],
    *,
    data: "Data | None" = None,
    out: str | os.PathLike[str],
    jobs: int = 1,
    fingerprints: bool = True,
    on_progress: OnProgress | None = None,
) -> Run:
    """Fit a recipe's final model on all speakers but those for validation, for :func:`export`.

    Nobody is tested, so the run has a validation score only. Its test scores are those of :func:`evaluate` with the
    same recipe.

    Args:
        recipe: A recipe, the name of one that comes with serkit, or a YAML file.
        data: Folders of the corpora, as for :func:`evaluate`.
        out: The run folder; an unfinished training of the same recipe in it is resumed.
        jobs: Processes that fit seeds, and members of ensembles, side by side.
        fingerprints: Whether recordings are also compared by acoustic fingerprints, which the model file then carries.
        on_progress: Function that is called with a :class:`serkit.progress.Progress` for each step.

    Returns:
        The run.

    Raises:
        RecipeError: If the recipe is not valid.
        ExportError: If its model could not become a model file.
        CorpusError: If a corpus is missing, before anything is computed.
        RunError: If the folder holds a run of another recipe or on other data.

    Example:
        >>> run = train("emodb-loso-crnn", data="corpora", out="runs/final")  # doctest: +SKIP
        >>> export(run, "emodb.onnx", evidence=["runs/emodb"])  # doctest: +SKIP
    """
    from serkit.lab.training.run import fit_final

    fit_final(_recipe_of(recipe), _data_of(data), out, jobs=jobs, fingerprints=fingerprints, on_progress=on_progress)
    return Run(out)


def export(
    run: Run | str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    evidence: Iterable[Run | str | os.PathLike[str]] = (),
    seed: int | None = None,
    fold: int | None = None,
    error_rate: float | None = None,
    int8: bool = False,
    data: "Data | None" = None,
) -> Path:
    """Write the model of a run as one ONNX file, which :func:`serkit.load` opens.

    Args:
        run: A run of :func:`train`, or of :func:`evaluate` with ``fold``.
        path: The model file.
        evidence: Complete evaluations of the same recipe, whose scores go on the model's card.
        seed: Seed of the fit to export; the recipe's first seed by default.
        fold: Fold of an evaluation to export: a model that has not seen that fold's test speakers.
        error_rate: Share of wrong answers, 0 to 1, that the threshold for ``uncertain`` allows on the validation
            speakers; 0.25 by default.
        int8: Whether to quantize the linear layers to 8-bit integers.
        data: Folders of the corpora, to measure the cost of ``int8`` on the validation utterances; None skips that.

    Returns:
        The model file.

    Raises:
        RunError: If the run holds no trained model, or an evaluation in ``evidence`` is not complete or of another
            recipe.
        ExportError: If the file's answers differ from torch's by more than 1e-4, or the model has no graph.

    Example:
        >>> file = export("runs/final", "emodb.onnx")  # doctest: +SKIP
        >>> serkit.load(file).predict("clip.wav").emotion  # doctest: +SKIP
    """
    from serkit.lab.exporting.model_file import export as write_model
    from serkit.lab.measure.calibration import ERROR_RATE

    write_model(
        _folder_of(run),
        path,
        seed=seed,
        fold=fold,
        evidence=tuple(_folder_of(one) for one in evidence),
        error_rate=ERROR_RATE if error_rate is None else error_rate,
        int8=int8,
        data=data,
    )
    return Path(path)


def _recipe_of(recipe: Recipe | str | os.PathLike[str]) -> Recipe:
    return recipe if isinstance(recipe, Recipe) else load_recipe(recipe)


def _folder_of(run: Run | str | os.PathLike[str]) -> Path:
    return run.folder if isinstance(run, Run) else Path(run)


def _data_of(data: "Data | None") -> "Data":
    """Return where the corpora lie: what is given, else what ``SERKIT_CORPORA`` names."""
    if data is not None:
        return data
    value = os.environ.get("SERKIT_CORPORA", "")
    if not value:
        raise CorpusError("no corpora: pass data=, or set the environment variable SERKIT_CORPORA to their folder.")
    name, equals, folder = value.partition("=")
    return {name: Path(folder)} if equals else value
