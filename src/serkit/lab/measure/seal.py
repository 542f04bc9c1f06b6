"""The seal of a run folder: digests of its files in ``env.json``, by which an edit is found when the run is read.

The entry ``seal`` of ``env.json`` has a SHA-256 for each of the other files, and one for the rest of ``env.json``:

    predictions, validation   text of the tables, with line feeds
    folds, metrics            JSON with sorted keys and no spaces
    recipe                    text of recipe.yaml
    environment               env.json without its seals, so also the digests of manifest, audio and split in it

They are digests of the content, so a run and its published, compressed form have the same ones. A seal finds edits, not
forgery: somebody who edits a file can compute its digest too.

A run writes its files again and again, and its job may be killed between any two of them. So the seal is written ahead:
``env.json`` first gets the coming digests as ``next_seal`` beside the valid ``seal``, then the files are replaced, then
the coming seal becomes the valid one. While both are there, each file may have the digest of either. A killed job thus
leaves a folder of which every file is known, and the same command resumes it.

A folder of an older serkit has no seal. It never gets one from being resumed, which would confirm its edits.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serkit.errors import RunError
from serkit.lab.measure.run_folder import (
    FOLDS,
    TESTED,
    VALIDATED,
    has_folds,
    json_text,
    read_folds,
    read_json,
    read_text,
)
from serkit.parsing import parse_json
from serkit.writing import write_whole

SEAL, NEXT_SEAL = "seal", "next_seal"
ENVIRONMENT = "env.json"
SEALED = {
    "predictions": TESTED, "validation": VALIDATED, "folds": FOLDS, "metrics": "metrics.json", "recipe": "recipe.yaml",
    "environment": ENVIRONMENT,
}  # fmt: skip
_COMPUTED_AGAIN = ("predictions", "metrics")  # a resumed run that lacks one of them computes all of them again
NOT_SEALED = "it has no seal: an older serkit wrote it, or the seal was removed"


@contextmanager
def sealing(folder: Path, texts: Mapping[str, str], environment: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Seal the files that the block writes: their digests are in ``env.json`` before the first of them changes.

    If the block ends with an error, or the job is killed in it, each file is still known by its old or its new digest.

    Args:
        folder: Run folder.
        texts: Text of each file that the block writes, by its name in ``SEALED``.
        environment: Content of ``env.json``, if the block writes the whole run; by default what the file has.
    """
    known = _environment_of(folder)
    if environment is None and SEAL not in known:  # not sealed, and stays so
        yield
        return
    content = without_seals(known if environment is None else environment)
    before = known.get(SEAL, {})
    after = {**(before if environment is None else {}), **{name: digest_of(name, text) for name, text in texts.items()}}
    after["environment"] = json_digest(content)
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder, content | {SEAL: before, NEXT_SEAL: after})
    yield
    _write(folder, content | {SEAL: after})


def write_sealed(folder: Path, texts: Mapping[str, str], environment: Mapping[str, Any] | None = None) -> None:
    """Write files of a run folder, in the order given, and its seal; see :func:`sealing`."""
    with sealing(folder, texts, environment):
        for name, text in texts.items():
            write_whole(folder / SEALED[name], text)


def seal_folder(folder: Path) -> None:
    """Seal a run folder as it is. Whoever calls this has checked it."""
    content = without_seals(_environment_of(folder))
    _write(folder, content | {SEAL: digests_of(folder, content)})


def digests_of(folder: Path, environment: Mapping[str, Any], folds: Any = None) -> dict[str, str]:
    """Return the digest of each file that a run folder has.

    Args:
        folder: Run folder, published or not.
        environment: Content of ``env.json``.
        folds: Content of ``folds.json``, if it is known.
    """
    found = {"environment": json_digest(without_seals(environment))}
    for name, file in SEALED.items():
        if name == "folds":
            if folds is not None or has_folds(folder):
                found[name] = json_digest(read_folds(folder) if folds is None else folds)
        elif name != "environment" and (text := read_text(folder, file)) is not None:
            found[name] = digest_of(name, text)
    return found


def broken_seal(folder: Path, environment: Mapping[str, Any], folds: Any = None) -> str:
    """Return what does not agree with the seal of a run folder; empty if all does.

    Args:
        folder: Run folder, published or not.
        environment: Content of ``env.json``.
        folds: Content of ``folds.json``, if it is known.
    """
    return _disagreement(environment, digests_of(folder, environment, folds)) if SEAL in environment else NOT_SEALED


def check_before_resuming(folder: Path, environment: Mapping[str, Any]) -> None:
    """Refuse to resume a run whose files were edited, and make the seal that of the files as they are.

    ``predictions.csv`` and ``metrics.json`` may be missing, because the run then computes them again.

    Args:
        folder: Run folder.
        environment: Content of its ``env.json``.

    Raises:
        RunError: If a file was edited or removed, or the run is not sealed.
    """
    if SEAL not in environment:
        raise RunError(
            f"{str(folder)!r} cannot be resumed: {NOT_SEALED}, so edits in it would not be found; choose another "
            "output folder."
        )
    found = digests_of(folder, environment)
    is_again = any(name not in found for name in _COMPUTED_AGAIN)
    absent = [name for name in ("predictions", "validation", "metrics") if is_again and name not in found]
    if why := _disagreement(environment, found, absent):
        raise RunError(f"{str(folder)!r} cannot be resumed: {why}. Restore the file, or choose another output folder.")
    if NEXT_SEAL in environment:  # a killed job left it
        seal_folder(folder)


def is_interrupted(environment: Mapping[str, Any]) -> bool:
    """Return whether a job was killed, or is still at work, while it wrote the files of the run."""
    return NEXT_SEAL in environment


def without_seals(environment: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``env.json`` without its seals."""
    return {name: value for name, value in environment.items() if name not in (SEAL, NEXT_SEAL)}


def digest_of(name: str, text: str) -> str:
    """Return the digest of the text of a file, by its name in ``SEALED``; JSON has one digest in all its forms."""
    if SEALED[name].endswith(".json"):
        return json_digest(parse_json(text))
    return hashlib.sha256(text.replace("\r\n", "\n").encode()).hexdigest()


def json_digest(content: object) -> str:
    """Return the digest of the content of a JSON file."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _disagreement(environment: Mapping[str, Any], found: Mapping[str, str], may_lack: Collection[str] = ()) -> str:
    seals = [environment[name] for name in (SEAL, NEXT_SEAL) if name in environment]
    if not all(isinstance(seal, dict) for seal in seals):
        return f"the seal in {ENVIRONMENT} is damaged"
    for name, file in SEALED.items():
        known = [seal.get(name) for seal in seals]
        if found.get(name) in known or (name not in found and name in may_lack):
            continue
        if name not in found:
            return f"{file} is missing, and the seal in {ENVIRONMENT} has its digest"
        return f"{file} was {'edited' if any(known) else 'added'} after serkit sealed the run"
    return ""


def _environment_of(folder: Path) -> dict[str, Any]:
    if not (folder / ENVIRONMENT).is_file():
        return {}
    content = read_json(folder, ENVIRONMENT)
    if not isinstance(content, dict):
        raise RunError(f"{str(folder / ENVIRONMENT)!r} is damaged: expected a JSON object.")
    return content


def _write(folder: Path, content: Mapping[str, Any]) -> None:
    seals = {name: content[name] for name in (SEAL, NEXT_SEAL) if name in content}
    in_order = {name: {one: seal[one] for one in SEALED if one in seal} for name, seal in seals.items()}
    content = {**content, **in_order}
    write_whole(folder / ENVIRONMENT, json_text(content))
