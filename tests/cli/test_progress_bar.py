"""What the command line shows of the library's work: messages on stderr, and a bar where that is a terminal."""

import logging

import pytest

from serkit.cli.progress_bar import shown_progress
from serkit.progress import Progress, begin_task

LOG = logging.getLogger("serkit.lab.somewhere")


def test_messages_are_lines_on_stderr_and_nothing_is_drawn_into_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as on_progress:
        on_progress(Progress("fold 0", 0, 2))
        LOG.info("label set %s leaves out %d of [anger]", "a", 3)
        LOG.debug("of no interest")
        on_progress(Progress("fold 0", 2, 2))
    LOG.info("later")
    assert capsys.readouterr() == ("", "label set a leaves out 3 of [anger]\n")


def test_a_terminal_shows_the_task_that_is_under_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with shown_progress() as on_progress:
        begin_task("decoding", 2, on_progress)(1)
        fitting = begin_task("fold 0", 2, on_progress)
        fitting(1, "loss 1.5")
        LOG.info("so far so good")
        fitting(2)
        begin_task("unknown", None, on_progress)(7, "s")
    shown = capsys.readouterr().err
    assert all(text in shown for text in ("decoding", "fold 0", "so far so good", "unknown"))


def test_a_quiet_process_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(is_quiet=True) as on_progress:
        on_progress(Progress("fold 0", 0, 2))
        LOG.info("fold 0 is done")
    assert capsys.readouterr() == ("", "")


def test_the_handler_goes_away_with_an_error() -> None:
    logger = logging.getLogger("serkit")
    before = (logger.level, list(logger.handlers))
    with pytest.raises(KeyboardInterrupt), shown_progress():
        raise KeyboardInterrupt
    assert (logger.level, logger.handlers) == before
