"""``python tools/add_fingerprints.py MODEL.onnx --data DIR``: put the fingerprints of its training clips on its card.

Model files made before cards carried acoustic fingerprints recognize their training speakers by name only. Weights and
graph stay as they are, so that the files need no new training.
"""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import onnx
import typer

from serkit.card import Card, read_card, write_card
from serkit.cli.options import DataOption, data_of
from serkit.data.corpora import Data, read_corpora
from serkit.data.fingerprint_cache import fingerprints_of
from serkit.errors import ExportError
from serkit.lab.exporting.card_fingerprints import some_excerpts
from serkit.labels import LABEL_SETS, LabelSet
from serkit.writing import whole_file


def with_fingerprints_on(card: Card, data: Data) -> Card:
    """Return a card with the fingerprints of all utterances of the classes and speakers that the model was fitted on.

    Raises:
        ExportError: If a corpus has another number of utterances than the card says.
    """
    labels = LABEL_SETS.get(card.label_set) or LabelSet(card.label_set, card.classes, card.label_note)
    everyone, _ = read_corpora([str(corpus["name"]) for corpus in card.corpora], data).select(labels)
    seen = everyone.filter(lambda u: u.speaker in card.seen_speakers)
    for corpus in card.corpora:
        found = sum(u.corpus == corpus["name"] for u in seen)
        if found != corpus["utterances"]:
            raise ExportError(
                f"{corpus['name']} has {found} utterances of the model's speakers and classes here, but the model was "
                f"fitted on {corpus['utterances']}."
            )
    codes = fingerprints_of(seen)
    by_speaker = {name: {u.id: codes[u.id] for u in seen if u.speaker == name} for name in seen.speakers}
    return replace(card, fingerprints=some_excerpts(by_speaker))


def main(file: Annotated[Path, typer.Argument(help="Model file to change in place.")], data: DataOption = None) -> None:
    """Put the fingerprints of a model's training clips on its card."""
    model = onnx.load(file)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    card = with_fingerprints_on(read_card(metadata, file.name), data_of(data))
    onnx.helper.set_model_props(model, metadata | write_card(card))
    with whole_file(file) as temporary:
        onnx.save(model, temporary)
    print(f"{file}: {sum(map(len, card.fingerprints.values()))} fingerprints of {len(card.fingerprints)} speakers")


if __name__ == "__main__":
    typer.run(main)
