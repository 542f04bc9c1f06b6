"""Check and seal published runs, and add the digests of their audio and labels that older runs lack.

python tools/seal_results.py             checks, completes and seals every run in results/
python tools/seal_results.py FOLDER...   those in these folders

The corpora are those of SERKIT_CORPORA. An ``audio_digest`` is added only if the corpora now give the run's
``manifest_digest``, and the audio of each of them is confirmed at the run's sampling rate: runs that stored a digest
for the same utterances and rate have the one that is computed now. A run that cannot get one is named, and its
``env.json`` says why. A sealed run that was edited, or any run that contradicts itself, is refused and stays as it is.

The decoders change: since serkit resamples without a step at an offset, audio at another rate than that of its files
has other digests. ``--heard FILE`` gives those that an older serkit computes from the corpora at hand, as a JSON object
of ``MANIFEST_DIGEST:RATE`` to digest.
"""

import json
import os
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from serkit.data.corpora import label_set_of, read_corpora
from serkit.data.manifest import Manifest
from serkit.errors import SerkitError
from serkit.lab.measure.run_checks import (
    TESTED_LABELS,
    VALIDATED_LABELS,
    RunRecords,
    audio_rate_in,
    contradiction,
    labels_digest,
    metrics_contradiction,
)
from serkit.lab.measure.run_entry import measure_records
from serkit.lab.measure.run_folder import UNSEEN_CORPUS, write_json
from serkit.lab.measure.run_records import read_records
from serkit.lab.measure.seal import NOT_SEALED, broken_seal, seal_folder, without_seals
from serkit.lab.recipes.files import load_recipe
from serkit.lab.training.run_claim import digest_of_audio
from serkit.lab.training.store import open_store
from serkit.labels import LABEL_SETS, LabelSet

NOTE = "audio_digest_note"
_OTHER = "the corpora at hand give another digest than runs on these utterances at this sampling rate have stored"


@dataclass
class Corpora:
    """The corpora at hand: manifests and digests of audio, each read once."""

    data: str
    manifests: dict[tuple[tuple[str, ...], str], tuple[Manifest, LabelSet]] = field(default_factory=dict)
    heard: dict[tuple[str, int], str] = field(default_factory=dict)

    def manifest_of(self, run: RunRecords) -> tuple[Manifest, LabelSet]:
        """Return the utterances of a run as its corpora have them now, and its labels."""
        corpora = tuple(run.facts["corpora"])
        key = corpora, str(run.facts["labels"])
        if key not in self.manifests:
            recipe = load_recipe(run.folder / "recipe.yaml")
            is_unseen = run.facts["protocol"] == UNSEEN_CORPUS
            labels = LABEL_SETS[key[1]] if is_unseen else label_set_of(recipe.labels, corpora)
            everything = read_corpora(corpora, self.data, keep_faulty=recipe.keep_faulty)
            self.manifests[key] = everything.select(labels)[0], labels
        return self.manifests[key]

    def audio_of(self, manifest: Manifest, rate: int) -> str:
        """Return the digest of the audio of a manifest at a sampling rate."""
        key = manifest.digest, rate
        if key not in self.heard:
            print(f"decoding {len(manifest)} utterances of {', '.join(manifest.corpora)} at {rate} Hz", flush=True)
            self.heard[key] = digest_of_audio(open_store(manifest, rate).digests)
        return self.heard[key]


def main(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER...", help="Folders of published runs.")
    ] = None,
    heard: Annotated[Path | None, typer.Option(help="Digests of audio that an older serkit computes.")] = None,
) -> None:
    """Check and seal published runs, and add the digests that older runs lack."""
    data = os.environ.get("SERKIT_CORPORA", "")
    if not data:
        raise SystemExit("set SERKIT_CORPORA to the folder of the corpora.")
    found = sorted(path.parent for top in folders or [Path("results")] for path in top.rglob("env.json"))
    known = json.loads(heard.read_text("utf-8")) if heard else {}
    given = {(key.partition(":")[0], int(key.partition(":")[2])): digest for key, digest in known.items()}
    try:
        refused = seal_all(found, Corpora(data, heard=given))
    except SerkitError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    raise SystemExit(2 if refused else 0)


