"""The tables of ``serkit corpora check`` and ``serkit corpora listeners``."""

from typing import TYPE_CHECKING

from serkit.cli.options import show_table
from serkit.cli.terminal import echo

if TYPE_CHECKING:
    from serkit.data.curation.check import Report
    from serkit.lab.measure.listeners import Listeners

_MAX_FILES = 5  # files listed per problem


def show_check(report: "Report") -> None:
    """Print the result of a check: utterances by speaker and emotion, and all findings."""
    official = report.official
    of = {key: f" of {official[key]}" if official.get(key) else "" for key in ("utterances", "speakers")}
    rates = ", ".join(f"{count} files at {rate} Hz" for rate, count in report.sampling_rates.items())
    echo(
        f"{report.corpus}: {report.utterances}{of['utterances']} utterances, {report.speakers}{of['speakers']} "
        f"speakers, {report.seconds / 3600:.2f} h, {rates}"
    )
    emotions = list(report.emotions)
    theirs = official.get("by_speaker", report.by_speaker)
    rows = []
    for speaker, ours in report.by_speaker.items():
        counts = [(ours.get(emotion, 0), theirs.get(speaker, {}).get(emotion, 0)) for emotion in emotions]
        counts.append((sum(ours.values()), sum(theirs.get(speaker, {}).values())))
        cells = [str(here) if here == there else f"{here} of {there}" for here, there in counts]
        rows.append([speaker.removeprefix(f"{report.corpus}/"), *cells])
    rows.append(["all", *(str(report.emotions[emotion]) for emotion in emotions), str(report.utterances)])
    if official:
        totals = official["emotions"]
        rows.append(["official", *(str(totals.get(emotion, 0)) for emotion in emotions), str(official["utterances"])])
    show_table(("speaker", *emotions, "all"), rows, names=1)
    for problem in report.problems:
        echo(f"{problem.severity}: {problem.message}")
        for file in problem.files[:_MAX_FILES] if problem.severity == "problem" else ():
            echo(f"  {file}")
        if problem.severity == "problem" and len(problem.files) > _MAX_FILES:
            echo(f"  ... and {len(problem.files) - _MAX_FILES} more; --json lists them all")
    echo("passed" if report.is_passed else "not passed")


def show_listeners(found: "Listeners") -> None:
    """Print what listeners heard by acted emotion, their scores and their agreement."""
    for title, matrix in (
        ("answers of single listeners, in percent of the acted emotion", found.heard),
        ("majority of the listeners, in percent of the acted emotion", found.majority),
    ):
        rows = [
            (emotion, *(f"{100 * cell / max(1, sum(row)):.1f}" for cell in row), str(sum(row)))
            for emotion, row in zip(found.emotions, matrix, strict=True)
            if sum(row)
        ]
        show_table(("acted", *found.emotions, "count"), rows, names=1, title=title)
    for heading, text in (
        ("answers", f"{found.answers} about {found.utterances} utterances of {found.speakers} speakers"),
        ("one listener", f"UAR {found.uar:.1f} [{found.uar_low:.1f}, {found.uar_high:.1f}], WA {found.wa:.1f}, "
         f"macro-F1 {found.macro_f1:.1f}"),
        ("majority", f"the acted emotion for {_text(found.majority_wa, 1)} %, Cohen's kappa {_text(found.kappa, 2)}; "
         f"{found.ties} utterances have no majority"),
        ("agreement", f"Krippendorff's alpha between listeners {_text(found.alpha, 2)}"),
    ):  # fmt: skip
        echo(f"{heading:<13} {text}")


def _text(value: float | None, digits: int) -> str:
    return "(not defined)" if value is None else f"{value:.{digits}f}"
