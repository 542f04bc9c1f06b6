"""Whether the files of a run folder agree with each other: predictions, validation, folds, metrics and recipe.

A seal tells whether a file was edited. These checks tell whether the content can be what a run measured, sealed or
not: each predicted class is the most probable one, each fold has exactly its test utterances for each seed of the
recipe, and so on. The first contradiction is returned as a clause for a message.

The recipe is read as text, because a plain installation has no YAML parser. What a text does not say in the form that
serkit writes is not compared.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from serkit.lab.measure.run_folder import ALL_SPEAKERS, FOLDS, TESTED, UNSEEN_CORPUS, VALIDATED, Fit, Row
from serkit.lab.splits.folds import PARTS, digest_of_folds

TESTED_LABELS, VALIDATED_LABELS = "tested_labels_digest", "validated_labels_digest"  # in env.json
_ROUNDING = 0.5e-4 + 1e-6  # a probability is stored with 4 decimals
_METRIC_ROUNDING = 0.011  # points; another NumPy may sum in another order
_INTERVAL_ROUNDING = 2.0  # points; another NumPy may draw other resamples
_KINDS = ("speakers", "utterances")
_PLAIN = re.compile(r"'([^']*)'|([\w.+-]+)")


@dataclass(frozen=True)
class RunRecords:
    """The files of a run folder.

    Attributes:
        folder: Run folder.
        facts: Content of ``metrics.json``.
        classes: Class names, in the order of the model's outputs.
        tested: Rows of ``predictions.csv``.
        validated: Rows of ``validation.csv``; empty if the run stored none.
        fits: Record of each fit in ``metrics.json``.
        environment: Content of ``env.json``.
        folds: Content of ``folds.json``.
        recipe: Text of ``recipe.yaml``.
        unsealed: Why the files cannot be taken as measured, such as an edit; empty for a sealed run without fault.
        is_strict: Whether a fault that is found later is refused too, rather than marked.
    """

    folder: Path
    facts: Mapping[str, Any]
    classes: tuple[str, ...]
    tested: Sequence[Row]
    validated: Sequence[Row]
    fits: Sequence[Fit]
    environment: Mapping[str, Any]
    folds: Sequence[Mapping[str, Any]]
    recipe: str
    unsealed: str = ""
    is_strict: bool = True

    @property
    def is_complete(self) -> bool:
        """Whether ``metrics.json`` has the run as complete."""
        return self.facts.get("complete") is True

    def fold_of(self, fold: int, seed: int) -> Mapping[str, Any] | None:
        """Return the fold with a number that a seed is fitted on: seeds take the draws in turn. None without one."""
        draws = 1 + max((one.get("draw", 0) for one in self.folds), default=0)
        found = (one for one in self.folds if one["fold"] == fold and one.get("draw", 0) == seed % draws)
        return next(found, None)


def contradiction(run: RunRecords) -> str:
    """Return the first contradiction between the files of a run folder; empty if they agree."""
    checks = (
        _answers(run), _truth(run), _folds(run), _tables(run), _labels(run), _recipe(run), _seeds_and_fits(run),
        _guard(run),
    )  # fmt: skip
    return next(chain(*checks), "")


def metrics_contradiction(stored: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Return the first metric in ``metrics.json`` that differs from the recomputed one; empty if there is none.

    Args:
        stored: Content of ``metrics.json``.
        found: Metrics recomputed from the predictions.
    """
    for name in found.keys() & stored.keys() if stored.get("complete") is True else ():
        if not _is_same(stored[name], found[name], name):
            shown = "" if isinstance(found[name], dict | list) else f" {stored[name]!r}, and the predictions give"
            return f"metrics.json has for {name}{shown} {'another value' if not shown else repr(found[name])}"
    return ""


def labels_digest(labels: Iterable[tuple[str, str, str]]) -> str:
    """Return the digest of utterances with their speakers and true classes, in any order.

    Args:
        labels: Id, speaker and true class of each utterance; one that is there twice counts once.
    """
    lines = ["\t".join(one) for one in sorted(set(labels))]
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def seeds_in(recipe: str) -> tuple[int, ...] | None:
    """Return the seeds in the text of a recipe; None if they are not written as serkit writes them."""
    found = re.search(r"^seeds:\n((?:- \d+\n?)+)", recipe, flags=re.MULTILINE)
    return tuple(map(int, re.findall(r"\d+", found[1]))) if found else None


def audio_rate_in(recipe: str) -> int | None:
    """Return the first sampling rate in the text of a recipe, that of the audio's digest; None without one."""
    found = re.search(r"^ +(?:- )?sampling_rate: (\d+)$", recipe, flags=re.MULTILINE)
    return int(found[1]) if found else None


