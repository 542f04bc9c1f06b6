"""What an encoder has heard before: the speakers of a serkit model that was exported with ``--transformers``.

The card in an encoder's folder names them. None of them may be tested or validated on by a model on top of the encoder,
be it the feature ``ssl`` or a network that trains further. Of a checkpoint without a card nothing is known here.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from serkit.card import Card
from serkit.data.fingerprint_cache import Codes
from serkit.data.manifest import Manifest
from serkit.errors import RunError
from serkit.lab.encoders.layer_meaning import encoders_of
from serkit.lab.encoders.pretrained_checkpoint import open_checkpoint
from serkit.lab.recipes.parts import Range
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.folds import Split
from serkit.lab.splits.leakage import check_unseen
from serkit.lab.splits.seen_recordings import check_recordings_unseen
from serkit.lab.training.resolve import ResolvedRecipe
from serkit.lab.training.tuning import with_settings

KEY = "encoders"  # of ``env.json``


def encoder_cards(recipe: Recipe) -> dict[str, Card | None]:
    """Return the card of each encoder that a recipe names, or may choose in its search; None for one without a card.

    Args:
        recipe: Complete recipe.

    Raises:
        RecipeError: If a checkpoint is missing or damaged, or its card belongs to other weights.
    """
    return {_name(*named): open_checkpoint(*named).card for named in _encoders_in(recipe)}


def check_encoders_apart(
    resolved: ResolvedRecipe, split: Split, manifest: Manifest, codes: Codes | None = None
) -> None:
    """Prove that no encoder of a recipe has heard what the recipe tests or validates on.

    Args:
        resolved: The recipe.
        split: All folds of the experiment.
        manifest: Utterances of the experiment.
        codes: Utterance id to acoustic fingerprint. If given, recordings are compared as well as speakers.

    Raises:
        LeakageError: If an encoder was trained or validated on a speaker, or a recording, of a test or validation part.
    """
    cards = {name: card for name, card in encoder_cards(resolved.recipe).items() if card}
    if cards:
        judged = _judged(resolved, split, manifest)
        for name, card in cards.items():
            check_encoder_apart(name, card, judged, codes)


def check_encoder_apart(name: str, card: Card, judged: Manifest, codes: Codes | None = None) -> None:
    """Prove that one encoder has heard none of these utterances or their speakers.

    Args:
        name: Name of the encoder for the message.
        card: Card of the encoder.
        judged: Utterances of all test and validation parts.
        codes: Utterance id to acoustic fingerprint; None if only speakers are to be compared.

    Raises:
        LeakageError: If it has; spellings that differ in form only count as one name.
    """
    check_unseen(card.seen_speakers, judged.speakers, f"the encoder {name!r}", use="test or validation")
    if codes is not None:
        own = {u.id: codes[u.id] for u in judged}
        check_recordings_unseen(card, own, {u.id: u.speaker for u in judged}, f"the encoder {name!r}")


def encoder_record(recipe: Recipe) -> dict[str, Any]:
    """Return the entry of ``env.json`` about encoders with a card; empty without one."""
    opened = {_name(*named): open_checkpoint(*named) for named in _encoders_in(recipe)}
    found = {
        name: {"weights_digest": checkpoint.weights_digest, "speakers": sorted(card.seen_speakers)}
        for name, checkpoint in opened.items()
        if (card := checkpoint.card)
    }
    return {KEY: found} if found else {}


def check_encoders_kept(run: Path, environment: Mapping[str, Any], recipe: Recipe) -> None:
    """Check that the encoders of a run have the card and the weights that they had when it was begun.

    Args:
        run: Run folder, for the message.
        environment: Content of the run's ``env.json``.
        recipe: Complete recipe of the run.

    Raises:
        RunError: If they have not.
    """
    before, now = environment.get(KEY), encoder_record(recipe).get(KEY, {})
    for name in (_name(*named) for named in _encoders_in(recipe)):
        if (before.get(name) if isinstance(before, dict) else None) != now.get(name):
            raise RunError(
                f"{str(run)!r} was begun with other weights or another card of the encoder {name!r} than are there "
                "now: put them back, or train it again in another folder."
            )


def _judged(resolved: ResolvedRecipe, split: Split, manifest: Manifest) -> Manifest:
    """Return the utterances that something is scored or chosen on.

    Training utterances are among them where inner folds validate on them in turn, and where their speakers are also
    validated or tested on.
    """
    takes_turns = resolved.recipe.tune or (resolved.ensemble and resolved.ensemble.inner_folds)
    is_shared = not split.is_speaker_independent or split.validation in ("sentences", "random")
    names = {name for fold in split.folds for name in (*fold.test, *fold.validation)}
    if takes_turns or is_shared:
        names.update(name for fold in split.folds for name in fold.train)
    return manifest.subset(names)


def _encoders_in(recipe: Recipe) -> list[tuple[str, str]]:
    """Return name and revision of all encoders of a recipe, those in its search space too."""
    return encoders_of([one.as_mapping() for one in (recipe, *_choices(recipe))])


def _choices(recipe: Recipe) -> Iterator[Recipe]:
    """Yield a recipe for each encoder that its search may choose."""
    for key, values in recipe.tune.space.items() if recipe.tune else ():
        if key in ("model.model", "model.encoder") and not isinstance(values, Range):
            yield from (with_settings(recipe, {key: value}) for value in values)


def _name(model: str, revision: str) -> str:
    return f"{model}@{revision}" if revision else model
