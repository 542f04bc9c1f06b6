"""``serkit augment``: what each augmentation does to a sound."""

from pathlib import Path
from typing import Annotated

import typer

from serkit.cli.terminal import echo


def augment(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Audio file.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    name: Annotated[
        list[str] | None, typer.Option("--name", help="Name of an augmentation; can be repeated.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0,
) -> None:
    """Apply each augmentation to a sound; write the results and a figure of their spectrograms."""
    from serkit.audio.decode import load_audio, probe
    from serkit.lab.augment import augmentation_names, show_variants

    rate = probe(file).sampling_rate
    samples = load_audio(file, target_rate=rate)
    names = name or [augmentation for augmentation in augmentation_names() if _has_defaults(augmentation)]
    for path in show_variants(samples, rate, names, out, seed):
        echo(path)


def _has_defaults(name: str) -> bool:
    """Return whether an augmentation works with its defaults: without a folder of sounds or an optional library."""
    from serkit.errors import SerkitError
    from serkit.lab.augment import build_augmentation

    try:
        build_augmentation(name).check()
    except SerkitError:
        return False
    return True
