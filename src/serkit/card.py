"""The model card: what a model file says of itself, kept in its ONNX metadata as JSON.

Reading needs no more than the metadata mapping that ONNX Runtime gives; writing is done at export.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from serkit.errors import AudioTooShortError, ModelFileError

METADATA_KEY = "serkit_card"
FORMAT = 2
_RENAMED = {"licence": "license", "quantisation": "quantization", "normalise": "normalize"}

NOT_FOR = (
    "decisions about people, such as hiring, policing, insurance, education or health",
    "lie detection, or claims about what somebody feels: it hears how emotion is acted",
    "emotion recognition at work or in schools, which the EU AI Act (Article 5) forbids",
)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measured result, in percent, with the protocol that makes it mean something."""

    run: str
    protocol: str
    corpora: tuple[str, ...]
    is_speaker_independent: bool
    speakers: int
    utterances: int
    seeds: int
    uar: float
    uar_low: float
    uar_high: float
    interval_over: str
    wa: float
    macro_f1: float
    per_corpus: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a model file says of itself.

    Attributes:
        name: Of the recipe that made it.
        serkit_version: That made it.
        classes: In the order of the outputs.
        label_set: Name of the label set, and ``label_note`` why these classes.
        sampling_rate: In Hz, of the waveform that the graph takes.
        inputs: Names of the graph's inputs.
        minimum_duration: Seconds; shorter audio is refused.
        parameters: Trained weights.
        corpora: Name, title, license, citation and counts of each corpus it was fitted on.
        languages: ISO 639-1 codes of those corpora.
        train_speakers: Whom it was trained on, all members of an ensemble together.
        validation_speakers: Whom epoch, calibration and choice were fitted on.
        split_digest: SHA-256 of the split.
        temperature: That the logits are divided by, inside the graph.
        validation_uar: Percent, or None without validation.
        evidence: Measured results.
        weights_digest: SHA-256 of the trained weights' file.
        license: That follows from the corpora.
        is_commercial_use_allowed: Whether all the corpora allow it.
        is_sharing_allowed: Whether all the corpora allow passing on what is derived from them.
        not_for: Uses that it must not be put to.
        recipe: The resolved recipe.
        needs_equal_lengths: Whether utterances of different lengths must not be padded into one batch; the runtime then
            runs them one by one.
        calibration: How far the probabilities could be trusted on validation speakers, and what follows for
            ``uncertain`` and for sets of classes; see ``docs/CALIBRATION.md``. Empty without validation.
        quantization: Which weights were made coarser, and what that changed; empty where none were.
    """

    name: str
    serkit_version: str
    classes: tuple[str, ...]
    label_set: str
    label_note: str
    sampling_rate: int
    inputs: tuple[str, ...]
    minimum_duration: float
    parameters: int
    corpora: tuple[Mapping[str, Any], ...]
    languages: tuple[str, ...]
    train_speakers: tuple[str, ...]
    validation_speakers: tuple[str, ...]
    split_digest: str
    temperature: float
    validation_uar: float | None
    evidence: tuple[Evidence, ...]
    license: str
    is_commercial_use_allowed: bool
    not_for: tuple[str, ...]
    recipe: Mapping[str, Any]
    weights_digest: str = ""
    is_sharing_allowed: bool = True
    needs_equal_lengths: bool = False
    calibration: Mapping[str, Any] = field(default_factory=dict)
    quantization: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seen_speakers(self) -> frozenset[str]:
        """Everybody who must not be in a test of this model."""
        return frozenset(self.train_speakers) | frozenset(self.validation_speakers)

    def check_duration(self, seconds: float, name: str) -> None:
        """Check that a sound is long enough for the model.

        Args:
            seconds: That it lasts.
            name: How a message names it.

        Raises:
            AudioTooShortError: If it is not.
        """
        if seconds < self.minimum_duration:
            raise AudioTooShortError(
                f"{name} lasts {seconds:.4f} s; the model needs {self.minimum_duration} s or more."
            )

    def to_json(self) -> dict[str, Any]:
        """Return the card as JSON-ready values, with the format's number."""
        return {"format": FORMAT, **asdict(self)}


def write_card(card: Card) -> dict[str, str]:
    """Return the ONNX metadata entries that hold a card."""
    return {METADATA_KEY: json.dumps(card.to_json(), ensure_ascii=False, sort_keys=True)}


def read_card(metadata: Mapping[str, str], name: str) -> Card:
    """Read the card from a model file's metadata.

    Args:
        metadata: Of the ONNX file.
        name: How a message names the file.

    Raises:
        ModelFileError: If there is no card, or it is of a later format.
    """
    if METADATA_KEY not in metadata:
        raise ModelFileError(
            f"{name} is an ONNX file without a serkit card; only 'serkit export' makes models with one."
        )
    try:
        content = json.loads(metadata[METADATA_KEY])
        number = content.pop("format")
        if number > FORMAT:
            raise ModelFileError(
                f"{name} has a card of format {number}, and this serkit reads {FORMAT}: upgrade serkit."
            )
        if number == 1:
            content = _american(content)
        content["evidence"] = tuple(Evidence(**_tupled(row)) for row in content["evidence"])
        return Card(**_tupled(content))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{name} has a damaged serkit card ({error}).") from error


def _american(content: Any) -> Any:
    """Rename the keys of a card of format 1, which were spelled the British way."""
    if isinstance(content, dict):
        return {_RENAMED.get(key, key): _american(value) for key, value in content.items()}
    return [_american(value) for value in content] if isinstance(content, list) else content


def _tupled(row: dict[str, Any]) -> dict[str, Any]:
    known = {f.name for f in fields(Card)} | {f.name for f in fields(Evidence)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in known}
