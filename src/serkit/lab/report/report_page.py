"""The HTML page of a report: the first screen and the sections below it."""

from serkit.data.corpora import Data
from serkit.lab.pages.drawing import Maker
from serkit.lab.pages.markup import Html, document
from serkit.lab.report import sections
from serkit.lab.report.audio_players import EmbeddedAudio, embed_audio
from serkit.lab.report.breakdown import confident_errors
from serkit.lab.report.figures import figures_of
from serkit.lab.report.first_screen import first_screen
from serkit.lab.report.protocol_section import protocol_section
from serkit.lab.report.run_contents import RunContents


def report_page(run: RunContents, data: Data | None = None) -> str:
    """Return the report of a run as one HTML document that loads nothing.

    Args:
        run: Contents of the run, from :func:`serkit.lab.report.run_contents.read_run`.
        data: Folders of the corpora, for audio players beside the most confident errors; without it there are none.
    """
    audio = None
    if data is not None:
        corpora = run.facts.get("test_corpora") or run.numbers["corpora"]
        audio = embed_audio(confident_errors(run.answers, sections.ERRORS), corpora, data)
    figures = figures_of(run)
    return document(
        f"{run.numbers['name']}: UAR {run.numbers['uar']:.1f} %",
        first_screen(run, figures, audio),
        _sections(run, figures, audio),
        has_audio=audio is not None,
    )


def _sections(run: RunContents, figures: dict[str, Maker], audio: EmbeddedAudio | None) -> list[tuple[str, Html]]:
    several = len(run.numbers["per_corpus"]) > 1
    return [
        ("Protocol", protocol_section(run)),
        ("Training, validation, test", sections.accuracies(run)),
        *([("Corpora", sections.per_corpus(run))] if several else []),
        ("Classes", sections.class_scores(run)),
        ("Speakers and folds", sections.speakers_and_folds(run, figures["speakers"])),
        ("Training curves", sections.curves(run, figures)),
        ("Calibration", sections.calibration(run, figures)),
        ("Most confident errors", sections.errors(run, audio)),
        ("Predicted and true class", sections.drawn(run)),
    ]
