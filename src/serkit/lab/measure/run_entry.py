"""A run folder read as one row of a table: its facts, and its metrics recomputed from the stored predictions.

Nothing here needs torch.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serkit.errors import RunError
from serkit.lab.measure.metrics import IntArray
from serkit.lab.measure.one_class import one_class_remark
from serkit.lab.measure.pooled_metrics import measure, measure_validation
from serkit.lab.measure.run_checks import RunRecords, audio_rate_in, metrics_contradiction
from serkit.lab.measure.run_folder import Row
from serkit.lab.measure.run_records import FACTS, read_records, refusal
from serkit.lab.measure.seeds import seeds_together, whole_seeds

_OPTIONAL_FACTS = ("train_corpora", "test_corpora", "pretraining")
_NOT_FITTED = ("name", "about", "published", "protocol", "seeds")  # top-level recipe keys that change no fit
_WITHOUT_EFFECT = re.compile(
    r"^ *(?:workers: \d+|trackers: \[\]|trackers:\n(?: *- \w+\n)*(?: *- \w+)"  # settings that change no fit
    r"|accumulate: 1|sampling: natural|copies: null)\n",  # defaults that older recipes do not write
    flags=re.MULTILINE,
)
_OLD_SPELLING = re.compile(r"\bnormalise:")


@dataclass(frozen=True)
class RunAnswers:
    """The predicted classes of a run that tested each utterance once per seed.

    Attributes:
        digest: Hash of the utterances, true classes and class names. Two runs with equal digests can be compared.
        classes: Class names, sorted.
        true: Class indices, shape (n,).
        predicted: Class indices, shape (seeds, n).
        speakers: Speaker of each utterance, shape (n,).
    """

    digest: str
    classes: tuple[str, ...]
    true: IntArray
    predicted: IntArray
    speakers: NDArray[np.str_]


@dataclass(frozen=True)
class AudioDigest:
    """What is known of the audio of a run.

    Attributes:
        manifest: Digest of the utterances, which tells whose audio it is; empty if it is not known.
        sampling_rate: Sampling rate at which the audio was decoded for its digest, in Hz; None if it is not known.
        digest: Digest of the audio; None for a run that did not store one.
    """

    manifest: str = ""
    sampling_rate: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class RunEntry:
    """One run of a table.

    Attributes:
        folder: Run folder.
        row: Facts and metrics by name.
        answers: Predicted classes; None if the run did not test each utterance exactly once per seed.
        audio: What is known of the run's audio.
    """

    folder: Path
    row: dict[str, Any] = field(repr=False)
    answers: RunAnswers | None = field(repr=False)
    audio: AudioDigest = field(default=AudioDigest(), repr=False)

    @property
    def name(self) -> str:
        """Name of the recipe, or of the model's run on an unseen corpus."""
        return str(self.row["name"])

    @property
    def is_fair(self) -> bool:
        """Whether the run is speaker-independent."""
        return bool(self.row["is_speaker_independent"])

    @property
    def may_lead(self) -> bool:
        """Whether the run may become a headline.

        It must be sealed, complete and speaker-independent, and its validation UAR pooled over folds and measured on
        new speakers.
        """
        row = self.row
        is_whole = self.is_sealed and self.is_fair and row["complete"]
        return bool(is_whole and row["validation"] == "speakers" and row["is_validation_pooled"])

    @property
    def is_sealed(self) -> bool:
        """Whether the run is taken as measured: it agrees with its seal and with itself."""
        return not self.row.get("unsealed")


def measure_records(records: RunRecords) -> dict[str, Any]:
    """Return the facts of a run, and its metrics recomputed from the predictions, in percent.

    A run that is not taken as measured has an entry ``unsealed`` too, which says why.

    Raises:
        RunError: If the metrics in ``metrics.json`` are others, and the records were not read as unsealed.
    """
    facts = {name: records.facts[name] for name in (*FACTS, *_OPTIONAL_FACTS) if name in records.facts}
    numbers = measure(records.tested, records.classes) | measure_validation(
        records.validated, records.classes, records.fits
    )
    wrong = metrics_contradiction(records.facts, numbers)
    if wrong and records.is_strict:
        raise refusal(records.folder, wrong)
    why = records.unsealed or wrong
    return facts | numbers | ({"unsealed": why} if why else {})


