"""The model card: a description of the model, stored as JSON in the metadata of its ONNX file.

Reading a card needs only the metadata mapping that ONNX Runtime gives. The export writes it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NotRequired, TypedDict

from serkit.errors import AudioTooShortError, ModelFileError
from serkit.parsing import is_base64
from serkit.typed_json import is_clean, parse, typed
from serkit.types import NO_SPEECH, UNCERTAIN

METADATA_KEY = "serkit_card"
FORMAT = 2
NARROWBAND_RATE = 8_000  # Hz
_NARROWING = frozenset({"telephone", "lowpass"})  # augmentations that take away what is above 4 kHz
LONGEST_CLIP = 60.0  # seconds; longer audio is a recording, whose emotion changes
Validation = Literal["new speakers", "training speakers", "nobody", ""]
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
        are_fingerprints_compared: Whether the test recordings were compared with those of the training by acoustic
            fingerprints, and not only by samples.
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
    are_fingerprints_compared: bool = False


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
            thresholds of the prediction sets; see ``docs/CALIBRATION.md``. Its ``threshold`` is None if no threshold
            keeps the error rate. Empty, so that nothing is promised, without validation on new speakers.
        quantization: Quantized weights and the cost in accuracy; empty for a model that is not quantized.
        validation: Speakers that the model was validated on; empty in old files, see :attr:`validated_on`.
        fingerprints: Speaker to excerpts of acoustic fingerprints of their training and validation utterances, as
            base64. A test compares its recordings with them. They do not give the audio back. Empty in old files, and
            if fingerprints were not wanted.
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
    validation: Validation = ""
    fingerprints: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def validated_on(self) -> Validation:
        """The speakers that the model was validated on. In files that do not state it, it follows from the others."""
        if self.validation:
            return self.validation
        if self.validation_speakers and self.calibration.get("speakers", 0) <= len(self.validation_speakers):
            return "new speakers"
        return "training speakers" if self.calibration or self.validation_uar is not None else "nobody"

    @property
    def promise(self) -> str:
        """What the card promises of the threshold for ``uncertain``, in one sentence."""
        known = self.calibration
        if not known:
            why = {
                "new speakers": "there are no stored answers for validation speakers",
                "training speakers": "the model was validated on speakers that it was trained on",
            }.get(self.validated_on, "the model was not validated here")
            return f"nothing is promised, because {why}: the most probable class is always named"
        if known["threshold"] is None:
            return (
                f"no threshold keeps to {known['error_rate']:g} % wrong answers in validation: every answer is "
                f"{UNCERTAIN}, unless you set a threshold or force an answer"
            )
        return (
            f"below {known['threshold']:.2f} the answer is {UNCERTAIN}; in validation {known['coverage']:.0f} % of "
            f"clips were answered, {known['error']:.0f} % of them wrongly"
        )

    @property
    def hears_narrowband(self) -> bool:
        """Whether the model has learned sound without anything above 4 kHz, as telephones send it."""
        augment = self.recipe.get("augment")
        chain = augment.get("waveform") if isinstance(augment, Mapping) else augment
        steps = chain if isinstance(chain, list | tuple) else ()
        names = {str(step.get("name") if isinstance(step, Mapping) else step) for step in steps}
        return self.sampling_rate <= NARROWBAND_RATE or not names.isdisjoint(_NARROWING)

    @property
    def limits(self) -> tuple[str, ...]:
        """What the model was not made to hear, in sentences without a period."""
        telephone = (
            "telephone speech: the model has heard full bandwidth only, and may answer otherwise on narrowband sound"
        )
        return () if self.hears_narrowband else (telephone,)

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
        """Return the card as values that JSON can hold, with the number of its format, the promise and the limits.

        Of the fingerprints, only the number is given: they are long, and tell a reader nothing.
        """
        count = sum(map(len, self.fingerprints.values()))
        content = {"format": FORMAT, **asdict(self), "promise": self.promise, "limits": list(self.limits)}
        return content | {"fingerprints": count}

    def to_json(self) -> str:
        """Return the card as a JSON document."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)


class _Calibration(TypedDict):
    """Fields of ``calibration`` where it is not empty."""

    speakers: int
    utterances: int
    error_rate: float
    threshold: float | None
    coverage: float
    error: float | None
    conformal: Mapping[str, float]
    ece_before: NotRequired[float | None]
    ece_after: NotRequired[float | None]
    brier_before: NotRequired[float | None]
    brier_after: NotRequired[float | None]


class _TrainingCorpus(TypedDict, total=False):
    """Fields of an entry of ``corpora``."""

    name: str
    title: str
    license: str
    citation: str
    url: str
    speakers: int
    utterances: int


class _Quantization(TypedDict, total=False):
    """Fields of ``quantization``."""

    weights: str
    utterances: int
    uar: float
    uar_before: float
    changed: float


