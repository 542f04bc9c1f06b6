"""Prints on the terminal: no character of a file name, a label, a card or an error message can change what it shows.

All commands print through these functions; see :mod:`serkit.visible_text`.
"""

import sys
from typing import TYPE_CHECKING

import typer

from serkit.visible_text import visible

if TYPE_CHECKING:
    from rich.text import Text

_LAYOUT = "\n\t"  # characters of a document that a terminal may obey


def echo(line: object, *, err: bool = False) -> None:
    """Print one line, on stdout or stderr."""
    typer.echo(visible(str(line)), err=err)


def echo_document(text: str, *, nl: bool = True) -> None:
    """Print a document of several lines on stdout: unchanged into a file or a pipe, made visible on a terminal."""
    if sys.stdout.isatty():
        typer.echo(visible(text, keep=_LAYOUT), nl=nl)
    else:
        typer.echo(text, nl=nl, color=True)  # otherwise click would remove parts of the text


def cell(content: object) -> "Text":
    """Return the content of a table's cell: a plain string would be parsed as markup, and ``[b].wav`` is a file."""
    from rich.text import Text

    return Text(visible(str(content)))