def _answers(run: RunRecords) -> Iterator[str]:
    """Each predicted class has the highest probability, to the rounding, and the probabilities sum to 1."""
    index, most = {name: i for i, name in enumerate(run.classes)}, len(run.classes) * _ROUNDING
    for file, row in _rows(run):
        best = max(row.probabilities)
        if row.probabilities[index[row.predicted]] < best - 2 * _ROUNDING:
            other = run.classes[row.probabilities.index(best)]
            yield f"{file} predicts {row.predicted!r} for {_place(row)}, and {other!r} is more probable there"
        if abs(sum(row.probabilities) - 1) > most:
            yield f"the probabilities for {_place(row)} in {file} sum to {sum(row.probabilities):.4f}, not to 1"


def _truth(run: RunRecords) -> Iterator[str]:
    """An utterance has one speaker, corpus and true class, in all folds, seeds and tables."""
    known: dict[str, tuple[str, str, str]] = {}
    for file, row in _rows(run):
        now = (row.speaker, row.corpus, row.true)
        before = known.setdefault(row.utterance, now)
        if before != now:
            what, old, new = next(
                (what, old, new)
                for what, old, new in zip(("speaker", "corpus", "true class"), before, now, strict=True)
                if old != new
            )
            yield f"{file} has {new!r} as the {what} of {row.utterance}, and another row has {old!r}"


def _folds(run: RunRecords) -> Iterator[str]:
    """Folds are those of the split's digest, and share what their protocol allows."""
    known = run.environment.get("split_digest")
    if known is not None and known != digest_of_folds(run.folds):
        yield f"{FOLDS} has other folds than those of the split_digest in env.json"
    is_fair, by_speakers = run.facts.get("is_speaker_independent") is True, run.facts.get("validation") == "speakers"
    for fold in run.folds:
        parts = {kind: [set(fold[part][kind]) for part in PARTS] for kind in _KINDS}
        shared = {kind: (train | validation) & test for kind, (train, validation, test) in parts.items()}
        if shared["utterances"]:
            yield f"fold {fold['fold']} of {FOLDS} tests {min(shared['utterances'])}, which is also in training"
        if is_fair and shared["speakers"]:
            yield (
                f"fold {fold['fold']} of {FOLDS} tests {min(shared['speakers'])}, who is also in training or "
                "validation, and metrics.json has the run as speaker-independent"
            )
        both = parts["speakers"][0] & parts["speakers"][1]
        if is_fair and by_speakers and both and run.facts.get("protocol") != UNSEEN_CORPUS:
            yield f"fold {fold['fold']} of {FOLDS} validates on {min(both)}, who is also in training"


def _tables(run: RunRecords) -> Iterator[str]:
    """Each fold and seed has exactly its utterances, of its speakers."""
    for file, rows, part in ((TESTED, run.tested, "test"), (VALIDATED, run.validated, "validation")):
        found: dict[tuple[int, int], list[Row]] = {}
        for row in rows:
            found.setdefault((row.fold, row.seed), []).append(row)
        for (number, seed), some in found.items():
            fold, place = run.fold_of(number, seed), f"fold {number}, seed {seed}"
            if fold is None:
                yield f"{file} has {place}, which {FOLDS} has not"
                return
            of_members = _validated_by_members(run, number) if part == "validation" else set()
            names, has = of_members or set(fold[part]["utterances"]), {row.utterance for row in some}
            if has - names:
                yield f"{file} has {min(has - names)} in {place}, which {FOLDS} does not have there"
            if of_members:
                continue
            if names - has:
                yield f"{file} lacks {min(names - has)} in {place}"
            if strange := {row.speaker for row in some} ^ set(fold[part]["speakers"]):
                yield f"{file} and {FOLDS} differ in the speaker {min(strange)} in {place}"
    tested, validated = ({(row.fold, row.seed) for row in rows} for rows in (run.tested, run.validated))
    if tested and validated and tested != validated:
        yield "only one of {} and {} has fold {}, seed {}".format(TESTED, VALIDATED, *min(tested ^ validated))


def _validated_by_members(run: RunRecords, number: int) -> set[str]:
    """Return what members of an ensemble may have validated on in a fold, if not on its validation part; else nothing.

    Under inner folds they validate on groups of the training side. Their seeds take the draws of the protocol in turn.
    """
    if not re.search(r"^model:\n  name: ensemble$", run.recipe, flags=re.MULTILINE):
        return set()
    folds = [fold for fold in run.folds if fold["fold"] == number]
    if len(folds) == 1 and not re.search(r"^  inner_folds: \d", run.recipe, flags=re.MULTILINE):
        return set()
    return {name for fold in folds for part in ("train", "validation") for name in fold[part]["utterances"]}


def _labels(run: RunRecords) -> Iterator[str]:
    """The true classes and speakers are those that the corpora had when the run began."""
    for file, rows, part, name in (
        (TESTED, run.tested, "test", TESTED_LABELS),
        (VALIDATED, run.validated, "validation", VALIDATED_LABELS),
    ):
        every = {one for fold in run.folds for one in fold[part]["utterances"]}
        if not rows or name not in run.environment or every != {row.utterance for row in rows}:
            continue  # unfinished, or not all draws have a seed
        if labels_digest((row.utterance, row.speaker, row.true) for row in rows) != run.environment[name]:
            yield f"{file} has other speakers or true classes than the {name} in env.json"


