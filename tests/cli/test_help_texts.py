"""Help texts name extras in brackets, which rich would take for markup."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.main import get_command

from serkit.cli import app
from support.calling import Call

EXTRAS = ("plot", "media", "mic", "server", "data", "lab", "ssl", "opensmile", "tune", "tracking")
NAMED = re.compile(r"\\?\[([a-z]+)\]")


def commands(group: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield above, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*above, name))


def texts_of(command: Any) -> str:
    helps = [getattr(parameter, "help", "") or "" for parameter in command.params]
    return "\n".join([command.help or "", command.epilog or "", *helps])


COMMANDS = list(commands(get_command(app)))


@pytest.mark.parametrize(("names", "command"), COMMANDS, ids=[" ".join(names) or "serkit" for names, _ in COMMANDS])
def test_every_extra_that_a_help_text_names_is_shown(call: Call, names: tuple[str, ...], command: Any) -> None:
    shown = call(*names, "--help").out
    assert "\\[" not in shown
    for extra in set(NAMED.findall(texts_of(command))):
        assert f"[{extra}]" in shown


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_first_help_names_every_extra(call: Call, extra: str) -> None:
    assert f"[{extra}]" in call("--help").out


def test_every_group_says_that_its_texts_are_markup() -> None:
    """Versions of typer differ in whether a bracket needs a backslash, unless the mode is set."""
    groups = [app, *(info.typer_instance for info in app.registered_groups)]
    assert len(groups) == 5
    for group in groups:
        assert isinstance(group, typer.Typer)
        assert group.rich_markup_mode == "rich"


def test_predict_names_the_extra_for_videos(call: Call) -> None:
    assert "with serkit[media] also AAC and video" in " ".join(call("predict", "--help").out.replace("│", " ").split())
