"""``serkit models``: list and show models, and convert classifiers from transformers."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from serkit.cli.options import JsonOption, show_rows
from serkit.cli.terminal import echo, echo_document

if TYPE_CHECKING:
    from serkit.card import Card

app = typer.Typer(help="Model architectures and model files.", no_args_is_help=True, rich_markup_mode="rich")


@app.command("convert")
def convert_model(
    checkpoint: Annotated[
        str,
        typer.Argument(metavar="CHECKPOINT", help="Folder, or name on the Hugging Face hub, of an audio classifier."),
    ],
    *,
    output: Annotated[Path, typer.Option("-o", "--output", help="Model file to write.")],
    revision: Annotated[str, typer.Option(help="Branch, tag or commit on the hub.")] = "",
) -> None:
    """Convert an audio classifier from transformers into a model file; its labels are kept."""
    from serkit.lab.exporting.transformers_folder import convert
    from serkit.runtime.session import ModelSession

    difference = convert(checkpoint, output, revision)
    size = output.stat().st_size / 1e6
    echo(f"{output}: {size:.1f} MB, its answers and those of transformers differ by {difference:.1e} at most")
    echo(ModelSession.load(output).card.promise)


@app.command("list")
def list_models(
    classes: Annotated[
        int, typer.Option(metavar="N", min=2, help="Number of classes for which weights are counted.")
    ] = 6,
    as_json: JsonOption = False,
) -> None:
    """List the model architectures: trained weights, input features, source, and license of the code."""
    from serkit.lab.models import model_names
    from serkit.lab.models.summary import about

    rows = [about(name, classes=classes) for name in model_names()]
    show_rows(rows, as_json, ("model", "weights", "features", "source", "license", "about"))


@app.command("show")
def show_model(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Name of an architecture, model file, or embedded model: default, emodb."),
    ] = None,
    classes: Annotated[int, typer.Option(metavar="N", min=2, help="Number of classes, for an architecture.")] = 6,
    as_json: JsonOption = False,
) -> None:
    """Print the layers of an architecture, or the card of a model file and how it answers."""
    from serkit.runtime.model_probe import probe
    from serkit.runtime.session import embedded_models

    if model is None or model in embedded_models() or Path(model).suffix == ".onnx" or Path(model).is_file():
        card, sentence = probe(model)
        content = card.to_dict() | {"probe": sentence}
        echo_document(json.dumps(content, indent=1, ensure_ascii=False) if as_json else card_in_words(card, sentence))
        return
    from serkit.lab.models.summary import as_json as as_content
    from serkit.lab.models.summary import render, summarize_model

    parts = summarize_model(model, classes=classes)
    echo_document(json.dumps(as_content(parts), indent=1) if as_json else render(parts))


def card_in_words(card: "Card", probed: str) -> str:
    """Return a card for people, one fact a line; ``--json`` prints all of it.

    Args:
        card: Card of a model.
        probed: What the model answered to a probe.
    """
    no = "" if card.is_commercial_use_allowed else ", no commercial use"
    scored = "not measured" if card.validation_uar is None else f"UAR {card.validation_uar:.1f} %"
    whom = {"training speakers": "speakers that it was trained on", "nobody": "nobody"}.get(card.validated_on)
    learned = ", trained on the shares of listeners' votes" if card.recipe.get("targets") == "votes" else ""
    facts = {
        "classes": ", ".join(card.classes),
        "audio": f"{card.sampling_rate} Hz, {card.minimum_duration:g} to {card.maximum_duration:g} s at once",
        "weights": f"{card.parameters:,}",
        "trained on": "; ".join(
            f"{one.get('title', one.get('name'))}, {one.get('speakers', '?')} speakers" for one in card.corpora
        ) or "unknown speakers",
        "validated on": whom or f"{len(card.validation_speakers)} new speakers: {scored}",
        "labels": card.label_note + learned or "not known",
        "promise": card.promise,
        "license": f"{card.license}{no}",
        "probe": probed,
    }  # fmt: skip
    lines = [f"{name}: {text}" for name, text in facts.items()]
    lines[3:3] = [
        f"tested: {e.run} ({e.protocol}) on {', '.join(e.corpora)}, {e.speakers} speakers: UAR {e.uar:.1f} % "
        f"[{e.uar_low:.1f}, {e.uar_high:.1f}]"
        for e in card.evidence
    ] or ["tested: there are no measured results"]
    uses = [*(f"limit: {limit}" for limit in card.limits), *(f"not for: {use}" for use in card.not_for)]
    return "\n".join(" ".join(line.split()) for line in (card.name, *lines, *uses))
