"""Makes run folders that tests build by hand agree with themselves, and seals them as serkit seals its own."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from serkit.lab.measure.pooled_metrics import metrics_of
from serkit.lab.measure.run_folder import (
    UNSEEN_CORPUS,
    VALIDATED,
    Fit,
    Row,
    read_fits,
    read_json,
    read_predictions,
    write_json,
)
from serkit.lab.measure.seal import seal_folder, without_seals
from serkit.lab.splits.folds import digest_of_folds

COMPUTED = ("fits", "uar", "uar_low", "uar_high")


def settle(folder: Path, *, folds: Sequence[Mapping[str, Any]] | None = None) -> Path:
    """Make folds, metrics, environment and recipe agree with the predictions of a run folder, and seal it.

    Args:
        folder: A folder with predictions, ``metrics.json`` and ``recipe.yaml``.
        folds: Its folds; by default those of its predictions, unless it has some that agree with them.
    """
    rows, classes = read_predictions(folder)
    validated = read_predictions(folder, VALIDATED)[0]
    facts = read_json(folder, "metrics.json")
    known = {(fit.fold, fit.seed): fit for fit in read_fits(folder)}
    places = sorted({(row.fold, row.seed) for row in rows})
    fits = [known.get(place, Fit(*place, 1, 2, 61.26, 1.0, 3.0)) for place in places]
    fits = [] if facts["protocol"] == UNSEEN_CORPUS else fits
    named = {name: value for name, value in facts.items() if name not in COMPUTED}
    write_json(folder, "metrics.json", metrics_of(rows if facts["complete"] else (), classes, fits, named,
                                                  validated=validated))  # fmt: skip
    if folds is None:
        folds = folds_of(rows, validated, may_share=not facts["is_speaker_independent"])
    write_json(folder, "folds.json", folds)
    environment = read_json(folder, "env.json") if (folder / "env.json").is_file() else {"serkit": "0.1.0"}
    environment = {"manifest_digest": "f00d", "audio_digest": "5011d", "audio_sampling_rate": 16000} | environment
    write_json(folder, "env.json", environment | {"split_digest": digest_of_folds(folds)})
    write_recipe_of(folder, facts, sorted({row.seed for row in rows}))
    return reseal(folder)


def rotated(rows: Sequence[Row]) -> list[Row]:
    """Return predictions with each fold's moved to the next, as validation predictions of clips that others test."""
    folds = 1 + max((row.fold for row in rows), default=0)
    return [replace(row, fold=(row.fold + 1) % folds) for row in rows]


def reseal(folder: Path) -> Path:
    """Seal a run folder anew, as somebody who forges an edit would."""
    seal_folder(folder)
    return folder


def unseal(folder: Path) -> Path:
    """Take the seal away, as if an older serkit had written the folder."""
    write_json(folder, "env.json", without_seals(read_json(folder, "env.json")))
    return folder


def folds_of(rows: Sequence[Row], validated: Sequence[Row], *, may_share: bool) -> list[dict[str, Any]]:
    """Return folds that have these predictions, and train on all other speakers, or clips if speakers are shared."""
    tested: dict[int, dict[str, str]] = defaultdict(dict)
    chosen: dict[int, dict[str, str]] = defaultdict(dict)
    for found, some in ((tested, rows), (chosen, validated)):
        for row in some:
            found[row.fold][row.utterance] = row.speaker
    every = {row.utterance: row.speaker for row in (*rows, *validated)}

    def part(names: Mapping[str, str]) -> dict[str, list[str]]:
        return {"speakers": sorted(set(names.values())), "utterances": sorted(names)}

    content = []
    for fold in sorted(tested):
        out = {**tested[fold], **chosen[fold]}
        speakers = set() if may_share else set(out.values())
        train = {name: one for name, one in every.items() if name not in out and one not in speakers}
        sides = {"train": train, "validation": chosen[fold], "test": tested[fold]}
        content.append({"fold": fold} | {name: part(side) for name, side in sides.items()})
    return content


def write_recipe_of(folder: Path, facts: Mapping[str, Any], seeds: Sequence[int]) -> None:
    """Write the facts of ``metrics.json`` and the seeds of the predictions into the text of ``recipe.yaml``."""
    path = folder / "recipe.yaml"
    text = path.read_text("utf-8")
    if facts["protocol"] == UNSEEN_CORPUS or "protocol:" not in text:
        return
    listed = "".join(f"- {name}\n" for name in facts["corpora"])
    numbers = "".join(f"- {seed}\n" for seed in seeds)
    for pattern, value in (
        (r"^name: .+$", f"name: {facts['name']}"),
        (r"^corpora:\n(?:- .+\n)+", f"corpora:\n{listed}"),
        (r"^seeds:\n(?:- .+\n)+", f"seeds:\n{numbers}"),
        (r"^labels: .+$", f"labels: {facts['labels']}"),
        (r"^model:\n  name: .+$", f"model:\n  name: {facts['model']}"),
        (r"^protocol:\n  name: .+$", f"protocol:\n  name: {facts['protocol']}"),
        (r"^  validation: .+$", f"  validation: {facts['validation']}"),
        (r"^  speaker_dependent: .+$", f"  speaker_dependent: {str(not facts['is_speaker_independent']).lower()}"),
    ):
        text = re.sub(pattern, lambda _, value=value: value, text, count=1, flags=re.MULTILINE)  # type: ignore[misc]
    path.write_text(text, "utf-8")