def _recipe(run: RunRecords) -> Iterator[str]:
    """Name, protocol, corpora, labels and model are those of the recipe."""
    facts, protocol = run.facts, run.facts.get("protocol")
    if protocol == UNSEEN_CORPUS:  # the recipe is that of the model
        return
    for name, pattern in (
        ("name", r"^name: (.+)$"),
        ("labels", r"^labels: (.+)$"),
        ("model", r"^model:\n  name: (.+)$"),
        ("protocol", r"^protocol:\n  name: (.+)$"),
        ("validation", r"^  validation: (.+)$"),
    ):
        said = re.search(pattern, run.recipe, flags=re.MULTILINE)
        value = _PLAIN.fullmatch(said[1]) if said else None
        is_free = (name, facts.get(name)) == ("protocol", ALL_SPEAKERS) or (name, protocol) == ("validation", "random")
        if value and not is_free and facts.get(name) != (value[1] or value[2]):
            yield f"metrics.json has the {name} {facts.get(name)!r}, and recipe.yaml {value[1] or value[2]!r}"
    listed = re.search(r"^corpora:\n((?:- .+\n)+)", run.recipe, flags=re.MULTILINE)
    values = [_PLAIN.fullmatch(line[2:]) for line in listed[1].splitlines()] if listed else []
    corpora = [value[1] or value[2] for value in values if value]
    if listed and len(corpora) == len(values) and facts.get("corpora") != corpora:
        yield f"metrics.json has the corpora {facts.get('corpora')!r}, and recipe.yaml {corpora!r}"
    is_fair = facts.get("is_speaker_independent")
    if protocol == "random" and is_fair:
        yield "metrics.json has a random split as speaker-independent"
    if (
        is_fair is False
        and protocol != "random"
        and re.search(r"^  speaker_dependent: false$", run.recipe, re.MULTILINE)
    ):
        yield "metrics.json has the run as sharing speakers, and recipe.yaml does not allow that"


def _seeds_and_fits(run: RunRecords) -> Iterator[str]:
    """Predictions and records of fits have the folds and seeds of the recipe: all of them if the run is complete."""
    protocol, seeds = run.facts.get("protocol"), seeds_in(run.recipe)
    tested, fits = {(row.fold, row.seed) for row in run.tested}, {(fit.fold, fit.seed) for fit in run.fits}
    if protocol == UNSEEN_CORPUS:
        seeds, fits = (0,), tested
    if seeds is None:
        seeds = tuple(sorted({seed for _, seed in tested | fits}))
    draws = 1 + max((one.get("draw", 0) for one in run.folds), default=0)
    expected = {(one["fold"], seed) for seed in seeds for one in run.folds if one.get("draw", 0) == seed % draws}
    done = [(TESTED, tested), ("metrics.json", fits)] if protocol != ALL_SPEAKERS else [("metrics.json", fits)]
    for file, places in done:
        for fold, seed in sorted(places - expected)[:1]:
            yield f"{file} has fold {fold}, seed {seed}, which is not in recipe.yaml and {FOLDS}"
        for fold, seed in sorted(expected - places)[:1] if run.is_complete else ():
            lacks = "no fit" if file == "metrics.json" else f"{file} has no rows"
            yield f"metrics.json has the run as complete, but {lacks} of fold {fold}, seed {seed}"
    if protocol != ALL_SPEAKERS:
        for one, other in sorted(tested ^ fits)[:1]:
            yield f"only one of {TESTED} and metrics.json has fold {one}, seed {other}"


def _guard(run: RunRecords) -> Iterator[str]:
    guard = run.facts.get("guard")
    if isinstance(guard, Mapping):
        total = sum(len(fold["test"]["utterances"]) for fold in run.folds)
        if guard.get("test_utterances", total) != total:
            yield f"metrics.json has {guard['test_utterances']} test utterances, and {FOLDS} has {total}"


def _rows(run: RunRecords) -> Iterator[tuple[str, Row]]:
    return chain(((TESTED, row) for row in run.tested), ((VALIDATED, row) for row in run.validated))


def _place(row: Row) -> str:
    return f"{row.utterance} (fold {row.fold}, seed {row.seed})"


def _is_same(stored: Any, found: Any, name: str) -> bool:
    if isinstance(found, Mapping):
        is_alike = isinstance(stored, Mapping) and stored.keys() == found.keys()
        return is_alike and all(_is_same(stored[key], found[key], str(key)) for key in found)
    if isinstance(found, list | tuple):
        is_alike = isinstance(stored, list | tuple) and len(stored) == len(found)
        return is_alike and all(_is_same(one, other, name) for one, other in zip(stored, found, strict=True))
    if type(found) in (int, float) and type(stored) in (int, float):
        most = _INTERVAL_ROUNDING if name.endswith(("_low", "_high")) else _METRIC_ROUNDING
        return bool(abs(stored - found) <= most)
    return bool(stored == found)