def recompute(run: str | os.PathLike[str], *, unsealed: bool = False) -> dict[str, Any]:
    """Return the facts and metrics of a run folder; see :func:`measure_records`.

    Args:
        run: Run folder.
        unsealed: Whether to read a run that is not taken as measured, with an entry ``unsealed`` that says why.

    Raises:
        RunError: If the folder cannot be read, see :func:`serkit.lab.measure.run_records.read_records`.
    """
    return measure_records(read_records(run, unsealed=unsealed))


def read_entry(run: str | os.PathLike[str], *, unsealed: bool = False) -> RunEntry:
    """Read a run folder as one row of a table.

    Args:
        run: Run folder.
        unsealed: Whether to read a run that was edited, contradicts itself, or has no seal. Every table marks it.

    Raises:
        RunError: If the folder is not a run folder, holds no predictions, one of its files is damaged, or it does not
            agree with its seal or with itself.
    """
    records = read_records(run, unsealed=unsealed)
    row = measure_records(records)
    if len(row["seeds"]) > 1:
        row["together"] = _measure_seeds_together(records)
    row |= {"fitted": _fitted_in(records.recipe)} | _train_speakers(records.recipe)
    if one_class_remark(records.tested):
        row["is_one_class"] = True
    return RunEntry(records.folder.resolve(), row, _answers(records.tested, records.classes), _data_of(records))


def what_is_fitted(folder: Path) -> str:
    """Return the text of a run's resolved recipe without the settings that change no fit.

    Two runs with equal text fit the same model in the same way. The recipe is compared as text because a plain
    installation has no YAML parser. Defaults that older recipes do not write are removed too, and a key that they spell
    otherwise is respelled, so that an older run equals a newer one.

    Raises:
        RunError: If the folder has no readable ``recipe.yaml``.
    """
    return _fitted_in(_recipe_text(folder))


def _fitted_in(recipe: str) -> str:
    text = _WITHOUT_EFFECT.sub("", _OLD_SPELLING.sub("normalize:", recipe))
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)
    return "".join(block for block in blocks if block.split(":")[0] not in _NOT_FITTED)


def _measure_seeds_together(records: RunRecords) -> dict[str, Any]:
    """Return the metrics of the ensemble of a run's seeds.

    Its validation UAR is None unless every seed stored its validation predictions.
    """
    tested, validated = (seeds_together(rows, records.classes) for rows in (records.tested, records.validated))
    first_seed = [fit for fit in records.fits if fit.seed == tested[0].seed]
    validation = measure_validation(validated, records.classes, first_seed)
    is_known = (
        validation["is_validation_pooled"]
        and whole_seeds(records.validated).keys() == whole_seeds(records.tested).keys()
    )
    return measure(tested, records.classes) | {"validation_uar": validation["validation_uar"] if is_known else None}


def _recipe_text(folder: Path) -> str:
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise RunError(f"{str(folder)!r} is not a run folder: it has no recipe.yaml.")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise RunError(f"{str(path)!r} is damaged ({error}).") from error


def _data_of(records: RunRecords) -> AudioDigest:
    known = records.environment
    rate = known.get("audio_sampling_rate", audio_rate_in(records.recipe))
    audio = known.get("audio_digest")
    return AudioDigest(str(known.get("manifest_digest", "")), rate, None if audio is None else str(audio))


def _train_speakers(recipe: str) -> dict[str, int]:
    """Return the number of training speakers, if the recipe limits it."""
    found = re.search(r"^  train_speakers: (\d+)$", recipe, flags=re.MULTILINE)
    return {"train_speakers": int(found[1])} if found else {}


def _answers(rows: Sequence[Row], classes: tuple[str, ...]) -> RunAnswers | None:
    """Return the predicted classes of all complete seeds as arrays."""
    by_seed = list(whole_seeds(rows).values())
    tested = [(r.utterance, r.speaker, r.true) for r in by_seed[0]]
    is_once = len({utterance for utterance, _, _ in tested}) == len(tested)
    if not is_once or any([(r.utterance, r.speaker, r.true) for r in one] != tested for one in by_seed[1:]):
        return None
    names = tuple(sorted(classes))
    index = {name: i for i, name in enumerate(names)}
    lines = ["\t".join(names), *("\t".join(one) for one in tested)]
    return RunAnswers(
        hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        names,
        np.array([index[true] for _, _, true in tested]),
        np.array([[index[r.predicted] for r in one] for one in by_seed]),
        np.array([speaker for _, speaker, _ in tested]),
    )
