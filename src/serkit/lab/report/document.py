"""The page of a report: what counts on the first screen, the details below it."""

from collections.abc import Callable

from serkit.data.corpora import Data
from serkit.lab.measure.metrics import Counts, macro_f1, weighted_accuracy
from serkit.lab.pages.drawing import Maker
from serkit.lab.pages.markup import STYLE, Html, figure, join, marks, tag
from serkit.lab.report import sections
from serkit.lab.report.figures import figures_of
from serkit.lab.report.players import Sounds, embed
from serkit.lab.report.provenance import protocol_card, remarks, verdict
from serkit.lab.report.reading import Run
from serkit.lab.report.scores import brier_of, confident_errors, interval

# The page loads nothing, and a browser holds it to that.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; media-src data:; img-src data:"


def as_page(run: Run, data: Data | None = None) -> str:
    """Return the report of a run as one HTML document that needs nothing else.

    Args:
        run: From :func:`serkit.lab.report.reading.read_run`.
        data: Where the corpora lie, for players of the most confident errors; without it there are none.
    """
    sounds = None
    if data is not None:
        corpora = run.facts.get("test_corpora") or run.numbers["corpora"]
        sounds = embed(confident_errors(run.answers, sections.ERRORS), corpora, data)
    figures = figures_of(run)
    parts = _details(run, figures, sounds)
    links = [tag("a", title, href=f"#{_anchor(title)}") for title, _ in parts]
    body = join(
        _first_screen(run, figures, sounds),
        tag("nav", *links, aria_label="Sections"),
        *(tag("section", tag("h2", title), content, id=_anchor(title)) for title, content in parts),
    )
    head = join(
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        tag("title", f"{run.numbers['name']}: UAR {run.numbers['uar']:.1f} %"),
        tag("style", Html(STYLE)),
    )
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body><main>{body}</main></body></html>\n'


def _first_screen(run: Run, figures: dict[str, Maker], sounds: Sounds | None) -> Html:
    found = sections.license_remarks(sounds) if sounds else []
    unit = "clips" if len(run.answers.seeds) == 1 else "clips, mean over seeds"
    pair = (
        figure(figures["confusion_shares"], "confusion_shares",
               "In percent of each actual class: the diagonal is recall.", "Confusion matrix in percent of each row"),
        figure(figures["confusion_counts"], "confusion_counts", f"The same in {unit}.", "Confusion matrix in clips"),
    )  # fmt: skip
    return join(
        tag("h1", run.numbers["name"]),
        tag("p", verdict(run), class_="verdict"),
        marks(sorted([*remarks(run), *found], key=lambda mark: mark[0] != "bad")),
        _tiles(run),
        tag("p", sections.words(run)),
        tag("div", *pair, class_="pair"),
    )


def _tiles(run: Run) -> Html:
    n = run.numbers
    tiles = [
        ("WA (accuracy)", f"{n['wa']:.1f} %", _spread(run, weighted_accuracy)),
        ("macro-F1", f"{n['macro_f1']:.1f} %", _spread(run, macro_f1)),
        ("UAR by guessing", f"{100 / len(n['recall']):.1f} %", f"{len(n['recall'])} classes"),
        ("calibration error", f"{n['ece']:.1f} %", f"Brier score {brier_of(run.answers):.3f}"),
    ]
    boxes = (tag("div", tag("dt", name), tag("dd", value, tag("small", more))) for name, value, more in tiles)
    return tag("dl", *boxes, class_="tiles")


def _spread(run: Run, metric: Callable[[Counts], float]) -> str:
    found = interval(run.answers, metric)
    return f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _details(run: Run, figures: dict[str, Maker], sounds: Sounds | None) -> list[tuple[str, Html]]:
    several = len(run.numbers["per_corpus"]) > 1
    return [
        ("Protocol", protocol_card(run)),
        ("Training, validation, test", sections.accuracies(run)),
        *([("Corpora", sections.per_corpus(run))] if several else []),
        ("Classes", sections.class_scores(run)),
        ("Speakers and folds", sections.speakers_and_folds(run, figures["speakers"])),
        ("Training curves", sections.curves(run, figures)),
        ("Calibration", sections.calibration(run, figures)),
        ("Most confident errors", sections.errors(run, sounds)),
        ("Predicted and actual", sections.drawn(run)),
    ]


def _anchor(title: str) -> str:
    return title.lower().replace(",", "").replace(" ", "-")
