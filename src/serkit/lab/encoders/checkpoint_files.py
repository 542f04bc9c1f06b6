"""The files of a checkpoint: where they are, and what they say before transformers reads them.

A damaged or hostile file is refused here, in one sentence. Weights are read only from safetensors, never from a pickle.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from serkit.errors import MissingExtraError, RecipeError

CONFIG = "config.json"
PREPROCESSOR = ("preprocessor_config.json", "processor_config.json")  # the second is that of newer releases
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
CARD = "serkit_card.json"  # what serkit knows about weights that it trained
_LARGEST_NUMBER = 10_000_000  # in a configuration; the largest in use are vocabularies of some 100,000
_MOST_LAYERS = 1000


def find_folder(model: str, revision: str) -> Path:
    """Return the folder of a checkpoint, downloaded from the hub if there is no folder of that name.

    Raises:
        MissingExtraError: If huggingface_hub is not installed.
        RecipeError: If there is no such checkpoint.
    """
    if Path(model).is_dir():
        return Path(model)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError("encoders of transformers", "ssl") from error
    wanted = [CONFIG, *PREPROCESSOR, "model*.safetensors*", CARD]
    try:
        return Path(snapshot_download(model, revision=revision or None, allow_patterns=wanted))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError, ValueError) as error:
        raise RecipeError(
            f"there is no folder {model!r}, and it cannot be downloaded from the hub ({first_line(error)}). "
            f"Download {CONFIG}, {PREPROCESSOR[0]} and {WEIGHTS} from https://huggingface.co/{model}"
            f"{f'/tree/{revision}' if revision else ''} into a folder, and name that folder."
        ) from error


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json``.

    Raises:
        RecipeError: If it is missing or damaged, or its numbers are those of no real network.
    """
    if not (folder / CONFIG).is_file():
        raise RecipeError(f"{str(folder)!r} is not a checkpoint of transformers: it has no {CONFIG}.")
    content = _read_object(folder / CONFIG)
    for name, number in _numbers_of(content):
        if number > (_MOST_LAYERS if name.endswith("_layers") else _LARGEST_NUMBER):
            shown = str(number) if number < 10**20 else "a number of more than 20 digits"
            raise RecipeError(f"{str(folder / CONFIG)!r} is damaged: {name} is {shown}, as in no real network.")
    return content


def read_preprocessing(folder: Path) -> dict[str, Any]:
    """Read a checkpoint's preprocessor settings, from the file of older or of newer releases of transformers.

    Raises:
        RecipeError: If there is none, or it is damaged.
    """
    for name, part in zip(PREPROCESSOR, (None, "feature_extractor"), strict=True):
        if (folder / name).is_file():
            content = _read_object(folder / name)
            found = content.get(part) if part else content
            if not isinstance(found, dict):
                raise RecipeError(f"{str(folder / name)!r} is damaged: it has no {part}.")
            return found
    raise RecipeError(
        f"{str(folder)!r} has no {PREPROCESSOR[0]}, which says how the encoder's sound is prepared: copy it from where "
        "the checkpoint is published, or write it with transformers: AutoFeatureExtractor.save_pretrained(FOLDER)."
    )


def weight_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight, from the headers of the safetensors files.

    Raises:
        RecipeError: If there are no safetensors, or one of the files is missing or damaged.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for file in _weight_files(folder):
        try:
            with safe_open(file, "pt") as content:
                shapes |= {name: tuple(content.get_slice(name).get_shape()) for name in content.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise RecipeError(
                f"{str(file)!r} is damaged or cut short ({first_line(error)}): download it again."
            ) from error
    return shapes


def weight_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each weights file, by its name.

    Raises:
        RecipeError: If there are no safetensors, or one of the files is missing.
    """
    return {file.name: _digest_now(file) for file in _weight_files(folder)}


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of the configuration and the weights."""
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.json"), *folder.glob("*.safetensors")]):
        digest.update(file.name.encode() + bytes.fromhex(_digest_now(file)))
    return digest.hexdigest()


def state_of(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Return name, size and time of change of a folder's JSON files; nothing where there is no folder."""
    files = sorted(folder.glob("*.json")) if folder.is_dir() else []
    return tuple((file.name, at.st_size, at.st_mtime_ns) for file in files for at in [file.stat()])


def _digest_now(file: Path) -> str:
    at = file.stat()
    return _file_digest(file, at.st_size, at.st_mtime_ns)


@cache
def _file_digest(file: Path, size: int, changed: int) -> str:
    """Return the SHA-256 of a file, which is read again if its size or its time of change differs."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def first_line(error: Exception) -> str:
    """Return the first line of an error's message without its full stop, or the error's name."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".:")


def _weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that transformers would read."""
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if not (folder / INDEX).is_file():
        raise RecipeError(
            f"{str(folder)!r} has no {WEIGHTS}, and serkit loads no pickle (pytorch_model.bin): set revision to one "
            "with safetensors (often refs/pr/1), or convert the checkpoint with transformers: "
            "AutoModel.from_pretrained(...).save_pretrained(FOLDER)."
        )
    named = _read_object(folder / INDEX).get("weight_map")
    names = list(dict.fromkeys(named.values())) if isinstance(named, dict) else []
    if not names:
        raise RecipeError(f"{str(folder / INDEX)!r} is damaged: its weight_map names no files.")
    for name in names:
        is_plain = isinstance(name, str) and name.endswith(".safetensors") and Path(name).name == name
        if not is_plain or not (folder / name).is_file():
            what = "is missing" if is_plain else "is no safetensors file of this folder"
            raise RecipeError(f"{str(folder / INDEX)!r} names the file {name!r}, which {what}: download it again.")
    return [folder / name for name in names]


def _read_object(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:  # a number of thousands of digits is a ValueError
        why = "it is nested too deeply" if isinstance(error, RecursionError) else first_line(error)
        raise RecipeError(f"{str(file)!r} is not valid JSON ({why}): download it again.") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{str(file)!r} is damaged: it must hold a JSON object.")
    return content


def _numbers_of(content: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield all integers of a configuration with their names."""
    left: list[tuple[str, Any]] = [*content.items()]
    while left:
        name, value = left.pop()
        if isinstance(value, dict):
            left += value.items()
        elif isinstance(value, list):
            left += [(name, one) for one in value]
        elif isinstance(value, int):
            yield name, value
