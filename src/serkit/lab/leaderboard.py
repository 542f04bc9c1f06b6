"""Runs side by side, recomputed from their predictions. Nothing here needs torch."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from serkit.errors import RunError
from serkit.lab.runs import ALL_SPEAKERS, UNSEEN_CORPUS, measure, read_json, read_predictions

_FACTS = (
    "name", "protocol", "is_speaker_independent", "validation", "labels", "corpora", "model", "complete",
    "validation_uar",
)  # fmt: skip
_NOT_FITTED = ("name", "protocol", "seeds")
_PAGE_HEAD = """# Results

Made by `make results` from `results/*/predictions.csv`; do not edit. All in percent. UAR is recall averaged over the
classes present in the reference, folds pooled, mean over seeds; its 95 % interval is a bootstrap over speakers. WA is
the share of clips that are right. The corpora are acted: these numbers say how often a model names what an actor
played. The commands that make each run again stand at the end.
"""


def recompute(run: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a table shows of a run: its facts, and its numbers computed again from predictions.

    Raises:
        RunError: If the folder is not a run, or holds no predictions.
    """
    folder = Path(run)
    stored = read_json(folder, "metrics.json")
    rows, classes = read_predictions(folder)
    if not rows:
        why = "it was trained, not evaluated" if stored.get("protocol") == ALL_SPEAKERS else "no fold is done yet"
        raise RunError(f"{str(run)!r} holds no predictions: {why}.")
    missing = [name for name in _FACTS if name not in stored]
    if missing:
        raise RunError(f"{str(run)!r} has a metrics.json without {', '.join(missing)}.")
    return {name: stored[name] for name in _FACTS} | measure(rows, classes) | {"fitted": what_is_fitted(folder)}


def what_is_fitted(folder: Path) -> str:
    """Return the resolved recipe without name, protocol and seeds; as text, since a plain install reads no YAML."""
    path = folder / "recipe.yaml"
    if not path.is_file():
        raise RunError(f"{str(folder)!r} is not a run folder: it has no recipe.yaml.")
    blocks = re.split(r"^(?=\w)", path.read_text("utf-8"), flags=re.MULTILINE)
    return "".join(block for block in blocks if block.split(":")[0] not in _NOT_FITTED)


def as_markdown(runs: Sequence[dict[str, Any]]) -> str:
    """Return a table, speaker-dependent runs marked; UAR with its 95 % interval, all in percent."""
    head = (
        "run",
        "protocol",
        "classes",
        "speakers",
        "clips",
        "seeds",
        "UAR [95 %]",
        "WA",
        "macro-F1",
        "validation UAR",
    )
    lines = [_line(head), _line("---" for _ in head), *(_line(_cells(run)) for run in runs), *_footnote(runs)]
    return "\n".join(lines)


def as_page(runs: Sequence[dict[str, Any]]) -> str:
    """Return ``docs/RESULTS.md``: the table, runs of several corpora apart, the leak, recall per class."""
    parts = [_PAGE_HEAD, as_markdown(runs)]
    mixed = [run for run in runs if len(run["per_corpus"]) > 1]
    if mixed:
        parts.append("\n## Each corpus of a run on several\n\n" + _per_corpus(mixed))
    pairs = [(run, leaky) for run in runs for leaky in runs if _is_leaky_twin(run, leaky)]
    if pairs:
        parts.append("\n## What the leak is worth\n\n" + _leaks(pairs))
    parts.append("\n## Folds, calibration, and recall per class\n\n" + "\n".join(_details(run) for run in runs))
    parts.append("\n## Commands\n\n```\n" + "\n".join(_command(run) for run in runs) + "\n```")
    return "\n".join(parts)


def _command(run: dict[str, Any]) -> str:
    if run["protocol"] == UNSEEN_CORPUS:
        corpora = ",".join(run["corpora"])
        model = f"{run['model']}.onnx"
        made = f"# {model}: serkit train {run['model']} --data DIR -o RUN; serkit export RUN -o {model}"
        return f"serkit evaluate {model} --corpora {corpora} --data DIR --out results/{run['name']}  {made}"
    return f"serkit evaluate {run['name']} --data DIR --out results/{run['name']}"


def _line(cells: Any) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _name(run: dict[str, Any]) -> str:
    return str(run["name"]) + ("" if run["complete"] else " (unfinished)")


def _uar(scores: dict[str, Any]) -> str:
    star = "" if scores["interval_over"] == "speakers" else "\\*"
    return f"{scores['uar']:.1f} [{scores['uar_low']:.1f}, {scores['uar_high']:.1f}]{star}"


def _footnote(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Explain the stars of :func:`_uar`, where there is one."""
    if all(row["interval_over"] == "speakers" for row in rows):
        return []
    return ["", "\\* resampled over utterances within speakers: it tells nothing about new speakers."]


def _cells(run: dict[str, Any]) -> list[str]:
    protocol = run["protocol"].replace("_", " ") + ("" if run["is_speaker_independent"] else " **(shares speakers)**")
    if run["validation"] == "sentences":
        protocol += " (validated on held-out sentences of training speakers)"
    seen = "" if run["validation_uar"] is None else f"{run['validation_uar']:.1f}"
    return [
        _name(run), protocol, str(len(run["recall"])),
        str(run["speakers"]), str(run["utterances"]), str(len(run["seeds"])), _uar(run), f"{run['wa']:.1f}",
        f"{run['macro_f1']:.1f}", seen,
    ]  # fmt: skip


def _per_corpus(runs: Sequence[dict[str, Any]]) -> str:
    head = ("run", "corpus", "speakers", "clips", "UAR [95 %]", "WA", "macro-F1")
    lines = [_line(head), _line("---" for _ in head)]
    for run in runs:
        for corpus, row in run["per_corpus"].items():
            cells = (
                run["name"],
                corpus,
                row["speakers"],
                row["utterances"],
                _uar(row),
                f"{row['wa']:.1f}",
                f"{row['macro_f1']:.1f}",
            )
            lines.append(_line(cells))
    lines += _footnote(row for run in runs for row in run["per_corpus"].values())
    return "\n".join(lines)


def _is_leaky_twin(run: dict[str, Any], leaky: dict[str, Any]) -> bool:
    is_pair = run["is_speaker_independent"] and not leaky["is_speaker_independent"]
    return bool(is_pair and run["fitted"] == leaky["fitted"] and run["protocol"] != UNSEEN_CORPUS)


def _leaks(pairs: Sequence[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    head = ("speaker-independent", "sharing speakers", "UAR", "UAR with the leak", "the leak")
    lines = ["The same model and settings on the same clips, once with new speakers and once without.", ""]
    lines += [_line(head), _line("---" for _ in head)]
    for run, leaky in pairs:
        gap = f"{leaky['uar'] - run['uar']:+.1f}"
        lines.append(_line((_name(run), _name(leaky), f"{run['uar']:.1f}", f"{leaky['uar']:.1f}", gap)))
    return "\n".join(lines)


def _details(run: dict[str, Any]) -> str:
    folds = ", ".join(f"{value:.1f}" for value in run["uar_per_fold"])
    recall = ", ".join(f"{name} {value:.1f}" for name, value in run["recall"].items())
    return (
        f"- **{run['name']}**: UAR per fold {folds} (mean {run['uar_fold_mean']:.1f}, "
        f"deviation {run['uar_fold_deviation']:.1f}); expected calibration error {run['ece']:.1f}; recall: {recall}."
    )
