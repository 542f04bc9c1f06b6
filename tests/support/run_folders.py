"""Run folders made by hand, for tests of modules that read them; no torch, no training."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serkit.lab.measure.run_folder import Fit, Row, write_json, write_predictions
from serkit.lab.splits.folds import digest_of_folds
from support.metrics_file import write_metrics
from support.sealed_runs import reseal

CLASSES = ("anger", "fear", "calm")
EPOCHS = 4
KEPT = 2


def facts(**changes: Any) -> dict[str, Any]:
    """Return the facts of a run for ``metrics.json``."""
    return {
        "name": "toy-loso-crnn",
        "protocol": "leave_one_speaker_out",
        "is_speaker_independent": True,
        "validation": "speakers",
        "labels": "toy",
        "corpora": ["toy"],
        "model": "crnn",
        "complete": True,
    } | changes


def predictions(
    *,
    speakers: int = 7,
    each: int = 6,
    seeds: Sequence[int] = (0,),
    corpora: Sequence[str] = ("toy",),
    skill: float = 0.6,
) -> list[Row]:
    """Return predictions with one fold per speaker; anger and fear are true classes, calm is only predicted."""
    rng, rows = np.random.default_rng(0), []
    for corpus in corpora:
        for seed in seeds:
            for clip in range(speakers * each):
                speaker, true = clip // each, CLASSES[clip % 2]
                scores = rng.dirichlet(np.ones(len(CLASSES)))
                if rng.random() < skill:
                    place = CLASSES.index(true)
                    scores[[place, scores.argmax()]] = scores[[scores.argmax(), place]]
                answer = CLASSES[int(scores.argmax())]
                place = f"{corpus}/{speaker:02d}"
                rows.append(Row(f"{place}-{clip:03d}", corpus, place, speaker, seed, true, answer, tuple(scores)))
    return rows


def write_run(
    folder: Path, rows: Sequence[Row] | None = None, *, classes: Sequence[str] = CLASSES, leaking: Sequence[str] = (),
    members: int = 0, epochs: int = 0, is_measured: bool = True, environment: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Path:  # fmt: skip
    """Write a run folder.

    Args:
        folder: Where.
        rows: Its predictions.
        classes: In order.
        leaking: Speakers that every fold trains on, be they tested or not.
        members: Of an ensemble; 0 for a single model.
        epochs: Of each history; 0 for none.
        is_measured: Whether histories have the columns of accuracy.
        environment: More of ``env.json``.
        changes: Facts that differ from :func:`facts`.
    """
    rows = predictions() if rows is None else rows
    speaker_of = {row.utterance: row.speaker for row in rows}
    folds = sorted({row.fold for row in rows})
    content = []
    for fold in folds:
        test = sorted({row.utterance for row in rows if row.fold == fold})
        others = sorted(speaker_of.keys() - set(test))
        held_out = {speaker_of[others[0]]} if others else set()
        parts = {
            "train": [u for u in others if speaker_of[u] not in held_out],
            "validation": [u for u in others if speaker_of[u] in held_out],
            "test": test,
        }
        content.append({"fold": fold} | {
            name: {"speakers": sorted({speaker_of[u] for u in ids} | (set(leaking) if name == "train" else set())),
                   "utterances": ids}
            for name, ids in parts.items()
        })  # fmt: skip
    fits = []
    for fold, seed in sorted({(row.fold, row.seed) for row in rows}):
        parts_of = [{"fold": fold, "seed": seed, "kept": KEPT, "epochs": epochs} for _ in range(members)]
        fits.append(Fit(fold, seed, 0 if members else min(KEPT, max(epochs - 1, 0)), epochs, 60.0, 1.0, 1.0, parts_of))
        place = folder / f"fold_{fold}" / f"seed_{seed}"
        for home in [place / f"member_{n:02d}" for n in range(members)] or [place]:
            if epochs:
                _write_history(home / "history.csv", epochs, fold, is_measured=is_measured)
    write_json(folder, "folds.json", content)
    digests = {"manifest_digest": "f00d", "split_digest": digest_of_folds(content)}
    write_json(folder, "env.json", {"serkit": "0.1.0", "dropped": {}} | digests | dict(environment or {}))
    (folder / "recipe.yaml").write_text(f"name: {facts(**changes)['name']}\n", "utf-8")
    if rows:
        write_predictions(folder, rows, classes)
    write_metrics(folder, rows, classes, fits, facts(**changes))
    return reseal(folder)


def _write_history(path: Path, epochs: int, fold: int, *, is_measured: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    names = ["epoch", "lr", "train_loss", "validation_loss", "validation_uar", "stage"]
    names += ["train_accuracy", "validation_accuracy"] if is_measured else []
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for epoch in range(epochs):
            grown = (epoch + 1) / (epochs + 1)
            row = [epoch, 0.001, 2 - grown, 2.1 - grown, 0.5 * grown, 0, grown, 0.9 * grown + fold / 1000]
            writer.writerow(row[: len(names)])
