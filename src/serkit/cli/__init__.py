"""The command line: one command per file, heavy imports inside the commands.

Exit codes: 0 success, 1 some inputs failed and the others were processed, 2 nothing was processed (stderr then has one
sentence). Results go to stdout, everything else to stderr.
"""

import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from serkit.cli import (
    augment,
    compare,
    corpora,
    evaluate,
    export,
    features,
    listen,
    models,
    predict,
    recipes,
    report,
    serve,
    timeline,
    train,
)
from serkit.cli.terminal import echo
from serkit.errors import MissingExtraError, SerkitError
from serkit.out_of_memory import is_out_of_memory

_PANELS: dict[str, dict[str, Callable[..., None] | typer.Typer]] = {  # the panels and commands of 'serkit --help'
    "Recognize": {
        "predict": predict.predict, "timeline": timeline.timeline, "listen": listen.listen, "serve": serve.serve,
    },
    "Corpora": {"corpora": corpora.app},
    "Experiments": {
        "recipes": recipes.app, "features": features.app, "augment": augment.augment, "train": train.train,
        "evaluate": evaluate.evaluate, "report": report.report, "compare": compare.compare,
    },
    "Models": {"models": models.app, "export": export.export},
}  # fmt: skip
_RESUMABLE = {"train", "evaluate", "corpora", "features"}  # commands that resume interrupted work
_INTERRUPTED = 130  # typer's exit code for Ctrl-C
_LAB = {"torch", "accelerate", "safetensors", "onnx", "onnxscript", "pydantic", "yaml", "sklearn", "skl2onnx"}


_EXTRAS = (
    r"Extras, installed as in pip install 'serkit\[plot]': \[plot] draws figures, \[media] reads AAC and video, "
    r"\[mic] is for listen, \[server] for serve, \[data] for Parquet, audformat and downloads, \[lab] for experiments, "
    r"\[ssl] for pretrained encoders, \[opensmile] for its features, \[tune] for searches, \[tracking] for trackers."
)


class _OrderedGroup(TyperGroup):
    """Lists commands in the order of their panels; typer would list sub-applications last."""

    def list_commands(self, ctx: Any) -> list[str]:  # a context of click, or of the click inside newer typer
        return [name for commands in _PANELS.values() for name in commands]


app = typer.Typer(
    cls=_OrderedGroup,
    help="Recognize emotions in speech, and train and compare the models that do.",
    no_args_is_help=True,
    epilog=_EXTRAS,
    rich_markup_mode="rich",  # otherwise it depends on the version of typer whether a bracket must be escaped
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _panel, _commands in _PANELS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            app.command(_name, rich_help_panel=_panel)(_command)


def main() -> None:
    """Run the command line; a serkit error becomes one sentence and exit code 2."""
    if isinstance(sys.stdout, TextIOWrapper):  # a file name may hold characters that the terminal cannot encode
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SerkitError as error:
        echo(f"serkit: {error}", err=True)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in _LAB:
            raise
        echo(f"serkit: {MissingExtraError('this command', 'lab')}", err=True)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        echo(
            "serkit: out of memory: close other programs, or use fewer --jobs, smaller files or a smaller model.",
            err=True,
        )
        sys.exit(2)
    except OSError as error:  # for example a full disk, or a folder without write permission
        place = f"{str(error.filename)!r}: " if error.filename else ""
        echo(f"serkit: {place}{error.strerror or error}.", err=True)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == _INTERRUPTED:
            is_resumable = bool(set(sys.argv[1:2]) & _RESUMABLE)
            echo(f"serkit: interrupted.{' Run the same command to resume.' if is_resumable else ''}", err=True)
        raise


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from serkit.version import __version__

        echo(__version__)
        raise typer.Exit
