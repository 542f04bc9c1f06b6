"""The model card: a description of the model, stored as JSON in the metadata of its ONNX file.

Reading a card needs only the metadata mapping that ONNX Runtime gives. The export writes it.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from serkit.errors import AudioTooShortError, ModelFileError

METADATA_KEY = "serkit_card"
FORMAT = 2
LONGEST_CLIP = 60.0  # seconds; longer audio is a recording, whose emotion changes
_RENAMED = {"licence": "license", "quantisation": "quantization", "normalise": "normalize"}

NOT_FOR = (
    "decisions about people, such as hiring, policing, insurance, education or health",
    "lie detection, or claims about what somebody feels: it hears how emotion is acted",
    "emotion recognition at work or in schools, which the EU AI Act (Article 5) forbids",
)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measured result with its protocol. Scores are in percent.

    Attributes:
        run: Name of the run.
        protocol: Name of the protocol.
        corpora: Corpora that were tested on.
        is_speaker_independent: Whether no test speaker was seen in training.
        speakers: Number of test speakers.
        utterances: Number of test utterances.
        seeds: Number of seeds that the scores are means of.
        uar: Unweighted average recall.
        uar_low: Lower end of the confidence interval of ``uar``.
        uar_high: Upper end of the confidence interval of ``uar``.
        interval_over: Units that the bootstrap resampled, such as ``speakers``.
        wa: Weighted accuracy.
        macro_f1: Macro F1 score.
        per_corpus: Scores on each corpus alone.
    """

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
    per_corpus: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)


@dataclass(frozen=True, kw_only=True)
class Card:
    """The description of a model.

    Attributes:
        name: Name of the recipe that made the model.
        serkit_version: Version of serkit that made the model.
        classes: Classes, in the order of the outputs.
        label_set: Name of the label set.
        label_note: Reason for these classes.
        sampling_rate: Sampling rate of the graph's waveform in Hz.
        inputs: Names of the graph's inputs.
        minimum_duration: Shortest audio that the model takes, in seconds.
        maximum_duration: Longest audio that the model takes at once, in seconds.
        parameters: Number of trained weights.
        corpora: Name, title, license, citation and counts of each corpus that the model was trained on.
        languages: ISO 639-1 codes of those corpora.
        train_speakers: Training speakers; of an ensemble, those of all members.
        validation_speakers: Validation speakers, on whom the epoch, the calibration and the model were chosen.
        split_digest: SHA-256 of the split.
        temperature: Number that the graph divides the logits by.
        validation_uar: Unweighted average recall on the validation speakers in percent. None without validation.
        evidence: Measured results.
        weights_digest: SHA-256 of the file of trained weights.
        license: License of the model, which follows from the corpora.
        is_commercial_use_allowed: Whether all corpora allow commercial use.
        is_sharing_allowed: Whether all corpora allow sharing of derived works.
        not_for: Uses that the model is not made for.
        recipe: Resolved recipe.
        needs_equal_lengths: Whether utterances of different lengths must not be padded into one batch. The runtime
            then runs them one by one.
        calibration: Reliability of the probabilities on validation speakers, the threshold for ``uncertain``, and the
            thresholds of the prediction sets; see ``docs/CALIBRATION.md``. Empty without validation.
        quantization: Quantized weights and the cost in accuracy; empty for a model that is not quantized.
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
    corpora: tuple[Mapping[str, Any], ...] = field(hash=False)
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
    recipe: Mapping[str, Any] = field(hash=False)
    weights_digest: str = ""
    is_sharing_allowed: bool = True
    maximum_duration: float = LONGEST_CLIP
    needs_equal_lengths: bool = False
    calibration: Mapping[str, Any] = field(default_factory=dict, hash=False)
    quantization: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def seen_speakers(self) -> frozenset[str]:
        """The speakers of training and validation, who must not be in a test of this model."""
        return frozenset(self.train_speakers) | frozenset(self.validation_speakers)

    def check_duration(self, seconds: float, name: str) -> None:
        """Check that audio is long enough for the model.

        Args:
            seconds: Duration of the audio.
            name: Name of the audio for the message.

        Raises:
            AudioTooShortError: If the audio is shorter than the model's minimum.
        """
        if seconds < self.minimum_duration:
            raise AudioTooShortError(
                f"{name} lasts {seconds:.4f} s; the model needs {self.minimum_duration} s or more."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the card as values that JSON can hold, with the number of the card's format."""
        return {"format": FORMAT, **asdict(self)}

    def to_json(self) -> str:
        """Return the card as a JSON document."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)


def write_card(card: Card) -> dict[str, str]:
    """Return the ONNX metadata entries that hold a card."""
    return {METADATA_KEY: json.dumps(card.to_dict(), ensure_ascii=False, sort_keys=True)}


def read_card(metadata: Mapping[str, str], name: str) -> Card:
    """Read the card from the metadata of a model file.

    Args:
        metadata: Metadata of the ONNX file.
        name: Name of the file for the message.

    Raises:
        ModelFileError: If there is no card, or the card is damaged or has a later format.
    """
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{name} is an ONNX file without a serkit card; use a model file made by 'serkit export'.")
    try:
        content = json.loads(metadata[METADATA_KEY])
        number = content.pop("format")
        if number > FORMAT:
            raise ModelFileError(
                f"{name} has a card of format {number}, but this serkit reads up to format {FORMAT}; upgrade serkit."
            )
        if number == 1:
            content = with_american_keys(content)
        content["evidence"] = tuple(Evidence(**_tupled(row)) for row in content["evidence"])
        return Card(**_tupled(content))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{name} has a damaged serkit card ({error}).") from error


def with_american_keys(content: Any) -> Any:
    """Return the content of a card of format 1, or of a recipe of its time, with the keys' spelling of today.

    Example:
        >>> with_american_keys({"features": [{"name": "logmel", "normalise": "band"}]})
        {'features': [{'name': 'logmel', 'normalize': 'band'}]}
    """
    if isinstance(content, dict):
        return {_RENAMED.get(key, key): with_american_keys(value) for key, value in content.items()}
    return [with_american_keys(value) for value in content] if isinstance(content, list) else content


def _tupled(row: dict[str, Any]) -> dict[str, Any]:
    known = {f.name for f in fields(Card)} | {f.name for f in fields(Evidence)}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in row.items() if name in known}
