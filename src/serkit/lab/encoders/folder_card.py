"""The card in a folder for transformers: who was heard by an encoder that serkit fine-tuned.

The file holds the fields of the model's card, and digests of the weights that were written with it. It is used for
these weights only. transformers does not know the file and leaves it behind when it saves a network elsewhere.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from serkit.card import METADATA_KEY, Card, read_card, write_card
from serkit.errors import ModelFileError, RecipeError
from serkit.lab.encoders.checkpoint_files import CARD, first_line, weight_digests
from serkit.typed_json import parse, typed
from serkit.writing import write_whole

_ANEW = "'serkit export --transformers' of the run writes it anew"
_DIGESTS = "weight_files"  # field of the file that no card of a model file has


def write_folder_card(folder: Path, card: Card) -> None:
    """Write the card of a classifier beside its weights.

    Args:
        folder: Folder that holds the weights already.
        card: Card of the classifier.
    """
    content = json.loads(write_card(card)[METADATA_KEY]) | {_DIGESTS: weight_digests(folder)}
    write_whole(folder / CARD, json.dumps(content, ensure_ascii=False, sort_keys=True, indent=1))


def read_folder_card(folder: Path) -> Card | None:
    """Read the card in a checkpoint's folder, and check that the weights are those that it was written with.

    Returns:
        The card; None without one, as in checkpoints that serkit did not write.

    Raises:
        RecipeError: If the card is damaged, has a later format, or belongs to other weights.
    """
    file = folder / CARD
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RecipeError(f"{str(file)!r} cannot be read ({first_line(error)}); {_ANEW}.") from error
    try:
        card = read_card({METADATA_KEY: text}, repr(str(file)))
        digests: Mapping[str, str] = typed(parse(text).get(_DIGESTS), Mapping[str, str], _DIGESTS)
    except ModelFileError as error:
        raise RecipeError(f"{first_line(error)}; {_ANEW}.") from error
    except ValueError as error:
        raise RecipeError(f"{str(file)!r} is damaged ({first_line(error)}); {_ANEW}.") from error
    if digests != weight_digests(folder):
        raise RecipeError(
            f"{str(file)!r} describes other weights than those in this folder: export the run again. If you trained "
            "the weights further yourself, delete the file: nobody then checks whom they were trained on."
        )
    return card
