"""What the last layer of an encoder meant when a run was trained.

Before serkit defined it, the last layer was whatever the installed transformers returned: with the layer norm that
follows it up to release 4, without it from release 5 on. A run records the definition that it was trained with, and a
run without this record is neither resumed nor exported, because its model might get features that it never saw.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serkit.errors import RunError
from serkit.lab.encoders.pretrained_checkpoint import WHISPER, open_checkpoint

KEY = "encoder_layers"  # of ``env.json``
_MEANING = "the last with the norm that follows it"
_NAMED_BY = {"ssl": "model", "coattention": "encoder"}  # the feature or model, and its setting that names an encoder


def encoders_of(recipe: object) -> list[tuple[str, str]]:
    """Return name and revision of the pretrained encoders that a recipe names anywhere, without repetition."""
    if isinstance(recipe, list | tuple):
        return list(dict.fromkeys(found for part in recipe for found in encoders_of(part)))
    if not isinstance(recipe, dict):
        return []
    model = recipe.get(_NAMED_BY.get(str(recipe.get("name")), ""))
    own = [(str(model), str(recipe.get("revision", "")))] if model else []
    return list(dict.fromkeys([*own, *encoders_of(list(recipe.values()))]))


def meaning_of_layers(recipe: object) -> dict[str, str]:
    """Return the entry of ``env.json`` about layers; empty for a recipe whose layers always meant the same."""
    opened = [open_checkpoint(model, revision) for model, revision in encoders_of(recipe)]
    is_affected = any(one.has_final_norm and one.family != WHISPER for one in opened)
    return {KEY: _MEANING} if is_affected else {}


def check_meaning(run: Path, environment: Mapping[str, Any], recipe: object) -> None:
    """Check that the layers of a run's encoders mean what they mean now.

    Args:
        run: Run folder, for the message.
        environment: Content of the run's ``env.json``.
        recipe: Recipe of the run as a mapping.

    Raises:
        RunError: If they may not.
    """
    if any(environment.get(key) != value for key, value in meaning_of_layers(recipe).items()):
        raise RunError(
            f"{str(run)!r} was begun by an older serkit, whose last encoder layer depended on the release of "
            "transformers; its model may not fit the features of today: train it again in another folder."
        )
