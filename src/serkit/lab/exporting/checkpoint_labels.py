"""The labels of a fine-tuned classifier of transformers, as its ``config.json`` says them."""

import re
from collections.abc import Mapping
from typing import Any

from serkit.errors import ExportError

_UNNAMED = re.compile(r"LABEL_\d+")  # what transformers writes where nobody named the classes


def labels_of(config: Mapping[str, Any], head: int, model: str) -> tuple[str, ...]:
    """Return the labels in the order of the outputs.

    Args:
        config: Content of ``config.json``.
        head: Number of outputs of the classifier's last layer.
        model: Name of the checkpoint, for the message.

    Raises:
        ExportError: If the labels are missing, do not name each output, or are no names that an answer can have.
    """
    said = config.get("id2label")
    if not isinstance(said, dict) or not said:
        raise _refusal(model, f"its config.json names no labels, but its head has {head} outputs")
    if sorted(said) != sorted(map(str, range(len(said)))):
        raise _refusal(model, f"the keys of its labels are not the numbers from 0 to {len(said) - 1}")
    if len(said) != head:
        raise _refusal(model, f"its config.json names {len(said)} labels, but its head has {head} outputs")
    labels = [said[str(i)] for i in range(head)]
    for label in labels:
        if not isinstance(label, str) or not label.strip() or not label.isprintable():
            raise _refusal(model, f"{_shown(label)} is no label; each must be printable text")
    if any(_UNNAMED.fullmatch(label) for label in labels):
        raise _refusal(model, f"its labels are placeholders ({_shown(labels[0])} and so on)")
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise _refusal(model, f"the label {_shown(twice[0])} stands for several outputs")
    return tuple(labels)


def _refusal(model: str, why: str) -> ExportError:
    return ExportError(f"{model!r} cannot be converted: {why}; give each output a name of its own in id2label.")


def _shown(label: object) -> str:
    text = repr(label)
    return text if len(text) <= 60 else f"{text[:60]}..."