def seal_all(folders: Sequence[Path], corpora: Corpora) -> int:
    """Check, complete and seal runs; print what could not be done.

    Args:
        folders: Published runs.
        corpora: The corpora at hand.

    Returns:
        Number of runs that are refused.
    """
    runs = [read_records(folder, unsealed=True) for folder in folders]
    known = _known_audio(runs)
    confirmed = _confirmed(runs, corpora, known)
    refused = 0
    for run in runs:
        if why := fault_of(run):
            print(f"{run.folder}: REFUSED: {why}")
            refused += 1
            continue
        environment = without_seals(run.environment) | _added(run, corpora, known, confirmed)
        if "audio_digest" in environment:
            environment.pop(NOTE, None)
        if environment != without_seals(run.environment):
            write_json(run.folder, "env.json", environment)
        seal_folder(run.folder)
        if NOTE in environment:
            print(f"{run.folder}: no audio_digest: {environment[NOTE]}")
    print(f"{len(runs) - refused} of {len(runs)} runs are sealed")
    return refused


def fault_of(run: RunRecords) -> str:
    """Return why a run must not be sealed; empty if it may be."""
    edited = broken_seal(run.folder, run.environment, run.folds)
    if edited and edited != NOT_SEALED:
        return edited
    return contradiction(run) or metrics_contradiction(run.facts, measure_records(run))


def _known_audio(runs: Sequence[RunRecords]) -> Mapping[tuple[str, int | None], set[str]]:
    """Return the digests of audio that runs have stored, by manifest and sampling rate."""
    known: dict[tuple[str, int | None], set[str]] = defaultdict(set)
    for run in runs:
        if "audio_digest" in run.environment:
            key = str(run.environment["manifest_digest"]), audio_rate_in(run.recipe)
            known[key].add(str(run.environment["audio_digest"]))
    return known


def _confirmed(
    runs: Sequence[RunRecords], corpora: Corpora, known: Mapping[tuple[str, int | None], set[str]]
) -> Mapping[int, set[str]]:
    """Return the corpora whose audio at hand is that of the runs which stored a digest, by sampling rate."""
    confirmed: dict[int, set[str]] = defaultdict(set)
    for run in runs:
        manifest, rate = corpora.manifest_of(run)[0], audio_rate_in(run.recipe)
        stored = known.get((manifest.digest, rate))
        is_same = bool(stored) and manifest.digest == run.environment["manifest_digest"]
        if rate is not None and is_same and stored == {corpora.audio_of(manifest, rate)}:
            confirmed[rate] |= set(manifest.corpora)
    return confirmed


def _added(
    run: RunRecords,
    corpora: Corpora,
    known: Mapping[tuple[str, int | None], set[str]],
    confirmed: Mapping[int, set[str]],
) -> dict[str, Any]:
    """Return the entries of ``env.json`` that a run lacks and can get."""
    manifest, labels = corpora.manifest_of(run)
    rate = audio_rate_in(run.recipe)
    has_audio = "audio_digest" in run.environment
    added: dict[str, Any] = {"audio_sampling_rate": rate} if has_audio else {}
    if manifest.digest != run.environment["manifest_digest"]:
        return added | ({} if has_audio else {NOTE: "the corpora at hand have other utterances or labels"})
    added |= _labels_of(run, manifest, labels)
    if has_audio or rate is None:
        return added
    stored = known.get((manifest.digest, rate), set())
    if stored and stored != {corpora.audio_of(manifest, rate)}:
        return added | {NOTE: _OTHER}
    missing = sorted(set(manifest.corpora) - confirmed.get(rate, set()))
    if missing:
        return added | {NOTE: f"nothing confirms that the audio of {', '.join(missing)} at hand is that of this run"}
    return added | {"audio_digest": corpora.audio_of(manifest, rate), "audio_sampling_rate": rate}


def _labels_of(run: RunRecords, manifest: Manifest, labels: LabelSet) -> dict[str, str]:
    """Return the digests of the labels of a run's test and validation utterances, as its corpora have them."""
    truth = {u.id: (u.id, u.speaker, labels.classes[labels.index(u.emotion)]) for u in manifest}
    found = {}
    for name, part in ((TESTED_LABELS, "test"), (VALIDATED_LABELS, "validation")):
        names = {one for fold in run.folds for one in fold[part]["utterances"]}
        if names and name not in run.environment:
            found[name] = labels_digest(truth[one] for one in names)
    return found


if __name__ == "__main__":
    typer.run(main)