_INPUTS = ("waveform", "lengths")
_INNER: Mapping[str, Any] = {"corpora": tuple[_TrainingCorpus, ...], "quantization": _Quantization}
_RULES: tuple[tuple[Callable[[Card], bool], str], ...] = (
    (lambda card: len(card.classes) >= 2, "a model has two classes or more"),
    (lambda card: len(set(card.classes)) == len(card.classes), "a class is listed twice"),
    (lambda card: all(name.strip() for name in card.classes), "a class has an empty name"),
    (lambda card: all(map(is_clean, card.classes)), "the name of a class has control characters"),
    (lambda card: not {UNCERTAIN, NO_SPEECH} & {*card.classes}, f"a class is called {UNCERTAIN!r} or {NO_SPEECH!r}"),
    (lambda card: card.inputs in (_INPUTS, (*_INPUTS, "sex")), "the inputs are not waveform, lengths and perhaps sex"),
    (lambda card: 1_000 <= card.sampling_rate <= 768_000, "sampling_rate is not 1000 to 768000 Hz"),
    (
        lambda card: 0 <= card.minimum_duration < card.maximum_duration,
        "minimum_duration and maximum_duration are not in order",
    ),
    (lambda card: card.parameters >= 0, "parameters is below 0"),
    (lambda card: card.temperature > 0, "temperature is not above 0"),
    (lambda card: _is_share(card.validation_uar, 100), "validation_uar is not 0 to 100"),
    (
        lambda card: all(
            _is_share(score, 100) for e in card.evidence for score in (e.uar, e.uar_low, e.uar_high, e.wa, e.macro_f1)
        ),
        "a score of evidence is not 0 to 100",
    ),
    (lambda card: _is_share(card.calibration.get("threshold"), 1), "calibration.threshold is not 0 to 1"),
    (
        lambda card: all(_is_share(least, 1) for least in card.calibration.get("conformal", {}).values()),
        "a threshold in calibration.conformal is not 0 to 1",
    ),
    (
        lambda card: all(is_base64(code) for codes in card.fingerprints.values() for code in codes),
        "a fingerprint is not base64",
    ),
    (
        lambda card: card.calibration.get("threshold") is None or card.calibration["error"] is not None,
        "calibration has a threshold without its error",
    ),
)


def write_card(card: Card) -> dict[str, str]:
    """Return the ONNX metadata entries that hold a card."""
    content = {"format": FORMAT, **asdict(card)}
    return {METADATA_KEY: json.dumps(content, ensure_ascii=False, sort_keys=True)}


def read_card(metadata: Mapping[str, str], name: str) -> Card:
    """Read the card from the metadata of a model file, and check it.

    Control characters in texts become the replacement character. A calibration on speakers of the training is left
    out, since it promises nothing for others.

    Args:
        metadata: Metadata of the ONNX file.
        name: Name of the file for the message.

    Raises:
        ModelFileError: If there is no card, or the card is damaged or has a later format.
    """
    if METADATA_KEY not in metadata:
        raise ModelFileError(f"{name} is an ONNX file without a serkit card; use a model file made by 'serkit export'.")
    try:
        content = parse(metadata[METADATA_KEY])
        number = typed(content, Mapping[str, Any])["format"]
        if typed(number, int, "format") > FORMAT:
            raise ModelFileError(
                f"{name} has a card of format {number}, but this serkit reads up to format {FORMAT}; upgrade serkit."
            )
        card = _card_of(with_american_keys(content) if number == 1 else content)
        for is_kept, otherwise in _RULES:
            if not is_kept(card):
                raise ModelFileError(f"{name} has a damaged serkit card ({otherwise}).")
    except ModelFileError:
        raise
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"{name} has a damaged serkit card ({error}).") from error
    return card if card.validated_on == "new speakers" else replace(card, calibration={})


def _card_of(content: dict[str, Any]) -> Card:
    """Return the card with this content; the types of all fields are checked, also those within mappings."""
    card: Card = typed(content, Card)
    inner = {key: typed(content[key], hint, key) for key, hint in _INNER.items() if key in content}
    if card.calibration:
        inner["calibration"] = typed(content["calibration"], _Calibration, "calibration")
    return replace(card, **inner)


def _is_share(value: float | None, whole: float) -> bool:
    return value is None or 0 <= value <= whole


def with_american_keys(content: Any) -> Any:
    """Return the content of a card of format 1, or of a recipe of its time, with the keys' spelling of today.

    Example:
        >>> with_american_keys({"features": [{"name": "logmel", "normalise": "band"}]})
        {'features': [{'name': 'logmel', 'normalize': 'band'}]}
    """
    if isinstance(content, dict):
        return {_RENAMED.get(key, key): with_american_keys(value) for key, value in content.items()}
    return [with_american_keys(value) for value in content] if isinstance(content, list) else content
