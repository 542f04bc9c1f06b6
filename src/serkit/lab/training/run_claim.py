"""Claims a run folder for an experiment: writes what the experiment is, or checks that the folder holds the same."""

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serkit.data.fingerprint_cache import Codes
from serkit.data.fingerprint_file import FINGERPRINTS_SHA, write_fingerprints
from serkit.data.manifest import Manifest
from serkit.errors import RunError
from serkit.lab.encoders.layer_meaning import check_meaning
from serkit.lab.measure.run_checks import TESTED_LABELS, VALIDATED_LABELS, labels_digest
from serkit.lab.measure.run_folder import json_text, read_json
from serkit.lab.measure.seal import check_before_resuming, write_sealed
from serkit.lab.recipes.files import dump_recipe, load_recipe
from serkit.lab.recipes.schema import Recipe
from serkit.lab.splits.folds import Split, folds_as_json
from serkit.lab.training.encoder_history import check_encoders_kept
from serkit.lab.training.hearing import Heard
from serkit.labels import LabelSet

_log = logging.getLogger(__name__)
_FIT_BY = ("serkit", "torch", "threads")  # facts of ``env.json`` on which the last digits of a fit depend


def claim(
    folder: Path, recipe: Recipe, facts: Mapping[str, Any], *, manifest: Manifest, split: Split, codes: Codes | None
) -> None:
    """Write recipe, folds, environment and fingerprints into a run folder, or check that a resumed run has the same.

    Seeds may be added to a run.

    Args:
        folder: Run folder.
        recipe: Complete recipe.
        facts: Content of ``env.json``.
        manifest: Utterances of the experiment.
        split: Folds of the experiment.
        codes: Utterance id to acoustic fingerprint; None if fingerprints are not wanted.

    Raises:
        RunError: If the folder holds a run of another recipe or on other data, or was edited.
    """
    if _is_resumed(folder, recipe, facts):
        return
    known = dict(facts)
    if codes is not None:
        known[FINGERPRINTS_SHA] = write_fingerprints(folder, manifest, codes)
    folds = json_text(folds_as_json(split, manifest))
    write_sealed(folder, {"folds": folds, "recipe": dump_recipe(recipe)}, known)


def digests_of_data(
    manifest: Manifest, split: Split, labels: LabelSet, first: Manifest, heard: Heard
) -> dict[str, Any]:
    """Return the facts of ``env.json`` about the data, by which a resumed run is known to be the same.

    Args:
        manifest: Utterances of the experiment.
        split: Folds of the experiment.
        labels: Label set of the experiment.
        first: Utterances of its first trainings, if any.
        heard: Audio of both.
    """
    truth = {u.id: (u.id, u.speaker, labels.classes[labels.index(u.emotion)]) for u in manifest}
    found: dict[str, Any] = {
        "manifest_digest": manifest.digest,
        "split_digest": split.digest,
        "audio_digest": digest_of_audio(heard.sounds.digests),
        "audio_sampling_rate": heard.sampling_rate,
        TESTED_LABELS: labels_digest(truth[name] for fold in split.folds for name in fold.test),
        VALIDATED_LABELS: labels_digest(truth[name] for fold in split.folds for name in fold.validation),
    }
    if len(first):
        found["pretraining_digest"] = digest_of_audio({first.digest: "manifest", **heard.first.digests})
    return found


def digest_of_audio(heard: Mapping[str, str]) -> str:
    """Return the ``audio_digest`` of a run.

    Args:
        heard: Digest of the decoded audio of each utterance, by its id.
    """
    return hashlib.sha256("\n".join(f"{name} {heard[name]}" for name in sorted(heard)).encode()).hexdigest()


def _is_resumed(folder: Path, recipe: Recipe, facts: Mapping[str, Any]) -> bool:
    """Return whether a run folder holds a run, which is checked to have the same recipe and data.

    Seeds may be added to a run. ``facts`` are what ``env.json`` would hold.
    """
    if (folder / "recipe.yaml").is_file():
        begun = load_recipe(folder / "recipe.yaml")
        has_more_seeds = set(begun.seeds) < set(recipe.seeds)
        known_as = begun.model_copy(update={"seeds": recipe.seeds}) if has_more_seeds else begun
        if not known_as.is_same_experiment(recipe):
            raise RunError(
                f"{str(folder)!r} holds a run of another recipe or other settings: choose another output folder."
            )
        known = read_json(folder, "env.json")
        check_before_resuming(folder, known)
        check_meaning(folder, known, recipe.as_mapping())
        check_encoders_kept(folder, known, recipe)
        came_later = ("audio_digest", "pretraining_digest", TESTED_LABELS, VALIDATED_LABELS)  # older runs lack them
        known = {name: facts[name] for name in came_later if name in facts} | known
        if any(known.get(name) != value for name, value in facts.items() if name.endswith("_digest")):
            raise RunError(f"{str(folder)!r} holds a run on other files or folds: choose another output folder.")
        changed = [f"{name} {known.get(name)}, now {facts[name]}" for name in _FIT_BY if known.get(name) != facts[name]]
        if changed:
            _log.info("begun with %s: the remaining fits may differ slightly", ", ".join(changed))
        if has_more_seeds:
            write_sealed(folder, {"recipe": dump_recipe(recipe)})
        return True
    if (folder / "metrics.json").is_file() or any(folder.glob("fold_*/seed_*")):
        raise RunError(
            f"{str(folder)!r} holds parts of a run but no recipe.yaml: remove them or choose another output folder."
        )
    return False
